// Generated from the tables core/*.def by core/functions.py: change these and run ./dev generate.
// torch.linalg.
#pragma once
#include <string>
#include <vector>

#include "jot/ops.h"
#include "jot/out.h"

namespace jot::linalg {

// clang-format off
struct CholeskyEx {
  Tensor L, info;
};
JOT_TREE(CholeskyEx, L, info);
struct InverseInfo {
  Tensor inverse, info;
};
JOT_TREE(InverseInfo, inverse, info);
struct ResultInfo {
  Tensor result, info;
};
JOT_TREE(ResultInfo, result, info);
struct SignLogabsdet {
  Tensor sign, logabsdet;
};
JOT_TREE(SignLogabsdet, sign, logabsdet);
struct PLU {
  Tensor P, L, U;
};
JOT_TREE(PLU, P, L, U);
struct LUPivots {
  Tensor LU, pivots;
};
JOT_TREE(LUPivots, LU, pivots);
struct QR {
  Tensor Q, R;
};
JOT_TREE(QR, Q, R);
struct Eigh {
  Tensor eigenvalues, eigenvectors;
};
JOT_TREE(Eigh, eigenvalues, eigenvectors);
struct SVD {
  Tensor U, S, Vh;
};
JOT_TREE(SVD, U, S, Vh);
struct Lstsq {
  Tensor solution, residuals, rank, singular_values;
};
JOT_TREE(Lstsq, solution, residuals, rank, singular_values);
struct SolveTriangular {
  bool left = true;
  bool unitriangular = false;
};

// ---- Linear algebra: jot::linalg
using jot::cross;
using jot::matmul;
using jot::cross_out;
using jot::matmul_out;
// A view of the diagonals of the matrices in dims dim1 and dim2: as jot::diagonal, but of the last two. IndexError for a wrong dim.
Tensor diagonal(const Tensor& x, int64_t offset = 0, int64_t dim1 = -2, int64_t dim2 = -1, Location at = JOT_HERE);
// The sum of a * b along dim. Operands broadcast; f32, f64, i32, i64. ShapeError, DTypeError, IndexError.
Tensor vecdot(const Tensor& a, const Tensor& b, int64_t dim = -1, Location at = JOT_HERE);
Tensor vecdot_out(const Tensor& out, const Tensor& a, const Tensor& b, int64_t dim = -1, Location at = JOT_HERE);
// x of a x = b (x a = b unless left), where of a [*, n, n] only the upper or the lower triangle is read, unitriangular: with ones for its
// diagonal. b and x are [*, n, k] ([*, k, n]), of one dtype. A zero on the diagonal gives inf or NaN, as in torch. ShapeError.
Tensor solve_triangular(const Tensor& a, const Tensor& b, bool upper, const SolveTriangular& options = {}, Location at = JOT_HERE);
Tensor solve_triangular_out(const Tensor& out, const Tensor& a, const Tensor& b, bool upper, const SolveTriangular& options = {}, Location at = JOT_HERE);
// l, lower, of a = l l^T (upper: u of a = u^T u), of positive-definite matrices [*, n, n], of which the one triangle is read. The derivative is
// that by a symmetric a. LinalgError where one is not positive-definite; of NaN the factor is NaN, where torch throws. ShapeError.
Tensor cholesky(const Tensor& a, bool upper = false, Location at = JOT_HERE);
Tensor cholesky_out(const Tensor& out, const Tensor& a, bool upper = false, Location at = JOT_HERE);
// The same without the error: info [*], i32, is 0 or the order of the first minor that is not positive; L means nothing there.
CholeskyEx cholesky_ex(const Tensor& a, bool upper = false, Location at = JOT_HERE);
CholeskyEx cholesky_ex_out(const Tensor& L, const Tensor& info, const Tensor& a, bool upper = false, Location at = JOT_HERE);
// The determinants [*] of a [*, n, n]. The first derivative is right for singular matrices, too; up to 3 x 3 that of any order is.
Tensor det(const Tensor& a, Location at = JOT_HERE);
Tensor det_out(const Tensor& out, const Tensor& a, Location at = JOT_HERE);
// The sign and log|det|: 0 and -inf of singular matrices.
SignLogabsdet slogdet(const Tensor& a, Location at = JOT_HERE);
SignLogabsdet slogdet_out(const Tensor& sign, const Tensor& logabsdet, const Tensor& a, Location at = JOT_HERE);
// The inverses. LinalgError of singular ones; inv_ex tells by info [*], i32, the place of the first pivot that is zero, or 0.
Tensor inv(const Tensor& a, Location at = JOT_HERE);
Tensor inv_out(const Tensor& out, const Tensor& a, Location at = JOT_HERE);
InverseInfo inv_ex(const Tensor& a, Location at = JOT_HERE);
InverseInfo inv_ex_out(const Tensor& inverse, const Tensor& info, const Tensor& a, Location at = JOT_HERE);
// x of a x = b (x a = b unless left) for a [*, n, n] and b [*, n, k] ([*, k, n]), or vectors b [n] or [*, n], where all dims but the last are those
// of a. Its derivative solves with the same factors. LinalgError of singular matrices; solve_ex tells by info. ShapeError.
Tensor solve(const Tensor& a, const Tensor& b, bool left = true, Location at = JOT_HERE);
Tensor solve_out(const Tensor& out, const Tensor& a, const Tensor& b, bool left = true, Location at = JOT_HERE);
ResultInfo solve_ex(const Tensor& a, const Tensor& b, bool left = true, Location at = JOT_HERE);
ResultInfo solve_ex_out(const Tensor& result, const Tensor& info, const Tensor& a, const Tensor& b, bool left = true, Location at = JOT_HERE);
// a = P L U of a [*, m, n], with k = min(m, n): P [*, m, m] exchanges rows, L [*, m, k] has ones on its diagonal, U [*, k, n].
PLU lu(const Tensor& a, Location at = JOT_HERE);
PLU lu_out(const Tensor& P, const Tensor& L, const Tensor& U, const Tensor& a, Location at = JOT_HERE);
// L, without its diagonal, and U in one matrix, and the row that each was exchanged with, counted from 1, i32. LinalgError of singular matrices.
LUPivots lu_factor(const Tensor& a, Location at = JOT_HERE);
LUPivots lu_factor_out(const Tensor& LU, const Tensor& pivots, const Tensor& a, Location at = JOT_HERE);
// x of a x = b from what lu_factor(a) returned, for b [*, n, k]. Pivots are i32, from 1 to n: DTypeError, IndexError at evaluation.
Tensor lu_solve(const Tensor& LU, const Tensor& pivots, const Tensor& b, Location at = JOT_HERE);
Tensor lu_solve_out(const Tensor& out, const Tensor& LU, const Tensor& pivots, const Tensor& b, Location at = JOT_HERE);
// a = Q R of a [*, m, n], k = min(m, n): Q [*, m, k] with orthonormal columns, R [*, k, n] upper. complete: Q [*, m, m], R [*, m, n], where the further
// columns' derivative is the part that a determines; r: an empty Q. Derivatives where the first k columns are independent.
QR qr(const Tensor& a, QrMode mode = QrMode::reduced, Location at = JOT_HERE);
QR qr_out(const Tensor& Q, const Tensor& R, const Tensor& a, QrMode mode = QrMode::reduced, Location at = JOT_HERE);
// Eigenvalues [*, n], rising, and their vectors, the columns of [*, n, n], of symmetric matrices, of which the lower triangle is read. Of each vector the
// first component that is at least half as large as the largest is positive. Of equal eigenvalues the derivatives are finite, those of their
// vectors are not. NaN and infinities give NaN. LinalgError where it does not converge.
Eigh eigh(const Tensor& a, Location at = JOT_HERE);
Eigh eigh_out(const Tensor& eigenvalues, const Tensor& eigenvectors, const Tensor& a, Location at = JOT_HERE);
Tensor eigvalsh(const Tensor& a, Location at = JOT_HERE);
Tensor eigvalsh_out(const Tensor& out, const Tensor& a, Location at = JOT_HERE);
// a = U diag(S) Vh of a [*, m, n], k = min(m, n): U [*, m, m], S [*, k], falling, Vh [*, n, n]; unless full_matrices U [*, m, k] and Vh [*, k, n]. The signs
// are those of eigh, of the columns of U. Derivatives: as eigh's; of further vectors the part that a determines.
SVD svd(const Tensor& a, bool full_matrices = true, Location at = JOT_HERE);
SVD svd_out(const Tensor& U, const Tensor& S, const Tensor& Vh, const Tensor& a, bool full_matrices = true, Location at = JOT_HERE);
Tensor svdvals(const Tensor& a, Location at = JOT_HERE);
Tensor svdvals_out(const Tensor& out, const Tensor& a, Location at = JOT_HERE);
// The pseudo-inverse [*, n, m] of a [*, m, n]: singular values up to rtol times the largest count as 0. rtol none: max(m, n) epsilon.
Tensor pinv(const Tensor& a, std::optional<double> rtol = {}, Location at = JOT_HERE);
Tensor pinv_out(const Tensor& out, const Tensor& a, std::optional<double> rtol = {}, Location at = JOT_HERE);
// The x of least norm among those with the least |a x - b|, for a [*, m, n], b [*, m, k] or [m]; residuals [*, k] where m > n, else empty; rank [*], i64.
Lstsq lstsq(const Tensor& a, const Tensor& b, Location at = JOT_HERE);
Lstsq lstsq_out(const Tensor& solution, const Tensor& residuals, const Tensor& rank, const Tensor& singular_values, const Tensor& a, const Tensor& b, Location at = JOT_HERE);
// How many singular values are above rtol times the largest, i64 [*].
Tensor matrix_rank(const Tensor& a, std::optional<double> rtol = {}, Location at = JOT_HERE);
Tensor matrix_rank_out(const Tensor& out, const Tensor& a, std::optional<double> rtol = {}, Location at = JOT_HERE);
// a^n by squares; of n < 0 that of the inverse. ShapeError.
Tensor matrix_power(const Tensor& a, int64_t n, Location at = JOT_HERE);
Tensor matrix_power_out(const Tensor& out, const Tensor& a, int64_t n, Location at = JOT_HERE);
// The exponential of each matrix: a quotient of polynomials of degree 13, scaled and squared (N. Higham 2005).
Tensor matrix_exp(const Tensor& a, Location at = JOT_HERE);
// Of the matrices in two dims: "fro", "nuc" (the sum of singular values), inf, -inf (sums of rows), 1, -1 (of columns), 2, -2 (singular values).
Tensor matrix_norm(const Tensor& a, const Ord& ord = "fro", const Axes& dims = {-2, -1}, bool keepdim = false, Location at = JOT_HERE);
Tensor matrix_norm_out(const Tensor& out, const Tensor& a, const Ord& ord = "fro", const Axes& dims = {-2, -1}, bool keepdim = false, Location at = JOT_HERE);
// jot::norm of vectors along dims ({}: of all elements).
Tensor vector_norm(const Tensor& x, const Ord& ord = 2, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
Tensor vector_norm_out(const Tensor& out, const Tensor& x, const Ord& ord = 2, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
// Without ord the root of the sum of squares; else of vectors in one dim or of a tensor with one, of matrices in two.
Tensor norm(const Tensor& x, const std::optional<Ord>& ord = {}, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
Tensor norm_out(const Tensor& out, const Tensor& x, const std::optional<Ord>& ord = {}, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
// The norm of a times that of its inverse; p none or 2: the greatest singular value over the least.
Tensor cond(const Tensor& a, const std::optional<Ord>& p = {}, Location at = JOT_HERE);
Tensor cond_out(const Tensor& out, const Tensor& a, const std::optional<Ord>& p = {}, Location at = JOT_HERE);
// The product of two and more matrices in the cheapest order; the first and the last may be vectors.
Tensor multi_dot(const std::vector<Tensor>& matrices, Location at = JOT_HERE);
Tensor multi_dot_out(const Tensor& out, const std::vector<Tensor>& matrices, Location at = JOT_HERE);
// The first n columns of the product of reflections 1 - tau_i v_i v_i^T, v_i the column i of a [*, m, n] with 1 on the diagonal and 0 above; tau [*, k].
Tensor householder_product(const Tensor& a, const Tensor& tau, Location at = JOT_HERE);
Tensor householder_product_out(const Tensor& out, const Tensor& a, const Tensor& tau, Location at = JOT_HERE);
// x of tensordot(a, x, x.dim()) = b: a [b's shape, x's shape] with as many elements in both.
Tensor tensorsolve(const Tensor& a, const Tensor& b, Location at = JOT_HERE);
Tensor tensorsolve_out(const Tensor& out, const Tensor& a, const Tensor& b, Location at = JOT_HERE);
// The inverse of tensordot with a, whose first ind dims have as many elements as the others.
Tensor tensorinv(const Tensor& a, int64_t ind = 2, Location at = JOT_HERE);
Tensor tensorinv_out(const Tensor& out, const Tensor& a, int64_t ind = 2, Location at = JOT_HERE);
// Powers 0, 1, ... n - 1 of x along a new last dim.
Tensor vander(const Tensor& x, std::optional<int64_t> N = {}, Location at = JOT_HERE);
// clang-format on

}  // namespace jot::linalg
