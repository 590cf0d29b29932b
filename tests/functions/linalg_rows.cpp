// Functions of jot::linalg. Matrices have 2, 4, 6, ... added to their diagonals: they are far from singular, their
// eigenvalues and singular values from each other.
#include "tests/functions/rows.h"

namespace jot::test {

namespace {

Tensor apart(const Tensor& x) {
  const int64_t m = x.size(-2), n = x.size(-1);
  return x + eye(m, n, x.dtype()) * (2 * (arange(n, x.dtype()) + 1));
}
// Integers stay.
Tensor part(const Tensor& x, int64_t n) { return is_floating(x.dtype()) ? x / n : x; }
Tensor symmetric(const Tensor& x) { return part(apart(x) + apart(x).mT(), 2); }
Tensor definite(const Tensor& x) { return matmul(apart(x), apart(x).mT()); }
Input square(int64_t n) { return {{n, n}, -0.5, 0.5}; }
Input stack(int64_t m, int64_t n) { return {{2, m, n}, -0.5, 0.5}; }

using Call = std::function<Tensor(Tensors)>;

void solutions(FunctionRows& t) {
  t.add("linalg.diagonal", "", {{{2, 3, 3}}}, [](Tensors x) { return linalg::diagonal(x[0], 1); });
  t.add("linalg.vecdot", "", {{{2, 3}}, {{3}}}, [](Tensors x) { return linalg::vecdot(x[0], x[1]); });
  t.add("linalg.solve_triangular", "", {stack(3, 3), {{3, 2}}},
        [](Tensors x) { return linalg::solve_triangular(apart(x[0]), x[1], false); });
  t.add("linalg.cholesky", "", {stack(3, 3)}, [](Tensors x) { return linalg::cholesky(definite(x[0])); });
  t.add("linalg.cholesky_ex", "", {square(3)}, [](Tensors x) { return linalg::cholesky_ex(definite(x[0]), true).L; });
  t.add("linalg.cholesky_ex", "info", {square(3)}, [](Tensors x) { return linalg::cholesky_ex(x[0]).info; }).order = 0;
  t.add("cholesky_solve", "", {square(3), {{3, 2}}},
        [](Tensors x) { return cholesky_solve(x[1], linalg::cholesky(definite(x[0]))); });
  t.add("cholesky_solve", "upper", {square(3), {{3, 2}}},
        [](Tensors x) { return cholesky_solve(x[1], linalg::cholesky(definite(x[0]), true), true); });
  t.add("cholesky_inverse", "", {square(3)},
        [](Tensors x) { return cholesky_inverse(linalg::cholesky(definite(x[0]))); });
  for (int64_t n : {1, 2, 3, 4, 9}) {
    const int order = n < 4 ? 2 : 1;
    t.add("linalg.det", std::to_string(n), {{{n, n}, -0.2, 0.2}}, [](Tensors x) {
       return linalg::det(part(apart(x[0]), 4));
     }).order = order;
    t.add("linalg.solve", std::to_string(n), {square(n), {{n, 2}}}, [](Tensors x) {
       return linalg::solve(apart(x[0]).flip({0}), x[1]);
     }).order = order;
  }
  t.add("linalg.det", "batch", {stack(4, 4)}, [](Tensors x) { return linalg::det(part(apart(x[0]), 4)); });
  t.add("linalg.slogdet", "", {stack(3, 3)}, [](Tensors x) { return linalg::slogdet(apart(x[0])).logabsdet; });
  t.add("linalg.slogdet", "sign", {stack(3, 3)}, [](Tensors x) { return linalg::slogdet(apart(x[0]).flip({1})).sign; });
  t.add("logdet", "", {stack(3, 3)}, [](Tensors x) { return logdet(apart(x[0])); });
  t.add("linalg.inv", "", {stack(3, 3)}, [](Tensors x) { return linalg::inv(apart(x[0])); });
  t.add("linalg.inv_ex", "", {square(3)}, [](Tensors x) { return linalg::inv_ex(apart(x[0])).inverse; });
  t.add("linalg.solve", "batches", {stack(3, 3), {{3, 2}}}, [](Tensors x) { return linalg::solve(apart(x[0]), x[1]); });
  t.add("linalg.solve", "right sides", {square(3), stack(3, 2)},
        [](Tensors x) { return linalg::solve(apart(x[0]), x[1]); });
  t.add("linalg.solve", "vectors", {stack(3, 3), {{2, 3}}}, [](Tensors x) { return linalg::solve(apart(x[0]), x[1]); });
  t.add("linalg.solve", "from the right", {square(3), {{2, 3}}},
        [](Tensors x) { return linalg::solve(apart(x[0]), x[1], false); });
  t.add("linalg.solve_ex", "", {square(3), {{3}}},
        [](Tensors x) { return linalg::solve_ex(apart(x[0]), x[1]).result; });
  t.add("linalg.lu_factor", "", {stack(3, 3)}, [](Tensors x) { return linalg::lu_factor(apart(x[0])).LU; });
  t.add("linalg.lu_factor", "pivots", {stack(3, 3)}, [](Tensors x) {
     return linalg::lu_factor(apart(x[0]).flip({1})).pivots;
   }).order = 0;
  t.add("linalg.lu_solve", "", {stack(3, 3), {{3, 2}}}, [](Tensors x) {
    auto [LU, pivots] = linalg::lu_factor(apart(x[0]).flip({1}));
    return linalg::lu_solve(LU, pivots, x[1]);
  });
  for (auto [m, n] : {std::pair<int64_t, int64_t>{3, 3}, {4, 2}, {2, 4}}) {
    const std::string label = std::to_string(m) + " x " + std::to_string(n);
    t.add("linalg.lu", label, {stack(m, n)}, [](Tensors x) { return linalg::lu(apart(x[0]).flip({1})).L; });
    t.add("linalg.lu", label + " u", {stack(m, n)}, [](Tensors x) { return linalg::lu(apart(x[0])).U; });
    t.add("linalg.qr", label, {stack(m, n)}, [](Tensors x) { return linalg::qr(apart(x[0])).Q; });
    t.add("linalg.qr", label + " r", {stack(m, n)}, [](Tensors x) { return linalg::qr(apart(x[0]), QrMode::r).R; });
  }
  t.add("linalg.lu", "p", {stack(3, 3)}, [](Tensors x) { return linalg::lu(apart(x[0]).flip({1})).P; }).order = 0;
  t.add("linalg.qr", "complete", {{{4, 2}, -0.5, 0.5}}, [](Tensors x) {
    Tensor q = linalg::qr(apart(x[0]), QrMode::complete).Q.slice(1, 2);
    return matmul(q, q.mT());
  });
  t.add("linalg.tensorsolve", "", {{{2, 2, 4}, -0.5, 0.5}, {{2, 2}}}, [](Tensors x) {
    return linalg::tensorsolve(x[0] + eye(4, x[0].dtype()).reshape({2, 2, 4}) * 3, x[1]);
  });
  t.add("linalg.tensorinv", "", {{{2, 2, 4}, -0.5, 0.5}}, [](Tensors x) {
    return linalg::tensorinv(x[0] + eye(4, x[0].dtype()).reshape({2, 2, 4}) * 3);
  });
}

void spectra(FunctionRows& t) {
  t.add("linalg.eigh", "", {stack(3, 3)}, [](Tensors x) { return linalg::eigh(symmetric(x[0])).eigenvalues; });
  t.add("linalg.eigh", "vectors", {square(3)}, [](Tensors x) { return linalg::eigh(symmetric(x[0])).eigenvectors; });
  t.add("linalg.eigvalsh", "", {square(3)}, [](Tensors x) { return linalg::eigvalsh(symmetric(x[0])); });
  t.add("linalg.svd", "s", {stack(3, 2)}, [](Tensors x) { return linalg::svd(apart(x[0]), false).S; });
  t.add("linalg.svd", "u", {{{3, 2}, -0.5, 0.5}}, [](Tensors x) { return linalg::svd(apart(x[0]), false).U; });
  t.add("linalg.svd", "v", {{{2, 3}, -0.5, 0.5}}, [](Tensors x) { return linalg::svd(apart(x[0]), false).Vh; });
  t.add("linalg.svd", "again", {{{2, 3}, -0.5, 0.5}}, [](Tensors x) {
    auto [U, S, Vh] = linalg::svd(apart(x[0]));
    return matmul(U * S.unsqueeze(-2), Vh.slice(0, 0, 2));
  });
  t.add("linalg.svdvals", "", {stack(3, 2)}, [](Tensors x) { return linalg::svdvals(apart(x[0])); });
  for (auto [m, n] : {std::pair<int64_t, int64_t>{3, 3}, {4, 2}, {2, 4}})
    t.add("linalg.pinv", std::to_string(m) + " x " + std::to_string(n), {stack(m, n)},
          [](Tensors x) { return linalg::pinv(apart(x[0])); });
  t.add("linalg.lstsq", "", {{{4, 2}, -0.5, 0.5}, {{4, 2}}},
        [](Tensors x) { return linalg::lstsq(apart(x[0]), x[1]).solution; });
  t.add("linalg.lstsq", "residuals", {{{4, 2}, -0.5, 0.5}, {{4}}},
        [](Tensors x) { return linalg::lstsq(apart(x[0]), x[1]).residuals; });
  t.add("linalg.matrix_rank", "", {stack(3, 2)}, [](Tensors x) { return linalg::matrix_rank(x[0]); }).order = 0;
  for (int64_t n : {-2, 0, 1, 3, 6})
    t.add("linalg.matrix_power", std::to_string(n), {{{2, 3, 3}, -0.3, 0.3}},
          [n](Tensors x) { return linalg::matrix_power(x[0] + eye(3, x[0].dtype()), n); });
  t.add("linalg.matrix_exp", "", {{{2, 3, 3}, -1, 1}}, [](Tensors x) { return linalg::matrix_exp(x[0]); }).order = 1;
  t.add("linalg.matrix_exp", "large", {{{3, 3}, -9, 1}}, [](Tensors x) { return linalg::matrix_exp(x[0]); }).order = 1;
  for (const Ord& ord : {Ord("fro"), Ord("nuc"), Ord(1), Ord(-1), Ord(2), Ord(-2), Ord(inf), Ord(-inf)}) {
    const std::string label = ord.name().empty() ? std::to_string(ord.number()) : ord.name();
    t.add("linalg.matrix_norm", label, {stack(3, 2)},
          [ord](Tensors x) { return linalg::matrix_norm(apart(x[0]), ord); });
    t.add("linalg.cond", label, {square(3)}, [ord](Tensors x) { return linalg::cond(apart(x[0]), ord); });
  }
  t.add("linalg.matrix_norm", "dims", {{{3, 2, 2}, -0.5, 0.5}}, [](Tensors x) {
    return linalg::matrix_norm(x[0] + 1, 1, {0, 1}, true);
  });
  t.add("linalg.vector_norm", "", {{{3, 2}, 0.5, 2}}, [](Tensors x) { return linalg::vector_norm(x[0], 3, 0); });
  t.add("linalg.norm", "", {{{3, 2}, 0.5, 2}}, [](Tensors x) { return linalg::norm(x[0]); });
  t.add("norm", "nuc", {{{3, 2}, -0.5, 0.5}}, [](Tensors x) { return norm(apart(x[0]), "nuc", {}, true); });
  t.add("norm", "nuc of the outer dims", {{{2, 3, 2}, -0.5, 0.5}}, [](Tensors x) {
    return norm(apart(x[0].permute({1, 0, 2})).permute({1, 0, 2}), "nuc", {0, 2});
  });
  t.add("linalg.norm", "nuc", {{{3, 2}, -0.5, 0.5}}, [](Tensors x) { return linalg::norm(apart(x[0]), Ord("nuc")); });
  t.add("linalg.cond", "", {square(3)}, [](Tensors x) { return linalg::cond(apart(x[0])); });
  t.add("linalg.multi_dot", "", {{{3}}, {{3, 4}}, {{4, 2}}}, [](Tensors x) {
    return linalg::multi_dot({x[0], x[1], x[2]});
  });
  t.add("linalg.householder_product", "", {{{2, 4, 3}}, {{2, 2}}},
        [](Tensors x) { return linalg::householder_product(x[0], x[1]); });
  t.add("linalg.vander", "", {{{3}}}, [](Tensors x) { return linalg::vander(x[0], 4); });
  t.add("linalg.vander", "one", {{{2, 3}}}, [](Tensors x) { return linalg::vander(x[0], 1); }).order = 0;
}

}  // namespace

void linalg_rows(FunctionRows& t) {
  solutions(t);
  spectra(t);
}

}  // namespace jot::test
