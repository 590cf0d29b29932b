// The two examples of torch.func's reference: the jacobian of a linear layer by its input, and by its parameters.
#include <jot/jot.h>

#include <iostream>

using namespace jot;

int main() {
  // A jacobian of three values by three values.
  auto model = nn::Linear(3, 3);
  auto f = [&](const Tensor& x) { return model(x); };

  Tensor x = randn({3});
  Tensor jacobian = jacrev(f)(x);
  std::cout << "by x: " << to_string(jacobian.shape()) << "\n" << jacobian << "\n\n";

  // By the parameters: functional_call makes them an argument. The result has the structure of the parameters.
  auto g = [&](const TensorDict& params, const Tensor& x) { return functional_call(model, params, x); };
  TensorDict by_params = jacrev(g)(model.named_parameters(), x);
  for (const auto& [name, block] : by_params)
    std::cout << "by " << name << ": " << to_string(block.shape()) << "\n" << block << "\n\n";

  // The jacobian of W x + b by x is W, and by b the identity.
  return equal(jacobian, model.weight) && equal(by_params.at("bias"), eye(3)) ? 0 : 1;
}
