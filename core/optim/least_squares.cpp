#include "jot/least_squares.h"

#include <limits>

#include "core/record/scope.h"
#include "jot/creation.h"
#include "jot/custom.h"
#include "jot/linalg.h"
#include "jot/loops.h"
#include "jot/ops.h"
#include "jot/vmap.h"

namespace jot::detail {

using optim::LeastSquaresResult;

Tensor ravelled(std::string_view api, std::span<const Tensor> leaves, Location at) {
  std::vector<Tensor> parts;
  for (const Tensor& t : leaves) {
    if (!t.defined() || !is_floating(t.dtype()))
      throw DTypeError("[" + std::string(api) +
                       "] expected tensors of floating point dtype in x0 and the residual, got " +
                       (t.defined() ? std::string(to_string(t.dtype())) : "an undefined Tensor") + jot::at(at));
    parts.push_back(t.flatten());
  }
  if (parts.empty()) throw TransformError("[" + std::string(api) + "] x0 or the residual has no tensors" + jot::at(at));
  return parts.size() == 1 ? parts[0] : cat(parts);
}

Leaves unravelled(const Tensor& x, std::span<const Tensor> like) {
  Leaves leaves;
  int64_t start = 0;
  for (const Tensor& t : like) {
    leaves.push_back(x.slice(0, start, start + t.numel()).reshape(t.shape()).to(t.dtype()));
    start += t.numel();
  }
  return leaves;
}

namespace {

// Residual and jacobian at a point, as what the steps need.
struct Linearised {
  Tensor r, J;
};
Linearised linearised(const Residual& residual, const Tensor& x) {
  auto [J, r] = jot::jacobian<has_aux>([&](const Tensor& v) {
    Tensor value = residual(v);
    return std::pair{value, value};
  })(x);
  return {r, J};
}
Tensor half_square(const Tensor& r) { return 0.5 * sum(square(r)); }
Tensor length(const Tensor& v) { return sqrt(sum(square(v))); }
template <class Options>
Tensor is_flat(const Tensor& gradient, const Options& o) {
  return amax(abs(gradient)) <= o.gradient_tolerance;
}
template <class Options>
Tensor is_short(const Tensor& step, const Tensor& x, const Options& o) {
  return length(step) <= o.step_tolerance * (length(x) + o.step_tolerance);
}

// x with the derivative of the root of the cost's gradient.
LeastSquaresResult<Tensor> implicit(const Residual& residual, const Tensor& x, const Tensor& steps,
                                    const Tensor& converged, Location at) {
  auto gradient = jot::grad([&](const Tensor& v) { return half_square(residual(v)); }, at);
  Tensor root = custom_root(
      gradient, x, [](const auto&, const Tensor& found) { return found; },
      [&](const auto& matvec, const Tensor& b) {
        Tensor hessian = jot::vmap([&](const Tensor& v) { return matvec(v); })(eye(b.numel(), b.dtype()));
        return linalg::solve(hessian.t(), b);
      },
      at);
  return {root, half_square(residual(root)), steps, converged};
}

void check_steps(std::string_view api, int64_t max_steps, Location at) {
  if (max_steps < 0)
    throw Error("[" + std::string(api) + "] expected max_steps of at least 0, got " + std::to_string(max_steps) +
                jot::at(at));
}

Tensor running(const Tensor& steps, const Tensor& done, int64_t max_steps) {
  return logical_and(steps < max_steps, logical_not(done));
}

}  // namespace

LeastSquaresResult<Tensor> gauss_newton(const Residual& residual, const Tensor& x0, const optim::GaussNewtonOptions& o,
                                        Location at) {
  check_steps("gauss_newton", o.max_steps, at);
  Scope scope("gauss_newton", at);
  using Carry = std::tuple<Tensor, Tensor, Tensor>;
  auto search = [&] {
    NoGrad constant;
    return while_loop(
        [&](const Carry& c) { return running(std::get<1>(c), std::get<2>(c), o.max_steps); },
        [&](const Carry& c) {
          const auto& [x, steps, done] = c;
          auto [r, J] = linearised(residual, x);
          Tensor flat = is_flat(matmul(J.t(), r), o);
          Tensor d = linalg::lstsq(J, -r.unsqueeze(1)).solution.squeeze(1);
          return Carry{where(flat, x, x + d), steps + where(flat, 0, 1).to(i64), logical_or(flat, is_short(d, x, o))};
        },
        Carry{x0.detach(), zeros({}, i64), full({}, false)});
  };
  auto [x, steps, converged] = search();
  return implicit(residual, x, steps, converged, at);
}

LeastSquaresResult<Tensor> levenberg_marquardt(const Residual& residual, const Tensor& x0,
                                               const optim::LevenbergMarquardtOptions& o, Location at) {
  check_steps("levenberg_marquardt", o.max_steps, at);
  Scope scope("levenberg_marquardt", at);
  const DType dtype = x0.dtype();
  // x, J^T r, J^T J, cost, mu, its next factor, steps, done.
  using Carry = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>;
  const double least = is_floating(dtype) && dtype == f64 ? 1e-14 : 1e-6;
  auto search = [&] {
    NoGrad constant;
    Tensor start = x0.detach();
    auto [r, J] = linearised(residual, start);
    Tensor g = matmul(J.t(), r);
    return while_loop([&](const Carry& c) { return running(std::get<6>(c), std::get<7>(c), o.max_steps); },
                      [&](const Carry& c) {
                        const auto& [x, g, A, cost, mu, factor, steps, done] = c;
                        Tensor damping = mu * clamp(A.diagonal(), 1e-6, 1e32);
                        Tensor d = linalg::solve(A + diag_embed(damping), -g);
                        Tensor next = x + d;
                        auto [r, J] = linearised(residual, next);
                        Tensor next_cost = half_square(r),
                               ratio = (cost - next_cost) / (0.5 * sum(d * (damping * d - g)));
                        Tensor better = next_cost < cost, small = is_short(d, x, o);
                        Tensor g_next = where(better, matmul(J.t(), r), g), t = 2 * ratio - 1;
                        Tensor shrunk = clamp_min(mu * clamp_min(1 - t * t * t, 1.0 / 3), least);
                        return Carry{where(better, next, x),
                                     g_next,
                                     where(better, matmul(J.t(), J), A),
                                     where(better, next_cost, cost),
                                     where(better, shrunk, mu * factor),
                                     where(better, full_like(factor, 2), 2 * factor),
                                     steps + 1,
                                     logical_or(small, is_flat(g_next, o))};
                      },
                      Carry{start, g, matmul(J.t(), J), half_square(r), full({}, o.damping, dtype), full({}, 2, dtype),
                            zeros({}, i64), is_flat(g, o)});
  };
  Carry last = search();
  return implicit(residual, std::get<0>(last), std::get<6>(last), std::get<7>(last), at);
}

}  // namespace jot::detail
