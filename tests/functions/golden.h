// Functions against torch's values and derivatives, which a file has: of each case its name, the values, and a line for
// the gradient by each argument of the sum of the values times cos(0), cos(1), ...
#pragma once
#include <doctest/doctest.h>
#include <jot/jot.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace jot::test {

using List = std::vector<Tensor>;
using Call = std::function<Tensor(const List&)>;
struct Golden {
  List arguments;
  Call call;
};
using GoldenTable = std::map<std::string, Golden>;

// sin(a i + b)
inline Tensor ramp(const Shape& shape, double b = 0, double a = 1) {
  std::vector<double> x(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < x.size(); ++i) x[i] = std::sin(a * static_cast<double>(i) + b);
  return Tensor::from(x, shape);
}

inline void check_near(const Tensor& got, const std::string& line, double tolerance) {
  std::istringstream in(line);
  std::vector<double> want;
  for (double v; in >> v;) want.push_back(v);
  const std::vector<double> values = got.to_vector<double>();
  REQUIRE(values.size() == want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    CAPTURE(i);
    CHECK(std::abs(values[i] - want[i]) <= tolerance * std::max(1.0, std::abs(want[i])));
  }
}

// Every case of the file is in the table; how many there are.
inline size_t check_golden(const GoldenTable& table, const char* path, double tolerance) {
  std::ifstream file(path);
  REQUIRE(file.good());
  size_t cases = 0;
  for (std::string name, line; std::getline(file, name); ++cases) {
    CAPTURE(name);
    REQUIRE(table.contains(name));
    const Golden& g = table.at(name);
    std::getline(file, line);
    Tensor y = g.call(g.arguments).reshape({-1});
    check_near(y, line, tolerance);
    Tensor w = cos(arange(y.numel(), f64));
    List gradients = grad([&](const List& x) { return sum(g.call(x).reshape({-1}) * w); })(g.arguments);
    for (const Tensor& gradient : gradients) {
      std::getline(file, line);
      check_near(gradient, line, tolerance);
    }
  }
  return cases;
}

}  // namespace jot::test
