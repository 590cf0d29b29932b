// What functions of this folder share: types, broadcasting, axes. All record into an Emitter and throw in its name.
#pragma once
#include <string>
#include <vector>

#include "core/record/emitter.h"
#include "core/record/evaluate.h"
#include "core/record/scope.h"
#include "core/storage/views.h"
#include "ir/build.h"

namespace jot::detail {

// "f32[2,3]"
inline std::string type_name(const Tensor& t) { return ir::to_string(type_of(t)); }
inline const Shape& shape_of(const Tensor& t) { return t.impl()->shape; }
inline const Shape& shape_of(const Arg& a) {
  static const auto* scalar = new Shape;
  return a.is_tensor() ? a.tensor().impl()->shape : *scalar;
}

// The shortest decimal that reads back.
std::string number_text(double x);
// Uninitialised, of a shape that was checked. MemoryError in the name of op.
Tensor allocated(std::string_view op, const Shape& shape, DType dtype, Location at);

// The dtype of a number that stands alone: the default dtype, i64 or boolean.
DType dtype_of_number(const Number& n);
// torch.result_type: of tensors with dims, 0-d tensors and numbers, a later group counts only where its category is
// higher.
class Promotion {
 public:
  void add(const Arg& a);
  DType result() const;

 private:
  std::optional<DType> groups_[3];
};
inline DType promoted(std::initializer_list<const Arg*> args) {
  Promotion p;
  for (const Arg* a : args) p.add(*a);
  return p.result();
}
// Floats stay, the rest becomes the default dtype.
DType floating(DType dtype);
// A number that is no dtype: DTypeError.
DType checked_dtype(DType dtype, std::string_view what, Location at);

// What is computed is not written to a dtype of a lower category (float into integer), but what is only stored is
// converted (copy_, fill_, assignment): DTypeError.
void check_castable(const Emitter& e, DType from, DType to);
void check_castable(const Emitter& e, const Arg& from, DType to);

// Throws DTypeError, ShapeError, Error: elements of this type are to be read or written at p.
void check_pointer(std::string_view op, const void* p, DType dtype, const Shape& shape, Location at);

// numpy's rule. Throws ShapeError.
Shape broadcast_shapes(const Emitter& e, const Shape& a, const Shape& b);
bool broadcasts_to(const Shape& from, const Shape& to);

// What `emit` emits, as the work of the user's call e.op(): by kinds of fault, the dims of the user's tensor that they
// are about.
template <class F>
ir::Value emitted_for_call(Emitter& e, std::vector<int64_t> dims, F emit) {
  e.b.set_call({std::string(e.op()), std::move(dims), {}});
  ir::Value v = emit();
  e.b.set_call({});
  return v;
}

// A tensor or number as a value of this type.
ir::Value operand(Emitter& e, const Arg& a, DType dtype, const Shape& shape);
inline ir::Value operand(Emitter& e, const Tensor& t, DType dtype) { return ir::build::convert(e.b, e(t), dtype); }

inline size_t wrap_dim(const Emitter& e, int64_t dim, size_t rank) { return wrap_dim(e.op(), dim, rank, e.at()); }
// Ascending; {} are all. Throws IndexError on a repeated dim.
std::vector<int64_t> wrap_dims(const Emitter& e, const Axes& dims, size_t rank);

// reduce_sum, ... of v over ascending dims, which stay as extents of 1 if keepdim.
ir::Value reduce(Emitter& e, ir::Op op, ir::Value v, const std::vector<int64_t>& dims, bool keepdim);
// v, reduced over `dims` without keepdim, broadcast back to `shape`.
ir::Value spread(Emitter& e, ir::Value v, const std::vector<int64_t>& dims, const Shape& shape);

// The coordinates of the true elements, one list a dim. Reads the mask.
std::vector<Tensor> coordinates(std::string_view op, const Tensor& mask, Location at);

// v with its elements along dim moved `by` places to the front, the first ones to the end; negative: to the end.
ir::Value rolled(Emitter& e, ir::Value v, int64_t dim, int64_t by);

// t[indices] = values, or += values.
void put(std::string_view op, const Tensor& t, const std::vector<Index>& indices, const Arg& values, bool accumulate);

// x with src scattered into it along dim, an index for each element; checked as by scatter.
Tensor scattered(std::string_view name, ir::Op op, const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src,
                 Location at);

ir::Value splat(Emitter& e, DType dtype, const Shape& shape, double value);

}  // namespace jot::detail
