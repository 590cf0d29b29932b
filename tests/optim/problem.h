// The functions and numbers of tests/golden/optim.py, and what torch made of them.
#pragma once
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tests/transforms/check.h"

namespace jot::test {

inline Tensor sequence(int64_t n, const Shape& shape, const std::function<double(int64_t)>& f) {
  std::vector<double> x(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) x[static_cast<size_t>(i)] = f(i);
  return Tensor::from(x, shape);
}
inline Tensor inputs() {
  return sequence(15, {5, 3}, [](int64_t i) { return std::sin(0.7 * static_cast<double>(i)); });
}
inline Tensor targets() {
  return sequence(10, {5, 2}, [](int64_t i) { return std::cos(0.3 * static_cast<double>(i)); });
}
inline TensorDict parameters() {
  return {{"b", sequence(2, {2}, [](int64_t i) { return 0.1 * static_cast<double>(i); })},
          {"w", sequence(6, {3, 2}, [](int64_t i) { return std::sin(static_cast<double>(i) + 1); })}};
}
inline auto loss() {
  return [x = inputs(), y = targets()](const TensorDict& p) {
    return mean(square(tanh(matmul(x, p.at("w")) + p.at("b")) - y));
  };
}
inline auto convex_loss() {
  return [x = inputs(), y = targets()](const TensorDict& p) {
    return mean(square(matmul(x, p.at("w")) + p.at("b") - y)) + 0.1 * sum(pow(p.at("w"), 4));
  };
}
// The elements of all, appended.
inline void append(std::vector<double>& to, const TensorDict& tensors) {
  for (const auto& [name, t] : tensors)
    for (double x : t.to_vector<double>()) to.push_back(x);
}

using Numbers = std::vector<double>;

// Each case of torch's whose name begins with one of the table is in it, and has these numbers; how many there are.
inline size_t check_golden(const std::map<std::string, std::function<Numbers()>>& table, double tolerance) {
  std::ifstream file(OPTIM_GOLDEN);
  REQUIRE(file.good());
  size_t found = 0;
  for (std::string line; std::getline(file, line);) {
    const std::string name = line.substr(0, line.find(':'));
    if (!table.contains(name)) continue;
    ++found;
    CAPTURE(name);
    std::istringstream in(line.substr(name.size() + 1));
    Numbers want;
    for (double x; in >> x;) want.push_back(x);
    const Numbers got = table.at(name)();
    REQUIRE(got.size() == want.size());
    for (size_t i = 0; i < want.size(); ++i) {
      CAPTURE(i);
      CHECK(std::abs(got[i] - want[i]) <= tolerance * std::max(1.0, std::abs(want[i])));
    }
  }
  CHECK(found == table.size());
  return found;
}

}  // namespace jot::test
