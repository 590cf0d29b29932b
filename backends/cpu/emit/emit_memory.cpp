// Loads and stores: contiguous, one element, indexed.
#include <array>
#include <bit>
#include <span>

#include "backends/cpu/emit/emitter.h"

namespace jot::cpu {
namespace {

x86::Mem sized(x86::Mem m, int bytes) {
  m.setSize(static_cast<uint32_t>(bytes));
  return m;
}
constexpr uint32_t shift_of(int bytes) { return static_cast<uint32_t>(std::countr_zero(static_cast<unsigned>(bytes))); }

}  // namespace

void Emitter::stop_at_tail(int lane, const asmjit::Label& done) {
  if (!tail_ || lane == 0) return;
  as_.emit(Isa::cmp, sized(spill(unit_.live_slot), 8), asmjit::Imm(lane));
  as_.emit(Isa::jle, done);
}

x86::Mem Emitter::in_scratch(int area, int lane, int bytes) {
  return sized(spill(unit_.scratch(area) + lane * bytes), bytes);
}

// ---- contiguous

void Emitter::load_op(uint32_t i) {
  const KInstr& d = in(i);
  const KType t = d.type;
  if (t == KType::mask) return load_mask(i);
  if (d.memory != KMem::own) return load_narrow(i);
  const x86::Mem m = address(d);
  if (d.op == KOp::load_one || single()) {
    al_.release_operands();
    return load_vector(al_.define(i), m, bytes_of(t));
  }
  if (tail_ && !avx512_) {
    const int live = tail_mask(t), r = al_.define(i);
    return as_.emit(pick(t, Isa::vmaskmovpd, Isa::vmaskmovps), V(r, t), V(live, t), m);
  }
  al_.release_operands();
  const int r = al_.define(i);
  if (tail_) as_.masked(K(kTailMask), true);
  as_.emit(pick(t, Isa::vmovupd, Isa::vmovups), V(r, t), m);
}

void Emitter::store_op(uint32_t i) {
  const KInstr& d = in(i);
  const KType t = d.type;
  if (t == KType::mask) return store_mask(i);
  if (d.memory != KMem::own) return store_narrow(i);
  const x86::Mem m = address(d);
  const int x = use(d.d);
  if (d.op == KOp::store_one || single()) return store_vector(m, x, bytes_of(t));
  if (!tail_ && d.streams) return stream_vector(m, x, width(t));
  if (!tail_) return as_.emit(pick(t, Isa::vmovupd, Isa::vmovups), m, V(x, t));
  if (avx512_) return as_.masked(K(kTailMask), false).emit(pick(t, Isa::vmovupd, Isa::vmovups), m, V(x, t));
  as_.emit(pick(t, Isa::vmaskmovpd, Isa::vmaskmovps), m, V(tail_mask(t), t), V(x, t));
}

// Past the caches, if the address allows that.
void Emitter::stream_vector(const x86::Mem& to, int r, int bytes) {
  const int at = temp_gpr();
  const asmjit::Label apart = as_.label(), done = as_.label();
  as_.emit(Isa::lea, G(at), to);
  as_.emit(Isa::test, E(at), asmjit::Imm(bytes - 1));
  as_.emit(Isa::jne, apart);
  as_.emit(Isa::vmovntps, x86::ptr(G(at)), vector_register(r, bytes));
  as_.emit(Isa::jmp, done);
  as_.bind(apart);
  as_.emit(Isa::vmovups, x86::ptr(G(at)), vector_register(r, bytes));
  as_.bind(done);
}

// Whole vectors in ascending order fill whole lines; of a tail elements.
void Emitter::copy(uint32_t i) {
  const KInstr& d = in(i);
  const int bytes = bytes_of(d.type), vector = lanes_ * bytes;
  const x86::Gp from = G(use(d.c)), to = G(temp_gpr()), at = G(temp_gpr());
  as_.emit(Isa::lea, to, address(d));
  if (single() || tail_) {
    const x86::Gp x = G(temp_gpr()), element = bytes == 8 ? x : E(static_cast<int>(x.id()));
    const asmjit::Label next = as_.label();
    if (single())
      as_.emit(Isa::mov, at, asmjit::Imm(d.aux));
    else
      as_.emit(Isa::imul, at, sized(spill(unit_.live_slot), 8), asmjit::Imm(d.aux));
    as_.bind(next);
    as_.emit(Isa::mov, element, x86::ptr(from, at, shift_of(bytes), -bytes));
    as_.emit(Isa::mov, x86::ptr(to, at, shift_of(bytes), -bytes), element);
    as_.emit(Isa::sub, at, asmjit::Imm(1));
    return as_.emit(Isa::jg, next);
  }
  const int all = vector * d.aux, together = d.aux % 4 == 0 ? 4 : d.aux % 3 == 0 ? 3 : d.aux % 2 == 0 ? 2 : 1;
  std::array<int, 4> x{};
  for (int& r : std::span(x).first(static_cast<size_t>(together))) r = temp();
  auto all_vectors = [&](Isa store) {
    const asmjit::Label next = as_.label();
    as_.emit(Isa::xor_, E(static_cast<int>(at.id())), E(static_cast<int>(at.id())));
    as_.bind(next);
    for (int k = 0; k < together; ++k)
      load_vector(x[static_cast<size_t>(k)], x86::ptr(from, at, 0, k * vector), vector);
    for (int k = 0; k < together; ++k)
      as_.emit(store, x86::ptr(to, at, 0, k * vector), vector_register(x[static_cast<size_t>(k)], vector));
    as_.emit(Isa::add, at, asmjit::Imm(together * vector));
    as_.emit(Isa::cmp, at, asmjit::Imm(all));
    as_.emit(Isa::jl, next);
  };
  if (!d.streams) return all_vectors(Isa::vmovups);
  const asmjit::Label apart = as_.label(), done = as_.label();
  as_.emit(Isa::test, E(static_cast<int>(to.id())), asmjit::Imm(vector - 1));
  as_.emit(Isa::jne, apart);
  all_vectors(Isa::vmovntps);
  as_.emit(Isa::jmp, done);
  as_.bind(apart);
  all_vectors(Isa::vmovups);
  as_.bind(done);
}

void Emitter::load_bcast(uint32_t i) {
  const KInstr& d = in(i);
  const KType t = d.type;
  if (d.memory != KMem::own) return load_narrow(i);
  const x86::Mem m = address(d);
  if (t == KType::mask) {
    const int x = temp();
    as_.emit(Isa::vpbroadcastb, X(x), m);
    return define_mask(i, X(x));
  }
  al_.release_operands();
  const int r = al_.define(i);
  if (single()) return load_vector(r, m, bytes_of(t));
  as_.emit(pick(t, Isa::vbroadcastsd, Isa::vbroadcastss), V(r, t), m);
}

// ---- masks: bytes in memory

// The mask i from the low bytes of a vector, or from memory as wide.
void Emitter::define_mask(uint32_t i, const asmjit::Operand& bytes) {
  if (avx512_) {
    int x;
    if (bytes.isMem()) {
      x = temp();
      if (lanes_ == 16)
        as_.emit(Isa::vmovups, X(x), bytes);
      else
        as_.emit(lanes_ == 8 ? Isa::vmovq : Isa::vmovd, X(x), bytes);
    } else {
      x = static_cast<int>(bytes.id());
    }
    return as_.emit(Isa::vptestmb_k, K(al_.define(i)), X(x), X(x));
  }
  const int r = al_.define(i);
  const x86::Vec m = V(r, KType::mask);
  const bool wide = mask_bytes() == 8;
  as_.emit(wide ? Isa::vpmovzxbq : Isa::vpmovzxbd, m, bytes);
  as_.emit(wide ? Isa::vpcmpgtq : Isa::vpcmpgtd, m, m, unit_.repeated(0, 8, width(KType::mask)));
}

// A vector register whose low bytes are the lanes of a mask, 0 or 1.
int Emitter::bytes_from_mask(int mask) {
  const int x = temp();
  if (avx512_) {
    as_.masked(K(mask), true).emit(Isa::vmovdqu8, X(x), unit_.repeated(0x01010101, 4, 16));
    return x;
  }
  if (single()) {
    as_.emit(Isa::vpabsb, X(x), X(mask));
    return x;
  }
  as_.emit(Isa::vextractf128, X(x), Y(mask), asmjit::Imm(1));
  as_.emit(Isa::vpackssdw, X(x), X(mask), X(x));
  if (mask_bytes() == 8) as_.emit(Isa::vpackssdw, X(x), X(x), X(x));
  as_.emit(Isa::vpacksswb, X(x), X(x), X(x));
  as_.emit(Isa::vpabsb, X(x), X(x));
  return x;
}

void Emitter::load_mask(uint32_t i) {
  const KInstr& d = in(i);
  const x86::Mem m = sized(address(d), 1);
  if (d.op == KOp::load_one || single()) {
    const int g = temp_gpr(), x = temp();
    as_.emit(Isa::movzx, E(g), m);
    as_.emit(Isa::vmovd, X(x), E(g));
    return define_mask(i, X(x));
  }
  if (!tail_) return define_mask(i, sized(m, lanes_));
  if (avx512_) {
    const int x = temp();
    as_.masked(K(kTailMask), true).emit(Isa::vmovdqu8, X(x), sized(m, 16));
    return define_mask(i, X(x));
  }
  load_mask_lanes(i);
}

void Emitter::store_mask(uint32_t i) {
  const KInstr& d = in(i);
  const x86::Mem m = address(d);
  if (tail_ && !avx512_) return store_mask_lanes(i);
  const int x = bytes_from_mask(use(d.d));
  if (d.op == KOp::store_one || single()) {
    const int g = temp_gpr();
    as_.emit(Isa::vmovd, E(g), X(x));
    if (avx512_) as_.emit(Isa::and_, E(g), asmjit::Imm(1));
    return as_.emit(Isa::mov, sized(m, 1), B(g));
  }
  if (tail_) return as_.masked(K(kTailMask), false).emit(Isa::vmovdqu8, m, X(x));
  if (lanes_ == 16) return as_.emit(Isa::vmovups, m, X(x));
  as_.emit(lanes_ == 8 ? Isa::vmovq : Isa::vmovd, m, X(x));
}

// ---- indexed

// The index of a lane of the vector in scratch area 1.
void Emitter::index_of_lane(KType t, int lane, int to) {
  const x86::Mem m = in_scratch(1, lane, bytes_of(t));
  if (is_wide(t))
    as_.emit(Isa::mov, G(to), m);
  else
    as_.emit(Isa::movsxd, G(to), m);
}

void Emitter::gather(uint32_t i) {
  const KInstr& d = in(i);
  const KType t = d.type, ti = type(d.c);
  if (t == KType::mask) return load_mask_lanes(i);
  if (d.memory != KMem::own) return load_narrow(i);
  const int index = use(d.c);
  const x86::Mem first = pointer(d.a, d.imm);
  const x86::Gp base = first.baseReg().as<x86::Gp>();
  const uint32_t shift = shift_of(bytes_of(t));
  const auto offset = static_cast<int32_t>(first.offset());
  if (single()) {
    const int g = temp_gpr();
    if (is_wide(ti)) {
      as_.emit(Isa::vmovq, G(g), X(index));
    } else {
      as_.emit(Isa::vmovd, E(g), X(index));
      as_.emit(Isa::movsxd, G(g), E(g));
    }
    return load_vector(al_.define(i), x86::ptr(base, G(g), shift, offset), bytes_of(t));
  }
  gather_from(i, x86::ptr(base, V(index, ti), shift, offset), is_wide(ti));
}

// Of the live lanes. wide: of the index.
void Emitter::gather_from(uint32_t i, const x86::Mem& m, bool wide) {
  const KType t = type(i);
  const int r = al_.define(i);
  zero(r, width(t));
  if (avx512_) {
    const int live = al_.temporary(kMask);
    if (tail_)
      as_.emit(Isa::kmovw, K(live), K(kTailMask));
    else
      as_.emit(Isa::kxnorw, K(live), K(live), K(live));
    const Isa op = wide ? pick(t, Isa::vgatherqpd_k, Isa::vgatherqps_k) : pick(t, Isa::vgatherdpd_k, Isa::vgatherdps_k);
    return as_.masked(K(live), false).emit(op, V(r, t), m);
  }
  int live;
  if (tail_) {
    live = tail_mask(t);
  } else {
    live = temp();
    as_.emit(Isa::vpcmpeqd, V(live, t), V(live, t), V(live, t));
  }
  const Isa op = wide ? pick(t, Isa::vgatherqpd, Isa::vgatherqps) : pick(t, Isa::vgatherdpd, Isa::vgatherdps);
  as_.emit(op, V(r, t), m, V(live, t));
}

// Lane by lane on both targets: hardware scatters are no faster.
void Emitter::scatter(uint32_t i) {
  const KInstr& d = in(i);
  const KType t = d.type, ti = type(d.c);
  if (t == KType::mask) return store_mask_lanes(i);
  if (d.memory != KMem::own) return store_narrow(i);
  const int bytes = bytes_of(t);
  as_.emit(Isa::vmovups, spill(unit_.scratch(0)), V(use(d.d), t));
  as_.emit(Isa::vmovups, spill(unit_.scratch(1)), V(use(d.c), ti));
  const x86::Mem first = pointer(d.a, d.imm);
  const x86::Gp base = first.baseReg().as<x86::Gp>();
  const auto offset = static_cast<int32_t>(first.offset());
  const int index = temp_gpr(), x = temp_gpr();
  const asmjit::Label done = as_.label();
  for (int l = 0; l < lanes_; ++l) {
    stop_at_tail(l, done);
    index_of_lane(ti, l, index);
    const x86::Gp element = bytes == 8 ? G(x) : E(x);
    as_.emit(Isa::mov, element, in_scratch(0, l, bytes));
    as_.emit(Isa::mov, x86::ptr(base, G(index), shift_of(bytes), offset), element);
  }
  as_.bind(done);
}

}  // namespace jot::cpu
