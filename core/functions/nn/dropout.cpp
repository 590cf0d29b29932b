// Dropout: of elements, of channels.
#include <cmath>

#include "core/functions/nn/wide.h"
#include "jot/random.h"

namespace jot::nn::functional {

using namespace detail;

namespace {

constexpr size_t kAll = static_cast<size_t>(-1);

// A call; whether it draws at all.
struct Call {
  Call(std::string_view name, const Tensor& input, double probability, bool training, Location where)
      : op(name), at(where), composite(name, where), x(input), p(probability) {
    impl_of(x, op, at);
    if (!(p >= 0 && p <= 1))
      fail<Error>(op, "dropout probability has to be between 0 and 1, but got " + std::to_string(p), at);
    draws = training && p > 0;
    if (draws && !is_floating(x.impl()->dtype()))
      fail<DTypeError>(op, "expected a floating dtype, got " + type_name(x) + ": convert with to(f32)", at);
  }
  void check_rank(size_t least, size_t most, const std::string& expected) const {
    const size_t rank = shape_of(x).size();
    if (rank < least || rank > most)
      fail<ShapeError>(op, "Expected " + expected + ", but received " + type_name(x), at);
  }
  // What stays, of elements or of the first `dims` dims, which there must be.
  Tensor kept(size_t dims) const {
    Shape shape = shape_of(x);
    if (dims == 2) check_rank(2, kAll, "input of at least 2 dims");
    for (size_t d = dims; d < shape.size(); ++d) shape[d] = 1;
    return rand(shape, DType::f32, at) >= p;
  }
  Tensor scaled(const Tensor& stays) const {
    if (p == 1) return x * 0;
    return where(stays, x / (1 - p), 0.0).to(x.dtype(), at);
  }
  // a x + b, and where it is dropped a low + b: of mean 0 and variance 1 as x.
  Tensor shifted(const Tensor& stays) const {
    if (p == 1) return x * 0;
    constexpr double low = -1.0507009873554804934193349852946 * 1.6732632423543772848170429916717;
    const double a = 1 / std::sqrt((low * low * p + 1) * (1 - p)), b = -a * low * p;
    return where(stays, x * a + b, a * low + b).to(x.dtype(), at);
  }

  std::string_view op;
  Location at;
  Composite composite;
  Tensor x;
  double p;
  bool draws;
};

}  // namespace

Tensor dropout(const Tensor& x, double p, bool training, Location at) {
  Call c("dropout", x, p, training, at);
  return c.draws ? c.scaled(c.kept(kAll)) : x;
}
Tensor dropout1d(const Tensor& x, double p, bool training, Location at) {
  Call c("dropout1d", x, p, training, at);
  c.check_rank(2, 3, "2D or 3D input");
  return c.draws ? c.scaled(c.kept(shape_of(x).size() - 1)) : x;
}
Tensor dropout2d(const Tensor& x, double p, bool training, Location at) {
  Call c("dropout2d", x, p, training, at);
  return c.draws ? c.scaled(c.kept(2)) : x;
}
Tensor dropout3d(const Tensor& x, double p, bool training, Location at) {
  Call c("dropout3d", x, p, training, at);
  c.check_rank(4, 5, "4D or 5D input");
  return c.draws ? c.scaled(c.kept(shape_of(x).size() - 3)) : x;
}
Tensor alpha_dropout(const Tensor& x, double p, bool training, Location at) {
  Call c("alpha_dropout", x, p, training, at);
  return c.draws ? c.shifted(c.kept(kAll)) : x;
}
Tensor feature_alpha_dropout(const Tensor& x, double p, bool training, Location at) {
  Call c("feature_alpha_dropout", x, p, training, at);
  return c.draws ? c.shifted(c.kept(2)) : x;
}

}  // namespace jot::nn::functional
