// Masks. On AVX-512 they are mask registers; bits past the lanes mean nothing. On AVX2 they are vectors whose lanes,
// all ones or zero, have the width of the kernel's widest type.
#include <algorithm>

#include "backends/cpu/emit/emitter.h"

namespace jot::cpu {

int Emitter::tail_mask(KType t) {
  const int r = temp();
  const bool narrow = t != KType::mask && bytes_of(t) != mask_bytes();
  load_vector(r, spill(narrow ? unit_.narrow_tail_slot : unit_.tail_slot), narrow ? 16 : 32);
  return r;
}

int Emitter::lane_mask(int mask, KType t) {
  if (single() || t == KType::mask || bytes_of(t) == mask_bytes()) return mask;
  const int r = temp();
  as_.emit(Isa::vextractf128, X(r), Y(mask), asmjit::Imm(1));
  as_.emit(Isa::vshufps, X(r), X(mask), X(r), asmjit::Imm(0x88));
  return r;
}

void Emitter::widen_mask(int r, KType t) {
  if (bytes_of(t) != mask_bytes()) as_.emit(Isa::vpmovsxdq, V(r, KType::mask), X(r));
}

void Emitter::compare(uint32_t i) {
  const KInstr& d = in(i);
  const KType t = type(d.a);
  const bool unordered = d.op == KOp::is_nan;
  auto how = static_cast<KCmp>(d.aux);
  uint32_t x = d.a, y = unordered ? d.a : d.b;
  // Swapped where only the first operand may be in memory, and where AVX2 has only "greater".
  const bool less = how == KCmp::lt || how == KCmp::ge;
  if (!unordered && (!avx512_ && !is_float(t) ? less : in_memory(x) && !in_memory(y))) {
    std::swap(x, y);
    constexpr KCmp swapped[] = {KCmp::eq, KCmp::ne, KCmp::gt, KCmp::ge, KCmp::lt, KCmp::le};
    how = swapped[static_cast<size_t>(how)];
  }
  constexpr int kFloat[] = {0x00, 0x04, 0x11, 0x12, 0x1e, 0x1d};  // quiet; ne is true for NaN
  constexpr int kInteger[] = {0, 4, 1, 2, 6, 5};
  auto R = [&](int r) { return V(r, t); };
  const int a = use(x);
  const asmjit::Operand b = unordered ? asmjit::Operand(R(a)) : source(y, is_float(t) && single());
  al_.release_operands();
  const int r = al_.define(i);
  const asmjit::Imm predicate(unordered ? 3 : kFloat[static_cast<size_t>(how)]);
  if (avx512_) {
    if (is_float(t))
      return as_.emit(pick(t, Isa::vcmppd_k, Isa::vcmpps_k, Isa::vcmpsd_k, Isa::vcmpss_k), K(r), R(a), b, predicate);
    return as_.emit(pick(t, Isa::vpcmpq_k, Isa::vpcmpd_k), K(r), R(a), b,
                    asmjit::Imm(kInteger[static_cast<size_t>(how)]));
  }
  if (is_float(t)) {
    as_.emit(pick(t, Isa::vcmppd, Isa::vcmpps, Isa::vcmpsd, Isa::vcmpss), R(r), R(a), b, predicate);
  } else {
    const bool equal = how == KCmp::eq || how == KCmp::ne;
    as_.emit(equal ? pick(t, Isa::vpcmpeqq, Isa::vpcmpeqd) : pick(t, Isa::vpcmpgtq, Isa::vpcmpgtd), R(r), R(a), b);
    if (how == KCmp::ne || how == KCmp::le)
      as_.emit(Isa::vxorps, R(r), R(r), unit_.repeated(~uint64_t{0}, 8, width(t)));
  }
  widen_mask(r, t);
}

void Emitter::select(uint32_t i) {
  const KInstr& d = in(i);
  const KType t = d.type;
  if (t == KType::mask && avx512_) {
    const int m = use(d.a), b = use(d.b), c = use(d.c), other = al_.temporary(kMask);
    as_.emit(Isa::kandnw, K(other), K(m), K(c));
    al_.release_operands();
    const int r = al_.define(i);
    as_.emit(Isa::kandw, K(r), K(m), K(b));
    return as_.emit(Isa::korw, K(r), K(r), K(other));
  }
  const int m = use(d.a), c = use(d.c);
  if (avx512_) {
    const asmjit::Operand b = source(d.b, false);
    al_.release_operands();
    const int r = al_.define(i);
    return as_.masked(K(m), false).emit(pick(t, Isa::vblendmpd, Isa::vblendmps), V(r, t), V(c, t), b);
  }
  const int lanes = lane_mask(m, t);
  const asmjit::Operand b = t == KType::mask ? asmjit::Operand(V(use(d.b), t)) : source(d.b, false);
  al_.release_operands();
  const int r = al_.define(i);
  as_.emit(Isa::vblendvps, V(r, t), V(c, t), b, V(lanes, t));
}

void Emitter::mask_logic(uint32_t i) {
  const KInstr& d = in(i);
  const int a = use(d.a), b = d.op == KOp::mnot ? a : use(d.b);
  al_.release_operands();
  const int r = al_.define(i);
  if (avx512_) {
    if (d.op == KOp::mnot) return as_.emit(Isa::knotw, K(r), K(a));
    return as_.emit(d.op == KOp::mand ? Isa::kandw : d.op == KOp::mor ? Isa::korw : Isa::kxorw, K(r), K(a), K(b));
  }
  auto R = [&](int x) { return V(x, KType::mask); };
  if (d.op == KOp::mnot) return as_.emit(Isa::vxorps, R(r), R(a), unit_.repeated(~uint64_t{0}, 8, width(KType::mask)));
  as_.emit(d.op == KOp::mand ? Isa::vandps : d.op == KOp::mor ? Isa::vorps : Isa::vxorps, R(r), R(a), R(b));
}

void Emitter::mask_to_int(uint32_t i) {
  const KInstr& d = in(i);
  const KType t = d.type;
  const int m = use(d.a);
  if (avx512_) {
    al_.release_operands();
    const int r = al_.define(i);
    return as_.masked(K(m), true)
        .emit(pick(t, Isa::vpbroadcastq, Isa::vpbroadcastd), V(r, t), unit_.element(1, bytes_of(t)));
  }
  const int lanes = lane_mask(m, t);
  al_.release_operands();
  const int r = al_.define(i);
  as_.emit(pick(t, Isa::vpsrlq, Isa::vpsrld), V(r, t), V(lanes, t), asmjit::Imm(8 * bytes_of(t) - 1));
}

}  // namespace jot::cpu
