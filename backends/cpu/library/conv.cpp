// Convolutions: f32 by oneDNN where that takes them and they are not small, all others as products with columns.
#include "backends/cpu/library/conv.h"
#include "backends/cpu/library/operands.h"

#include <algorithm>
#include <atomic>
#include <bit>

#include "backends/cpu/routines/clones.h"
#include "backends/cpu/runtime/plan.h"
#include "backends/cpu/runtime/pool.h"

namespace jot::cpu {

using ir::Ints;
using ir::Key;

namespace {

using Dims = std::vector<int64_t>;

// The axes of an operand by role: groups, first, second, spatial.
struct Roles {
  Dims group, first, second, spatial;
};

bool lie_in_order(const Shape& x, const Dims& steps, const Dims& axes) {
  int64_t step = 0;
  return merged(x, steps, axes, &step) && step <= 1;
}

// Packed: the groups, then first or second, the other of them, spatial. Out: the copy leads from there.
ConvSteps steps_of(const Shape& x, const Roles& r, int size, bool contiguous, bool second_first, bool out) {
  const Dims steps = row_major(x);
  ConvSteps s;
  if (merged(x, steps, r.group, &s.group) && merged(x, steps, r.first, &s.first) &&
      merged(x, steps, r.second, &s.second) && (!contiguous || lie_in_order(x, steps, r.spatial))) {
    for (int64_t d : r.spatial) s.spatial.push_back(steps[static_cast<size_t>(d)]);
    return s;
  }
  s.packed = true;
  s.copy.size = size;
  int64_t step = 1;
  auto place = [&](const Dims& axes) {
    const int64_t inner = step;
    for (size_t i = axes.size(); i-- > 0;) {
      const auto d = static_cast<size_t>(axes[i]);
      out ? s.copy.add(x[d], step, steps[d]) : s.copy.add(x[d], steps[d], step);
      step *= x[d];
    }
    return inner;
  };
  for (size_t i = r.spatial.size(); i-- > 0;) s.spatial.insert(s.spatial.begin(), place({r.spatial[i]}));
  (second_first ? s.first : s.second) = place(second_first ? r.first : r.second);
  (second_first ? s.second : s.first) = place(second_first ? r.second : r.first);
  s.group = place(r.group);
  s.copy.normalise();
  return s;
}

}  // namespace

Conv conv_of(const ir::GraphData& g, ir::Value v, bool contiguous) {
  const Shape &xs = g.shape(g.operand(v, 0)), &ws = g.shape(g.operand(v, 1));
  const ir::AttrView a = g.attrs(v);
  auto vec = [](Ints list) { return Dims(list.begin(), list.end()); };
  Roles x{vec(a.first(Key::batch)), {}, vec(a.first(Key::contract)), vec(a.first(Key::spatial))};
  Roles w{vec(a.second(Key::batch)), {}, vec(a.second(Key::contract)), vec(a.second(Key::spatial))}, y;
  auto free = [](size_t rank, const Roles& r) {
    Dims dims;
    for (int64_t d = 0; d < static_cast<int64_t>(rank); ++d)
      if (!contains(r.group, d) && !contains(r.second, d) && !contains(r.spatial, d)) dims.push_back(d);
    return dims;
  };
  x.first = free(xs.size(), x);
  w.first = free(ws.size(), w);
  const Dims place = ir::build::inverse(a.ints(Key::perm));
  auto next = place.begin();
  for (auto [to, from] : {std::pair{&y.group, &x.group}, {&y.first, &x.first}, {&y.second, &w.first}}) {
    to->assign(next, next + std::ssize(*from));
    next += std::ssize(*from);
  }
  y.spatial.assign(next, place.end());

  Conv c;
  c.dtype = g.dtype(v);
  c.groups = extent_of(xs, x.group);
  c.batch = extent_of(xs, x.first);
  c.in = extent_of(xs, x.second);
  c.out = extent_of(ws, w.first);
  c.axes = ir::window_axes(a, ir::extents_along(xs, x.spatial), ir::extents_along(ws, w.spatial));
  c.flip = a.integer(Key::flip) != 0;
  const int size = size_of(c.dtype);
  c.x = steps_of(xs, x, size, false, false, false);
  c.w = steps_of(ws, w, size, contiguous, false, false);
  c.y = steps_of(g.shape(v), y, size, contiguous, c.of_weights(), true);
  if (c.axes.empty()) {
    c.axes.emplace_back();
    for (ConvSteps* s : {&c.x, &c.w, &c.y}) s->spatial.push_back(1);
  }
  return c;
}

namespace {

// Somewhere an element of the window covers nothing.
bool has_gaps(const Conv& c) {
  return std::ranges::any_of(c.axes, [](const ir::WindowAxis& a) {
    return a.lo > 0 || a.x_dilation > 1 || (a.places() - 1) * a.stride + a.reach() - a.lo > a.length();
  });
}

// One of n bit patterns has all bits of the exponent: infinity or NaN.
JOT_CLONES bool has_special(const uint32_t* x, int64_t n) {
  uint32_t found = 0;
  for (int64_t i = 0; i < n; ++i) found |= (x[i] & 0x7f800000u) == 0x7f800000u;
  return found != 0;
}
JOT_CLONES bool has_special(const uint64_t* x, int64_t n) {
  uint64_t found = 0;
  for (int64_t i = 0; i < n; ++i) found |= (x[i] & 0x7ff0000000000000u) == 0x7ff0000000000000u;
  return found != 0;
}
template <class T>
bool any_special(const void* data, int64_t n) {
  constexpr int64_t kPiece = 1 << 15;
  std::atomic<bool> found = false;
  const T* x = static_cast<const T*>(data);
  auto body = [&](int64_t i, int) {
    if (has_special(x + i * kPiece, std::min(kPiece, n - i * kPiece))) found.store(true, std::memory_order_relaxed);
  };
  parallel_for((n + kPiece - 1) / kPiece, body);
  return found.load(std::memory_order_relaxed);
}
bool any_special(DType dtype, const void* data, int64_t n) {
  return dtype == DType::f32 ? any_special<uint32_t>(data, n) : any_special<uint64_t>(data, n);
}

template <class T>
T place_of(const Conv& c, const T* x, const T* w, int64_t place) {
  double sum = 0;
  for (int64_t i = 0; i < c.in; ++i)
    for (int64_t k = 0; k < c.window(); ++k) {
      int64_t from = i * c.x.second, element = i * c.w.second, o = place, tap = k;
      bool covered = true;
      for (size_t d = c.axes.size(); d-- > 0 && covered;) {
        const ir::WindowAxis& a = c.axes[d];
        const int64_t t = tap % a.window, at = a.element(o % a.places(), t);
        covered = at >= 0;
        from += at * c.x.spatial[d];
        element += (c.flip ? a.window - 1 - t : t) * c.w.spatial[d];
        o /= a.places();
        tap /= a.window;
      }
      if (covered) sum += static_cast<double>(x[from]) * static_cast<double>(w[element]);
    }
  return static_cast<T>(sum);
}

template <class T>
void convolve_in_loops(const Conv& c, const T* x, const T* w, T* y) {
  const int64_t places = c.places();
  auto body = [&](int64_t t, int) {
    const int64_t group = t / (c.batch * c.out), b = t / c.out % c.batch, made = t % c.out;
    for (int64_t p = 0; p < places; ++p) {
      int64_t to = group * c.y.group + b * c.y.first + made * c.y.second, rest = p;
      for (size_t d = c.axes.size(); d-- > 0; rest /= c.axes[d].places())
        to += rest % c.axes[d].places() * c.y.spatial[d];
      y[to] = place_of(c, x + group * c.x.group + b * c.x.first, w + group * c.w.group + made * c.w.first, p);
    }
  };
  parallel_for(c.groups * c.batch * c.out, body);
}

}  // namespace

ConvRoutine::ConvRoutine(Conv conv)
    : c(std::move(conv)),
      size(size_of(c.dtype)),
      window_elements_(is_floating(c.dtype) && has_gaps(c) ? c.groups * c.in * c.out * c.window() : 0),
      results_(c.groups * c.batch * c.out * c.places()) {
  for (const ConvSteps* s : {&c.x, &c.w, &c.y})
    if (s->packed) scratch_bytes += aligned(s->copy.count() * size);
}

void ConvRoutine::run(std::span<const void* const> operands, void* out, std::byte* scratch, KernelError&) const {
  auto room = [&](const ConvSteps& s) {
    std::byte* at = scratch;
    if (s.packed) scratch += aligned(s.copy.count() * size);
    return at;
  };
  const void* x = c.x.pack(operands[0], room(c.x));
  const void* w = c.w.pack(operands[1], room(c.w));
  void* y = c.y.packed ? room(c.y) : out;
  auto unpack = [&] {
    if (c.y.packed) c.y.copy.run(y, out);
  };
  auto special_window = [&] { return any_special(c.dtype, operands[1], window_elements_); };
  // What has met an element that is not finite is not finite either: of the two the smaller is looked at first.
  const bool results_first = results_ < window_elements_;
  bool in_loops = !results_first && special_window();
  if (!in_loops) {
    convolve(x, w, y, scratch);
    unpack();
    in_loops = results_first && any_special(c.dtype, out, results_) && special_window();
  }
  if (!in_loops) return;
  if (c.dtype == DType::f32)
    convolve_in_loops(c, static_cast<const float*>(x), static_cast<const float*>(w), static_cast<float*>(y));
  else
    convolve_in_loops(c, static_cast<const double*>(x), static_cast<const double*>(w), static_cast<double*>(y));
  unpack();
}

std::unique_ptr<const Routine> make_conv(const RoutineContext& context) {
  constexpr double kSmall = 1 << 17;
  Conv c = conv_of(context.g, context.v, false);
  if (c.dtype == DType::f32 && c.terms() >= kSmall)
    if (std::unique_ptr<const Routine> r = make_onednn_conv(c)) return r;
  return make_column_conv(conv_of(context.g, context.v, true));
}

}  // namespace jot::cpu
