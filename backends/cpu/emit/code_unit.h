// What the functions of one kernel share: the assembler, the constants behind the code, the spill area, the cold paths.
//
// Registers: r14 holds the argument table, r15 the spill area; k7 is the mask of live lanes in the tail of a vector
// loop (AVX-512). All others are the allocator's.
#pragma once
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backends/cpu/emit/assembler.h"
#include "backends/cpu/emit/cold.h"
#include "backends/cpu/emit/emit.h"
#include "backends/cpu/kernel/regalloc.h"

namespace jot::cpu {

inline const x86::Gp kArgs = x86::r14, kSpill = x86::r15;
inline constexpr uint32_t kTailMask = 7;

// number(0), number(1), ... of so many bytes each, as constants lie in memory.
template <class F>
std::string packed(int count, int bytes, F number) {
  std::string text;
  for (int l = 0; l < count; ++l) {
    const uint64_t n = static_cast<uint64_t>(number(l));
    text.append(reinterpret_cast<const char*>(&n), static_cast<size_t>(bytes));
  }
  return text;
}

class CodeUnit {
 public:
  CodeUnit(Target target, bool log, bool validate, PlantedBug bug);

  Assembler as;
  Frame frame;
  const bool avx512;
  const PlantedBug bug;

  // ---- constants: memory operands of the given size, equal ones shared
  x86::Mem element(uint64_t bits, int bytes);                // 4 or 8 bytes
  x86::Mem repeated(uint64_t bits, int element, int bytes);  // a vector of them
  x86::Mem data(std::string_view bytes, int alignment);      // any

  // ---- cold paths
  // Jumps with `jump` to a cold path that runs the site and comes back behind the jump.
  void branch_to_cold(Isa jump, const ColdSite& site);

  struct Routine {
    KFn fn;
    KType type;
    asmjit::Label label;
    std::array<uint32_t, kFiles> clobbers;
  };
  std::vector<Routine> routines;
  const Routine& routine(KFn fn, KType type) const;

  int32_t begin_slot, end_slot;                   // the share of the range loop
  int32_t live_slot;                              // in a tail: the number of live lanes
  int32_t tail_slot = -1, narrow_tail_slot = -1;  // avx2: the tail mask, and for 4-byte lanes next to 8-byte ones
  int32_t scratch(int i);                         // one of two areas of 64 bytes for use within an instruction

  // Where the text is kept: what comes is of an instruction of the kernel, or of none.
  void mark(uint32_t instruction, std::string_view what) {
    if (as.logging()) add_mark(instruction, what);
  }
  std::vector<uint32_t> numbers;  // of the kernel's instructions as they were given; empty: as they are
  std::vector<CodeMark> marks;

  // Cold paths, thunk, constants.
  void finish();

 private:
  void add_mark(uint32_t instruction, std::string_view what);
  int32_t reserve(size_t bytes, int alignment);
  void emit_thunk();

  struct Cold {
    asmjit::Label label, back;
    ColdSite site;
    uint32_t instruction;
  };
  std::vector<Cold> cold_;
  asmjit::Label pool_label_, thunk_;
  std::string pool_;
  std::unordered_map<uint64_t, int32_t> elements_[2];
  std::unordered_map<std::string, int32_t> others_;
  int32_t scratch_[2] = {-1, -1};
};

}  // namespace jot::cpu
