// The tensor contraction. Result dims: batch, free of lhs, free of rhs. Bilinear.
#include <algorithm>

#include "ir/ops/contraction.h"
#include "ir/ops/evaluate.h"
#include "ir/ops/structure.h"

namespace jot::ir {
namespace {

struct Side {
  Ints contract, batch;
  std::vector<int64_t> free(size_t rank) const { return free_axes(rank, {contract, batch}); }
};
Side side(AttrView a, size_t i) {
  if (i == 0) return {a.first(Key::contract), a.first(Key::batch)};
  return {a.second(Key::contract), a.second(Key::batch)};
}

Type infer_dot(const InferContext& c) {
  expect_allowed(c, 0);
  expect_same_dtype(c, 0, 1);
  Side sides[] = {side(c.attrs, 0), side(c.attrs, 1)};
  for (size_t i = 0; i < 2; ++i) {
    std::vector<int64_t> used(sides[i].contract.begin(), sides[i].contract.end());
    used.insert(used.end(), sides[i].batch.begin(), sides[i].batch.end());
    expect_axes(c, "contract and batch axes of operand " + std::to_string(i), used, c.shape(i).size());
  }
  expect_pairs(c, "contract", sides[0].contract, sides[1].contract);
  expect_pairs(c, "batch", sides[0].batch, sides[1].batch);
  Shape shape;
  for (int64_t d : sides[0].batch) shape.push_back(c.shape(0)[static_cast<size_t>(d)]);
  for (size_t i = 0; i < 2; ++i)
    for (int64_t d : sides[i].free(c.shape(i).size())) shape.push_back(c.shape(i)[static_cast<size_t>(d)]);
  return {c.dtype(0), false, shape};
}

// For each result element, the sum over the contracted index in row-major order.
void evaluate_dot(const EvalContext& c) {
  const Shape &xs = c.operands[0].type->shape, &ys = c.operands[1].type->shape;
  Side x = side(c.attrs, 0), y = side(c.attrs, 1);
  auto free_x = x.free(xs.size()), free_y = y.free(ys.size());
  size_t batch = x.batch.size();
  Shape contracted;
  for (int64_t d : x.contract) contracted.push_back(xs[static_cast<size_t>(d)]);
  visit_computing(c.type.dtype, [&](auto zero) {
    using T = decltype(zero);
    auto a = c.operands[0].as<T>(), b = c.operands[1].as<T>();
    auto out = c.result<T>();
    Shape i = xs, j = ys;
    auto set = [](Shape& index, Ints dims, const Shape& values, size_t from) {
      for (size_t d = 0; d < dims.size(); ++d) index[static_cast<size_t>(dims[d])] = values[from + d];
    };
    for_each_index(c.type.shape, [&](const Shape& o, int64_t at) {
      set(i, x.batch, o, 0);
      set(j, y.batch, o, 0);
      set(i, free_x, o, batch);
      set(j, free_y, o, batch + free_x.size());
      Total<T> sum;
      for_each_index(contracted, [&](const Shape& k, int64_t) {
        set(i, x.contract, k, 0);
        set(j, y.contract, k, 0);
        sum.add(times(a[static_cast<size_t>(position(xs, i))], b[static_cast<size_t>(position(ys, j))]));
      });
      out[static_cast<size_t>(at)] = sum.value();
    });
  });
}

Value jvp_dot(const JvpContext& c) {
  Value x = c.has(0) ? c.b.emit(c.op, {c.tangents[0], c.primals[1]}, c.attrs.words()) : kNoValue;
  Value y = c.has(1) ? c.b.emit(c.op, {c.primals[0], c.tangents[1]}, c.attrs.words()) : kNoValue;
  return build::add_any(c.b, x, y);
}

// The cotangent of operand i: ct contracted with the other operand over the other's free axes.
void transpose_dot(const TransposeContext& c) {
  size_t i = c.linear(0) ? 0 : 1;
  Side self = side(c.attrs, i), other = side(c.attrs, 1 - i);
  auto free_self = self.free(c.types[i]->shape.size()), free_other = other.free(c.types[1 - i]->shape.size());
  auto batch = static_cast<int64_t>(self.batch.size());
  int64_t first = batch + (i == 0 ? static_cast<int64_t>(free_self.size()) : 0);
  std::vector<int64_t> contract_ct;
  for (size_t d = 0; d < free_other.size(); ++d) contract_ct.push_back(first + static_cast<int64_t>(d));
  Value product = build::dot(c.b, c.ct, c.operands[1 - i], contract_ct, free_other, build::all_axes(self.batch.size()),
                             other.batch);
  // Its dims: batch, free of self, and the contracted ones in the order of the other operand's axes.
  std::vector<int64_t> order(self.batch.begin(), self.batch.end());
  order.insert(order.end(), free_self.begin(), free_self.end());
  std::vector<int64_t> sorted(other.contract.begin(), other.contract.end());
  std::ranges::sort(sorted);
  for (int64_t d : sorted)
    order.push_back(self.contract[static_cast<size_t>(std::ranges::find(other.contract, d) - other.contract.begin())]);
  c.cotangents[i] = build::permute(c.b, product, build::inverse(order));
}

// Both batched: a batch axis. One batched: a free axis, so that the lanes share one product; the result is permuted.
Value batch_dot(const BatchContext& c) {
  std::vector<int64_t> contract[2], batch[2];
  for (size_t i = 0; i < 2; ++i) {
    Side s = side(c.attrs, i);
    contract[i] = c.batched[i] ? shifted(s.contract) : std::vector<int64_t>(s.contract.begin(), s.contract.end());
    batch[i] = c.batched[i] ? shifted(s.batch) : std::vector<int64_t>(s.batch.begin(), s.batch.end());
  }
  if (c.batched[0] && c.batched[1])
    for (auto& dims : batch) dims.insert(dims.begin(), 0);
  Value product = build::dot(c.b, c.operands[0], c.operands[1], contract[0], contract[1], batch[0], batch[1]);
  if (c.batched[0] && c.batched[1]) return product;
  size_t lanes = batch[0].size();
  if (c.batched[1]) lanes = c.b.shape(c.operands[0]).size() - contract[0].size();
  std::vector<int64_t> perm = build::all_axes(c.b.shape(product).size());
  std::rotate(perm.begin(), perm.begin() + static_cast<std::ptrdiff_t>(lanes),
              perm.begin() + static_cast<std::ptrdiff_t>(lanes) + 1);
  return build::permute(c.b, product, perm);
}

}  // namespace

void define_dot(RuleTable& table) {
  table.define(Op::dot_op, {infer_dot, evaluate_dot, jvp_dot, transpose_dot, structured<batch_dot>});
}

}  // namespace jot::ir
