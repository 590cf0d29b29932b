// Batch norm makes each sample depend on its batch, and writes running statistics: per-sample gradients want neither.
#pragma once
#include <jot/jot.h>

namespace programs {
using namespace jot;

// Classes [10] of images [n, 3, side, side], with a norm of the 32 channels.
template <class Norm>
struct NormNet : nn::Module {
  NormNet(const Norm& of_channels, int64_t side)
      : norm(register_module("norm", of_channels)),
        fc(register_module("fc", nn::Linear(32 * (side - 2) * (side - 2), 10))) {}
  Tensor forward(const Tensor& images) const override { return fc(relu(norm(conv(images))).flatten(1)); }
  nn::Conv2d conv = register_module("conv", nn::Conv2d(3, 32, 3));
  Norm norm;
  nn::Linear fc;
};

// [samples, ...] for each parameter.
template <class Net>
TensorDict gradients_of_samples(const Net& net, const TensorDict& params, const Tensor& images, const Tensor& labels) {
  auto loss = [&](const TensorDict& p, const Tensor& image, const Tensor& label) {
    return nn::functional::cross_entropy(functional_call(net, p, image.unsqueeze(0)), label.unsqueeze(0));
  };
  return vmap(grad(loss), {.in_dims = {none, 0, 0}})(params, images, labels);
}

}  // namespace programs
