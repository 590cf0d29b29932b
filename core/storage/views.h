// Making views, and what their makers check.
#pragma once
#include <optional>
#include <string_view>

#include "core/storage/storage.h"
#include "ir/builder.h"

namespace jot::detail {

// A view of t, sharing its storage: shape, offset and strides say where its elements lie; step how it is computed from
// t.
Tensor view(const Tensor& t, ViewStep step, Shape shape, int64_t offset, Shape strides);

// Throws for an undefined tensor.
const TensorImpl& impl_of(const Tensor& t, std::string_view op, Location at);

template <class E>
[[noreturn]] void fail(std::string_view op, const std::string& what, Location at) {
  throw E("[" + std::string(op) + "] " + what + jot::at(at));
}

// Throws ShapeError for negative extents and too many elements; `what`: "shape", "the result".
void check_shape(std::string_view op, std::string_view what, const Shape& shape, Location at);

// Negatives count from the end. Throws IndexError outside [-rank, rank); a 0-d tensor has one axis for this purpose.
size_t wrap_dim(std::string_view op, int64_t dim, size_t rank, Location at);

// The part of an axis that a slice shows.
struct Bounds {
  int64_t start, size;
};
Bounds clipped(const Slice& s, int64_t extent, std::string_view op, Location at);

// shape for n elements, with its -1 replaced. Throws ShapeError.
Shape inferred_shape(std::string_view op, int64_t n, Shape shape, Location at);

// Of a view of other extents on the same elements; none where it would have to copy.
std::optional<Shape> compatible_strides(const TensorImpl& x, const Shape& shape);

// t; of a copy that a.index() made, a view of it, which is assigned to as itself.
Tensor itself(const Tensor& t);

// Axis d is t's axis perm[d].
Tensor permuted(const Tensor& t, ir::Ints perm);

// t[start : start + size * step : step] along every axis; t itself if that is all of it.
Tensor strided_view(const Tensor& t, const Shape& start, const Shape& size, const Shape& step);
// The same of this shape, which has other dims of extent 1 than `size`: one view, whatever it drops.
Tensor strided_view(const Tensor& t, const Shape& start, const Shape& size, const Shape& step, const Shape& shape);

// The same elements with other extents.
Tensor reshaped_view(const Tensor& t, const Shape& shape, const Shape& strides);

// Axes of these extents stand for one axis of t: element (i, j, ...) is number i * steps[0] + j * steps[1] + ... along
// it.
Tensor windowed_view(const Tensor& t, size_t axis, const Shape& extents, const Shape& steps);
// The index vectors of its gather.
ir::Value window_indices(ir::Builder& b, ir::Ints extents_and_steps);

// Elements of the base of t's storage by their strides in it, all of them inside.
Tensor strided_over_base(const Tensor& t, const Shape& size, const Shape& stride, int64_t offset);
// A view of t's elements whose only way to its base is by strides. None where there are no such strides: of an argument
// whose elements do not lie as in the caller's storage.
std::optional<Tensor> placed_in_base(const Tensor& t);

}  // namespace jot::detail
