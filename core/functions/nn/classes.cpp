// Losses whose target is a class. What belongs to a class is chosen by comparison with a count of the classes, not by
// an index: so value and derivative stay in kernels. That a class is in range is checked where its weight is read.
#include <limits>

#include "core/functions/demands.h"
#include "core/functions/nn/wide.h"

namespace jot::nn::functional {

using namespace detail;

namespace {

void check_classes(const Wide& w, const Tensor& y) {
  const DType dtype = y.impl()->dtype();
  if (is_floating(dtype) || dtype == DType::boolean)
    w.fail<DTypeError>("expected the target to be classes, i64 or i32, got " + type_name(y));
}

// x [C], [N, C] or [N, C, ...] and a target without the dim of the classes.
struct Classified {
  Classified(const Wide& wide, const Tensor& x, const Tensor& target, int64_t ignore_index, bool ignores = true)
      : w(wide), ignores(ignores), shape(shape_of(x)), y(target.to(DType::i64, wide.at())) {
    dim = shape.size() == 1 ? 0 : 1;
    const Shape& given = shape_of(target);
    if (shape.size() > 1 && !given.empty() && given[0] != shape[0])
      w.fail<ShapeError>("Expected input batch_size (" + std::to_string(shape[0]) + ") to match target batch_size (" +
                         std::to_string(given[0]) + ")");
    Shape wanted = shape;
    wanted.erase(static_cast<size_t>(dim));
    if (given != wanted) w.fail<ShapeError>("Expected target size " + to_string(wanted) + ", got " + to_string(given));
    count = shape[static_cast<size_t>(dim)];
    valid = y != ignore_index;
    if (!ignores) valid = logical_and(y >= 0, y < count);
    range = "class {} is out of range; expected 0 to " + std::to_string(count - 1);
    if (ignores) range += ", or ignore_index = " + std::to_string(ignore_index);
  }
  // Where an element of x is of its target's class. In numbers no wider than floats: a kernel has as few lanes as its
  // widest element. (What is no class may become one: it is ignored, or demanded not to be.)
  Tensor here() const {
    Shape along(std::vector<int64_t>(shape.size(), 1));
    along[static_cast<size_t>(dim)] = count;
    const DType narrow = count <= std::numeric_limits<int32_t>::max() ? DType::i32 : DType::i64;
    return arange(count, narrow).reshape(along, w.at()) == y.to(narrow, w.at()).unsqueeze(dim, w.at());
  }
  Tensor of_class(const Tensor& x) const { return sum(where(here(), x, 0.0), dim, false, w.at()); }
  // Of each class one number; 1 where there is none. 0 where the target is ignored.
  Tensor weights(const Tensor& weight) const {
    if (weight.defined() && shape_of(weight) != Shape{count})
      w.fail<ShapeError>("weight tensor should be defined either for all " + std::to_string(count) +
                         " classes or no classes but got weight tensor of shape: " + to_string(shape_of(weight)));
    const Tensor known = logical_and(y >= 0, y < count);
    Tensor fine = ignores ? logical_or(known, logical_not(valid)) : known;
    Tensor counts = demanded(w.op(), valid, fine, y, range, w.at());
    return where(counts, weight.defined() ? take(w(weight), where(known, y, 0), w.at()) : Arg(1.0), 0.0);
  }

  const Wide& w;
  const bool ignores;
  const Shape shape;
  Tensor y, valid;
  std::string range;
  int64_t dim, count;
};

Tensor reduced(const Wide& w, const Tensor& loss, const Tensor& weights, Reduction reduction) {
  w.check(reduction);
  if (reduction != Reduction::mean) return reduction == Reduction::sum ? sum(loss, {}, false, w.at()) : loss;
  return sum(loss, {}, false, w.at()) / sum(weights, {}, false, w.at());
}

Tensor negative_log_likelihood(const Classified& c, const Tensor& x, const Tensor& weights, Reduction reduction) {
  return reduced(c.w, where(c.valid, -weights * c.of_class(x), 0.0), weights, reduction);
}

Tensor smoothed(const Classified& c, const Tensor& x, const CrossEntropyOptions& o) {
  Tensor weights = c.weights(o.weight), loss = negative_log_likelihood(c, x, weights, o.reduction);
  const double s = o.label_smoothing;
  if (s == 0) return loss;
  Shape along(std::vector<int64_t>(c.shape.size(), 1));
  along[static_cast<size_t>(c.dim)] = c.count;
  Tensor each = o.weight.defined() ? x * c.w(o.weight).reshape(along, c.w.at()) : x;
  Tensor all = where(c.valid, -sum(each, c.dim, false, c.w.at()), 0.0);
  Tensor smooth = reduced(c.w, all, o.weight.defined() ? weights : c.valid.to(c.w.within(), c.w.at()), o.reduction);
  return loss * (1 - s) + smooth * (s / static_cast<double>(c.count));
}

Tensor of_probabilities(const Wide& w, const Tensor& logs, const Tensor& y, const CrossEntropyOptions& o) {
  const Shape shape = shape_of(logs);
  const int64_t dim = shape.size() == 1 ? 0 : 1, count = shape[static_cast<size_t>(dim)];
  if (o.ignore_index >= 0) w.fail<Error>("ignore_index is not supported for floating point target");
  Tensor p = w(y);
  if (o.label_smoothing > 0) p = p * (1 - o.label_smoothing) + o.label_smoothing / static_cast<double>(count);
  Tensor terms = logs * p;
  if (o.weight.defined()) {
    if (shape_of(o.weight) != Shape{count})
      w.fail<ShapeError>("weight tensor should be defined either for all " + std::to_string(count) +
                         " classes or no classes but got weight tensor of shape: " + to_string(shape_of(o.weight)));
    Shape along(std::vector<int64_t>(shape.size(), 1));
    along[static_cast<size_t>(dim)] = count;
    terms = terms * w(o.weight).reshape(along, w.at());
  }
  Tensor loss = -sum(terms, dim, false, w.at());
  w.check(o.reduction);
  if (o.reduction == Reduction::none) return loss;
  Tensor total = sum(loss, {}, false, w.at());
  if (o.reduction == Reduction::sum) return total;
  return total / static_cast<double>(shape_of(loss).numel());
}

}  // namespace

Tensor nll_loss(const Tensor& x, const Tensor& y, const NllLossOptions& options, Location at) {
  Wide w("nll_loss", at, {&x});
  impl_of(y, "nll_loss", at);
  check_classes(w, y);
  if (shape_of(x).empty()) w.fail<ShapeError>("input tensor should be 1D or 2D, got " + type_name(x));
  Classified c(w, x, y, options.ignore_index);
  return w.result(negative_log_likelihood(c, w(x), c.weights(options.weight), options.reduction));
}

Tensor cross_entropy(const Tensor& x, const Tensor& y, const CrossEntropyOptions& options, Location at) {
  Wide w("cross_entropy", at, {&x});
  const bool classes = !is_floating(impl_of(y, "cross_entropy", at).dtype());
  if (!(options.label_smoothing >= 0 && options.label_smoothing <= 1))
    w.fail<Error>("label_smoothing must be between 0.0 and 1.0. Got: " + std::to_string(options.label_smoothing));
  if (shape_of(x).empty()) w.fail<ShapeError>("expected input to have the dim of the classes, got " + type_name(x));
  if (!classes && shape_of(x) != shape_of(y))
    w.fail<ShapeError>("expected probabilities of the input's shape " + to_string(shape_of(x)) + ", got " +
                       type_name(y) + "; classes are integers");
  if (classes && shape_of(x) == shape_of(y))
    w.fail<DTypeError>("Expected floating point type for target with class probabilities, got " + type_name(y));
  Tensor logs = log_softmax(w(x), shape_of(x).size() == 1 ? 0 : 1, at);
  if (!classes) return w.result(of_probabilities(w, logs, y, options));
  check_classes(w, y);
  return w.result(smoothed(Classified(w, x, y, options.ignore_index), logs, options));
}

Tensor multi_margin_loss(const Tensor& x, const Tensor& y, const MultiMarginLossOptions& options, Location at) {
  Wide w("multi_margin_loss", at, {&x});
  impl_of(y, "multi_margin_loss", at);
  check_classes(w, y);
  if (options.p != 1 && options.p != 2) w.fail<Error>("only p == 1 and p == 2 supported");
  const size_t rank = shape_of(x).size();
  if (rank > 2) w.fail<ShapeError>("expected an input [C] or [N, C], got " + type_name(x));
  Tensor v = rank == 0 ? w(x).reshape({1}, at) : w(x), target = rank < 2 ? y.reshape({}, at) : y;
  Classified c(w, v, target, -1, false);
  Tensor own = c.of_class(v).unsqueeze(c.dim, at), z = options.margin - own + v;
  Tensor counts = logical_and(z > 0, logical_not(c.here())), h = where(counts, z, 0.0);
  if (options.p == 2) h = square(h);
  Tensor loss = c.weights(options.weight) * sum(h, c.dim, false, at) / static_cast<double>(c.count);
  return w.reduced(loss, options.reduction);
}

// Of every two classes j, i: j counts where it is before the first -1, i where no such j names it.
Tensor multilabel_margin_loss(const Tensor& x, const Tensor& y, Reduction reduction, Location at) {
  Wide w("multilabel_margin_loss", at, {&x});
  impl_of(y, "multilabel_margin_loss", at);
  check_classes(w, y);
  const Shape shape = shape_of(x);
  if (shape_of(y) != shape || shape.size() > 2)
    w.fail<ShapeError>("inconsistent target size: " + to_string(shape_of(y)) +
                       " for input of size: " + to_string(shape) + "; expected [C] or [N, C] for both");
  if (shape.empty()) return multilabel_margin_loss(x.reshape({1}, at), y.reshape({1}, at), reduction, at);
  const int64_t count = shape.back();
  Tensor v = w(x), place = arange(count);
  Tensor labels = demanded(
      w.op(), y.to(DType::i64, at), {-1, static_cast<double>(count - 1)},
      "class {} is out of range; expected 0 to " + std::to_string(count - 1) + ", or -1 behind the last one", at);
  Tensor first = amin(where(labels < 0, place, count), -1, true, at), named = place < first;
  Tensor safe = where(named, labels, 0);
  Tensor is_target = any(logical_and(named.unsqueeze(-1, at), safe.unsqueeze(-1, at) == place), -2, false, at);
  Tensor of_named = gather(v, -1, safe, at).unsqueeze(-1, at), z = 1 - of_named + v.unsqueeze(-2, at);
  Tensor counts = logical_and(named.unsqueeze(-1, at), logical_not(is_target).unsqueeze(-2, at));
  Tensor terms = where(logical_and(counts, z > 0), z, 0.0);
  return w.reduced(sum(terms, {-2, -1}, false, at) / static_cast<double>(count), reduction);
}

}  // namespace jot::nn::functional
