// The programs of docs/examples/programs, at the sizes of torch's tutorials. The peers' side of each workload is in
// peers/programs.py under the same name.
#include "docs/examples/programs/batch_norm.h"
#include "docs/examples/programs/flow.h"
#include "docs/examples/programs/hypernetwork.h"
#include "docs/examples/programs/jacobians.h"
#include "docs/examples/programs/maml.h"
#include "docs/examples/programs/neural_tangent_kernel.h"
#include "docs/examples/programs/per_sample_gradients.h"
#include "docs/examples/programs/pinn.h"
#include "jot_job.h"

namespace bench {
namespace {

using namespace jot;
using namespace programs;

// Parameters of these names and shapes, in front of them the dims `lanes`; each a stream of its own.
TensorDict filled(const TensorDict& like, uint64_t seed, double scale = 0.2, const Shape& lanes = {}) {
  TensorDict all;
  for (const auto& [name, p] : like) all[name] = uniform_tensor(seed++, lanes + p.shape(), f32, scale);
  return all;
}

Job psgconv(Size size) {
  int64_t batch = size == Size::toy ? 2 : 64;
  ConvNet net;
  auto f = [=](const TensorDict& p, const Tensor& images, const Tensor& labels) {
    return clipped_gradient(net, p, images, labels, 1.0);
  };
  return job(f, filled(net.named_parameters(), 10), uniform_tensor(1, {batch, 1, 28, 28}, f32, 2.0),
             arange(batch) % 10);
}

Job ensemble(Size size) {
  bool toy = size == Size::toy;
  Mlp net = toy ? Mlp(12, 8, 3) : Mlp(784, 128, 10);
  auto f = [=](const TensorDict& p, const Tensor& x) { return predictions(net, p, x); };
  return job(f, filled(net.named_parameters(), 10, 0.2, {toy ? 3 : 10}),
             uniform_tensor(1, {toy ? 4 : 64, toy ? 12 : 784}, f32, 2.0));
}

Job maml(Size size) {
  bool toy = size == Size::toy;
  Mlp net = toy ? Mlp(1, 6, 1) : Mlp(1, 40, 1);
  Shape shape{toy ? 3 : 25, 5, 1};
  Task tasks{uniform_tensor(1, shape, f32, 2.0), uniform_tensor(2, shape, f32, 2.0), uniform_tensor(3, shape, f32, 2.0),
             uniform_tensor(4, shape, f32, 2.0)};
  auto loss = [=](const TensorDict& p, const Task& t) { return meta_loss(net, p, t, 0.1); };
  return job(grad(loss), filled(net.named_parameters(), 10, 1.0), tasks);
}

template <class Kernel>
Job ntk(Size size, Kernel kernel) {
  bool toy = size == Size::toy;
  KernelNet net;
  auto f = [=](const TensorDict& p, const Tensor& a, const Tensor& b) {
    return kernel([&](const TensorDict& q, const Tensor& x) { return functional_call(net, q, x); }, p, a, b);
  };
  return job(f, filled(net.named_parameters(), 10), uniform_tensor(1, {toy ? 2 : 20, 3, 32, 32}, f32, 2.0),
             uniform_tensor(2, {toy ? 1 : 5, 3, 32, 32}, f32, 2.0));
}

Job ntkjac(Size size) {
  return ntk(size, [](const auto&... inputs) { return kernel_by_jacobians(inputs...); });
}

Job ntkprod(Size size) {
  return ntk(size, [](const auto&... inputs) { return kernel_by_products(inputs...); });
}

Job layerjac(Size size) {
  int64_t batch = size == Size::toy ? 3 : 64, d = size == Size::toy ? 4 : 16;
  return job(batch_jacobian, uniform_tensor(1, {d, d}), uniform_tensor(2, {d}),
             uniform_tensor(3, {batch, d}, f32, 2.0));
}

Job layerhess(Size size) {
  int64_t batch = size == Size::toy ? 3 : 64, d = size == Size::toy ? 4 : 16;
  return job(batch_hessian, uniform_tensor(1, {d, d}), uniform_tensor(2, {d}), uniform_tensor(3, {batch, d}, f32, 2.0));
}

Job hypernet(Size size) {
  bool toy = size == Size::toy;
  int64_t tasks = toy ? 3 : 64, points = toy ? 5 : 64;
  Mlp target = toy ? Mlp(1, 4, 1) : Mlp(1, 32, 1), hyper = toy ? Mlp(4, 6, count(target)) : Mlp(4, 64, count(target));
  auto loss = [=](const TensorDict& p, const Tensor& descriptions, const Tensor& x, const Tensor& y) {
    return hyper_loss(hyper, p, target, descriptions, x, y);
  };
  return job(grad(loss), filled(hyper.named_parameters(), 10, 0.5), uniform_tensor(1, {tasks, 4}, f32, 2.0),
             uniform_tensor(2, {points, 1}, f32, 2.0), uniform_tensor(3, {tasks, points, 1}, f32, 2.0));
}

Job pinn(Size size) {
  bool toy = size == Size::toy;
  Tanhs net(toy ? 4 : 32);
  int64_t inside = toy ? 5 : 1024, known = toy ? 3 : 128;
  auto loss = [=](const TensorDict& p, const auto&... inputs) { return physics_loss(net, p, inputs...); };
  auto points = [](uint64_t seed, int64_t n) { return uniform_tensor(seed, {n}, f32, 2.0); };
  return job(grad(loss), filled(net.named_parameters(), 10, 1.0), points(1, inside), points(2, inside),
             points(3, known), points(4, known), points(5, known));
}

Flow flow_layers(const Mlp& net, size_t depth) {
  Flow flow;
  for (size_t i = 0; i < depth; ++i) flow.push_back(filled(net.named_parameters(), 10 + 6 * i, 1.0));
  return flow;
}

Job flow(Size size) {
  bool toy = size == Size::toy;
  Mlp net = toy ? Mlp(1, 4, 2) : Mlp(1, 32, 2);
  auto loss = [=](const Flow& f, const Tensor& samples) { return negative_log_likelihood(net, f, samples); };
  return job(grad(loss), flow_layers(net, toy ? 2 : 6), uniform_tensor(1, {toy ? 5 : 512, 2}, f32, 2.0));
}

Job flowdet(Size size) {
  bool toy = size == Size::toy;
  Mlp net = toy ? Mlp(1, 4, 2) : Mlp(1, 32, 2);
  auto log_dets = [=](const Flow& f, const Tensor& samples) {
    auto place = [&](const Tensor& x) { return inverted(net, f, x).first; };
    return vmap([&](const Tensor& x) { return log_abs_det(place, x); })(samples);
  };
  return job(log_dets, flow_layers(net, toy ? 2 : 6), uniform_tensor(1, {toy ? 5 : 512, 2}, f32, 2.0));
}

Job normgrad(Size size) {
  bool toy = size == Size::toy;
  int64_t batch = toy ? 3 : 64, side = toy ? 6 : 32;
  NormNet net(nn::GroupNorm(8, 32), side);
  auto f = [=](const TensorDict& p, const auto&... inputs) { return gradients_of_samples(net, p, inputs...); };
  return job(f, filled(net.named_parameters(), 10), uniform_tensor(1, {batch, 3, side, side}, f32, 2.0),
             arange(batch) % 10);
}

}  // namespace

void add_jot_programs(std::vector<Contender>& all) {
  all.push_back(jot_on("psgconv", psgconv));
  all.push_back(jot_on("ensemble", ensemble));
  all.push_back(jot_on("maml", maml));
  all.push_back(jot_on("ntkjac", ntkjac));
  all.push_back(jot_on("ntkprod", ntkprod));
  all.push_back(jot_on("layerjac", layerjac));
  all.push_back(jot_on("layerhess", layerhess));
  all.push_back(jot_on("hypernet", hypernet));
  all.push_back(jot_on("pinn", pinn));
  all.push_back(jot_on("flow", flow));
  all.push_back(jot_on("flowdet", flowdet));
  all.push_back(jot_on("normgrad", normgrad));
}

}  // namespace bench
