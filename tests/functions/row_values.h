// Values for the arguments of rows, and their comparison.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "tests/functions/rows.h"

namespace jot::test {

constexpr double kEps = std::numeric_limits<double>::epsilon();

using List = std::vector<Tensor>;

inline std::string title(const FunctionRow& row) { return row.name + " " + row.label; }

// Of each row its own, so that a new one changes no other's draws.
inline std::mt19937 generator(const FunctionRow& row, uint32_t salt) {
  for (char c : title(row)) salt = (salt ^ static_cast<unsigned char>(c)) * 16777619u;
  return std::mt19937(salt);
}

inline List drawn(const FunctionRow& row, std::mt19937& random, DType floating = f64, Shape lanes = {},
                  uint32_t which = 0) {
  List result;
  for (size_t i = 0; i < row.inputs.size(); ++i) {
    const Input& in = row.inputs[i];
    Shape shape = (which >> i & 1 ? lanes : Shape{}) + in.shape;
    std::vector<double> values(static_cast<size_t>(shape.numel()));
    // Floats one of each of as many parts of the interval, in any order: no two are so near that a step of a numerical
    // derivative exchanges them.
    std::vector<size_t> parts(values.size());
    std::iota(parts.begin(), parts.end(), size_t{0});
    std::ranges::shuffle(parts, random);
    std::uniform_real_distribution<double> uniform(0, 1);
    const double width = in.hi - in.lo;
    for (size_t j = 0; j < values.size(); ++j) {
      const double u = uniform(random);
      const double part = (static_cast<double>(parts[j]) + 0.1 + 0.8 * u) / static_cast<double>(values.size());
      values[j] = in.dtype == f64 ? in.lo + width * part : std::floor(in.lo + width * u);
    }
    result.push_back(Tensor::from(values, shape).to(in.dtype == f64 ? floating : in.dtype));
  }
  return result;
}

// Empty if all is well, else where got and want differ by more than the tolerance, relative to the larger of 1 and
// want.
inline std::string difference(const Tensor& got, const Tensor& want, double tolerance) {
  if (got.shape() != want.shape()) return "shape " + to_string(got.shape()) + ", want " + to_string(want.shape());
  std::vector<double> a = got.to_vector<double>(), b = want.to_vector<double>();
  for (size_t i = 0; i < a.size(); ++i)
    if (!(a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i])) ||
          std::abs(a[i] - b[i]) <= tolerance * std::max(1.0, std::abs(b[i]))))
      return "element " + std::to_string(i) + ": " + std::to_string(a[i]) + ", want " + std::to_string(b[i]) + " (" +
             std::to_string((a[i] - b[i]) / kEps) + " epsilon)";
  return {};
}

}  // namespace jot::test
