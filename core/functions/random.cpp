#include "jot/random.h"

#include <cmath>
#include <limits>
#include <numbers>

#include "core/functions/bits.h"
#include "core/functions/demands.h"
#include "core/record/force.h"
#include "core/record/thread.h"
#include "jot/creation.h"
#include "jot/ops.h"

namespace jot {

using namespace detail;
namespace build = ir::build;
using ir::Op;
using ir::Value;

namespace {

DType random_dtype(std::string_view op, std::optional<DType> dtype, Location at) {
  DType d = checked_dtype(dtype.value_or(default_dtype()), op, at);
  if (!is_floating(d)) fail<DTypeError>(op, "expected a floating dtype, got " + std::string(to_string(d)), at);
  return d;
}

}  // namespace

namespace detail {

Value Bits::operator()(const Shape& shape, int width) {
  if (key == ir::kNoValue) return e.random_bits(shape, width);
  Value offset = build::constant_int(e.b, DType::i64, {}, drawn);
  drawn += shape.numel();
  return e.b.emit(Op::random_bits_op, {key, offset}, ir::Attrs(shape, static_cast<int64_t>(width)));
}

namespace {

// A draw of as many bits as the dtype's fraction has, as an integer.
Value fraction(Bits& draw, const Shape& shape, DType dtype) {
  Emitter& e = draw.e;
  const int width = dtype == DType::f64 ? 64 : 32;
  Value bits = draw(shape, width);
  Value drop = build::constant_int(e.b, e.b.dtype(bits), shape, width - significand_bits(dtype));
  return build::convert(e.b, build::binary(e.b, Op::shr_op, bits, drop), dtype);
}
double ulp_of(DType dtype) { return std::ldexp(1, -significand_bits(dtype)); }

}  // namespace

Value uniform_bits(Bits& draw, const Shape& shape, DType dtype) {  // [0, 1)
  return build::scale(draw.e.b, fraction(draw, shape, dtype), ulp_of(dtype));
}
Value above_zero(Bits& draw, const Shape& shape, DType dtype) {  // (0, 1]
  Emitter& e = draw.e;
  return build::scale(e.b, build::add(e.b, fraction(draw, shape, dtype), splat(e, dtype, shape, 1)), ulp_of(dtype));
}

// Box and Muller.
Value normal_bits(Bits& draw, const Shape& shape, DType dtype) {
  Emitter& e = draw.e;
  Value u = above_zero(draw, shape, dtype);
  Value radius = build::unary(e.b, Op::sqrt_op, build::scale(e.b, build::unary(e.b, Op::log_op, u), -2));
  Value angle = build::scale(e.b, uniform_bits(draw, shape, dtype), 2 * std::numbers::pi);
  return build::mul(e.b, radius, build::unary(e.b, Op::cos_op, angle));
}

// The remainder of 63 bits; for a range of more, of 64, all of which are less than two ranges.
Value integer_bits(Emitter& e, const Shape& shape, int64_t low, int64_t high) {
  auto number = [&](int64_t x) { return build::constant_int(e.b, DType::i64, shape, x); };
  Value bits = e.random_bits(shape, 64);
  const auto width = static_cast<int64_t>(static_cast<uint64_t>(high) - static_cast<uint64_t>(low));
  if (width < 0) {  // of an i64 it is negative
    Value inside = build::binary(e.b, Op::and_op, build::compare(e.b, bits, number(low), ir::Direction::ge),
                                 build::compare(e.b, bits, number(high), ir::Direction::lt));
    return build::where(e.b, inside, bits, build::sub(e.b, bits, number(width)));
  }
  Value positive = build::binary(e.b, Op::shr_op, bits, number(1)), range = number(width);
  Value rest = build::sub(e.b, positive, build::mul(e.b, build::div(e.b, positive, range), range));
  return build::add(e.b, rest, number(low));
}

std::pair<int64_t, int64_t> integer_range(DType dtype) {
  if (is_floating(dtype)) return {0, int64_t{1} << significand_bits(dtype)};
  if (dtype == DType::boolean) return {0, 1};
  if (dtype == DType::u8) return {0, 255};
  if (dtype == DType::i32) return {std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()};
  return {std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()};
}

}  // namespace detail

void manual_seed(uint64_t seed, Location at) {
  if (!current_trace().lazy()) fail<TraceError>("manual_seed", "not inside a transform: seed before calling it", at);
  current_trace().draws().seed({{static_cast<int64_t>(seed), 0}, 0, true});
}

namespace {

// draw(Bits&, shape, dtype): what computes in that dtype.
template <class Draw>
Tensor drawn(std::string_view op, Draw draw, const Shape& shape, std::optional<DType> dtype, Location at,
             const Tensor* key = nullptr) {
  const DType d = random_dtype(op, dtype, at);
  check_shape(op, "shape", shape, at);
  Emitter e(op, at);
  Bits g{e};
  if (key) {
    if (impl_of(*key, op, at).shape != Shape{2} || key->dtype() != DType::i64)
      e.fail<ShapeError>("expected a key, i64[2], got " + type_name(*key) + ": random::key(seed) makes one");
    e.use(*key);
    g.key = e(*key);
  }
  return e.result(build::convert(e.b, draw(g, shape, computing_type(d)), d));
}

}  // namespace

Tensor rand(const Shape& shape, std::optional<DType> dtype, Location at) {
  const DType d = random_dtype("rand", dtype, at);
  check_shape("rand", "shape", shape, at);
  Emitter e("rand", at);
  Bits g{e};
  return e.result(uniform_bits(g, shape, d));
}
Tensor randn(const Shape& shape, std::optional<DType> dtype, Location at) {
  return drawn("randn", normal_bits, shape, dtype, at);
}
Tensor rand_like(const Tensor& x, std::optional<DType> dtype, Location at) {
  const TensorImpl& like = impl_of(x, "rand_like", at);
  return rand(like.shape, dtype.value_or(like.dtype()), at);
}
Tensor randn_like(const Tensor& x, std::optional<DType> dtype, Location at) {
  const TensorImpl& like = impl_of(x, "randn_like", at);
  return randn(like.shape, dtype.value_or(like.dtype()), at);
}

Tensor randint(int64_t low, int64_t high, const Shape& shape, std::optional<DType> dtype, Location at) {
  DType d = checked_dtype(dtype.value_or(DType::i64), "randint", at);
  if (low >= high)
    fail<IndexError>("randint", "expects low < high, got " + std::to_string(low) + " and " + std::to_string(high), at);
  check_shape("randint", "shape", shape, at);
  if (auto [least, most] = integer_range(d); !is_floating(d) && (low < least || high - 1 > most))
    fail<IndexError>("randint",
                     "numbers from " + std::to_string(low) + " to " + std::to_string(high - 1) + " do not fit " +
                         std::string(to_string(d)) + ": expected " + std::to_string(least) + " to " +
                         std::to_string(most),
                     at);
  Emitter e("randint", at);
  return e.result(build::convert(e.b, integer_bits(e, shape, low, high), d));
}

Tensor bernoulli(const Tensor& p, Location at) {
  Composite call("bernoulli", at);
  impl_of(p, "bernoulli", at);
  check_drawn_alike("bernoulli", {&p}, at);
  DType d = random_dtype("bernoulli", p.dtype(), at);
  const DType wide = computing_type(d);
  const Tensor known = demanded("bernoulli", p, {0, 1}, "expected probabilities from 0 to 1, got {}", at);
  Emitter e("bernoulli", at, known);
  Bits g{e};
  Value draw = uniform_bits(g, shape_of(p), wide);
  return e.result(build::convert(e.b, build::compare(e.b, draw, operand(e, known, wide), ir::Direction::lt), d));
}

namespace {
void check_std(double std, Location at) {
  if (!(std >= 0)) fail<Error>("normal", "expected a std that is not negative, got " + number_text(std), at);
}
}  // namespace

Tensor normal(double mean, double std, const Shape& shape, std::optional<DType> dtype, Location at) {
  check_std(std, at);
  auto scaled = [&](Bits& draw, const Shape& s, DType d) {
    Emitter& e = draw.e;
    return build::add(e.b, build::scale(e.b, normal_bits(draw, s, d), std), splat(e, d, s, mean));
  };
  return drawn("normal", scaled, shape, dtype, at);
}
Tensor normal(const Arg& mean, const Arg& std) {
  Composite call("normal", mean.at());
  Shape shape;
  DType dtype;
  {
    Emitter e("normal", mean.at(), mean, std);
    shape = broadcast_shapes(e, shape_of(mean), shape_of(std));
    dtype = floating(promoted({&mean, &std}));
  }
  for (const Arg* a : {&mean, &std})
    if (a->is_tensor()) check_drawn_alike("normal", {&a->tensor()}, mean.at());
  Tensor known;
  if (std.is_tensor())
    known = demanded("normal", std.tensor(), {0, inf}, "expected a std that is not negative, got {}", mean.at());
  else
    check_std(std.number().real, mean.at());
  const Arg scale = std.is_tensor() ? Arg(known, mean.at()) : std;
  return add(Arg(mul(Arg(randn(shape, dtype, mean.at()), mean.at()), scale), mean.at()), mean);
}

Tensor randperm(int64_t n, std::optional<DType> dtype, Location at) {
  const DType d = checked_dtype(dtype.value_or(DType::i64), "randperm", at);
  check_shape("randperm", "n", {n}, at);
  Emitter e("randperm", at);
  Value operands[] = {e.random_bits({n}, 64), build::iota(e.b, DType::i64, {n}, 0)};
  return e.result(build::convert(e.b, build::sort(e.b, operands, 0, false) + 1, d));
}

// The places of the greatest of log p plus Gumbel's noise.
Tensor multinomial(const Tensor& p, int64_t n, bool replacement, Location at) {
  Composite call("multinomial", at);
  const Shape shape = impl_of(p, "multinomial", at).shape;
  check_drawn_alike("multinomial", {&p}, at);
  if (shape.empty() || shape.size() > 2)
    fail<ShapeError>("multinomial", "prob_dist must be 1 or 2 dim, got " + type_name(p), at);
  const DType d = random_dtype("multinomial", p.dtype(), at);
  if (n <= 0 || (!replacement && n > shape.back()))
    fail<ShapeError>("multinomial",
                     "cannot sample " + std::to_string(n) + " of " + std::to_string(shape.back()) +
                         " without replacement, or fewer than one",
                     at);
  Shape noise = shape;
  if (replacement) noise.insert(noise.size() - 1, n);
  Tensor gumbel = -log(-log(drawn("multinomial", above_zero, noise, computing_type(d), at) * (1 - 0x1p-24)));
  Tensor given = demanded("multinomial", p.to(computing_type(d), at), {0, inf},
                          "expected weights that are not negative, got {}", at);
  Tensor total = sum(given, -1, true, at).to(DType::f64, at);
  given = demanded("multinomial", given, logical_and(total > 0, total < inf), total,
                   "expected finite weights of which one at least in each row is above 0, got a sum of {}", at);
  Tensor weights = log(given);
  return replacement ? argmax(weights.unsqueeze(-2, at) + gumbel, -1, false, at)
                     : topk(weights + gumbel, n, -1, true, true, at).indices;
}

}  // namespace jot

// ---- keys

namespace jot::random {

Tensor key(uint64_t seed, Location at) {
  return Tensor::from(std::vector<int64_t>{static_cast<int64_t>(seed), 0}, {2}, at);
}

namespace {
Tensor folded(std::string_view op, const Tensor& key, const Tensor& index, Location at) {
  if (impl_of(key, op, at).shape != Shape{2} || key.dtype() != DType::i64)
    fail<ShapeError>(op, "expected a key, i64[2], got " + type_name(key) + ": random::key(seed) makes one", at);
  const DType dtype = impl_of(index, op, at).dtype();
  if (is_floating(dtype) || dtype == DType::boolean)
    fail<DTypeError>(op, "expected an integer, got " + type_name(index), at);
  Emitter e(op, at, key, index);
  Value k = build::broadcast_to(e.b, e(key), shape_of(index) + Shape{2});
  return e.result(e.b.emit(Op::fold_in_op, {k, operand(e, index, DType::i64)}));
}
}  // namespace

Tensor split(const Tensor& key, int64_t n, Location at) {
  check_shape("random::split", "n", {n}, at);
  return folded("random::split", key, arange(n, DType::i64, at), at);
}
Tensor fold_in(const Tensor& key, const Arg& index) {
  Location at = index.at();
  if (index.is_tensor()) return folded("random::fold_in", key, index.tensor(), at);
  if (index.number().dtype == DType::f64) fail<DTypeError>("random::fold_in", "expected an integer", at);
  return folded("random::fold_in", key, full({}, Arg(index.number().integer, at), DType::i64), at);
}
Tensor normal(const Tensor& key, const Shape& shape, std::optional<DType> dtype, Location at) {
  return drawn("random::normal", normal_bits, shape, dtype, at, &key);
}
Tensor uniform(const Tensor& key, const Shape& shape, std::optional<DType> dtype, Location at) {
  return drawn("random::uniform", uniform_bits, shape, dtype, at, &key);
}

}  // namespace jot::random
