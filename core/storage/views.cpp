#include "core/storage/views.h"

#include <algorithm>

#include "ir/extents.h"

namespace jot::detail {

using ir::Attrs;
using ir::Op;

namespace {

// A permutation of a permutation is one, and of reshapes only the last counts.
bool merged(ViewStep& step, const ViewStep& inner) {
  if (step.op != inner.op) return false;
  if (step.op == Op::permute_op) {
    ir::Ints outer_perm = ir::AttrView(step.op, step.attrs).ints(ir::Key::perm);
    ir::Ints inner_perm = ir::AttrView(inner.op, inner.attrs).ints(ir::Key::perm);
    std::vector<int64_t> perm;
    for (int64_t d : outer_perm) perm.push_back(inner_perm[static_cast<size_t>(d)]);
    step.attrs = ir::Attrs(perm);
    return true;
  }
  return step.op == Op::reshape_op;
}

}  // namespace

Tensor view(const Tensor& t, ViewStep step, Shape shape, int64_t offset, Shape strides) {
  const TensorImpl& from = *t.impl();
  auto impl = make_pooled<TensorImpl>(from.storage, std::move(shape));
  impl->offset = offset;
  impl->strides = std::move(strides);
  impl->parent = from.step && merged(step, *from.step) ? from.parent : t.impl();
  impl->repeats = from.repeats || impl->shape.numel() > from.shape.numel();
  impl->step = std::unique_ptr<const ViewStep>(new ViewStep(std::move(step)));
  return Tensor(std::move(impl));
}

const TensorImpl& impl_of(const Tensor& t, std::string_view op, Location at) {
  if (!t.defined()) fail<TraceError>(op, "an operand is an undefined Tensor", at);
  return *t.impl();
}

void check_shape(std::string_view op, std::string_view what, const Shape& shape, Location at) {
  if (std::string fault = ir::fault_of(shape); !fault.empty())
    fail<ShapeError>(op, std::string(what) + " " + fault, at);
}

size_t wrap_dim(std::string_view op, int64_t dim, size_t rank, Location at) {
  int64_t n = std::max<int64_t>(1, static_cast<int64_t>(rank));
  if (dim < -n || dim >= n)
    fail<IndexError>(op,
                     "Dimension out of range (expected to be in range of [" + std::to_string(-n) + ", " +
                         std::to_string(n - 1) + "], but got " + std::to_string(dim) + ")",
                     at);
  return static_cast<size_t>(dim < 0 ? dim + n : dim);
}

Tensor itself(const Tensor& t) {
  const TensorImpl& x = *t.impl();
  return x.assignment ? reshaped_view(t, x.shape, x.layout()) : t;
}

Tensor reshaped_view(const Tensor& t, const Shape& shape, const Shape& strides) {
  return view(t, {Op::reshape_op, Attrs(shape)}, shape, t.impl()->offset, strides);
}

std::optional<Shape> compatible_strides(const TensorImpl& x, const Shape& shape) {
  if (x.contiguous() || shape.numel() == 0) return row_major(shape);
  Shape old = x.layout(), strides = shape;
  size_t next = shape.size();
  int64_t block = 1, extents = 1, step = x.shape.empty() ? 1 : old[x.shape.size() - 1];
  for (size_t d = x.shape.size(); d-- > 0;) {
    block *= x.shape[d];
    // A block of dims that lie in memory as one ends here.
    if (d > 0 && (x.shape[d - 1] == 1 || old[d - 1] == block * step)) continue;
    while (next > 0 && (extents < block || shape[next - 1] == 1)) {
      strides[next - 1] = extents * step;
      extents *= shape[next - 1];
      --next;
    }
    if (extents != block) return {};
    if (d > 0) {
      block = extents = 1;
      step = old[d - 1];
    }
  }
  if (next != 0) return {};
  return strides;
}

Shape inferred_shape(std::string_view op, int64_t n, Shape shape, Location at) {
  std::optional<size_t> open;
  auto invalid = [&] {
    fail<ShapeError>(op, "shape " + to_string(shape) + " is invalid for input of size " + std::to_string(n), at);
  };
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] < -1)
      fail<ShapeError>(op, "invalid extent " + std::to_string(shape[d]) + " in " + to_string(shape), at);
    if (shape[d] == -1) {
      if (open) fail<ShapeError>(op, "only one dimension can be inferred, got " + to_string(shape), at);
      open = d;
    }
  }
  Shape others = shape;
  if (open) others[*open] = 1;
  check_shape(op, "shape", others, at);
  const int64_t known = others.numel();
  if (open) {
    if (known == 0 || n % known != 0) invalid();
    shape[*open] = n / known;
  } else if (known != n) {
    invalid();
  }
  return shape;
}

Bounds clipped(const Slice& s, int64_t extent, std::string_view op, Location at) {
  if (s.step <= 0) fail<IndexError>(op, "slice step must be positive, got " + std::to_string(s.step), at);
  auto clip = [&](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + extent : i, 0, extent); };
  int64_t start = clip(s.start.value_or(0)), stop = clip(s.stop.value_or(extent));
  return {start, stop <= start ? 0 : (stop - start - 1) / s.step + 1};
}

}  // namespace jot::detail
