// Triangular systems and cholesky: small matrices in tiles, a matrix a lane; others one at a time, by BLAS and LAPACK.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "backends/cpu/library/matrices.h"
#include "backends/cpu/routines/matrix_tiles.h"

namespace jot::cpu {
namespace {

using ir::Key;

struct Stack {
  DType dtype = DType::f64;
  int64_t batch = 1, n = 0;
  bool small = false;
  int64_t size() const { return size_of(dtype); }
  int64_t lanes() const { return 64 / size(); }
  static Stack of(DType dtype, const Shape& shape) {
    return {dtype, shape.slice(0, shape.size() - 2).numel(), shape[shape.size() - 1],
            shape[shape.size() - 1] <= kTileExtent};
  }
};

// ---- triangular_solve

struct Solve {
  bool left, lower, transposed, unit;
  bool turned() const { return transposed == left; }  // x M = b is M^T x^T = b^T
  bool forward() const { return lower != turned(); }
};

class TriangularSolve final : public Routine {
 public:
  TriangularSolve(const Stack& stack, const Solve& solve, int64_t sides) : m(stack), s(solve), sides_(sides) {
    if (m.batch * m.n * sides == 0) return;
    // A matrix a lane needs matrices; the library needs right sides.
    m.small = m.small && (2 * m.batch >= m.lanes() || sides <= 8);
    if (!m.small) {
      library = blas().title;
      return;
    }
    most_ = std::min(sides, kTileExtent);
    matrix_rows_ = TileRows(m.dtype, m.n);
    side_rows_ = s.left ? TileRows(m.dtype, most_) : matrix_rows_;
    if (s.left && sides % most_ != 0) rest_rows_ = TileRows(m.dtype, sides % most_);
    tile_bytes = aligned(m.n * m.n * 64) + aligned(m.n * most_ * 64);
    scratch_bytes = tile_bytes * num_threads();
    item_nanoseconds = nanoseconds();
  }

  void run(std::span<const void* const> operands, void* out, std::byte* scratch, KernelError& error) const override {
    if (m.batch * m.n * sides_ == 0) return;
    const int64_t matrix = m.n * m.n * m.size(), side = m.n * sides_ * m.size();  // bytes
    if (m.small) return run_tiles(*this, m.batch, m.lanes(), operands, {&out, 1}, scratch, error);
    const double each = nanoseconds();
    // Few matrices are cut by right sides, of which the library wants many.
    const int64_t cuts = m.batch >= 8 ? 1 : std::clamp<int64_t>(sides_ / 256, 1, 16), cut = (sides_ + cuts - 1) / cuts;
    in_groups(m.batch * cuts, 1, each / static_cast<double>(cuts) + 200, [&](int64_t first, int64_t count, int) {
      for (int64_t i = first; i < first + count; ++i) {
        const int64_t begin = i % cuts * cut, matrices = i / cuts;
        if (begin < sides_)
          one(shifted(operands[0], matrices * matrix), shifted(operands[1], matrices * side),
              shifted(out, matrices * side), begin, std::min(cut, sides_ - begin));
      }
    });
  }

  void run_tile(const Tile& t) const override {
    visit_lapack(m.dtype, [&](auto number) { lanes<decltype(number)>(t); });
  }

 private:
  double nanoseconds() const { return static_cast<double>(m.n * m.n * sides_) * 0.05 + 5; }

  // In lanes: no more right sides than a tile has.
  template <class T>
  void lanes(const Tile& t) const {
    constexpr int64_t kLanes = kTileLanes<T>;
    const int64_t n = m.n, matrix = n * n, side = n * sides_;
    Pieces pieces(t.memory);
    auto* triangle = static_cast<const T*>(t.operands[0]);
    if (!t.operand_in_lanes(0)) {
      T* tile = pieces.take<T>(matrix * kLanes);
      matrix_rows_.load(t.count, triangle + t.first * matrix, tile, n, matrix, n);
      triangle = tile;
    }
    auto* b = static_cast<const T*>(t.operands[1]);
    auto* x = static_cast<T*>(t.outs[0]);
    if (!t.operand_in_lanes(1)) b += t.first * side;
    T* tile = x;
    if (!t.result_in_lanes(0)) tile = pieces.take<T>(n * most_ * kLanes), x += t.first * side;
    for (int64_t begin = 0; begin < sides_; begin += most_) {
      const int64_t some = std::min(most_, sides_ - begin), offset = begin * (s.left ? 1 : n);
      const TileRows& rows = s.left && some < most_ ? rest_rows_ : side_rows_;
      const int64_t number = s.left ? n : some, row = s.left ? sides_ : n;
      if (t.operand_in_lanes(1))
        std::copy_n(b, side * kLanes, tile);
      else
        rows.load(t.count, b + offset, tile, number, side, row);
      tile_solve(triangle, s.turned() ? 1 : n, s.turned() ? n : 1, s.forward(), s.unit, tile, s.left ? some : 1,
                 s.left ? 1 : n, n, some);
      if (!t.result_in_lanes(0)) rows.store(t.count, x + offset, tile, number, side, row);
    }
  }

  // Right sides [begin, begin + count) of one matrix.
  void one(const std::byte* a, const std::byte* b, std::byte* x, int64_t begin, int64_t count) const {
    const int64_t offset = begin * (s.left ? 1 : m.n) * m.size(), row = (s.left ? sides_ : m.n) * m.size();
    const int64_t rows = s.left ? m.n : count, bytes = (s.left ? count : m.n) * m.size();
    for (int64_t r = 0; r < rows; ++r)
      std::memcpy(x + offset + r * row, b + offset + r * row, static_cast<size_t>(bytes));
    auto call = [&](auto trsm, auto trsv, auto zero) {
      using T = decltype(zero);
      const auto uplo = s.lower ? CblasLower : CblasUpper;
      const auto diag = s.unit ? CblasUnit : CblasNonUnit;
      const auto n = static_cast<blasint>(m.n), step = static_cast<blasint>(s.left ? sides_ : m.n);
      const T* matrix = reinterpret_cast<const T*>(a);
      T* side = reinterpret_cast<T*>(x + offset);
      auto lock = blas().turn();
      if (count == 1)  // of one, trsm takes two to four times as long
        trsv(CblasRowMajor, uplo, s.turned() ? CblasTrans : CblasNoTrans, diag, n, matrix, n, side, s.left ? step : 1);
      else
        trsm(CblasRowMajor, s.left ? CblasLeft : CblasRight, uplo, s.transposed ? CblasTrans : CblasNoTrans, diag,
             static_cast<blasint>(rows), static_cast<blasint>(s.left ? count : m.n), T{1}, matrix, n, side, step);
    };
    const Blas& all = blas();
    m.dtype == DType::f64 ? call(all.cblas_dtrsm, all.cblas_dtrsv, double{})
                          : call(all.cblas_strsm, all.cblas_strsv, float{});
  }

  Stack m;
  Solve s;
  int64_t sides_, most_ = 0;  // sides of a matrix, of a tile
  TileRows matrix_rows_, side_rows_, rest_rows_;
};

}  // namespace

std::unique_ptr<const Routine> make_triangular_solve(const RoutineContext& c) {
  const ir::AttrView a = c.g.attrs(c.v);
  const Solve s{a.integer(Key::left) != 0, a.integer(Key::lower) != 0, a.integer(Key::transposed) != 0,
                a.integer(Key::unit) != 0};
  const Shape& shape = c.g.shape(c.v);
  return std::make_unique<TriangularSolve>(Stack::of(c.g.dtype(c.v), c.g.shape(c.g.operand(c.v, 0))), s,
                                           shape[shape.size() - (s.left ? 1 : 2)]);
}

// ---- cholesky

namespace {

class Cholesky final : public Routine {
 public:
  Cholesky(const Stack& stack, bool check, int64_t error_code) : m(stack), check_(check), error_code_(error_code) {
    if (m.batch * m.n == 0) return;
    if (!m.small) {
      library = blas().title;
      return;
    }
    rows_ = TileRows(m.dtype, m.n);
    tile_bytes = aligned(m.n * m.n * 64);
    scratch_bytes = tile_bytes * num_threads();
    const auto n = static_cast<double>(m.n);
    item_nanoseconds = n * n * n * 0.03 + 5;
  }

  void run_results(std::span<const void* const> operands, std::span<void* const> outs, std::byte* scratch,
                   KernelError& error) const override {
    auto* info = static_cast<int32_t*>(outs[1]);
    if (m.n == 0) return static_cast<void>(std::fill_n(info, m.batch, 0));
    if (m.small) return run_tiles(*this, m.batch, m.lanes(), operands, outs, scratch, error);
    const int64_t matrix = m.n * m.n * m.size();
    const auto n = static_cast<double>(m.n);
    in_groups(m.batch, 1, n * n * n * 0.02 + 500, [&](int64_t first, int64_t count, int) {
      const std::byte* a = shifted(operands[0], first * matrix);
      std::byte* l = shifted(outs[0], first * matrix);
      visit_lapack(m.dtype, [&](auto number) {
        using T = decltype(number);
        for (int64_t i = 0; i < count; ++i)
          info[first + i] =
              one(Lapack<T>::potrf(), reinterpret_cast<const T*>(a + i * matrix), reinterpret_cast<T*>(l + i * matrix));
      });
    });
    if (!check_) return;
    const int32_t* wrong = std::find_if(info, info + m.batch, [](int32_t order) { return order != 0; });
    if (wrong != info + m.batch) error.record(error_code_, wrong - info, *wrong);
  }

  void run_tile(const Tile& t) const override {
    visit_lapack(m.dtype, [&](auto number) { lanes<decltype(number)>(t); });
  }

 private:
  template <class T>
  void lanes(const Tile& t) const {
    alignas(64) TileInteger<T> orders[kTileLanes<T>];
    const int64_t matrix = m.n * m.n;
    T* l = static_cast<T*>(t.outs[0]);
    T* tile = t.result_in_lanes(0) ? l : reinterpret_cast<T*>(t.memory);
    load_tile(t, 0, rows_, m.n, m.n, tile);
    tile_cholesky(tile, m.n, orders);
    if (!t.result_in_lanes(0)) rows_.store(t.count, l + t.first * matrix, tile, m.n, matrix, m.n);
    store_integers<T>(t, 1, orders, 1);
    if (check_) record_first(t, error_code_, orders);
  }

  // A lower triangle by rows is an upper one by columns. Where the library stops at a NaN, what follows is NaN.
  template <class Potrf, class T>
  int32_t one(Potrf potrf, const T* a, T* l) const {
    for (int64_t i = 0; i < m.n; ++i) {
      std::copy_n(a + i * m.n, i + 1, l + i * m.n);
      std::fill_n(l + i * m.n + i + 1, m.n - i - 1, T{0});
    }
    const auto n = static_cast<blasint>(m.n);
    blasint info = 0;
    {
      auto lock = blas().turn();
      potrf("U", &n, l, &n, &info);
    }
    if (info == 0) return 0;
    const int64_t stop = info - 1;
    const T pivot = l[stop * (m.n + 1)];
    if (!std::isnan(pivot)) return info;
    for (int64_t i = stop; i < m.n; ++i) std::fill_n(l + i * m.n + stop, i - stop + 1, pivot);
    return 0;
  }

  Stack m;
  bool check_;
  int64_t error_code_;
  TileRows rows_;
};

}  // namespace

std::unique_ptr<const Routine> make_cholesky(const RoutineContext& c) {
  return std::make_unique<Cholesky>(Stack::of(c.g.dtype(c.v), c.g.shape(c.v)), c.g.attrs(c.v).integer(Key::check) != 0,
                                    c.error_code);
}

}  // namespace jot::cpu
