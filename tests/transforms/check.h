// Comparisons for the tests of transforms. Tolerances are those of the acceptance cases: f32 rtol 1.3e-6, atol 1e-5;
// f64 rtol 1e-9.
#pragma once
#include <doctest/doctest.h>
#include <jot/jot.h>

#include <cmath>
#include <sstream>
#include <string>
#include <vector>

namespace jot::test {

// Empty if the tensors agree in shape, dtype and, within the tolerance, in every element; else what differs.
inline std::string difference(const Tensor& got, const Tensor& want, double rtol = 0, double atol = 0) {
  std::ostringstream out;
  if (got.shape() != want.shape() || got.dtype() != want.dtype()) {
    out << "got " << to_string(got.dtype()) << to_string(got.shape()) << ", want " << to_string(want.dtype())
        << to_string(want.shape());
    return out.str();
  }
  if (rtol == 0) rtol = got.dtype() == f64 ? 1e-9 : 1.3e-6;
  if (atol == 0) atol = got.dtype() == f64 ? 1e-12 : 1e-5;
  std::vector<double> a = got.to_vector<double>(), b = want.to_vector<double>();
  for (size_t i = 0; i < a.size(); ++i) {
    bool same =
        a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i])) || std::abs(a[i] - b[i]) <= atol + rtol * std::abs(b[i]);
    if (!same) {
      out << "element " << i << ": got " << a[i] << ", want " << b[i] << "\n"
          << to_string(got) << "\n"
          << to_string(want);
      return out.str();
    }
  }
  return {};
}

inline Tensor floats(const std::vector<float>& values, const Shape& shape) { return Tensor::from(values, shape); }
inline Tensor floats(const std::vector<float>& values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())});
}
inline Tensor doubles(const std::vector<double>& values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())});
}
inline Tensor doubles(const std::vector<double>& values, const Shape& shape) { return Tensor::from(values, shape); }
inline Tensor scalar(float value) { return Tensor::from(std::vector<float>{value}, {}); }

}  // namespace jot::test

#define CHECK_SAME(got, want) CHECK_EQ(::jot::test::difference(got, want), "")
#define CHECK_NEAR_TO(got, want, rtol) CHECK_EQ(::jot::test::difference(got, want, rtol, rtol), "")
