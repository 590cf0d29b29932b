#include "backends/cpu/library/flops.h"
#include <algorithm>
#include "backends/cpu/library/conv.h"

namespace jot::cpu {

using ir::Ints;
using ir::Key;
using ir::Op;

namespace {

// Of m x n matrices: the number of them.
double matrices(const Shape& a, double& m, double& n) {
  m = static_cast<double>(a[a.size() - 2]), n = static_cast<double>(a[a.size() - 1]);
  return static_cast<double>(a.slice(0, a.size() - 2).numel());
}

}  // namespace

double flops_of(const ir::GraphData& g, ir::Value v) {
  double m = 0, n = 0;
  switch (g.op(v)) {
    case Op::dot_op: {
      double terms = 1;
      const Ints contract = g.attrs(v).first(Key::contract);
      for (int64_t d : contract) terms *= static_cast<double>(g.shape(g.operand(v, 0))[static_cast<size_t>(d)]);
      return 2 * terms * static_cast<double>(g.shape(v).numel());
    }
    case Op::conv_op:
      return 2 * conv_of(g, v, false).terms();
    case Op::triangular_solve_op: {
      const double count = matrices(g.shape(v), m, n);
      return count * m * n * (g.attrs(v).integer(Key::left) != 0 ? m : n);
    }
    case Op::cholesky_op: {
      const double count = matrices(g.shape(v), m, n);
      return count * n * n * n / 3;
    }
    case Op::lu_op:
    case Op::qr_op: {
      const double count = matrices(g.shape(g.operand(v, 0)), m, n), k = std::min(m, n);
      const double lu = m * n * k - (m + n) * k * k / 2 + k * k * k / 3;  // multiplications of an elimination
      if (g.op(v) == Op::lu_op) return count * 2 * lu;
      // r by reflections takes twice an elimination; q: that many columns of the product of k reflections
      const double columns = g.attrs(v).integer(Key::full) != 0 ? m : k;
      return count * (4 * lu + 4 * m * columns * k - 2 * (m + columns) * k * k + 4 * k * k * k / 3);
    }
    default:
      return 0;
  }
}

}  // namespace jot::cpu
