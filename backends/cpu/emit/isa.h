// The instructions of isa.def.
#pragma once
#include <cstdint>
#include <string_view>

namespace jot::cpu {

enum class Isa : uint16_t {
#define ISA(name, id, forms, widths, operands, element) name,
#include "backends/cpu/emit/isa.def"
#undef ISA
};

enum class IsaForms : uint8_t { G, V, E, B };

struct IsaInfo {
  uint32_t asmjit_id;
  IsaForms forms;
  uint8_t element;
  std::string_view name, widths, operands;
};
const IsaInfo& info(Isa op);
int isa_count();

}  // namespace jot::cpu
