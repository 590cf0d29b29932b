#include "core/functions/demands.h"

#include <cmath>

namespace jot::detail {

namespace build = ir::build;
using ir::Direction;
using ir::Op;
using ir::Value;

namespace {

Tensor held(Emitter& e, std::string_view op, Value x, Value fine, Value found, const std::string& what) {
  e.b.set_call({.function = std::string(op), .demand = what});
  Value v = build::demand(e.b, x, fine, found);
  e.b.set_call({});
  return e.result(v);
}

}  // namespace

Tensor demanded(std::string_view op, const Tensor& x, const Tensor& fine, const Tensor& found, const std::string& what,
                Location at) {
  Emitter e(op, at, x, fine, found);
  return held(e, op, e(x), e(fine), e(found), what);
}

Tensor demanded(std::string_view op, const Tensor& x, Range range, const std::string& what, Location at) {
  Emitter e(op, at, x);
  const DType dtype = x.impl()->dtype();
  if (dtype == DType::boolean) return x;
  Value v = e(x);
  auto within = [&](double limit, Direction direction) {
    Value bound = is_floating(dtype) ? build::constant(e.b, dtype, e.b.shape(v), limit)
                                     : build::constant_int(e.b, dtype, e.b.shape(v), static_cast<int64_t>(limit));
    return build::compare(e.b, v, bound, direction);
  };
  Value fine = within(range.least, range.without_least ? Direction::gt : Direction::ge);
  if (is_floating(dtype) || !std::isinf(range.most))
    fine = build::binary(e.b, Op::and_op, fine, within(range.most, Direction::le));
  return held(e, op, v, fine, v, what);
}

}  // namespace jot::detail
