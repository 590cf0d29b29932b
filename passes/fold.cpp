#include "passes/fold.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "ir/build.h"
#include "ir/rules.h"
#include "passes/inline.h"

namespace jot::passes {

using namespace ir;

namespace {

constexpr int64_t kLimit = 64;

bool small_constant(const GraphData& g, Value v) { return g.op(v) == Op::const_op && g.shape(v).numel() <= kLimit; }

// Structural zeros, random draws and what only the user may drop are kept.
bool foldable(const GraphData& g, Value v) {
  switch (g.op(v)) {
    case Op::param_op:
    case Op::const_op:
    case Op::identity_op:
    case Op::diag_embed_op:
    case Op::random_bits_op:
    case Op::stop_gradient_op:
    case Op::gather_op:
      return false;  // gather may raise: at run time, not now
    default:
      return g.shape(v).numel() <= kLimit && info(g.op(v)).op_class != OpClass::effect;
  }
}

std::vector<std::byte> dense(const GraphData& g, Value constant) {
  const Type& type = g.type(constant);
  std::vector<std::byte> out(static_cast<size_t>(type.shape.numel() * size_of(type.dtype)));
  rules(Op::const_op).eval.fn({g.attrs(constant), type, {}, out.data(), {}});
  return out;
}

template <class T>
std::vector<int64_t> words(const std::vector<std::byte>& bytes, int64_t n) {
  std::vector<int64_t> data(static_cast<size_t>(n));
  for (size_t i = 0; i < data.size(); ++i) {
    T x;
    std::memcpy(&x, bytes.data() + i * sizeof(T), sizeof(T));
    if constexpr (std::is_floating_point_v<T>)
      data[i] = std::bit_cast<int64_t>(static_cast<double>(x));
    else
      data[i] = static_cast<int64_t>(x);
  }
  if (std::ranges::adjacent_find(data, std::not_equal_to<>()) == data.end() && !data.empty()) data.resize(1);
  return data;
}

Value constant_of(Builder& b, const Type& type, const std::vector<std::byte>& bytes) {
  int64_t n = type.shape.numel();
  auto data = [&] {
    switch (type.dtype) {
      case DType::boolean:
        return words<uint8_t>(bytes, n);
      case DType::i32:
        return words<int32_t>(bytes, n);
      case DType::i64:
        return words<int64_t>(bytes, n);
      case DType::f32:
        return words<float>(bytes, n);
      case DType::f64:
        return words<double>(bytes, n);
      default:
        internal_error("dtype of a constant", to_string(type));
    }
  }();
  return build::constant_data(b, type.dtype, type.shape, data);
}

Value evaluated(Builder& b, const GraphData& g, Value v, std::span<const Value> operands) {
  std::vector<std::vector<std::byte>> buffers;
  std::vector<Array> arrays;
  for (Value o : operands) {
    buffers.push_back(dense(b.graph(), o));
    arrays.push_back({&b.type(o), buffers.back().data()});
  }
  const Type& type = g.type(v);
  std::vector<std::byte> out(static_cast<size_t>(type.shape.numel() * size_of(type.dtype)));
  rules(g.op(v)).eval.fn({g.attrs(v), type, arrays, out.data(), g.location(v)});
  b.set_origin_of(g, v);
  return constant_of(b, type, out);
}

}  // namespace

Graph fold(const Graph& graph) {
  const GraphData& g = graph.data();
  Builder b(g.name());
  std::vector<Value> params = params_like(b, g), map(g.size(), kNoValue), operands, outputs;
  for (size_t i = 0; i < params.size(); ++i) map[g.inputs()[i]] = params[i];
  for (Value v = 0; v < g.size(); ++v) {
    if (g.op(v) == Op::param_op) continue;
    operands.clear();
    for (Value o : g.operands(v)) operands.push_back(map[o]);
    bool constant = foldable(g, v) && !operands.empty() &&
                    std::ranges::all_of(operands, [&](Value o) { return small_constant(b.graph(), o); });
    map[v] = constant ? evaluated(b, g, v, operands) : b.copy_node(g, v, operands);
  }
  for (Value o : g.outputs()) outputs.push_back(map[o]);
  return b.finish(outputs, g.writebacks());
}

}  // namespace jot::passes
