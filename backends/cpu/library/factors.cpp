// lu and qr. Small square matrices by elimination in kernels, a matrix a lane, pivots chosen by masks; others by
// LAPACK.
//
// A row-major matrix is its transpose by columns: lu turns it, qr asks for the lq of the transpose instead, whose
// factors are r and q by rows.
#include <cmath>
#include <optional>

#include "backends/cpu/kernel/lower_ops.h"
#include "backends/cpu/library/matrices.h"

namespace jot::cpu {
namespace {

using ir::Key;

constexpr int64_t kSmall = 8;  // unrolled

struct Sizes {
  DType dtype;
  int64_t batch, m, n;
  int64_t k() const { return std::min(m, n); }
  static Sizes of(const RoutineContext& c) {
    const Shape& a = c.g.shape(c.g.operand(c.v, 0));
    return {c.g.dtype(c.v), a.slice(0, a.size() - 2).numel(), a[a.size() - 2], a[a.size() - 1]};
  }
};

// Arguments: count, a, packed, pivots, order, info.
Kernel lu_kernel(KType t, int lanes, int64_t n) {
  KernelBuilder b(lanes);
  const uint32_t count = b.arg(1), from = b.arg(2), to = b.arg(3), pivots = b.arg(4), orders = b.arg(5),
                 infos = b.arg(6);
  const uint32_t matrix = b.vloop(count), none = zero(b, t);
  const KType integer = bytes_of(t) == 8 ? KType::i64 : KType::i32;
  auto number = [&](int64_t i) { return b.constant(integer, static_cast<uint64_t>(i)); };
  std::vector<std::vector<uint32_t>> a;
  std::vector<uint32_t> order;
  for (int64_t i = 0; i < n; ++i) {
    a.push_back(load_row(b, t, from, matrix, n * n, i * n, n));
    order.push_back(number(i));
  }
  const auto size = static_cast<size_t>(n);
  uint32_t info = number(0);
  auto store_one = [&](uint32_t value, uint32_t pointer, int64_t place, int64_t each) {
    const uint32_t first = b.iadd(b.imuli(matrix, each), b.iconst(place));
    b.store_strided(b.convert(KType::i32, value), pointer, first, b.iconst(each), 0);
  };
  for (size_t k = 0; k < size; ++k) {
    uint32_t best = b.abs(a[k][k]), at = number(static_cast<int64_t>(k));
    for (size_t i = k + 1; i < size; ++i) {
      const uint32_t other = b.abs(a[i][k]), greater = b.cmp(KCmp::gt, other, best);
      best = b.select(greater, other, best);
      at = b.select(greater, number(static_cast<int64_t>(i)), at);
    }
    for (size_t i = k + 1; i < size; ++i) {
      const uint32_t chosen = b.cmp(KCmp::eq, at, number(static_cast<int64_t>(i)));
      auto exchange = [&](uint32_t& x, uint32_t& y) {
        const uint32_t first = b.select(chosen, y, x);
        y = b.select(chosen, x, y);
        x = first;
      };
      for (size_t j = 0; j < size; ++j) exchange(a[k][j], a[i][j]);
      exchange(order[k], order[i]);
    }
    store_one(b.add(at, number(1)), pivots, static_cast<int64_t>(k), n);
    const uint32_t vanishes = b.cmp(KCmp::eq, a[k][k], none);
    const uint32_t first = b.mand(vanishes, b.cmp(KCmp::eq, info, number(0)));
    info = b.select(first, number(static_cast<int64_t>(k + 1)), info);
    for (size_t i = k + 1; i < size; ++i) {
      a[i][k] = b.select(vanishes, a[i][k], b.div(a[i][k], a[k][k]));
      for (size_t j = k + 1; j < size; ++j) a[i][j] = b.fnma(a[i][k], a[k][j], a[i][j]);
    }
  }
  for (size_t i = 0; i < size; ++i) {
    store_row(b, a[i], t, to, matrix, n * n, static_cast<int64_t>(i) * n);
    store_one(order[i], orders, static_cast<int64_t>(i), n);
  }
  store_one(info, infos, 0, 1);
  b.endloop();
  return std::move(b).finish();
}

class Lu final : public Routine {
 public:
  Lu(const Sizes& sizes, bool check, int64_t error_code) : s(sizes), check_(check), error_code_(error_code) {
    if (s.batch * s.k() == 0) return;
    check_workspace("lu", std::max(s.m, s.n), {s.m, s.n});
    const int lanes = InnerKernel::lanes(size_of(s.dtype));
    if (s.m == s.n && s.n <= kSmall) {
      kernel_.emplace(lu_kernel(kernel_type(s.dtype), lanes, s.n));
      group_ = lanes;
      return;
    }
    library = blas().title;
    worker_bytes_ = aligned(s.m * s.n * size_of(s.dtype)) + aligned(s.k() * static_cast<int64_t>(sizeof(blasint)));
    scratch_bytes = worker_bytes_ * num_threads();
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
    const int64_t bytes = s.m * s.n * size_of(s.dtype);
    const double each = static_cast<double>(s.m * s.n * s.k()) * (kernel_ ? 0.1 : 0.03) + (kernel_ ? 5 : 500);
    in_groups(s.batch, group_, each, [&](int64_t first, int64_t count, int worker) {
      const std::byte* a = shifted(operands[0], first * bytes);
      std::byte* packed = shifted(outs[0], first * bytes);
      if (kernel_) {
        const int64_t args[] = {0,
                                count,
                                address(a),
                                address(packed),
                                address(pivots + first * s.n),
                                address(order + first * s.n),
                                address(info + first)};
        return (*kernel_)(args);
      }
      visit_lapack(s.dtype, [&](auto number) {
        using T = decltype(number);
        for (int64_t i = 0; i < count; ++i)
          info[first + i] =
              one<T>(reinterpret_cast<const T*>(a + i * bytes), reinterpret_cast<T*>(packed + i * bytes),
                     pivots + (first + i) * s.k(), order + (first + i) * s.m, scratch + worker * worker_bytes_);
      });
    });
    if (!check_) return;
    const int32_t* wrong = std::find_if(info, info + s.batch, [](int32_t at) { return at != 0; });
    if (wrong != info + s.batch) error.record(error_code_, wrong - info, *wrong);
  }

 private:
  template <class T>
  int32_t one(const T* a, T* packed, int32_t* pivots, int32_t* order, std::byte* scratch) const {
    T* turned = reinterpret_cast<T*>(scratch);
    auto* exchanged = reinterpret_cast<blasint*>(scratch + aligned(s.m * s.n * size_of(s.dtype)));
    transpose(a, turned, s.m, s.n);
    const auto m = static_cast<blasint>(s.m), n = static_cast<blasint>(s.n);
    blasint info = 0;
    {
      auto lock = blas().turn();
      Lapack<T>::getrf()(&m, &n, turned, &m, exchanged, &info);
    }
    transpose(turned, packed, s.n, s.m);
    for (int64_t i = 0; i < s.m; ++i) order[i] = static_cast<int32_t>(i);
    for (int64_t i = 0; i < s.k(); ++i) {
      pivots[i] = static_cast<int32_t>(exchanged[i]);
      std::swap(order[i], order[exchanged[i] - 1]);
    }
    return info > 0 ? static_cast<int32_t>(info) : 0;
  }

  Sizes s;
  bool check_;
  int64_t error_code_, group_ = 1, worker_bytes_ = 0;
  std::optional<InnerKernel> kernel_;
};

// ---- qr

class Qr final : public Routine {
 public:
  Qr(const Sizes& sizes, bool full) : s(sizes), columns_(full ? s.m : s.k()) {
    if (s.batch * s.k() == 0) return;
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
      const double each = static_cast<double>(s.m * s.m * s.n) * 0.1 + 1000;
      in_groups(s.batch, 1, each, [&](int64_t first, int64_t count, int worker) {
        for (int64_t i = first; i < first + count; ++i)
          one(a + i * s.m * s.n, q + i * s.m * columns_, r + i * columns_ * s.n, scratch + worker * worker_bytes_);
      });
    });
  }

 private:
  static blasint narrow(int64_t n) { return static_cast<blasint>(n); }

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
  int64_t columns_, work_ = 0, matrix_bytes_ = 0, worker_bytes_ = 0;  // columns of q
};

}  // namespace

std::unique_ptr<const Routine> make_lu(const RoutineContext& c) {
  return std::make_unique<Lu>(Sizes::of(c), c.g.attrs(c.v).integer(Key::check) != 0, c.error_code);
}

std::unique_ptr<const Routine> make_qr(const RoutineContext& c) {
  return std::make_unique<Qr>(Sizes::of(c), c.g.attrs(c.v).integer(Key::full) != 0);
}

}  // namespace jot::cpu
