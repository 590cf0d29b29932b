// Draws in place.
#include <cmath>
#include <numbers>

#include "core/functions/bits.h"
#include "core/functions/demands.h"
#include "core/functions/expr.h"
#include "core/record/force.h"

namespace jot {

using namespace detail;
using ir::Op;
using ir::Value;

namespace {

// Draws like x: in its shape and dtype, computed in floats.
class Drawn {
 public:
  Drawn(Emitter& e, const Tensor& x) : e_(e), bits_{e}, shape_(shape_of(x)), dtype_(x.impl()->dtype()) {
    within_ = is_floating(dtype_) ? computing_type(dtype_) : DType::f64;
  }
  // Floats alone.
  Drawn& continuous() {
    if (!is_floating(dtype_))
      e_.fail<DTypeError>("a continuous distribution: expected a floating dtype, got " +
                          std::string(to_string(dtype_)));
    return *this;
  }
  Expr uniform() { return {e_, uniform_bits(bits_, shape_, within_)}; }
  Expr positive() { return {e_, above_zero(bits_, shape_, within_)}; }
  Expr normal() { return {e_, normal_bits(bits_, shape_, within_)}; }
  Value result(const Expr& v) const {
    const bool by_integers = dtype_ == DType::u8;
    return (by_integers ? v.to(DType::i64) : v).to(dtype_);
  }
  const Shape& shape() const { return shape_; }
  DType within() const { return within_; }

 private:
  Emitter& e_;
  Bits bits_;
  Shape shape_;
  DType dtype_, within_;
};

std::string number(double x) {
  std::string text = std::to_string(x);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

Value integers(Emitter& e, const Tensor& x, int64_t low, int64_t high) {
  Expr v(e, integer_bits(e, shape_of(x), low, high));
  return v.to(x.impl()->dtype());
}

}  // namespace

namespace compose {

Value uniform(Emitter& e, const Tensor& x, double from, double to) {
  if (!(from <= to))
    e.fail<Error>("expects to return a [from, to) range, but found from=" + number(from) + " > to=" + number(to));
  Drawn d(e, x);
  return d.result(d.continuous().uniform() * (to - from) + from);
}
Value normal(Emitter& e, const Tensor& x, double mean, double std) {
  if (!(std >= 0)) e.fail<Error>("expects std >= 0.0, but found std " + number(std));
  Drawn d(e, x);
  return d.result(d.continuous().normal() * std + mean);
}
Value log_normal(Emitter& e, const Tensor& x, double mean, double std) {
  if (!(std > 0)) e.fail<Error>("expects std > 0.0, but found std=" + number(std));
  Drawn d(e, x);
  return d.result(f(Op::exp_op, d.continuous().normal() * std + mean));
}
Value exponential(Emitter& e, const Tensor& x, double lambda) {
  if (!(lambda > 0)) e.fail<Error>("expects lambda > 0.0, but found lambda=" + number(lambda));
  Drawn d(e, x);
  return d.result(f(Op::log_op, d.continuous().positive()) * (-1 / lambda));
}
Value cauchy(Emitter& e, const Tensor& x, double median, double sigma) {
  if (!(sigma > 0)) e.fail<Error>("expects sigma > 0.0, but found sigma=" + number(sigma));
  Drawn d(e, x);
  return d.result(f(Op::tan_op, (d.continuous().uniform() - 0.5) * std::numbers::pi) * sigma + median);
}
Value geometric(Emitter& e, const Tensor& x, double p) {
  if (!(p > 0 && p < 1)) e.fail<Error>("expects p to be in (0, 1), but got p=" + number(p));
  Drawn d(e, x);
  Expr trials = f(Op::ceil_op, f(Op::log_op, d.positive()) * (1 / std::log1p(-p)));
  return d.result(where(trials < 1, 1, trials));
}
Value bernoulli(Emitter& e, const Tensor& x, double p) {
  if (!(p >= 0 && p <= 1)) e.fail<Error>("expects p to be in [0, 1], but got p=" + number(p));
  Drawn d(e, x);
  Expr u = d.uniform();
  return d.result(where(u < p, u.like(1), u.like(0)));
}
Value bernoulli(Emitter& e, const Tensor& x, const Tensor& p) {
  if (!is_floating(p.impl()->dtype())) e.fail<DTypeError>("expected floating probabilities, got " + type_name(p));
  if (!broadcasts_to(shape_of(p), shape_of(x)))
    e.fail<ShapeError>("probabilities of shape " + to_string(shape_of(p)) + " cannot be broadcast to " +
                       to_string(shape_of(x)));
  check_drawn_alike("bernoulli_", {&p}, e.at());
  const Tensor known = demanded("bernoulli_", p, {0, 1}, "expected probabilities from 0 to 1, got {}", e.at());
  Drawn d(e, x);
  Expr u = d.uniform(), limit(e, operand(e, known, d.within(), d.shape()));
  return d.result(where(u < limit, u.like(1), u.like(0)));
}

// A remainder of 63 bits reaches every number of i64 that is not negative but the greatest.
Value random(Emitter& e, const Tensor& x) {
  const int64_t most = integer_range(x.impl()->dtype()).second;
  return integers(e, x, 0, most == std::numeric_limits<int64_t>::max() ? most : most + 1);
}
Value random(Emitter& e, const Tensor& x, int64_t from, int64_t to) {
  if (from >= to)
    e.fail<IndexError>("expects 'from' to be less than 'to', but got from=" + std::to_string(from) +
                       " >= to=" + std::to_string(to));
  const DType dtype = x.impl()->dtype();
  if (auto [least, most] = integer_range(dtype); !is_floating(dtype) && (from < least || to - 1 > most))
    e.fail<IndexError>((from < least ? "from is out of bounds for " : "to - 1 is out of bounds for ") +
                       std::string(to_string(dtype)));
  return integers(e, x, from, to);
}
Value random(Emitter& e, const Tensor& x, int64_t to) { return random(e, x, 0, to); }

}  // namespace compose

}  // namespace jot
