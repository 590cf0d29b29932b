#include "rules.h"

#include <algorithm>
#include <cmath>

#include "sample.h"

namespace jot::coverage {
namespace {

Tensor random_like(const Tensor& t, uint64_t seed) {
  return Tensor::from(drawn(seed, t.numel(), -1, 1, true)).to(t.dtype()).reshape(t.shape());
}
std::vector<Tensor> directions(const std::vector<Tensor>& x) {
  std::vector<Tensor> result;
  for (const Tensor& t : x) result.push_back(random_like(t, 2 * kWeight + result.size()));
  return result;
}
Tensor product(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  Tensor total = zeros({}, f64);
  for (size_t i = 0; i < a.size(); ++i) total = total + (a[i] * b[i]).sum().to(f64);
  return total;
}
// Of the results with random cotangents.
Tensor weighed(const std::vector<Tensor>& results) {
  std::vector<Tensor> cotangents;
  for (const Tensor& t : results) cotangents.push_back(random_like(t, kCotangent + cotangents.size()));
  return product(results, cotangents);
}

}  // namespace

std::string compare(const std::vector<Tensor>& got, const std::vector<Tensor>& expected, double tolerance) {
  for (size_t i = 0; i < expected.size(); ++i) {
    if (got.at(i).shape() != expected[i].shape()) return "shape " + to_string(got[i].shape());
    const std::vector<double> a = got[i].to_vector<double>(), b = expected[i].to_vector<double>();
    double largest = 0;
    for (size_t k = 0; k < b.size(); ++k)
      for (double v : {a[k], b[k]})
        if (std::isfinite(v)) largest = std::max(largest, std::fabs(v));
    for (size_t k = 0; k < b.size(); ++k)
      if (!(a[k] == b[k] || (std::isnan(a[k]) && std::isnan(b[k])) ||
            std::fabs(a[k] - b[k]) <= tolerance * largest + 1e-12))
        return "element " + std::to_string(k) + " is " + std::to_string(a[k]) + ", expected " + std::to_string(b[k]);
  }
  return "";
}

std::string forward_differs(const Map& f, const std::vector<Tensor>& x, double tolerance) {
  const std::vector<Tensor> v = directions(x);
  auto loss = [&](const std::vector<Tensor>& y) { return weighed(f(y)); };
  auto [value, tangent] = jvp(loss, primals(x), tangents(v));
  std::vector<Tensor> gradient = grad(loss)(x);
  // Relative to the terms of the product, which may cancel.
  Tensor terms = zeros({}, f64);
  for (size_t i = 0; i < x.size(); ++i) terms = terms + (gradient[i] * v[i]).abs().sum().to(f64);
  const double scale = terms.item<double>(), got = tangent.item<double>(),
               expected = product(gradient, v).item<double>();
  if (std::isnan(expected) ? std::isnan(got)
                           : got == expected || std::fabs(got - expected) <= tolerance * scale + 1e-12)
    return "";
  return "forward: " + std::to_string(got) + ", expected " + std::to_string(expected);
}

std::string second_differs(const Map& f, const std::vector<Tensor>& x, double tolerance) {
  const std::vector<Tensor> v = directions(x);
  auto gradient = [&](const std::vector<Tensor>& y) {
    return grad([&](const std::vector<Tensor>& z) { return weighed(f(z)); })(y);
  };
  auto [first, forward] = jvp(gradient, primals(x), tangents(v));
  std::vector<Tensor> reverse = grad([&](const std::vector<Tensor>& y) { return product(gradient(y), v); })(x);
  const std::string why = compare(forward, reverse, tolerance);
  return why.empty() ? why : "second: " + why;
}

std::string lanes_differ(const Map& f, const std::vector<Tensor>& x, double tolerance) {
  std::vector<Tensor> other, both;
  for (const Tensor& t : x) {
    other.push_back(t.flatten().flip(0).reshape(t.shape()));
    both.push_back(stack({t, other.back()}));
  }
  std::vector<Tensor> lanes = vmap([&](const std::vector<Tensor>& y) { return f(y); })(both), expected = f(x);
  const std::vector<Tensor> second = f(other);
  for (size_t i = 0; i < expected.size(); ++i) expected[i] = stack({expected[i], second[i]});
  const std::string why = compare(lanes, expected, tolerance);
  return why.empty() ? why : "lanes: " + why;
}

}  // namespace jot::coverage
