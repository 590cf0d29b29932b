// Index lists: integers, slices, new axes and the ellipsis make views; tensors of indices gather and scatter.
#include <algorithm>

#include "core/functions/operands.h"
#include "core/functions/scatter.h"
#include "jot/ops.h"

namespace jot {

using namespace detail;
namespace build = ir::build;
using ir::Op;
using ir::Value;

namespace detail {

std::vector<Tensor> coordinates(std::string_view op, const Tensor& mask, Location at) {
  Buffer buffer = read(mask, op, at);
  const auto* bits = static_cast<const uint8_t*>(buffer.data());
  const Shape& shape = shape_of(mask);
  std::vector<std::vector<int64_t>> lists(shape.size());
  std::vector<int64_t> position(shape.size(), 0);
  for (int64_t i = 0, n = shape.numel(); i < n; ++i) {
    if (bits[i])
      for (size_t d = 0; d < shape.size(); ++d) lists[d].push_back(position[d]);
    for (size_t d = shape.size(); d-- > 0;) {
      if (++position[d] < shape[d]) break;
      position[d] = 0;
    }
  }
  std::vector<Tensor> result;
  for (const std::vector<int64_t>& list : lists)
    result.push_back(Tensor::from(list, {static_cast<int64_t>(list.size())}, at));
  return result;
}

}  // namespace detail

namespace {

// The result of the part of an index list that makes a view, and the tensors that index its dims.
struct Indexed {
  Tensor base;
  std::vector<int64_t> dims;            // ascending
  std::vector<int64_t> dims_of_tensor;  // the same, of the tensor that is indexed
  std::vector<Tensor> tensors;          // i64, one for each of dims
  bool unique = false;                  // they address no element twice
};

int64_t consumed_dims(const Index& i) {
  switch (i.kind) {
    case Index::Kind::new_axis:
    case Index::Kind::ellipsis:
      return 0;
    case Index::Kind::tensor:
      return i.tensor.dtype() == DType::boolean ? i.tensor.dim() : 1;
    case Index::Kind::integer:
    case Index::Kind::slice:
      break;
  }
  return 1;
}

// Walks an index list over the dims of a tensor.
class Indexer {
 public:
  Indexer(std::string_view op, const Tensor& t, std::span<const Index> indices)
      : op_(op),
        t_(t),
        at_(indices.empty() ? Location{} : indices[0].at),
        start_(impl_of(t, op, at_).shape),
        size_(start_),
        step_(start_) {
    const Shape& shape = t.impl()->shape;
    for (size_t d = 0; d < shape.size(); ++d) {
      start_[d] = 0;
      step_[d] = 1;
    }
    int64_t consumed = 0;
    for (const Index& i : indices) {
      if (i.kind == Index::Kind::tensor) impl_of(i.tensor, op, i.at);
      consumed += consumed_dims(i);
    }
    if (consumed > static_cast<int64_t>(shape.size()))
      fail<IndexError>(op, "too many indices for tensor of dimension " + std::to_string(shape.size()), at_);
    size_t rest = shape.size() - static_cast<size_t>(consumed);
    if (rest > 0 || indices.size() > 1) kept_.reserve(indices.size() + rest);
    bool ellipsis = false;
    for (const Index& i : indices) {
      at_ = i.at;
      if (i.kind == Index::Kind::ellipsis) {
        if (ellipsis) fail<IndexError>(op, "an index can only have a single Ellipsis", at_);
        ellipsis = true;
        while (rest > 0) {
          keep();
          --rest;
        }
      } else {
        take(i);
      }
    }
    while (next_ < shape.size()) keep();
  }

  Indexed result() && {
    Shape shape;
    Indexed r;
    for (const Kept& k : kept_) {
      if (k.tensor.defined()) {
        r.dims.push_back(static_cast<int64_t>(shape.size()));
        r.dims_of_tensor.push_back(static_cast<int64_t>(k.dim));
        r.tensors.push_back(k.tensor);
      }
      shape.push_back(k.dim == kNew ? 1 : size_[k.dim]);
    }
    r.base = strided_view(t_, start_, size_, step_, shape);
    r.unique = masks_ == 1 && tensors_ == 1;
    return r;
  }

 private:
  static constexpr size_t kNew = static_cast<size_t>(-1);
  struct Kept {
    size_t dim;  // of the tensor
    Tensor tensor;
  };
  int64_t extent() const { return t_.impl()->shape[next_]; }
  void keep(Tensor index = {}) { kept_.push_back({next_++, std::move(index)}); }

  void take(const Index& i) {
    switch (i.kind) {
      case Index::Kind::new_axis:
        kept_.push_back({kNew, {}});
        break;
      case Index::Kind::integer: {
        int64_t n = extent();
        if (i.integer < -n || i.integer >= n)
          fail<IndexError>(op_,
                           "index " + std::to_string(i.integer) + " is out of bounds for dimension " +
                               std::to_string(next_) + " with size " + std::to_string(n),
                           at_);
        start_[next_] = i.integer < 0 ? i.integer + n : i.integer;
        size_[next_++] = 1;
        break;
      }
      case Index::Kind::slice: {
        Bounds b = clipped(i.slice, extent(), op_, at_);
        start_[next_] = b.start;
        size_[next_] = b.size;
        step_[next_] = i.slice.step;
        keep();
        break;
      }
      case Index::Kind::tensor:
        take_tensor(i.tensor);
        break;
      case Index::Kind::ellipsis:
        break;
    }
  }

  void take_tensor(const Tensor& index) {
    ++tensors_;
    DType dtype = index.dtype();
    if (is_floating(dtype))
      fail<IndexError>(op_, "tensors used as indices must be integers or booleans, got " + type_name(index), at_);
    if (dtype == DType::u8)
      fail<DTypeError>(op_,
                       "tensors used as indices must be i32 or i64, and masks boolean, got " + type_name(index) +
                           ": convert with to(i64) or to(boolean)",
                       at_);
    if (dtype != DType::boolean) return keep(index.to(DType::i64, at_));
    ++masks_;
    const Shape& mask = shape_of(index);
    for (size_t d = 0; d < mask.size(); ++d)
      if (mask[d] != t_.impl()->shape[next_ + d])
        fail<IndexError>(op_,
                         "The shape of the mask " + to_string(mask) + " at index " + std::to_string(d) +
                             " does not match the shape of the indexed tensor " + to_string(shape_of(t_)) +
                             " at index " + std::to_string(next_ + d),
                         at_);
    if (mask.empty())  // all of a new dim, or nothing
      kept_.push_back({kNew, coordinates("nonzero", index.reshape({1}, at_), at_)[0]});
    for (Tensor& list : coordinates("nonzero", index, at_)) keep(std::move(list));
  }

  std::string_view op_;
  const Tensor& t_;
  Location at_;
  Shape start_, size_, step_;
  size_t next_ = 0;
  std::vector<Kept> kept_;
  int masks_ = 0, tensors_ = 0;
};

// How the tensors of an index list address the dims of their base, as gather and scatter take it.
struct Addressing {
  Value indices;
  build::GatherDims dims;
  Shape sizes, shape;  // of a slice, of the result
};

Addressing addressing(Emitter& e, const Indexed& x) {
  Shape batch;
  for (const Tensor& t : x.tensors) batch = broadcast_shapes(e, batch, shape_of(t));
  Shape column = batch;
  column.push_back(1);
  std::vector<Value> columns;
  for (const Tensor& t : x.tensors)
    columns.push_back(build::reshape(e.b, operand(e, Arg(t, e.at()), DType::i64, batch), column));
  Addressing a;
  a.indices = build::concat(e.b, columns, static_cast<int64_t>(batch.size()));
  a.dims.collapsed = a.dims.index_map = x.dims;
  // Tensors side by side put their dims where they stand, else in front.
  bool adjacent = x.dims.back() - x.dims.front() + 1 == static_cast<int64_t>(x.dims.size());
  size_t lead = adjacent ? static_cast<size_t>(x.dims.front()) : 0;
  a.sizes = shape_of(x.base);
  Shape window;
  for (size_t d = 0; d < a.sizes.size(); ++d) {
    if (std::ranges::binary_search(x.dims, static_cast<int64_t>(d)))
      a.sizes[d] = 1;
    else
      window.push_back(a.sizes[d]);
  }
  for (size_t i = 0; i < window.size(); ++i)
    a.dims.offset_dims.push_back(static_cast<int64_t>(i < lead ? i : i + batch.size()));
  a.shape = window.slice(0, lead) + batch + window.slice(lead, window.size());
  return a;
}

Value scattered(Emitter& e, const Indexed& x, const Arg& values, bool accumulate) {
  Addressing a = addressing(e, x);
  if (!broadcasts_to(shape_of(values), a.shape))
    e.fail<ShapeError>("shape mismatch: values of shape " + to_string(shape_of(values)) +
                       " cannot be broadcast to the indexed shape " + to_string(a.shape));
  if (accumulate) check_castable(e, values, x.base.dtype());
  Value updates = operand(e, values, x.base.dtype(), a.shape);
  Op op = accumulate ? Op::scatter_add_op : Op::scatter_set_op;
  Value base = e(x.base);
  return emitted_for_call(e, x.dims_of_tensor,
                          [&] { return scatter_checked(e, op, base, a.indices, updates, a.dims, x.unique); });
}

}  // namespace

namespace {

Tensor indexed(std::string_view op, const Tensor& t, std::span<const Index> indices) {
  Indexed x = Indexer(op, t, indices).result();
  if (x.tensors.empty()) return x.base;
  Emitter e(op, indices[0].at, x.base);
  for (const Tensor& i : x.tensors) e.use(i);
  Addressing a = addressing(e, x);
  Value base = e(x.base);
  Tensor result = e.result(emitted_for_call(
      e, x.dims_of_tensor, [&] { return build::gather(e.b, base, a.indices, a.dims, a.sizes, ir::IndexMode::check); }));
  Assignment assignment{t.impl(), {indices.begin(), indices.end()}, {}};
  for (Index& i : assignment.indices)
    if (i.kind == Index::Kind::tensor) assignment.tensors.push_back(std::exchange(i.tensor, {}).impl());
  result.impl()->assignment = std::make_unique<const Assignment>(std::move(assignment));
  return result;
}

}  // namespace

Tensor Tensor::operator[](const Index& index) const { return indexed("index", *this, {&index, 1}); }
Tensor Tensor::index(const Indices& list) const { return indexed("index", *this, list.list()); }

const Tensor& Tensor::operator=(const Arg& value) && {
  const Assignment* a = impl_ ? impl_->assignment.get() : nullptr;
  if (!a) return copy_(value);
  std::vector<Index> indices = a->indices;
  size_t next = 0;
  bool alive = true;
  for (Index& i : indices)
    if (i.kind == Index::Kind::tensor) {
      i.tensor = Tensor(a->tensors[next++].lock());
      alive &= i.tensor.defined();
    }
  Tensor source(a->source.lock());
  if (!alive || !source.defined()) return copy_(value);
  source.index_put_(indices, value);
  return *this;
}

namespace detail {
void put(std::string_view op, const Tensor& t, const std::vector<Index>& indices, const Arg& values, bool accumulate) {
  Indexed x = Indexer(op, t, indices).result();
  if (x.tensors.empty()) {
    accumulate ? x.base.add_(values) : x.base.copy_(values);
    return;
  }
  Emitter e(op, values.at(), x.base, values);
  for (const Tensor& i : x.tensors) e.use(i);
  e.write(x.base, scattered(e, x, values, accumulate));
}
}  // namespace detail

const Tensor& Tensor::index_put_(const Indices& indices, const Arg& values, bool accumulate) const {
  detail::put("index_put_", *this, indices.list(), values, accumulate);
  return *this;
}

Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index, Location at) {
  const Shape& shape = impl_of(x, "index_select", at).shape;
  if (impl_of(index, "index_select", at).shape.size() > 1)
    fail<IndexError>("index_select", "Index is supposed to be a vector, got " + type_name(index), at);
  size_t d = wrap_dim("index_select", dim, shape.size(), at);
  if (shape.empty()) {  // a line of one
    if (shape_of(index).numel() != 1)
      fail<IndexError>("index_select", "Index to scalar can have only 1 value, got " + type_name(index), at);
    return index_select(x.reshape({1}, at), 0, index, at).reshape({}, at);
  }
  std::vector<Index> indices(d, Index(Slice(), at));
  indices.push_back(Index(index.reshape({-1}, at), at));
  return indexed("index_select", x, indices);
}

}  // namespace jot
