// Emits one function: a kernel, or a routine that it calls.
#pragma once
#include <span>
#include <vector>

#include "backends/cpu/emit/code_unit.h"

namespace jot::cpu {

inline bool is_wide(KType t) { return bytes_of(t) == 8; }

class Emitter final : private SpillCode {
 public:
  Emitter(CodeUnit& unit, const Kernel& kernel, bool routine);
  void run();
  uint32_t touched(RegisterFile f) const { return al_.touched(f); }

 private:
  // ---- operands (emit_operands.cpp)
  const KInstr& in(uint32_t v) const { return k_.instrs[v]; }
  KType type(uint32_t v) const { return k_.instrs[v].type; }
  int width(KType t) const;                                         // bytes of a vector
  int mask_bytes() const { return lanes_ == 1 ? 8 : 32 / lanes_; }  // AVX2: of one lane of a mask
  bool single() const { return lanes_ == 1; }
  x86::Vec V(int r, KType t) const { return vector_register(r, width(t)); }
  static x86::Vec X(int r) { return vector_register(r, 16); }
  static x86::Vec Y(int r) { return vector_register(r, 32); }
  static x86::Gp G(int r) { return x86::gpq(static_cast<uint32_t>(r)); }
  static x86::Gp E(int r) { return x86::gpd(static_cast<uint32_t>(r)); }
  static x86::Gp B(int r) { return x86::gpb_lo(static_cast<uint32_t>(r)); }
  static x86::KReg K(int r) { return x86::k(static_cast<uint32_t>(r)); }
  static x86::Mem spill(int32_t offset) { return x86::ptr(kSpill, offset); }
  Isa pick(KType t, Isa pd, Isa ps) const { return is_wide(t) ? pd : ps; }
  Isa pick(KType t, Isa pd, Isa ps, Isa sd, Isa ss) const { return single() ? pick(t, sd, ss) : pick(t, pd, ps); }

  int use(uint32_t v) { return al_.use(al_.root(v)); }
  int temp() { return al_.temporary(kVector); }
  int temp_gpr() { return al_.temporary(kGpr); }
  // A register or a memory operand, whichever is cheaper. one_element: the instruction reads one element of memory.
  asmjit::Operand source(uint32_t v, bool one_element);
  bool in_memory(uint32_t v) const;           // source() would be a memory operand
  asmjit::Operand scalar_source(uint32_t v);  // register, memory or immediate
  x86::Mem constant(uint64_t bits, KType t, bool one_element);
  x86::Mem lane_indices(KType t);
  static x86::Mem argument(const KInstr& arg);
  x86::Mem pointer(uint32_t base, int64_t offset);
  x86::Mem address(const KInstr& in);
  void zero(int r, int bytes);
  void load_vector(int r, const x86::Mem& from, int bytes);
  void store_vector(const x86::Mem& to, int r, int bytes);

  // ---- SpillCode
  void move(uint32_t v, int to, int from) override;
  void store(uint32_t v, int32_t slot, int from) override;
  void load(uint32_t v, int to, int32_t slot) override;
  void materialise(uint32_t v, int to) override;

  // ---- control (emit.cpp)
  void instruction(uint32_t i);
  void dispatch(uint32_t i);
  void open_loop(uint32_t i);
  uint32_t close_loop(uint32_t i);
  void begin_tail(uint32_t loop);
  void test_scalar(uint32_t v);
  void test_any(uint32_t mask);
  void any(uint32_t i);
  void set(uint32_t i);
  void scalar(uint32_t i);
  void call(uint32_t i);
  void fixup(uint32_t i);
  void check(uint32_t i);
  void branch_if_any(uint32_t mask, const ColdSite& site);
  Location location(uint32_t v);

  // ---- vectors (emit_vector.cpp)
  void binary(uint32_t i);
  void combine(KOp op, KType t, int bytes, int to, int a, int b, int spare = -1);  // what `reduces`, on `bytes`
  void fma(uint32_t i);
  void unary(uint32_t i);
  void shift(uint32_t i);
  void popcnt(uint32_t i);
  void table_index(uint32_t i);
  void lookup(uint32_t i);
  void multiply_i64(int bytes, int to, int a, int b, int spare);
  void broadcast(uint32_t i);
  void reduce(uint32_t i);
  void extract_half(int to, int from, int bytes);

  // ---- masks (emit_mask.cpp)
  void compare(uint32_t i);
  void select(uint32_t i);
  void mask_logic(uint32_t i);
  void mask_to_int(uint32_t i);
  int lane_mask(int mask, KType t);  // AVX2: a register with the mask in lanes of t
  void widen_mask(int r, KType t);   // AVX2: a comparison in lanes of t becomes a mask
  int tail_mask(KType t);            // AVX2: the live lanes, in lanes of t

  // ---- conversions (emit_convert.cpp)
  void convert(uint32_t i);
  void convert_lanes(uint32_t i);

  // ---- memory (emit_memory.cpp, emit_rows.cpp)
  void load_op(uint32_t i);
  void store_op(uint32_t i);
  void stream_vector(const x86::Mem& to, int r, int bytes);
  void copy(uint32_t i);
  void load_bcast(uint32_t i);
  void load_mask(uint32_t i);
  void store_mask(uint32_t i);
  void define_mask(uint32_t i, const asmjit::Operand& bytes);
  int bytes_from_mask(int mask);  // a vector register with a byte 0 or 1 for each lane
  void gather(uint32_t i);
  void gather_from(uint32_t i, const x86::Mem& elements, bool wide);
  void scatter(uint32_t i);
  void index_of_lane(KType t, int lane, int to);
  struct Rows;
  void rows_init(Rows& rows, const KInstr& in);
  x86::Mem row(const Rows& rows, int lane, int column);
  void load_rows(uint32_t i);
  void store_rows(uint32_t i);
  struct Chunk {
    int first, size;
  };
  struct Part {
    int reg, position, unit;
  };
  std::vector<Chunk> chunks(KType t, int count) const;
  Part part(std::span<const int> registers, int lane, KType t) const;
  void load_chunk(uint32_t i, const Rows& rows, const Chunk& chunk, int skip);
  void store_chunk(const Rows& rows, std::span<const uint32_t> values, int first);
  void join_blocks(std::span<int> r, KType t);
  void split_parts(std::span<int> r, KType t);
  void load_strided(uint32_t i);
  void load_strided_value(uint32_t v, const Rows& rows, int column);
  void load_near(uint32_t i);
  void load_between(uint32_t i);
  void load_constant_steps(uint32_t i);
  void store_strided(uint32_t i);
  void store_strided_value(int x, const Rows& rows, int column);
  void transpose_blocks(std::span<const int> from, std::span<int> to, KType t);
  void load_part(int to, const asmjit::Operand& from, int position, int unit, int bytes);
  void store_part(const asmjit::Operand& to, int from, int position, int unit, int bytes);
  x86::Mem in_scratch(int area, int lane, int bytes);
  void move_narrow_lanes(const KInstr& d, bool load);
  bool by_lanes(const KInstr& d) const;
  void round_half(uint32_t i);
  void load_narrow(uint32_t i);  // by d.memory
  void store_narrow(uint32_t i);
  void load_narrow_one(const KInstr& d, int x, int gpr, x86::Mem from);
  void store_narrow_one(const KInstr& d, x86::Mem to, int x);
  void load_mask_lanes(uint32_t i);
  void store_mask_lanes(uint32_t i);

  // In a tail, emits a jump to `done` for lanes that are not live.
  void stop_at_tail(int lane, const asmjit::Label& done);

  CodeUnit& unit_;
  Assembler& as_;
  const Kernel& k_;
  const bool routine_, avx512_;
  const int lanes_;
  RegisterModel model_;
  Allocator al_;
  bool tail_ = false;

  struct OpenLoop {
    uint32_t begin;
    asmjit::Label head, tail, done;
    bool vector = false;                     // whose body is written twice
    int64_t count = -1;                      // of a loop of known length
    int32_t limit_slot = -1, end_slot = -1;  // the index of the last full turn; the end. -1: known, or the call's
  };
  std::vector<OpenLoop> loops_;
};

}  // namespace jot::cpu
