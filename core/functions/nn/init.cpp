// How weights begin.
#include <cmath>
#include <map>

#include "core/functions/operands.h"
#include "jot/creation.h"
#include "jot/linalg.h"
#include "jot/nn_init.h"
#include "jot/random.h"

namespace jot::nn::init {

using namespace detail;

namespace {

struct Fan {
  double in, out;
};
Fan fan_of(std::string_view op, const Tensor& x, Location at) {
  const Shape& shape = impl_of(x, op, at).shape;
  if (shape.size() < 2)
    fail<ShapeError>(
        op, "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions, got " + type_name(x), at);
  const auto field = static_cast<double>(shape.slice(2, shape.size()).numel());
  return {static_cast<double>(shape[1]) * field, static_cast<double>(shape[0]) * field};
}

double kaiming_std(std::string_view op, const Tensor& x, const KaimingOptions& o, Location at) {
  if (o.mode != "fan_in" && o.mode != "fan_out")
    fail<Error>(op, "Mode " + o.mode + " not supported, please use one of fan_in, fan_out", at);
  Fan fan = fan_of(op, x, at);
  return calculate_gain(o.nonlinearity, o.a, at) / std::sqrt(o.mode == "fan_in" ? fan.in : fan.out);
}

void check_matrix(std::string_view op, const Tensor& x, Location at) {
  if (impl_of(x, op, at).shape.size() != 2)
    fail<ShapeError>(op, "Only tensors with 2 dimensions are supported, got " + type_name(x), at);
}

}  // namespace

const Tensor& uniform_(const Tensor& x, double a, double b, Location at) { return x.uniform_(a, b, at); }
const Tensor& normal_(const Tensor& x, double mean, double std, Location at) { return x.normal_(mean, std, at); }
const Tensor& constant_(const Tensor& x, double value, Location at) { return x.fill_(Arg(value, at)); }
const Tensor& ones_(const Tensor& x, Location at) { return x.fill_(Arg(1, at)); }
const Tensor& zeros_(const Tensor& x, Location at) { return x.fill_(Arg(0, at)); }

// The inverse of the distribution function, between its values at a and b.
const Tensor& trunc_normal_(const Tensor& x, const TruncNormalOptions& o, Location at) {
  Composite call("trunc_normal_", at);
  const TensorImpl& own = impl_of(x, "trunc_normal_", at);
  if (!is_floating(own.dtype()))
    fail<DTypeError>("trunc_normal_", "expected a floating dtype, got " + type_name(x), at);
  auto below = [&](double v) { return std::erf((v - o.mean) / o.std / std::sqrt(2)); };
  Tensor u = rand(own.shape, computing_type(own.dtype()), at) * (below(o.b) - below(o.a)) + below(o.a);
  return x.copy_(Arg(clamp(erfinv(u, at) * (o.std * std::sqrt(2)) + o.mean, o.a, o.b), at));
}

const Tensor& eye_(const Tensor& x, Location at) {
  Composite call("eye_", at);
  check_matrix("eye_", x, at);
  return x.copy_(Arg(eye(x.size(0), x.size(1), x.dtype(), at), at));
}

const Tensor& dirac_(const Tensor& x, int64_t groups, Location at) {
  Composite call("dirac_", at);
  const Shape shape = impl_of(x, "dirac_", at).shape;
  if (shape.size() < 3 || shape.size() > 5)
    fail<ShapeError>("dirac_", "Only tensors with 3, 4, or 5 dimensions are supported, got " + type_name(x), at);
  if (groups < 1 || shape[0] % groups)
    fail<ShapeError>("dirac_",
                     "dim 0 must be divisible by groups, got " + type_name(x) + " and " + std::to_string(groups), at);
  auto along = [&](size_t d) {
    Shape line(std::vector<int64_t>(shape.size(), 1));
    line[d] = shape[d];
    return arange(shape[d]).reshape(line, at);
  };
  Tensor one = remainder(along(0), shape[0] / groups) == along(1);
  for (size_t d = 2; d < shape.size(); ++d) one = logical_and(one, along(d) == shape[d] / 2);
  return x.copy_(Arg(one.to(x.dtype(), at), at));
}

const Tensor& xavier_uniform_(const Tensor& x, double gain, Location at) {
  Composite call("xavier_uniform_", at);
  Fan fan = fan_of("xavier_uniform_", x, at);
  const double bound = gain * std::sqrt(6 / (fan.in + fan.out));
  return x.uniform_(-bound, bound, at);
}
const Tensor& xavier_normal_(const Tensor& x, double gain, Location at) {
  Composite call("xavier_normal_", at);
  Fan fan = fan_of("xavier_normal_", x, at);
  return x.normal_(0, gain * std::sqrt(2 / (fan.in + fan.out)), at);
}
const Tensor& kaiming_uniform_(const Tensor& x, const KaimingOptions& options, Location at) {
  Composite call("kaiming_uniform_", at);
  const double bound = std::sqrt(3) * kaiming_std("kaiming_uniform_", x, options, at);
  return x.uniform_(-bound, bound, at);
}
const Tensor& kaiming_normal_(const Tensor& x, const KaimingOptions& options, Location at) {
  Composite call("kaiming_normal_", at);
  return x.normal_(0, kaiming_std("kaiming_normal_", x, options, at), at);
}

// Of a normal matrix A = Q R with a positive diagonal of R, which makes Q unique.
const Tensor& orthogonal_(const Tensor& x, double gain, Location at) {
  Composite call("orthogonal_", at);
  const Shape shape = impl_of(x, "orthogonal_", at).shape;
  if (shape.size() < 2)
    fail<ShapeError>("orthogonal_", "Only tensors with 2 or more dimensions are supported, got " + type_name(x), at);
  if (!is_floating(x.dtype())) fail<DTypeError>("orthogonal_", "expected a floating dtype, got " + type_name(x), at);
  if (shape.numel() == 0) return x;
  const int64_t rows = shape[0], columns = shape.numel() / rows;
  auto [q, r] =
      linalg::qr(randn({std::max(rows, columns), std::min(rows, columns)}, DType::f64, at), QrMode::reduced, at);
  q = q * where(r.diagonal(0, 0, 1, at) < 0, -1.0, 1.0);
  if (rows < columns) q = q.t(at);
  return x.copy_(Arg(q.reshape(shape, at) * gain, at));
}

const Tensor& sparse_(const Tensor& x, double sparsity, double std, Location at) {
  Composite call("sparse_", at);
  check_matrix("sparse_", x, at);
  if (!(sparsity >= 0 && sparsity <= 1))
    fail<Error>("sparse_", "expected a sparsity in [0, 1], got " + std::to_string(sparsity), at);
  const int64_t rows = x.size(0), zeros = static_cast<int64_t>(std::ceil(sparsity * static_cast<double>(rows)));
  x.normal_(0, std, at);
  Tensor rank = argsort(argsort(rand(x.shape(at), DType::f32, at), 0, false, true, at), 0, false, true, at);
  return x.copy_(Arg(where(rank < zeros, 0.0, x), at));
}

double calculate_gain(const std::string& nonlinearity, std::optional<double> param, Location at) {
  static const auto* gains = new std::map<std::string, double>{
      {"linear", 1},  {"conv1d", 1},           {"conv2d", 1},           {"conv3d", 1},
      {"sigmoid", 1}, {"conv_transpose1d", 1}, {"conv_transpose2d", 1}, {"conv_transpose3d", 1},
      {"selu", 0.75}, {"tanh", 5.0 / 3},       {"relu", std::sqrt(2)}};
  if (nonlinearity == "leaky_relu") return std::sqrt(2 / (1 + std::pow(param.value_or(0.01), 2)));
  auto found = gains->find(nonlinearity);
  if (found == gains->end()) fail<Error>("calculate_gain", "Unsupported nonlinearity " + nonlinearity, at);
  return found->second;
}

}  // namespace jot::nn::init
