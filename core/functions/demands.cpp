#include "core/functions/demands.h"

#include <bit>
#include <limits>

#include "jot/ops.h"

namespace jot::detail {

namespace build = ir::build;
using ir::Direction;
using ir::Op;
using ir::Value;

Value from_front(Emitter& e, Value index, int64_t n) {
  auto number = [&](int64_t x) { return build::constant_int(e.b, DType::i64, e.b.shape(index), x); };
  Value behind =
      build::where(e.b, build::compare(e.b, index, number(n), Direction::ge), build::add(e.b, index, number(n)), index);
  return build::where(e.b, build::compare(e.b, index, number(0), Direction::lt), build::sub(e.b, index, number(n)),
                      behind);
}

namespace {

// fine, where it is true. ir/ops/indexing.cpp tells of the others: the number, one farther from zero so that it is no
// place of the table.
Value held(Emitter& e, std::string_view op, Value fine, Value found, const ir::Demand& demand) {
  const Shape shape = e.b.shape(fine);
  auto number = [&](int64_t x) { return build::constant_int(e.b, DType::i64, shape, x); };
  Value away = build::where(e.b, build::compare(e.b, found, number(0), Direction::ge), number(1), number(-1));
  Value index = build::where(e.b, fine, number(0), build::add(e.b, found, away));
  index = build::reshape(e.b, index, shape + Shape{1});
  Value table = build::constant_int(e.b, DType::boolean, {1}, 1);
  e.b.set_call({.function = std::string(op), .demand = demand});
  const ir::build::GatherDims dims{
      .offset_dims = {}, .collapsed = {0}, .index_map = {0}, .operand_batch = {}, .index_batch = {}};
  const int64_t one = 1;
  Value v = build::gather(e.b, table, index, dims, ir::Ints(&one, 1), ir::IndexMode::check);
  e.b.set_call({});
  return v;
}

Value bits_of(Emitter& e, Value x, DType to) { return e.b.emit(Op::bitcast_op, {x}, ir::Attrs(to)); }

// held, of found elements of any dtype.
Value told(Emitter& e, std::string_view op, Value fine, Value found, const std::string& what) {
  const bool number = !is_floating(e.b.dtype(found));
  if (!number) found = bits_of(e, build::convert(e.b, found, DType::f32), DType::i32);
  return held(e, op, fine, build::convert(e.b, found, DType::i64), {what, number ? DType::i64 : DType::f32});
}

}  // namespace

Tensor demanded(std::string_view op, const Tensor& r, const Tensor& fine, const Tensor& x, const std::string& what,
                Location at) {
  Emitter e(op, at, r, fine, x);
  Value good = told(e, op, e(fine), e(x), what), v = e(r);
  return e.result(build::where(e.b, good, v, build::zeros_like(e.b, v)));
}

namespace {

// The greatest element of integers, as unsigned ones, and back.
struct Greatest {
  Value number, fits;
};
Greatest greatest(Emitter& e, Value x, int64_t most) {
  const DType dtype = e.b.dtype(x);
  const int64_t turned = dtype == DType::i64 ? std::numeric_limits<int64_t>::min()
                                             : static_cast<int64_t>(std::numeric_limits<int32_t>::min());
  auto flip = [&](Value v) {
    return build::binary(e.b, Op::xor_op, v, build::constant_int(e.b, dtype, e.b.shape(v), turned));
  };
  Value m = reduce(e, Op::reduce_max_op, flip(x), build::all_axes(e.b.shape(x).size()), false);
  return {flip(m), build::compare(e.b, m, build::constant_int(e.b, dtype, {}, most ^ turned), Direction::le)};
}

}  // namespace

Tensor demanded(std::string_view op, const Tensor& x, int64_t least, int64_t most, const std::string& what,
                Location at) {
  if (shape_of(x).numel() == 0) return x;
  Emitter e(op, at, x);
  Value v = e(x), wide = build::convert(e.b, v, DType::i64);
  auto number = [&](Value like) { return build::constant_int(e.b, DType::i64, e.b.shape(like), least); };
  const Greatest g = greatest(e, build::sub(e.b, wide, number(wide)), most - least);
  Value good = told(e, op, g.fits, build::add(e.b, g.number, number(g.number)), what);
  return e.result(build::where(e.b, good, v, build::zeros_like(e.b, v)));
}

Tensor demanded_of(std::string_view op, const Tensor& x, UpTo range, const Tensor& r, const std::string& what,
                   Location at) {
  if (shape_of(x).numel() == 0) return r;
  Emitter e(op, at, x, r);
  const bool wide = x.impl()->dtype() == DType::f64;
  const DType dtype = wide ? DType::f64 : DType::f32, bits = wide ? DType::i64 : DType::i32;
  Value v = build::convert(e.b, e(x), dtype);
  v = build::add(e.b, v, build::zeros_like(e.b, v));  // -0 becomes 0
  const int64_t first = range.above_zero, last = wide ? std::bit_cast<int64_t>(range.most)
                                                      : std::bit_cast<int32_t>(static_cast<float>(range.most));
  auto number = [&](Value like) { return build::constant_int(e.b, bits, e.b.shape(like), first); };
  Value places = bits_of(e, v, bits);
  if (first != 0) places = build::sub(e.b, places, number(places));
  const Greatest g = greatest(e, places, last - first);
  Value found = bits_of(e, build::add(e.b, g.number, number(g.number)), dtype);
  Value good = told(e, op, g.fits, found, what), result = e(r);
  return e.result(build::where(e.b, good, result, build::zeros_like(e.b, result)));
}

}  // namespace jot::detail
