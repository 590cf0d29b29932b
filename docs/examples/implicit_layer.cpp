// An implicit layer: z with z = tanh(W z + x), found by iteration. Its derivative is that of the equation and costs the
// memory of one step, however many steps the iteration took.
#include <jot/jot.h>

#include <cstdio>
#include <tuple>

using namespace jot;

namespace {

using Arguments = std::tuple<Tensor, Tensor>;

Tensor map(const Tensor& W, const Tensor& x, const Tensor& z) { return tanh(matmul(W, z) + x); }

// u = f(u), for a contraction f.
template <class F>
Tensor fixed_point(F f, const Tensor& start) {
  using Pair = std::pair<Tensor, Tensor>;  // the last two
  auto apart = [](const Pair& p) { return max(abs(p.first - p.second)) > 1e-14; };
  auto next = [&](const Pair& p) { return Pair{p.second, f(p.second)}; };
  return while_loop(apart, next, Pair{start, f(start)}, {.max_steps = 1000}).second;
}

Tensor solve(const Tensor& W, const Tensor& x) {
  return fixed_point([&](const Tensor& z) { return map(W, x, z); }, zeros_like(x));
}

// With u = c + (dz/dz)^T u, again a fixed point, the cotangents of W and x are those of one step for u.
auto layer() {
  auto forward = [](const Tensor& W, const Tensor& x) {
    Tensor z = solve(W, x);
    return std::pair{z, std::tuple{W, x, z}};
  };
  auto backward = [](const std::tuple<Tensor, Tensor, Tensor>& kept, const Tensor& c) {
    const auto& [W, x, z] = kept;
    auto [again, pull_z] = vjp([&](const Tensor& at) { return map(W, x, at); }, z);
    Tensor u = fixed_point([&](const Tensor& v) { return c + std::get<0>(pull_z(v)); }, c);
    auto [same, pull] = vjp([&](const Tensor& w, const Tensor& at) { return map(w, at, z); }, W, x);
    return pull(u);
  };
  return custom_vjp(solve, forward, backward);
}

// The same with all steps differentiated.
Tensor written_out(const Tensor& W, const Tensor& x) {
  Tensor z = zeros_like(x);
  for (int i = 0; i < 60; ++i) z = map(W, x, z);
  return z;
}

double difference(const Arguments& a, const Arguments& b) {
  return maximum(max(abs(std::get<0>(a) - std::get<0>(b))), max(abs(std::get<1>(a) - std::get<1>(b)))).item<double>();
}

}  // namespace

int main() {
  manual_seed(1);
  const Tensor W = 0.2 * randn({4, 4}, f64), x = randn({4}, f64), lanes = randn({3, 4}, f64);
  auto loss = [](auto f) { return [=](const Tensor& w, const Tensor& v) { return sum(square(f(w, v))); }; };
  auto implicit = grad<argnums(0, 1)>(loss(layer()));
  auto explicit_ = grad<argnums(0, 1)>(loss(written_out));
  double one = difference(jit(implicit)(W, x), explicit_(W, x));
  VmapOptions options{.in_dims = {none, 0}};
  double many = difference(vmap(implicit, options)(W, lanes), vmap(explicit_, options)(W, lanes));
  std::printf("gradients by the equation and through 60 steps differ by %.2g, of lanes by %.2g\n", one, many);
  return one < 1e-12 && many < 1e-12 ? 0 : 1;
}
