#include "backends/cpu/cluster/selections.h"

#include <vector>

#include "ir/build.h"
#include "jot/error.h"

namespace jot::cpu {

using namespace ir;

namespace {

class Selections {
 public:
  explicit Selections(Builder& b) : b_(b) {}

  Value concat(std::span<const Value> parts, size_t dim, const Shape& shape) {
    const int64_t all = shape[dim];
    int64_t end = all;
    Value result = kNoValue;
    for (size_t i = parts.size(); i-- > 0;) {
      const int64_t n = b_.shape(parts[i])[dim], first = end - n;
      end = first;
      if (n == 0) continue;
      const Value part = taken(parts[i], dim, build::sub(b_, places(all), integer(all, first)));
      result = result == kNoValue ? part : where(at_least(places(all), first + n), dim, result, part);
    }
    return result;
  }

  Value pad(Value x, Value filling, Ints lo, Ints hi, Ints interior) {
    for (size_t d = 0; d < lo.size(); ++d) {
      if (lo[d] == 0 && hi[d] == 0 && interior[d] == 0) continue;
      const int64_t n = b_.shape(x)[d], step = interior[d] + 1;
      const int64_t all = lo[d] + hi[d] + (n > 0 ? (n - 1) * step + 1 : 0);
      Shape shape = b_.shape(x);
      shape[d] = all;
      const Value value = build::broadcast_scalar(b_, filling, shape);
      if (n == 0 || shape.numel() == 0) {
        x = value;
        continue;
      }
      const Value from = build::sub(b_, places(all), integer(all, lo[d]));
      const Value nth = build::binary(b_, Op::div_op, from, integer(all, step));
      Value inside = build::binary(b_, Op::and_op, at_least(from, 0), build::unary(b_, Op::not_op, at_least(nth, n)));
      if (step > 1) {
        const Value rest = build::binary(b_, Op::rem_op, from, integer(all, step));
        inside = build::binary(b_, Op::and_op, inside, build::compare(b_, rest, integer(all, 0), Direction::eq));
      }
      x = where(inside, d, taken(x, d, nth), value);
    }
    return x;
  }

  Value diag_embed(Value x, size_t batch, const Shape& shape) {
    const size_t rank = b_.shape(x).size();
    const Value zero = build::zeros(b_, {b_.dtype(x), false, shape});
    Value diagonal = kNoValue;
    for (size_t d = batch; d < rank; ++d) {
      const Value equal =
          build::compare(b_, build::iota(b_, DType::i64, shape, static_cast<int64_t>(d)),
                         build::iota(b_, DType::i64, shape, static_cast<int64_t>(d + rank - batch)), Direction::eq);
      diagonal = diagonal == kNoValue ? equal : build::binary(b_, Op::and_op, diagonal, equal);
    }
    const Value wide = build::broadcast(b_, x, shape, build::all_axes(rank));
    return diagonal == kNoValue ? wide : build::where(b_, diagonal, wide, zero);
  }

 private:
  Value integer(int64_t extent, int64_t n) { return build::constant_int(b_, DType::i64, {extent}, n); }
  Value places(int64_t extent) { return build::iota(b_, DType::i64, {extent}, 0); }
  Value at_least(Value x, int64_t n) { return build::compare(b_, x, integer(b_.shape(x)[0], n), Direction::ge); }
  // Of a mask along one dim.
  Value where(Value mask, size_t dim, Value x, Value y) {
    const auto d = static_cast<int64_t>(dim);
    return build::where(b_, build::broadcast(b_, mask, b_.shape(x), Ints(&d, 1)), x, y);
  }
  // Along a dim the elements of these places, or the nearest that there is.
  Value taken(Value x, size_t dim, Value from) {
    build::GatherDims dims;
    dims.collapsed = dims.index_map = {static_cast<int64_t>(dim)};
    Shape sizes = b_.shape(x);
    sizes[dim] = 1;
    for (int64_t d : build::all_axes(sizes.size()))
      if (d != static_cast<int64_t>(dim)) dims.offset_dims.push_back(d);
    const Value index = build::reshape(b_, from, {b_.shape(from)[0], 1});
    return build::gather(b_, x, index, dims, Ints(sizes), IndexMode::clip);
  }

  Builder& b_;
};

}  // namespace

Value as_selections(Builder& b, const GraphData& g, Value v, std::span<const Value> operands) {
  Selections s(b);
  const AttrView a = g.attrs(v);
  switch (g.op(v)) {
    case Op::concat_op:
      return s.concat(operands, static_cast<size_t>(a.integer(Key::dim)), g.shape(v));
    case Op::pad_op:
      return s.pad(operands[0], operands[1], a.ints(Key::lo), a.ints(Key::hi), a.ints(Key::interior));
    case Op::diag_embed_op:
      return s.diag_embed(operands[0], static_cast<size_t>(a.integer(Key::batch_dims)), g.shape(v));
    default:
      internal_error("a movement of several pieces", name_of(g.op(v)));
  }
}

}  // namespace jot::cpu
