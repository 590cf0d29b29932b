// Generated from core/functions.def and core/nn.def by core/functions.py: change these and run ./dev generate.
// torch.nn.functional.
#pragma once
#include <vector>

#include "jot/ops.h"

namespace jot::nn::functional {

// clang-format off

// ---- Activations: jot::nn::functional
using jot::relu;
using jot::sigmoid;
using jot::tanh;
using jot::softmax;
using jot::log_softmax;
using jot::softmin;
using jot::one_hot;

// ---- Linear functions
// x W^T + b, over the last dim of x. An undefined bias is none.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, Location at = JOT_HERE);
// clang-format on

}  // namespace jot::nn::functional
