// Rows of tables.
#include "core/functions/demands.h"
#include "core/functions/nn/wide.h"

namespace jot::nn::functional {

using namespace detail;
namespace build = ir::build;
using ir::Value;

namespace {

void check_table(std::string_view op, const Tensor& index, const Tensor& weight, std::optional<int64_t> padding,
                 Location at) {
  const DType dtype = impl_of(index, op, at).dtype();
  if (dtype != DType::i64 && dtype != DType::i32)
    fail<DTypeError>(op, "expected the index to be i64 or i32, got " + type_name(index), at);
  const Shape& table = impl_of(weight, op, at).shape;
  if (table.size() != 2) fail<ShapeError>(op, "'weight' must be 2-D, got " + type_name(weight), at);
  if (padding && (*padding < -table[0] || *padding >= table[0]))
    fail<IndexError>(
        op,
        "Padding_idx must be within num_embeddings, " + std::to_string(table[0]) + ": got " + std::to_string(*padding),
        at);
}

// What index names, [index, d]; no index counts from the end.
Tensor rows(std::string_view op, const Tensor& weight, const Tensor& index, Location at) {
  const int64_t n = shape_of(weight)[0], d = shape_of(weight)[1];
  Tensor flat = index.to(DType::i64, at).reshape({-1}, at);
  if (n > 0)
    flat = demanded(op, flat, {0, static_cast<double>(n - 1)},
                    "index {} is out of bounds for dimension 0 with size " + std::to_string(n) + "; expected 0 to " +
                        std::to_string(n - 1),
                    at);
  return index_select(weight, 0, flat, at).reshape(shape_of(index) + Shape{d}, at);
}

Tensor is_padding(const Tensor& index, const Tensor& weight, int64_t padding) {
  return index == (padding < 0 ? padding + shape_of(weight)[0] : padding);
}

}  // namespace

Tensor embedding(const Tensor& index, const Tensor& weight, std::optional<int64_t> padding_idx, Location at) {
  Composite call("embedding", at);
  check_table("embedding", index, weight, padding_idx, at);
  Tensor r = rows("embedding", weight, index, at);
  if (!padding_idx) return r;
  return where(is_padding(index, weight, *padding_idx).unsqueeze(-1, at), r.detach(at), r);
}

namespace {

class Bags {
 public:
  Bags(const Wide& w, const Tensor& index, const Tensor& weight, const EmbeddingBagOptions& o)
      : w_(w), o_(o), shape_(shape_of(index)), at_(w.at()) {
    check_options();
    counts_ =
        o.padding_idx ? logical_not(is_padding(index, weight, *o.padding_idx)) : ones(shape_, DType::boolean, at_);
    counts_ = counts_.unsqueeze(-1, at_);
    values_ = rows(w_.op(), w(weight), index, at_);
    if (o.per_sample_weights.defined()) values_ = values_ * w(o.per_sample_weights).unsqueeze(-1, at_);
  }
  // [n, k, d]
  Tensor of_rows() const {
    if (o_.mode == Reduce::amax) {
      if (shape_[1] == 0) return zeros({shape_[0], shape_of(values_).back()}, w_.within(), at_);
      Tensor r = amax(where(counts_, values_, -inf), 1, false, at_);
      return where(any(counts_, 1, false, at_), r, 0.0);
    }
    return averaged(sum(where(counts_, values_, 0.0), 1, false, at_), sum(counts_, 1, false, at_));
  }
  // [k, d]; each element is in the bag that began last.
  Tensor of_offsets(const Tensor& offsets) const {
    const int64_t n = shape_of(offsets)[0] - (o_.include_last_offset ? 1 : 0), d = shape_of(values_).back();
    Tensor all = offsets.to(DType::i64, at_);
    if (const int64_t given = shape_of(all)[0]; given > 0) {
      Tensor before = cat({zeros({1}, DType::i64, at_), all.slice(0, 0, given - 1, 1, at_)}, 0, at_);
      Tensor first = arange(given) == 0, good = where(first, all == 0, all >= before);
      all = demanded(w_.op(), all, logical_and(good, all <= shape_[0]), all,
                     "offset {} is out of place; expected offsets that begin with 0, do not descend and are at most " +
                         std::to_string(shape_[0]) + ", the length of the input",
                     at_);
    }
    Tensor begins = all.slice(0, 0, n, 1, at_);
    Tensor bag = searchsorted(begins, {arange(shape_[0]), at_}, true) - 1;
    bag = where(bag < 0, n, bag);  // before the first bag: no index counts from the end
    Tensor none = zeros({n, d}, w_.within(), at_);
    if (o_.mode == Reduce::amax) {
      Tensor low = full({n, d}, -inf, w_.within());
      Tensor r = index_reduce(low, 0, bag, where(counts_, values_, -inf), Reduce::amax, true, at_);
      return where(r == -inf, 0.0, r);
    }
    Tensor total = none.index_add(0, bag, where(counts_, values_, 0.0));
    Tensor number = zeros({n, 1}, DType::i64, at_).index_add(0, bag, counts_.to(DType::i64, at_));
    return averaged(total, number);
  }

 private:
  void check_options() const {
    const bool flat = shape_.size() == 1, weighted = o_.per_sample_weights.defined();
    if (!flat && shape_.size() != 2) w_.fail<ShapeError>("input has to be 1D or 2D Tensor, got " + to_string(shape_));
    if (flat != o_.offsets.defined())
      w_.fail<ShapeError>(flat ? "offsets has to be a 1D Tensor but got none"
                               : "if input is 2D, then offsets has to be none, as input is treated as a mini-batch of "
                                 "fixed length sequences");
    if (flat && shape_of(o_.offsets).size() != 1)
      w_.fail<ShapeError>("offsets has to be a 1D Tensor, got " + type_name(o_.offsets));
    if (flat && (is_floating(o_.offsets.dtype()) || o_.offsets.dtype() == DType::boolean))
      w_.fail<DTypeError>("offsets must be integers, got " + type_name(o_.offsets));
    if (flat && o_.include_last_offset && shape_of(o_.offsets)[0] == 0)
      w_.fail<ShapeError>("include_last_offset: offsets must have at least one element");
    if (o_.mode != Reduce::sum && o_.mode != Reduce::mean && o_.mode != Reduce::amax)
      w_.fail<Error>("mode has to be one of sum, mean or amax");
    if (!weighted) return;
    if (o_.mode != Reduce::sum)
      w_.fail<Error>("per_sample_weights was not none. per_sample_weights is only supported for mode sum");
    if (shape_of(o_.per_sample_weights) != shape_)
      w_.fail<ShapeError>("If per_sample_weights (" + to_string(shape_of(o_.per_sample_weights)) +
                          ") is not none, then it must have the same shape as the input (" + to_string(shape_) + ")");
  }
  Tensor averaged(const Tensor& total, const Tensor& number) const {
    return o_.mode == Reduce::mean ? total / maximum(number, 1).to(w_.within(), at_) : total;
  }

  const Wide& w_;
  const EmbeddingBagOptions& o_;
  Shape shape_;
  Location at_;
  Tensor counts_, values_;
};

}  // namespace

Tensor embedding_bag(const Tensor& index, const Tensor& weight, const EmbeddingBagOptions& options, Location at) {
  Wide w("embedding_bag", at, {&weight});
  check_table("embedding_bag", index, weight, options.padding_idx, at);
  Bags bags(w, index, weight, options);
  return w.result(options.offsets.defined() ? bags.of_offsets(options.offsets) : bags.of_rows());
}

}  // namespace jot::nn::functional
