// Convolutions as products. Columns are the elements of x under the window: a row for each feature and element of the
// window, a column for each place. The result is w times them, in blocks that stay in the cache. Where columns of the
// result, of each of its features and element of the window and of each element of x, are fewer, they are made, as the
// transposed w times x, and added up. Where the window is larger than the result, a row stands for each feature and
// place, a column for each element of the window, and the result is the sum over what is contracted of w times the
// transposed columns, in blocks of features. Blocks are divided among threads; which, depends on sizes only.
#include <algorithm>
#include <cstring>
#include <functional>

#include "backends/cpu/library/blas.h"
#include "backends/cpu/library/conv.h"
#include "backends/cpu/runtime/plan.h"
#include "backends/cpu/runtime/pool.h"
#include "ir/ops/total.h"

namespace jot::cpu {
namespace {

using ir::WindowAxis;

// C = A B, or C += A B, either of them perhaps transposed.
template <class T>
struct Product {
  int64_t m, n, k;
  const T *a, *b;
  T* c;
  int64_t lda, ldb, ldc;
  bool a_transposed, b_transposed, adds;
};

// Integers modulo 2^n.
template <class T>
void multiply_in_loops(const Product<T>& p) {
  using U = typename std::conditional_t<std::is_integral_v<T>, std::make_unsigned<T>, std::type_identity<T>>::type;
  for (int64_t i = 0; i < p.m; ++i)
    for (int64_t j = 0; j < p.n; ++j) {
      U sum = p.adds ? static_cast<U>(p.c[i * p.ldc + j]) : U{};
      for (int64_t k = 0; k < p.k; ++k)
        sum += static_cast<U>(p.a[p.a_transposed ? k * p.lda + i : i * p.lda + k]) *
               static_cast<U>(p.b[p.b_transposed ? j * p.ldb + k : k * p.ldb + j]);
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
    auto turned = [](bool transposed) { return transposed ? CblasTrans : CblasNoTrans; };
    auto turn = blas().turn();
    auto gemm = [&](auto f) {
      f(CblasRowMajor, turned(p.a_transposed), turned(p.b_transposed), narrow(p.m), narrow(p.n), narrow(p.k), 1, p.a,
        narrow(p.lda), p.b, narrow(p.ldb), p.adds ? 1 : 0, p.c, narrow(p.ldc));
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
    each_segment(element, first, last, [&](const Segment& s) {
      T* line = to + s.place;
      if (s.count < s.places) std::fill_n(line, s.places, T{});
      const T* from = x + s.from;
      if (s.by == 1 && s.step == 1)
        std::copy_n(from, s.count, line + s.skipped);
      else
        for (int64_t i = 0; i < s.count; ++i) line[s.skipped + i * s.step] = from[i * s.by];
    });
  }

  // The other way: adds such a row to what its elements are of.
  template <class T>
  void add_row(const T* row, int64_t element, int64_t first, int64_t last, T* x) const {
    each_segment(element, first, last, [&](const Segment& s) {
      const T* line = row + s.place + s.skipped;
      T* to = x + s.from;
      if (s.by == 1 && s.step == 1)
        for (int64_t i = 0; i < s.count; ++i) to[i] = ir::plus(to[i], line[i]);
      else
        for (int64_t i = 0; i < s.count; ++i) to[i * s.by] = ir::plus(to[i * s.by], line[i * s.step]);
    });
  }

 private:
  // Places that lie along the last axis: under `count` of them, `step` apart, there are elements, `by` apart.
  struct Segment {
    int64_t place, places, skipped, count, step, from, by;  // the first place is counted from that of the row
  };
  template <class F>
  void each_segment(int64_t element, int64_t first, int64_t last, F f) const {
    const WindowAxis& a = axes_.back();
    const ir::Tap& t = taps_[static_cast<size_t>(element % a.window)];
    const int64_t line = counts_.back();
    for (int64_t p = first; p < last;) {
      const int64_t begin = p % line, n = std::min(line - begin, last - p);
      const int64_t from = offset(element / a.window, p / line);
      const int64_t passed = begin <= t.first ? 0 : (begin - t.first + t.step - 1) / t.step;
      const int64_t skipped = t.first + passed * t.step - begin;
      const int64_t count = std::min(t.count - passed, skipped >= n ? 0 : (n - 1 - skipped) / t.step + 1);
      if (from < 0 || count <= 0)
        f(Segment{p - first, n, 0, 0, 1, 0, 1});
      else
        f(Segment{p - first, n, skipped, count, t.step, from + (t.from + passed * t.by) * steps_.back(),
                  t.by * steps_.back()});
      p += n;
    }
  }

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

  std::vector<ir::Tap> taps_;  // of the last axis
  std::vector<WindowAxis> axes_;
  std::vector<int64_t> counts_, steps_;
};

// A member of each axis.
template <class Member>
std::vector<int64_t> of_each(const std::vector<WindowAxis>& axes, Member member) {
  std::vector<int64_t> values;
  for (const WindowAxis& a : axes) values.push_back(std::invoke(member, a));
  return values;
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

// Whether elements along the axes lie one behind the other.
bool lie_in_order(const std::vector<WindowAxis>& axes, const std::vector<int64_t>& steps) {
  int64_t step = 1;
  for (size_t d = axes.size(); d-- > 0; step *= axes[d].extent)
    if (axes[d].extent != 1 && steps[d] != step) return false;
  return true;
}

// All tasks have the same weights: where these stay not in the cache, a task makes so many columns that reading them
// matters little, some rows at a time: of a block of places or, where there are few, of several of the batch.
template <class T>
class ForwardColumns final : public ConvRoutine {
 public:
  explicit ForwardColumns(Conv conv)
      : ConvRoutine(std::move(conv)),
        columns_(c.axes, of_each(c.axes, &WindowAxis::places), c.x.spatial),
        rows_(c.in * c.window()) {
    if (std::is_floating_point_v<T>) library = blas().title;
    lies_ = columns_lie();
    constexpr int64_t kColumns = 256, kLeast = 64;
    const int64_t places = c.places();
    int64_t block = kCache / (size * rows_);
    if (c.out * rows_ * size > kCache) block = std::max(block, kColumns);
    if (lies_) block = places;
    if (c.groups * c.batch == 1 && places >= 4 * kLeast) block = std::min(block, blocks_of(places, 4));
    block_ = block >= places ? places : std::max<int64_t>(block / 16 * 16, 16);
    if (!lies_) images_ = std::clamp<int64_t>(std::min(block, kColumns) / places, 1, blocks_of(c.batch, 2));
    const int64_t tasks = c.groups * blocks_of(c.batch, images_) * blocks_of(places, block_);
    made_ = blocks_of(c.out, std::clamp<int64_t>(c.out / kLeast, 1, blocks_of(4, tasks)));
    width_ = images_ * block_;
    terms_ = lies_ ? rows_ : std::clamp<int64_t>(kCache / (size * width_), std::min<int64_t>(16, rows_), rows_);
    room_ = lies_ ? 0 : aligned(terms_ * width_ * size);
    sums_ = images_ == 1 ? 0 : aligned(made_ * width_ * size);
    const bool in_order = (c.window() == 1 || !c.flip) && (c.in == 1 || c.w.second == c.window());
    weights_ = in_order ? 0 : aligned(c.groups * c.out * rows_ * size);
    scratch_bytes += weights_ + (room_ + sums_) * num_threads();
  }

 private:
  // x is its own columns.
  bool columns_lie() const {
    return lie_in_order(c.axes, c.x.spatial) && std::ranges::all_of(c.axes, [](const WindowAxis& a) {
             return a.window == 1 && a.stride == 1 && a.lo == 0 && a.x_dilation == 1 && a.places() == a.extent;
           });
  }

  // [groups, out, in, window], read forwards.
  const T* packed_weights(const T* w, T* to) const {
    const int64_t n = c.window();
    for_each_task(c.groups * c.out, static_cast<double>(rows_), [&](int64_t t, int) {
      for (int64_t i = 0; i < c.in; ++i) {
        const T* from = w + t / c.out * c.w.group + t % c.out * c.w.first + i * c.w.second;
        for (int64_t k = 0; k < n; ++k) to[t * rows_ + i * n + k] = from[c.flip ? n - 1 - k : k];
      }
    });
    return to;
  }

  void convolve(const void* x, const void* weights, void* y, std::byte* scratch) const override {
    const int64_t places = c.places(), blocks = blocks_of(places, block_), cuts = blocks_of(c.out, made_);
    const int64_t tasks = c.groups * blocks_of(c.batch, images_) * blocks * cuts;
    const T* w = static_cast<const T*>(weights);
    if (weights_ > 0) w = packed_weights(w, reinterpret_cast<T*>(scratch));
    const int64_t w_group = weights_ > 0 ? c.out * rows_ : c.w.group, w_row = weights_ > 0 ? rows_ : c.w.first;
    for_each_task(tasks, c.terms() / static_cast<double>(tasks) * 0.05 + 500, [&](int64_t t, int worker) {
      const int64_t made = t % cuts * made_, first = t / cuts % blocks * block_;
      const int64_t images = blocks_of(c.batch, images_), group = t / (cuts * blocks * images);
      const int64_t image = t / (cuts * blocks) % images * images_;
      const int64_t out = std::min(made_, c.out - made), n = std::min(block_, places - first);
      const int64_t count = std::min(images_, c.batch - image), width = count * n;
      const T* from = static_cast<const T*>(x) + group * c.x.group + image * c.x.first;
      T* to = static_cast<T*>(y) + group * c.y.group + image * c.y.first + made * c.y.second + first;
      T* room = reinterpret_cast<T*>(scratch + weights_ + worker * (room_ + sums_));
      T* sums = sums_ > 0 ? reinterpret_cast<T*>(scratch + weights_ + worker * (room_ + sums_) + room_) : to;
      const int64_t sums_row = sums_ > 0 ? width : std::max(c.y.second, n);
      for (int64_t begin = 0; begin < rows_; begin += terms_) {
        const int64_t rows = std::min(terms_, rows_ - begin);
        for (int64_t r = 0; r < rows && !lies_; ++r)
          for (int64_t i = 0; i < count; ++i)
            columns_.row(from + (begin + r) / c.window() * c.x.second + i * c.x.first, (begin + r) % c.window(), first,
                         first + n, room + r * width + i * n);
        multiply(Product<T>{out, width, rows, w + group * w_group + made * w_row + begin, lies_ ? from + first : room,
                            sums, std::max(w_row, rows_), lies_ ? std::max(c.x.second, n) : width, sums_row, false,
                            false, begin > 0});
      }
      for (int64_t i = 0; i < count && sums_ > 0; ++i)
        for (int64_t o = 0; o < out; ++o) std::copy_n(sums + o * width + i * n, n, to + i * c.y.first + o * c.y.second);
    });
  }

  Columns columns_;
  int64_t rows_, block_ = 16, images_ = 1, made_ = 1;  // of a task: places, of the batch, features
  int64_t width_ = 16, terms_ = 1;                     // columns of a task; rows of them at a time
  int64_t room_ = 0, sums_ = 0, weights_ = 0;
  bool lies_ = false;
};

// The other way: the transposed weights times x are columns of the result, which are added up there. Of few features
// that are made, or many places, these columns are fewer.
template <class T>
class AddedColumns final : public ConvRoutine {
 public:
  static bool fits(const Conv& c) {
    return lie_in_order(c.axes, c.x.spatial) && c.window() > 1 && 4 * c.out * c.extent() <= c.in * c.places();
  }

  explicit AddedColumns(Conv conv)
      : ConvRoutine(std::move(conv)), columns_(transposed(c.axes), of_each(c.axes, &WindowAxis::extent), c.y.spatial) {
    if (std::is_floating_point_v<T>) library = blas().title;
    made_ = blocks_of(c.out, blocks_of(4, c.groups * c.batch));
    constexpr int64_t kLeast = 64;
    features_ = std::clamp<int64_t>(kCache / (size * c.window() * kLeast), 1, made_);
    block_ = std::clamp<int64_t>(kCache / (size * c.window() * features_), kLeast, std::max(c.extent(), kLeast));
    room_ = aligned(features_ * c.window() * block_ * size);
    weights_ = c.out == 1 || c.w.first == c.window() ? 0 : aligned(c.groups * c.in * c.out * c.window() * size);
    scratch_bytes += weights_ + room_ * num_threads();
  }

 private:
  static std::vector<WindowAxis> transposed(std::vector<WindowAxis> axes) {
    for (WindowAxis& a : axes) a = a.transposed();
    return axes;
  }

  // [groups, in, out, window].
  const T* packed_weights(const T* w, T* to) const {
    const int64_t n = c.window();
    for_each_task(c.groups * c.in, static_cast<double>(c.out * n), [&](int64_t t, int) {
      for (int64_t o = 0; o < c.out; ++o)
        std::copy_n(w + t / c.in * c.w.group + t % c.in * c.w.second + o * c.w.first, n, to + (t * c.out + o) * n);
    });
    return to;
  }

  void convolve(const void* x, const void* weights, void* y, std::byte* scratch) const override {
    const int64_t window = c.window(), extent = c.extent(), cuts = blocks_of(c.out, made_);
    const int64_t tasks = c.groups * c.batch * cuts;
    const T* w = static_cast<const T*>(weights);
    if (weights_ > 0) w = packed_weights(w, reinterpret_cast<T*>(scratch));
    const int64_t w_group = weights_ > 0 ? c.in * c.out * window : c.w.group;
    const int64_t w_row = weights_ > 0 ? c.out * window : c.w.second;
    for_each_task(tasks, c.terms() / static_cast<double>(tasks) * 0.05 + 500, [&](int64_t t, int worker) {
      const int64_t group = t / (c.batch * cuts), image = t / cuts % c.batch, made = t % cuts * made_;
      const int64_t end = std::min(made + made_, c.out);
      const T* from = static_cast<const T*>(x) + group * c.x.group + image * c.x.first;
      T* to = static_cast<T*>(y) + group * c.y.group + image * c.y.first;
      T* room = reinterpret_cast<T*>(scratch + weights_ + worker * room_);
      for (int64_t o = made; o < end; o += features_) {
        const int64_t features = std::min(features_, end - o);
        for (int64_t f = 0; f < features; ++f) std::fill_n(to + (o + f) * c.y.second, c.places(), T{});
        for (int64_t first = 0; first < extent; first += block_) {
          const int64_t n = std::min(block_, extent - first);
          multiply(Product<T>{features * window, n, c.in, w + group * w_group + o * window, from + first, room,
                              std::max(w_row, features * window), std::max(c.x.second, n), n, true, false, false});
          for (int64_t r = 0; r < features * window; ++r) {
            const int64_t k = r % window;  // the window of transposed axes is read backwards
            columns_.add_row(room + r * n, c.flip ? k : window - 1 - k, first, first + n,
                             to + (o + r / window) * c.y.second);
          }
        }
      }
    });
  }

  Columns columns_;
  int64_t made_ = 1, features_ = 1, block_ = 64;  // features of a task, at a time; elements of x at a time
  int64_t room_ = 0, weights_ = 0;
};

template <class T>
class WeightColumns final : public ConvRoutine {
 public:
  explicit WeightColumns(Conv conv)
      : ConvRoutine(std::move(conv)), columns_(exchanged(c.axes), of_each(c.axes, &WindowAxis::window), c.x.spatial) {
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
              std::max(c.w.first, n), n, std::max(c.y.second, count * places), false, true, i > 0 || first > 0});
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
    else if (AddedColumns<T>::fits(conv))
      r = std::make_unique<AddedColumns<T>>(std::move(conv));
    else
      r = std::make_unique<ForwardColumns<T>>(std::move(conv));
  });
  return r;
}

}  // namespace jot::cpu
