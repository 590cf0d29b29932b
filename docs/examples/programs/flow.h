// A normalizing flow (Dinh et al. 2017): layers that scale and shift one coordinate by what the other says are
// invertible, and the logarithm of their determinant is the sum of the scales.
#pragma once
#include <jot/jot.h>

#include <cmath>
#include <numbers>
#include <vector>

#include "ensemble.h"

namespace programs {

using namespace jot;
using Flow = std::vector<TensorDict>;  // the parameters of each layer's network, 1 -> 2

// The place [2] that a sample [2] comes from, and log |det| of the jacobian.
inline std::pair<Tensor, Tensor> inverted(const Mlp& net, const Flow& flow, const Tensor& sample) {
  Tensor kept = sample.slice(0, 0, 1), moved = sample.slice(0, 1, 2), log_det = zeros_like(sample[0]);
  for (const TensorDict& layer : flow) {
    Tensor out = functional_call(net, layer, kept), scale = 2 * tanh(out.slice(0, 0, 1));
    std::tie(kept, moved) = std::tuple{moved * exp(scale) + out.slice(0, 1, 2), kept};
    log_det = log_det + scale[0];
  }
  return {cat({kept, moved}), log_det};
}

// Of any invertible function of a vector.
template <class F>
Tensor log_abs_det(const F& f, const Tensor& x) {
  return linalg::slogdet(jacfwd(f)(x)).logabsdet;
}

inline Tensor log_density(const Mlp& net, const Flow& flow, const Tensor& sample) {
  auto [place, log_det] = inverted(net, flow, sample);
  return log_det - 0.5 * sum(square(place)) - std::log(2 * std::numbers::pi);
}

// The mean over samples [samples, 2].
inline Tensor negative_log_likelihood(const Mlp& net, const Flow& flow, const Tensor& samples) {
  return -mean(vmap([&](const Tensor& sample) { return log_density(net, flow, sample); })(samples));
}

}  // namespace programs
