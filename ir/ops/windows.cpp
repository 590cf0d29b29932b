// Sums and greatest elements under a window that moves along the axes `dims`. Of the other axes each has its own.
#include <algorithm>
#include <cmath>

#include "ir/ops/contraction.h"
#include "ir/ops/evaluate.h"
#include "ir/ops/structure.h"
#include "ir/ops/window.h"

namespace jot::ir {
namespace {

std::vector<WindowAxis> axes_of(AttrView attrs, const Shape& shape) {
  return window_axes(attrs, extents_along(shape, attrs.ints(Key::dims)), attrs.ints(Key::sizes));
}

Shape expect_window_shape(const InferContext& c) {
  expect_allowed(c, 0);
  Shape shape = c.shape(0);
  Ints dims = c.attrs.ints(Key::dims), sizes = c.attrs.ints(Key::sizes);
  expect_axes(c, "dims", dims, shape.size());
  if (sizes.size() != dims.size() || std::ranges::any_of(sizes, [](int64_t n) { return n < 1; }))
    c.shape_error("sizes " + list(sizes) + ": expected a positive one for each of dims " + list(dims));
  std::vector<WindowAxis> axes = expect_windows(c, extents_along(shape, dims), sizes);
  for (size_t d = 0; d < dims.size(); ++d) shape[static_cast<size_t>(dims[d])] = axes[d].places();
  return shape;
}

// Calls f(place of the result, places of x under its window in row-major order).
template <class F>
void for_each_window(const EvalContext& c, F f) {
  const Shape& from = c.operands[0].type->shape;
  Ints dims = c.attrs.ints(Key::dims);
  const std::vector<WindowAxis> axes = axes_of(c.attrs, from);
  const Shape window(c.attrs.ints(Key::sizes));
  std::vector<int64_t> under;
  for_each_index(c.type.shape, [&](const Shape& o, int64_t at) {
    under.clear();
    Shape i = o;
    for_each_index(window, [&](const Shape& k, int64_t) {
      for (size_t d = 0; d < axes.size(); ++d) {
        const auto dim = static_cast<size_t>(dims[d]);
        i[dim] = axes[d].element(o[dim], k[d]);
        if (i[dim] < 0) return;
      }
      under.push_back(position(from, i));
    });
    f(static_cast<size_t>(at), std::span<const int64_t>(under));
  });
}

// ---- sums

Type infer_window_sum(const InferContext& c) { return {c.dtype(0), false, expect_window_shape(c)}; }

void evaluate_window_sum(const EvalContext& c) {
  visit_computing(c.type.dtype, [&](auto zero) {
    using T = decltype(zero);
    auto x = c.operands[0].as<T>();
    auto out = c.result<T>();
    for_each_window(c, [&](size_t at, std::span<const int64_t> under) {
      Total<T> sum;
      for (int64_t i : under) sum.add(x[static_cast<size_t>(i)]);
      out[at] = sum.value();
    });
  });
}

void transpose_window_sum(const TransposeContext& c) {
  const Shape& shape = c.types[0]->shape;
  if (shape.numel() == 0 || c.b.shape(c.ct).numel() == 0) return;
  std::vector<WindowAxis> axes = axes_of(c.attrs, shape);
  for (WindowAxis& a : axes) a = a.transposed();
  c.cotangents[0] =
      build::reduce_window_sum(c.b, c.ct, c.attrs.ints(Key::dims), c.attrs.ints(Key::sizes), lists_of(axes));
}

Attrs for_lanes(AttrView attrs) {
  Attrs result(shifted(attrs.ints(Key::dims)));
  for (Key key : schema(attrs.op()).subspan(1)) result.add(attrs.ints(key));
  return result;
}

Value batch_window_sum(const BatchContext& c) { return c.b.emit(c.op, c.operands, for_lanes(c.attrs)); }

// ---- the greatest elements

void infer_window_argmax(const InferContext& c, std::vector<Type>& results) {
  const Shape shape = expect_window_shape(c);
  results.push_back({c.dtype(0), false, shape});
  results.push_back({DType::i64, false, shape});
}

// Where there is nothing under the window: the least value, at -1. Of several NaN the last.
void evaluate_window_argmax(const EvalContext& c) {
  const Shape& from = c.operands[0].type->shape;
  Ints dims = c.attrs.ints(Key::dims);
  const Shape plane(extents_along(from, dims));
  auto positions = c.result<int64_t>(1);
  visit_computing(c.type.dtype, [&](auto zero) {
    using T = decltype(zero);
    auto x = c.operands[0].as<T>();
    auto out = c.result<T>();
    auto is_nan = [](T v) { return v != v; };
    for_each_window(c, [&](size_t at, std::span<const int64_t> under) {
      T best = Largest<T>().value();
      int64_t found = -1;
      for (int64_t i : under) {
        const T v = x[static_cast<size_t>(i)];
        if (found >= 0 && !(v > best) && !is_nan(v)) continue;
        best = v;
        found = i;
      }
      out[at] = best;
      positions[at] = found;
      if (found < 0) return;
      Shape index(dims);
      const Shape steps = row_major_steps(from);
      for (size_t d = 0; d < dims.size(); ++d) {
        const auto dim = static_cast<size_t>(dims[d]);
        index[d] = found / steps[dim] % from[dim];
      }
      positions[at] = position(plane, index);
    });
  });
}

// The elements of x at positions along dims, row-major; 0 where these are -1.
Value taken_from_plane(Builder& b, Value x, Value positions, Ints dims) {
  std::vector<int64_t> perm = free_axes(b.shape(x).size(), {dims});
  const size_t rest = perm.size();
  perm.insert(perm.end(), dims.begin(), dims.end());
  auto lines = [&](Value v) {
    v = build::permute(b, v, perm);
    const Shape shape = b.shape(v), outer = shape.slice(0, rest);
    return build::reshape(b, v, outer + Shape{shape.slice(rest, shape.size()).numel()});
  };
  const Shape result = b.shape(build::permute(b, positions, perm));
  build::GatherDims g;
  const auto line = static_cast<int64_t>(rest);
  g.operand_batch = g.index_batch = build::all_axes(rest);
  g.collapsed = g.index_map = {line};
  Value indices = lines(positions);
  Value taken = build::gather(b, lines(x), build::reshape(b, indices, b.shape(indices) + Shape{1}), g,
                              std::vector<int64_t>(rest + 1, 1), IndexMode::fill);
  return build::permute(b, build::reshape(b, taken, result), build::inverse(perm));
}

void jvp_window_argmax(const JvpContext& c, std::span<Value> tangents) {
  tangents[0] = taken_from_plane(c.b, c.tangents[0], c.outs[1], c.attrs.ints(Key::dims));
}

void batch_window_argmax(const BatchContext& c, std::span<Value> results, std::span<bool>) {
  results[0] = c.b.emit(c.op, c.operands, for_lanes(c.attrs));
  results[1] = results[0] + 1;
}

}  // namespace

void define_windows(RuleTable& table) {
  table.define(Op::reduce_window_sum_op,
               linear(infer_window_sum, evaluate_window_sum, transpose_window_sum, structured<batch_window_sum>));
  table.define(Op::window_argmax_op,
               {infer_window_argmax, evaluate_window_argmax, jvp_window_argmax, kNotLinear, batch_window_argmax});
}

}  // namespace jot::ir
