#include "core/functions/operands.h"

#include <algorithm>
#include <charconv>

#include "jot/creation.h"

namespace jot {

void Number::too_large(uint64_t x, Location at) {
  throw DTypeError("[number] " + std::to_string(x) +
                   " does not fit into i64, the largest integer dtype: expected at most " +
                   std::to_string(std::numeric_limits<int64_t>::max()) + "; write it as a double" + jot::at(at));
}

}  // namespace jot

namespace jot::detail {

namespace build = ir::build;
using ir::Value;

std::string number_text(double x) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, x).ptr};
}

Tensor allocated(std::string_view op, const Shape& shape, DType dtype, Location at) {
  try {
    Tensor t = detail::empty(dtype, shape);
    t.impl()->storage->made = at;
    return t;
  } catch (const MemoryError& e) {
    fail<MemoryError>(op, ir::to_string(ir::Type{dtype, false, shape}) + ": " + e.what(), at);
  }
}

DType dtype_of_number(const Number& n) { return n.dtype == DType::f64 ? default_dtype() : n.dtype; }

void Promotion::add(const Arg& a) {
  size_t group = a.is_tensor() ? (shape_of(a).empty() ? 1 : 0) : 2;
  DType dtype = a.is_tensor() ? a.tensor().impl()->dtype() : dtype_of_number(a.number());
  std::optional<DType>& g = groups_[group];
  g = g ? promote(*g, dtype) : dtype;
}

DType Promotion::result() const {
  std::optional<DType> result;
  for (const std::optional<DType>& g : groups_)
    if (g && (!result || category_of(*g) > category_of(*result))) result = result ? promote(*result, *g) : *g;
  return *result;
}

DType floating(DType dtype) { return is_floating(dtype) ? dtype : default_dtype(); }

DType checked_dtype(DType dtype, std::string_view what, Location at) {
  if (!is_dtype(dtype))
    throw DTypeError("[" + std::string(what) + "] DType(" + std::to_string(static_cast<int>(dtype)) +
                     ") is none of the dtypes: expected " + names_of_dtypes() + jot::at(at));
  return dtype;
}

void check_castable(const Emitter& e, DType from, DType to) {
  if (category_of(from) > category_of(to))
    e.fail<DTypeError>("result type " + std::string(to_string(from)) + " can't be cast to the desired output type " +
                       std::string(to_string(to)));
}
void check_castable(const Emitter& e, const Arg& from, DType to) {
  check_castable(e, from.is_tensor() ? from.tensor().impl()->dtype() : dtype_of_number(from.number()), to);
}

void check_pointer(std::string_view op, const void* p, DType dtype, const Shape& shape, Location at) {
  checked_dtype(dtype, op, at);
  check_shape(op, "shape", shape, at);
  if (!p && shape.numel() > 0)
    fail<Error>(op,
                "the pointer is null: expected the address of " + std::to_string(shape.numel()) + " elements, " +
                    ir::to_string(ir::Type{dtype, false, shape}),
                at);
}

Shape broadcast_shapes(const Emitter& e, const Shape& a, const Shape& b) {
  if (a == b) return a;
  const Shape &longer = a.size() >= b.size() ? a : b, &shorter = a.size() >= b.size() ? b : a;
  Shape result = longer;
  size_t lead = longer.size() - shorter.size();
  for (size_t i = 0; i < shorter.size(); ++i) {
    int64_t& d = result[lead + i];
    if (d == shorter[i]) continue;
    if (d != 1 && shorter[i] != 1)
      e.fail<ShapeError>("shapes " + to_string(a) + " and " + to_string(b) + " cannot be broadcast: at dimension " +
                         std::to_string(lead + i) + " the extents " + std::to_string(d) + " and " +
                         std::to_string(shorter[i]) + " differ, and neither is 1");
    if (d == 1) d = shorter[i];
  }
  check_shape(e.op(), "the result", result, e.at());
  return result;
}

bool broadcasts_to(const Shape& from, const Shape& to) {
  if (from.size() > to.size()) return false;
  size_t lead = to.size() - from.size();
  for (size_t i = 0; i < from.size(); ++i)
    if (from[i] != 1 && from[i] != to[lead + i]) return false;
  return true;
}

Value operand(Emitter& e, const Arg& a, DType dtype, const Shape& shape) {
  Value v = a.is_tensor() ? operand(e, a.tensor(), dtype) : e(a.number(), dtype);
  return e.b.shape(v) == shape ? v : build::broadcast_to(e.b, v, shape);
}

std::vector<int64_t> wrap_dims(const Emitter& e, const Axes& dims, size_t rank) {
  if (dims.values.empty()) return build::all_axes(rank);
  std::vector<int64_t> result;
  for (int64_t d : dims.values) result.push_back(static_cast<int64_t>(wrap_dim(e, d, rank)));
  std::ranges::sort(result);
  if (auto twice = std::ranges::adjacent_find(result); twice != result.end())
    e.fail<IndexError>("dim " + std::to_string(*twice) + " appears multiple times in the list of dims");
  if (rank == 0) result.clear();
  return result;
}

Value reduce(Emitter& e, ir::Op op, Value v, const std::vector<int64_t>& dims, bool keepdim) {
  Shape kept = e.b.shape(v);
  for (int64_t d : dims) kept[static_cast<size_t>(d)] = 1;
  Value r = build::reduce(e.b, op, v, dims);
  return keepdim ? build::reshape(e.b, r, kept) : r;
}

Value spread(Emitter& e, Value v, const std::vector<int64_t>& dims, const Shape& shape) {
  std::vector<int64_t> kept;
  for (int64_t d = 0; d < static_cast<int64_t>(shape.size()); ++d)
    if (!std::ranges::binary_search(dims, d)) kept.push_back(d);
  return build::broadcast(e.b, v, shape, kept);
}

Value rolled(Emitter& e, Value v, int64_t dim, int64_t by) {
  const int64_t n = e.b.shape(v)[static_cast<size_t>(dim)];
  const int64_t first = n == 0 ? 0 : (by % n + n) % n;
  if (first == 0) return v;
  Value parts[] = {build::slice_axis(e.b, v, dim, first, n), build::slice_axis(e.b, v, dim, 0, first)};
  return build::concat(e.b, parts, dim);
}

Value splat(Emitter& e, DType dtype, const Shape& shape, double value) {
  return build::constant(e.b, dtype, shape, value);
}

}  // namespace jot::detail
