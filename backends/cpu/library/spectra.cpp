// eigh and svd: small matrices in tiles, a matrix a lane, by Jacobi's rotations; others one at a time, by LAPACK's
// divide and conquer. Matrices with elements that are not finite are not given to that: it may never come back.
#include <cmath>
#include <limits>

#include "backends/cpu/library/matrices.h"
#include "backends/cpu/routines/matrix_tiles.h"
#include "ir/ops/spectra.h"

namespace jot::cpu {
namespace {

using ir::Key;

template <class T>
bool all_finite(const T* x, int64_t n) {
  T sum = 0;  // of zeros, or NaN
  for (int64_t i = 0; i < n; ++i) sum += x[i] * 0;
  return sum == 0;
}
template <class T>
void fill_nan(T* x, int64_t n) {
  std::fill_n(x, n, std::numeric_limits<T>::quiet_NaN());
}
template <class T>
void negate(T* x, int64_t n, int64_t step) {
  for (int64_t i = 0; i < n; ++i) x[i * step] = -x[i * step];
}

blasint narrow(int64_t n) { return static_cast<blasint>(n); }

// Memory of a worker: a matrix, numbers, integers.
struct Work {
  int64_t matrix = 0, numbers = 0, integers = 0;  // elements
  int64_t bytes(DType dtype) const {
    return aligned(matrix * size_of(dtype)) + aligned(numbers * size_of(dtype)) +
           aligned(integers * static_cast<int64_t>(sizeof(blasint)));
  }
};
template <class T>
struct WorkOf {
  T *matrix, *numbers;
  blasint* integers;
  WorkOf(const Work& w, std::byte* at)
      : matrix(reinterpret_cast<T*>(at)),
        numbers(reinterpret_cast<T*>(at + aligned(w.matrix * static_cast<int64_t>(sizeof(T))))),
        integers(reinterpret_cast<blasint*>(reinterpret_cast<std::byte*>(numbers) +
                                            aligned(w.numbers * static_cast<int64_t>(sizeof(T))))) {}
};

class Spectrum : public Routine {
 protected:
  Spectrum(const RoutineContext& c) : dtype_(c.g.dtype(c.v)), error_code_(c.error_code) {
    const Shape& a = c.g.shape(c.g.operand(c.v, 0));
    batch_ = a.slice(0, a.size() - 2).numel();
    m_ = a[a.size() - 2];
    n_ = a[a.size() - 1];
    const int64_t extent = std::max(m_, n_);
    small_ = batch_ * m_ * n_ != 0 && extent <= kTileExtent && (2 * batch_ >= lanes() || extent <= 4);
    if (batch_ * m_ * n_ != 0 && !small_) library = blas().title;
  }
  int64_t lanes() const { return 64 / size_of(dtype_); }
  void need_tiles(int64_t elements) {  // a worker, of a matrix
    worker_bytes_ = elements * 64;
    scratch_bytes = worker_bytes_ * num_threads();
  }
  // f(first element of the batch, count, memory, info by lanes)
  template <class T, class F>
  void each_tile(double nanoseconds, std::byte* scratch, KernelError& error, F f) const {
    in_groups(batch_, lanes(), nanoseconds, [&](int64_t first, int64_t count, int worker) {
      for (int64_t last = first + count; first < last; first += lanes()) {
        const int64_t some = std::min(lanes(), last - first);
        alignas(64) TileInteger<T> info[kTileLanes<T>];
        f(first, some, Pieces(scratch + worker * worker_bytes_), info);
        for (int64_t l = 0; l < some; ++l)
          if (info[l] != 0) error.record(error_code_, first + l, info[l]);
      }
    });
  }
  void need(const Work& work) {
    work_ = work;
    scratch_bytes = work.bytes(dtype_) * num_threads();
  }
  // f(element of the batch, memory) gives LAPACK's info.
  template <class T, class F>
  void each(double nanoseconds, std::byte* scratch, KernelError& error, F f) const {
    in_groups(batch_, 1, nanoseconds, [&](int64_t first, int64_t count, int worker) {
      for (int64_t i = first; i < first + count; ++i)
        if (const blasint info = f(i, WorkOf<T>(work_, scratch + worker * work_.bytes(dtype_))); info != 0)
          error.record(error_code_, i, info);
    });
  }

  DType dtype_;
  int64_t error_code_, batch_, m_, n_, worker_bytes_ = 0;
  bool small_;
  Work work_;
};

class Eigh final : public Spectrum {
 public:
  explicit Eigh(const RoutineContext& c) : Spectrum(c) {
    if (batch_ * n_ == 0) return;
    if (small_) {
      rows_ = TileRows(dtype_, n_);
      need_tiles(n_ * n_ + n_ + tile_eigh_work(n_));
      return;
    }
    check_workspace("eigh", 2 * n_ * n_ + 6 * n_ + 1, {n_, n_});
    visit_lapack(dtype_, [&](auto number) {
      using T = decltype(number);
      T best = 0;
      const blasint n = narrow(n_), query = -1;
      blasint integers = 0, info = 0;
      auto lock = blas().turn();
      Lapack<T>::syevd()("V", "U", &n, nullptr, &n, nullptr, &best, &query, &integers, &query, &info);
      need({n_ * n_, static_cast<int64_t>(best), integers});
    });
  }

  void run_results(std::span<const void* const> operands, std::span<void* const> outs, std::byte* scratch,
                   KernelError& error) const override {
    if (batch_ * n_ == 0) return;
    visit_lapack(dtype_, [&](auto number) {
      using T = decltype(number);
      const auto size = static_cast<double>(n_);
      if (small_)
        return each_tile<T>(10 * size * size * size + 20, scratch, error,
                            [&](int64_t i, int64_t count, Pieces memory, TileInteger<T>* info) {
                              lanes_of(count, static_cast<const T*>(operands[0]) + i * n_ * n_,
                                       static_cast<T*>(outs[0]) + i * n_, static_cast<T*>(outs[1]) + i * n_ * n_,
                                       memory, info);
                            });
      each<T>(size * size * size + 2000, scratch, error, [&](int64_t i, const WorkOf<T>& w) {
        return one(static_cast<const T*>(operands[0]) + i * n_ * n_, static_cast<T*>(outs[0]) + i * n_,
                   static_cast<T*>(outs[1]) + i * n_ * n_, w);
      });
    });
  }

 private:
  template <class T>
  void lanes_of(int64_t count, const T* a, T* values, T* vectors, Pieces memory, TileInteger<T>* info) const {
    constexpr int64_t kLanes = kTileLanes<T>;
    const int64_t size = n_ * n_;
    T *tile = memory.take<T>(size * kLanes), *w = memory.take<T>(n_ * kLanes),
      *work = memory.take<T>(tile_eigh_work(n_) * kLanes);
    rows_.load(count, a, tile, n_, size, n_);
    tile_eigh(tile, w, work, n_, info);
    rows_.store(count, values, w, 1, n_, n_);
    rows_.store(count, vectors, tile, n_, size, n_);
    for (T* v = vectors; v < vectors + count * size; v += size)
      for (int64_t j = 0; j < n_; ++j)
        if (ir::sign_of(v + j, n_, n_) < 0) negate(v + j, n_, n_);
  }

  // The lower triangle by rows is the upper one by columns.
  template <class T>
  blasint one(const T* a, T* values, T* vectors, const WorkOf<T>& w) const {
    bool finite = true;
    for (int64_t i = 0; i < n_; ++i) finite &= all_finite(a + i * n_, i + 1);
    if (!finite) {
      fill_nan(values, n_);
      fill_nan(vectors, n_ * n_);
      return 0;
    }
    for (int64_t i = 0; i < n_; ++i) std::copy_n(a + i * n_, i + 1, w.matrix + i * n_);
    const blasint n = narrow(n_), numbers = narrow(work_.numbers), integers = narrow(work_.integers);
    blasint info = 0;
    {
      auto lock = blas().turn();
      Lapack<T>::syevd()("V", "U", &n, w.matrix, &n, values, w.numbers, &numbers, w.integers, &integers, &info);
    }
    for (int64_t j = 0; j < n_; ++j)
      if (T* v = w.matrix + j * n_; ir::sign_of(v, n_, 1) < 0) negate(v, n_, 1);
    transpose(w.matrix, vectors, n_, n_);
    return info;
  }

  TileRows rows_;
};

class Svd final : public Spectrum {
 public:
  explicit Svd(const RoutineContext& c) : Spectrum(c), full_(c.g.attrs(c.v).integer(Key::full) != 0) {
    k_ = std::min(m_, n_);
    us_ = full_ ? m_ : k_;
    vs_ = full_ ? n_ : k_;
    if (batch_ * k_ == 0) return;
    if (small_) {
      const int64_t longest = std::max(m_, n_), vectors = m_ >= n_ ? us_ : vs_;
      rows_ = TileRows(dtype_, n_);
      u_rows_ = TileRows(dtype_, us_);
      s_rows_ = TileRows(dtype_, k_);
      need_tiles(m_ * n_ + longest * vectors + k_ + k_ * k_ + std::max(tile_svd_work(longest, vectors), m_ * us_));
      return;
    }
    check_workspace("svd", std::max({4 * k_ * k_ + 7 * k_, m_, n_}), {m_, n_});
    visit_lapack(dtype_, [&](auto number) {
      using T = decltype(number);
      T best = 0;
      const blasint m = narrow(m_), n = narrow(n_), us = narrow(us_), query = -1;
      blasint info = 0;
      auto lock = blas().turn();
      Lapack<T>::gesdd()(job(), &n, &m, nullptr, &n, nullptr, nullptr, &n, nullptr, &us, &best, &query, nullptr, &info);
      need({m_ * n_, static_cast<int64_t>(best), 8 * k_});
    });
  }

  void run_results(std::span<const void* const> operands, std::span<void* const> outs, std::byte* scratch,
                   KernelError& error) const override {
    visit_lapack(dtype_, [&](auto number) {
      using T = decltype(number);
      T *u = static_cast<T*>(outs[0]), *s = static_cast<T*>(outs[1]), *vt = static_cast<T*>(outs[2]);
      if (k_ == 0) {
        for (int64_t i = 0; i < batch_ * m_ * us_; ++i) u[i] = i % (m_ * us_) % (us_ + 1) == 0;
        for (int64_t i = 0; i < batch_ * vs_ * n_; ++i) vt[i] = i % (vs_ * n_) % (n_ + 1) == 0;
        return;
      }
      if (small_)
        return each_tile<T>(static_cast<double>(m_ * n_ * k_) * 10 + 50, scratch, error,
                            [&](int64_t i, int64_t count, Pieces memory, TileInteger<T>* info) {
                              lanes_of(count, static_cast<const T*>(operands[0]) + i * m_ * n_, u + i * m_ * us_,
                                       s + i * k_, vt + i * vs_ * n_, memory, info);
                            });
      const double work = static_cast<double>(m_ * n_ * k_) * 2 + 3000;
      each<T>(work, scratch, error, [&](int64_t i, const WorkOf<T>& w) {
        return one(static_cast<const T*>(operands[0]) + i * m_ * n_, u + i * m_ * us_, s + i * k_, vt + i * vs_ * n_,
                   w);
      });
    });
  }

 private:
  const char* job() const { return full_ ? "A" : "S"; }

  // By columns a is a^T = v s u^T: what LAPACK calls u and v^T are by rows v^T and u.
  template <class T>
  blasint one(const T* a, T* u, T* s, T* vt, const WorkOf<T>& w) const {
    if (!all_finite(a, m_ * n_)) {
      fill_nan(u, m_ * us_);
      fill_nan(s, k_);
      fill_nan(vt, vs_ * n_);
      return 0;
    }
    std::copy_n(a, m_ * n_, w.matrix);
    const blasint m = narrow(m_), n = narrow(n_), us = narrow(us_), numbers = narrow(work_.numbers);
    blasint info = 0;
    {
      auto lock = blas().turn();
      Lapack<T>::gesdd()(job(), &n, &m, w.matrix, &n, s, vt, &n, u, &us, w.numbers, &numbers, w.integers, &info);
    }
    choose_signs(u, vt);
    return info;
  }

  template <class T>
  void choose_signs(T* u, T* vt) const {
    for (int64_t j = 0; j < std::max(us_, vs_); ++j) {
      const bool left = j < us_;
      if ((left ? ir::sign_of(u + j, m_, us_) : ir::sign_of(vt + j * n_, n_, 1)) > 0) continue;
      if (left) negate(u + j, m_, us_);
      if (j < (left ? k_ : vs_)) negate(vt + j * n_, n_, 1);
    }
  }

  // Of the longer side there are `vectors`, of the other k; both are made by columns: u is turned, v^T is not.
  template <class T>
  void lanes_of(int64_t count, const T* a, T* u, T* s, T* vt, Pieces memory, TileInteger<T>* info) const {
    constexpr int64_t kLanes = kTileLanes<T>;
    const bool tall = m_ >= n_;
    const int64_t longest = std::max(m_, n_), vectors = tall ? us_ : vs_;
    T *tile = memory.take<T>(m_ * n_ * kLanes), *of_longest = memory.take<T>(longest * vectors * kLanes),
      *w = memory.take<T>(k_ * kLanes), *of_shortest = memory.take<T>(k_ * k_ * kLanes),
      *work = memory.take<T>(std::max(tile_svd_work(longest, vectors), m_ * us_) * kLanes);
    rows_.load(count, a, tile, m_, m_ * n_, n_);
    tile_svd(tile, tall ? n_ : 1, tall ? 1 : n_, of_longest, w, of_shortest, work, longest, k_, vectors, info);
    const T *columns = tall ? of_longest : of_shortest, *right = tall ? of_shortest : of_longest;
    for (int64_t i = 0; i < m_; ++i)
      for (int64_t j = 0; j < us_; ++j)
        std::copy_n(columns + (j * m_ + i) * kLanes, kLanes, work + (i * us_ + j) * kLanes);
    s_rows_.store(count, s, w, 1, k_, k_);
    u_rows_.store(count, u, work, m_, m_ * us_, us_);
    rows_.store(count, vt, right, vs_, vs_ * n_, n_);
    for (int64_t l = 0; l < count; ++l) choose_signs(u + l * m_ * us_, vt + l * vs_ * n_);
  }

  bool full_;
  int64_t k_ = 0, us_ = 0, vs_ = 0;  // how many vectors
  TileRows rows_, u_rows_, s_rows_;
};

}  // namespace

std::unique_ptr<const Routine> make_eigh(const RoutineContext& c) { return std::make_unique<Eigh>(c); }
std::unique_ptr<const Routine> make_svd(const RoutineContext& c) { return std::make_unique<Svd>(c); }

}  // namespace jot::cpu
