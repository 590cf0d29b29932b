#include "ir/ops/window.h"

#include <algorithm>
#include <numeric>

#include "ir/ops/classes.h"

namespace jot::ir {

Tap tap(const WindowAxis& a, int64_t element) {
  const int64_t shared = std::gcd(a.stride, a.x_dilation), places = a.places();
  Tap t{0, a.x_dilation / shared, 0, a.stride / shared, 0};
  const int64_t shift = element * a.w_dilation - a.lo;  // of place 0, in steps of 1 / x_dilation elements
  if (shift % shared != 0) return t;
  // The first place with an element under it: not before one at 0, then one of each `step`.
  int64_t first = shift >= 0 ? 0 : (-shift + a.stride - 1) / a.stride;
  const int64_t last = std::min(places, first + t.step);
  while (first < last && (first * a.stride + shift) % a.x_dilation != 0) ++first;
  if (first >= last) return t;
  const int64_t from = (first * a.stride + shift) / a.x_dilation;
  if (from >= a.extent) return t;
  t.first = first;
  t.from = from;
  t.count = std::min((places - 1 - first) / t.step, (a.extent - 1 - from) / t.by) + 1;
  return t;
}

std::vector<int64_t> extents_along(const Shape& shape, Ints dims) {
  std::vector<int64_t> result;
  for (int64_t d : dims) result.push_back(shape[static_cast<size_t>(d)]);
  return result;
}

std::vector<WindowAxis> window_axes(AttrView attrs, Ints extents, Ints windows) {
  Ints stride = attrs.ints(Key::stride), lo = attrs.ints(Key::lo), hi = attrs.ints(Key::hi);
  Ints w_dilation = attrs.ints(Key::w_dilation), x_dilation;
  if (attrs.has(Key::x_dilation)) x_dilation = attrs.ints(Key::x_dilation);
  std::vector<WindowAxis> axes;
  for (size_t d = 0; d < extents.size(); ++d)
    axes.push_back(
        {extents[d], windows[d], stride[d], lo[d], hi[d], x_dilation.empty() ? 1 : x_dilation[d], w_dilation[d]});
  return axes;
}

build::Windows lists_of(const std::vector<WindowAxis>& axes) {
  build::Windows w;
  for (const WindowAxis& a : axes) {
    w.stride.push_back(a.stride);
    w.lo.push_back(a.lo);
    w.hi.push_back(a.hi);
    w.x_dilation.push_back(a.x_dilation);
    w.w_dilation.push_back(a.w_dilation);
  }
  return w;
}

namespace {

// From the first to the last of n elements this far apart, or padding of this size: sums of four do not overflow.
bool fits(int64_t n, int64_t dilation) {
  int64_t spread = 0;
  return !__builtin_mul_overflow(n, dilation, &spread) && spread < int64_t{1} << 60 && spread > -(int64_t{1} << 60);
}

}  // namespace

std::vector<WindowAxis> expect_windows(const InferContext& c, Ints extents, Ints windows) {
  for (Key key : {Key::stride, Key::lo, Key::hi, Key::x_dilation, Key::w_dilation}) {
    if (!c.attrs.has(key)) continue;
    Ints values = c.attrs.ints(key);
    const std::string name(name_of(key));
    if (values.size() != extents.size())
      c.shape_error(name + " " + list(values) + ": expected one value for each of " + std::to_string(extents.size()) +
                    " axes of the window, got " + std::to_string(values.size()));
    if (key != Key::lo && key != Key::hi && std::ranges::any_of(values, [](int64_t n) { return n < 1; }))
      c.shape_error(name + " " + list(values) + " must be positive");
  }
  std::vector<WindowAxis> axes = window_axes(c.attrs, extents, windows);
  for (size_t d = 0; d < axes.size(); ++d) {
    const WindowAxis& a = axes[d];
    if (!fits(a.extent, a.x_dilation) || !fits(a.window, a.w_dilation) || !fits(a.lo, 1) || !fits(a.hi, 1))
      c.shape_error("axis " + std::to_string(d) + " of the window: padding " + std::to_string(a.lo) + " and " +
                    std::to_string(a.hi) + " or dilation " + std::to_string(a.x_dilation) + " and " +
                    std::to_string(a.w_dilation) + " are too large: expected reaches below 2^60");
  }
  return axes;
}

}  // namespace jot::ir
