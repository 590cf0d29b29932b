#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "jot/dtype.h"

namespace jot::ir {

// Enumerators end in _op because `const`, `and`, ... are keywords.
enum class Op : uint16_t {
#define OP(name, ...) name##_op,
#include "ir/ops.def"
#undef OP
};

enum class OpClass : uint8_t {
  source,
  elementwise,
  movement,
  reduction,
  cumulative,
  contraction,
  indexing,
  order,
  control,
  effect
};

// What ops are beside their class (ir/ops.def).
enum class Trait : uint8_t {
  plain = 0,
  view = 1,
  overwrites = 2,
  dear = 4,
  zeros = 8,
  keeps_zeros = 16,
  kept = 32,
  moves = 64,
};
constexpr Trait operator|(Trait a, Trait b) { return static_cast<Trait>(static_cast<int>(a) | static_cast<int>(b)); }

struct OpInfo {
  std::string_view name;
  std::string_view family;
  OpClass op_class;
  int operands;  // -1: a list
  bool (*allows)(DType);
  Trait traits;
  constexpr bool is(Trait t) const { return (static_cast<int>(traits) & static_cast<int>(t)) != 0; }
};
extern const OpInfo kOpInfo[];  // by op
inline const OpInfo& info(Op op) { return kOpInfo[static_cast<size_t>(op)]; }
inline std::string_view name_of(Op op) { return info(op).name; }
inline bool is_elementwise(Op op) { return info(op).op_class == OpClass::elementwise; }
inline bool is_reduction(Op op) { return info(op).op_class == OpClass::reduction; }
inline bool is_view(Op op) { return info(op).is(Trait::view); }
// Makes elements from others, rather than moving, repeating or dropping them, or running regions that do.
inline bool computes(Op op) {
  const OpClass c = info(op).op_class;
  return c != OpClass::movement && c != OpClass::control && !info(op).is(Trait::moves);
}
// May carry the flag in_place.
inline bool can_be_in_place(Op op) { return is_elementwise(op) || info(op).is(Trait::overwrites); }
std::optional<Op> op_named(std::string_view name);
int num_ops();

}  // namespace jot::ir
