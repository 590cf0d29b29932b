// What is made of reflections, eigenvalues and singular values.
#include <cmath>
#include <limits>

#include "core/functions/linalg/matrices.h"
#include "jot/creation.h"
#include "jot/loops.h"
#include "jot/ops.h"

namespace jot::linalg {

using namespace detail;
using ir::Op;

namespace {

struct Svd {
  Value u, s, vt;
};
Svd emit_svd(Emitter& e, Value a, bool full) {
  Value first = emitted_for_call(e, {}, [&] { return e.b.emit(Op::svd_op, {a}, ir::Attrs(int64_t{full})); });
  return {first, first + 1, first + 2};
}

// Singular values above rtol times the largest.
Value counted(ir::Builder& b, Value s, double rtol) {
  const auto last = static_cast<int64_t>(b.shape(s).size()) - 1;
  Value largest = build::reduce(b, Op::reduce_max_op, s, ir::Ints(&last, 1));
  Value least = build::scale(b, ir::along_columns(b, largest, b.shape(s).back()), rtol);
  return build::compare(b, s, least, ir::Direction::gt);
}
double tolerance(const Tensor& a, std::optional<double> rtol) {
  if (rtol) return *rtol;
  const double epsilon = a.impl()->dtype() == DType::f64 ? 0x1p-52 : 0x1p-23;
  return epsilon * static_cast<double>(std::max(rows_of(a), columns_of(a)));
}
void check_tolerance(const Emitter& e, std::optional<double> rtol) {
  if (rtol && !(*rtol >= 0)) e.fail<Error>("rtol is " + std::to_string(*rtol) + ", expected a number of at least 0");
}

}  // namespace

QR qr(const Tensor& a, QrMode mode, Location at) {
  Emitter e("linalg.qr", at, a);
  check_matrices(e, a, false);
  Value q = e.b.emit(Op::qr_op, {e(a)}, ir::Attrs(int64_t{mode == QrMode::complete}));
  Tensor r = e.result(q + 1);
  return {mode == QrMode::r ? e.result(build::zeros(e.b, {a.impl()->dtype(), false, {0}})) : e.result(q), r};
}

Eigh eigh(const Tensor& a, Location at) {
  Emitter e("linalg.eigh", at, a);
  check_matrices(e, a, true);
  Value w = emitted_for_call(e, {}, [&] { return e.b.emit(Op::eigh_op, {e(a)}); });
  Tensor values = e.result(w);
  return {values, e.result(w + 1)};
}
Tensor eigvalsh(const Tensor& a, Location at) {
  Emitter e("linalg.eigvalsh", at, a);
  check_matrices(e, a, true);
  return e.result(emitted_for_call(e, {}, [&] { return e.b.emit(Op::eigh_op, {e(a)}); }));
}

SVD svd(const Tensor& a, bool full_matrices, Location at) {
  Emitter e("linalg.svd", at, a);
  check_matrices(e, a, false);
  const Svd v = emit_svd(e, e(a), full_matrices);
  Tensor u = e.result(v.u), s = e.result(v.s);
  return {u, s, e.result(v.vt)};
}
Tensor svdvals(const Tensor& a, Location at) {
  Emitter e("linalg.svdvals", at, a);
  check_matrices(e, a, false);
  return e.result(emit_svd(e, e(a), false).s);
}

Tensor matrix_rank(const Tensor& a, std::optional<double> rtol, Location at) {
  Emitter e("linalg.matrix_rank", at, a);
  check_matrices(e, a, false);
  check_tolerance(e, rtol);
  Value s = emit_svd(e, e(a), false).s;
  if (e.b.shape(s).back() == 0) return e.result(build::zeros(e.b, {DType::i64, false, batch_of(a)}));
  const auto last = static_cast<int64_t>(e.b.shape(s).size()) - 1;
  Value some = build::convert(e.b, counted(e.b, s, tolerance(a, rtol)), DType::i64);
  return e.result(build::reduce_sum(e.b, some, ir::Ints(&last, 1)));
}

// With p the pseudo-inverse, of matrices whose rank stays: p' = -p a' p + p p^T a'^T (1 - a p) + (1 - p a) a'^T p^T p
// (G. Golub and V. Pereyra 1973).
Tensor pinv(const Tensor& a, std::optional<double> rtol, Location at) {
  Emitter e("linalg.pinv", at, a);
  check_matrices(e, a, false);
  check_tolerance(e, rtol);
  const ir::Type type = e.b.type(e(a));
  const int64_t m = rows_of(a), n = columns_of(a);
  if (std::min(m, n) == 0) return e.result(build::zeros(e.b, {type.dtype, false, ir::matrices(batch_of(a), n, m)}));
  const double least = tolerance(a, rtol);
  auto inverse = [&](ir::Builder& b, Value x) {
    Value u = b.emit(Op::svd_op, {x}, ir::Attrs(int64_t{0})), s = u + 1, vt = u + 2;
    Value some = counted(b, s, least), one = build::constant(b, type.dtype, b.shape(s), 1);
    Value over = build::where(b, some, build::binary(b, Op::div_op, one, build::where(b, some, s, one)),
                              build::zeros_like(b, s));
    Value scaled = build::mul(b, ir::turned(b, vt), ir::along_rows(b, over, n));
    return ir::product(b, scaled, false, u, true);
  };
  ir::Builder body("pinv"), rule("pinv");
  ir::Graph value = body.finish({inverse(body, body.param(type))});
  Value x = rule.param(type), t = rule.param(type), p = inverse(rule, x);
  auto times = [&](Value left, Value right, bool left_turned = false, bool right_turned = false) {
    return ir::product(rule, left, left_turned, right, right_turned);
  };
  Value pt = times(p, t), first = build::neg(rule, times(pt, p));
  Value second = times(p, times(p, t, true, true));  // p p^T a'^T
  second = build::sub(rule, second, times(times(second, x), p));
  Value third = times(times(t, p, true, true), p);  // a'^T p^T p
  third = build::sub(rule, third, times(p, times(x, third)));
  ir::Graph derivative = rule.finish({p, build::add(rule, first, build::add(rule, second, third))});
  return e.result(e.b.emit(Op::custom_jvp_op, {e(a)}, ir::Attrs().add(value).add(derivative).add(int64_t{0})));
}

Lstsq lstsq(const Tensor& a, const Tensor& b, Location at) {
  Composite call("linalg.lstsq", at);
  impl_of(a, "linalg.lstsq", at), impl_of(b, "linalg.lstsq", at);
  const bool vector = shape_of(b).size() + 1 == shape_of(a).size();
  Tensor y = vector ? b.unsqueeze(-1, at) : b, x = jot::matmul(pinv(a, {}, at), y, at);
  Tensor rest = jot::matmul(a, x, at) - y;
  Tensor residuals = rows_of(a) > columns_of(a) ? sum(rest * rest, {-2}, false, at) : zeros({0}, a.impl()->dtype());
  return {vector ? x.squeeze(-1, at) : x, residuals, matrix_rank(a, {}, at), svdvals(a, at)};
}

// ---- norms

namespace {

Tensor norm_of_last_two(const Tensor& a, const Ord& ord, Location at) {
  const std::string& name = ord.name();
  if (name == "fro") return jot::norm(a, 2, {-2, -1}, false, at);
  if (name == "nuc") return sum(svdvals(a, at), {-1}, false, at);
  const double p = ord.number(), size = std::abs(p);
  if (!name.empty() || (size != 1 && size != 2 && !std::isinf(size)))
    fail<Error>("linalg.matrix_norm",
                "the order is not known: expected \"fro\", \"nuc\", inf, -inf, 1, -1, 2 or -2, got " +
                    (name.empty() ? std::to_string(p) : "\"" + name + "\""),
                at);
  Tensor values = size == 2 ? svdvals(a, at) : sum(abs(a, at), {size == 1 ? -2 : -1}, false, at);
  if (p > 0 && shape_of(values).back() == 0) return sum(values, {-1}, false, at);  // of nothing 0
  return p > 0 ? amax(values, {-1}, false, at) : amin(values, {-1}, false, at);
}

}  // namespace

Tensor matrix_norm(const Tensor& a, const Ord& ord, const Axes& dims, bool keepdim, Location at) {
  Composite call("linalg.matrix_norm", at);
  const auto rank = impl_of(a, "linalg.matrix_norm", at).shape.size();
  if (!is_floating(a.dtype()))
    fail<DTypeError>("linalg.matrix_norm", "expected a floating dtype, got " + type_name(a) + ": convert with to(f32)",
                     at);
  const std::vector<int64_t>& d = dims.values;
  if (d.size() != 2) fail<ShapeError>("linalg.matrix_norm", "expected two dims, got " + std::to_string(d.size()), at);
  const size_t row = wrap_dim("linalg.matrix_norm", d[0], rank, at),
               column = wrap_dim("linalg.matrix_norm", d[1], rank, at);
  if (row == column)
    fail<IndexError>("linalg.matrix_norm", "the two dims must differ, got " + std::to_string(d[0]) + " twice", at);
  Tensor moved = movedim(a, {static_cast<int64_t>(row), static_cast<int64_t>(column)}, {-2, -1}, at);
  Tensor r = norm_of_last_two(moved, ord, at);
  if (!keepdim) return r;
  return r.unsqueeze(static_cast<int64_t>(std::min(row, column)), at)
      .unsqueeze(static_cast<int64_t>(std::max(row, column)), at);
}

Tensor vector_norm(const Tensor& x, const Ord& ord, const Axes& dims, bool keepdim, Location at) {
  Composite call("linalg.vector_norm", at);
  if (ord.name() == "nuc")
    fail<Error>("linalg.vector_norm", "\"nuc\" is a norm of matrices, of their singular values: matrix_norm", at);
  return jot::norm(x, ord, dims, keepdim, at);
}

Tensor norm(const Tensor& x, const std::optional<Ord>& ord, const Axes& dims, bool keepdim, Location at) {
  Composite call("linalg.norm", at);
  const size_t rank = impl_of(x, "linalg.norm", at).shape.size();
  if (!ord) return jot::norm(x, 2, dims, keepdim, at);
  if (dims.values.size() == 2) return matrix_norm(x, *ord, dims, keepdim, at);
  if (dims.values.size() == 0 && rank == 2) return matrix_norm(x, *ord, {0, 1}, keepdim, at);
  if (dims.values.size() == 0 && rank != 1)
    fail<ShapeError>("linalg.norm", "with an order and without dims expected one or two dims, got " + type_name(x), at);
  if (!ord->name().empty())
    fail<ShapeError>("linalg.norm",
                     "\"" + ord->name() + "\" is a norm of matrices: expected two dims, got " + type_name(x), at);
  return jot::norm(x, *ord, dims, keepdim, at);
}

Tensor cond(const Tensor& a, const std::optional<Ord>& p, Location at) {
  Composite call("linalg.cond", at);
  const bool spectral = !p || (p->name().empty() && std::abs(p->number()) == 2);
  if (!spectral) return matrix_norm(a, *p, {-2, -1}, false, at) * matrix_norm(inv(a, at), *p, {-2, -1}, false, at);
  Tensor s = svdvals(a, at), largest = amax(s, {-1}, false, at), least = amin(s, {-1}, false, at);
  return p && p->number() < 0 ? least / largest : largest / least;
}

// ---- powers and products

Tensor matrix_power(const Tensor& a, int64_t n, Location at) {
  Composite call("linalg.matrix_power", at);
  {
    Emitter e("linalg.matrix_power", at, a);
    check_matrices(e, a, true);
  }
  if (n == 0) return eye(columns_of(a), a.impl()->dtype()).expand(shape_of(a), at) + zeros_like(a);
  Tensor square = n < 0 ? inv(a, at) : a, r;
  for (auto left = n < 0 ? 0 - static_cast<uint64_t>(n) : static_cast<uint64_t>(n);;
       square = jot::matmul(square, square, at)) {
    if (left % 2) r = r.defined() ? jot::matmul(r, square, at) : square;
    if ((left /= 2) == 0) return r;
  }
}

Tensor matrix_exp(const Tensor& a, Location at) {
  Composite call("linalg.matrix_exp", at);
  {
    Emitter e("linalg.matrix_exp", at, a);
    check_matrices(e, a, true);
  }
  if (shape_of(a).numel() == 0) return a;
  constexpr double kReach = 5.371920351148152;  // of the polynomials: up to this norm
  const DType dtype = a.impl()->dtype();
  if (is_storage(dtype)) return matrix_exp(a.to(f32), at).to(dtype);  // f16 does not hold the coefficients
  Tensor size = stop_gradient(amax(sum(abs(a, at), {-2}, false, at), {-1}, false, at));
  Tensor steps = clamp(ceil(log2(size / kReach)), 0, 1100);  // NaN: none
  Tensor x = a * exp2(-steps).unsqueeze(-1, at).unsqueeze(-1, at), unit = eye(columns_of(a), dtype);
  constexpr double c[] = {64764752532480000,
                          32382376266240000,
                          7771770303897600,
                          1187353796428800,
                          129060195264000,
                          10559470521600,
                          670442572800,
                          33522128640,
                          1323241920,
                          40840800,
                          960960,
                          16380,
                          182,
                          1};
  auto mm = [&](const Tensor& l, const Tensor& r) { return jot::matmul(l, r, at); };
  Tensor x2 = mm(x, x), x4 = mm(x2, x2), x6 = mm(x4, x2);
  Tensor odd = mm(x, mm(x6, c[13] * x6 + c[11] * x4 + c[9] * x2) + c[7] * x6 + c[5] * x4 + c[3] * x2 + c[1] * unit);
  Tensor even = mm(x6, c[12] * x6 + c[10] * x4 + c[8] * x2) + c[6] * x6 + c[4] * x4 + c[2] * x2 + c[0] * unit;
  Tensor first = solve_ex(even - odd, even + odd, true, at).result;
  Tensor most = amax(steps, {}, false, at), of_each = steps.unsqueeze(-1, at).unsqueeze(-1, at);
  using State = std::pair<Tensor, Tensor>;
  return while_loop([&](const State& s) { return s.first.lt(most); },
                    [&](const State& s) {
                      Tensor square = jot::matmul(s.second, s.second);
                      return State(s.first + 1, where(s.first.lt(of_each), square, s.second));
                    },
                    State(zeros({}, dtype), first), {}, at)
      .second;
}

Tensor multi_dot(const std::vector<Tensor>& matrices, Location at) {
  Composite call("linalg.multi_dot", at);
  if (matrices.size() < 2)
    fail<ShapeError>("linalg.multi_dot", "expected at least two tensors, got " + std::to_string(matrices.size()), at);
  std::vector<Tensor> all = matrices;
  for (const Tensor& t : all) impl_of(t, "linalg.multi_dot", at);
  const bool row = shape_of(all.front()).size() == 1, column = shape_of(all.back()).size() == 1;
  if (row) all.front() = all.front().unsqueeze(0, at);
  if (column) all.back() = all.back().unsqueeze(-1, at);
  Tensor r = chain_matmul(all, at);
  if (column) r = r.squeeze(-1, at);
  return row ? r.squeeze(0, at) : r;
}

// From the last reflection to the first.
Tensor householder_product(const Tensor& a, const Tensor& tau, Location at) {
  Emitter e("linalg.householder_product", at, a, tau);
  check_matrices(e, a, false);
  check_same_dtype(e, a, tau);
  const int64_t m = rows_of(a), n = columns_of(a), k = shape_of(tau).empty() ? 0 : shape_of(tau).back();
  if (shape_of(tau).empty() || shape_of(tau) != batch_of(a) + Shape{k} || k > n || n > m)
    e.fail<ShapeError>("expected a [*, m, n] with m >= n and tau [*, k] with k <= n, got " + type_name(a) + " and " +
                       type_name(tau));
  const DType dtype = a.impl()->dtype();
  Value unit = build::convert(e.b, ir::where_row(e.b, shape_of(a), ir::Direction::eq), dtype);
  Value v = build::add(e.b, ir::masked(e.b, e(a), ir::Direction::gt), unit), q = unit;
  for (int64_t i = k; i-- > 0;) {
    Value column = ir::columns(e.b, v, i, i + 1);
    const auto last = static_cast<int64_t>(shape_of(tau).size()) - 1;
    Value factor = build::broadcast_to(
        e.b, build::reshape(e.b, build::slice_axis(e.b, e(tau), last, i, i + 1), ir::matrices(batch_of(a), 1, 1)),
        ir::matrices(batch_of(a), 1, n));
    Value along = build::mul(e.b, ir::product(e.b, column, true, q, false), factor);
    q = build::sub(e.b, q, ir::product(e.b, column, false, along, false));
  }
  return e.result(q);
}

Tensor vander(const Tensor& x, std::optional<int64_t> N, Location at) {
  Composite call("linalg.vander", at);
  const Shape& s = impl_of(x, "linalg.vander", at).shape;
  if (s.empty()) fail<ShapeError>("linalg.vander", "expected at least one dim, got " + type_name(x), at);
  const int64_t n = N ? *N : s.back();
  if (n < 1) fail<ShapeError>("linalg.vander", "expected at least one power, got N = " + std::to_string(n), at);
  Tensor ones = ones_like(x).unsqueeze(-1, at);
  if (n == 1) return ones;
  Tensor factors = x.unsqueeze(-1, at).expand(s + Shape{n - 1}, at);
  return cat({ones, cumprod(factors, -1, at)}, -1, at);
}

}  // namespace jot::linalg
