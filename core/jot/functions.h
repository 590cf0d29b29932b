// Generated from core/functions.def by core/functions.py: change the table and run ./dev generate.
// Functions of tensors. Names, order of arguments and meaning follow torch; a dim counts from the end when negative;
// dims {} are all. Functions are overload sets: pass them in a lambda, or with JOT_FN.
#pragma once
#include <vector>

#include "jot/tree.h"

namespace jot {

// clang-format off
struct ValuesIndices {
  Tensor values, indices;
};
JOT_TREE(ValuesIndices, values, indices);

// ---- Elementwise functions of one tensor
// |x|; of the least integer itself. The derivative at 0 is 0.
Tensor abs(const Tensor& x, Location at = JOT_HERE);
Tensor neg(const Tensor& x, Location at = JOT_HERE);
// -1, 0 or 1; NaN of NaN.
Tensor sign(const Tensor& x, Location at = JOT_HERE);
Tensor floor(const Tensor& x, Location at = JOT_HERE);
Tensor ceil(const Tensor& x, Location at = JOT_HERE);
// To the nearest integer, halves to the even one.
Tensor round(const Tensor& x, Location at = JOT_HERE);
Tensor trunc(const Tensor& x, Location at = JOT_HERE);
Tensor exp(const Tensor& x, Location at = JOT_HERE);
Tensor log(const Tensor& x, Location at = JOT_HERE);
Tensor sqrt(const Tensor& x, Location at = JOT_HERE);
// 1 / sqrt(x).
Tensor rsqrt(const Tensor& x, Location at = JOT_HERE);
Tensor sin(const Tensor& x, Location at = JOT_HERE);
Tensor cos(const Tensor& x, Location at = JOT_HERE);
Tensor tanh(const Tensor& x, Location at = JOT_HERE);
// 1 / (1 + exp(-x)).
Tensor sigmoid(const Tensor& x, Location at = JOT_HERE);
Tensor square(const Tensor& x, Location at = JOT_HERE);
Tensor reciprocal(const Tensor& x, Location at = JOT_HERE);
// max(x, 0); NaN stays. The derivative at 0 is 0.
Tensor relu(const Tensor& x, Location at = JOT_HERE);
// Whether x is zero: boolean, of any dtype.
Tensor logical_not(const Tensor& x, Location at = JOT_HERE);
// Of integers all bits, of booleans the truth value. DTypeError of floats.
Tensor bitwise_not(const Tensor& x, Location at = JOT_HERE);

// ---- Elementwise functions of two
// Operands broadcast and are promoted; of two one may be a number. ShapeError where shapes cannot be broadcast.
Tensor add(const Arg& a, const Arg& b);
Tensor sub(const Arg& a, const Arg& b);
Tensor mul(const Arg& a, const Arg& b);
// a / b, floating.
Tensor div(const Arg& a, const Arg& b);
// The greater; NaN where one is. A tie shares the derivative.
Tensor maximum(const Arg& a, const Arg& b);
Tensor minimum(const Arg& a, const Arg& b);
// maximum
Tensor max(const Tensor& a, const Tensor& b, Location at = JOT_HERE);
// minimum
Tensor min(const Tensor& a, const Tensor& b, Location at = JOT_HERE);
// The angle of the point (b, a), in [-pi, pi].
Tensor atan2(const Arg& a, const Arg& b);
// atan2
Tensor arctan2(const Arg& a, const Arg& b);
// a to the power of b, of integers to a power that is not negative. DTypeError.
Tensor pow(const Arg& a, const Arg& b);
Tensor eq(const Arg& a, const Arg& b);
Tensor ne(const Arg& a, const Arg& b);
Tensor lt(const Arg& a, const Arg& b);
Tensor le(const Arg& a, const Arg& b);
Tensor gt(const Arg& a, const Arg& b);
Tensor ge(const Arg& a, const Arg& b);
// Of truth values: what is not zero is true. Boolean.
Tensor logical_and(const Arg& a, const Arg& b);
Tensor logical_or(const Arg& a, const Arg& b);
Tensor logical_xor(const Arg& a, const Arg& b);
// Of bits: integers and booleans. DTypeError of floats.
Tensor bitwise_and(const Arg& a, const Arg& b);
Tensor bitwise_or(const Arg& a, const Arg& b);
Tensor bitwise_xor(const Arg& a, const Arg& b);

// ---- Elementwise functions of three
// x where the condition holds, else y. DTypeError unless it is boolean.
Tensor where(const Tensor& condition, const Arg& x, const Arg& y);
// x, at least low and at most high, of which one may be none; where low > high, high. NaN stays. The derivative at a bound is 1.
Tensor clamp(const Tensor& x, const Bound& low, const Bound& high = none);
Tensor clamp(const Tensor& x, const Tensor& low, const Tensor& high, Location at = JOT_HERE);
// x with the value, a number or 0-d, where the boolean mask holds.
Tensor masked_fill(const Tensor& x, const Tensor& mask, const Arg& value);

// ---- Reductions
// Over the axes dims, all if {}; keepdim leaves extents of 1. IndexError for a wrong or repeated dim.
// Of integers and booleans i64.
Tensor sum(const Tensor& x, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
// Of integers and booleans i64. The derivative divides by no factor.
Tensor prod(const Tensor& x, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
// DTypeError unless floating; NaN of nothing.
Tensor mean(const Tensor& x, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
// The greatest, NaN where one is; ties share the derivative. ShapeError of nothing.
Tensor amax(const Tensor& x, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
Tensor amin(const Tensor& x, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
// Whether no element is zero: boolean.
Tensor all(const Tensor& x, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
Tensor any(const Tensor& x, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
// log(sum(exp(x))), shifted by the maximum.
Tensor logsumexp(const Tensor& x, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
// Squares of deviations from the mean, divided by n - correction: NaN where that is 0.
Tensor var(const Tensor& x, const Axes& dims = {}, int64_t correction = 1, bool keepdim = false, Location at = JOT_HERE);
// sqrt of var; the derivative is 0 where that is.
Tensor std(const Tensor& x, const Axes& dims = {}, int64_t correction = 1, bool keepdim = false, Location at = JOT_HERE);
// amax of all.
Tensor max(const Tensor& x, Location at = JOT_HERE);
// amin of all.
Tensor min(const Tensor& x, Location at = JOT_HERE);
// exp(x) over its sum along dim.
Tensor softmax(const Tensor& x, int64_t dim, Location at = JOT_HERE);
Tensor log_softmax(const Tensor& x, int64_t dim, Location at = JOT_HERE);

// ---- Order
// NaN is greater than every number; as in torch. IndexError for a wrong dim.
// Each line along dim from the least to the greatest element (descending: from the greatest), equal elements in the order in
// which they stood, whatever `stable` says. Of any dtype and shape; a 0-d tensor is a line of one. The derivative moves with
// the values.
ValuesIndices sort(const Tensor& x, int64_t dim = -1, bool descending = false, bool stable = true, Location at = JOT_HERE);
// The indices of sort alone.
Tensor argsort(const Tensor& x, int64_t dim = -1, bool descending = false, bool stable = true, Location at = JOT_HERE);
// The values of sort along the first dim.
Tensor msort(const Tensor& x, Location at = JOT_HERE);
// The k greatest (largest = false: least) elements of each line, in order, whatever `sorted` says. ShapeError unless
// 0 <= k <= the extent of dim.
ValuesIndices topk(const Tensor& x, int64_t k, int64_t dim = -1, bool largest = true, bool sorted = true, Location at = JOT_HERE);

// ---- Products
// As torch's: vectors, matrices, batches of them, which broadcast. ShapeError unless the extents meet.
Tensor matmul(const Tensor& a, const Tensor& b, Location at = JOT_HERE);
// Of two matrices.
Tensor mm(const Tensor& a, const Tensor& b, Location at = JOT_HERE);
// Of a matrix and a vector.
Tensor mv(const Tensor& a, const Tensor& b, Location at = JOT_HERE);
// Of two batches of matrices.
Tensor bmm(const Tensor& a, const Tensor& b, Location at = JOT_HERE);
// Of two vectors.
Tensor dot(const Tensor& a, const Tensor& b, Location at = JOT_HERE);
// a[i] b[j] of two vectors.
Tensor outer(const Tensor& a, const Tensor& b, Location at = JOT_HERE);
// Of vectors along dim, which has extent 3.
Tensor cross(const Tensor& a, const Tensor& b, int64_t dim = -1, Location at = JOT_HERE);
// The sum of the diagonal of a matrix.
Tensor trace(const Tensor& x, Location at = JOT_HERE);

// ---- Joining and moving elements
// One after the other along dim; dtypes are promoted. ShapeError unless the other extents are equal.
Tensor cat(const std::vector<Tensor>& tensors, int64_t dim = 0, Location at = JOT_HERE);
// Along a new dim.
Tensor stack(const std::vector<Tensor>& tensors, int64_t dim = 0, Location at = JOT_HERE);
// In the opposite order along dims; {} are none.
Tensor flip(const Tensor& x, const Axes& dims, Location at = JOT_HERE);
// Of a vector the matrix with it on the diagonal, of a matrix its diagonal.
Tensor diag(const Tensor& x, int64_t diagonal = 0, Location at = JOT_HERE);
// The last dim onto the diagonal of two.
Tensor diag_embed(const Tensor& x, Location at = JOT_HERE);
// The lower triangles of matrices: column - row <= diagonal; zero elsewhere.
Tensor tril(const Tensor& x, int64_t diagonal = 0, Location at = JOT_HERE);
Tensor triu(const Tensor& x, int64_t diagonal = 0, Location at = JOT_HERE);
Tensor clone(const Tensor& x, Location at = JOT_HERE);

// ---- Indexing
// An index is i32 or i64 and counts from the end when negative; out of range it is an IndexError at evaluation.
// The parts of x along dim that the index, a vector, names.
Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index, Location at = JOT_HERE);
// Along dim by an index for each element: gather(x, 0, i)[r][c] is x[i[r][c]][c].
Tensor gather(const Tensor& x, int64_t dim, const Tensor& index, Location at = JOT_HERE);
// Where gather reads this writes; of elements that meet the last write stays.
Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Arg& source);
Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index, const Arg& source);
Tensor index_add(const Tensor& x, int64_t dim, const Tensor& index, const Arg& source, const Arg& alpha = {1, Location()});
Tensor index_copy(const Tensor& x, int64_t dim, const Tensor& index, const Arg& source);
Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, const Arg& value);
Tensor index_put(const Tensor& x, const Indices& indices, const Arg& values, bool accumulate = false);
// Elements of the source, in order, where the boolean mask holds; reads the mask.
Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Arg& source);
// x with the part that a view shows replaced by src.
Tensor select_scatter(const Tensor& x, const Tensor& src, int64_t dim, int64_t index, Location at = JOT_HERE);
Tensor slice_scatter(const Tensor& x, const Tensor& src, int64_t dim = 0, std::optional<int64_t> start = {}, std::optional<int64_t> stop = {}, int64_t step = 1, Location at = JOT_HERE);
Tensor diagonal_scatter(const Tensor& x, const Tensor& src, int64_t offset = 0, int64_t dim0 = 0, int64_t dim1 = 1, Location at = JOT_HERE);
Tensor as_strided_scatter(const Tensor& x, const Tensor& src, const Shape& size, const Shape& stride, std::optional<int64_t> offset = {}, Location at = JOT_HERE);

// ---- Views
// They share the elements of x: writes through them reach it.
Tensor select(const Tensor& x, int64_t dim, int64_t index, Location at = JOT_HERE);
// start:stop:step of dim; bounds are clipped, negatives count from the end.
Tensor slice(const Tensor& x, int64_t dim, std::optional<int64_t> start = {}, std::optional<int64_t> stop = {}, int64_t step = 1, Location at = JOT_HERE);
Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length, Location at = JOT_HERE);
Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1, Location at = JOT_HERE);
Tensor permute(const Tensor& x, const Axes& dims, Location at = JOT_HERE);
Tensor movedim(const Tensor& x, const Axes& source, const Axes& destination, Location at = JOT_HERE);
Tensor moveaxis(const Tensor& x, const Axes& source, const Axes& destination, Location at = JOT_HERE);
Tensor swapaxes(const Tensor& x, int64_t dim0, int64_t dim1, Location at = JOT_HERE);
Tensor swapdims(const Tensor& x, int64_t dim0, int64_t dim1, Location at = JOT_HERE);
// Of at most two dims: they are swapped.
Tensor t(const Tensor& x, Location at = JOT_HERE);
// The last two dims swapped.
Tensor mT(const Tensor& x, Location at = JOT_HERE);
// The same elements in another shape, where one extent may be -1. ShapeError where strides do not allow it.
Tensor view(const Tensor& x, const Shape& shape, Location at = JOT_HERE);
Tensor view_as(const Tensor& x, const Tensor& other, Location at = JOT_HERE);
// A view where that can be, else a copy.
Tensor reshape(const Tensor& x, const Shape& shape, Location at = JOT_HERE);
Tensor reshape_as(const Tensor& x, const Tensor& other, Location at = JOT_HERE);
Tensor flatten(const Tensor& x, int64_t first = 0, int64_t last = -1, Location at = JOT_HERE);
Tensor ravel(const Tensor& x, Location at = JOT_HERE);
Tensor unflatten(const Tensor& x, int64_t dim, const Shape& sizes, Location at = JOT_HERE);
Tensor expand(const Tensor& x, const Shape& shape, Location at = JOT_HERE);
Tensor expand_as(const Tensor& x, const Tensor& other, Location at = JOT_HERE);
Tensor broadcast_to(const Tensor& x, const Shape& shape, Location at = JOT_HERE);
Tensor squeeze(const Tensor& x, const Axes& dims = {}, Location at = JOT_HERE);
Tensor unsqueeze(const Tensor& x, int64_t dim, Location at = JOT_HERE);
Tensor diagonal(const Tensor& x, int64_t offset = 0, int64_t dim0 = 0, int64_t dim1 = 1, Location at = JOT_HERE);
// Windows along dim, last.
Tensor unfold(const Tensor& x, int64_t dim, int64_t size, int64_t step, Location at = JOT_HERE);
// Of the base's memory, which is row-major; offset none is that of x. Inside a transform an argument is a base.
Tensor as_strided(const Tensor& x, const Shape& size, const Shape& stride, std::optional<int64_t> offset = {}, Location at = JOT_HERE);
// Constant to every derivative.
Tensor detach(const Tensor& x, Location at = JOT_HERE);
// detach
Tensor stop_gradient(const Tensor& x, Location at = JOT_HERE);
std::vector<Tensor> split(const Tensor& x, int64_t size, int64_t dim = 0, Location at = JOT_HERE);
std::vector<Tensor> split(const Tensor& x, const Shape& sizes, int64_t dim = 0, Location at = JOT_HERE);
std::vector<Tensor> tensor_split(const Tensor& x, int64_t sections, int64_t dim = 0, Location at = JOT_HERE);
std::vector<Tensor> tensor_split(const Tensor& x, const Shape& starts, int64_t dim = 0, Location at = JOT_HERE);
std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int64_t dim = 0, Location at = JOT_HERE);
std::vector<Tensor> unbind(const Tensor& x, int64_t dim = 0, Location at = JOT_HERE);
// A copy where an index is a tensor.
Tensor index(const Tensor& x, const Indices& indices);
// clang-format on

}  // namespace jot
