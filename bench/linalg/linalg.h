// The table of linear algebra: its rows and their inputs, which have twins in peers.py.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/contender.h"

namespace bench::linalg {

enum class Op : uint8_t { cholesky, solve, slogdet, qr, eigh, svd, ekf };
inline constexpr std::string_view kNames[] = {"cholesky", "solve", "slogdet", "qr", "eigh", "svd", "ekf"};

struct Row {
  Op op;
  int64_t batch, n;
  bool gradient = false;
  int threads = 2;
  std::string name() const {
    const std::string size = std::to_string(n), many = batch == 1 ? "" : std::to_string(batch) + " of ";
    return std::string(kNames[static_cast<size_t>(op)]) + " " + many + size + " x " + size +
           (gradient ? ", gradient" : "");
  }
};

using Numbers = std::vector<double>;

inline Numbers uniforms(uint64_t seed, int64_t n) {
  Numbers v(static_cast<size_t>(n));
  for (size_t i = 0; i < v.size(); ++i) v[i] = 2 * uniform(seed, i);
  return v;
}
// Well-conditioned; the pivot of each column is the row after the diagonal's.
inline Numbers general(const Row& r) {
  const int64_t n = r.n;
  Numbers a = uniforms(1, r.batch * n * n);
  for (int64_t m = 0; m < r.batch; ++m)
    for (int64_t i = 0; i < n; ++i)
      a[static_cast<size_t>(m * n * n + i * n + (i + n - 1) % n)] += static_cast<double>(n);
  return a;
}
inline Numbers symmetric(const Row& r, bool positive) {
  const int64_t n = r.n;
  Numbers u = uniforms(1, r.batch * n * n), a(u.size());
  for (int64_t m = 0; m < r.batch; ++m)
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j) {
        auto at = [&](int64_t x, int64_t y) { return static_cast<size_t>((m * n + x) * n + y); };
        a[at(i, j)] = u[at(i, j)] + u[at(j, i)] + (positive && i == j ? 2.0 * static_cast<double>(n) : 0.0);
      }
  return a;
}
inline bool is_symmetric(Op op) { return op == Op::cholesky || op == Op::eigh; }
inline Numbers matrices(const Row& r) { return is_symmetric(r.op) ? symmetric(r, r.op == Op::cholesky) : general(r); }
inline Numbers right_sides(const Row& r) { return uniforms(2, r.batch * r.n); }

// Nothing where Eigen has no row.
std::optional<Job> by_eigen(const Row& row);

}  // namespace bench::linalg
