// Nonlinear least squares: x at which half the sum of the squares of a residual is least, with dense jacobians.
#pragma once
#include <functional>
#include <utility>

#include "jot/optim.h"

namespace jot::optim {

// It ends, converged, where no entry of the gradient J^T r exceeds gradient_tolerance, or a step is shorter than
// step_tolerance (|x| + step_tolerance); or, not converged, after max_steps.
struct GaussNewtonOptions {
  int64_t max_steps = 50;
  double gradient_tolerance = 1e-8, step_tolerance = 1e-8;
};
// damping: of the first step, relative to the diagonal of J^T J.
struct LevenbergMarquardtOptions {
  int64_t max_steps = 100;
  double gradient_tolerance = 1e-8, step_tolerance = 1e-8;
  double damping = 1e-3;
};

// x like x0; cost, half the sum of squares at x, 0-d; steps (0-d, i64) and converged (0-d, boolean).
template <class X>
struct LeastSquaresResult {
  X x;
  Tensor cost, steps, converged;
};
template <class X, class Fn>
decltype(auto) jot_tree_members(LeastSquaresResult<X>& r, Fn&& fn) {
  return fn(r.x, r.cost, r.steps, r.converged);
}
template <class X, class Fn>
decltype(auto) jot_tree_members(const LeastSquaresResult<X>& r, Fn&& fn) {
  return fn(r.x, r.cost, r.steps, r.converged);
}
template <class X>
constexpr std::string_view jot_tree_names(const LeastSquaresResult<X>*) {
  return "x, cost, steps, converged";
}

}  // namespace jot::optim

namespace jot::detail {

// The floating leaves of a tree as one vector, and back.
Tensor ravelled(std::string_view api, std::span<const Tensor> leaves, Location at);
Leaves unravelled(const Tensor& x, std::span<const Tensor> like);

using Residual = std::function<Tensor(const Tensor& x)>;  // vector -> vector
optim::LeastSquaresResult<Tensor> gauss_newton(const Residual& residual, const Tensor& x0,
                                               const optim::GaussNewtonOptions& options, Location at);
optim::LeastSquaresResult<Tensor> levenberg_marquardt(const Residual& residual, const Tensor& x0,
                                                      const optim::LevenbergMarquardtOptions& options, Location at);

template <class R, class X, class Solve>
optim::LeastSquaresResult<X> least_squares(std::string_view api, R& residual, const X& x0, Location at, Solve solve) {
  const Leaves start = leaves_in(x0);
  const Residual flat = [&](const Tensor& x) {
    return ravelled(api, leaves_in(residual(with_leaves(x0, unravelled(x, start)))), at);
  };
  optim::LeastSquaresResult<Tensor> found = solve(flat, ravelled(api, start, at));
  return {with_leaves(x0, unravelled(found.x, start)), found.cost, found.steps, found.converged};
}

}  // namespace jot::detail

namespace jot::optim {

// x from x0, a tree of floating tensors of n elements; residual: X -> a tree of m elements. Functions of what the
// residual captures, under jit, vmap (a lane that has converged waits for the others) and every derivative: those of x
// are implicit, from the gradient that is zero at x, whatever steps led there; where it has not converged they are
// approximate. By x0 they are zero. A step costs one jacobian, n or m evaluations' worth, and O(m n^2).

// Steps of least length that minimise |r + J d| (linalg::lstsq): quadratic near a solution without residual, but free
// to diverge.
template <class R, class X>
LeastSquaresResult<X> gauss_newton(R&& residual, const X& x0, const GaussNewtonOptions& options = {},
                                   Location at = JOT_HERE) {
  return detail::least_squares("gauss_newton", residual, x0, at,
                               [&](const detail::Residual& flat, const Tensor& start) {
                                 return detail::gauss_newton(flat, start, options, at);
                               });
}
// Steps of (J^T J + mu diag(J^T J)) d = -J^T r; only those that lower the cost are taken. mu follows the ratio of the
// decrease to that of the linear model. Madsen, Nielsen and Tingleff, "Methods for non-linear least squares problems",
// 2004, algorithm 3.16; Marquardt's scaling.
template <class R, class X>
LeastSquaresResult<X> levenberg_marquardt(R&& residual, const X& x0, const LevenbergMarquardtOptions& options = {},
                                          Location at = JOT_HERE) {
  return detail::least_squares("levenberg_marquardt", residual, x0, at,
                               [&](const detail::Residual& flat, const Tensor& start) {
                                 return detail::levenberg_marquardt(flat, start, options, at);
                               });
}

}  // namespace jot::optim
