#include "ir/evaluate.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace jot::ir {
namespace {

bool stores(const Type& t) { return is_storage(t.dtype); }

template <class To, class From>
void convert_all(const std::byte* from, std::byte* to, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    From x;
    std::memcpy(&x, from + i * static_cast<int64_t>(sizeof x), sizeof x);
    const auto y = static_cast<To>(x);
    std::memcpy(to + i * static_cast<int64_t>(sizeof y), &y, sizeof y);
  }
}

// Of a storage dtype: its elements as what they are computed in, or the other way round.
void convert_elements(const Type& type, bool widen, const std::byte* from, std::byte* to) {
  visit_dtype(type.dtype, [&](auto narrow) {
    visit_computing(computing_type(type.dtype), [&](auto wide) {
      using Narrow = decltype(narrow);
      using Wide = decltype(wide);
      const int64_t n = type.shape.numel();
      widen ? convert_all<Wide, Narrow>(from, to, n) : convert_all<Narrow, Wide>(from, to, n);
    });
  });
}

struct Widened {
  Type type;
  std::vector<std::byte> bytes;
  explicit Widened(const Type& t) : type(t) {
    type.dtype = computing_type(t.dtype);
    bytes.resize(static_cast<size_t>(t.shape.numel() * size_of(type.dtype)));
  }
};

void evaluate_widened(const EvalContext& c, EvalRule rule) {
  std::vector<Widened> wide;
  wide.reserve(c.operands.size() + c.types.size());
  std::vector<Array> operands(c.operands.begin(), c.operands.end());
  for (Array& x : operands) {
    if (!stores(*x.type)) continue;
    Widened& w = wide.emplace_back(*x.type);
    convert_elements(*x.type, true, x.data, w.bytes.data());
    x = {&w.type, w.bytes.data()};
  }
  std::vector<const Type*> types(c.types.begin(), c.types.end());
  std::vector<std::byte*> outs(c.outs.begin(), c.outs.end());
  for (size_t i = 0; i < types.size(); ++i) {
    if (!stores(*types[i])) continue;
    Widened& w = wide.emplace_back(*types[i]);
    types[i] = &w.type;
    outs[i] = w.bytes.data();
  }
  rule({c.attrs, types, operands, outs, c.location, c.call, c.evaluate, c.regions});
  for (size_t i = 0; i < types.size(); ++i)
    if (stores(*c.types[i])) convert_elements(*c.types[i], false, outs[i], c.outs[i]);
}

}  // namespace

void evaluate(const EvalContext& c) {
  const Op op = c.attrs.op();
  const auto& rule = rules(op).eval;
  if (!rule)
    throw IrError("[" + std::string(name_of(op)) + "] cannot be evaluated: " + std::string(rule.why) + at(c.location));
  bool storage = std::ranges::any_of(c.types, [](const Type* t) { return stores(*t); }) ||
                 std::ranges::any_of(c.operands, [](const Array& x) { return stores(*x.type); });
  storage&& computes(op) ? evaluate_widened(c, rule.fn) : rule.fn(c);
}

}  // namespace jot::ir
