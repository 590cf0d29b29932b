// Small matrices along the batch: kernels with a matrix a lane, unrolled. Others one at a time, by BLAS and LAPACK.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "backends/cpu/kernel/lower_ops.h"
#include "backends/cpu/library/matrices.h"

namespace jot::cpu {
namespace {

using ir::Key;

constexpr int64_t kSmall = 16;

struct Stack {
  DType dtype = DType::f64;
  int64_t batch = 1, n = 0;
  bool small = false;
  int64_t size() const { return size_of(dtype); }
  int lanes() const { return InnerKernel::lanes(size_of(dtype)); }
  static Stack of(DType dtype, const Shape& shape) {
    return {dtype, shape.slice(0, shape.size() - 2).numel(), shape[shape.size() - 1],
            shape[shape.size() - 1] <= kSmall};
  }
};

// ---- triangular_solve

struct Solve {
  bool left, lower, transposed, unit;
  bool turned() const { return transposed == left; }  // x M = b is M^T x^T = b^T
  bool forward() const { return lower != turned(); }
};

// `sides` of the `all` right sides of each of count matrices. Arguments: count, a, b, x, the latter two from the first
// right side on.
Kernel solve_kernel(const Solve& s, KType t, int lanes, int64_t n, int64_t all, int64_t sides) {
  KernelBuilder b(lanes);
  const uint32_t count = b.arg(1), a = b.arg(2), from = b.arg(3), to = b.arg(4), matrix = b.vloop(count);
  std::vector<std::vector<uint32_t>> x(static_cast<size_t>(n));  // by element, then by side
  const int64_t rows = s.left ? n : sides, row = s.left ? all : n;
  for (int64_t r = 0; r < rows; ++r) {
    auto values = load_row(b, t, from, matrix, n * all, r * row, s.left ? sides : n);
    for (size_t j = 0; j < values.size(); ++j) x[s.left ? static_cast<size_t>(r) : j].push_back(values[j]);
  }
  for (int64_t step = 0; step < n; ++step) {
    const int64_t i = s.forward() ? step : n - 1 - step, first = s.lower ? 0 : i, last = s.lower ? i : n - 1;
    const auto of_a = load_row(b, t, a, matrix, n * n, i * n + first, last - first + 1);
    auto& own = x[static_cast<size_t>(i)];
    for (size_t k = 0; k < own.size(); ++k) {
      for (int64_t j = first; j <= last; ++j)
        if (j != i && !s.turned())
          own[k] = b.fnma(of_a[static_cast<size_t>(j - first)], x[static_cast<size_t>(j)][k], own[k]);
      if (!s.unit) own[k] = b.div(own[k], of_a[static_cast<size_t>(i - first)]);
      for (int64_t j = first; j <= last; ++j)
        if (uint32_t& other = x[static_cast<size_t>(j)][k]; j != i && s.turned())
          other = b.fnma(of_a[static_cast<size_t>(j - first)], own[k], other);
    }
  }
  for (int64_t r = 0; r < rows; ++r) {
    std::vector<uint32_t> values;
    for (int64_t j = 0; j < (s.left ? sides : n); ++j)
      values.push_back(x[static_cast<size_t>(s.left ? r : j)][static_cast<size_t>(s.left ? j : r)]);
    store_row(b, values, t, to, matrix, n * all, r * row);
  }
  b.endloop();
  return std::move(b).finish();
}

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
    most_ = std::min({sides, int64_t{8}, 64 / m.n});
    const KType t = kernel_type(m.dtype);
    kernel_ = InnerKernel(solve_kernel(s, t, m.lanes(), m.n, sides, most_));
    if (sides % most_ != 0) rest_ = InnerKernel(solve_kernel(s, t, m.lanes(), m.n, sides, sides % most_));
  }

  void run(std::span<const void* const> operands, void* out, std::byte*, KernelError&) const override {
    if (m.batch * m.n * sides_ == 0) return;
    const int64_t matrix = m.n * m.n * m.size(), side = m.n * sides_ * m.size();  // bytes
    const double each = static_cast<double>(m.n * m.n * sides_) * (m.small ? 0.1 : 0.05) + 5;
    if (m.small)
      return in_groups(m.batch, kGroup, each, [&](int64_t first, int64_t count, int) {
        for (int64_t last = first + count; first < last; first += kGroup)
          lanes(std::min(kGroup, last - first), shifted(operands[0], first * matrix),
                shifted(operands[1], first * side), shifted(out, first * side));
      });
    // Few matrices are cut by right sides.
    const int64_t cuts = m.batch >= 8 ? 1 : std::clamp<int64_t>(sides_ / 64, 1, 16), cut = (sides_ + cuts - 1) / cuts;
    in_groups(m.batch * cuts, 1, each / static_cast<double>(cuts) + 200, [&](int64_t first, int64_t count, int) {
      for (int64_t i = first; i < first + count; ++i) {
        const int64_t begin = i % cuts * cut, matrices = i / cuts;
        if (begin < sides_)
          one(shifted(operands[0], matrices * matrix), shifted(operands[1], matrices * side),
              shifted(out, matrices * side), begin, std::min(cut, sides_ - begin));
      }
    });
  }

 private:
  static constexpr int64_t kGroup = 64;

  void lanes(int64_t count, const std::byte* a, const std::byte* b, std::byte* x) const {
    for (int64_t side = 0; side < sides_; side += most_) {
      const int64_t offset = side * (s.left ? 1 : m.n) * m.size();
      const int64_t args[] = {0, count, address(a), address(b + offset), address(x + offset)};
      (side + most_ <= sides_ ? kernel_ : rest_)(args);
    }
  }

  // Right sides [begin, begin + count) of one matrix.
  void one(const std::byte* a, const std::byte* b, std::byte* x, int64_t begin, int64_t count) const {
    const int64_t offset = begin * (s.left ? 1 : m.n) * m.size(), row = (s.left ? sides_ : m.n) * m.size();
    const int64_t rows = s.left ? m.n : count, bytes = (s.left ? count : m.n) * m.size();
    for (int64_t r = 0; r < rows; ++r)
      std::memcpy(x + offset + r * row, b + offset + r * row, static_cast<size_t>(bytes));
    auto call = [&](auto trsm, auto zero) {
      using T = decltype(zero);
      auto lock = blas().turn();
      trsm(CblasRowMajor, s.left ? CblasLeft : CblasRight, s.lower ? CblasLower : CblasUpper,
           s.transposed ? CblasTrans : CblasNoTrans, s.unit ? CblasUnit : CblasNonUnit, static_cast<blasint>(rows),
           static_cast<blasint>(s.left ? count : m.n), T{1}, reinterpret_cast<const T*>(a), static_cast<blasint>(m.n),
           reinterpret_cast<T*>(x + offset), static_cast<blasint>(s.left ? sides_ : m.n));
    };
    m.dtype == DType::f64 ? call(blas().cblas_dtrsm, double{}) : call(blas().cblas_strsm, float{});
  }

  Stack m;
  Solve s;
  int64_t sides_, most_ = 0;  // of a matrix, of a kernel
  InnerKernel kernel_, rest_;
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

// Factors of count matrices, row by row. Arguments: count, a, l, info.
Kernel cholesky_kernel(KType t, int lanes, int64_t n) {
  KernelBuilder b(lanes);
  const uint32_t count = b.arg(1), a = b.arg(2), to = b.arg(3), info = b.arg(4), matrix = b.vloop(count);
  const KType integer = bytes_of(t) == 8 ? KType::i64 : KType::i32;
  std::vector<std::vector<uint32_t>> l;
  uint32_t failed = b.mask_const(false), order = b.constant(integer, 0);
  for (int64_t i = 0; i < n; ++i) {
    std::vector<uint32_t>& row = l.emplace_back(load_row(b, t, a, matrix, n * n, i * n, i + 1));
    const auto last = static_cast<size_t>(i);
    for (size_t j = 0; j <= last; ++j) {
      for (size_t k = 0; k < j; ++k) row[j] = b.fnma(row[k], l[j][k], row[j]);
      if (j < last) row[j] = b.div(row[j], l[j][j]);
    }
    const uint32_t bad = b.cmp(KCmp::le, row[last], zero(b, t));
    order = b.select(b.mand(bad, b.mnot(failed)), b.constant(integer, static_cast<uint64_t>(i + 1)), order);
    failed = b.mor(failed, bad);
    row[last] = b.sqrt(row[last]);
    std::vector<uint32_t> stored = row;
    stored.resize(static_cast<size_t>(n), zero(b, t));
    store_row(b, stored, t, to, matrix, n * n, i * n);
  }
  b.store(b.convert(KType::i32, order), info, matrix);
  b.endloop();
  return std::move(b).finish();
}

class Cholesky final : public Routine {
 public:
  Cholesky(const Stack& stack, bool check, int64_t error_code) : m(stack), check_(check), error_code_(error_code) {
    if (m.batch * m.n == 0) return;
    if (m.small)
      kernel_ = InnerKernel(cholesky_kernel(kernel_type(m.dtype), m.lanes(), m.n));
    else
      library = blas().title;
  }

  void run_results(std::span<const void* const> operands, std::span<void* const> outs, std::byte*,
                   KernelError& error) const override {
    auto* info = static_cast<int32_t*>(outs[1]);
    if (m.n == 0) return static_cast<void>(std::fill_n(info, m.batch, 0));
    const int64_t matrix = m.n * m.n * m.size();
    const auto n = static_cast<double>(m.n);
    in_groups(m.batch, m.small ? m.lanes() : 1, n * n * n * (m.small ? 0.06 : 0.02) + (m.small ? 5 : 500),
              [&](int64_t first, int64_t count, int) {
                const std::byte* a = shifted(operands[0], first * matrix);
                std::byte* l = shifted(outs[0], first * matrix);
                if (m.small) {
                  const int64_t args[] = {0, count, address(a), address(l), address(info + first)};
                  return kernel_(args);
                }
                visit_lapack(m.dtype, [&](auto number) {
                  using T = decltype(number);
                  for (int64_t i = 0; i < count; ++i)
                    info[first + i] = one(Lapack<T>::potrf(), reinterpret_cast<const T*>(a + i * matrix),
                                          reinterpret_cast<T*>(l + i * matrix));
                });
              });
    if (!check_) return;
    const int32_t* wrong = std::find_if(info, info + m.batch, [](int32_t order) { return order != 0; });
    if (wrong != info + m.batch) error.record(error_code_, wrong - info, *wrong);
  }

 private:
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
  InnerKernel kernel_;
};

}  // namespace

std::unique_ptr<const Routine> make_cholesky(const RoutineContext& c) {
  return std::make_unique<Cholesky>(Stack::of(c.g.dtype(c.v), c.g.shape(c.v)), c.g.attrs(c.v).integer(Key::check) != 0,
                                    c.error_code);
}

}  // namespace jot::cpu
