// Functions of four numbers under every stack of two transforms, against the same function written otherwise.
#pragma once
#include <doctest/doctest.h>
#include <jot/jot.h>

#include <functional>
#include <map>
#include <string>

namespace jot::test {

using F = std::function<Tensor(const Tensor&)>;  // of four numbers, to four numbers

inline Tensor weights() { return tensor({0.3, -0.8, 0.5, 1.1}, f64); }

// Every problem twice: as a loop, and as its steps.
struct Problem {
  F loop, steps;
};
using Problems = std::map<std::string, Problem>;

inline const std::map<std::string, std::function<F(F)>>& transforms() {
  static const auto* all = new std::map<std::string, std::function<F(F)>>{
      {"jvp",
       [](F f) -> F { return [f](const Tensor& x) { return std::get<1>(jvp(f, primals(x), tangents(cos(x * 3)))); }; }},
      {"grad",
       [](F f) -> F {
         return [f](const Tensor& x) { return grad([&](const Tensor& y) { return sum(f(y) * weights()); })(x); };
       }},
      {"vmap", [](F f) -> F { return [f](const Tensor& x) {
                                return sum(vmap(f)(stack({x, x * 0.5, x - 0.4})), 0);
                              }; }},
      {"jit", [](F f) -> F { return [f](const Tensor& x) { return jit(f)(x); }; }}};
  return *all;
}

// The largest of all elements, relative to 1 + |b|.
inline double difference_of(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  return max(abs(a - b) / (abs(b) + 1)).item<double>();
}

inline void check_stacks(const Problems& problems) {
  const Tensor x = tensor({0.9, -0.6, 1.3, 0.2}, f64);
  for (const auto& [name, problem] : problems) {
    CAPTURE(name);
    CHECK(difference_of(problem.loop(x), problem.steps(x)) < 1e-12);
    for (const auto& [inner, in] : transforms())
      for (const auto& [outer, out] : transforms()) {
        CAPTURE(inner);
        CAPTURE(outer);
        CHECK(difference_of(out(in(problem.loop))(x), out(in(problem.steps))(x)) < 1e-12);
      }
  }
}

}  // namespace jot::test
