// Counter-based random bits: a pure function of key and position; keys of streams of their own.
#include "ir/ops/classes.h"
#include "ir/ops/evaluate.h"
#include "ir/ops/philox.h"

namespace jot::ir {
namespace {

// Elements drawn for each key.
int64_t per_key(const Shape& shape, const Shape& keys) { return shape.slice(keys.size(), shape.size()).numel(); }

// (key, number): two words of key for each number, `what`.
void expect_keys(const InferContext& c, const char* what) {
  for (size_t i = 0; i < 2; ++i)
    if (c.dtype(i) != DType::i64)
      c.dtype_error("operand " + std::to_string(i) + ": expected i64, got " + std::string(to_string(c.dtype(i))));
  const Shape expected = c.shape(1) + Shape{2};
  if (c.shape(0) != expected)
    c.shape_error("the key must be " + to_string(expected) + ", two words for each " + what + ", got " +
                  to_string(c.shape(0)));
}

Type infer_random_bits(const InferContext& c) {
  expect_keys(c, "offset");
  Shape shape = c.attrs.shape(), keys = c.shape(1);
  expect_extents(c, shape);
  if (shape.size() < keys.size() || shape.slice(0, keys.size()) != keys)
    c.shape_error("shape " + to_string(shape) + " must begin with the shape of the offset, " + to_string(keys));
  int64_t width = c.attrs.integer(Key::width);
  if (width != 32 && width != 64) c.dtype_error("width must be 32 or 64, got " + std::to_string(width));
  return {width == 32 ? DType::i32 : DType::i64, false, shape};
}

void evaluate_random_bits(const EvalContext& c) {
  auto key = c.operands[0].as<int64_t>(), offset = c.operands[1].as<int64_t>();
  auto n = static_cast<size_t>(per_key(c.type.shape, c.operands[1].type->shape));
  int width = static_cast<int>(c.attrs.integer(Key::width));
  visit_computing(c.type.dtype, [&](auto zero) {
    using T = decltype(zero);
    auto out = c.result<T>();
    for (size_t i = 0; i < out.size(); ++i) {
      size_t k = i / n;
      auto seed = static_cast<uint64_t>(key[2 * k]), stream = static_cast<uint64_t>(key[2 * k + 1]);
      out[i] = static_cast<T>(random_draw(seed, stream, static_cast<uint64_t>(offset[k]) + i % n, width));
    }
  });
}

// Lane b draws slice b of one big draw; with keys of their own, lanes draw independently of the mode.
Value batch_random_bits(const BatchContext& c) {
  Builder& b = c.b;
  Shape shape = batched_shape(c.size, c.type.shape);
  Attrs attrs(shape, c.attrs.integer(Key::width));
  if (c.batched[0] || c.batched[1]) return b.emit(c.op, {c.materialised(0), c.materialised(1)}, attrs);
  if (c.randomness == Randomness::error)
    throw TransformError(
        "[vmap] called random operation while in randomness error mode; use the 'same' or 'different' randomness "
        "flags" +
        at(b.location()));
  Value key = c.operands[0], offset = c.operands[1];
  const Shape keys = b.shape(offset);
  if (keys.empty()) return b.emit(c.op, {key, offset}, attrs);
  Value lane = build::iota(b, DType::i64, batched_shape(c.size, keys), 0);
  Value step = build::constant_int(b, DType::i64, b.shape(lane), per_key(c.type.shape, keys));
  return b.emit(c.op, {c.materialised(0), build::add(b, c.materialised(1), build::mul(b, lane, step))}, attrs);
}

// ---- fold_in

Type infer_fold_in(const InferContext& c) {
  expect_keys(c, "number");
  return *c.operands[0];
}

void evaluate_fold_in(const EvalContext& c) {
  auto key = c.operands[0].as<int64_t>(), number = c.operands[1].as<int64_t>();
  auto out = c.result<int64_t>();
  for (size_t k = 0; k < number.size(); ++k) {
    auto folded = folded_key(static_cast<uint64_t>(key[2 * k]), static_cast<uint64_t>(key[2 * k + 1]),
                             static_cast<uint64_t>(number[k]));
    for (size_t i = 0; i < 2; ++i) out[2 * k + i] = static_cast<int64_t>(folded[i]);
  }
}

Value batch_fold_in(const BatchContext& c) { return c.b.emit(c.op, {c.materialised(0), c.materialised(1)}); }

}  // namespace

void define_random(RuleTable& table) {
  table.define(Op::random_bits_op,
               {infer_random_bits, evaluate_random_bits, kNoTangent, kNotLinear, batch_random_bits});
  table.define(Op::fold_in_op, {infer_fold_in, evaluate_fold_in, kNoTangent, kNotLinear, batch_fold_in});
}

}  // namespace jot::ir
