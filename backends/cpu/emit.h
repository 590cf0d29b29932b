// Machine code of a kernel, in one pass that allocates registers as it emits.
//
// Straight-line code needs no more: a value stays in a register until it is dead or evicted; the one whose next use is
// farthest goes first (Belady 1966). Values are SSA, so an evicted one is stored at most once. At a loop the values
// that its body uses are pinned to registers as far as these go and the rest is in memory, so that every turn finds
// what the first one found. Linear in the instructions.
#pragma once
#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "backends/cpu/assembler.h"
#include "backends/cpu/kernel_ir.h"

namespace jot::cpu {

// What the cold thunk runs: a fixup, a check, or a pure instruction lane by lane.
struct ColdCall {
  KInstr instr;
  KType from = KType::none;  // of operand a
  int lanes = 1;
};

// When values are needed again. A use in a loop by which the value is older counts until the loop's end.
struct Uses {
  explicit Uses(const Kernel& kernel);
  static constexpr uint32_t kNever = 0xffffffff;
  std::vector<std::array<uint32_t, 4>> next;  // after instruction i, of its operands a, b, c, d
  std::vector<uint32_t> next_in_list;         // of kernel.lists
  std::vector<uint32_t> first, last;          // of each value
  std::vector<uint32_t> end_of;               // of a loop: its endloop
};

// What the bodies of one kernel share: the kernel itself and the routines that it calls.
struct CodeUnit {
  CodeUnit(Target target, bool log) : as(target, log), avx512(target == Target::avx512) {}
  Assembler as;
  bool avx512;
  int64_t spill_end = 16;  // the first two words are begin and end
  int64_t cold_area = -1;  // in the spill area: result, then operands a, b, c, then an index
  asmjit::Label thunk{};
  bool thunk_used = false;
  std::shared_ptr<std::deque<ColdCall>> cold_calls = std::make_shared<std::deque<ColdCall>>();
  std::vector<std::pair<asmjit::Label, std::string>> pool;
  std::unordered_map<std::string, size_t> pool_index;
  std::vector<std::pair<uint32_t, asmjit::Label>> routines;  // KFn and type
  x86::Mem data(const std::string& bytes);
  int64_t area();
  asmjit::Label thunk_label();
};

// The kernel and the routines it calls, constants behind them.
struct Emitted {
  std::vector<std::byte> code;
  int64_t spill_bytes = 0;
  std::shared_ptr<const void> cold_calls;  // the code refers to it
  std::string log;
};
Emitted emit(const Kernel& kernel, Target target, bool log);

class BodyEmitter {
 public:
  // A routine uses the first few vector registers only, which its callers know.
  BodyEmitter(CodeUnit& unit, const Kernel& kernel, bool routine);
  void run();
  static constexpr uint32_t kRoutineVectors = 0xff;

 private:
  enum Class : uint8_t { gpr, vec, kreg };
  static constexpr uint32_t kFree = 0xffffffff, kTemp = 0xfffffffe;
  struct File {
    uint32_t allowed = 0, locked = 0, pinned = 0;
    std::array<uint32_t, 32> value;
    File() { value.fill(kFree); }
  };
  struct Where {
    int32_t slot = -1;  // in the spill area
    int16_t reg = -1;
    bool stored = false;  // the slot holds the value
    uint32_t next = Uses::kNever;
  };

  const KInstr& in(uint32_t v) const { return k_.instrs[v]; }
  KType type(uint32_t v) const { return k_.instrs[v].type; }
  Class class_of(uint32_t v) const;
  int vector_bytes() const { return lanes_ == 1 ? 16 : unit_.avx512 ? 64 : 32; }
  int lane_bytes() const { return lanes_ == 1 ? 8 : vector_bytes() / lanes_; }
  int bytes_of_value(uint32_t v) const;
  bool scalar_lanes() const { return lanes_ == 1; }

  // ---- registers
  int take(Class c);
  int temp(Class c);
  void unlock();
  void evict(Class c, int reg);
  void store_value(uint32_t v);
  void move_in(uint32_t v, int reg);
  bool rematerialised(uint32_t v) const;
  int use(uint32_t v);
  int define(uint32_t v);
  void bind(uint32_t v, int reg);
  void advance(uint32_t i);
  void release(uint32_t i);
  void kill(uint32_t v);
  int32_t slot(int bytes);
  x86::Gp G(int reg) const { return x86::gpq(static_cast<uint32_t>(reg)); }
  x86::KReg K(int reg) const { return x86::k(static_cast<uint32_t>(reg)); }
  x86::Vec V(int reg, int bytes) const { return vector_register(reg, bytes); }
  x86::Vec V(int reg, KType t) const {
    return vector_register(reg, t == KType::mask ? vector_bytes() : lanes_ * bytes_of(t));
  }
  x86::Mem spill(int64_t offset) const;
  x86::Mem address(uint32_t i, int64_t extra = 0);
  x86::Mem constant(const KInstr& c, bool broadcast);
  template <class Emit>
  void with_source(uint32_t v, bool memory_allowed, Emit emit);

  // ---- instructions
  void block(uint32_t begin, uint32_t end);
  void instruction(uint32_t i);
  void loop(uint32_t i);
  void pin(uint32_t begin, uint32_t end);
  void loop_body(uint32_t begin, uint32_t end, bool tail);
  void scalar_op(uint32_t i);
  void arithmetic(uint32_t i, Isa f64p, Isa f64s, Isa f32p, Isa f32s);
  void square_root(uint32_t i);
  void fma(uint32_t i);
  void integer(uint32_t i);
  void bitwise(uint32_t i);
  void sign_op(uint32_t i);
  void round(uint32_t i);
  void shift(uint32_t i);
  void compare(uint32_t i);
  void select(uint32_t i);
  void mask_op(uint32_t i);
  void mask_to_int(uint32_t i);
  void convert(uint32_t i);
  void reduce(uint32_t i);
  void load(uint32_t i);
  void load_mask(uint32_t i);
  void load_one(uint32_t i);
  void load_bcast(uint32_t i);
  void store(uint32_t i);
  void store_mask(uint32_t i);
  void store_one(uint32_t i);
  void gather(uint32_t i);
  bool fast_rows(uint32_t i) const;
  void row_pointers(uint32_t i, std::array<x86::Mem, 8>& rows);
  void load_rows(uint32_t i);
  void store_rows(uint32_t i);
  void transpose(std::array<int, 8>& r, int n);
  void by_lane(uint32_t i);
  void slow(uint32_t i);
  void fixup(uint32_t i);
  void check(uint32_t i);
  void call(uint32_t i);
  void variable(uint32_t i);
  void set(uint32_t i);
  void move(uint32_t from_value, int to);
  void blend_tail(int to, int from, uint32_t v);
  void zero(int reg, int bytes);
  void narrow_mask(int to, int from, KType t);
  void widen_mask(int reg, KType t);
  void mask_bits(uint32_t mask, const x86::Gp& to);
  void branch_if_any(uint32_t mask, const asmjit::Label& to);
  void cold_call(const ColdCall& call, const asmjit::Label& back, std::function<void()> restore);
  void store_vector(const x86::Mem& to, int reg, int bytes);
  void load_vector(int reg, const x86::Mem& from, int bytes);

  CodeUnit& unit_;
  Assembler& as_;
  const Kernel& k_;
  const bool routine_;
  const int lanes_;
  Uses uses_;
  std::array<File, 3> files_;
  std::vector<Where> where_;
  bool tail_ = false;
  uint32_t at_ = 0;
  int32_t live_slot_ = -1;                                    // the number of live lanes of a tail
  int32_t tail_mask_slot_ = -1;                               // avx2: the tail mask as a vector
  std::unordered_map<int, std::vector<int32_t>> free_slots_;  // by bytes
  // Of values that died in this instruction, which may still read them.
  std::vector<std::pair<int, int32_t>> released_slots_;
  struct Cold {
    asmjit::Label entry;
    std::function<void()> emit;
  };
  std::vector<Cold> cold_;
};

}  // namespace jot::cpu
