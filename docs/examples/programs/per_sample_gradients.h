// The gradient of differential privacy (Abadi et al. 2016): of each sample on its own, clipped, so that no sample moves
// the parameters by more than a bound.
#pragma once
#include <jot/jot.h>

namespace programs {
using namespace jot;
namespace F = nn::functional;

// Classes [10] of an image [1, 28, 28].
struct ConvNet : nn::Module {
  nn::Conv2d conv1 = register_module("conv1", nn::Conv2d(1, 32, 3));
  nn::Conv2d conv2 = register_module("conv2", nn::Conv2d(32, 64, 3));
  nn::Linear fc1 = register_module("fc1", nn::Linear(9216, 128));
  nn::Linear fc2 = register_module("fc2", nn::Linear(128, 10));
  Tensor forward(const Tensor& image) const override {
    Tensor x = F::max_pool2d(relu(conv2(relu(conv1(image)))), 2);
    return fc2(relu(fc1(x.flatten())));
  }
};

// The sum over the samples of their gradients, each times min(1, bound / its norm over all parameters).
inline TensorDict clipped_gradient(const ConvNet& model, const TensorDict& params, const Tensor& images,
                                   const Tensor& labels, double bound) {
  auto loss = [&](const TensorDict& p, const Tensor& image, const Tensor& label) {
    return F::cross_entropy(functional_call(model, p, image), label);
  };
  auto clipped = [&](const TensorDict& p, const Tensor& image, const Tensor& label) {
    return optim::clip_grad_norm(grad(loss)(p, image, label), bound).first;
  };
  TensorDict each = vmap(clipped, {.in_dims = {none, 0, 0}})(params, images, labels);  // [samples, ...]
  for (auto& [name, g] : each) g = sum(g, {0});
  return each;
}

}  // namespace programs
