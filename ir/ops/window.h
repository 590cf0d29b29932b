// A window that moves along axes: what of them it covers where.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "ir/build.h"
#include "ir/rules.h"

namespace jot::ir {

// Of one axis. Its elements stand x_dilation apart, with zeros between them, lo before them and hi behind (negative:
// cropped); the elements of the window w_dilation apart.
struct WindowAxis {
  int64_t extent = 1, window = 1, stride = 1, lo = 0, hi = 0, x_dilation = 1, w_dilation = 1;

  static int64_t spread(int64_t n, int64_t dilation) { return n == 0 ? 0 : (n - 1) * dilation + 1; }
  int64_t length() const { return spread(extent, x_dilation); }  // from the first element to the last
  int64_t reach() const { return spread(window, w_dilation); }
  // Of the result: how many places there are.
  int64_t places() const {
    const int64_t room = lo + length() + hi - reach();
    return room < 0 ? 0 : room / stride + 1;
  }
  // The element under element k of the window at place o; -1: none.
  int64_t element(int64_t o, int64_t k) const {
    const int64_t at = o * stride + k * w_dilation - lo;
    if (at < 0 || at % x_dilation != 0 || at / x_dilation >= extent) return -1;
    return at / x_dilation;
  }
  // The axis of the result, seen from that of the operand: the same pairs of elements with the window read backwards.
  WindowAxis transposed() const {
    const int64_t y = places(), first = reach() - 1 - lo;
    return {y, window, x_dilation, first, length() + lo - spread(y, stride), stride, w_dilation};
  }
  // Both of them, seen from the window: the result moves over the operand, and its places are the window's elements.
  WindowAxis of_window() const {
    const int64_t y = places();
    return {extent, y, w_dilation, lo, reach() - 1 + spread(y, stride) - lo - length(), x_dilation, stride};
  }
};

// One element of a window along an axis: at place first + i step there is element from + i by under it, for i < count.
struct Tap {
  int64_t first = 0, step = 1, from = 0, by = 1, count = 0;
};
Tap tap(const WindowAxis& a, int64_t element);

std::vector<int64_t> extents_along(const Shape& shape, Ints dims);

// By the attributes stride, lo, hi, x_dilation (unless the op has none) and w_dilation.
std::vector<WindowAxis> window_axes(AttrView attrs, Ints extents, Ints windows);
build::Windows lists_of(const std::vector<WindowAxis>& axes);
// Throws ShapeError where one of the lists does not fit, a stride or dilation is not positive, or a sum overflows.
std::vector<WindowAxis> expect_windows(const InferContext& c, Ints extents, Ints windows);

}  // namespace jot::ir
