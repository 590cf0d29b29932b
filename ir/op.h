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
  contraction,
  indexing,
  order,
  control,
  effect
};

struct OpInfo {
  std::string_view name;
  std::string_view family;
  OpClass op_class;
  int operands;  // -1: a list
  bool (*allows)(DType);
};
extern const OpInfo kOpInfo[];  // by op
inline const OpInfo& info(Op op) { return kOpInfo[static_cast<size_t>(op)]; }
inline std::string_view name_of(Op op) { return info(op).name; }
// Its result shows elements of operand 0: where that is an address, so is the result (a view).
bool is_view(Op op);
// May carry the flag in_place.
bool can_be_in_place(Op op);
std::optional<Op> op_named(std::string_view name);
int num_ops();

}  // namespace jot::ir
