// The interface, line by line: everything here compiles and runs.
#include <jot/fmt.h>
#include <jot/jot.h>

#include <unistd.h>

#include <array>
#include <filesystem>
#include <iostream>
#include <map>
#include <optional>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

using namespace jot;

namespace {

struct Pose {
  Tensor rotation, translation;
};
JOT_TREE(Pose, rotation, translation);
struct Scene {
  Pose pose;
  std::vector<Pose> others;
};
JOT_TREE(Scene, pose, others);

void tensors() {
  std::vector<double> memory(12, 0.5);
  const double* ptr = memory.data();
  Tensor idx = tensor({0, 1}), m = tensor({{true, false}, {false, true}}), v = tensor({5.0, 6.0}, f64);

  Tensor a = tensor({{1.0, 2.0}, {3.0, 4.0}}, f64);
  Tensor b = tensor({1.0, 2.0}, f64);
  Tensor c = from_blob(ptr, {3, 4}, f64);
  Tensor d = borrow(memory.data(), {3, 4}, f64);
  Tensor e = Tensor::from(std::vector<float>{1, 2, 3, 4}, {2, 2});
  zeros({2, 3}), ones({2}), full({2}, 0.5), eye(3), arange(5), linspace(0, 1, 11), rand({2}), randn({2, 3}),
      manual_seed(7);
  zeros_like(a), randn_like(a), set_default_dtype(f64), set_default_dtype(f32);
  randn({3}, f64), eye(2, f64), tensor(1.5, f64), rand({});

  a.shape(), a.dim(), a.size(-1), a.numel(), a.dtype();
  std::cout << (a.shape() == Shape{2, 2}) << "\n";
  sum(a).item<double>();
  a.to_vector<double>();
  e.data<float>();
  e.mutable_data<float>(), a.eval(), a.defined();
  a + b, a * 2, 1 - a, -a, a > 0, a == b, m &m, matmul(a, b), sum(a), sum(a, {0}, /*keepdim=*/true), a.sum(0);
  a[0], a.select(0, 1), a.slice(0, 0, 2), c.index({Slice(0, 2), None, Ellipsis, idx});
  a.transpose(0, 1), a.t(), a.view({4}), a.reshape({-1});
  a.unsqueeze(0), a.squeeze(0), b.expand({3, 2}), a.permute({1, 0}), a.diagonal(), a.clone(), a.to(f64), a.detach();
  stack({a, b.expand({2, 2})}), cat({a, a}, 0);
  a.add_(1), a.mul_(b), a += b, a.copy_(b), a.zero_(), a.fill_(3), a[0] = b, a[0] = 3, a.index({m}) = 7;
  a.index_put_({idx}, v), a.slice(0, 0, 1).fill_(0);
  c.unfold(1, 2, 1), c.as_strided({2, 2}, {4, 1}, 1), a.unflatten(0, {1, -1}), a.swapaxes(0, 1), a.mT(),
      c.tensor_split(2);
  gather(a, 0, idx.unsqueeze(0)), scatter(a, 0, idx.unsqueeze(0), 1), a.scatter_add_(0, idx.unsqueeze(0), a);
  a.index_add_(0, idx, a), a.index_copy_(0, idx, a.clone()), a.index_fill_(0, idx, 2), a.masked_scatter_(m, c);
  select_scatter(a, b, 0, 1), slice_scatter(a, a), diagonal_scatter(a, b), as_strided_scatter(a, b, {2}, {1});
  a.gt_(2), a.logical_not_(), m &= a > 1, m |= a > 1, m ^= a > 1, add_out(b, b, 1), sum_out(b, a, {0});
  std::cout << a << "\n" << to_string(d.shape()) << to_string(a) << "\n";
  fmt::print("{}\n", a);

  Tensor t;
  t = a;
  auto r = a[0];
  r = b;
  vmap(JOT_FN(sin))(a);
  where(a > 0, a, 0), maximum(a, 1.0), clamp(a, none, 1.0), pow(a, 2);
  if (sum(a) > 0) std::cout << "positive\n";
}

Tensor f2(const Tensor& x, const Tensor& y) { return sum(x * y); }

void transforms() {
  Tensor x = randn({3}), y = randn({3}), tx = ones({3}), ty = ones({3}), ct = tensor(1.0);
  auto f_aux = [](const Tensor& x) { return std::pair{sum(x), x * 2}; };

  auto f = [](const Tensor& x) { return sum(sin(x)); };
  Tensor g = grad(f)(x);
  auto [ga, gb] = grad<argnums(0, 1)>(f2)(x, y);
  Tensor bare = grad<argnum(1)>(f2)(x, y), last = grad<argnum(-1)>(f2)(x, y);
  auto [one] = grad<argnums(0)>(f2)(x, y);
  auto [gx, aux] = grad<has_aux>(f_aux)(x);
  auto [gv, value] = grad_and_value(f)(x);
  auto [gw, value_aux] = grad_and_value<has_aux>(f_aux)(x);
  {
    auto [out, pullback] = vjp(f2, x, y);
    auto [cx, cy] = pullback(ct);
  }
  {
    auto [out, pullback, aux] = vjp<has_aux>(f_aux, x);
    auto [cx] = pullback(ct);
  }
  { auto [out, tangent] = jvp(f2, primals(x, y), tangents(tx, ty)); }
  { auto [out, tangent, aux] = jvp<has_aux>(f_aux, primals(x), tangents(tx), {.strict = true}); }
  {
    auto [out, pushforward] = linearize(f, x);
    Tensor t = pushforward(tx);
  }
  auto f2_aux = [](const Tensor& x, const Tensor& y) { return std::pair{x * y, x + y}; };
  Tensor J = jacrev(f)(x);
  jacrev<argnums(0, 1), has_aux>(f2_aux, {.chunk_size = 16})(x, y);
  jacfwd(f, {.randomness = Randomness::different})(x);
  Tensor H = hessian(f)(x);
  jacobian(f)(x);
  auto scaled = [](const Tensor& x, const Tensor& y) { return x * y; };
  auto vf =
      vmap(scaled,
           {.in_dims = {0, none}, .out_dims = 1, .randomness = Randomness::same, .chunk_size = 64, .dim_size = none});
  vf(randn({4, 3}), tensor(2.0));
  auto pf = functionalize(f, {.remove = Remove::mutations_and_views});
  pf(x);
  auto tf = jit(vmap(grad(f)));
  tf(randn({4, 3}));
  std::cout << tf.cache_info().hits << tf.cache_info().misses << tf.cache_info().entries << "\n";
  tf.clear_cache();
  stop_gradient(x);
  { NoGrad guard; }
  { StrongZeros guard; }
  auto twice = [](const Tensor& v) { return v * 2; };
  cond(
      sum(x) > 0, twice, [](const Tensor& v) { return v - 1; }, x);
  switch_case(tensor(1), std::tuple{twice, twice, twice}, x);
  auto [values, indices] = sort(x, -1, true);
  auto [most, most_at] = x.topk(2);

  // Trees.
  auto moved = [](const Pose& p, const TensorDict& d) { return sum(p.rotation * p.translation * d.at("s")); };
  Pose pose{x, y}, by_pose = grad(moved)(pose, TensorDict{{"s", tx}});
  auto by_member = jacrev([](const Pose& p) { return Pose{p.rotation * 2, p.translation}; })(pose);
  auto [by_rotation, by_translation] = by_member;
  grad([](const Scene& s) { return sum(s.pose.rotation * s.others[0].translation); })(Scene{pose, {pose}});
  Pose rows{randn({4, 3}), y};
  vmap(moved, {.in_dims = {{0, none}, {{"s", none}}}})(rows, TensorDict{{"s", tx}});
  auto nested = [](const std::tuple<Tensor, std::vector<Tensor>>& t, const std::optional<Tensor>& o,
                   const std::array<Tensor, 1>& a) {
    return std::pair{sum(std::get<0>(t) * *o), a[0] + std::get<1>(t)[0]};
  };
  jit(nested)(std::tuple{x, std::vector{y}}, std::optional{tx}, std::array{ty});
  // A number is data, and part of jit's key.
  auto power = [](const Tensor& x, int n) { return sum(pow(x, n)); };
  grad(power)(x, 3), jit(grad(power))(x, 3);
}

struct Net : nn::Module {
  nn::Linear l1 = register_module("l1", nn::Linear(4, 8));
  nn::Parameter scale = register_parameter("scale", ones({8}));
  nn::Buffer count = register_buffer("count", zeros({}));
  Tensor forward(const Tensor& x) const override {
    count = count + 1;
    return tanh(l1(x)) * scale;
  }
};

// Another signature.
struct Twice : nn::Module {
  nn::Parameter w = register_parameter("w", ones({3}));
  Tensor operator()(const Tensor& x, const Tensor& y) const { return (x + y) * w; }
};

void modules() {
  Tensor x = randn({3});
  Net net;
  net(randn({4})), net.train(), net.eval(), net.named_buffers();

  auto model = nn::Linear(3, 3);
  TensorDict params = model.named_parameters(), buffers = model.named_buffers();
  Tensor y = functional_call(model, params, x);
  functional_call(model, {params, buffers}, x);
  functional_call(model, params, x, {.tie_weights = true, .strict = false});
  Twice twice;
  functional_call(twice, twice.named_parameters(), args(x, x));
  TensorDict J = jacrev([&](const TensorDict& p, const Tensor& x) { return functional_call(model, p, x); })(params, x);
  std::vector<nn::Linear> models = {nn::Linear(2, 3), nn::Linear(2, 3)};
  auto [p, b] = stack_module_state(models);
  std::vector<std::shared_ptr<nn::Module>> pointers = {std::make_shared<nn::Linear>(2, 3)};
  auto [p2, b2] = stack_module_state(pointers);
  auto looked = [](const Tensor& x) {
    Tensor inner = debug_unwrap(x);
    return x * 2;
  };
  vmap(looked)(x), debug_unwrap(x, {.recurse = false});
  auto seq = nn::Sequential(nn::Linear(3, 4), nn::Tanh(), nn::Linear(4, 1));
  seq(x);
  replace_all_batch_norm_modules_(model);
  TensorDict dict = model.state_dict();
  model.load_state_dict(dict, {.strict = true});
  model.parameters();
  model.to(f64);
  const std::string folder = std::filesystem::temp_directory_path().string();
  save_safetensors(folder + "/jot_api.safetensors", dict);
  TensorDict w = load_safetensors(folder + "/jot_api.safetensors");
  save_npy(folder + "/jot_api.npy", x);
  Tensor a = load_npy(folder + "/jot_api.npy");
  std::filesystem::remove(folder + "/jot_api.safetensors"), std::filesystem::remove(folder + "/jot_api.npy");
  TensorDict weights = {{"w", ones({3})}}, grads = {{"w", x}};
  optim::Adam opt({.lr = 1e-3});
  opt.step(weights, grads);
  auto [next, state] = optim::adam_update(weights, grads, optim::adam_init(weights), {.lr = 1e-3});
  optim::LBFGS().step(weights, [](const TensorDict& q) { return sum(square(q.at("w"))); });
  gradcheck(JOT_FN(sin), args(x.to(f64)), {.eps = 1e-6, .atol = 1e-5, .rtol = 1e-3});
  gradgradcheck(JOT_FN(sin), args(x.to(f64)));
  nn::LSTM lstm(8, 16, {.num_layers = 2});
  auto [out, hc] = lstm(randn({5, 1, 8}));
  auto [h, c] = hc;
}

void graphs() {
  Tensor x = randn({3});
  auto f = [](const Tensor& x) { return sin(x); };

  ir::Graph g = trace(jacrev(f), x);
  g.captures();
  std::string text = to_text(g);
  ir::Graph again = ir::parse(text);
  ir::verify(g);
  ir::Graph fast = optimize(g);
  to_dot(g), to_html(g), to_json(g), g.num_nodes(), g.hash();
  std::vector<Tensor> out = run(g, {x});
  interpret(g, {x});
  auto exe = compile(jacrev(f), x);
  Tensor J = exe(x);
  std::vector<Tensor> r = exe.run({x});
  std::array<const void*, 1> in = {x.data<float>()};
  std::array<float, 9> result;
  std::array<void*, 1> out_ptrs = {result.data()};
  exe.run_into(std::span<const void* const>(in), std::span<void* const>(out_ptrs));
  const std::filesystem::path shipped = std::filesystem::temp_directory_path() / ("api-" + std::to_string(::getpid()));
  std::filesystem::create_directories(shipped);
  exe.export_object(shipped / "jac", {.name = "jac", .abi = Abi::plain});
  exe.export_library(shipped / "libjac.so");
  std::filesystem::remove_all(shipped);
  exe.c_source(), exe.disassembly(), exe.stats();
  trace(functionalize(f), x);
  trace(eye(3));  // torch.trace
}

void errors() {
  try {
    matmul(ones({2, 3}), ones({2, 3}));
  } catch (const ShapeError& e) {
    std::cout << e.what() << "\n";
  }
  static_assert(std::is_base_of_v<std::runtime_error, jot::Error>);
  static_assert(std::is_base_of_v<jot::Error, ShapeError> && std::is_base_of_v<jot::Error, DTypeError> &&
                std::is_base_of_v<jot::Error, IndexError> && std::is_base_of_v<jot::Error, TransformError> &&
                std::is_base_of_v<jot::Error, TraceError> && std::is_base_of_v<jot::Error, LinalgError> &&
                std::is_base_of_v<jot::Error, IrError> && std::is_base_of_v<jot::Error, CacheError>);
}

}  // namespace

int main() {
  tensors();
  transforms();
  modules();
  graphs();
  errors();
}
