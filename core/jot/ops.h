// Functions of tensors. Names, order of arguments and meaning follow torch; a dim counts from the end when negative;
// dims
// {} are all. Functions are overload sets: pass them in a lambda, or with JOT_FN.
#pragma once
#include <vector>

#include "jot/tensor.h"

namespace jot {

// A callable that stands for a function of this namespace: vmap(JOT_FN(sin)).
#define JOT_FN(name) \
  [](const auto&... jot_args_) -> decltype(::jot::name(jot_args_...)) { return ::jot::name(jot_args_...); }

#define JOT_FREE(name, ...) Tensor name(const Tensor& x, Location at = JOT_HERE);
JOT_UNARY(JOT_FREE)
JOT_NOT(JOT_FREE)
#undef JOT_FREE
#define JOT_FREE(name, ...) Tensor name(const Arg& a, const Arg& b);
JOT_BINARY(JOT_FREE)
#undef JOT_FREE
Tensor clamp(const Tensor& x, const Bound& low, const Bound& high);
Tensor clamp(const Tensor& x, const Bound& low);
Tensor max(const Tensor& a, const Tensor& b, Location at = JOT_HERE);  // maximum
Tensor min(const Tensor& a, const Tensor& b, Location at = JOT_HERE);  // minimum
Tensor where(const Tensor& condition, const Arg& x, const Arg& y);
Tensor masked_fill(const Tensor& x, const Tensor& mask, const Arg& value);
Tensor stop_gradient(const Tensor& x, Location at = JOT_HERE);  // constant to every derivative

// Reductions.
#define JOT_FREE(name) \
  Tensor name(const Tensor& x, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
JOT_REDUCTION(JOT_FREE)
#undef JOT_FREE
Tensor var(const Tensor& x, const Axes& dims = {}, int64_t correction = 1, bool keepdim = false,
           Location at = JOT_HERE);
Tensor std(const Tensor& x, const Axes& dims = {}, int64_t correction = 1, bool keepdim = false,
           Location at = JOT_HERE);
Tensor max(const Tensor& x, Location at = JOT_HERE);
Tensor min(const Tensor& x, Location at = JOT_HERE);
Tensor softmax(const Tensor& x, int64_t dim, Location at = JOT_HERE);
Tensor log_softmax(const Tensor& x, int64_t dim, Location at = JOT_HERE);

// Products.
Tensor matmul(const Tensor& a, const Tensor& b, Location at = JOT_HERE);
Tensor mm(const Tensor& a, const Tensor& b, Location at = JOT_HERE);
Tensor mv(const Tensor& a, const Tensor& b, Location at = JOT_HERE);
Tensor bmm(const Tensor& a, const Tensor& b, Location at = JOT_HERE);
Tensor dot(const Tensor& a, const Tensor& b, Location at = JOT_HERE);
Tensor outer(const Tensor& a, const Tensor& b, Location at = JOT_HERE);
Tensor cross(const Tensor& a, const Tensor& b, int64_t dim = -1, Location at = JOT_HERE);
Tensor trace(const Tensor& x, Location at = JOT_HERE);  // sum of the diagonal

// Joining, moving, choosing elements.
Tensor stack(const std::vector<Tensor>& tensors, int64_t dim = 0, Location at = JOT_HERE);
Tensor cat(const std::vector<Tensor>& tensors, int64_t dim = 0, Location at = JOT_HERE);
Tensor flip(const Tensor& x, const Axes& dims, Location at = JOT_HERE);
Tensor diag(const Tensor& x, int64_t diagonal = 0, Location at = JOT_HERE);  // vector to matrix, matrix to vector
Tensor diag_embed(const Tensor& x, Location at = JOT_HERE);                  // the last dim onto the diagonal of two
Tensor tril(const Tensor& x, int64_t diagonal = 0, Location at = JOT_HERE);
Tensor triu(const Tensor& x, int64_t diagonal = 0, Location at = JOT_HERE);
Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index, Location at = JOT_HERE);
Tensor index_put(const Tensor& x, const Indices& indices, const Arg& values, bool accumulate = false);
Tensor index_add(const Tensor& x, int64_t dim, const Tensor& index, const Arg& source, const Arg& alpha = {1, {}});
Tensor index_copy(const Tensor& x, int64_t dim, const Tensor& index, const Arg& source);
Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, const Arg& value);
Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Arg& source);
// Along dim by an index for each element: gather(x, 0, i)[r][c] is x[i[r][c]][c], scatter writes there.
Tensor gather(const Tensor& x, int64_t dim, const Tensor& index, Location at = JOT_HERE);
Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Arg& source);  // the last write stays
Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index, const Arg& source);
// x with the part that a view shows replaced by src.
Tensor select_scatter(const Tensor& x, const Tensor& src, int64_t dim, int64_t index, Location at = JOT_HERE);
Tensor slice_scatter(const Tensor& x, const Tensor& src, int64_t dim = 0, std::optional<int64_t> start = {},
                     std::optional<int64_t> stop = {}, int64_t step = 1, Location at = JOT_HERE);
Tensor diagonal_scatter(const Tensor& x, const Tensor& src, int64_t offset = 0, int64_t dim0 = 0, int64_t dim1 = 1,
                        Location at = JOT_HERE);
Tensor as_strided_scatter(const Tensor& x, const Tensor& src, const Shape& size, const Shape& stride,
                          std::optional<int64_t> offset = {}, Location at = JOT_HERE);

// The views of Tensor as functions.
Tensor select(const Tensor& x, int64_t dim, int64_t index, Location at = JOT_HERE);
Tensor slice(const Tensor& x, int64_t dim, std::optional<int64_t> start = {}, std::optional<int64_t> stop = {},
             int64_t step = 1, Location at = JOT_HERE);
Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length, Location at = JOT_HERE);
Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1, Location at = JOT_HERE);
Tensor permute(const Tensor& x, const Axes& dims, Location at = JOT_HERE);
Tensor movedim(const Tensor& x, const Axes& source, const Axes& destination, Location at = JOT_HERE);
Tensor moveaxis(const Tensor& x, const Axes& source, const Axes& destination, Location at = JOT_HERE);
Tensor swapaxes(const Tensor& x, int64_t dim0, int64_t dim1, Location at = JOT_HERE);
Tensor swapdims(const Tensor& x, int64_t dim0, int64_t dim1, Location at = JOT_HERE);
Tensor t(const Tensor& x, Location at = JOT_HERE);
Tensor mT(const Tensor& x, Location at = JOT_HERE);
Tensor view(const Tensor& x, const Shape& shape, Location at = JOT_HERE);
Tensor view_as(const Tensor& x, const Tensor& other, Location at = JOT_HERE);
Tensor reshape_as(const Tensor& x, const Tensor& other, Location at = JOT_HERE);
Tensor ravel(const Tensor& x, Location at = JOT_HERE);
Tensor unflatten(const Tensor& x, int64_t dim, const Shape& sizes, Location at = JOT_HERE);
Tensor expand(const Tensor& x, const Shape& shape, Location at = JOT_HERE);
Tensor expand_as(const Tensor& x, const Tensor& other, Location at = JOT_HERE);
Tensor unfold(const Tensor& x, int64_t dim, int64_t size, int64_t step, Location at = JOT_HERE);
Tensor as_strided(const Tensor& x, const Shape& size, const Shape& stride, std::optional<int64_t> offset = {},
                  Location at = JOT_HERE);
Tensor detach(const Tensor& x, Location at = JOT_HERE);
Tensor index(const Tensor& x, const Indices& indices);  // a copy where an index is a tensor
Tensor reshape(const Tensor& x, const Shape& shape, Location at = JOT_HERE);
Tensor flatten(const Tensor& x, int64_t first = 0, int64_t last = -1, Location at = JOT_HERE);
Tensor squeeze(const Tensor& x, const Axes& dims = {}, Location at = JOT_HERE);
Tensor unsqueeze(const Tensor& x, int64_t dim, Location at = JOT_HERE);
Tensor diagonal(const Tensor& x, int64_t offset = 0, int64_t dim0 = 0, int64_t dim1 = 1, Location at = JOT_HERE);
Tensor broadcast_to(const Tensor& x, const Shape& shape, Location at = JOT_HERE);
std::vector<Tensor> split(const Tensor& x, int64_t size, int64_t dim = 0, Location at = JOT_HERE);
std::vector<Tensor> split(const Tensor& x, const Shape& sizes, int64_t dim = 0, Location at = JOT_HERE);
std::vector<Tensor> tensor_split(const Tensor& x, int64_t sections, int64_t dim = 0, Location at = JOT_HERE);
std::vector<Tensor> tensor_split(const Tensor& x, const Shape& starts, int64_t dim = 0, Location at = JOT_HERE);
std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int64_t dim = 0, Location at = JOT_HERE);
std::vector<Tensor> unbind(const Tensor& x, int64_t dim = 0, Location at = JOT_HERE);
Tensor clone(const Tensor& x, Location at = JOT_HERE);

bool equal(const Tensor& a, const Tensor& b, Location at = JOT_HERE);  // same shape and elements
bool allclose(const Tensor& a, const Tensor& b, double rtol = 1e-5, double atol = 1e-8, Location at = JOT_HERE);

// While alive, what this thread records is constant to the derivatives of the transforms around it.
class [[nodiscard]] NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;
};

// Derivatives whose transforms are called while one is alive on this thread have strong zeros: a zero tangent or
// cotangent times an infinite or NaN partial derivative is zero. So where(x > 0, sqrt(x), 0) has the derivative 0 at 0;
// without, it is NaN, as in torch. See also `.strong_zeros` of JvpOptions and JacobianOptions.
class [[nodiscard]] StrongZeros {
 public:
  StrongZeros();
  ~StrongZeros();
  StrongZeros(const StrongZeros&) = delete;
  StrongZeros& operator=(const StrongZeros&) = delete;
};

}  // namespace jot
