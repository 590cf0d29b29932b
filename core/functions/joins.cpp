// Functions that join tensors, cut them and bring them to common shapes.
#include <algorithm>
#include <numeric>

#include "core/functions/operands.h"
#include "jot/ops.h"

namespace jot {

using namespace detail;

namespace {

void check_some(std::string_view op, const std::vector<Tensor>& tensors, Location at) {
  if (tensors.empty()) fail<ShapeError>(op, "expects a non-empty list of tensors", at);
}

std::vector<Tensor> each(const std::vector<Tensor>& tensors, std::string_view op, Location at,
                         Tensor (*f)(const Tensor&, Location)) {
  check_some(op, tensors, at);
  std::vector<Tensor> result;
  for (const Tensor& t : tensors) {
    impl_of(t, op, at);
    result.push_back(f(t, at));
  }
  return result;
}

size_t rank_of(const Tensor& t) { return shape_of(t).size(); }

}  // namespace

Tensor atleast_1d(const Tensor& x, Location at) {
  return impl_of(x, "atleast_1d", at).shape.empty() ? x.reshape({1}, at) : itself(x);
}
Tensor atleast_2d(const Tensor& x, Location at) {
  size_t rank = impl_of(x, "atleast_2d", at).shape.size();
  return rank == 0 ? x.reshape({1, 1}, at) : rank == 1 ? x.unsqueeze(0, at) : itself(x);
}
Tensor atleast_3d(const Tensor& x, Location at) {
  size_t rank = impl_of(x, "atleast_3d", at).shape.size();
  if (rank >= 3) return itself(x);
  return atleast_2d(x, at).unsqueeze(-1, at);
}

std::vector<Tensor> atleast_1d(const std::vector<Tensor>& tensors, Location at) {
  return each(tensors, "atleast_1d", at, atleast_1d);
}
std::vector<Tensor> atleast_2d(const std::vector<Tensor>& tensors, Location at) {
  return each(tensors, "atleast_2d", at, atleast_2d);
}
std::vector<Tensor> atleast_3d(const std::vector<Tensor>& tensors, Location at) {
  return each(tensors, "atleast_3d", at, atleast_3d);
}

Tensor hstack(const std::vector<Tensor>& tensors, Location at) {
  Composite call("hstack", at);
  std::vector<Tensor> parts = each(tensors, "hstack", at, atleast_1d);
  return cat(parts, rank_of(parts[0]) == 1 ? 0 : 1, at);
}
Tensor vstack(const std::vector<Tensor>& tensors, Location at) {
  Composite call("vstack", at);
  return cat(each(tensors, "vstack", at, atleast_2d), 0, at);
}
Tensor dstack(const std::vector<Tensor>& tensors, Location at) {
  Composite call("dstack", at);
  return cat(each(tensors, "dstack", at, atleast_3d), 2, at);
}
Tensor column_stack(const std::vector<Tensor>& tensors, Location at) {
  Composite call("column_stack", at);
  return cat(each(tensors, "column_stack", at,
                  [](const Tensor& t, Location line) {
                    return rank_of(t) <= 1 ? t.reshape({shape_of(t).numel(), 1}, line) : t;
                  }),
             1, at);
}

namespace {

// torch's hsplit, vsplit and dsplit: along `dim`, of tensors with at least `rank` dims.
std::vector<Tensor> split_along(std::string_view op, const Tensor& x, const Sections& sections, size_t rank,
                                int64_t dim, Location at) {
  const Shape& shape = impl_of(x, op, at).shape;
  if (shape.size() < rank)
    fail<ShapeError>(op,
                     "requires a tensor with at least " + std::to_string(rank) + " dimension" + (rank > 1 ? "s" : "") +
                         ", but got a tensor with " + std::to_string(shape.size()) + " dimensions",
                     at);
  const int64_t extent = shape[static_cast<size_t>(dim)];
  if (const std::optional<int64_t>& n = sections.number(); n && (*n <= 0 || extent % *n != 0))
    fail<ShapeError>(op,
                     "attempted to split along dimension " + std::to_string(dim) + ", but the size of the dimension " +
                         std::to_string(extent) + " is not divisible by the split_size " + std::to_string(*n),
                     at);
  return x.tensor_split(sections, dim, at);
}

}  // namespace

std::vector<Tensor> hsplit(const Tensor& x, const Sections& sections, Location at) {
  return split_along("hsplit", x, sections, 1, impl_of(x, "hsplit", at).shape.size() <= 1 ? 0 : 1, at);
}
std::vector<Tensor> vsplit(const Tensor& x, const Sections& sections, Location at) {
  return split_along("vsplit", x, sections, 2, 0, at);
}
std::vector<Tensor> dsplit(const Tensor& x, const Sections& sections, Location at) {
  return split_along("dsplit", x, sections, 3, 2, at);
}

std::vector<Tensor> broadcast_tensors(const std::vector<Tensor>& tensors, Location at) {
  Shape shape;
  {
    Emitter e("broadcast_tensors", at, std::span<const Tensor>(tensors));
    for (const Tensor& t : tensors) shape = broadcast_shapes(e, shape, shape_of(t));
  }
  std::vector<Tensor> result;
  for (const Tensor& t : tensors) result.push_back(t.expand(shape, at));
  return result;
}

std::vector<Tensor> meshgrid(const std::vector<Tensor>& tensors, Indexing indexing, Location at) {
  check_some("meshgrid", tensors, at);
  Shape shape;
  for (const Tensor& t : tensors) {
    const TensorImpl& x = impl_of(t, "meshgrid", at);
    if (x.shape.size() > 1)
      fail<ShapeError>("meshgrid", "Expected 0D or 1D tensor in the tensor list but got: " + type_name(t), at);
    if (x.dtype() != tensors[0].impl()->dtype())
      fail<DTypeError>("meshgrid",
                       "expects all tensors to have the same dtype, got " + type_name(tensors[0]) + " and " +
                           type_name(t) + ": convert one with to()",
                       at);
    shape.push_back(x.shape.numel());
  }
  const size_t n = tensors.size();
  const bool swapped = indexing == Indexing::xy && n > 1;
  if (swapped) std::swap(shape[0], shape[1]);
  std::vector<Tensor> result;
  for (size_t i = 0; i < n; ++i) {
    Shape own(std::vector<int64_t>(n, 1));
    own[swapped && i < 2 ? 1 - i : i] = shape_of(tensors[i]).numel();
    result.push_back(tensors[i].reshape(own, at).expand(shape, at));
  }
  return result;
}

Tensor cartesian_prod(const std::vector<Tensor>& tensors, Location at) {
  Composite call("cartesian_prod", at);
  check_some("cartesian_prod", tensors, at);
  for (const Tensor& t : tensors)
    if (impl_of(t, "cartesian_prod", at).shape.size() != 1)
      fail<ShapeError>("cartesian_prod", "Expect a 1D vector, but got " + type_name(t), at);
  if (tensors.size() == 1) return itself(tensors[0]);
  std::vector<Tensor> columns;
  for (const Tensor& t : meshgrid(tensors, Indexing::ij, at)) columns.push_back(t.reshape({-1, 1}, at));
  return cat(columns, 1, at);
}

namespace {
// How many choices of r there are of n; more than kMaxNumel where that is known of them.
int64_t choices(int64_t n, int64_t r) {
  int64_t number = 1;
  for (int64_t i = 1; i <= std::min(r, n - r); ++i) {
    const int64_t common = std::gcd(number, i), factor = (n - i + 1) / (i / common);
    if (number / common > ir::kMaxNumel / factor) return ir::kMaxNumel + 1;
    number = number / common * factor;
  }
  return number;
}
}  // namespace

Tensor combinations(const Tensor& x, int64_t r, bool with_replacement, Location at) {
  const Shape& shape = impl_of(x, "combinations", at).shape;
  if (shape.size() != 1) fail<ShapeError>("combinations", "Expect a 1D vector, but got " + type_name(x), at);
  if (r < 0) fail<ShapeError>("combinations", "Expect a non-negative number, but got " + std::to_string(r), at);
  if (r > ir::kMaxNumel)
    fail<ShapeError>("combinations", "expected a number of at most 2^48, got " + std::to_string(r), at);
  Composite call("combinations", at);
  if (r == 0) return x.slice(0, 0, 0, 1, at).clone(at);
  const int64_t n = shape[0], of = with_replacement ? n + r - 1 : n, rows = n == 0 || of < r ? 0 : choices(of, r);
  if (rows > ir::kMaxNumel / r)
    fail<ShapeError>("combinations", "the result has too many elements: expected at most 2^48", at);
  // The choices in order: the last place that can move on moves, those behind it follow.
  Tensor list = allocated("combinations", {rows * r}, DType::i64, at);
  auto* places = static_cast<int64_t*>(list.impl()->storage->buffer.data());
  for (int64_t row = 0; row < rows; ++row, places += r) {
    int64_t i = 0, first = 0;
    if (row > 0) {
      auto last_of = [&](int64_t k) { return with_replacement ? n - 1 : n - r + k; };
      std::copy_n(places - r, r, places);
      for (i = r; places[i - 1] == last_of(i - 1);) --i;
      first = places[--i] + 1;
    }
    for (; i < r; ++i) places[i] = with_replacement ? first : first++;
  }
  return index_select(x, 0, list, at).reshape({rows, r}, at);
}

Tensor block_diag(const std::vector<Tensor>& tensors, Location at) {
  Composite call("block_diag", at);
  int64_t columns = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    size_t rank = impl_of(tensors[i], "block_diag", at).shape.size();
    if (rank > 2)
      fail<ShapeError>("block_diag",
                       "Input tensors must have 2 or fewer dimensions. Input " + std::to_string(i) + " has " +
                           std::to_string(rank) + " dimensions",
                       at);
    columns += rank == 0 ? 1 : shape_of(tensors[i])[rank - 1];
  }
  check_some("block_diag", tensors, at);
  Promotion types;
  for (const Tensor& t : tensors) types.add(Arg(t, at));
  const DType dtype = types.result(), computed = dtype == DType::boolean ? DType::i32 : dtype;
  std::vector<Tensor> rows;
  int64_t before = 0;
  for (const Tensor& t : tensors) {
    Tensor block = atleast_2d(t, at);
    Emitter e("block_diag", at, block);
    const int64_t width = shape_of(block)[1];
    Shape lo{0, before}, hi{0, columns - before - width}, interior{0, 0};
    ir::Value v = ir::build::pad_zero(e.b, operand(e, block, computed), lo, hi, interior);
    rows.push_back(e.result(ir::build::convert(e.b, v, dtype)));
    before += width;
  }
  return cat(rows, 0, at);
}

}  // namespace jot
