// Distances and angles between vectors, and the losses that compare them.
#include "core/functions/nn/wide.h"

namespace jot::nn::functional {

using namespace detail;

Tensor cosine_similarity(const Tensor& a, const Tensor& b, int64_t dim, double eps, Location at) {
  Wide w("cosine_similarity", at, {&a, &b});
  std::vector<Tensor> both = broadcast_tensors({w(a), w(b)}, at);
  auto direction = [&](const Tensor& x) { return x / w.at_least(norm(x, 2, dim, true, at), eps); };
  return w.result(sum(direction(both[0]) * direction(both[1]), dim, false, at));
}

Tensor pairwise_distance(const Tensor& a, const Tensor& b, const PairwiseDistanceOptions& options, Location at) {
  Wide w("pairwise_distance", at, {&a, &b});
  Tensor d = w(a) - w(b) + options.eps;
  if (shape_of(d).empty()) w.fail<ShapeError>("expected vectors along the last dim, got 0-d tensors");
  return w.result(norm(d, options.p, -1, options.keepdim, at));
}

Tensor pdist(const Tensor& x, const Ord& p, Location at) {
  Wide w("pdist", at, {&x});
  const Shape shape = shape_of(x);
  if (shape.size() != 2) w.fail<ShapeError>("pdist only supports 2D tensors, got " + type_name(x));
  if (p.name().empty() && !(p.number() >= 0)) w.fail<Error>("pdist only supports non-negative p values");
  Tensor pairs = triu_indices(shape[0], shape[0], 1, at), v = w(x);
  auto rows = [&](int64_t i) { return index_select(v, 0, pairs.select(0, i, at), at); };
  return w.result(norm(rows(0) - rows(1), p, -1, false, at));
}

Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                           const TripletMarginLossOptions& options, Location at) {
  Wide w("triplet_margin_loss", at, {&anchor, &positive, &negative});
  const size_t rank = shape_of(anchor).size();
  if (shape_of(positive).size() != rank || shape_of(negative).size() != rank)
    w.fail<ShapeError>(
        "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
        "anchor " +
        type_name(anchor) + ", positive " + type_name(positive) + ", and negative " + type_name(negative));
  if (!(options.margin > 0)) w.fail<Error>("margin must be greater than 0, got " + std::to_string(options.margin));
  auto distance = [&](const Tensor& a, const Tensor& b) {
    return pairwise_distance(a, b, {.p = options.p, .eps = options.eps}, at);
  };
  Tensor a = w(anchor), p = w(positive), n = w(negative), far = distance(a, n);
  if (options.swap) far = minimum(far, distance(p, n));
  return w.reduced(clamp_min(options.margin + distance(a, p) - far, 0), options.reduction);
}

Tensor cosine_embedding_loss(const Tensor& a, const Tensor& b, const Tensor& y, double margin, Reduction reduction,
                             Location at) {
  Wide w("cosine_embedding_loss", at, {&a, &b});
  impl_of(y, "cosine_embedding_loss", at);
  if (shape_of(a).empty() || shape_of(a).size() != shape_of(b).size() || shape_of(a).size() > 2 ||
      shape_of(y).size() + 1 != shape_of(a).size())
    w.fail<ShapeError>("expected inputs [N, D] with a target [N], or [D] with one number, got " + type_name(a) + ", " +
                       type_name(b) + " and " + type_name(y));
  constexpr double eps = 1e-12;
  Tensor u = w(a), v = w(b);
  auto product = [&](const Tensor& s, const Tensor& t) { return sum(s * t, -1, false, at); };
  Tensor cosine = product(u, v) / sqrt((product(u, u) + eps) * (product(v, v) + eps));
  Tensor apart = where(y == -1, clamp_min(cosine - margin, 0), 0.0);
  return w.reduced(where(y == 1, 1 - cosine, 0.0) + apart, reduction);
}

}  // namespace jot::nn::functional
