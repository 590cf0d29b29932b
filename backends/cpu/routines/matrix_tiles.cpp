#include "backends/cpu/routines/matrix_tiles.h"

#include <cmath>
#include <limits>

#include "backends/cpu/kernel/lower_ops.h"
#include "backends/cpu/routines/clones.h"

#pragma GCC diagnostic ignored "-Wpsabi"  // vectors are given to functions that are inlined alone

namespace jot::cpu {

int64_t tile_lanes(const ir::GraphData& g, ir::Value v) {
  const Shape& a = g.shape(g.operand(v, 0));
  const int64_t lanes = 64 / size_of(g.dtype(v));
  int64_t batch = 1;
  for (size_t d = 0; d + 2 < a.size(); ++d) batch *= a[d];
  auto fits = [](const Shape& s) {
    return std::ranges::all_of(s.slice(s.size() - 2, s.size()), [](int64_t n) { return n > 0 && n <= kTileExtent; });
  };
  return batch >= lanes && fits(a) && fits(g.shape(v)) ? lanes : 0;
}

// ---- rows

namespace {

Kernel rows_kernel(KType t, int lanes, int64_t columns, bool loads) {
  KernelBuilder b(lanes);
  const uint32_t count = b.arg(1), stack = b.arg(2), tile = b.arg(3), rows = b.arg(4), matrix_step = b.arg(5),
                 row_step = b.arg(6), matrix = b.vloop(count), row = b.loop(rows);
  const int64_t wide = 64 / bytes_of(t), size = bytes_of(t);
  const uint32_t place = b.iadd(b.imul(matrix, matrix_step), b.imul(row, row_step)),
                 lane = b.iadd(matrix, b.imuli(row, columns * wide));
  for (int64_t first = 0; first < columns; first += lanes) {
    const int64_t n = std::min<int64_t>(lanes, columns - first);
    auto in_tile = [&](int64_t j) { return (first + j) * wide * size; };
    if (loads) {
      const uint32_t value = b.load_rows(t, static_cast<uint16_t>(n), stack, place, matrix_step, first * size);
      for (int64_t j = 0; j < n; ++j) b.store(value + static_cast<uint32_t>(j), tile, lane, in_tile(j));
    } else {
      std::vector<uint32_t> values;
      for (int64_t j = 0; j < n; ++j) values.push_back(b.load(t, tile, lane, in_tile(j)));
      b.store_rows(values, stack, place, matrix_step, first * size);
    }
  }
  b.endloop();
  b.endloop();
  return std::move(b).finish();
}

}  // namespace

TileRows::TileRows(DType dtype, int64_t columns) : size_(size_of(dtype)), columns_(columns) {
  const int lanes = InnerKernel::lanes(size_of(dtype));
  load_ = InnerKernel(rows_kernel(kernel_type(dtype), lanes, columns, true));
  store_ = InnerKernel(rows_kernel(kernel_type(dtype), lanes, columns, false));
}

void TileRows::repeat_first(int64_t count, void* tile, int64_t rows) const {
  auto repeat = [&]<class T>(T* at) {
    for (int64_t e = 0; e < rows * columns_; ++e, at += kTileLanes<T>)
      for (int64_t l = count; l < kTileLanes<T>; ++l) at[l] = *at;
  };
  size_ == 8 ? repeat(static_cast<int64_t*>(tile)) : repeat(static_cast<int32_t*>(tile));
}

// ---- transposition

namespace {

Kernel turning_kernel(KType t, int lanes, int64_t columns) {
  KernelBuilder b(lanes);
  const uint32_t rows = b.arg(1), from = b.arg(2), to = b.arg(3), row = b.vloop(rows);
  const uint32_t begin = b.imuli(row, columns), step = b.iconst(columns);
  auto block = [&](uint32_t first, int64_t n) {  // of columns
    const uint32_t value = b.load_rows(t, static_cast<uint16_t>(n), from, b.iadd(begin, first), step);
    for (int64_t j = 0; j < n; ++j)
      b.store(value + static_cast<uint32_t>(j), to, b.iadd(row, b.imul(b.iadd(first, b.iconst(j)), rows)));
  };
  if (columns >= lanes) {
    const uint32_t nth = b.loop(b.iconst(columns / lanes));
    block(b.imuli(nth, lanes), lanes);
    b.endloop();
  }
  if (columns % lanes != 0) block(b.iconst(columns / lanes * lanes), columns % lanes);
  b.endloop();
  return std::move(b).finish();
}

}  // namespace

Transposition::Transposition(DType dtype, int64_t columns)
    : kernel_(turning_kernel(kernel_type(dtype), InnerKernel::lanes(size_of(dtype)), columns)) {}

// ---- what the compiler makes for each instruction set

namespace {

#define JOT_ALWAYS __attribute__((always_inline))
#define JOT_INLINE JOT_ALWAYS inline

template <class T>
struct Lanes;
template <>
struct Lanes<double> {
  typedef double V __attribute__((vector_size(64), may_alias));
  typedef int64_t I __attribute__((vector_size(64), may_alias));
};
template <>
struct Lanes<float> {
  typedef float V __attribute__((vector_size(64), may_alias));
  typedef int32_t I __attribute__((vector_size(64), may_alias));
};

template <class T>
struct Tile {
  using V = typename Lanes<T>::V;
  using I = typename Lanes<T>::I;
  using N = TileInteger<T>;
  static constexpr int kLanes = static_cast<int>(kTileLanes<T>);
  static constexpr T kEpsilon = std::numeric_limits<T>::epsilon(), kLeast = std::numeric_limits<T>::min();

  static JOT_INLINE V all(T x) { return x - V{}; }
  static JOT_INLINE I whole(int64_t i) { return static_cast<N>(i) - I{}; }
  static JOT_INLINE V magnitude(V x) { return (V)((I)x & std::numeric_limits<N>::max()); }
  static JOT_INLINE V greater_of(V x, V y) { return x > y ? x : y; }
  static JOT_INLINE V root(V x) {
    alignas(64) T y[kLanes];  // a loop over an array becomes vectors
    for (int l = 0; l < kLanes; ++l) y[l] = x[l];
    for (int l = 0; l < kLanes; ++l) y[l] = std::sqrt(y[l]);
    return *reinterpret_cast<V*>(y);
  }
  static JOT_INLINE bool any(I mask) {
    N found = 0;
    for (int l = 0; l < kLanes; ++l) found |= mask[l];
    return found != 0;
  }
  // x and y where the mask is set, exchanged.
  static JOT_INLINE void exchange(I mask, V& x, V& y) {
    const V first = mask ? y : x;
    y = mask ? x : y;
    x = first;
  }
  // x / d by the reciprocal of d. That of a subnormal number may overflow: it is taken of a multiple, and multiplied in
  // two steps.
  struct Divisor {
    V over = all(1), lift = all(1);
    Divisor() = default;
    JOT_INLINE explicit Divisor(V d) {
      lift = magnitude(d) < kLeast ? all(sizeof(T) == 8 ? T(0x1p200) : T(0x1p40)) : all(1);
      over = 1 / (d * lift);
    }
    JOT_INLINE V of(V x) const { return x * over * lift; }
  };

  // f(first, how many) for the columns [first, last), kWide at a time.
  template <int kWide, class F>
  static JOT_INLINE void in_blocks(int64_t first, int64_t last, F f) {
    for (; first + kWide <= last; first += kWide) f(first, std::integral_constant<int, kWide>{});
    if constexpr (kWide > 1) in_blocks<kWide / 2>(first, last, f);
  }

  // Column by column: each less the multiples of those before it, several rows side by side.
  static JOT_INLINE void cholesky(V* a, int64_t n, I& info) {
    info = I{};
    I order = I{};
    for (int64_t j = 0; j < n; ++j) {
      order += 1;
      V d = a[j * n + j];
      for (int64_t k = 0; k < j; ++k) d -= a[j * n + k] * a[j * n + k];
      info |= (d <= 0) & (info == 0) & order;  // not of NaN
      d = root(d);
      a[j * n + j] = d;
      const V over = 1 / d;  // roots are not subnormal
      in_blocks<4>(j + 1, n, [&](int64_t i, auto wide) JOT_ALWAYS {
        constexpr int kWide = wide;
        V sum[kWide];
        for (int w = 0; w < kWide; ++w) sum[w] = a[(i + w) * n + j];
        for (int64_t k = 0; k < j; ++k) {
          const V factor = a[j * n + k];
          for (int w = 0; w < kWide; ++w) sum[w] -= a[(i + w) * n + k] * factor;
        }
        for (int w = 0; w < kWide; ++w) a[(i + w) * n + j] = sum[w] * over;
      });
      for (int64_t i = 0; i < j; ++i) a[i * n + j] = V{};
    }
  }

  static JOT_INLINE void lu(V* a, int64_t m, int64_t n, I* pivots, I* order, I& info) {
    info = I{};
    I nth = I{};
    for (int64_t i = 0; i < m; ++i, nth += 1) order[i] = nth;
    V factors[kTileExtent];
    I place = I{};  // k
    for (int64_t k = 0; k < std::min(m, n); ++k, place += 1) {
      const V above = a[k * n + k];
      V d = above;
      I pivot = place;  // the first of the greatest
      nth = place;
      for (int64_t i = k + 1; i < m; ++i) {
        nth += 1;
        const V x = a[i * n + k];
        const I greater = magnitude(x) > magnitude(d);
        pivot = greater ? nth : pivot;
        d = greater ? x : d;
      }
      pivots[k] = pivot + 1;
      info |= (d == 0) & (info == 0) & (place + 1);
      const Divisor divided(d == 0 ? all(1) : d);  // the column stays as it is
      const I order_above = order[k];
      I chosen_order = order_above;
      nth = place;
      for (int64_t i = k + 1; i < m; ++i) {
        nth += 1;
        const I chosen = pivot == nth, there = order[i];
        const V x = a[i * n + k];
        factors[i] = divided.of(chosen ? above : x);
        a[i * n + k] = factors[i];
        order[i] = chosen ? order_above : there;
        chosen_order = chosen ? there : chosen_order;
      }
      a[k * n + k] = d;
      order[k] = chosen_order;
      // Row k and the pivot's are exchanged; then multiples of the pivot's are subtracted where `eliminates`.
      auto update = [&](int64_t begin, int64_t end, auto eliminates) JOT_ALWAYS {
        in_blocks<4>(begin, end, [&](int64_t j, auto wide) JOT_ALWAYS {
          constexpr int kWide = wide;
          V old[kWide], top[kWide];
          for (int w = 0; w < kWide; ++w) top[w] = old[w] = a[k * n + j + w];
          I at = place;
          for (int64_t i = k + 1; i < m; ++i) {
            at += 1;
            const I chosen = pivot == at;
            for (int w = 0; w < kWide; ++w) top[w] = chosen ? a[i * n + j + w] : top[w];
          }
          for (int w = 0; w < kWide; ++w) a[k * n + j + w] = top[w];
          at = place;
          for (int64_t i = k + 1; i < m; ++i) {
            at += 1;
            const I chosen = pivot == at;
            for (int w = 0; w < kWide; ++w) {
              const V x = chosen ? old[w] : a[i * n + j + w];
              if constexpr (eliminates)
                a[i * n + j + w] = x - factors[i] * top[w];
              else
                a[i * n + j + w] = x;
            }
          }
        });
      };
      update(0, k, std::false_type{});
      update(k + 1, n, std::true_type{});
    }
  }

  // Rows one after the other: each less the multiples of those before it, several right sides side by side.
  static JOT_INLINE void solve(const V* m, int64_t m_row, int64_t m_column, bool forward, bool unit, V* x, int64_t row,
                               int64_t side, int64_t n, int64_t sides) {
    Divisor divided[kTileExtent];
    if (!unit)
      for (int64_t i = 0; i < n; ++i) divided[i] = Divisor(m[i * (m_row + m_column)]);
    const int64_t first = forward ? 0 : n - 1, next = forward ? 1 : -1;
    in_blocks<4>(0, sides, [&](int64_t s, auto wide) JOT_ALWAYS {
      constexpr int kWide = wide;
      for (int64_t step = 0, i = first; step < n; ++step, i += next) {
        V sum[kWide];
        for (int w = 0; w < kWide; ++w) sum[w] = x[i * row + (s + w) * side];
        for (int64_t before = 0, k = first; before < step; ++before, k += next) {
          const V factor = m[i * m_row + k * m_column];
          for (int w = 0; w < kWide; ++w) sum[w] -= factor * x[k * row + (s + w) * side];
        }
        for (int w = 0; w < kWide; ++w) x[i * row + (s + w) * side] = divided[i].of(sum[w]);
      }
    });
  }

  // A power of two near the largest element, and 0, or NaN if not all are finite.
  static JOT_INLINE void find_scale(const V* a, int64_t count, V& scale, V& poison) {
    V largest = all(kLeast);
    poison = V{};
    for (int64_t e = 0; e < count; ++e) {
      largest = greater_of(magnitude(a[e]), largest);
      poison += a[e] * 0;
    }
    scale = (V)((I)largest & (I)all(std::numeric_limits<T>::infinity()));  // its exponent
    scale = poison == 0 ? scale : all(1);
  }

  // Reflections with LAPACK's signs (dgeqr2): below the diagonal the vectors, without their first element, 1. `scaled`:
  // elements are near 1, or less.
  static JOT_INLINE void reflect(V* a, V* taus, int64_t m, int64_t n) {
    for (int64_t k = 0; k < std::min(m, n); ++k) {
      V below = V{};
      for (int64_t i = k + 1; i < m; ++i) below += a[i * n + k] * a[i * n + k];
      const V first = a[k * n + k], norm = root(first * first + below), length = first < 0 ? norm : -norm;
      const I none = below == 0;
      const V tau = none ? V{} : (length - first) / length, over = none ? V{} : 1 / (first - length);
      taus[k] = tau;
      a[k * n + k] = none ? first : length;
      for (int64_t i = k + 1; i < m; ++i) a[i * n + k] *= over;
      for (int64_t j = k + 1; j < n; ++j) {
        V sum = a[k * n + j];
        for (int64_t i = k + 1; i < m; ++i) sum += a[i * n + k] * a[i * n + j];
        sum *= tau;
        a[k * n + j] -= sum;
        for (int64_t i = k + 1; i < m; ++i) a[i * n + j] -= a[i * n + k] * sum;
      }
    }
  }
  // The first columns of the product of the reflections (dorg2r).
  static JOT_INLINE void accumulate(const V* a, const V* taus, V* q, int64_t m, int64_t n, int64_t columns) {
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < columns; ++j) q[i * columns + j] = all(i == j ? 1 : 0);
    for (int64_t k = std::min(m, n); k-- > 0;)
      for (int64_t j = k; j < columns; ++j) {
        V sum = q[k * columns + j];
        for (int64_t i = k + 1; i < m; ++i) sum += a[i * n + k] * q[i * columns + j];
        sum *= taus[k];
        q[k * columns + j] -= sum;
        for (int64_t i = k + 1; i < m; ++i) q[i * columns + j] -= a[i * n + k] * sum;
      }
  }

  static JOT_INLINE void qr(V* a, V* q, int64_t m, int64_t n, int64_t columns) {
    V scale, poison, taus[kTileExtent];
    find_scale(a, m * n, scale, poison);
    for (int64_t e = 0; e < m * n; ++e) a[e] /= scale;
    reflect(a, taus, m, n);
    accumulate(a, taus, q, m, n, columns);
    for (int64_t e = 0; e < m * columns; ++e) q[e] += poison;
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) a[i * n + j] = j < i ? poison : a[i * n + j] * scale + poison;
  }

  // The rotation that makes the element `pq` of a symmetric 2 x 2 zero: tangent, cosine and sine of the smaller angle
  // (G. Golub and C. Van Loan 2013, 8.5.2, without a quotient by pq).
  static JOT_INLINE void rotation(V pp, V qq, V pq, V& t, V& c, V& s) {
    const V apart = qq - pp, length = root(apart * apart + 4 * pq * pq),
            under = apart < 0 ? apart - length : apart + length;
    t = under == 0 ? V{} : 2 * pq / under;
    c = 1 / root(1 + t * t);
    s = t * c;
  }
  static JOT_INLINE void rotate(V c, V s, V& x, V& y) {
    const V first = c * x - s * y;
    y = s * x + c * y;
    x = first;
  }

  // By Jacobi's rotations, row by row. work: eigenvectors as rows.
  static JOT_INLINE void eigh(V* a, V* values, V* work, int64_t n, I& info) {
    constexpr int kMostSweeps = 30;
    V scale, poison;
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = i + 1; j < n; ++j) a[i * n + j] = a[j * n + i];
    find_scale(a, n * n, scale, poison);
    for (int64_t e = 0; e < n * n; ++e) a[e] /= scale;
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j) work[i * n + j] = all(i == j ? 1 : 0);
    auto element = [&](int64_t i, int64_t j) -> V& { return i > j ? a[i * n + j] : a[j * n + i]; };
    for (int sweep = 0;; ++sweep) {
      V off = V{};
      for (int64_t i = 1; i < n; ++i)
        for (int64_t j = 0; j < i; ++j) off = greater_of(magnitude(a[i * n + j]), off);
      info = off > kEpsilon / 16;  // not of NaN
      if (sweep == kMostSweeps || !any(info)) break;
      for (int64_t p = 0; p < n; ++p)
        for (int64_t q = p + 1; q < n; ++q) {
          const V pq = a[q * n + p];
          V t, c, s;
          rotation(a[p * n + p], a[q * n + q], pq, t, c, s);
          t = info ? t : V{};  // lanes that are done stay as they are
          c = info ? c : all(1);
          s = info ? s : V{};
          a[p * n + p] -= t * pq;
          a[q * n + q] += t * pq;
          a[q * n + p] = info ? V{} : pq;
          for (int64_t i = 0; i < p; ++i) rotate(c, s, a[p * n + i], a[q * n + i]);
          for (int64_t i = p + 1; i < q; ++i) rotate(c, s, a[i * n + p], a[q * n + i]);
          for (int64_t i = q + 1; i < n; ++i) rotate(c, s, a[i * n + p], a[i * n + q]);
          for (int64_t i = 0; i < n; ++i) rotate(c, s, work[p * n + i], work[q * n + i]);
        }
    }
    info &= 1;
    for (int64_t i = 0; i < n; ++i) values[i] = element(i, i);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = i + 1; j < n; ++j) {
        const I fall = values[j] < values[i];
        exchange(fall, values[i], values[j]);
        for (int64_t k = 0; k < n; ++k) exchange(fall, work[i * n + k], work[j * n + k]);
      }
    for (int64_t i = 0; i < n; ++i) {
      values[i] = values[i] * scale + poison;
      for (int64_t j = 0; j < n; ++j) a[j * n + i] = work[i * n + j] + poison;
    }
  }

  // By Jacobi's rotations of pairs of columns until all are orthogonal (M. Hestenes 1958). Singular values that are
  // nothing beside the largest have vectors that complete the others, by reflections of these.
  static JOT_INLINE void svd(const V* a, int64_t row, int64_t column, V* u, V* values, V* v, V* work, int64_t m,
                             int64_t n, int64_t us, I& info) {
    constexpr int kMostSweeps = 40;
    constexpr T kNothing = kEpsilon / 128;
    // Products of f32 columns that are little beside the largest, times this, have squares.
    constexpr T kLift = sizeof(T) == 4 ? T(0x1p56) : T(1);
    V scale, poison;
    find_scale(a, m * n, scale, poison);
    for (int64_t j = 0; j < n; ++j) {
      for (int64_t i = 0; i < m; ++i) u[j * m + i] = a[i * row + j * column] / scale;
      for (int64_t i = 0; i < n; ++i) v[j * n + i] = all(i == j ? 1 : 0);
    }
    auto product = [m](const V* x, const V* y) {
      V sum = V{};
      for (int64_t i = 0; i < m; ++i) sum += x[i] * y[i];
      return sum;
    };
    for (int sweep = 0;; ++sweep) {
      info = I{};
      for (int64_t p = 0; p < n; ++p)
        for (int64_t q = p + 1; q < n; ++q) {
          V *x = u + p * m, *y = u + q * m;
          const V pp = product(x, x) * kLift, qq = product(y, y) * kLift, pq = product(x, y) * kLift;
          const I slanted = (magnitude(pq) > 4 * kEpsilon * root(pp * qq)) &  // not of NaN
                            (pp > kNothing * kNothing * kLift) & (qq > kNothing * kNothing * kLift);
          info |= slanted;
          V t, c, s;
          rotation(pp, qq, pq, t, c, s);
          c = slanted ? c : all(1);
          s = slanted ? s : V{};
          for (int64_t i = 0; i < m; ++i) rotate(c, s, x[i], y[i]);
          for (int64_t i = 0; i < n; ++i) rotate(c, s, v[p * n + i], v[q * n + i]);
        }
      if (sweep == kMostSweeps || !any(info)) break;
    }
    info &= 1;
    for (int64_t j = 0; j < n; ++j) values[j] = root(product(u + j * m, u + j * m));
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = i + 1; j < n; ++j) {
        const I rise = values[j] > values[i];
        exchange(rise, values[i], values[j]);
        for (int64_t k = 0; k < m; ++k) exchange(rise, u[i * m + k], u[j * m + k]);
        for (int64_t k = 0; k < n; ++k) exchange(rise, v[i * n + k], v[j * n + k]);
      }
    I incomplete = us > n ? ~I{} : I{};
    for (int64_t j = 0; j < n; ++j) {
      const I some = values[j] > kNothing;
      incomplete |= ~some & (poison == 0);
      const V over = some ? 1 / values[j] : V{};
      for (int64_t i = 0; i < m; ++i) u[j * m + i] *= over;
    }
    if (any(incomplete)) complete(incomplete, u, work, m, n, us);
    for (int64_t e = 0; e < m * us; ++e) u[e] += poison;
    for (int64_t e = 0; e < n * n; ++e) v[e] += poison;
    for (int64_t j = 0; j < n; ++j) values[j] = values[j] * scale + poison;
  }
  // Of orthonormal columns, the last of which may be zeros: r is 1 or -1 on its diagonal where they are not, and q is
  // what they are, with these signs, and further columns. In the lanes of the mask.
  static JOT_INLINE void complete(I mask, V* u, V* work, int64_t m, int64_t n, int64_t us) {
    V *columns = work, *q = work + m * us, taus[kTileExtent];
    for (int64_t j = 0; j < n; ++j)
      for (int64_t i = 0; i < m; ++i) columns[i * n + j] = u[j * m + i];
    reflect(columns, taus, m, n);
    accumulate(columns, taus, q, m, n, us);
    for (int64_t j = 0; j < us; ++j) {
      const V r = j < n ? columns[j * n + j] : V{};
      for (int64_t i = 0; i < m; ++i) {
        const V x = r < 0 ? -q[i * us + j] : q[i * us + j];
        u[j * m + i] = mask ? x : u[j * m + i];
      }
    }
  }
};

}  // namespace

#define JOT_TILE_FUNCTIONS(T)                                                                                         \
  JOT_CLONES void tile_cholesky(T* a, int64_t n, TileInteger<T>* info) {                                              \
    using X = Tile<T>;                                                                                                \
    X::cholesky(reinterpret_cast<X::V*>(a), n, *reinterpret_cast<X::I*>(info));                                       \
  }                                                                                                                   \
  JOT_CLONES void tile_lu(T* a, int64_t m, int64_t n, TileInteger<T>* pivots, TileInteger<T>* order,                  \
                          TileInteger<T>* info) {                                                                     \
    using X = Tile<T>;                                                                                                \
    X::lu(reinterpret_cast<X::V*>(a), m, n, reinterpret_cast<X::I*>(pivots), reinterpret_cast<X::I*>(order),          \
          *reinterpret_cast<X::I*>(info));                                                                            \
  }                                                                                                                   \
  JOT_CLONES void tile_solve(const T* m, int64_t m_row, int64_t m_column, bool forward, bool unit, T* x, int64_t row, \
                             int64_t side, int64_t n, int64_t sides) {                                                \
    using X = Tile<T>;                                                                                                \
    X::solve(reinterpret_cast<const X::V*>(m), m_row, m_column, forward, unit, reinterpret_cast<X::V*>(x), row, side, \
             n, sides);                                                                                               \
  }                                                                                                                   \
  JOT_CLONES void tile_qr(T* a, T* q, int64_t m, int64_t n, int64_t columns) {                                        \
    using X = Tile<T>;                                                                                                \
    X::qr(reinterpret_cast<X::V*>(a), reinterpret_cast<X::V*>(q), m, n, columns);                                     \
  }                                                                                                                   \
  JOT_CLONES void tile_eigh(T* a, T* values, T* work, int64_t n, TileInteger<T>* info) {                              \
    using X = Tile<T>;                                                                                                \
    X::eigh(reinterpret_cast<X::V*>(a), reinterpret_cast<X::V*>(values), reinterpret_cast<X::V*>(work), n,            \
            *reinterpret_cast<X::I*>(info));                                                                          \
  }                                                                                                                   \
  JOT_CLONES void tile_svd(const T* a, int64_t row, int64_t column, T* u, T* s, T* v, T* work, int64_t m, int64_t n,  \
                           int64_t us, TileInteger<T>* info) {                                                        \
    using X = Tile<T>;                                                                                                \
    X::svd(reinterpret_cast<const X::V*>(a), row, column, reinterpret_cast<X::V*>(u), reinterpret_cast<X::V*>(s),     \
           reinterpret_cast<X::V*>(v), reinterpret_cast<X::V*>(work), m, n, us, *reinterpret_cast<X::I*>(info));      \
  }
JOT_TILE_FUNCTIONS(double)
JOT_TILE_FUNCTIONS(float)
#undef JOT_TILE_FUNCTIONS

}  // namespace jot::cpu
