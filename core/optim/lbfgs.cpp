#include <algorithm>
#include <array>
#include <cmath>

#include "jot/creation.h"
#include "jot/jit.h"
#include "jot/loops.h"
#include "jot/ops.h"
#include "jot/optim.h"

namespace jot::optim {

namespace {

// -H g by the two loops over pairs s = x' - x and y = g' - g, one a row, the oldest first; rho = 1 / (y . s). Rows of
// zeros, with which the history is filled up, change nothing.
Tensor direction(const Tensor& g, const Tensor& s, const Tensor& y, const Tensor& rho, const Tensor& scale) {
  using Pair = std::tuple<Tensor, Tensor, Tensor>;
  auto [q, alphas] = scan(
      [](const Tensor& q, const Pair& pair) {
        const auto& [s, y, rho] = pair;
        Tensor alpha = rho * sum(s * q);
        return std::pair{q - alpha * y, alpha};
      },
      -g, Pair{s, y, rho}, {.reverse = true});
  return scan(
             [](const Tensor& r, const std::tuple<Pair, Tensor>& step) {
               const auto& [pair, alpha] = step;
               const auto& [s, y, rho] = pair;
               return std::pair{r + (alpha - rho * sum(y * r)) * s, std::tuple<>()};
             },
             scale * q, std::tuple{Pair{s, y, rho}, alphas})
      .first;
}

// The minimum of the cubic through two points with their derivatives, kept between low and high; their middle where
// there is none.
struct Point {
  double t, f, slope;
};
double cubic_minimum(const Point& a, const Point& b, double low, double high) {
  const Point &left = a.t <= b.t ? a : b, &right = a.t <= b.t ? b : a;
  const double d1 = left.slope + right.slope - 3 * (left.f - right.f) / (left.t - right.t);
  const double square = d1 * d1 - left.slope * right.slope;
  if (!(square >= 0)) return (low + high) / 2;
  const double d2 = std::sqrt(square);
  const double t = right.t - (right.t - left.t) * ((right.slope + d2 - d1) / (right.slope - left.slope + 2 * d2));
  return std::min(std::max(t, low), high);
}

}  // namespace

struct LBFGS::Impl {
  LBFGSOptions options;
  decltype(jit(direction)) two_loops = jit(direction);
  int64_t iterations = 0, evaluations = 0;
  Tensor previous_gradient{}, step{};                 // step: the last direction times its length
  Tensor s = zeros({0, 0}), y = s, rho = zeros({0});  // rows; the capacity grows by doubling
  int64_t used = 0;
  double scale = 1;

  void remember(const Tensor& ds, const Tensor& dy, double curvature);
};

// One more pair; beyond history_size the oldest goes.
void LBFGS::Impl::remember(const Tensor& ds, const Tensor& dy, double curvature) {
  const int64_t n = ds.numel();
  auto grown = [&](const Tensor& rows, int64_t capacity, const Shape& rest) {
    Tensor more = zeros(Shape{capacity} + rest, ds.dtype());
    if (used > 0) more.slice(0, 0, used).copy_(rows.slice(0, 0, used));
    return more;
  };
  if (used == options.history_size) {
    auto shifted = [&](const Tensor& rows) { return cat({rows.slice(0, 1), rows.slice(0, 0, 1)}); };
    s = shifted(s);
    y = shifted(y);
    rho = shifted(rho);
    --used;
  } else if (used == s.size(0)) {
    const int64_t capacity = std::min(std::max<int64_t>(2 * used, 4), options.history_size);
    s = grown(s, capacity, {n});
    y = grown(y, capacity, {n});
    rho = grown(rho, capacity, {});
  }
  s[used] = ds;
  y[used] = dy;
  rho[used] = 1 / curvature;
  ++used;
}

namespace {

// The parameters as one vector, and f of it.
class Flat {
 public:
  using Evaluate = std::function<std::pair<detail::Leaves, Tensor>()>;
  Flat(const detail::Leaves& params, const Evaluate& evaluate, Location at)
      : params_(params), evaluate_(evaluate), at_(at) {
    if (params.empty()) fail("there are no parameters");
    for (const Tensor& p : params) {
      if (!p.defined() || !is_floating(p.dtype()))
        throw DTypeError("[LBFGS] expected parameters of floating point dtype, got " +
                         (p.defined() ? std::string(to_string(p.dtype())) : "an undefined Tensor") + jot::at(at));
      dtype_ = promote(dtype_, computing_type(p.dtype()));
    }
  }
  [[noreturn]] void fail(const std::string& what) const { throw TransformError("[LBFGS] " + what + jot::at(at_)); }

  Tensor gathered(const detail::Leaves& leaves) const {
    std::vector<Tensor> parts;
    for (const Tensor& t : leaves) parts.push_back(t.flatten().to(dtype_));
    return cat(parts);
  }
  Tensor position() const { return gathered(params_).clone(); }
  void move_to(const Tensor& x) const {
    int64_t start = 0;
    for (const Tensor& p : params_) {
      p.copy_(x.slice(0, start, start + p.numel()).view(p.shape()));
      start += p.numel();
    }
  }
  // Loss and gradient where the parameters are.
  std::pair<Tensor, Tensor> operator()() const {
    auto [gradients, loss] = evaluate_();
    if (!loss.defined() || loss.dim() != 0) fail("the loss must be a tensor without dims");
    if (gradients.size() != params_.size()) fail("the gradients are no tree like the parameters");
    for (size_t i = 0; i < gradients.size(); ++i)
      if (!gradients[i].defined() || gradients[i].shape() != params_[i].shape())
        fail("gradient " + std::to_string(i) + " has another shape than its parameter, " +
             to_string(params_[i].shape()));
    Tensor g = gathered(gradients).clone();
    return {loss, g};
  }

 private:
  const detail::Leaves& params_;
  const Evaluate& evaluate_;
  Location at_;
  DType dtype_ = DType::bf16;
};

double largest(const Tensor& x) { return x.numel() == 0 ? 0 : amax(abs(x)).item<double>(); }
double product(const Tensor& a, const Tensor& b) { return sum(a * b).item<double>(); }

struct Evaluated {
  Point at;
  Tensor gradient;
};

// A point along d that satisfies the strong Wolfe conditions, or the best of at most max_evaluations: first the
// interval is widened until it holds one, then it is narrowed. `evaluate` gives loss and gradient at x + t d.
template <class F>
Evaluated strong_wolfe(F evaluate, double t, double longest, const Evaluated& start, int64_t max_evaluations) {
  constexpr double decrease = 1e-4, curvature = 0.9, narrowest = 1e-9;
  auto armijo = [&](const Evaluated& e) { return e.at.f <= start.at.f + decrease * e.at.t * start.at.slope; };
  auto flat = [&](const Evaluated& e) { return std::abs(e.at.slope) <= -curvature * start.at.slope; };
  Evaluated previous = start, now = evaluate(t);
  std::array<Evaluated, 2> bracket;
  int64_t steps = 0;
  bool found = false;
  for (;; ++steps) {
    if (steps == max_evaluations) {
      bracket = {start, now};
      break;
    }
    if (!armijo(now) || (steps > 1 && now.at.f >= previous.at.f)) {
      bracket = {previous, now};
      break;
    }
    if (flat(now)) return now;
    if (now.at.slope >= 0) {
      bracket = {previous, now};
      break;
    }
    const double next = cubic_minimum(previous.at, now.at, now.at.t + 0.01 * (now.at.t - previous.at.t), 10 * now.at.t);
    previous = std::exchange(now, evaluate(next));
  }
  size_t low = bracket[0].at.f <= bracket[1].at.f ? 0 : 1;
  bool stuck = false;  // the last trial was close to an end
  for (; !found && steps < max_evaluations; ++steps) {
    const double left = std::min(bracket[0].at.t, bracket[1].at.t), right = std::max(bracket[0].at.t, bracket[1].at.t);
    if ((right - left) * longest < narrowest) break;
    t = cubic_minimum(bracket[0].at, bracket[1].at, left, right);
    const double margin = 0.1 * (right - left);
    const bool close = std::min(right - t, t - left) < margin;
    if (close && (stuck || t >= right || t <= left)) {
      t = std::abs(t - right) < std::abs(t - left) ? right - margin : left + margin;
      stuck = false;
    } else {
      stuck = close;
    }
    Evaluated trial = evaluate(t);
    const size_t high = 1 - low;
    if (!armijo(trial) || trial.at.f >= bracket[low].at.f) {
      bracket[high] = trial;
      low = bracket[0].at.f <= bracket[1].at.f ? 0 : 1;
      continue;
    }
    found = flat(trial);
    if (!found && trial.at.slope * (bracket[high].at.t - bracket[low].at.t) >= 0) bracket[high] = bracket[low];
    bracket[low] = trial;
  }
  return bracket[low];
}

}  // namespace

LBFGS::LBFGS(const LBFGSOptions& options, Location at) : impl_(std::make_shared<Impl>(Impl{options})) {
  auto check = [&](bool right, const char* what) {
    if (!right) throw Error("[LBFGS] invalid " + std::string(what) + jot::at(at));
  };
  check(options.lr >= 0, "lr: expected at least 0");
  check(options.max_iter > 0, "max_iter: expected at least 1");
  check(!options.max_eval || *options.max_eval > 0, "max_eval: expected at least 1");
  check(options.history_size > 0, "history_size: expected at least 1");
}

int64_t LBFGS::evaluations() const { return impl_->evaluations; }

Tensor LBFGS::run(const Leaves& params, const std::function<std::pair<Leaves, Tensor>()>& evaluate, Location at) const {
  Impl& m = *impl_;
  const LBFGSOptions& o = m.options;
  Flat f(params, evaluate, at);
  const int64_t max_evaluations = o.max_eval.value_or(o.max_iter * 5 / 4), before = m.evaluations;
  auto [first_loss, gradient] = f();
  ++m.evaluations;
  if (m.previous_gradient.defined() && m.previous_gradient.numel() != gradient.numel())
    f.fail("the parameters have " + std::to_string(gradient.numel()) + " elements, in the steps before " +
           std::to_string(m.previous_gradient.numel()));
  double loss = first_loss.item<double>(at);
  if (largest(gradient) <= o.tolerance_grad) return first_loss;
  for (int64_t i = 0; i < o.max_iter; ++i) {
    ++m.iterations;
    Tensor d;
    if (m.iterations == 1) {
      d = -gradient;
    } else {
      const Tensor change = gradient - m.previous_gradient;
      const double curvature = product(change, m.step);
      if (curvature > 1e-10) {
        m.remember(m.step, change, curvature);
        m.scale = curvature / product(change, change);
      }
      d = m.used == 0 ? -m.scale * gradient : m.two_loops(gradient, m.s, m.y, m.rho, tensor(m.scale, gradient.dtype()));
    }
    m.previous_gradient = gradient;
    const double previous_loss = loss, slope = product(gradient, d);
    double t = m.iterations == 1 ? std::min(1.0, 1 / sum(abs(gradient)).item<double>()) * o.lr : o.lr;
    m.step = t * d;
    if (slope > -o.tolerance_change) break;
    const Tensor x = f.position();
    bool evaluated = true;
    if (o.line_search == LineSearch::strong_wolfe) {
      auto along = [&](double length) {
        f.move_to(x + length * d);
        auto [value, g] = f();
        ++m.evaluations;
        return Evaluated{{length, value.item<double>(at), product(g, d)}, g};
      };
      const Evaluated best =
          strong_wolfe(along, t, largest(d), {{0, loss, slope}, gradient}, max_evaluations - (m.evaluations - before));
      t = best.at.t;
      loss = best.at.f;
      gradient = best.gradient;
      f.move_to(x + t * d);
    } else {
      f.move_to(x + t * d);
      evaluated = i + 1 < o.max_iter;
      if (evaluated) {
        auto [value, g] = f();
        ++m.evaluations;
        loss = value.item<double>(at);
        gradient = g;
      }
    }
    m.step = t * d;
    if (!evaluated || m.evaluations - before >= max_evaluations || largest(gradient) <= o.tolerance_grad ||
        largest(m.step) <= o.tolerance_change || std::abs(loss - previous_loss) < o.tolerance_change)
      break;
  }
  for (const Tensor& p : params) p.eval(at);
  return first_loss;
}

}  // namespace jot::optim
