// The convolution: a dot whose window moves. Bilinear.
//
// As in dot, `contract` and `batch` pair axes of x with axes of w (the features that are summed; what groups and lanes
// go through together), and the others are free: of x the batch, of w the features that are made. `spatial` pairs the
// axes of x along which the window moves with those of the window, w. Before `perm` the dims of the result are batch,
// free of x, free of w, spatial; dim i is the one of these that perm[i] names. A place of the result is the sum of what
// the window covers there times its elements, which with `flip` are read from the last to the first. Where the window
// covers padding, or zeros of x_dilation, there is nothing to add, whatever its element.
#include <algorithm>

#include "ir/ops/contraction.h"
#include "ir/ops/evaluate.h"
#include "ir/ops/structure.h"
#include "ir/ops/window.h"

namespace jot::ir {
namespace {

using Dims = std::vector<int64_t>;

// The axes of one operand.
struct Side {
  Ints contract, batch, spatial;
  Dims free;
};
Side side(AttrView a, size_t i, size_t rank) {
  Side s;
  auto list = [&](Key key) { return i == 0 ? a.first(key) : a.second(key); };
  s.contract = list(Key::contract);
  s.batch = list(Key::batch);
  s.spatial = list(Key::spatial);
  s.free = free_axes(rank, {s.contract, s.batch, s.spatial});
  return s;
}

Dims chosen(Ints list, Ints places) {
  Dims result;
  for (int64_t p : places) result.push_back(list[static_cast<size_t>(p)]);
  return result;
}
// The place of x in the list, once that is sorted.
int64_t rank_of(Ints list, int64_t x) {
  return std::ranges::count_if(list, [x](int64_t y) { return y < x; });
}

Shape canonical_shape(const Shape& x, const Shape& w, const Side& of_x, const Side& of_w,
                      const std::vector<WindowAxis>& windows) {
  Shape shape;
  for (int64_t n : extents_along(x, of_x.batch)) shape.push_back(n);
  for (int64_t n : extents_along(x, of_x.free)) shape.push_back(n);
  for (int64_t n : extents_along(w, of_w.free)) shape.push_back(n);
  for (const WindowAxis& a : windows) shape.push_back(a.places());
  return shape;
}

Type infer_conv(const InferContext& c) {
  expect_allowed(c, 0);
  expect_same_dtype(c, 0, 1);
  Side sides[2];
  for (size_t i = 0; i < 2; ++i) {
    sides[i] = side(c.attrs, i, c.shape(i).size());
    Dims used(sides[i].contract.begin(), sides[i].contract.end());
    for (Ints list : {sides[i].batch, sides[i].spatial}) used.insert(used.end(), list.begin(), list.end());
    expect_axes(c, "contract, batch and spatial axes of operand " + std::to_string(i), used, c.shape(i).size());
  }
  expect_pairs(c, "contract", sides[0].contract, sides[1].contract);
  expect_pairs(c, "batch", sides[0].batch, sides[1].batch);
  Ints over = sides[0].spatial, window = sides[1].spatial;
  if (over.size() != window.size())
    c.shape_error("spatial [" + list(over) + "," + list(window) + "] must name as many axes of either operand");
  std::vector<WindowAxis> windows =
      expect_windows(c, extents_along(c.shape(0), over), extents_along(c.shape(1), window));
  Shape canonical = canonical_shape(c.shape(0), c.shape(1), sides[0], sides[1], windows);
  Ints perm = c.attrs.ints(Key::perm);
  if (perm.size() != canonical.size())
    c.shape_error("perm " + list(perm) + ": expected one value for each of " + std::to_string(canonical.size()) +
                  " dims of the result, got " + std::to_string(perm.size()));
  expect_axes(c, "perm", perm, perm.size());
  return {c.dtype(0), false, Shape(chosen(canonical, perm))};
}

void evaluate_conv(const EvalContext& c) {
  const Shape &xs = c.operands[0].type->shape, &ws = c.operands[1].type->shape;
  Side x = side(c.attrs, 0, xs.size()), w = side(c.attrs, 1, ws.size());
  const std::vector<WindowAxis> windows =
      window_axes(c.attrs, extents_along(xs, x.spatial), extents_along(ws, w.spatial));
  const Shape canonical = canonical_shape(xs, ws, x, w, windows);
  const Shape contracted(extents_along(xs, x.contract)), window(extents_along(ws, w.spatial));
  const Dims place = build::inverse(c.attrs.ints(Key::perm));
  const bool flip = c.attrs.integer(Key::flip) != 0;
  visit_computing(c.type.dtype, [&](auto zero) {
    using T = decltype(zero);
    auto a = c.operands[0].as<T>(), b = c.operands[1].as<T>();
    auto out = c.result<T>();
    Shape i = xs, j = ws, target = c.type.shape;
    auto set = [](Shape& index, Ints dims, const Shape& values, size_t from) {
      for (size_t d = 0; d < dims.size(); ++d) index[static_cast<size_t>(dims[d])] = values[from + d];
    };
    for_each_index(canonical, [&](const Shape& o, int64_t) {
      set(i, x.batch, o, 0);
      set(j, w.batch, o, 0);
      set(i, x.free, o, x.batch.size());
      set(j, w.free, o, x.batch.size() + x.free.size());
      Total<T> sum;
      for_each_index(contracted, [&](const Shape& k, int64_t) {
        set(i, x.contract, k, 0);
        set(j, w.contract, k, 0);
        for_each_index(window, [&](const Shape& t, int64_t) {
          for (size_t d = 0; d < windows.size(); ++d) {
            const int64_t at = windows[d].element(o[o.size() - windows.size() + d], t[d]);
            if (at < 0) return;
            i[static_cast<size_t>(x.spatial[d])] = at;
            j[static_cast<size_t>(w.spatial[d])] = flip ? window[d] - 1 - t[d] : t[d];
          }
          sum.add(times(a[static_cast<size_t>(position(xs, i))], b[static_cast<size_t>(position(ws, j))]));
        });
      });
      set(target, place, o, 0);
      out[static_cast<size_t>(position(c.type.shape, target))] = sum.value();
    });
  });
}

Value jvp_conv(const JvpContext& c) {
  Value x = c.has(0) ? c.b.emit(c.op, {c.tangents[0], c.primals[1]}, c.attrs.words()) : kNoValue;
  Value w = c.has(1) ? c.b.emit(c.op, {c.primals[0], c.tangents[1]}, c.attrs.words()) : kNoValue;
  return build::add_any(c.b, x, w);
}

build::ConvAxes exchanged(build::ConvAxes axes) {
  for (auto* pair : {&axes.contract, &axes.batch, &axes.spatial}) std::swap((*pair)[0], (*pair)[1]);
  return axes;
}

// Both are convolutions of the same pairs of elements, seen from another of the three.
void transpose_conv(const TransposeContext& c) {
  Builder& b = c.b;
  const bool of_x = c.linear(0);
  const Shape &xs = c.types[0]->shape, &ws = c.types[1]->shape;
  if (b.shape(c.ct).numel() == 0 || xs.numel() == 0 || ws.numel() == 0) return;
  const Side x = side(c.attrs, 0, xs.size()), w = side(c.attrs, 1, ws.size());
  const Dims place = build::inverse(c.attrs.ints(Key::perm));  // in ct, of the dims before perm
  const size_t batch = x.batch.size(), made = batch + x.free.size(), first = made + w.free.size();
  const Dims ct_batch(place.begin(), place.begin() + static_cast<int64_t>(batch));
  const Dims ct_x(place.begin() + static_cast<int64_t>(batch), place.begin() + static_cast<int64_t>(made));
  const Dims ct_w(place.begin() + static_cast<int64_t>(made), place.begin() + static_cast<int64_t>(first));
  const Dims ct_spatial(place.begin() + static_cast<int64_t>(first), place.end());
  const bool flip = c.attrs.integer(Key::flip) != 0;
  std::vector<WindowAxis> windows = window_axes(c.attrs, extents_along(xs, x.spatial), extents_along(ws, w.spatial));

  auto vec = [](Ints list) { return Dims(list.begin(), list.end()); };
  const Side& self = of_x ? x : w;
  const Dims& ct_free = of_x ? ct_x : ct_w;            // dims of ct that are free in the result
  const Ints paired = of_x ? w.contract : x.contract;  // dims of the other operand that are
  const bool ct_first = of_x || flip;                  // the window moves over ct
  const size_t after_ct = batch + (ct_first ? 0 : paired.size()), after_other = batch + (ct_first ? ct_free.size() : 0);
  Dims perm(c.types[of_x ? 0 : 1]->shape.size());
  auto set = [&](int64_t dim, size_t to) { perm[static_cast<size_t>(dim)] = static_cast<int64_t>(to); };
  for (size_t i = 0; i < batch; ++i) set(self.batch[i], i);
  for (size_t i = 0; i < self.free.size(); ++i)
    set(self.free[i], after_ct + static_cast<size_t>(rank_of(ct_free, ct_free[i])));
  for (size_t i = 0; i < self.contract.size(); ++i)
    set(self.contract[i], after_other + static_cast<size_t>(rank_of(paired, paired[i])));
  for (size_t i = 0; i < self.spatial.size(); ++i) set(self.spatial[i], batch + ct_free.size() + paired.size() + i);

  for (WindowAxis& a : windows) {
    if (ct_first) a = a.transposed();
    if (!of_x) a = a.of_window();
  }
  const build::ConvAxes axes =
      of_x ? build::ConvAxes{{ct_w, w.free}, {ct_batch, vec(w.batch)}, {ct_spatial, vec(w.spatial)}}
           : build::ConvAxes{{x.free, ct_x}, {vec(x.batch), ct_batch}, {vec(x.spatial), ct_spatial}};
  if (of_x)
    c.cotangents[0] = build::conv(b, c.ct, c.operands[1], axes, lists_of(windows), !flip, perm);
  else
    c.cotangents[1] = flip ? build::conv(b, c.ct, c.operands[0], exchanged(axes), lists_of(windows), false, perm)
                           : build::conv(b, c.operands[0], c.ct, axes, lists_of(windows), false, perm);
}

// Both batched: a batch axis. One batched: a free axis.
Value batch_conv(const BatchContext& c) {
  build::ConvAxes axes;
  size_t lane = c.attrs.first(Key::batch).size();  // before perm
  for (size_t i = 0; i < 2; ++i) {
    auto take = [&](Key key) {
      Ints dims = i == 0 ? c.attrs.first(key) : c.attrs.second(key);
      return c.batched[i] ? shifted(dims) : Dims(dims.begin(), dims.end());
    };
    axes.contract[i] = take(Key::contract);
    axes.batch[i] = take(Key::batch);
    axes.spatial[i] = take(Key::spatial);
    if (c.batched[0] && c.batched[1]) axes.batch[i].insert(axes.batch[i].begin(), 0);
  }
  if (c.batched[0] && c.batched[1]) lane = 0;
  if (!c.batched[0]) lane += side(c.attrs, 0, c.b.shape(c.operands[0]).size()).free.size();
  Dims perm = {static_cast<int64_t>(lane)};
  for (int64_t d : c.attrs.ints(Key::perm)) perm.push_back(d + (d >= perm[0]));
  auto list = [&](Key key) { return Dims(c.attrs.ints(key).begin(), c.attrs.ints(key).end()); };
  build::Windows windows{list(Key::stride), list(Key::lo), list(Key::hi), list(Key::x_dilation), list(Key::w_dilation)};
  return build::conv(c.b, c.operands[0], c.operands[1], axes, windows, c.attrs.integer(Key::flip) != 0, perm);
}

}  // namespace

void define_conv(RuleTable& table) {
  table.define(Op::conv_op, {infer_conv, evaluate_conv, jvp_conv, transpose_conv, structured<batch_conv>});
}

}  // namespace jot::ir
