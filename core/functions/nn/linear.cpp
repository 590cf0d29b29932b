// Products with weights.
#include "core/functions/nn/wide.h"

namespace jot::nn::functional {

using namespace detail;

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, Location at) {
  Scope scope("linear", at);
  int64_t rank = static_cast<int64_t>(impl_of(x, "linear", at).shape.size());
  impl_of(weight, "linear", at);
  const int64_t rows = weight.dim() - 1;  // one, or none of a vector
  if (rank == 0 || (rows != 1 && rows != 0) || x.size(-1) != weight.size(-1))
    throw ShapeError("[linear] the last dim of the input must be the weight's " +
                     (rows == 1 || rows == 0 ? std::to_string(weight.size(-1)) : "in-features, of a matrix or vector") +
                     ": input " + to_string(x.shape()) + ", weight " + to_string(weight.shape()) + jot::at(at));
  if (x.dtype() != weight.dtype())
    throw DTypeError("[linear] expected the input to have the weight's dtype " +
                     std::string(to_string(weight.dtype())) + ", got " + std::string(to_string(x.dtype())) +
                     "; convert with to()" + jot::at(at));
  std::vector<int64_t> of_x = {rank - 1}, of_weight = {rows}, none;
  Tensor product = record(ir::Op::dot_op, {x, weight}, ir::Attrs(of_x, of_weight, none, none), at);
  return bias.defined() ? product + Arg(bias, at) : product;
}

Tensor bilinear(const Tensor& a, const Tensor& b, const Tensor& weight, const Tensor& bias, Location at) {
  Wide w("bilinear", at, {&a, &b, &weight});
  const Shape x = shape_of(a), y = shape_of(b), k = shape_of(weight);
  if (k.size() != 3) w.fail<ShapeError>("expected a weight [out, n, m], got " + type_name(weight));
  if (x.empty() || x.size() != y.size() || x.slice(0, x.size() - 1) != y.slice(0, y.size() - 1))
    w.fail<ShapeError>("input batch dimensions do not match: got " + type_name(a) + " and " + type_name(b));
  if (x.back() != k[1] || y.back() != k[2])
    w.fail<ShapeError>("input sizes do not match weight size: got " + type_name(a) + " and " + type_name(b) + " for " +
                       type_name(weight));
  if (bias.defined() && shape_of(bias) != Shape{k[0]})
    w.fail<ShapeError>("bias size does not match weight size: got " + type_name(bias) + " but expected [" +
                       std::to_string(k[0]) + "]");
  const int64_t rows = x.slice(0, x.size() - 1).numel();
  Tensor left = w(a).reshape({rows, 1, k[1]}, at), right = w(b).reshape({rows, k[2]}, at);
  Tensor each = matmul(right, w(weight).reshape({k[0] * k[1], k[2]}, at).t(at), at).reshape({rows, k[0], k[1]}, at);
  Tensor r = sum(each * left, -1, false, at);
  if (bias.defined()) r = r + w(bias);
  return w.result(r.reshape(x.slice(0, x.size() - 1) + Shape{k[0]}, at));
}

}  // namespace jot::nn::functional
