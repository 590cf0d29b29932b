// lu and qr: small matrices in tiles, a matrix a lane; others one at a time, by LAPACK.
//
// A row-major matrix is its transpose by columns: lu turns it, qr asks for the lq of the transpose instead, whose
// factors are r and q by rows.
#include <cmath>

#include "backends/cpu/library/matrices.h"
#include "backends/cpu/routines/matrix_tiles.h"

namespace jot::cpu {
namespace {

using ir::Key;

struct Sizes {
  DType dtype;
  int64_t batch, m, n;
  int64_t k() const { return std::min(m, n); }
  int64_t lanes() const { return 64 / size_of(dtype); }
  bool fit_tiles() const { return std::max(m, n) <= kTileExtent; }
  static Sizes of(const RoutineContext& c) {
    const Shape& a = c.g.shape(c.g.operand(c.v, 0));
    return {c.g.dtype(c.v), a.slice(0, a.size() - 2).numel(), a[a.size() - 2], a[a.size() - 1]};
  }
};

class Lu final : public Routine {
 public:
  Lu(const Sizes& sizes, bool check, int64_t error_code) : s(sizes), check_(check), error_code_(error_code) {
    if (s.batch * s.k() == 0) return;
    check_workspace("lu", std::max(s.m, s.n), {s.m, s.n});
    small_ = s.fit_tiles();
    if (small_) {
      rows_ = TileRows(s.dtype, s.n);
      tile_bytes = aligned(s.m * s.n * 64) + aligned(s.k() * 64) + aligned(s.m * 64);
      item_nanoseconds = static_cast<double>(s.m * s.n * s.k()) * 0.05 + 5;
      scratch_bytes = tile_bytes * num_threads();
    } else {
      library = blas().title;
      turn_ = Transposition(s.dtype, s.n);
      turn_back_ = Transposition(s.dtype, s.m);
      worker_bytes_ = aligned(s.m * s.n * size_of(s.dtype)) + aligned(s.k() * static_cast<int64_t>(sizeof(blasint)));
      scratch_bytes = worker_bytes_ * num_threads();
    }
  }

  void run_results(std::span<const void* const> operands, std::span<void* const> outs, std::byte* scratch,
                   KernelError& error) const override {
    auto *pivots = static_cast<int32_t*>(outs[1]), *order = static_cast<int32_t*>(outs[2]);
    auto* info = static_cast<int32_t*>(outs[3]);
    if (s.k() == 0) {
      for (int64_t i = 0; i < s.batch * s.m; ++i) order[i] = static_cast<int32_t>(i % s.m);
      std::fill_n(info, s.batch, 0);
      return;
    }
    if (small_) return run_tiles(*this, s.batch, s.lanes(), operands, outs, scratch, error);
    const int64_t bytes = s.m * s.n * size_of(s.dtype);
    const double each = static_cast<double>(s.m * s.n * s.k()) * 0.03 + 500;
    in_groups(s.batch, 1, each, [&](int64_t first, int64_t count, int worker) {
      visit_lapack(s.dtype, [&](auto number) {
        using T = decltype(number);
        for (int64_t i = first; i < first + count; ++i)
          info[i] = one(reinterpret_cast<const T*>(shifted(operands[0], i * bytes)),
                        reinterpret_cast<T*>(shifted(outs[0], i * bytes)), pivots + i * s.k(), order + i * s.m,
                        scratch + worker * worker_bytes_);
      });
    });
    if (!check_) return;
    const int32_t* wrong = std::find_if(info, info + s.batch, [](int32_t at) { return at != 0; });
    if (wrong != info + s.batch) error.record(error_code_, wrong - info, *wrong);
  }

  void run_tile(const Tile& t) const override {
    visit_lapack(s.dtype, [&](auto number) { lanes<decltype(number)>(t); });
  }

 private:
  template <class T>
  void lanes(const Tile& t) const {
    using Integer = TileInteger<T>;
    constexpr int64_t kLanes = kTileLanes<T>;
    Pieces pieces(t.memory);
    Integer *pivots = pieces.take<Integer>(s.k() * kLanes), *order = pieces.take<Integer>(s.m * kLanes);
    alignas(64) Integer zero[kLanes];
    T* packed = static_cast<T*>(t.outs[0]);
    T* tile = t.result_in_lanes(0) ? packed : pieces.take<T>(s.m * s.n * kLanes);
    load_tile(t, 0, rows_, s.m, s.n, tile);
    tile_lu(tile, s.m, s.n, pivots, order, zero);
    if (!t.result_in_lanes(0)) rows_.store(t.count, packed + t.first * s.m * s.n, tile, s.m, s.m * s.n, s.n);
    store_integers<T>(t, 1, pivots, s.k());
    store_integers<T>(t, 2, order, s.m);
    store_integers<T>(t, 3, zero, 1);
    if (check_) record_first(t, error_code_, zero);
  }

  template <class T>
  int32_t one(const T* a, T* packed, int32_t* pivots, int32_t* order, std::byte* scratch) const {
    T* turned = reinterpret_cast<T*>(scratch);
    auto* exchanged = reinterpret_cast<blasint*>(scratch + aligned(s.m * s.n * size_of(s.dtype)));
    turn_(a, turned, s.m);
    const auto m = static_cast<blasint>(s.m), n = static_cast<blasint>(s.n);
    blasint info = 0;
    {
      auto lock = blas().turn();
      Lapack<T>::getrf()(&m, &n, turned, &m, exchanged, &info);
    }
    turn_back_(turned, packed, s.n);
    for (int64_t i = 0; i < s.m; ++i) order[i] = static_cast<int32_t>(i);
    for (int64_t i = 0; i < s.k(); ++i) {
      pivots[i] = static_cast<int32_t>(exchanged[i]);
      std::swap(order[i], order[exchanged[i] - 1]);
    }
    return info > 0 ? static_cast<int32_t>(info) : 0;
  }

  Sizes s;
  bool check_;
  bool small_ = false;
  int64_t error_code_, worker_bytes_ = 0;
  TileRows rows_;
  Transposition turn_, turn_back_;
};

// ---- qr

class Qr final : public Routine {
 public:
  Qr(const Sizes& sizes, bool full) : s(sizes), columns_(full ? s.m : s.k()) {
    if (s.batch * s.k() == 0) return;
    small_ = s.fit_tiles() && (2 * s.batch >= s.lanes() || s.n <= 4);
    if (small_) {
      rows_ = TileRows(s.dtype, s.n);
      q_rows_ = TileRows(s.dtype, columns_);
      worker_bytes_ = aligned(s.m * s.n * 64) + aligned(s.m * columns_ * 64);
      scratch_bytes = worker_bytes_ * num_threads();
      return;
    }
    check_workspace("qr", 64 * std::max(s.m, s.n), {s.m, s.n});
    library = blas().title;
    visit_lapack(s.dtype, [&](auto number) {
      using T = decltype(number);
      T best = 0;
      const blasint m = narrow(s.m), n = narrow(s.n), k = narrow(s.k()), c = narrow(columns_), query = -1;
      blasint info = 0;
      auto lock = blas().turn();
      Lapack<T>::gelqf()(&n, &m, nullptr, &n, nullptr, &best, &query, &info);
      work_ = static_cast<int64_t>(best);
      Lapack<T>::orglq()(&c, &m, &k, nullptr, &c, nullptr, &best, &query, &info);
      work_ = std::max(work_, static_cast<int64_t>(best));
    });
    const int64_t size = size_of(s.dtype);
    matrix_bytes_ = aligned(std::max(s.n, columns_) * s.m * size);
    worker_bytes_ = matrix_bytes_ + aligned(s.k() * size) + aligned(work_ * size);
    scratch_bytes = worker_bytes_ * num_threads();
  }

  void run_results(std::span<const void* const> operands, std::span<void* const> outs, std::byte* scratch,
                   KernelError&) const override {
    visit_lapack(s.dtype, [&](auto number) {
      using T = decltype(number);
      auto* a = static_cast<const T*>(operands[0]);
      T *q = static_cast<T*>(outs[0]), *r = static_cast<T*>(outs[1]);
      const double each = static_cast<double>(s.m * s.m * s.n) * 0.1 + (small_ ? 10 : 1000);
      in_groups(s.batch, small_ ? s.lanes() : 1, each, [&](int64_t first, int64_t count, int worker) {
        std::byte* memory = scratch + worker * worker_bytes_;
        for (int64_t i = first, step = small_ ? s.lanes() : 1; i < first + count; i += step) {
          const T* from = a + i * s.m * s.n;
          T *to_q = q + i * s.m * columns_, *to_r = r + i * columns_ * s.n;
          small_ ? lanes(std::min(step, first + count - i), from, to_q, to_r, memory) : one(from, to_q, to_r, memory);
        }
      });
    });
  }

 private:
  static blasint narrow(int64_t n) { return static_cast<blasint>(n); }

  template <class T>
  void lanes(int64_t count, const T* a, T* q, T* r, std::byte* memory) const {
    Pieces pieces(memory);
    T *tile = pieces.take<T>(s.m * s.n * kTileLanes<T>), *q_tile = pieces.take<T>(s.m * columns_ * kTileLanes<T>);
    rows_.load(count, a, tile, s.m, s.m * s.n, s.n);
    tile_qr(tile, q_tile, s.m, s.n, columns_);
    q_rows_.store(count, q, q_tile, s.m, s.m * columns_, columns_);
    rows_.store(count, r, tile, columns_, columns_ * s.n, s.n);
  }

  // By columns a is a^T [n, m]: a^T = l q^T with l [n, k] and q^T [k, m], which by rows are r and q.
  template <class T>
  void one(const T* a, T* q, T* r, std::byte* scratch) const {
    if (s.k() == 0) {
      for (int64_t i = 0; i < s.m * columns_; ++i) q[i] = i % (columns_ + 1) == 0;
      return;
    }
    T* x = reinterpret_cast<T*>(scratch);
    T* tau = reinterpret_cast<T*>(scratch + matrix_bytes_);
    T* work = reinterpret_cast<T*>(scratch + matrix_bytes_ + aligned(s.k() * size_of(s.dtype)));
    std::copy_n(a, s.m * s.n, x);
    const blasint m = narrow(s.m), n = narrow(s.n), k = narrow(s.k()), c = narrow(columns_), size = narrow(work_);
    blasint info = 0;
    auto lock = blas().turn();
    Lapack<T>::gelqf()(&n, &m, x, &n, tau, work, &size, &info);
    for (int64_t i = 0; i < columns_; ++i)
      for (int64_t j = 0; j < s.n; ++j) r[i * s.n + j] = i <= j ? x[i * s.n + j] : T{0};
    // The reflections lie in the first k of n elements of each column; orglq wants c of them.
    if (s.n != columns_) {
      if (s.n > columns_)
        for (int64_t i = 0; i < s.m; ++i) std::copy_n(x + i * s.n, columns_, x + i * columns_);
      else
        for (int64_t i = s.m; i-- > 0;) {
          std::copy_backward(x + i * s.n, x + (i + 1) * s.n, x + i * columns_ + s.n);
          std::fill_n(x + i * columns_ + s.n, columns_ - s.n, T{0});
        }
    }
    Lapack<T>::orglq()(&c, &m, &k, x, &c, tau, work, &size, &info);
    std::copy_n(x, s.m * columns_, q);
  }

  Sizes s;
  bool small_ = false;
  int64_t columns_, work_ = 0, matrix_bytes_ = 0, worker_bytes_ = 0;  // columns of q
  TileRows rows_, q_rows_;
};

}  // namespace

std::unique_ptr<const Routine> make_lu(const RoutineContext& c) {
  return std::make_unique<Lu>(Sizes::of(c), c.g.attrs(c.v).integer(Key::check) != 0, c.error_code);
}

std::unique_ptr<const Routine> make_qr(const RoutineContext& c) {
  return std::make_unique<Qr>(Sizes::of(c), c.g.attrs(c.v).integer(Key::full) != 0);
}

}  // namespace jot::cpu
