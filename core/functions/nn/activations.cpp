// Activations. What where() does not choose is computed of a value that is harmless, so that derivatives of any order
// are finite.
#include <cmath>
#include <numbers>

#include "core/functions/expr.h"
#include "core/record/scope.h"
#include "jot/creation.h"
#include "jot/nn_functional.h"
#include "jot/random.h"

namespace jot {

using namespace detail;
namespace build = ir::build;
using ir::Op;
using ir::Value;

namespace {

// x for x > 0, else outer (e^(inner x) - 1).
Expr exponential_below(const Expr& x, double above, double outer, double inner) {
  Expr right = x > 0;
  return where(right, x * above, f(Op::expm1_op, where(right, 0, x) * inner) * outer);
}

// At least low, at most high; constant at both.
Expr within(const Expr& x, double low, double high) { return where(x <= low, low, where(x >= high, high, x)); }

// log(1 + e^x), exact in the left tail and without overflow in the right one.
Expr log_of_one_and_exp(const Expr& x) {
  Expr right = x > 0;
  return where(right, x, 0) + f(Op::log1p_op, f(Op::exp_op, where(right, -x, x)));
}

}  // namespace

namespace compose::nn::functional {

Value hardtanh(Emitter& e, const Tensor& x, double min, double max) {
  if (!(min <= max)) e.fail<Error>("min_val cannot be greater than max_val");
  Operands o(e, Domain::numeric, x);
  return o.result(within(o(x), min, max));
}
Value relu6(Emitter& e, const Tensor& x) { return hardtanh(e, x, 0, 6); }

Value elu(Emitter& e, const Tensor& x, double alpha) {
  Operands o(e, Domain::floating, x);
  return o.result(exponential_below(o(x), 1, alpha, 1));
}
Value selu(Emitter& e, const Tensor& x) {
  constexpr double alpha = 1.6732632423543772848170429916717, scale = 1.0507009873554804934193349852946;
  Operands o(e, Domain::floating, x);
  return o.result(exponential_below(o(x), scale, scale * alpha, 1));
}
Value celu(Emitter& e, const Tensor& x, double alpha) {
  if (alpha == 0) e.fail<Error>("alpha cannot be 0");
  Operands o(e, Domain::floating, x);
  return o.result(exponential_below(o(x), 1, alpha, 1 / alpha));
}

// The approximation is x sigmoid(2 u), of which nothing is left to see beyond |x| = 32.
Value gelu(Emitter& e, const Tensor& x, Gelu approximate) {
  Operands o(e, Domain::floating, x);
  Expr v = o(x);
  if (approximate == Gelu::none) return o.result(v * f(Op::erfc_op, v * (-std::numbers::sqrt2 / 2)) * 0.5);
  Expr near = within(v, -32, 32), u = (near + near * near * near * 0.044715) * (2 * std::sqrt(2 / std::numbers::pi));
  return o.result(v * f(Op::logistic_op, u));
}

Value silu(Emitter& e, const Tensor& x) {
  Operands o(e, Domain::floating, x);
  Expr v = o(x);
  return o.result(v * f(Op::logistic_op, v));
}

// tanh(log(1 + w)) = (w^2 + 2 w) / (w^2 + 2 w + 2) with w = e^x; to the right of 0, of w = e^-x, one less what is
// small.
Value mish(Emitter& e, const Tensor& x) {
  Operands o(e, Domain::floating, x);
  Expr v = o(x), left = v < 0, w = f(Op::exp_op, where(left, v, -v));
  Expr top = where(left, w * (w + 2), w * w * -2), ratio = top / where(left, top + 2, w * 2 - top + 1);
  return o.result(v * where(left, ratio, ratio + 1));
}

Value softplus(Emitter& e, const Tensor& x, double beta, double threshold) {
  if (beta == 0) e.fail<Error>("beta cannot be 0");
  Operands o(e, Domain::floating, x);
  Expr v = o(x), linear = v * beta > threshold;
  return o.result(where(linear, v, log_of_one_and_exp(where(linear, 0, v) * beta) / beta));
}
Value logsigmoid(Emitter& e, const Tensor& x) {
  Operands o(e, Domain::floating, x);
  return o.result(-log_of_one_and_exp(-o(x)));
}

// Far from 0 as 1 - 1 / (1 + |x|), whose derivative does not cancel; NaN at infinities, as in torch.
Value softsign(Emitter& e, const Tensor& x) {
  Operands o(e, Domain::floating, x);
  Expr v = o(x), size = f(Op::abs_op, v), far = (size >= 1) & (size < kInfinity);
  Expr inside = where(far, 0, v), outside = where(far, v, 1);
  Expr below = f(Op::sign_op, outside) * (1 - 1 / (f(Op::abs_op, outside) + 1));
  return o.result(where(far, below, inside / (f(Op::abs_op, inside) + 1)));
}

Value softshrink(Emitter& e, const Tensor& x, double lambda) {
  if (!(lambda >= 0)) e.fail<Error>("lambda must be greater or equal to 0, but found to be " + std::to_string(lambda));
  Operands o(e, Domain::floating, x);
  Expr v = o(x), inside = f(Op::abs_op, v) <= lambda;
  return o.result(where(inside, 0, where(v > 0, v - lambda, v + lambda)));
}
Value hardshrink(Emitter& e, const Tensor& x, double lambda) {
  Operands o(e, Domain::floating, x);
  Expr v = o(x);
  return o.result(where((v >= -lambda) & (v <= lambda), 0, v));
}
Value tanhshrink(Emitter& e, const Tensor& x) {
  Operands o(e, Domain::floating, x);
  Expr v = o(x);
  return o.result(v - f(Op::tanh_op, v));
}

Value hardsigmoid(Emitter& e, const Tensor& x) {
  Operands o(e, Domain::floating, x);
  Expr v = o(x);
  return o.result(where(v <= -3, 0, where(v >= 3, 1, (v + 3) / 6)));
}
Value hardswish(Emitter& e, const Tensor& x) {
  Operands o(e, Domain::floating, x);
  Expr v = o(x), low = v <= -3, high = v >= 3, m = where(low | high, 0, v);
  return o.result(where(low, v * 0, where(high, v, m * (m + 3) / 6)));
}

Value leaky_relu(Emitter& e, const Tensor& x, double slope) {
  Operands o(e, Domain::floating, x);
  Expr v = o(x);
  return o.result(where(v > 0, v, v * slope));
}

Value prelu(Emitter& e, const Tensor& x, const Tensor& weight) {
  const Shape &shape = shape_of(x), &given = shape_of(weight);
  if (given.size() > 1)
    e.fail<ShapeError>("Expected `weight` to be a scalar or 1D tensor, but got " + type_name(weight));
  const int64_t channels = shape.size() < 2 ? 1 : shape[1], n = given.numel();
  if (n != 1 && n != channels)
    e.fail<ShapeError>("Mismatch of parameter numbers and input channel size. Found parameter numbers = " +
                       std::to_string(n) + " and channel size = " + std::to_string(channels));
  const Arg a(x), b(weight);
  const DType dtype = floating(promoted({&a, &b})), within = computing_type(dtype);
  Expr v(e, operand(e, a, within, shape));
  Value w = operand(e, weight, within);
  if (n == 1)
    w = build::broadcast_scalar(e.b, build::reshape(e.b, w, {}), shape);
  else
    w = build::broadcast(e.b, w, shape, std::vector<int64_t>{1});
  return where(v > 0, v, v * Expr(e, w)).to(dtype);
}

Value threshold(Emitter& e, const Tensor& x, double threshold, double value) {
  Operands o(e, Domain::numeric, x);
  Expr v = o(x);
  return o.result(where(v <= threshold, value, v));
}

Value glu(Emitter& e, const Tensor& x, int64_t dim) {
  const Shape& shape = shape_of(x);
  if (shape.empty()) e.fail<ShapeError>("glu does not support 0-dimensional tensors");
  const auto d = static_cast<int64_t>(wrap_dim(e, dim, shape.size()));
  const int64_t n = shape[static_cast<size_t>(d)];
  if (n % 2)
    e.fail<ShapeError>("Halving dimension must be even, but dimension " + std::to_string(d) + " is size " +
                       std::to_string(n));
  Operands o(e, Domain::floating, x);
  Expr v = o(x), a(e, build::slice_axis(e.b, v, d, 0, n / 2)), b(e, build::slice_axis(e.b, v, d, n / 2, n));
  return o.result(a * f(Op::logistic_op, b));
}

}  // namespace compose::nn::functional

namespace nn::functional {

Tensor rrelu(const Tensor& x, const RreluOptions& options, Location at) {
  Composite call("rrelu", at);
  const TensorImpl& own = impl_of(x, "rrelu", at);
  const double low = options.lower, high = options.upper;
  if (!(low <= high)) fail<Error>("rrelu", "Lower bound should be less than or equal to the upper bound", at);
  if (!options.training) return leaky_relu(x, (low + high) / 2, at);
  return where(x > 0, x, x * (rand(own.shape, floating(own.dtype()), at) * (high - low) + low));
}

Tensor gumbel_softmax(const Tensor& x, const GumbelSoftmaxOptions& options, Location at) {
  Composite call("gumbel_softmax", at);
  const TensorImpl& own = impl_of(x, "gumbel_softmax", at);
  if (!is_floating(own.dtype()))
    fail<DTypeError>("gumbel_softmax", "expected a floating dtype, got " + type_name(x) + ": convert with to(f32)", at);
  const DType wide = computing_type(own.dtype());
  Tensor uniform = 1 - rand(own.shape, wide, at);  // (0, 1]
  Tensor noise = -log(-log(uniform * (1 - 0x1p-24)));
  Tensor soft = softmax(((x.to(wide, at) + noise) / options.tau).to(own.dtype(), at), options.dim, at);
  if (!options.hard) return soft;
  Tensor place = argmax(soft, options.dim, true, at);
  const size_t d = wrap_dim("gumbel_softmax", options.dim, own.shape.size(), at);
  if (own.shape.empty()) return soft;
  Shape along(std::vector<int64_t>(own.shape.size(), 1));
  along[d] = own.shape[d];
  Tensor chosen = (arange(own.shape[d]).reshape(along, at) == place).to(own.dtype(), at);
  return chosen + (soft - soft.detach(at));
}

}  // namespace nn::functional

}  // namespace jot
