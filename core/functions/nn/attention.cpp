// Attention: averages of values, weighted by the softmax of products of queries with keys.
#include <algorithm>
#include <cmath>

#include "core/functions/forms.h"
#include "ir/ops/matrices.h"
#include "jot/creation.h"
#include "jot/nn_functional.h"
#include "jot/ops.h"

namespace jot::nn::functional {

using namespace detail;
namespace build = ir::build;
using ir::Direction;
using ir::Op;
using ir::Value;

namespace {

// softmax along the last dim; a row of -inf alone gives zeros, and no derivative passes it.
Value safe_softmax(Emitter& e, Value v) {
  const Shape shape = e.b.shape(v);
  const std::vector<int64_t> dims = {static_cast<int64_t>(shape.size()) - 1};
  const DType dtype = e.b.dtype(v);
  Value top = build::unary(e.b, Op::stop_gradient_op, build::reduce(e.b, Op::reduce_max_op, v, dims));
  auto like = [&](Value row, double number) { return splat(e, dtype, e.b.shape(row), number); };
  Value nothing = build::compare(e.b, top, like(top, -inf), Direction::eq);
  top = build::where(e.b, nothing, like(top, 0), top);
  Value exps = build::unary(e.b, Op::exp_op, build::sub(e.b, v, spread(e, top, dims, shape)));
  Value total = build::where(e.b, nothing, like(top, 1), build::reduce_sum(e.b, exps, dims));
  return build::mul(e.b, exps, spread(e, build::div(e.b, like(top, 1), total), dims, shape));
}

struct Sizes {
  Shape lead;  // of all three, broadcast
  int64_t rows = 0, columns = 0;
  Shape with(int64_t m, int64_t n) const { return lead + Shape{m, n}; }
};

Sizes sizes_of(const Emitter& e, const Tensor& q, const Tensor& k, const Tensor& v) {
  const Shape &a = shape_of(q), &b = shape_of(k), &c = shape_of(v);
  auto types = [&] { return type_name(q) + ", " + type_name(k) + ", " + type_name(v); };
  if (std::min({a.size(), b.size(), c.size()}) < 2)
    e.fail<ShapeError>("Expected query, key, and value to all be at least 2 dimensional, but got " + types());
  if (q.dtype() != k.dtype() || q.dtype() != v.dtype())
    e.fail<DTypeError>("Expected query, key, and value to have the same dtype, but got " + types());
  if (!is_floating(q.dtype()))
    e.fail<DTypeError>("defined for floating dtypes, got " + type_name(q) + ": convert with to(f32)");
  if (a.back() != b.back())
    e.fail<ShapeError>("Expected query and key to have the same last extent, but got " + types());
  if (b[b.size() - 2] != c[c.size() - 2])
    e.fail<ShapeError>("Expected as many keys as values, the extent before the last, but got " + types());
  auto lead = [](const Shape& s) { return s.slice(0, s.size() - 2); };
  return {broadcast_shapes(e, broadcast_shapes(e, lead(a), lead(b)), lead(c)), a[a.size() - 2], b[b.size() - 2]};
}

Value masked(Emitter& e, Value scores, const Tensor& mask, DType given) {
  const Shape shape = e.b.shape(scores);
  if (!broadcasts_to(shape_of(mask), shape))
    e.fail<ShapeError>("the attn_mask is " + type_name(mask) + ": expected a shape that broadcasts to " +
                       to_string(shape));
  if (mask.dtype() == DType::boolean)
    return build::where(e.b, build::broadcast_to(e.b, e(mask), shape), scores,
                        splat(e, e.b.dtype(scores), shape, -inf));
  if (!is_floating(mask.dtype()))
    e.fail<DTypeError>("Expected attn_mask dtype to be bool or float or to match query dtype, " +
                       std::string(to_string(given)) + ", but got " + type_name(mask));
  return build::add(e.b, scores, build::broadcast_to(e.b, operand(e, mask, e.b.dtype(scores)), shape));
}

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& o,
                                    Location at) {
  constexpr std::string_view name = "scaled_dot_product_attention";
  Composite call(name, at);
  Tensor weights;
  {
    Emitter e(name, at, q, k, v);
    if (o.attn_mask.defined()) e.use(o.attn_mask);
    const Sizes s = sizes_of(e, q, k, v);
    if (o.attn_mask.defined() && o.is_causal)
      e.fail<TransformError>("Explicit attn_mask should not be set when is_causal=True");
    if (!(o.dropout_p >= 0 && o.dropout_p <= 1))
      e.fail<Error>("dropout probability has to be between 0 and 1, but got " + std::to_string(o.dropout_p));
    const DType within = computing_type(q.dtype());
    const int64_t length = shape_of(q).back();
    Value a = build::broadcast_to(e.b, operand(e, q, within), s.with(s.rows, length));
    Value b = build::broadcast_to(e.b, operand(e, k, within), s.with(s.columns, length));
    Value scores = build::scale(e.b, ir::product(e.b, a, false, b, true),
                                o.scale.value_or(1 / std::sqrt(static_cast<double>(length))));
    if (o.is_causal)
      scores = build::where(
          e.b, build::broadcast_to(e.b, ir::where_row(e.b, {s.rows, s.columns}, Direction::ge), e.b.shape(scores)),
          scores, splat(e, within, e.b.shape(scores), -inf));
    if (o.attn_mask.defined()) scores = masked(e, scores, o.attn_mask, q.dtype());
    weights = e.result(safe_softmax(e, scores));
  }
  if (o.dropout_p > 0) weights = dropout(weights, o.dropout_p, true, at);
  Emitter e(name, at, weights, v);
  const Sizes s = sizes_of(e, q, k, v);
  Value c = build::broadcast_to(e.b, operand(e, v, weights.dtype()), s.with(s.columns, shape_of(v).back()));
  return e.result(build::convert(e.b, ir::product(e.b, e(weights), false, c, false), q.dtype()));
}

namespace {

constexpr std::string_view kHeads = "multi_head_attention";

void check_heads(bool holds, const std::string& what, Location at) {
  if (!holds) fail<ShapeError>(kHeads, what, at);
}

// What is added to scores: -inf where a boolean mask holds.
Tensor additive(const Tensor& mask, DType dtype, std::string_view what, Location at) {
  if (mask.dtype() == DType::boolean) return where(mask, Arg(-inf, at), Arg(zeros_like(mask, dtype, at), at));
  if (!is_floating(mask.dtype()))
    fail<DTypeError>(kHeads, std::string(what) + " must be boolean or floating, got " + type_name(mask), at);
  return mask.to(dtype, at);
}

struct Projected {
  Tensor q, k, v;
};
Projected projected(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& weight, const Tensor& bias,
                    const MultiHeadAttentionOptions& o, Location at) {
  const int64_t n = q.size(-1);
  auto part = [&](const Tensor& t, int64_t i) { return t.defined() ? t.narrow(0, i * n, n, at) : Tensor(); };
  if (o.use_separate_proj_weight) {
    for (const auto& [name, t] :
         {std::pair{"q_proj_weight", &o.q_proj_weight}, std::pair{"k_proj_weight", &o.k_proj_weight},
          std::pair{"v_proj_weight", &o.v_proj_weight}})
      if (!t->defined())
        fail<TransformError>(kHeads, "use_separate_proj_weight is true but " + std::string(name) + " is undefined", at);
    return {linear(q, o.q_proj_weight, part(bias, 0), at), linear(k, o.k_proj_weight, part(bias, 1), at),
            linear(v, o.v_proj_weight, part(bias, 2), at)};
  }
  if (!weight.defined())
    fail<TransformError>(kHeads, "use_separate_proj_weight is false but in_proj_weight is undefined", at);
  check_heads(shape_of(weight) == Shape{3 * n, n},
              "expected in_proj_weight of shape " + to_string(Shape{3 * n, n}) + ", got " + type_name(weight), at);
  if (q.impl() == k.impl() && k.impl() == v.impl()) {  // one product
    std::vector<Tensor> all = linear(q, weight, bias, at).chunk(3, -1, at);
    return {all[0], all[1], all[2]};
  }
  return {linear(q, part(weight, 0), part(bias, 0), at), linear(k, part(weight, 1), part(bias, 1), at),
          linear(v, part(weight, 2), part(bias, 2), at)};
}

// A row more at the end of dim 0 of x [s, n, e]: `row` for each n.
Tensor with_row(const Tensor& x, const Tensor& row, Location at) {
  return cat({x, row.expand({1, x.size(1), x.size(2)}, at)}, 0, at);
}

}  // namespace

std::pair<Tensor, Tensor> multi_head_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                               int64_t embed_dim_to_check, int64_t num_heads,
                                               const Tensor& in_proj_weight, const Tensor& in_proj_bias,
                                               const Tensor& bias_k, const Tensor& bias_v, bool add_zero_attn,
                                               double dropout_p, const Tensor& out_proj_weight,
                                               const Tensor& out_proj_bias, const MultiHeadAttentionOptions& o,
                                               Location at) {
  Composite call(kHeads, at);
  const size_t rank = impl_of(query, kHeads, at).shape.size();
  check_heads((rank == 2 || rank == 3) && impl_of(key, kHeads, at).shape.size() == rank &&
                  impl_of(value, kHeads, at).shape.size() == rank,
              "query should be unbatched 2D or batched 3D, and key and value alike, but received " + type_name(query) +
                  ", " + type_name(key) + ", " + type_name(value),
              at);
  const bool batched = rank == 3;
  auto lift = [&](const Tensor& t) { return batched || !t.defined() ? t : t.unsqueeze(1, at); };
  const bool alike = query.impl() == key.impl() && key.impl() == value.impl();
  const Tensor q3 = lift(query), k3 = alike ? q3 : lift(key), v3 = alike ? q3 : lift(value);
  const int64_t rows = q3.size(0), lanes = q3.size(1), embed = q3.size(2);
  check_heads(embed == embed_dim_to_check,
              "was expecting embedding dimension of " + std::to_string(embed_dim_to_check) + ", but got " +
                  std::to_string(embed),
              at);
  check_heads(num_heads > 0 && embed % num_heads == 0,
              "embed_dim " + std::to_string(embed) + " not divisible by num_heads " + std::to_string(num_heads), at);
  check_heads(k3.size(0) == v3.size(0) && k3.size(1) == v3.size(1),
              "key and value differ in their lengths or batches: got " + type_name(key) + " and " + type_name(value),
              at);
  if (o.is_causal && !o.attn_mask.defined())
    fail<TransformError>(kHeads, "Need attn_mask if specifying the is_causal hint.", at);
  Projected p = projected(q3, k3, v3, in_proj_weight, in_proj_bias, o, at);

  Tensor mask = o.attn_mask, padding = o.key_padding_mask;
  if (mask.defined()) {
    mask = additive(mask, query.dtype(), "attn_mask", at);
    const Shape flat{rows, k3.size(0)}, heads = Shape{lanes * num_heads} + flat;
    check_heads(mask.shape() == flat || mask.shape() == heads,
                "attn_mask has the shape " + to_string(mask.shape()) + ", but should be " + to_string(flat) + " or " +
                    to_string(heads),
                at);
  }
  if (padding.defined()) {
    padding = additive(padding, query.dtype(), "key_padding_mask", at);
    if (!batched) padding = padding.unsqueeze(0, at);
    check_heads(padding.shape() == Shape{lanes, k3.size(0)},
                "expected a key_padding_mask of shape " + to_string(Shape{lanes, k3.size(0)}) + ", got " +
                    type_name(o.key_padding_mask),
                at);
  }
  auto more_keys = [&] {
    if (mask.defined()) mask = pad(mask, {0, 1}, Pad::constant, 0, at);
    if (padding.defined()) padding = pad(padding, {0, 1}, Pad::constant, 0, at);
  };
  if (bias_k.defined() && bias_v.defined()) {
    p.k = with_row(p.k, bias_k, at);
    p.v = with_row(p.v, bias_v, at);
    more_keys();
  } else {
    check_heads(!bias_k.defined() && !bias_v.defined(), "bias_k and bias_v are given together, or neither", at);
  }
  // [s, n, h d] as [n, h, s, d].
  const int64_t size = embed / num_heads;
  auto heads = [&](const Tensor& x) {
    return x.reshape({x.size(0), lanes, num_heads, size}, at).permute({1, 2, 0, 3}, at);
  };
  auto given = [&](const Tensor& x, std::string_view what) {
    check_heads(x.dim() == 3 && x.size(0) == lanes * num_heads && x.size(2) == size,
                "expecting " + std::string(what) + " of shape [" + std::to_string(lanes * num_heads) + ",s," +
                    std::to_string(size) + "], got " + type_name(x),
                at);
    return x.reshape({lanes, num_heads, x.size(1), size}, at);
  };
  Tensor q = heads(p.q), k = o.static_k.defined() ? given(o.static_k, "static_k") : heads(p.k);
  Tensor v = o.static_v.defined() ? given(o.static_v, "static_v") : heads(p.v);
  if (add_zero_attn) {
    k = pad(k, {0, 0, 0, 1}, Pad::constant, 0, at);
    v = pad(v, {0, 0, 0, 1}, Pad::constant, 0, at);
    more_keys();
  }
  const int64_t columns = k.size(2);
  if (mask.defined() && mask.dim() == 3) mask = mask.reshape({lanes, num_heads, rows, columns}, at);
  if (padding.defined()) {
    padding = padding.reshape({lanes, 1, 1, columns}, at);
    mask = mask.defined() ? mask + padding : padding;
  }
  const double dropped = o.training ? dropout_p : 0;
  Tensor out, weights;
  if (o.need_weights) {  // the softmax, of which rows of -inf are NaN
    Tensor scores =
        matmul(mul(Arg(q, at), Arg(1 / std::sqrt(static_cast<double>(size)), at)), k.transpose(2, 3, at), at);
    weights = softmax(mask.defined() ? scores + mask : scores, -1, at);
    if (dropped > 0) weights = dropout(weights, dropped, true, at);
    out = matmul(weights, v, at);
    if (o.average_attn_weights) weights = mean(weights, 1, false, at);
    if (!batched) weights = weights.squeeze(0, at);
  } else {
    out = scaled_dot_product_attention(q, k, v, {.attn_mask = mask, .dropout_p = dropped}, at);
  }
  out = linear(out.permute({2, 0, 1, 3}, at).reshape({rows, lanes, embed}, at), out_proj_weight, out_proj_bias, at);
  return {batched ? out : out.squeeze(1, at), weights};
}

}  // namespace jot::nn::functional
