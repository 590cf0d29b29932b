#include "jot/tensor.h"

#include <cstring>

#include "core/functions/operands.h"
#include "ir/fork.h"
#include "jot/accessor.h"

namespace jot {

using namespace detail;

// ---- what a tensor is

Shape Tensor::shape(Location at) const { return impl_of(*this, "shape", at).shape; }
int64_t Tensor::dim(Location at) const { return static_cast<int64_t>(impl_of(*this, "dim", at).shape.size()); }
int64_t Tensor::numel(Location at) const { return impl_of(*this, "numel", at).shape.numel(); }
DType Tensor::dtype(Location at) const { return impl_of(*this, "dtype", at).dtype(); }
int64_t Tensor::size(int64_t dim, Location at) const {
  const Shape& shape = impl_of(*this, "size", at).shape;
  if (shape.empty()) fail<IndexError>("size", "dim " + std::to_string(dim) + ": a 0-d tensor has no dims", at);
  return shape[wrap_dim("size", dim, shape.size(), at)];
}

// ---- reading

namespace {

// Strided elements in row-major order. Equal contents stay where they are, for others may hold the address.
const void* kept_copy(TensorImpl& x, Buffer elements) {
  static constinit std::mutex mutex;
  ForkSafeLock lock(mutex);
  bool same = x.copy && x.copy.size() == elements.size() &&
              std::memcmp(x.copy.data(), elements.data(), static_cast<size_t>(elements.size())) == 0;
  if (!same) x.copy = std::move(elements);
  return x.copy.data();
}

std::byte* first_element(const TensorImpl& x) {
  return static_cast<std::byte*>(x.storage->buffer.data()) + x.offset * size_of(x.dtype());
}

void check_element_type(const TensorImpl& x, std::string_view what, std::optional<DType> expected, Location at) {
  if (expected ? x.dtype() == *expected : is_floating(x.dtype()) && size_of(x.dtype()) == 2) return;
  const std::string asked(expected ? to_string(*expected) : "the bits of bf16 or f16");
  fail<DTypeError>(
      what, "the elements are " + std::string(to_string(x.dtype())) + ", asked for " + asked + ": convert with to()",
      at);
}

// Before elements are written where they lie: snapshots of pending operations keep what they saw.
void make_own(const Tensor& t, std::string_view what, Location at) {
  if (evaluate(t, what, at))
    fail<TraceError>(what, "a tensor of a running transform has no memory: use copy_ or index_put_", at);
  Storage& s = *t.impl()->storage;
  if (s.writes_through || (s.buffer.unique() && s.buffer.owned())) return;
  Buffer own = Buffer::allocate(s.buffer.size(), size_of(t.impl()->dtype()));
  if (own.size()) std::memcpy(own.data(), s.buffer.data(), static_cast<size_t>(own.size()));
  s.buffer = std::move(own);
}

}  // namespace

const void* Tensor::raw(std::optional<DType> expected, Location at) const {
  check_element_type(impl_of(*this, "data", at), "data", expected, at);
  Buffer forced = evaluate(*this, "data", at);
  if (forced) return kept_copy(*impl_, std::move(forced));
  if (impl_->contiguous()) return first_element(*impl_);
  return kept_copy(*impl_, read(*this, "data", at));
}

void* Tensor::mutable_raw(std::optional<DType> expected, Location at) const {
  constexpr std::string_view what = "mutable_data";
  check_element_type(impl_of(*this, what, at), what, expected, at);
  make_own(*this, what, at);
  if (!impl_->contiguous()) fail<ShapeError>(what, "the elements of this view are not contiguous: clone() it", at);
  return first_element(*impl_);
}

namespace detail {

Layout layout_of(const Tensor& t, std::optional<DType> expected, std::optional<size_t> rank, bool write,
                 const char* what, Location at) {
  TensorImpl& x = const_cast<TensorImpl&>(impl_of(t, what, at));  // NOLINT: a copy may be kept in it
  check_element_type(x, what, expected, at);
  if (rank && x.shape.size() != *rank)
    fail<ShapeError>(what,
                     "the tensor has " + std::to_string(x.shape.size()) + " dims, " + to_string(x.shape) +
                         ", asked for " + std::to_string(*rank) + ": view, reshape or unsqueeze it",
                     at);
  if (write) {
    if (x.overlapping()) fail<ShapeError>(what, "some elements of this view are one in memory: clone() it", at);
    make_own(t, what, at);
  } else if (Buffer forced = evaluate(t, what, at)) {
    return {const_cast<void*>(kept_copy(x, std::move(forced))), x.shape, row_major(x.shape)};  // NOLINT: not written
  }
  return {first_element(x), x.shape, x.layout()};
}

void outside(std::span<const int64_t> indices, std::span<const int64_t> extents, Location at) {
  fail<IndexError>("Accessor::at", "index " + to_string(Shape(indices)) + " of extents " + to_string(Shape(extents)),
                   at);
}

}  // namespace detail

const Tensor& Tensor::eval(Location at) const {
  impl_of(*this, "eval", at);
  evaluate(*this, "eval", at);
  return *this;
}

namespace {

// The line of the op that made t's contents, of an argument that of the transform.
Location made_at(const Tensor& t) {
  if (!t.defined()) return Location();
  const Storage& s = *t.impl()->storage;
  std::shared_ptr<Trace> trace = trace_of(s);
  if (!trace) return s.made;
  ForkSafeLock lock(trace->mutex());
  if (trace->ended() || s.owner.load(std::memory_order_acquire) != trace->id()) return s.made;
  Location made = trace->builder().location(s.version == ir::kNoValue ? s.base : s.version);
  return made.line ? made : trace->options().at;
}

}  // namespace

// A conversion has no line of its own.
Tensor::operator bool() const {
  Location at = made_at(*this);
  check_single(*this, "bool", at);
  std::vector<bool> out(1);
  read_elements(*this, convert_elements<bool>, &out, "bool", at);
  return out[0];
}

namespace detail {

// Of what is about to be read: what is pending fails here, before there is memory to read it into.
int64_t numel_of(const Tensor& t, const char* what, Location at) {
  const TensorImpl& x = impl_of(t, what, at);
  std::shared_ptr<Trace> trace = trace_of(*x.storage);
  if (trace && trace->lazy()) evaluate(t, what, at);
  x.storage->check();
  return x.shape.numel();
}

void check_single(const Tensor& t, const char* what, Location at) {
  int64_t n = impl_of(t, what, at).shape.numel();
  if (n == 1) return;
  std::string tensor = "a Tensor with " + std::to_string(n) + " elements ";
  if (std::string_view(what) == "bool")
    fail<ShapeError>(what,
                     tensor +
                         "is no condition: select elements with where(), reduce with any() or all(), combine "
                         "conditions with & and |, not && and ||",
                     at);
  fail<ShapeError>(what, tensor + "cannot be converted to a number", at);
}

void read_elements(const Tensor& t, Sink sink, void* out, const char* what, Location at) {
  const TensorImpl& x = impl_of(t, what, at);
  Buffer elements = read(t, what, at);
  sink(elements.data(), x.dtype(), x.shape.numel(), out);
}

}  // namespace detail
}  // namespace jot
