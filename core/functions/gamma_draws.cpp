// Draws of the gamma distribution and of Dirichlet's, by their logarithms, in f64: Marsaglia and Tsang, "A simple
// method for generating gamma variables" (2000). A loop runs until all elements are accepted, which takes few steps:
// each accepts 95 of 100 and more.
#include <cmath>

#include "core/functions/operands.h"
#include "core/record/force.h"
#include "jot/control.h"
#include "jot/creation.h"
#include "jot/loops.h"
#include "jot/ops.h"
#include "jot/random.h"

namespace jot {

using namespace detail;

namespace {

// Numbers of the thread's generator, or of a key: then each step has its own.
struct Source {
  const Tensor* key;
  Shape shape;
  Tensor stream(const Tensor& step, int64_t part) const {
    return random::fold_in(*key, Arg(step * 2 + part, Location()));
  }
  Tensor normal(const Tensor& step) const {
    return key ? random::normal(stream(step, 0), shape, DType::f64) : randn(shape, DType::f64);
  }
  Tensor above_zero(const Tensor& step) const {
    return 1 - (key ? random::uniform(stream(step, 1), shape, DType::f64) : rand(shape, DType::f64));
  }
};

// The logarithm of a draw, f64, with its derivative by alpha.
Tensor log_gamma(std::string_view op, const Tensor* key, const Tensor& alpha, Location at) {
  if (!is_floating(impl_of(alpha, op, at).dtype()))
    fail<DTypeError>(op, "expected a floating dtype, got " + type_name(alpha) + ": convert with to(f32)", at);
  if (key && (impl_of(*key, op, at).shape != Shape{2} || key->dtype() != DType::i64))
    fail<ShapeError>(op, "expected a key, i64[2], got " + type_name(*key) + ": random::key(seed) makes one", at);
  if (!key) check_drawn_alike(op, {&alpha}, at);
  Tensor wide = alpha.to(DType::f64, at), fixed = wide.detach(at), valid = logical_and(fixed > 0, fixed < inf);
  // Below 1 a draw of alpha + 1 times u^(1 / alpha).
  Tensor a = where(valid, fixed, 1.0), small = a < 1, d = where(small, a + 1, a) - 1.0 / 3, c = rsqrt(9 * d);
  const Source from{key, shape_of(alpha)};
  auto number = [&](int64_t step) { return full({}, Arg(step, at), DType::i64); };
  using State = std::tuple<Tensor, Tensor, Tensor>;  // log(v), accepted, step
  auto [log_v, accepted, steps] =
      while_loop([](const State& s) { return logical_not(all(std::get<1>(s))); },
                 [&](const State& s) {
                   const auto& [kept, done, step] = s;
                   Tensor x = from.normal(step), u = from.above_zero(step), root = 1 + c * x, possible = root > 0;
                   Tensor v = 3 * log(where(possible, root, 1.0));
                   Tensor good = logical_and(possible, log(u) < 0.5 * x * x + d * (1 - exp(v) + v));
                   return State{where(done, kept, v), logical_or(done, good), step + 1};
                 },
                 State{zeros(from.shape, DType::f64), zeros(from.shape, DType::boolean), number(1)});
  Tensor power = log(from.above_zero(number(0))) / a;
  Tensor drawn = (log(d) + log_v + where(small, power, 0.0)).detach(at);
  Tensor shaped = where(valid, wide, 1.0);
  Emitter e(op, at, shaped, drawn);
  Tensor result = e.result(ir::build::binary(e.b, ir::Op::log_gamma_draw_op, e(shaped), e(drawn)));
  return where(valid, result, std::nan(""));
}

Tensor gamma_of(std::string_view op, const Tensor* key, const Tensor& alpha, Location at) {
  Composite call(op, at);
  return exp(log_gamma(op, key, alpha, at)).to(alpha.dtype(), at);
}

// Gamma draws over their sum, of which the greatest is 1: none vanishes with all others.
Tensor dirichlet_of(std::string_view op, const Tensor* key, const Tensor& alpha, Location at) {
  Composite call(op, at);
  if (impl_of(alpha, op, at).shape.empty())
    fail<ShapeError>(op, "expected concentrations along the last dim, got " + type_name(alpha), at);
  return softmax(log_gamma(op, key, alpha, at), -1, at).to(alpha.dtype(), at);
}

}  // namespace

Tensor random_gamma(const Tensor& alpha, Location at) { return gamma_of("random_gamma", nullptr, alpha, at); }
Tensor dirichlet(const Tensor& alpha, Location at) { return dirichlet_of("dirichlet", nullptr, alpha, at); }

namespace random {
Tensor gamma(const Tensor& key, const Tensor& alpha, Location at) { return gamma_of("random::gamma", &key, alpha, at); }
Tensor dirichlet(const Tensor& key, const Tensor& alpha, Location at) {
  return dirichlet_of("random::dirichlet", &key, alpha, at);
}
}  // namespace random

}  // namespace jot
