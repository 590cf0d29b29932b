// Elements of one or two bytes in memory: masks lane by lane; bytes, words and halves (KMem), which are i32 and f32 in
// registers.
#include "backends/cpu/emit/emitter.h"

namespace jot::cpu {

void Emitter::load_mask_lanes(uint32_t i) {
  const int z = temp();
  zero(z, 16);
  as_.emit(Isa::vmovups, spill(unit_.scratch(0)), X(z));
  move_narrow_lanes(in(i), true);
  x86::Mem bytes = spill(unit_.scratch(0));
  if (single()) {
    as_.emit(Isa::vmovups, X(z), bytes);
    return define_mask(i, X(z));
  }
  bytes.setSize(static_cast<uint32_t>(lanes_));
  define_mask(i, bytes);
}

void Emitter::store_mask_lanes(uint32_t i) {
  as_.emit(Isa::vmovups, spill(unit_.scratch(0)), X(bytes_from_mask(use(in(i).d))));
  move_narrow_lanes(in(i), false);
}

// An element in memory as lane 0 of register x, the others zero.
void Emitter::load_narrow_one(const KInstr& d, int x, int gpr, x86::Mem from) {
  from.setSize(static_cast<uint32_t>(bytes_in_memory(d)));
  as_.emit(Isa::movzx, E(gpr), from);
  as_.emit(Isa::vmovd, X(x), E(gpr));
  if (d.memory == KMem::half) as_.emit(Isa::vcvtph2ps, X(x), X(x));
}

// Lane 0 of register x, which a half overwrites.
void Emitter::store_narrow_one(const KInstr& d, x86::Mem to, int x) {
  if (d.memory == KMem::half) as_.emit(Isa::vcvtps2ph, X(x), X(x), asmjit::Imm(0));
  to.setSize(static_cast<uint32_t>(bytes_in_memory(d)));
  as_.emit(d.memory == KMem::byte ? Isa::vpextrb : Isa::vpextrw, to, X(x), asmjit::Imm(0));
}

void Emitter::round_half(uint32_t i) {
  const KType t = in(i).type;
  const int a = use(in(i).a), half = temp();
  const x86::Vec to = width(t) == 64 ? x86::Vec(Y(half)) : x86::Vec(X(half));
  as_.emit(Isa::vcvtps2ph, to, V(a, t), asmjit::Imm(0));
  al_.release_operands();
  as_.emit(Isa::vcvtph2ps, V(al_.define(i), t), to);
}

// Whether the lanes of a memory instruction are moved one by one.
bool Emitter::by_lanes(const KInstr& d) const {
  if (d.op == KOp::load_one || d.op == KOp::load_bcast || d.op == KOp::store_one) return false;
  if (d.op != KOp::load && d.op != KOp::store) return true;
  return !single() && !avx512_ && (tail_ || (d.op == KOp::store && d.memory != KMem::half));
}

void Emitter::load_narrow(uint32_t i) {
  const KInstr& d = in(i);
  const KType t = d.type;
  if (by_lanes(d)) {
    const int x = temp();
    zero(x, width(t));
    as_.emit(Isa::vmovups, spill(unit_.scratch(0)), V(x, t));
    move_narrow_lanes(d, true);
    as_.emit(Isa::vmovups, V(x, t), spill(unit_.scratch(0)));
    return al_.adopt(i, x);
  }
  x86::Mem m = address(d);
  if (d.op == KOp::load && !single()) {
    m.setSize(static_cast<uint32_t>(lanes_ * bytes_in_memory(d)));
    al_.release_operands();
    const int r = al_.define(i);
    if (tail_) as_.masked(K(kTailMask), true);
    return as_.emit(d.memory == KMem::half   ? Isa::vcvtph2ps
                    : d.memory == KMem::byte ? Isa::vpmovzxbd
                                             : Isa::vpmovzxwd,
                    V(r, t), m);
  }
  const int x = temp();
  load_narrow_one(d, x, temp_gpr(), m);
  if (d.op == KOp::load_bcast && !single()) as_.emit(Isa::vbroadcastss, V(x, t), X(x));
  al_.adopt(i, x);
}

void Emitter::store_narrow(uint32_t i) {
  const KInstr& d = in(i);
  const KType t = d.type;
  if (by_lanes(d)) {
    as_.emit(Isa::vmovups, spill(unit_.scratch(0)), V(use(d.d), t));
    return move_narrow_lanes(d, false);
  }
  x86::Mem m = address(d);
  int x = use(d.d);
  if (d.op == KOp::store_one || single()) {
    const int copy = temp();
    as_.emit(Isa::vmovups, X(copy), X(x));
    return store_narrow_one(d, m, copy);
  }
  m.setSize(static_cast<uint32_t>(lanes_ * bytes_in_memory(d)));
  if (tail_) as_.masked(K(kTailMask), false);
  if (d.memory == KMem::half) return as_.emit(Isa::vcvtps2ph, m, V(x, t), asmjit::Imm(0));
  as_.emit(d.memory == KMem::byte ? Isa::vpmovdb : Isa::vpmovdw, m, V(x, t));
}

}  // namespace jot::cpu
