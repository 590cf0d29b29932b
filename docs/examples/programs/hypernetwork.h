// A hypernetwork (Ha, Dai, Le 2016): one network makes the parameters of another from a description of its task.
#pragma once
#include <jot/jot.h>

#include "ensemble.h"

namespace programs {
using namespace jot;

// The parameters of `target`, cut from a vector of as many numbers.
inline TensorDict cut(const nn::Module& target, const Tensor& numbers) {
  TensorDict params = target.named_parameters();
  int64_t start = 0;
  for (auto& [name, p] : params) {
    const Shape shape = p.shape();
    p = numbers.slice(0, start, start + shape.numel()).reshape(shape);
    start += shape.numel();
  }
  return params;
}

inline int64_t count(const nn::Module& module) {
  int64_t n = 0;
  for (const auto& [name, p] : module.named_parameters()) n += p.numel();
  return n;
}

// The target at points x [points, in], with the parameters made from a description [k].
inline Tensor described(const Mlp& hyper, const TensorDict& params, const Mlp& target, const Tensor& description,
                        const Tensor& x) {
  return functional_call(target, cut(target, functional_call(hyper, params, description)), x);
}

// The mean squared error over all descriptions [tasks, k], with targets y [tasks, points, out].
inline Tensor hyper_loss(const Mlp& hyper, const TensorDict& params, const Mlp& target, const Tensor& descriptions,
                         const Tensor& x, const Tensor& y) {
  auto one = [&](const Tensor& description, const Tensor& wanted) {
    return mean(square(described(hyper, params, target, description, x) - wanted));
  };
  return mean(vmap(one)(descriptions, y));
}

}  // namespace programs
