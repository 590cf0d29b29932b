// Losses of a prediction and a target, element by element.
#include <cmath>
#include <numbers>

#include "core/functions/demands.h"
#include "core/functions/nn/wide.h"

namespace jot::nn::functional {

using namespace detail;

namespace {

void check_same_shape(const Wide& w, const Tensor& x, const Tensor& y) {
  if (shape_of(x) != shape_of(y))
    w.fail<ShapeError>("Target size (" + to_string(shape_of(y)) + ") must be the same as input size (" +
                       to_string(shape_of(x)) + ")");
}

// `small` where |d| < bound, of it, else `large` of |d|; each of a difference that is its own.
template <class Small, class Large>
Tensor piecewise(const Tensor& d, double bound, Small small, Large large) {
  Tensor inside = abs(d) < bound;
  return where(inside, small(where(inside, d, 0)), large(abs(where(inside, bound, d))));
}

Tensor positive_part(const Tensor& x) { return clamp_min(x, 0); }

}  // namespace

Tensor mse_loss(const Tensor& x, const Tensor& y, Reduction reduction, Location at) {
  Wide w("mse_loss", at, {&x, &y});
  return w.reduced(square(w(x) - w(y)), reduction);
}

Tensor l1_loss(const Tensor& x, const Tensor& y, Reduction reduction, Location at) {
  Wide w("l1_loss", at, {&x, &y});
  return w.reduced(abs(w(x) - w(y)), reduction);
}

Tensor smooth_l1_loss(const Tensor& x, const Tensor& y, const SmoothL1LossOptions& options, Location at) {
  Wide w("smooth_l1_loss", at, {&x, &y});
  const double beta = options.beta;
  if (!(beta >= 0)) w.fail<Error>("smooth_l1_loss does not support negative values for beta");
  if (beta == 0) return w.reduced(abs(w(x) - w(y)), options.reduction);
  auto quadratic = [&](const Tensor& d) { return d * d * 0.5 / beta; };
  auto linear = [&](const Tensor& size) { return size - 0.5 * beta; };
  return w.reduced(piecewise(w(x) - w(y), beta, quadratic, linear), options.reduction);
}

Tensor huber_loss(const Tensor& x, const Tensor& y, const HuberLossOptions& options, Location at) {
  Wide w("huber_loss", at, {&x, &y});
  const double delta = options.delta;
  if (!(delta > 0)) w.fail<Error>("huber_loss does not support non-positive values for delta");
  auto quadratic = [&](const Tensor& d) { return d * d * 0.5; };
  auto linear = [&](const Tensor& size) { return (size - 0.5 * delta) * delta; };
  return w.reduced(piecewise(w(x) - w(y), delta, quadratic, linear), options.reduction);
}

// Where a logarithm would be below -100 it is that of a number with no derivative.
Tensor binary_cross_entropy(const Tensor& x, const Tensor& y, const BinaryCrossEntropyOptions& options, Location at) {
  Wide w("binary_cross_entropy", at, {&x, &y});
  check_same_shape(w, x, y);
  Tensor p = demanded(w.op(), w(x), {0, 1}, "expected predictions from 0 to 1, got {}", at), fixed = p.detach();
  Tensor t = demanded(w.op(), w(y), {0, 1}, "expected targets from 0 to 1, got {}", at);
  // Where p (1 - p) is below 1e-12 the slope is (p - t) / 1e-12, as torch's; the logarithm of a small p is that of
  // 2^64 p, whose slope is finite.
  constexpr double kLeast = 1e-12, kLift = 0x1p64;
  Tensor sure = fixed * (1 - fixed) < kLeast, small = fixed < kLeast, inside = where(sure, fixed, p);
  Tensor zero = fixed <= std::exp(-100.0), one = fixed == 1;
  Tensor lifted = log(where(zero, 1.0, where(small, fixed * kLift, inside)));
  Tensor of_p = where(small, lifted - std::log(kLift), lifted);
  Tensor loss = (t - 1) * where(one, -100.0, log1p(-where(one, 0.0, inside))) - t * where(zero, -100.0, of_p);
  loss = loss + where(sure, (p - fixed) * ((fixed - t) / kLeast), 0.0);
  if (options.weight.defined()) loss = loss * w(options.weight);
  return w.reduced(loss, options.reduction);
}

Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& y,
                                        const BinaryCrossEntropyWithLogitsOptions& options, Location at) {
  Wide w("binary_cross_entropy_with_logits", at, {&x, &y});
  check_same_shape(w, x, y);
  Tensor v = w(x), t = w(y), of_one = -logsigmoid(v) * t;
  if (options.pos_weight.defined()) of_one = of_one * w(options.pos_weight);
  Tensor loss = of_one - logsigmoid(-v) * (1 - t);
  if (options.weight.defined()) loss = loss * w(options.weight);
  return w.reduced(loss, options.reduction);
}

Tensor kl_div(const Tensor& x, const Tensor& y, const KlDivOptions& options, Location at) {
  Wide w("kl_div", at, {&x, &y});
  Tensor v = w(x), t = w(y);
  Tensor loss = options.log_target ? exp(t) * (t - v) : xlogy(t, t) - t * v;
  if (options.reduction != Reduction::batchmean) return w.reduced(loss, options.reduction);
  Tensor total = sum(loss, {}, false, at);
  return w.result(shape_of(x).empty() ? total : total / static_cast<double>(shape_of(x)[0]));
}

Tensor poisson_nll_loss(const Tensor& x, const Tensor& y, const PoissonNllLossOptions& options, Location at) {
  Wide w("poisson_nll_loss", at, {&x, &y});
  Tensor v = w(x), t = w(y);
  Tensor loss = options.log_input ? exp(v) - t * v : v - t * log(v + options.eps);
  if (options.full) {
    Tensor large = t > 1, s = where(large, t, 1.0);
    loss = loss + where(large, s * log(s) - s + 0.5 * log(s * (2 * std::numbers::pi)), 0.0);
  }
  return w.reduced(loss, options.reduction);
}

Tensor gaussian_nll_loss(const Tensor& x, const Tensor& y, const Tensor& var, const GaussianNllLossOptions& options,
                         Location at) {
  Wide w("gaussian_nll_loss", at, {&x, &y, &var});
  Shape wanted = shape_of(x), given = shape_of(var);
  Tensor variance = w(var);
  variance = demanded(w.op(), variance, logical_not(variance < 0), variance,
                      "expected variances that are not negative, got {}", at);  // NaN stays
  if (!wanted.empty() && given.size() + 1 == wanted.size()) {
    variance = variance.unsqueeze(-1, at);
    given = shape_of(variance);
  }
  if (!wanted.empty() && given != wanted) wanted[wanted.size() - 1] = 1;
  if (given != wanted)
    w.fail<ShapeError>("var is of incorrect size: expected the shape of the input " + to_string(shape_of(x)) +
                       ", with or without its last dim, got " + to_string(shape_of(var)));
  variance = w.at_least(variance, options.eps);
  Tensor loss = 0.5 * (log(variance) + square(w(x) - w(y)) / variance);
  if (options.full) loss = loss + 0.5 * std::log(2 * std::numbers::pi);
  return w.reduced(loss, options.reduction);
}

Tensor hinge_embedding_loss(const Tensor& x, const Tensor& y, double margin, Reduction reduction, Location at) {
  Wide w("hinge_embedding_loss", at, {&x, &y});
  Tensor v = w(x), apart = where(y != 1, positive_part(margin - v), 0.0);
  return w.reduced(apart + where(y != -1, v, 0.0), reduction);
}

Tensor margin_ranking_loss(const Tensor& a, const Tensor& b, const Tensor& y, double margin, Reduction reduction,
                           Location at) {
  Wide w("margin_ranking_loss", at, {&a, &b, &y});
  const size_t rank = shape_of(a).size();
  if (shape_of(b).size() != rank || shape_of(y).size() != rank)
    w.fail<ShapeError>("All input tensors should have same dimension but got sizes: input1: " + to_string(shape_of(a)) +
                       ", input2: " + to_string(shape_of(b)) + ", target: " + to_string(shape_of(y)));
  return w.reduced(positive_part(-w(y) * (w(a) - w(b)) + margin), reduction);
}

Tensor soft_margin_loss(const Tensor& x, const Tensor& y, Reduction reduction, Location at) {
  Wide w("soft_margin_loss", at, {&x, &y});
  return w.reduced(-logsigmoid(w(x) * w(y)), reduction);
}

Tensor multilabel_soft_margin_loss(const Tensor& x, const Tensor& y, const Tensor& weight, Reduction reduction,
                                   Location at) {
  Wide w("multilabel_soft_margin_loss", at, {&x, &y});
  if (shape_of(x).empty()) w.fail<ShapeError>("expected classes along the last dim, got " + type_name(x));
  Tensor v = w(x), t = w(y), loss = -(t * logsigmoid(v) + (1 - t) * logsigmoid(-v));
  if (weight.defined()) loss = loss * w(weight);
  return w.reduced(mean(loss, -1, false, at), reduction);
}
Tensor multilabel_soft_margin_loss(const Tensor& x, const Tensor& y, Reduction reduction, Location at) {
  return multilabel_soft_margin_loss(x, y, Tensor(), reduction, at);
}

}  // namespace jot::nn::functional
