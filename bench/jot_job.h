// How jot's workloads are made: their inputs, and a function with its arguments as a contender.
#pragma once
#include <jot/jot.h>

#include "contender.h"

namespace bench {

inline jot::Tensor uniform_tensor(uint64_t seed, const jot::Shape& shape, jot::DType dtype = jot::f32,
                                  double scale = 0.2) {
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = scale * uniform(seed, i);
  return jot::Tensor::from(values, shape).to(dtype).eval();
}

// The leaves of a result, in order.
template <class T>
std::vector<std::vector<double>> arrays(const T& tree) {
  std::vector<std::vector<double>> out;
  for (const jot::Tensor& leaf : jot::detail::leaves_in(tree)) out.push_back(leaf.to_vector<double>());
  return out;
}

inline Figures figures(const jot::ExecutableStats& s) {
  return {{"kernels", s.kernels},
          {"routines", s.routines},
          {"library_calls", s.library_calls},
          {"code_bytes", s.code_bytes},
          {"arena_bytes", s.arena_bytes}};
}

// f, jitted, on these arguments.
template <class F, class... A>
Job job(F f, A... args) {
  auto result = std::make_shared<std::invoke_result_t<F&, const A&...>>();
  return {[=, g = jot::jit(f)] { *result = g(args...); }, [=] { return arrays(*result); },
          [=] { return figures(jot::compile(f, args...).stats()); }};
}

// jot on this workload.
inline Contender jot_on(std::string workload, std::function<Job(Size)> make) {
  auto warmed = [make = std::move(make)](Size size) {
    // What a process does once is not compilation.
    jot::jit([](const jot::Tensor& x) { return 2 * x; })(jot::ones({3})).eval();
    return make(size);
  };
  return {"jot", std::move(workload), "", warmed};
}

}  // namespace bench
