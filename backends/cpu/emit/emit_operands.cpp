// Operands: registers, memory, constants; moves between them.
#include <algorithm>

#include "backends/cpu/emit/emitter.h"
#include "jot/error.h"

namespace jot::cpu {
namespace {

x86::Mem::Broadcast broadcast_to(int lanes) {
  return lanes == 16  ? x86::Mem::Broadcast::k1To16
         : lanes == 8 ? x86::Mem::Broadcast::k1To8
         : lanes == 4 ? x86::Mem::Broadcast::k1To4
                      : x86::Mem::Broadcast::k1To2;
}

// With room for what is added to it: columns of a row.
bool fits_displacement(int64_t offset) { return -(int64_t{1} << 30) < offset && offset < int64_t{1} << 30; }

}  // namespace

int Emitter::width(KType t) const {
  if (t == KType::mask) return single() ? 16 : 32;
  return std::max(16, lanes_ * bytes_of(t));
}

// ---- operands

bool Emitter::in_memory(uint32_t v) const {
  v = al_.root(v);
  if (al_.reg(v) >= 0) return false;
  if (in(v).op == KOp::constant || in(v).op == KOp::lane_index) return true;
  return al_.stored(v) && (al_.dies(v) || al_.full(al_.file(v)));
}

x86::Mem Emitter::constant(uint64_t bits, KType t, bool one_element) {
  const int bytes = bytes_of(t);
  if (one_element) return unit_.element(bits, bytes);
  if (!avx512_) return unit_.repeated(bits, bytes, width(t));
  x86::Mem m = unit_.element(bits, bytes);
  m.setBroadcast(broadcast_to(width(t) / bytes));
  return m;
}

x86::Mem Emitter::lane_indices(KType t) {
  return unit_.data(packed(lanes_, bytes_of(t), [](int l) { return l; }), width(t));
}

asmjit::Operand Emitter::source(uint32_t v, bool one_element) {
  v = al_.root(v);
  if (al_.reg(v) < 0) {
    if (in(v).op == KOp::constant) return constant(static_cast<uint64_t>(in(v).imm), type(v), one_element);
    if (in(v).op == KOp::lane_index && !single()) return lane_indices(type(v));
    // With one lane only that lane is in the spill area.
    if (in_memory(v) && al_.stored(v) && (one_element || !single())) return spill(al_.slot(v));
  }
  return V(al_.use(v), type(v));
}

asmjit::Operand Emitter::scalar_source(uint32_t v) {
  v = al_.root(v);
  if (al_.reg(v) < 0) {
    const KInstr& d = in(v);
    if (d.op == KOp::iconst && d.imm == static_cast<int32_t>(d.imm)) return asmjit::Imm(d.imm);
    if (d.op == KOp::arg && al_.dies(v)) return argument(d);
    if (in_memory(v)) return spill(al_.slot(v));
  }
  return G(al_.use(v));
}

x86::Mem Emitter::argument(const KInstr& arg) {
  if (!fits_displacement(arg.imm * 8)) internal_error("a kernel has fewer arguments", std::to_string(arg.imm));
  return x86::ptr(kArgs, static_cast<int32_t>(arg.imm * 8));
}

x86::Mem Emitter::address(const KInstr& d) {
  const int bytes = bytes_in_memory(d);
  int64_t offset = d.imm;
  uint32_t base = al_.root(d.a), index = d.b == kNone ? kNone : al_.root(d.b);
  if (index != kNone && in(index).op == KOp::iconst) {
    offset += in(index).imm * bytes;
    index = kNone;
  }
  const x86::Mem start = pointer(base, offset);
  if (index == kNone) return start;
  return x86::ptr(start.baseReg().as<x86::Gp>(), G(al_.use(index)),
                  bytes == 8   ? 3
                  : bytes == 4 ? 2
                  : bytes == 2 ? 1
                               : 0,
                  static_cast<int32_t>(start.offset()));
}

// A pointer plus any number of bytes.
x86::Mem Emitter::pointer(uint32_t base, int64_t offset) {
  const x86::Gp a = G(use(base));
  if (fits_displacement(offset)) return x86::ptr(a, static_cast<int32_t>(offset));
  const x86::Gp far = G(temp_gpr());
  as_.emit(Isa::mov, far, asmjit::Imm(offset));
  as_.emit(Isa::add, far, a);
  return x86::ptr(far);
}

void Emitter::zero(int r, int bytes) {
  const x86::Vec v = vector_register(r, avx512_ ? bytes : std::min(bytes, 16));
  as_.emit(Isa::vxorps, v, v, v);
}

// Of 4, 8, 16, 32 or 64 bytes.
void Emitter::load_vector(int r, const x86::Mem& from, int bytes) {
  if (bytes >= 16) return as_.emit(Isa::vmovups, vector_register(r, bytes), from);
  as_.emit(bytes == 8 ? Isa::vmovsd : Isa::vmovss, X(r), from);
}
void Emitter::store_vector(const x86::Mem& to, int r, int bytes) {
  if (bytes >= 16) return as_.emit(Isa::vmovups, to, vector_register(r, bytes));
  as_.emit(bytes == 8 ? Isa::vmovsd : Isa::vmovss, to, X(r));
}

// ---- SpillCode

void Emitter::move(uint32_t v, int to, int from) {
  switch (al_.file(v)) {
    case kGpr:
      return as_.emit(Isa::mov, G(to), G(from));
    case kMask:
      return as_.emit(Isa::kmovw, K(to), K(from));
    case kVector:
      return as_.emit(Isa::vmovaps, V(to, type(v)), V(from, type(v)));
  }
}

void Emitter::store(uint32_t v, int32_t slot, int from) {
  switch (al_.file(v)) {
    case kGpr:
      return as_.emit(Isa::mov, spill(slot), G(from));
    case kMask:
      if (unit_.bug == PlantedBug::lost_mask_spill) return;
      return as_.emit(Isa::kmovq, spill(slot), K(from));
    case kVector:
      if (unit_.bug == PlantedBug::lost_mask_spill && type(v) == KType::mask) return;
      return store_vector(spill(slot), from,
                          single() ? (type(v) == KType::mask ? 8 : bytes_of(type(v))) : width(type(v)));
  }
}

void Emitter::load(uint32_t v, int to, int32_t slot) {
  switch (al_.file(v)) {
    case kGpr:
      return as_.emit(Isa::mov, G(to), spill(slot));
    case kMask:
      return as_.emit(Isa::kmovq, K(to), spill(slot));
    case kVector:
      return load_vector(to, spill(slot), single() ? (type(v) == KType::mask ? 8 : bytes_of(type(v))) : width(type(v)));
  }
}

void Emitter::materialise(uint32_t v, int to) {
  const KInstr& d = in(v);
  const auto bits = static_cast<uint64_t>(d.imm);
  switch (d.op) {
    case KOp::arg:
      return as_.emit(Isa::mov, G(to), argument(d));
    case KOp::iconst:
      if (d.imm == 0) return as_.emit(Isa::xor_, E(to), E(to));
      return as_.emit(Isa::mov, G(to), asmjit::Imm(d.imm));
    case KOp::mask_const:
      if (avx512_) return as_.emit(d.imm ? Isa::kxnorw : Isa::kxorw, K(to), K(to), K(to));
      if (d.imm == 0) return zero(to, width(KType::mask));
      return as_.emit(Isa::vmovups, V(to, KType::mask), unit_.repeated(~uint64_t{0}, 8, width(KType::mask)));
    case KOp::lane_index:
      if (single()) return zero(to, 16);
      return load_vector(to, lane_indices(d.type), width(d.type));
    case KOp::constant:
      if (bits == 0) return zero(to, width(d.type));
      if (single()) return load_vector(to, unit_.element(bits, bytes_of(d.type)), bytes_of(d.type));
      return as_.emit(pick(d.type, Isa::vbroadcastsd, Isa::vbroadcastss), V(to, d.type),
                      unit_.element(bits, bytes_of(d.type)));
    default:
      internal_error("a constant or an argument", info(d.op).name);
  }
}

}  // namespace jot::cpu
