// What is made of lu: solutions, inverses, determinants.
#include <limits>

#include "core/functions/demands.h"
#include "core/functions/linalg/matrices.h"
#include "jot/creation.h"
#include "jot/ops.h"

namespace jot {

using namespace detail;
using ir::Op;

namespace linalg {

Lu emit_lu(Emitter& e, Value a, SingularIs singular) {
  Value first =
      emitted_for_call(e, {}, [&] { return e.b.emit(Op::lu_op, {a}, ir::Attrs(static_cast<int64_t>(singular))); });
  return {first, first + 1, first + 2, first + 3};
}

namespace {

constexpr ir::TriangularSolve kLower{true, true, false, true}, kUpper{true, false, false, false};

// Where each row has gone: the sum of the places where order is the row.
Value inverse_order(ir::Builder& b, Value order) {
  const int64_t n = b.shape(order).back();
  Value wanted = ir::along_rows(b, order, n);
  const auto [row, column] = ir::matrix_axes(b.shape(wanted));
  Value here = build::compare(b, wanted, build::iota(b, DType::i32, b.shape(wanted), row), ir::Direction::eq);
  Value places =
      build::where(b, here, build::iota(b, DType::i32, b.shape(wanted), column), build::zeros_like(b, wanted));
  return build::reduce_sum(b, places, ir::Ints(&column, 1));
}

// a x = y, or a^T x = y, from the factors.
Value substituted(ir::Builder& b, Value packed, Value order, Value y, bool transposed) {
  if (!transposed) return kUpper.emit(b, packed, kLower.emit(b, packed, ir::rows_in_order(b, y, order)));
  ir::TriangularSolve lower = kLower, upper = kUpper;
  lower.transposed = upper.transposed = true;
  return ir::rows_in_order(b, lower.emit(b, packed, upper.emit(b, packed, y)), inverse_order(b, order));
}

}  // namespace

Value emit_solve(ir::Builder& b, Value a, const Lu& lu, Value y) {
  auto region = [&](auto result) {  // of (a, packed, order, y)
    ir::Builder body("solve");
    Value x[4];
    for (int i = 0; Value v : {a, lu.packed, lu.order, y}) x[i++] = body.param(b.type(v));
    return body.finish({result(body, x)});
  };
  ir::Attrs attrs;
  attrs.add(region([](ir::Builder& r, const Value* x) { return substituted(r, x[1], x[2], x[3], false); }));
  attrs.add(region([](ir::Builder& r, const Value* x) { return ir::product(r, x[0], false, x[3], false); }));
  attrs.add(std::vector<ir::Graph>{
      region([](ir::Builder& r, const Value* x) { return substituted(r, x[1], x[2], x[3], true); })});
  return b.emit(Op::linear_solve_op, {a, lu.packed, lu.order, y}, attrs.add(int64_t{3}));
}

namespace {

// ---- solve

ResultInfo solved(Emitter& e, const Tensor& a, const Tensor& b, bool left, SingularIs singular) {
  check_matrices(e, a, true);
  check_same_dtype(e, a, b);
  const Shape &sa = shape_of(a), &sb = shape_of(b);
  const bool vector = sb.size() == 1 || (sb.size() + 1 == sa.size() && sb == sa.slice(0, sa.size() - 1));
  if (vector && !left) e.fail<ShapeError>("x a = b is of matrices b, got the vectors " + type_name(b));
  if (sb.empty()) e.fail<ShapeError>("expected vectors or matrices for b, got " + type_name(b));
  Value x = left ? e(a) : ir::turned(e.b, e(a)), y = e(b);
  if (vector) y = build::reshape(e.b, y, sb + Shape{1});
  if (!left) y = ir::turned(e.b, y);
  if (ir::rows_of(e.b.shape(y)) != ir::rows_of(sa))
    e.fail<ShapeError>("expected as many " + std::string(left ? "rows" : "columns") + " of b as a has, got " +
                       type_name(a) + " and " + type_name(b));
  const Shape batch = broadcast_shapes(e, ir::batch_of(sa), ir::batch_of(e.b.shape(y)));
  Lu lu = emit_lu(e, x, singular);
  Value info = lu.info;
  if (batch != ir::batch_of(sa)) {  // factors of what there is; then they are repeated
    x = with_batch(e, x, batch);
    lu.packed = with_batch(e, lu.packed, batch);
    lu.order = build::broadcast_to(e.b, lu.order, batch + Shape{sa.back()});
  }
  Value r = emit_solve(e.b, x, lu, with_batch(e, y, batch));
  if (!left) r = ir::turned(e.b, r);
  if (vector) r = build::reshape(e.b, r, e.b.shape(r).slice(0, e.b.shape(r).size() - 1));
  Tensor result = e.result(r);
  return {result, singular == SingularIs::no_error ? e.result(info) : Tensor()};
}

InverseInfo inverted(Emitter& e, const Tensor& a, SingularIs singular) {
  check_matrices(e, a, true);
  Lu lu = emit_lu(e, e(a), singular);
  Value unit = build::convert(e.b, ir::where_row(e.b, shape_of(a), ir::Direction::eq), a.impl()->dtype());
  Tensor result = e.result(emit_solve(e.b, e(a), lu, unit));
  return {result, singular == SingularIs::no_error ? e.result(lu.info) : Tensor()};
}

// ---- determinants

// 1, or -1 where the rows are exchanged an odd number of times. [*]
Value parity(ir::Builder& b, Value pivots, DType dtype) {
  const Shape shape = b.shape(pivots);
  const auto last = static_cast<int64_t>(shape.size()) - 1;
  Value own = build::add(b, build::iota(b, DType::i32, shape, last), build::constant_int(b, DType::i32, shape, 1));
  Value moved = build::convert(b, build::compare(b, pivots, own, ir::Direction::ne), DType::i32);
  Value count = build::reduce_sum(b, moved, ir::Ints(&last, 1));
  Value odd = build::binary(b, Op::and_op, count, build::constant_int(b, DType::i32, b.shape(count), 1));
  Value one = build::constant(b, dtype, b.shape(count), 1);
  return build::sub(b, one, build::scale(b, build::convert(b, odd, dtype), 2));
}

Value product_along_last(ir::Builder& b, Value v) {
  const auto last = static_cast<int64_t>(b.shape(v).size()) - 1;
  return build::reduce(b, Op::reduce_prod_op, v, ir::Ints(&last, 1));
}

// Of up to 3 x 3, a polynomial of the elements.
Value small_determinant(ir::Builder& b, Value a, int64_t n) {
  const Shape batch = ir::batch_of(b.shape(a));
  auto at = [&](int64_t i, int64_t j) {
    return build::reshape(b, ir::columns(b, ir::rows(b, a, i, i + 1), j, j + 1), batch);
  };
  auto minor = [&](int64_t r, int64_t i, int64_t j) {  // of rows r and r + 1
    return build::sub(b, build::mul(b, at(r, i), at(r + 1, j)), build::mul(b, at(r, j), at(r + 1, i)));
  };
  if (n == 0) return build::constant(b, b.dtype(a), batch, 1);
  if (n == 1) return at(0, 0);
  if (n == 2) return minor(0, 0, 1);
  Value sum = build::mul(b, at(0, 0), minor(1, 1, 2));
  sum = build::sub(b, sum, build::mul(b, at(0, 1), minor(1, 0, 2)));
  return build::add(b, sum, build::mul(b, at(0, 2), minor(1, 0, 1)));
}

// The product of pivots; its derivative is det tr(a^-1 a'), with a pivot that is zero in place of which a number stands
// that vanishes beside the others: then det a^-1 is the adjugate, if no other is zero.
Value large_determinant(Emitter& e, Value a) {
  const ir::Type type = e.b.type(a);
  auto factors = [](ir::Builder& b, Value x) { return b.emit(Op::lu_op, {x}, ir::Attrs(int64_t{0})); };
  auto signed_product = [](ir::Builder& b, Value lu, Value diagonal) {
    return build::mul(b, parity(b, lu + 1, b.dtype(diagonal)), product_along_last(b, diagonal));
  };
  ir::Builder body("det"), rule("det");
  Value x = body.param(type), lu = factors(body, x);
  ir::Graph value = body.finish({signed_product(body, lu, ir::diagonal_of(body, lu))});
  x = rule.param(type);
  Value t = rule.param(type);
  lu = factors(rule, x);
  Value diagonal = ir::diagonal_of(rule, lu);
  std::vector<int64_t> last_two = {ir::matrix_axes(type.shape).row, ir::matrix_axes(type.shape).column};
  Value largest = build::reduce(rule, Op::reduce_max_op, build::unary(rule, Op::abs_op, lu), last_two);
  const double vanishing = type.dtype == DType::f64 ? 0x1p-100 : 0x1p-50;
  Value stand_in =
      build::add(rule, build::scale(rule, largest, vanishing),
                 build::constant(rule, type.dtype, rule.shape(largest), type.dtype == DType::f64 ? 1e-200 : 1e-30));
  stand_in = ir::along_columns(rule, stand_in, type.shape.back());
  Value none = build::compare(rule, diagonal, build::zeros_like(rule, diagonal), ir::Direction::eq);
  Value safe = build::where(rule, none, stand_in, diagonal);
  Value spread = ir::along_columns(rule, safe, type.shape.back());
  Value packed = build::where(rule, ir::where_row(rule, type.shape, ir::Direction::eq), spread, lu);
  Value trace = ir::diagonal_of(rule, substituted(rule, packed, lu + 2, t, false));
  const auto last = static_cast<int64_t>(rule.shape(trace).size()) - 1;
  trace = build::reduce_sum(rule, trace, ir::Ints(&last, 1));
  ir::Graph derivative =
      rule.finish({signed_product(rule, lu, diagonal), build::mul(rule, signed_product(rule, lu, safe), trace)});
  return e.b.emit(Op::custom_jvp_op, {a}, ir::Attrs().add(value).add(derivative).add(int64_t{0}));
}

}  // namespace

Tensor solve(const Tensor& a, const Tensor& b, bool left, Location at) {
  Emitter e("linalg.solve", at, a, b);
  return solved(e, a, b, left, SingularIs::solver).result;
}
ResultInfo solve_ex(const Tensor& a, const Tensor& b, bool left, Location at) {
  Emitter e("linalg.solve_ex", at, a, b);
  return solved(e, a, b, left, SingularIs::no_error);
}

Tensor inv(const Tensor& a, Location at) {
  Emitter e("linalg.inv", at, a);
  return inverted(e, a, SingularIs::inverse).inverse;
}
InverseInfo inv_ex(const Tensor& a, Location at) {
  Emitter e("linalg.inv_ex", at, a);
  return inverted(e, a, SingularIs::no_error);
}

Tensor det(const Tensor& a, Location at) {
  Emitter e("linalg.det", at, a);
  check_matrices(e, a, true);
  const int64_t n = columns_of(a);
  return e.result(n <= 3 ? small_determinant(e.b, e(a), n) : large_determinant(e, e(a)));
}

SignLogabsdet slogdet(const Tensor& a, Location at) {
  Emitter e("linalg.slogdet", at, a);
  check_matrices(e, a, true);
  // The derivative of log|det| is tr(a^-1 a').
  const ir::Type type = e.b.type(e(a));
  auto factors = [](ir::Builder& b, Value x) {
    Value first = b.emit(Op::lu_op, {x}, ir::Attrs(static_cast<int64_t>(SingularIs::no_error)));
    return Lu{first, first + 1, first + 2, first + 3};
  };
  auto sign_and_logarithm = [&](ir::Builder& b, const Lu& lu) {
    Value pivots = ir::diagonal_of(b, lu.packed);
    const auto last = static_cast<int64_t>(b.shape(pivots).size()) - 1;
    Value logarithms = build::unary(b, Op::log_op, build::unary(b, Op::abs_op, pivots));
    return std::vector<Value>{
        build::mul(b, parity(b, lu.pivots, type.dtype), product_along_last(b, build::unary(b, Op::sign_op, pivots))),
        build::reduce_sum(b, logarithms, ir::Ints(&last, 1))};
  };
  ir::Builder body("slogdet"), rule("slogdet");
  ir::Graph value = body.finish(sign_and_logarithm(body, factors(body, body.param(type))));
  Value x = rule.param(type), t = rule.param(type);
  const Lu lu = factors(rule, x);
  std::vector<Value> results = sign_and_logarithm(rule, lu);
  Value diagonal = ir::diagonal_of(rule, emit_solve(rule, x, lu, t));
  const auto last = static_cast<int64_t>(rule.shape(diagonal).size()) - 1;
  results.push_back(build::zeros_like(rule, results[0]));
  results.push_back(build::reduce_sum(rule, diagonal, ir::Ints(&last, 1)));
  Value sign = e.b.emit(Op::custom_jvp_op, {e(a)}, ir::Attrs().add(value).add(rule.finish(results)).add(int64_t{0}));
  Tensor of_sign = e.result(sign);
  return {of_sign, e.result(sign + 1)};
}

PLU lu(const Tensor& a, Location at) {
  Emitter e("linalg.lu", at, a);
  check_matrices(e, a, false);
  const Lu lu = emit_lu(e, e(a), SingularIs::no_error);
  const DType dtype = a.impl()->dtype();
  const int64_t m = rows_of(a), k = std::min(m, columns_of(a));
  Value chosen = ir::along_rows(e.b, lu.order, m);
  Value row = build::iota(e.b, DType::i32, e.b.shape(chosen), ir::matrix_axes(e.b.shape(chosen)).row);
  Tensor p = e.result(build::convert(e.b, build::compare(e.b, row, chosen, ir::Direction::eq), dtype));
  Value l = ir::columns(e.b, lu.packed, 0, k);
  Value unit = build::convert(e.b, ir::where_row(e.b, e.b.shape(l), ir::Direction::eq), dtype);
  Tensor lower = e.result(build::add(e.b, ir::masked(e.b, l, ir::Direction::gt), unit));
  return {p, lower, e.result(ir::masked(e.b, ir::rows(e.b, lu.packed, 0, k), ir::Direction::le))};
}

LUPivots lu_factor(const Tensor& a, Location at) {
  Emitter e("linalg.lu_factor", at, a);
  check_matrices(e, a, false);
  const Lu lu = emit_lu(e, e(a), SingularIs::factor);
  Tensor packed = e.result(lu.packed);
  return {packed, e.result(lu.pivots)};
}

// The pivots say which rows were exchanged, one after the other.
Tensor lu_solve(const Tensor& LU, const Tensor& pivots, const Tensor& b, Location at) {
  Emitter e("linalg.lu_solve", at, LU, pivots, b);
  check_matrices(e, LU, true);
  check_matrices(e, b, false);
  check_same_dtype(e, LU, b);
  const int64_t n = columns_of(LU);
  if (pivots.impl()->dtype() != DType::i32)
    e.fail<DTypeError>("expected pivots of i32, as lu_factor makes them, got " + type_name(pivots) +
                       ": convert with to(i32)");
  if (shape_of(pivots) != batch_of(LU) + Shape{n})
    e.fail<ShapeError>("expected pivots " + to_string(batch_of(LU) + Shape{n}) + ", got " + type_name(pivots));
  if (rows_of(b) != n)
    e.fail<ShapeError>("expected as many rows of b as LU has, got " + type_name(LU) + " and " + type_name(b));
  const Shape batch = broadcast_shapes(e, batch_of(LU), batch_of(b)), places = batch_of(LU) + Shape{n};
  const auto last = static_cast<int64_t>(places.size()) - 1;
  const Tensor checked =
      demanded(e.op(), pivots, {1, static_cast<double>(n)},
               "pivot {} is out of range; expected 1 to " + std::to_string(n) + ", as lu_factor makes them", at);
  Value from = e(checked), order = build::iota(e.b, DType::i32, places, last);
  const Value place = order;
  auto here = [&](Value which) { return build::compare(e.b, place, which, ir::Direction::eq); };
  auto found = [&](Value where) {  // the one that stands there, everywhere
    Value sum =
        build::reduce_sum(e.b, build::where(e.b, where, order, build::zeros_like(e.b, order)), ir::Ints(&last, 1));
    return ir::along_columns(e.b, sum, n);
  };
  for (int64_t k = 0; k < n; ++k) {
    Value first = here(build::constant_int(e.b, DType::i32, places, k));
    Value pivot = build::reshape(e.b, build::slice_axis(e.b, from, last, k, k + 1), batch_of(LU));
    Value other =
        here(build::sub(e.b, ir::along_columns(e.b, pivot, n), build::constant_int(e.b, DType::i32, places, 1)));
    Value at_first = found(first), at_other = found(other);
    order = build::where(e.b, first, at_other, build::where(e.b, other, at_first, order));
  }
  order = build::broadcast_to(e.b, order, batch + Shape{n});
  return e.result(substituted(e.b, with_batch(e, e(LU), batch), order, with_batch(e, e(b), batch), false));
}

Tensor tensorsolve(const Tensor& a, const Tensor& b, Location at) {
  Composite call("linalg.tensorsolve", at);
  impl_of(a, "linalg.tensorsolve", at), impl_of(b, "linalg.tensorsolve", at);
  const Shape &sa = shape_of(a), &sb = shape_of(b);
  const Shape unknown = sb.size() <= sa.size() ? sa.slice(sb.size(), sa.size()) : Shape{};
  if (sb.size() > sa.size() || sa.slice(0, sb.size()) != sb || unknown.numel() != sb.numel())
    fail<ShapeError>("linalg.tensorsolve",
                     "expected a of b's shape and as many elements more, got " + type_name(a) + " and " + type_name(b),
                     at);
  Tensor x = solve(a.reshape({sb.numel(), sb.numel()}, at), b.reshape({sb.numel()}, at), true, at);
  return x.reshape(unknown, at);
}

Tensor tensorinv(const Tensor& a, int64_t ind, Location at) {
  Composite call("linalg.tensorinv", at);
  impl_of(a, "linalg.tensorinv", at);
  const Shape& s = shape_of(a);
  if (ind <= 0 || ind > static_cast<int64_t>(s.size()))
    fail<ShapeError>("linalg.tensorinv", "ind is " + std::to_string(ind) + ", expected 1 to the number of dims", at);
  const Shape front = s.slice(0, static_cast<size_t>(ind)), back = s.slice(static_cast<size_t>(ind), s.size());
  if (front.numel() != back.numel())
    fail<ShapeError>(
        "linalg.tensorinv",
        "expected as many elements in the first " + std::to_string(ind) + " dims as in the others, got " + type_name(a),
        at);
  return inv(a.reshape({front.numel(), back.numel()}, at), at).reshape(back + front, at);
}

}  // namespace linalg

Tensor logdet(const Tensor& a, Location at) {
  Composite call("logdet", at);
  auto [sign, logabsdet] = linalg::slogdet(a, at);
  return where(sign.lt(0), std::numeric_limits<double>::quiet_NaN(), logabsdet);
}

}  // namespace jot
