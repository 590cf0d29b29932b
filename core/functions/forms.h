// The forms of a function, which are generated from core/functions.def: of one op, of a body that composes values, in
// place, with an output.
#pragma once
#include "core/functions/operands.h"
#include "jot/tree.h"

namespace jot::detail {

// The line of a call: that of the first operand that has one.
inline Location line() { return Location(); }
template <class... A>
Location line(const Arg& first, const A&... others) {
  return first.at().line ? first.at() : line(others...);
}

// Which dtypes a function takes: floating, where the others are converted; numeric, all but boolean; rounding, numeric
// where integers stay as they are; integer, these and boolean; any, where a function of one op leaves booleans as they
// are.
enum class Domain : uint8_t { floating, numeric, rounding, integer, any };

struct Unary {
  std::string_view name, in_place;
  Domain domain;
  ir::Op op;
};
Tensor apply(const Unary& f, const Tensor& x, Location at);
void apply_in_place(const Unary& f, const Tensor& x, Location at);

struct Binary {
  std::string_view name, in_place;
  Domain domain;
  ir::Op op;
  ir::Op of_booleans;  // op itself: none
};
Tensor apply(const Binary& f, const Arg& a, const Arg& b);
void apply_in_place(const Binary& f, const Tensor& dst, const Arg& b);

// dst = v: v is cast as torch casts the result of an in-place operation.
void store(Emitter& e, const Tensor& dst, ir::Value v);
void store(std::string_view op, const Tensor& dst, const Tensor& v, Location at);
// out = result, which must have its shape. Not under vmap. Of several all are checked before one is written.
void into(std::string_view op, std::span<const Tensor> outs, std::span<const Tensor> results, Location at);
inline Tensor into(std::string_view op, const Tensor& out, const Tensor& result, Location at) {
  into(op, std::span(&out, 1), std::span(&result, 1), at);
  return out;
}
template <Announced Results>
Results into(std::string_view op, const Results& outs, const Results& results, Location at) {
  auto list = [](const auto&... members) { return std::vector<Tensor>{members...}; };
  into(op, jot_tree_members(outs, list), jot_tree_members(results, list), at);
  return outs;
}

// The dtype in which f computes with elements of this one.
DType domain_dtype(const Emitter& e, Domain domain, DType given);

}  // namespace jot::detail
