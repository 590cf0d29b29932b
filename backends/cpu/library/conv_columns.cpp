// Convolutions as products. Columns are the elements of x under the window: a row for each feature and element of the
// window, a column for each place. The result is w times them, in blocks of places that stay in the cache. Where the
// window is larger than the result, a row stands for each feature and place, a column for each element of the window,
// and the result is the sum over what is contracted of w times the transposed columns, in blocks of features. Blocks
// are divided among threads; which, depends on sizes only.
#include <algorithm>
#include <cstring>

#include "backends/cpu/library/blas.h"
#include "backends/cpu/library/conv.h"
#include "backends/cpu/runtime/plan.h"
#include "backends/cpu/runtime/pool.h"

namespace jot::cpu {
namespace {

using ir::WindowAxis;

// C = A B, or C += A B, B perhaps transposed.
template <class T>
struct Product {
  int64_t m, n, k;
  const T *a, *b;
  T* c;
  int64_t lda, ldb, ldc;
  bool transposed, adds;
};

// Integers modulo 2^n.
template <class T>
void multiply_in_loops(const Product<T>& p) {
  using U = typename std::conditional_t<std::is_integral_v<T>, std::make_unsigned<T>, std::type_identity<T>>::type;
  for (int64_t i = 0; i < p.m; ++i)
    for (int64_t j = 0; j < p.n; ++j) {
      U sum = p.adds ? static_cast<U>(p.c[i * p.ldc + j]) : U{};
      for (int64_t k = 0; k < p.k; ++k)
        sum += static_cast<U>(p.a[i * p.lda + k]) * static_cast<U>(p.b[p.transposed ? j * p.ldb + k : k * p.ldb + j]);
      p.c[i * p.ldc + j] = static_cast<T>(sum);
    }
}

template <class T>
void multiply(const Product<T>& p) {
  if constexpr (std::is_integral_v<T>) {
    multiply_in_loops(p);
  } else {
    constexpr int64_t kMost = (int64_t{1} << 31) - 1;
    if (std::max({p.m, p.n, p.k, p.lda, p.ldb, p.ldc}) > kMost) return multiply_in_loops(p);
    auto narrow = [](int64_t n) { return static_cast<blasint>(n); };
    auto turn = blas().turn();
    auto gemm = [&](auto f) {
      f(CblasRowMajor, CblasNoTrans, p.transposed ? CblasTrans : CblasNoTrans, narrow(p.m), narrow(p.n), narrow(p.k), 1,
        p.a, narrow(p.lda), p.b, narrow(p.ldb), p.adds ? 1 : 0, p.c, narrow(p.ldc));
    };
    if constexpr (std::is_same_v<T, float>)
      gemm(blas().cblas_sgemm);
    else
      gemm(blas().cblas_dgemm);
  }
}

// The axes as seen when window and result change places.
std::vector<WindowAxis> exchanged(std::vector<WindowAxis> axes) {
  for (WindowAxis& a : axes) a = {a.extent, a.places(), a.w_dilation, a.lo, a.hi, a.x_dilation, a.stride};
  return axes;
}

// Rows of columns: of one feature and one element of the window.
class Columns {
 public:
  Columns() = default;
  // counts: how many places each axis has.
  Columns(std::vector<WindowAxis> axes, std::vector<int64_t> counts, std::vector<int64_t> steps)
      : axes_(std::move(axes)), counts_(std::move(counts)), steps_(std::move(steps)) {
    for (int64_t k = 0; k < axes_.back().window; ++k) taps_.push_back(ir::tap(axes_.back(), k));
  }

  // Of places first .. last - 1, row-major.
  template <class T>
  void row(const T* x, int64_t element, int64_t first, int64_t last, T* to) const {
    const size_t end = axes_.size() - 1;
    const int64_t along = element % axes_[end].window, line = counts_[end];
    for (int64_t p = first; p < last;) {
      const int64_t begin = p % line, n = std::min(line - begin, last - p);
      const int64_t from = offset(element / axes_[end].window, p / line);
      if (from < 0)
        std::fill_n(to, n, T{});
      else
        segment(x + from, along, begin, n, to);
      p += n;
      to += n;
    }
  }

 private:
  // Of a line of places, where its axes but the last lead to; -1: beside x.
  int64_t offset(int64_t element, int64_t line) const {
    int64_t from = 0;
    for (size_t d = axes_.size() - 1; d-- > 0;) {
      const int64_t at = axes_[d].element(line % counts_[d], element % axes_[d].window);
      if (at < 0) return -1;
      from += at * steps_[d];
      line /= counts_[d];
      element /= axes_[d].window;
    }
    return from;
  }

  // Along the last axis, of places begin .. begin + n - 1.
  template <class T>
  void segment(const T* x, int64_t element, int64_t begin, int64_t n, T* to) const {
    const ir::Tap& t = taps_[static_cast<size_t>(element)];
    const int64_t skipped = begin <= t.first ? 0 : (begin - t.first + t.step - 1) / t.step;
    const int64_t first = t.first + skipped * t.step - begin;  // in `to`
    const int64_t count = std::min(t.count - skipped, first >= n ? 0 : (n - 1 - first) / t.step + 1);
    const int64_t by = t.by * steps_.back();
    if (count < n) std::fill_n(to, n, T{});
    if (count <= 0) return;
    const T* source = x + (t.from + skipped * t.by) * steps_.back();
    to += first;
    if (by == 1 && t.step == 1)
      std::copy_n(source, count, to);
    else
      for (int64_t i = 0; i < count; ++i) to[i * t.step] = source[i * by];
  }

  std::vector<ir::Tap> taps_;  // of the last axis
  std::vector<WindowAxis> axes_;
  std::vector<int64_t> counts_, steps_;
};

std::vector<int64_t> places_of(const std::vector<WindowAxis>& axes) {
  std::vector<int64_t> counts;
  for (const WindowAxis& a : axes) counts.push_back(a.places());
  return counts;
}
std::vector<int64_t> windows_of(const std::vector<WindowAxis>& axes) {
  std::vector<int64_t> counts;
  for (const WindowAxis& a : axes) counts.push_back(a.window);
  return counts;
}

constexpr int64_t kCache = 512 << 10;  // bytes of columns

int64_t blocks_of(int64_t n, int64_t block) { return (n + block - 1) / block; }

// Work in equal tasks, several of them a chunk.
template <class F>
void for_each_task(int64_t tasks, double nanoseconds, F f) {
  const int64_t chunks = chunks_for(tasks, nanoseconds), share = blocks_of(tasks, std::max<int64_t>(chunks, 1));
  auto body = [&](int64_t c, int worker) {
    for (int64_t t = c * share; t < std::min((c + 1) * share, tasks); ++t) f(t, worker);
  };
  parallel_for(chunks, body);
}

template <class T>
class ForwardColumns final : public ConvRoutine {
 public:
  explicit ForwardColumns(Conv conv)
      : ConvRoutine(std::move(conv)), columns_(c.axes, places_of(c.axes), c.x.spatial), rows_(c.in * c.window()) {
    if (std::is_floating_point_v<T>) library = blas().title;
    lies_ = columns_lie();
    const int64_t fits = lies_ ? c.places() : kCache / (static_cast<int64_t>(sizeof(T)) * std::max<int64_t>(rows_, 1));
    const int64_t balanced = blocks_of(c.places(), c.groups * c.batch == 1 ? 4 : 1);
    const int64_t block = std::min(fits, balanced);
    block_ = block >= c.places() ? c.places() : std::max<int64_t>(block / 16 * 16, 16);
    room_ = lies_ ? 0 : aligned(rows_ * block_ * size);
    const bool in_order = (c.window() == 1 || !c.flip) && (c.in == 1 || c.w.second == c.window());
    weights_ = in_order ? 0 : aligned(c.groups * c.out * rows_ * size);
    scratch_bytes += weights_ + room_ * num_threads();
  }

 private:
  // x is its own columns.
  bool columns_lie() const {
    int64_t step = 1;
    for (size_t d = c.axes.size(); d-- > 0;) {
      const WindowAxis& a = c.axes[d];
      if (a.window != 1 || a.stride != 1 || a.lo != 0 || a.x_dilation != 1 || a.places() != a.extent) return false;
      if (a.extent != 1 && c.x.spatial[d] != step) return false;
      step *= a.extent;
    }
    return true;
  }

  // [groups, out, in, window], read forwards.
  const T* packed_weights(const T* w, T* to) const {
    const int64_t n = c.window();
    for (int64_t i = 0; i < c.groups * c.out * c.in; ++i) {
      const T* from = w + i / (c.out * c.in) * c.w.group + i / c.in % c.out * c.w.first + i % c.in * c.w.second;
      for (int64_t k = 0; k < n; ++k) to[i * n + k] = from[c.flip ? n - 1 - k : k];
    }
    return to;
  }

  void convolve(const void* x, const void* weights, void* y, std::byte* scratch) const override {
    const int64_t places = c.places(), blocks = blocks_of(places, block_);
    const T* w = static_cast<const T*>(weights);
    if (weights_ > 0) w = packed_weights(w, reinterpret_cast<T*>(scratch));
    const int64_t w_group = weights_ > 0 ? c.out * rows_ : c.w.group, w_row = weights_ > 0 ? rows_ : c.w.first;
    const double nanoseconds = c.terms() / static_cast<double>(c.groups * c.batch * blocks) * 0.05 + 500;
    for_each_task(c.groups * c.batch * blocks, nanoseconds, [&](int64_t t, int worker) {
      const int64_t group = t / (c.batch * blocks), b = t / blocks % c.batch, first = t % blocks * block_;
      const int64_t n = std::min(block_, places - first);
      const T* from = static_cast<const T*>(x) + group * c.x.group + b * c.x.first;
      T* room = reinterpret_cast<T*>(scratch + weights_ + worker * room_);
      for (int64_t r = 0; r < rows_ && !lies_; ++r)
        columns_.row(from + r / c.window() * c.x.second, r % c.window(), first, first + n, room + r * n);
      T* to = static_cast<T*>(y) + group * c.y.group + b * c.y.first + first;
      multiply(Product<T>{c.out, n, rows_, w + group * w_group, lies_ ? from + first : room, to, std::max(w_row, rows_),
                          lies_ ? std::max(c.x.second, n) : n, std::max(c.y.second, n), false, false});
    });
  }

  Columns columns_;
  int64_t rows_, block_ = 16, room_ = 0, weights_ = 0;
  bool lies_ = false;
};

template <class T>
class WeightColumns final : public ConvRoutine {
 public:
  explicit WeightColumns(Conv conv)
      : ConvRoutine(std::move(conv)), columns_(exchanged(c.axes), windows_of(c.axes), c.x.spatial) {
    if (std::is_floating_point_v<T>) library = blas().title;
    const int64_t column = static_cast<int64_t>(sizeof(T)) * c.places();
    terms_ = std::clamp<int64_t>(kCache / column, 1, std::min<int64_t>(c.window(), 1024));
    features_ = std::clamp<int64_t>(kCache / (column * terms_), 1, std::max<int64_t>(blocks_of(c.batch, 4), 1));
    room_ = aligned(features_ * c.places() * terms_ * size);
    scratch_bytes += room_ * num_threads();
  }

 private:
  void convolve(const void* x, const void* w, void* y, std::byte* scratch) const override {
    const int64_t places = c.places(), window = c.window(), blocks = blocks_of(c.batch, features_);
    const double nanoseconds = c.terms() / static_cast<double>(c.groups * blocks) * 0.05 + 500;
    for_each_task(c.groups * blocks, nanoseconds, [&](int64_t t, int worker) {
      const int64_t group = t / blocks, feature = t % blocks * features_,
                    count = std::min(features_, c.batch - feature);
      T* room = reinterpret_cast<T*>(scratch + worker * room_);
      T* to = static_cast<T*>(y) + group * c.y.group + feature * c.y.first;
      for (int64_t i = 0; i < c.in; ++i)
        for (int64_t first = 0; first < window; first += terms_) {
          const int64_t n = std::min(terms_, window - first);
          const T* from = static_cast<const T*>(x) + group * c.x.group + i * c.x.second + feature * c.x.first;
          for (int64_t r = 0; r < count * places; ++r)
            columns_.row(from + r / places * c.x.first, r % places, first, first + n, room + r * n);
          multiply(Product<T>{
              c.out, count * places, n, static_cast<const T*>(w) + group * c.w.group + i * c.w.second + first, room, to,
              std::max(c.w.first, n), n, std::max(c.y.second, count * places), true, i > 0 || first > 0});
        }
    });
  }

  Columns columns_;
  int64_t terms_ = 1, features_ = 1, room_ = 0;
};

// Sums of nothing.
class Zeros final : public ConvRoutine {
 public:
  using ConvRoutine::ConvRoutine;

 private:
  void convolve(const void*, const void*, void* y, std::byte*) const override {
    std::fill_n(static_cast<std::byte*>(y), c.groups * c.batch * c.out * c.places() * size, std::byte{0});
  }
};

}  // namespace

std::unique_ptr<const Routine> make_column_conv(Conv conv) {
  std::unique_ptr<const Routine> r;
  if (conv.terms() == 0 || conv.extent() == 0) return std::make_unique<Zeros>(std::move(conv));
  visit_computing(conv.dtype, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (sizeof(T) == 1)
      internal_error("a dtype with products", to_string(conv.dtype));
    else if (conv.of_weights() && (conv.batch == 1 || conv.y.first == conv.places()))
      r = std::make_unique<WeightColumns<T>>(std::move(conv));
    else
      r = std::make_unique<ForwardColumns<T>>(std::move(conv));
  });
  return r;
}

}  // namespace jot::cpu
