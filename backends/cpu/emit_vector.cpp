// Vector and mask instructions.
#include <algorithm>

#include "backends/cpu/emit.h"
#include "jot/error.h"

namespace jot::cpu {

namespace {

bool is_float(KType t) { return t == KType::f32 || t == KType::f64; }
bool is_wide(KType t) { return bytes_of(t) == 8; }

std::string repeated(uint64_t bits, int element, int bytes) {
  std::string s;
  while (static_cast<int>(s.size()) < bytes)
    s.append(reinterpret_cast<const char*>(&bits), static_cast<size_t>(element));
  return s;
}

}  // namespace

// A constant as a memory operand: one element, broadcast (EVEX), or the whole vector.
x86::Mem BodyEmitter::constant(const KInstr& c, bool broadcast) {
  int size = bytes_of(c.type);
  auto bits = static_cast<uint64_t>(c.imm);
  if (!broadcast || !unit_.avx512 || lanes_ == 1) {
    x86::Mem m = unit_.data(repeated(bits, size, lanes_ == 1 ? (broadcast ? size : 16) : lanes_ * size));
    return m;
  }
  x86::Mem m = unit_.data(repeated(bits, size, size));
  m.setBroadcast(lanes_ == 16  ? x86::Mem::Broadcast::k1To16
                 : lanes_ == 8 ? x86::Mem::Broadcast::k1To8
                               : x86::Mem::Broadcast::k1To4);
  return m;
}

// Calls emit with v as a register, or as a memory operand where that saves a load. `memory_allowed`: the instruction
// has one of v's element (broadcast on EVEX) and, with one lane, reads just that element.
template <class Emit>
void BodyEmitter::with_source(uint32_t v, bool memory_allowed, Emit emit) {
  const Where& w = where_[v];
  if (w.reg < 0 && memory_allowed) {
    if (in(v).op == KOp::constant && in(v).imm != 0) return emit(constant(in(v), true));
    if (w.stored && w.next == Uses::kNever) return emit(spill(w.slot));
  }
  emit(V(use(v), type(v)));
}

void BodyEmitter::arithmetic(uint32_t i, Isa f64p, Isa f64s, Isa f32p, Isa f32s) {
  const KInstr& d = in(i);
  advance(i);
  Isa op = is_wide(d.type) ? (scalar_lanes() ? f64s : f64p) : scalar_lanes() ? f32s : f32p;
  uint32_t x = d.a, y = d.b;
  bool commutes = d.op == KOp::add || d.op == KOp::mul;
  if (commutes && where_[x].reg < 0 && in(x).op == KOp::constant) std::swap(x, y);
  int a = use(x);
  with_source(y, true, [&](const auto& source) {
    release(i);
    int r = define(i);
    as_.emit(op, V(r, d.type), V(a, d.type), source);
  });
}

void BodyEmitter::square_root(uint32_t i) {
  const KInstr& d = in(i);
  advance(i);
  int a = use(d.a);
  release(i);
  int r = define(i);
  if (scalar_lanes())
    as_.emit(is_wide(d.type) ? Isa::vsqrtsd : Isa::vsqrtss, V(r, d.type), V(a, d.type), V(a, d.type));
  else
    as_.emit(is_wide(d.type) ? Isa::vsqrtpd : Isa::vsqrtps, V(r, d.type), V(a, d.type));
}

namespace {

struct FmaForms {
  Isa f132, f213, f231;
};

#define JOT_FORMS(name, suffix) \
  FmaForms { Isa::name##132##suffix, Isa::name##213##suffix, Isa::name##231##suffix }
#define JOT_FMA(name) \
  { JOT_FORMS(name, pd), JOT_FORMS(name, sd), JOT_FORMS(name, ps), JOT_FORMS(name, ss) }
FmaForms fma_forms(KOp op, bool wide, bool scalar) {
  constexpr FmaForms table[3][4] = {JOT_FMA(vfmadd), JOT_FMA(vfnmadd), JOT_FMA(vfmsub)};
  return table[op == KOp::fma ? 0 : op == KOp::fnma ? 1 : 2][(wide ? 0 : 2) + scalar];
}
#undef JOT_FMA
#undef JOT_FORMS

}  // namespace

// +-a * b +- c. The form is chosen so that the result takes the register of an operand that dies.
void BodyEmitter::fma(uint32_t i) {
  const KInstr& d = in(i);
  advance(i);
  FmaForms f = fma_forms(d.op, is_wide(d.type), scalar_lanes());
  uint32_t a = d.a, b = d.b, c = d.c;
  auto in_memory = [&](uint32_t v) { return where_[v].reg < 0 && in(v).op == KOp::constant; };
  auto dies = [&](uint32_t v) { return where_[v].next == Uses::kNever && in(v).op != KOp::constant; };
  if (in_memory(a) || (!dies(a) && dies(b))) std::swap(a, b);
  auto finish = [&](int r) {
    release(i);
    where_[i] = {-1, -1, false, uses_.first[i]};
    bind(i, r);
  };
  if (dies(c)) {
    int rc = use(c), ra = use(a);
    return with_source(b, true, [&](const auto& source) {
      as_.emit(f.f231, V(rc, d.type), V(ra, d.type), source);
      finish(rc);
    });
  }
  if (dies(a)) {
    int ra = use(a);
    if (in_memory(b)) {
      int rc = use(c);
      as_.emit(f.f132, V(ra, d.type), V(rc, d.type), constant(in(b), true));
      return finish(ra);
    }
    int rb = use(b);
    return with_source(c, true, [&](const auto& source) {
      as_.emit(f.f213, V(ra, d.type), V(rb, d.type), source);
      finish(ra);
    });
  }
  int ra = use(a);
  if (in_memory(c)) {
    int rb = use(b), r = temp(vec);
    as_.emit(Isa::vmovaps, V(r, d.type), V(ra, d.type));
    as_.emit(f.f213, V(r, d.type), V(rb, d.type), constant(in(c), true));
    return finish(r);
  }
  int rc = use(c), r = temp(vec);
  as_.emit(Isa::vmovaps, V(r, d.type), V(rc, d.type));
  with_source(b, true, [&](const auto& source) { as_.emit(f.f231, V(r, d.type), V(ra, d.type), source); });
  finish(r);
}

// ---- integers and bits

void BodyEmitter::integer(uint32_t i) {
  const KInstr& d = in(i);
  bool wide = is_wide(d.type), packed = !scalar_lanes();
  auto simple = [&](Isa op) {
    advance(i);
    int a = use(d.a);
    with_source(d.b, packed, [&](const auto& source) {
      release(i);
      as_.emit(op, V(define(i), d.type), V(a, d.type), source);
    });
  };
  switch (d.op) {
    case KOp::add:
      return simple(wide ? Isa::vpaddq : Isa::vpaddd);
    case KOp::sub:
      return simple(wide ? Isa::vpsubq : Isa::vpsubd);
    case KOp::min:
      if (wide && !unit_.avx512) return slow(i);
      return simple(wide ? Isa::vpminsq : Isa::vpminsd);
    case KOp::max:
      if (wide && !unit_.avx512) return slow(i);
      return simple(wide ? Isa::vpmaxsq : Isa::vpmaxsd);
    case KOp::mulu32:
      return simple(Isa::vpmuludq);
    case KOp::mul:
      if (!wide) return simple(Isa::vpmulld);
      if (unit_.avx512) return simple(Isa::vpmullq);
      break;
    case KOp::neg: {
      advance(i);
      int a = use(d.a), z = temp(vec);
      zero(z, lanes_ * bytes_of(d.type));
      release(i);
      return as_.emit(wide ? Isa::vpsubq : Isa::vpsubd, V(define(i), d.type), V(z, d.type), V(a, d.type));
    }
    case KOp::abs: {
      if (wide && !unit_.avx512) return slow(i);
      advance(i);
      int a = use(d.a);
      release(i);
      return as_.emit(wide ? Isa::vpabsq : Isa::vpabsd, V(define(i), d.type), V(a, d.type));
    }
    default:
      return slow(i);
  }
  // AVX2 has 32 x 32 -> 64 products only: low * low + (high * low + low * high) << 32.
  advance(i);
  int a = use(d.a), b = use(d.b), t = temp(vec), u = temp(vec);
  auto R = [&](int r) { return V(r, d.type); };
  as_.emit(Isa::vpsrlq, R(t), R(a), asmjit::Imm(32));
  as_.emit(Isa::vpmuludq, R(t), R(t), R(b));
  as_.emit(Isa::vpsrlq, R(u), R(b), asmjit::Imm(32));
  as_.emit(Isa::vpmuludq, R(u), R(u), R(a));
  as_.emit(Isa::vpaddq, R(t), R(t), R(u));
  as_.emit(Isa::vpsllq, R(t), R(t), asmjit::Imm(32));
  as_.emit(Isa::vpmuludq, R(u), R(a), R(b));
  release(i);
  as_.emit(Isa::vpaddq, R(define(i)), R(t), R(u));
}

void BodyEmitter::bitwise(uint32_t i) {
  const KInstr& d = in(i);
  bool wide = is_wide(d.type);
  Isa op = d.op == KOp::andv   ? (wide ? Isa::vandpd : Isa::vandps)
           : d.op == KOp::orv  ? (wide ? Isa::vorpd : Isa::vorps)
           : d.op == KOp::xorv ? (wide ? Isa::vxorpd : Isa::vxorps)
                               : (wide ? Isa::vandnpd : Isa::vandnps);
  advance(i);
  int a = use(d.a);
  with_source(d.b, !scalar_lanes(), [&](const auto& source) {
    release(i);
    as_.emit(op, V(define(i), d.type), V(a, d.type), source);
  });
}

// neg and abs of floats: the sign bit.
void BodyEmitter::sign_op(uint32_t i) {
  const KInstr& d = in(i);
  bool wide = is_wide(d.type);
  uint64_t sign = wide ? uint64_t{1} << 63 : uint64_t{1} << 31;
  KInstr c{.op = KOp::constant, .type = d.type, .imm = static_cast<int64_t>(d.op == KOp::neg ? sign : sign - 1)};
  advance(i);
  int a = use(d.a);
  release(i);
  x86::Mem m = constant(c, !scalar_lanes());
  Isa op = d.op == KOp::neg ? (wide ? Isa::vxorpd : Isa::vxorps) : wide ? Isa::vandpd : Isa::vandps;
  as_.emit(op, V(define(i), d.type), V(a, d.type), m);
}

void BodyEmitter::round(uint32_t i) {
  const KInstr& d = in(i);
  advance(i);
  int a = use(d.a);
  release(i);
  Isa op = unit_.avx512 ? (is_wide(d.type) ? Isa::vrndscalepd : Isa::vrndscaleps)
                        : (is_wide(d.type) ? Isa::vroundpd : Isa::vroundps);
  as_.emit(op, V(define(i), d.type), V(a, d.type), asmjit::Imm(d.aux | 8));
}

void BodyEmitter::shift(uint32_t i) {
  const KInstr& d = in(i);
  bool wide = is_wide(d.type);
  if (wide && !unit_.avx512 && (d.op == KOp::sar || d.op == KOp::sarv)) return slow(i);
  advance(i);
  int a = use(d.a);
  if (d.op == KOp::shl || d.op == KOp::shr || d.op == KOp::sar) {
    Isa op = d.op == KOp::shl   ? (wide ? Isa::vpsllq : Isa::vpslld)
             : d.op == KOp::shr ? (wide ? Isa::vpsrlq : Isa::vpsrld)
                                : (wide ? Isa::vpsraq : Isa::vpsrad);
    release(i);
    return as_.emit(op, V(define(i), d.type), V(a, d.type), asmjit::Imm(d.imm));
  }
  Isa op = d.op == KOp::shlv   ? (wide ? Isa::vpsllvq : Isa::vpsllvd)
           : d.op == KOp::shrv ? (wide ? Isa::vpsrlvq : Isa::vpsrlvd)
                               : (wide ? Isa::vpsravq : Isa::vpsravd);
  int b = use(d.b);
  release(i);
  as_.emit(op, V(define(i), d.type), V(a, d.type), V(b, d.type));
}

// ---- masks

// AVX2: a mask has the width of the widest lanes; these make it fit lanes of type t, and back.
void BodyEmitter::narrow_mask(int to, int from, KType t) {
  int bytes = vector_bytes();
  if (lanes_ == 1 || t == KType::mask || bytes_of(t) == lane_bytes()) {
    if (to != from) as_.emit(Isa::vmovaps, V(to, bytes), V(from, bytes));
    return;
  }
  int high = temp(vec);
  as_.emit(Isa::vextractf128, V(high, 16), V(from, 32), asmjit::Imm(1));
  as_.emit(Isa::vshufps, V(to, 16), V(from, 16), V(high, 16), asmjit::Imm(0x88));
}
void BodyEmitter::widen_mask(int reg, KType t) {
  if (bytes_of(t) == lane_bytes()) return;
  as_.emit(Isa::vpmovsxdq, V(reg, vector_bytes()), V(reg, 16));
}

void BodyEmitter::compare(uint32_t i) {
  const KInstr& d = in(i);
  KType t = type(d.a);
  bool wide = is_wide(t), unordered = d.op == KOp::is_nan;
  uint32_t second = unordered ? d.a : d.b;
  advance(i);
  int a = use(d.a), b = use(second);
  constexpr int kFloat[] = {0x00, 0x04, 0x11, 0x12, 0x1e, 0x1d}, kInt[] = {0, 4, 1, 2, 6, 5};
  if (unit_.avx512) {
    release(i);
    int r = define(i);
    if (is_float(t)) {
      Isa op = scalar_lanes() ? (wide ? Isa::vcmpsd_k : Isa::vcmpss_k) : wide ? Isa::vcmppd_k : Isa::vcmpps_k;
      return as_.emit(op, K(r), V(a, t), V(b, t), asmjit::Imm(unordered ? 3 : kFloat[d.aux]));
    }
    if (scalar_lanes()) as_.masked(x86::k7, false);
    return as_.emit(wide ? Isa::vpcmpq_k : Isa::vpcmpd_k, K(r), V(a, t), V(b, t), asmjit::Imm(kInt[d.aux]));
  }
  int r = temp(vec);
  auto R = [&](int x) { return V(x, t); };
  if (is_float(t)) {
    as_.emit(wide ? Isa::vcmppd : Isa::vcmpps, R(r), R(a), R(b), asmjit::Imm(unordered ? 3 : kFloat[d.aux]));
  } else {
    auto cmp = static_cast<KCmp>(d.aux);
    bool equal = cmp == KCmp::eq || cmp == KCmp::ne, swapped = cmp == KCmp::lt || cmp == KCmp::ge;
    Isa op = equal ? (wide ? Isa::vpcmpeqq : Isa::vpcmpeqd) : wide ? Isa::vpcmpgtq : Isa::vpcmpgtd;
    as_.emit(op, R(r), R(swapped ? b : a), R(swapped ? a : b));
    if (cmp == KCmp::ne || cmp == KCmp::le || cmp == KCmp::ge) {
      int ones = temp(vec);
      as_.emit(Isa::vpcmpeqd, R(ones), R(ones), R(ones));
      as_.emit(Isa::vxorps, R(r), R(r), R(ones));
    }
  }
  widen_mask(r, t);
  release(i);
  where_[i] = {-1, -1, false, uses_.first[i]};
  bind(i, r);
}

void BodyEmitter::select(uint32_t i) {
  const KInstr& d = in(i);
  advance(i);
  int m = use(d.a), b = use(d.b), c = use(d.c);
  if (d.type == KType::mask && unit_.avx512) {
    as_.emit(Isa::kandnw, x86::k6, K(m), K(c));
    int t = temp(kreg);
    as_.emit(Isa::kandw, K(t), K(m), K(b));
    release(i);
    return as_.emit(Isa::korw, K(define(i)), K(t), x86::k6);
  }
  if (unit_.avx512) {
    release(i);
    int r = define(i);
    as_.masked(K(m), false);
    return as_.emit(is_wide(d.type) ? Isa::vblendmpd : Isa::vblendmps, V(r, d.type), V(c, d.type), V(b, d.type));
  }
  int narrow = m;
  if (d.type != KType::mask && lanes_ > 1 && bytes_of(d.type) != lane_bytes()) {
    narrow = temp(vec);
    narrow_mask(narrow, m, d.type);
  }
  release(i);
  int r = define(i);
  as_.emit(Isa::vblendvps, V(r, d.type), V(c, d.type), V(b, d.type), V(narrow, d.type));
}

void BodyEmitter::mask_op(uint32_t i) {
  const KInstr& d = in(i);
  advance(i);
  int a = use(d.a), b = d.op == KOp::mnot ? -1 : use(d.b);
  if (unit_.avx512) {
    release(i);
    int r = define(i);
    if (d.op == KOp::mnot) return as_.emit(Isa::knotw, K(r), K(a));
    Isa op = d.op == KOp::mand ? Isa::kandw : d.op == KOp::mor ? Isa::korw : Isa::kxorw;
    return as_.emit(op, K(r), K(a), K(b));
  }
  int bytes = vector_bytes();
  if (d.op == KOp::mnot) {
    int ones = temp(vec);
    as_.emit(Isa::vpcmpeqd, V(ones, bytes), V(ones, bytes), V(ones, bytes));
    release(i);
    return as_.emit(Isa::vxorps, V(define(i), bytes), V(a, bytes), V(ones, bytes));
  }
  release(i);
  Isa op = d.op == KOp::mand ? Isa::vandps : d.op == KOp::mor ? Isa::vorps : Isa::vxorps;
  as_.emit(op, V(define(i), bytes), V(a, bytes), V(b, bytes));
}

void BodyEmitter::mask_to_int(uint32_t i) {
  const KInstr& d = in(i);
  advance(i);
  int a = use(d.a);
  KInstr one{.op = KOp::constant, .type = d.type, .imm = 1};
  if (unit_.avx512) {
    release(i);
    int r = define(i);
    x86::Mem m = unit_.data(repeated(1, bytes_of(d.type), bytes_of(d.type)));
    as_.masked(K(a), true).emit(is_wide(d.type) ? Isa::vpbroadcastq : Isa::vpbroadcastd, V(r, d.type), m);
    return;
  }
  int narrow = temp(vec);
  narrow_mask(narrow, a, d.type);
  release(i);
  as_.emit(Isa::vandps, V(define(i), d.type), V(narrow, d.type), constant(one, false));
}

// The lanes of a mask that are live and true, as bits.
void BodyEmitter::mask_bits(uint32_t mask, const x86::Gp& to) {
  int m = where_[mask].reg;
  if (unit_.avx512) {
    if (tail_ || lanes_ == 1)
      as_.emit(Isa::kandw, x86::k6, K(m), x86::k7);
    else
      as_.emit(Isa::kmovw, x86::k6, K(m));
    as_.emit(Isa::kmovw, to.r32(), x86::k6);
    if (lanes_ < 16) as_.emit(Isa::and_, to.r32(), asmjit::Imm((1 << lanes_) - 1));
    return;
  }
  as_.emit(lane_bytes() == 8 ? Isa::vmovmskpd : Isa::vmovmskps, to.r32(), V(m, vector_bytes()));
  if (lanes_ == 1) as_.emit(Isa::and_, to.r32(), asmjit::Imm(1));
  if (tail_) {
    as_.emit(Isa::push, x86::rbx);
    as_.emit(Isa::mov, x86::rbx, spill(live_slot_));
    as_.emit(Isa::bzhi, to.r32(), to.r32(), x86::ebx);
    as_.emit(Isa::pop, x86::rbx);
  }
}

void BodyEmitter::branch_if_any(uint32_t mask, const asmjit::Label& to) {
  int m = where_[mask].reg;
  if (unit_.avx512) {
    if (tail_ || lanes_ == 1)
      as_.emit(Isa::ktestw, K(m), x86::k7);
    else
      as_.emit(lanes_ == 16 ? Isa::kortestw : Isa::kortestb, K(m), K(m));
  } else {
    mask_bits(mask, x86::rax);
    as_.emit(Isa::test, x86::rax, x86::rax);
  }
  as_.emit(Isa::jne, to);
}

// ---- conversions

void BodyEmitter::convert(uint32_t i) {
  const KInstr& d = in(i);
  KType from = type(d.a), to = d.type;
  auto unary = [&](Isa op) {
    advance(i);
    int a = use(d.a);
    release(i);
    as_.emit(op, V(define(i), to), V(a, from));
  };
  auto is = [&](KType a, KType b) { return from == a && to == b; };
  using enum KType;
  if (is(i32, i64)) return unary(Isa::vpmovsxdq);
  if (is(i32, f32)) return unary(Isa::vcvtdq2ps);
  if (is(i32, f64)) return unary(Isa::vcvtdq2pd);
  if (is(f32, f64)) return unary(Isa::vcvtps2pd);
  if (is(f64, f32)) return unary(Isa::vcvtpd2ps);
  if (is(f32, i32)) return unary(Isa::vcvttps2dq);
  if (is(f64, i32)) return unary(Isa::vcvttpd2dq);
  if (unit_.avx512) {
    if (is(i64, i32)) return unary(Isa::vpmovqd);
    if (is(i64, f64)) return unary(Isa::vcvtqq2pd);
    if (is(i64, f32)) return unary(Isa::vcvtqq2ps);
    if (is(f64, i64)) return unary(Isa::vcvttpd2qq);
    if (is(f32, i64)) return unary(Isa::vcvttps2qq);
  }
  slow(i);
}

// ---- reductions

void BodyEmitter::reduce(uint32_t i) {
  const KInstr& d = in(i);
  bool wide = is_wide(d.type);
  auto kind = static_cast<KReduce>(d.aux);
  advance(i);
  int a = use(d.a), r = temp(vec), t = temp(vec), m = temp(vec);
  int bytes = lanes_ * bytes_of(d.type);
  as_.emit(Isa::vmovaps, V(r, bytes), V(a, bytes));
  auto combine = [&](int width) {  // r = r op t on `width` bytes
    auto R = V(r, width), T = V(t, width), M = V(m, width);
    if (kind == KReduce::sum) {
      Isa op = is_float(d.type) ? (wide ? Isa::vaddpd : Isa::vaddps) : wide ? Isa::vpaddq : Isa::vpaddd;
      return as_.emit(op, R, R, T);
    }
    bool least = kind == KReduce::min;
    if (is_float(d.type)) {  // the instruction gives T where either is NaN: put R back where R is
      as_.emit(least ? (wide ? Isa::vminpd : Isa::vminps) : wide ? Isa::vmaxpd : Isa::vmaxps, M, R, T);
      if (unit_.avx512) {
        as_.emit(wide ? Isa::vcmppd_k : Isa::vcmpps_k, x86::k6, R, R, asmjit::Imm(3));
        as_.masked(x86::k6, false).emit(wide ? Isa::vblendmpd : Isa::vblendmps, R, M, R);
      } else {
        as_.emit(wide ? Isa::vcmppd : Isa::vcmpps, T, R, R, asmjit::Imm(3));
        as_.emit(Isa::vblendvps, R, M, R, T);
      }
      return;
    }
    if (!wide) return as_.emit(least ? Isa::vpminsd : Isa::vpmaxsd, R, R, T);
    if (unit_.avx512) return as_.emit(least ? Isa::vpminsq : Isa::vpmaxsq, R, R, T);
    as_.emit(Isa::vpcmpgtq, M, R, T);
    if (least)
      as_.emit(Isa::vblendvpd, R, R, T, M);
    else
      as_.emit(Isa::vblendvpd, R, T, R, M);
  };
  if (bytes == 64) {
    as_.emit(Isa::vextractf64x4, V(t, 32), V(r, 64), asmjit::Imm(1));
    combine(32);
  }
  if (bytes >= 32) {
    if (unit_.avx512)
      as_.emit(Isa::vextractf64x2, V(t, 16), V(r, 32), asmjit::Imm(1));
    else
      as_.emit(Isa::vextractf128, V(t, 16), V(r, 32), asmjit::Imm(1));
    combine(16);
  }
  if (lanes_ > 1) {
    as_.emit(Isa::vpermilpd, V(t, 16), V(r, 16), asmjit::Imm(1));
    combine(16);
    if (!wide) {
      as_.emit(Isa::vpermilps, V(t, 16), V(r, 16), asmjit::Imm(1));
      combine(16);
    }
    as_.emit(wide ? Isa::vbroadcastsd : Isa::vbroadcastss, V(r, bytes), V(r, 16));
  }
  release(i);
  where_[i] = {-1, -1, false, uses_.first[i]};
  bind(i, r);
}

// ---- dispatch

void BodyEmitter::instruction(uint32_t i) {
  const KInstr& d = in(i);
  const bool floating = is_float(d.type);
  switch (d.op) {
    case KOp::arg:
    case KOp::iconst:
    case KOp::iadd:
    case KOp::isub:
    case KOp::imul:
    case KOp::imuli:
    case KOp::imin:
    case KOp::constant:
    case KOp::mask_const:
    case KOp::lane_index:
      return scalar_op(i);
    case KOp::load:
      return load(i);
    case KOp::load_bcast:
      return load_bcast(i);
    case KOp::load_one:
      return load_one(i);
    case KOp::load_strided:
    case KOp::store_strided:
    case KOp::scatter:
      return by_lane(i);
    case KOp::gather:
      return gather(i);
    case KOp::load_rows:
      return load_rows(i);
    case KOp::row:
      return;
    case KOp::store:
      return store(i);
    case KOp::store_one:
      return store_one(i);
    case KOp::store_rows:
      return store_rows(i);
    case KOp::broadcast: {
      advance(i);
      int a = use(d.a);
      release(i);
      int r = define(i);
      bool wide = is_wide(d.type);
      if (unit_.avx512)
        return wide ? as_.emit(Isa::vpbroadcastq_r, V(r, d.type), G(a))
                    : as_.emit(Isa::vpbroadcastd_r, V(r, d.type), G(a).r32());
      as_.emit(Isa::vmovq, V(r, 16), G(a));
      return as_.emit(wide ? Isa::vpbroadcastq : Isa::vpbroadcastd, V(r, d.type), V(r, 16));
    }
    case KOp::add:
      if (!floating) return integer(i);
      return arithmetic(i, Isa::vaddpd, Isa::vaddsd, Isa::vaddps, Isa::vaddss);
    case KOp::sub:
      if (!floating) return integer(i);
      return arithmetic(i, Isa::vsubpd, Isa::vsubsd, Isa::vsubps, Isa::vsubss);
    case KOp::mul:
      if (!floating) return integer(i);
      return arithmetic(i, Isa::vmulpd, Isa::vmulsd, Isa::vmulps, Isa::vmulss);
    case KOp::div:
      return arithmetic(i, Isa::vdivpd, Isa::vdivsd, Isa::vdivps, Isa::vdivss);
    case KOp::min:
      if (!floating) return integer(i);
      return arithmetic(i, Isa::vminpd, Isa::vminsd, Isa::vminps, Isa::vminss);
    case KOp::max:
      if (!floating) return integer(i);
      return arithmetic(i, Isa::vmaxpd, Isa::vmaxsd, Isa::vmaxps, Isa::vmaxss);
    case KOp::fma:
    case KOp::fnma:
    case KOp::fms:
      return fma(i);
    case KOp::sqrt:
      return square_root(i);
    case KOp::neg:
    case KOp::abs:
      return floating ? sign_op(i) : integer(i);
    case KOp::round:
      return round(i);
    case KOp::andv:
    case KOp::orv:
    case KOp::xorv:
    case KOp::andnot:
      return bitwise(i);
    case KOp::shl:
    case KOp::shr:
    case KOp::sar:
    case KOp::shlv:
    case KOp::shrv:
    case KOp::sarv:
      return shift(i);
    case KOp::mulu32:
      return integer(i);
    case KOp::popcnt:
      return slow(i);
    case KOp::convert:
      return convert(i);
    case KOp::bitcast:
    case KOp::var:
      return variable(i);
    case KOp::cmp:
    case KOp::is_nan:
      return compare(i);
    case KOp::select:
      return select(i);
    case KOp::mand:
    case KOp::mor:
    case KOp::mxor:
    case KOp::mnot:
      return mask_op(i);
    case KOp::mask_to_int:
      return mask_to_int(i);
    case KOp::reduce:
      return reduce(i);
    case KOp::set:
      return set(i);
    case KOp::fixup:
      return fixup(i);
    case KOp::call:
      return call(i);
    case KOp::check:
      return check(i);
    case KOp::input:
      where_[i] = {-1, -1, false, uses_.first[i]};
      return bind(i, 0);
    case KOp::output: {
      int a = use(d.a);
      if (a != 0) as_.emit(Isa::vmovaps, x86::xmm0, x86::xmm(static_cast<uint32_t>(a)));
      return;
    }
    default:
      internal_error("kernel op", info(d.op).name);
  }
}

}  // namespace jot::cpu
