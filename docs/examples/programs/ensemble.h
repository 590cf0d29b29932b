// An ensemble: models of one class, their parameters stacked, called as one by vmap over functional_call.
#pragma once
#include <jot/jot.h>

#include <vector>

namespace programs {
using namespace jot;

struct Mlp : nn::Module {
  Mlp(int64_t in, int64_t hidden, int64_t out)
      : fc1(register_module("fc1", nn::Linear(in, hidden))),
        fc2(register_module("fc2", nn::Linear(hidden, hidden))),
        fc3(register_module("fc3", nn::Linear(hidden, out))) {}
  Tensor forward(const Tensor& x) const override { return fc3(relu(fc2(relu(fc1(x))))); }
  nn::Linear fc1, fc2, fc3;
};

// What each model predicts for the same batch: [models, batch, out]. Any model of the class will do for `one`, whose
// own parameters are not used.
inline Tensor predictions(const Mlp& one, const TensorDict& stacked, const Tensor& batch) {
  auto call = [&](const TensorDict& params, const Tensor& x) { return functional_call(one, params, x); };
  return vmap(call, {.in_dims = {0, none}})(stacked, batch);
}

}  // namespace programs
