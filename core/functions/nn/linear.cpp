// Products with weights.
#include "core/functions/operands.h"
#include "jot/nn_functional.h"

namespace jot::nn::functional {

using namespace detail;

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, Location at) {
  Scope scope("linear", at);
  int64_t rank = static_cast<int64_t>(impl_of(x, "linear", at).shape.size());
  impl_of(weight, "linear", at);
  if (rank == 0 || weight.dim() != 2 || x.size(-1) != weight.size(1))
    throw ShapeError("[linear] the last dim of the input must be the weight's " +
                     (weight.dim() == 2 ? std::to_string(weight.size(1)) : "in-features, of a matrix") + ": input " +
                     to_string(x.shape()) + ", weight " + to_string(weight.shape()) + jot::at(at));
  if (x.dtype() != weight.dtype())
    throw DTypeError("[linear] expected the input to have the weight's dtype " +
                     std::string(to_string(weight.dtype())) + ", got " + std::string(to_string(x.dtype())) +
                     "; convert with to()" + jot::at(at));
  std::vector<int64_t> of_x = {rank - 1}, of_weight = {1}, none;
  Tensor product = record(ir::Op::dot_op, {x, weight}, ir::Attrs(of_x, of_weight, none, none), at);
  return bias.defined() ? product + Arg(bias, at) : product;
}

}  // namespace jot::nn::functional
