#include "passes/fold.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "ir/build.h"
#include "ir/evaluate.h"
#include "passes/rewrite.h"

namespace jot::passes {

using namespace ir;

namespace {

constexpr int64_t kLimit = 64;

bool is_splat(const GraphData& g, Value constant) { return g.attrs(constant).ints(Key::data).size() == 1; }

// Not what draws, has effects or regions, is kept, makes structural zeros, or may raise: at run time, not now.
bool foldable(Op op) {
  const OpInfo& i = info(op);
  bool value = !i.is(Trait::kept) && i.op_class != OpClass::source && i.op_class != OpClass::effect &&
               i.op_class != OpClass::control;
  return value && !i.is(Trait::zeros) && !rules(op).faults.kinds;
}

// A constant's contents as an array of `shape`: its own, or any shape for a splat.
std::vector<std::byte> dense(const GraphData& g, Value constant, const Shape& shape) {
  Type type{g.dtype(constant), false, shape};
  std::vector<std::byte> out(static_cast<size_t>(shape.numel() * size_of(type.dtype)));
  const Type* types[] = {&type};
  std::byte* outs[] = {out.data()};
  evaluate({g.attrs(constant), types, {}, outs, Location(), g.call(constant)});
  return out;
}

template <class T>
std::vector<int64_t> words(const std::vector<std::byte>& bytes, int64_t n) {
  std::vector<int64_t> data(static_cast<size_t>(n));
  for (size_t i = 0; i < data.size(); ++i) {
    T x;
    std::memcpy(&x, bytes.data() + i * sizeof(T), sizeof(T));
    if constexpr (is_floating_element<T>)
      data[i] = std::bit_cast<int64_t>(static_cast<double>(x));
    else
      data[i] = static_cast<int64_t>(x);
  }
  if (std::ranges::adjacent_find(data, std::not_equal_to<>()) == data.end() && !data.empty()) data.resize(1);
  return data;
}

// A constant of this type whose contents are n elements, or one for all of them.
Value constant_of(Builder& b, const Type& type, const std::vector<std::byte>& bytes, int64_t n) {
  auto data = visit_dtype(type.dtype, [&](auto zero) { return words<decltype(zero)>(bytes, n); });
  return build::constant_data(b, type.dtype, type.shape, data);
}

// The node on constant operands; elementwise on splats it takes one element.
Value evaluated(Builder& b, const GraphData& g, Value v, std::span<const Value> operands, bool splats) {
  std::vector<std::vector<std::byte>> buffers;
  std::vector<Type> types;
  std::vector<Array> arrays;
  types.reserve(operands.size());
  for (Value o : operands) {
    types.push_back(splats ? Type{b.dtype(o), false, {}} : b.type(o));
    buffers.push_back(dense(b.graph(), o, types.back().shape));
    arrays.push_back({&types.back(), buffers.back().data()});
  }
  Type type = splats ? Type{g.dtype(v), false, {}} : g.type(v);
  std::vector<std::byte> out(static_cast<size_t>(type.shape.numel() * size_of(type.dtype)));
  const Type* result_types[] = {&type};
  std::byte* outs[] = {out.data()};
  evaluate({g.attrs(v), result_types, arrays, outs, g.location(v), g.call(v)});
  b.set_origin_of(g, v);
  return constant_of(b, g.type(v), out, type.shape.numel());
}

}  // namespace

std::optional<Value> folded(Builder& b, const GraphData& g, Value v, std::span<const Value> operands) {
  if (operands.empty() || b.op(operands[0]) != Op::const_op || !foldable(g.op(v)) || g.results(v) > 1) return {};
  bool small = g.shape(v).numel() <= kLimit, splats = info(g.op(v)).op_class == OpClass::elementwise;
  for (Value o : operands) {
    if (b.op(o) != Op::const_op) return {};
    small &= b.shape(o).numel() <= kLimit;
    splats &= is_splat(b.graph(), o);
  }
  if (!small && !splats) return {};
  return evaluated(b, g, v, operands, splats);
}

Graph fold(const Graph& graph) {
  const GraphData& g = graph.data();
  Builder b(g.name());
  b.reserve(g.size());
  Rewriter rewriter(b, g, fold);
  rewriter.take_params();
  rewriter.for_each_op([&](Value v) {
    if (std::optional<Value> constant = folded(b, g, v, rewriter.operands(v)))
      rewriter.set(v, *constant);
    else
      rewriter.copy(v);
  });
  return rewriter.finish();
}

}  // namespace jot::passes
