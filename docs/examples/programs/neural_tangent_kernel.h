// The neural tangent kernel (Jacot et al. 2018) of a network: J(x) J(x')^T for each pair of samples, where J is the
// jacobian by all parameters. Two ways: contract the jacobians, or never make them.
#pragma once
#include <jot/jot.h>

namespace programs {
using namespace jot;

// Classes [10] of an image [3, 32, 32].
struct KernelNet : nn::Module {
  nn::Conv2d conv1 = register_module("conv1", nn::Conv2d(3, 32, 3));
  nn::Conv2d conv2 = register_module("conv2", nn::Conv2d(32, 32, 3));
  nn::Conv2d conv3 = register_module("conv3", nn::Conv2d(32, 32, 3));
  nn::Linear fc = register_module("fc", nn::Linear(21632, 10));
  Tensor forward(const Tensor& image) const override {
    return fc(relu(conv3(relu(conv2(relu(conv1(image)))))).flatten());
  }
};

// Of x1 [n, ...] and x2 [m, ...]: [n, m, out, out]. f(params, x) is [out].
template <class F>
Tensor kernel_by_jacobians(const F& f, const TensorDict& params, const Tensor& x1, const Tensor& x2) {
  auto jacobians = vmap(jacrev(f), {.in_dims = {none, 0}});
  TensorDict j1 = jacobians(params, x1), j2 = jacobians(params, x2);  // [n, out, ...], [m, out, ...]
  Tensor kernel;
  for (const auto& [name, j] : j1) {
    Tensor part = einsum("naf,mbf->nmab", {j.flatten(2), j2.at(name).flatten(2)});
    kernel = kernel.defined() ? kernel + part : part;
  }
  return kernel;
}

// The same, column by column: each is the image under J(x1) of the image under J(x2)^T of a unit vector.
template <class F>
Tensor kernel_by_products(const F& f, const TensorDict& params, const Tensor& x1, const Tensor& x2) {
  auto of_pair = [&](const Tensor& a, const Tensor& b) {
    auto at_a = [&](const TensorDict& p) { return f(p, a); };
    auto [out, pullback] = vjp([&](const TensorDict& p) { return f(p, b); }, params);
    auto column = [&, &pull = pullback](const Tensor& unit) {
      auto [tangent_of] = pull(unit);
      return jvp(at_a, primals(params), tangents(tangent_of)).second;
    };
    return vmap(column, {.out_dims = 1})(eye(out.size(0), out.dtype()));
  };
  auto with_all = vmap(of_pair, {.in_dims = {none, 0}});
  return vmap(with_all, {.in_dims = {0, none}})(x1, x2);
}

}  // namespace programs
