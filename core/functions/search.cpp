// Where values are: searches, counts and what depends on which elements there are.
#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <span>

#include "core/functions/demands.h"
#include "core/functions/operands.h"
#include "ir/ops/order.h"
#include "jot/creation.h"
#include "jot/ops.h"

namespace jot {

using namespace detail;
namespace build = ir::build;
using ir::Direction;
using ir::Op;
using ir::Value;

namespace compose {

// Steps of halving size: a place is passed where the element before it is less (right: not greater).
Value searchsorted(Emitter& e, const Tensor& sorted, const Arg& values, bool right) {
  const Shape lines = shape_of(sorted), wanted = shape_of(values);
  if (lines.empty()) e.fail<ShapeError>("the sorted tensor should have at least 1 dimension, got " + type_name(sorted));
  const bool one = lines.size() == 1;
  if (!one && (lines.size() != wanted.size() || lines.slice(0, lines.size() - 1) != wanted.slice(0, wanted.size() - 1)))
    e.fail<ShapeError>(
        "the sorted tensor should be 1 dimension or the first N-1 dimensions of both tensors must match, got " +
        type_name(sorted) + " and " + (values.is_tensor() ? type_name(values.tensor()) : std::string("a number")));
  Arg a(sorted, e.at());
  DType dtype = promoted({&a, &values});
  if (dtype == DType::boolean) dtype = DType::i32;
  Value line = operand(e, sorted, dtype), v = operand(e, values, dtype, wanted);
  if (one) v = build::reshape(e.b, v, {wanted.numel()});
  const Shape shape = e.b.shape(v);
  const int64_t n = lines.back(), dim = static_cast<int64_t>(lines.size()) - 1;
  auto number = [&](int64_t x) { return build::constant_int(e.b, DType::i64, shape, x); };
  Value place = number(0);
  if (n > 0)
    for (auto step = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(n))); step > 0; step /= 2) {
      Value next = build::add(e.b, place, number(step));
      Value before = ir::taken_along(e.b, line, build::sub(e.b, next, number(1)), dim);
      Value stays = build::compare(e.b, before, v, right ? Direction::gt : Direction::ge);
      Value inside = build::compare(e.b, next, number(n), Direction::le);
      Value moves = build::binary(e.b, Op::and_op, inside, build::unary(e.b, Op::not_op, stays));
      place = build::where(e.b, moves, next, place);
    }
  return build::reshape(e.b, place, wanted);
}

}  // namespace compose

Tensor bucketize(const Arg& values, const Tensor& boundaries, bool right) {
  const Location at = values.at();
  Composite call("bucketize", at);
  if (impl_of(boundaries, "bucketize", at).shape.size() != 1)
    fail<ShapeError>("bucketize", "boundaries tensor must be 1 dimension, got " + type_name(boundaries), at);
  return searchsorted(boundaries, values, right);
}

Tensor isin(const Arg& elements, const Arg& test) {
  const Location at = elements.at();
  Composite call("isin", at);
  for (const Arg* a : {&elements, &test})
    if (a->is_tensor()) impl_of(a->tensor(), "isin", at);
  if (!test.is_tensor()) return elements == test;
  Tensor list = test.tensor().reshape({-1}, at);
  if (!elements.is_tensor()) return any(elements == list, -1, false, at);
  return any(elements.tensor().unsqueeze(-1, at) == list, -1, false, at);
}

Tensor histc(const Tensor& x, int64_t bins, double min, double max, Location at) {
  Composite call("histc", at);
  const DType dtype = impl_of(x, "histc", at).dtype();
  if (!is_floating(dtype)) fail<DTypeError>("histc", "expected a floating dtype, got " + type_name(x), at);
  if (bins <= 0) fail<ShapeError>("histc", "bins must be > 0, got " + std::to_string(bins), at);
  if (!(min <= max) || std::isinf(min) || std::isinf(max))
    fail<Error>("histc",
                "max must be larger than min, and both finite: got " + number_text(min) + " and " + number_text(max),
                at);
  Tensor none_yet = zeros({bins}, dtype, at);
  if (shape_of(x).numel() == 0) return none_yet;
  Tensor flat = x.reshape({-1}, at), low = full({}, Arg(min, at), dtype), high = full({}, Arg(max, at), dtype);
  if (min == max) {
    Tensor least = amin(x, {}, false, at), most = amax(x, {}, false, at), same = least == most;
    Tensor fine = logical_and(isfinite(least, at), isfinite(most, at));
    low = demanded("histc", where(same, least - 1, least), fine, where(isfinite(least, at), most, least),
                   "expected finite elements, as min = max, got {}", at);
    high = where(same, most + 1, most);
  }
  Tensor inside = logical_and(flat >= low, flat <= high);
  Tensor place = ((flat - low) / (high - low) * static_cast<double>(bins)).to(DType::i64, at);
  place = where(inside, minimum(place, bins - 1), 0);
  return none_yet.scatter_add(0, place, Arg(inside.to(dtype, at), at));
}

// ---- what reads the elements

namespace {

int64_t greatest(std::string_view op, const Tensor& x, Location at) {
  if (shape_of(x).numel() == 0) return -1;
  Buffer buffer = read(
      cat({amin(x, {}, true, at).reshape({1}, at), amax(x, {}, true, at).reshape({1}, at)}, 0, at).to(DType::i64, at),
      op, at);
  const auto* range = static_cast<const int64_t*>(buffer.data());
  if (range[0] < 0) fail<IndexError>(op, "expected numbers that are not negative, got " + std::to_string(range[0]), at);
  if (range[1] >= ir::kMaxNumel)
    fail<IndexError>(op, "expected numbers below 2^48, got " + std::to_string(range[1]), at);
  return range[1];
}
void check_integers(std::string_view op, const Tensor& x, Location at) {
  const DType dtype = impl_of(x, op, at).dtype();
  if (is_floating(dtype) || dtype == DType::boolean)
    fail<DTypeError>(op, "expected integers, got " + type_name(x) + ": convert with to(i64)", at);
}

}  // namespace

Tensor one_hot(const Tensor& x, int64_t num_classes, Location at) {
  Composite call("one_hot", at);
  check_integers("one_hot", x, at);
  if (num_classes < -1 || num_classes == 0)
    fail<ShapeError>("one_hot", "num_classes should be positive, or -1: got " + std::to_string(num_classes), at);
  if (num_classes < 0 && shape_of(x).numel() == 0)
    fail<ShapeError>("one_hot", "cannot infer the total number of classes from an empty tensor", at);
  const int64_t n = num_classes > 0 ? num_classes : greatest("one_hot", x, at) + 1;
  Tensor classes = x.to(DType::i64, at);
  if (num_classes > 0)
    classes = demanded(
        "one_hot", classes, {0, static_cast<double>(n - 1)},
        "class {} is out of range; expected 0 to " + std::to_string(n - 1) + " for num_classes = " + std::to_string(n),
        at);
  return (classes.unsqueeze(-1, at) == arange(n)).to(DType::i64, at);
}

Tensor bincount(const Tensor& x, const Tensor& weights, int64_t minlength, Location at) {
  Composite call("bincount", at);
  check_integers("bincount", x, at);
  if (shape_of(x).size() != 1)
    fail<ShapeError>("bincount", "only supports 1-d non-negative integral inputs, got " + type_name(x), at);
  if (minlength < 0) fail<ShapeError>("bincount", "minlength should be >= 0, got " + std::to_string(minlength), at);
  if (weights.defined() && shape_of(weights) != shape_of(x))
    fail<ShapeError>(
        "bincount",
        "weights should be 1-d and have the same length as input, got " + type_name(weights) + " for " + type_name(x),
        at);
  const int64_t n = std::max(minlength, greatest("bincount", x, at) + 1);
  Tensor each = !weights.defined()             ? ones(shape_of(x), DType::i64, at)
                : is_floating(weights.dtype()) ? weights
                                               : weights.to(DType::f64, at);
  return zeros({n}, each.dtype(), at).scatter_add(0, x.to(DType::i64, at), Arg(each, at));
}

Tensor nonzero(const Tensor& x, Location at) {
  Composite call("nonzero", at);
  const Shape shape = impl_of(x, "nonzero", at).shape;
  std::vector<Tensor> lists = coordinates("nonzero", (shape.empty() ? x.reshape({1}, at) : x) != 0, at);
  if (shape.empty()) return zeros({shape_of(lists[0])[0], 0}, DType::i64, at);
  return stack(lists, 1, at);
}

Tensor masked_select(const Tensor& x, const Tensor& mask, Location at) {
  Composite call("masked_select", at);
  impl_of(x, "masked_select", at);
  if (impl_of(mask, "masked_select", at).dtype() != DType::boolean)
    fail<DTypeError>("masked_select", "the mask must be boolean, got " + type_name(mask), at);
  std::vector<Tensor> both = broadcast_tensors({atleast_1d(x, at), mask}, at);
  std::vector<Index> chosen;
  for (Tensor& list : coordinates("masked_select", both[1], at)) chosen.emplace_back(std::move(list), at);
  return both[0].index(chosen);
}

namespace {

// The rows of a matrix in lexicographic order (NaN last, unlike itself), and of each but the first whether it differs
// from the last.
template <class T>
void order_rows(const T* rows, size_t width, std::vector<int64_t>& order, std::vector<uint8_t>& begins) {
  auto row = [&](int64_t i) { return std::span(rows + static_cast<size_t>(i) * width, width); };
  auto less = [](T a, T b) { return a < b || (b != b && a == a); };  // NOLINT: NaN
  std::stable_sort(order.begin(), order.end(), [&](int64_t i, int64_t j) {
    return std::lexicographical_compare(row(i).begin(), row(i).end(), row(j).begin(), row(j).end(), less);
  });
  for (size_t i = 1; i < order.size(); ++i)
    begins.push_back(!std::equal(row(order[i]).begin(), row(order[i]).end(), row(order[i - 1]).begin()));
}

}  // namespace

ValuesInverseCounts unique(const Tensor& x, std::optional<Dim> dim, Location at) {
  Composite call("unique", at);
  const Shape shape = impl_of(x, "unique", at).shape;
  const bool flat = !dim || shape.empty();
  const size_t d = dim ? wrap_dim("unique", *dim, shape.size(), at) : 0;
  Tensor lines = flat ? x.reshape({-1}, at) : x.movedim(static_cast<int64_t>(d), 0, at);
  const int64_t n = shape_of(lines)[0];
  std::vector<int64_t> order(static_cast<size_t>(n)), chosen, inverse(order.size()), counts;
  std::iota(order.begin(), order.end(), 0);
  std::vector<uint8_t> begins;
  const DType dtype = x.dtype();
  const bool half = dtype == DType::bf16 || dtype == DType::f16;
  Buffer elements = read(half ? lines.to(DType::f32, at) : lines.contiguous(at), "unique", at);
  const auto width = static_cast<size_t>(n == 0 ? 0 : shape_of(lines).numel() / n);
  visit_dtype(half ? DType::f32 : dtype, [&](auto zero) {
    order_rows(static_cast<const decltype(zero)*>(elements.data()), width, order, begins);
  });
  for (size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || begins[i - 1]) {
      chosen.push_back(order[i]);
      counts.push_back(0);
    }
    ++counts.back();
    inverse[static_cast<size_t>(order[i])] = static_cast<int64_t>(counts.size()) - 1;
  }
  const Tensor& whole = flat ? lines : x;
  return {index_select(whole, flat ? 0 : static_cast<int64_t>(d), Tensor::from(chosen, {-1}, at), at),
          Tensor::from(inverse, flat ? shape : Shape{n}, at), Tensor::from(counts, {-1}, at)};
}

}  // namespace jot
