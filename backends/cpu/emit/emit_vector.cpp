// Arithmetic.
#include <algorithm>

#include "backends/cpu/emit/emitter.h"
#include "backends/cpu/kernel/math_rows.h"
#include "jot/error.h"

namespace jot::cpu {
namespace {

struct Packed {
  Isa pd, ps, sd, ss;  // of f64, f32
};
Packed float_op(KOp op) {
  switch (op) {
    case KOp::add:
      return {Isa::vaddpd, Isa::vaddps, Isa::vaddsd, Isa::vaddss};
    case KOp::sub:
      return {Isa::vsubpd, Isa::vsubps, Isa::vsubsd, Isa::vsubss};
    case KOp::mul:
      return {Isa::vmulpd, Isa::vmulps, Isa::vmulsd, Isa::vmulss};
    case KOp::div:
      return {Isa::vdivpd, Isa::vdivps, Isa::vdivsd, Isa::vdivss};
    case KOp::min:
      return {Isa::vminpd, Isa::vminps, Isa::vminsd, Isa::vminss};
    case KOp::max:
      return {Isa::vmaxpd, Isa::vmaxps, Isa::vmaxsd, Isa::vmaxss};
    default:
      internal_error("arithmetic on floats", info(op).name);
  }
}

struct Integer {
  Isa q, d;  // of i64, i32
};
Integer integer_op(KOp op) {
  switch (op) {
    case KOp::add:
      return {Isa::vpaddq, Isa::vpaddd};
    case KOp::sub:
      return {Isa::vpsubq, Isa::vpsubd};
    case KOp::mul:
      return {Isa::vpmullq, Isa::vpmulld};
    case KOp::min:
      return {Isa::vpminsq, Isa::vpminsd};
    case KOp::max:
      return {Isa::vpmaxsq, Isa::vpmaxsd};
    case KOp::mulu32:
      return {Isa::vpmuludq, Isa::vpmuludq};
    case KOp::andv:
      return {Isa::vandpd, Isa::vandps};
    case KOp::orv:
      return {Isa::vorpd, Isa::vorps};
    case KOp::xorv:
      return {Isa::vxorpd, Isa::vxorps};
    case KOp::andnot:
      return {Isa::vandnpd, Isa::vandnps};
    default:
      internal_error("arithmetic on integers", info(op).name);
  }
}

bool bitwise(KOp op) { return op == KOp::andv || op == KOp::orv || op == KOp::xorv || op == KOp::andnot; }
bool commutes(KOp op, KType t) {
  switch (op) {
    case KOp::add:
    case KOp::mul:
    case KOp::mulu32:
    case KOp::andv:
    case KOp::orv:
    case KOp::xorv:
      return true;
    case KOp::min:
    case KOp::max:
      return !is_float(t);
    default:
      return false;
  }
}

struct FmaForms {
  Isa f132, f213, f231;
};
#define JOT_FORMS(name, suffix) \
  FmaForms { Isa::name##132##suffix, Isa::name##213##suffix, Isa::name##231##suffix }
#define JOT_FMA(name) \
  { JOT_FORMS(name, pd), JOT_FORMS(name, sd), JOT_FORMS(name, ps), JOT_FORMS(name, ss) }
const FmaForms& fma_forms(KOp op, bool wide, bool one_lane) {
  static constexpr FmaForms table[3][4] = {JOT_FMA(vfmadd), JOT_FMA(vfnmadd), JOT_FMA(vfmsub)};
  return table[op == KOp::fma ? 0 : op == KOp::fnma ? 1 : 2][(wide ? 0 : 2) + one_lane];
}
#undef JOT_FMA
#undef JOT_FORMS

}  // namespace

void Emitter::binary(uint32_t i) {
  const KInstr& d = in(i);
  const KType t = d.type;
  if (!avx512_ && t == KType::i64) {
    if (d.op == KOp::mul || d.op == KOp::min || d.op == KOp::max) {
      const int a = use(d.a), b = use(d.b), r = temp();
      combine(d.op, t, width(t), r, a, b, d.op == KOp::mul ? temp() : -1);
      return al_.adopt(i, r);
    }
  }
  uint32_t x = d.a, y = d.b;
  if (commutes(d.op, t) && in_memory(x) && !in_memory(y)) std::swap(x, y);
  const bool floating = is_float(t) && !bitwise(d.op);
  const int a = use(x);
  const asmjit::Operand b = source(y, floating && single());
  Isa op;
  if (floating) {
    const Packed f = float_op(d.op);
    op = pick(t, f.pd, f.ps, f.sd, f.ss);
  } else {
    const Integer n = integer_op(d.op);
    op = pick(t, n.q, n.d);
  }
  al_.release_operands();
  as_.emit(op, V(al_.define(i), t), V(a, t), b);
}

// to = a op b of any width. AVX2 has no 64-bit minimum and product: then `to` is neither a nor b, and a product needs a
// spare register.
void Emitter::combine(KOp op, KType t, int bytes, int to, int a, int b, int spare) {
  auto R = [&](int r) { return vector_register(r, bytes); };
  if (is_float(t)) return as_.emit(pick(t, float_op(op).pd, float_op(op).ps), R(to), R(a), R(b));
  if (avx512_ || t == KType::i32 || op == KOp::add)
    return as_.emit(pick(t, integer_op(op).q, integer_op(op).d), R(to), R(a), R(b));
  if (op == KOp::mul) return multiply_i64(bytes, to, a, b, spare);
  as_.emit(Isa::vpcmpgtq, R(to), R(a), R(b));
  const bool least = op == KOp::min;
  as_.emit(Isa::vblendvpd, R(to), R(least ? a : b), R(least ? b : a), R(to));
}

// AVX2 has 32 x 32 -> 64 bit products only: low * low + (high * low + low * high) << 32.
void Emitter::multiply_i64(int bytes, int to, int a, int b, int spare) {
  auto R = [&](int r) { return vector_register(r, bytes); };
  as_.emit(Isa::vpsrlq, R(to), R(a), asmjit::Imm(32));
  as_.emit(Isa::vpmuludq, R(to), R(to), R(b));
  as_.emit(Isa::vpsrlq, R(spare), R(b), asmjit::Imm(32));
  as_.emit(Isa::vpmuludq, R(spare), R(spare), R(a));
  as_.emit(Isa::vpaddq, R(to), R(to), R(spare));
  as_.emit(Isa::vpsllq, R(to), R(to), asmjit::Imm(32));
  as_.emit(Isa::vpmuludq, R(spare), R(a), R(b));
  as_.emit(Isa::vpaddq, R(to), R(to), R(spare));
}

// The result overwrites one factor or the addend: one that dies, else one that is loaded or copied for it.
void Emitter::fma(uint32_t i) {
  const KInstr& d = in(i);
  const FmaForms& form = fma_forms(d.op, is_wide(d.type), single());
  uint32_t a = al_.root(d.a), b = al_.root(d.b), c = al_.root(d.c);
  auto free = [&](uint32_t v) { return al_.reg(v) >= 0 && al_.dies(v); };
  bool addend = true;
  if (free(c)) {
    addend = true;
  } else if (free(a) || free(b)) {
    addend = false;
    if (!free(a)) std::swap(a, b);
  } else if (!in_memory(c) && (in_memory(a) || in_memory(b))) {
    addend = false;
    if (!in_memory(a)) std::swap(a, b);
  }
  auto R = [&](int r) { return V(r, d.type); };
  if (addend) {  // c += a * b
    if (in_memory(a) && !in_memory(b)) std::swap(a, b);
    const int x = al_.use(a);
    const asmjit::Operand y = source(b, single());
    return as_.emit(form.f231, R(al_.define_from(i, c)), R(x), y);
  }
  if (in_memory(b) && !in_memory(c)) {
    const int z = al_.use(c);
    const asmjit::Operand y = source(b, single());
    return as_.emit(form.f132, R(al_.define_from(i, a)), R(z), y);
  }
  const int y = al_.use(b);
  const asmjit::Operand z = source(c, single());
  as_.emit(form.f213, R(al_.define_from(i, a)), R(y), z);
}

void Emitter::unary(uint32_t i) {
  const KInstr& d = in(i);
  const KType t = d.type;
  const uint64_t sign = is_wide(t) ? uint64_t{1} << 63 : uint64_t{1} << 31;
  const int a = use(d.a);
  auto R = [&](int r) { return V(r, t); };
  auto result = [&] {
    al_.release_operands();
    return R(al_.define(i));
  };
  if (d.op == KOp::sqrt) {
    if (single()) return as_.emit(pick(t, Isa::vsqrtsd, Isa::vsqrtss), result(), R(a), R(a));
    return as_.emit(pick(t, Isa::vsqrtpd, Isa::vsqrtps), result(), R(a));
  }
  if (d.op == KOp::round) {
    const asmjit::Imm mode(d.aux | 8);
    if (avx512_) return as_.emit(pick(t, Isa::vrndscalepd, Isa::vrndscaleps), result(), R(a), mode);
    return as_.emit(pick(t, Isa::vroundpd, Isa::vroundps), result(), R(a), mode);
  }
  if (is_float(t)) {
    const bool negate = d.op == KOp::neg;
    const x86::Mem bits = constant(negate ? sign : sign - 1, t, false);
    const Isa op = negate ? pick(t, Isa::vxorpd, Isa::vxorps) : pick(t, Isa::vandpd, Isa::vandps);
    return as_.emit(op, result(), R(a), bits);
  }
  if (d.op == KOp::abs && (avx512_ || t == KType::i32))
    return as_.emit(pick(t, Isa::vpabsq, Isa::vpabsd), result(), R(a));
  const int z = temp();
  zero(z, width(t));
  if (d.op == KOp::neg) return as_.emit(pick(t, Isa::vpsubq, Isa::vpsubd), result(), R(z), R(a));
  as_.emit(Isa::vpcmpgtq, R(z), R(z), R(a));  // (a ^ sign) - sign
  const int x = temp();
  as_.emit(Isa::vxorpd, R(x), R(a), R(z));
  as_.emit(Isa::vpsubq, R(x), R(x), R(z));
  al_.adopt(i, x);
}

void Emitter::shift(uint32_t i) {
  const KInstr& d = in(i);
  const KType t = d.type;
  auto R = [&](int r) { return V(r, t); };
  const bool variable = d.op == KOp::shlv || d.op == KOp::shrv || d.op == KOp::sarv;
  const bool arithmetic = d.op == KOp::sar || d.op == KOp::sarv;
  const int a = use(d.a);
  if (arithmetic && t == KType::i64 && !avx512_) {  // ((a ^ sign) >> n) ^ sign, logical
    const asmjit::Operand n = variable ? source(d.b, false) : asmjit::Operand(asmjit::Imm(d.imm));
    const int sign = temp(), x = temp();
    zero(sign, width(t));
    as_.emit(Isa::vpcmpgtq, R(sign), R(sign), R(a));
    as_.emit(Isa::vxorpd, R(x), R(a), R(sign));
    as_.emit(variable ? Isa::vpsrlvq : Isa::vpsrlq, R(x), R(x), n);
    as_.emit(Isa::vxorpd, R(x), R(x), R(sign));
    return al_.adopt(i, x);
  }
  if (variable) {
    const asmjit::Operand n = source(d.b, false);
    al_.release_operands();
    const Isa op = d.op == KOp::shlv   ? pick(t, Isa::vpsllvq, Isa::vpsllvd)
                   : d.op == KOp::shrv ? pick(t, Isa::vpsrlvq, Isa::vpsrlvd)
                                       : pick(t, Isa::vpsravq, Isa::vpsravd);
    return as_.emit(op, R(al_.define(i)), R(a), n);
  }
  al_.release_operands();
  const Isa op = d.op == KOp::shl   ? pick(t, Isa::vpsllq, Isa::vpslld)
                 : d.op == KOp::shr ? pick(t, Isa::vpsrlq, Isa::vpsrld)
                                    : pick(t, Isa::vpsraq, Isa::vpsrad);
  as_.emit(op, R(al_.define(i)), R(a), asmjit::Imm(d.imm));
}

// Bits of each half byte by table, then summed up.
void Emitter::popcnt(uint32_t i) {
  const KInstr& d = in(i);
  auto R = [&](int r) { return V(r, d.type); };
  const int bytes = width(d.type), a = use(d.a), low = temp(), high = temp(), table = temp();
  const x86::Mem nibble = unit_.repeated(0x0f0f0f0f, 4, bytes);
  std::string counts;
  for (int at = 0; at < bytes; at += 16) counts += std::string("\0\1\1\2\1\2\2\3\1\2\2\3\2\3\3\4", 16);
  as_.emit(Isa::vmovups, R(table), unit_.data(counts, bytes));
  as_.emit(Isa::vpsrld, R(high), R(a), asmjit::Imm(4));
  as_.emit(Isa::vandps, R(high), R(high), nibble);
  as_.emit(Isa::vandps, R(low), R(a), nibble);
  as_.emit(Isa::vpshufb, R(low), R(table), R(low));
  as_.emit(Isa::vpshufb, R(high), R(table), R(high));
  as_.emit(Isa::vpaddb, R(low), R(low), R(high));
  if (is_wide(d.type)) {
    zero(high, bytes);
    as_.emit(Isa::vpsadbw, R(low), R(low), R(high));
  } else {
    as_.emit(Isa::vpmaddubsw, R(low), R(low), unit_.repeated(0x01010101, 4, bytes));
    as_.emit(Isa::vpmaddwd, R(low), R(low), unit_.repeated(0x00010001, 4, bytes));
  }
  al_.adopt(i, low);
}

// AVX2 takes entries of 8 bytes as pairs of 4: the halves of lane l get 2 a and 2 a + 1, and the sign bit of bit 2 of
// a.
void Emitter::table_index(uint32_t i) {
  const KInstr& d = in(i);
  if (avx512_ || !is_wide(d.type)) {
    al_.define_from(i, al_.root(d.a));
    return;
  }
  const int a = use(d.a), x = temp(), sign = temp();
  auto R = [&](int r) { return V(r, d.type); };
  const int bytes = width(d.type);
  as_.emit(Isa::vpermilps, R(x), R(a), asmjit::Imm(0xa0));
  as_.emit(Isa::vpslld, R(sign), R(x), asmjit::Imm(29));
  as_.emit(Isa::vpaddd, R(x), R(x), R(x));
  as_.emit(Isa::vandps, R(x), R(x), unit_.repeated(6, 4, bytes));
  as_.emit(Isa::vorps, R(x), R(x), unit_.repeated(uint64_t{1} << 32, 8, bytes));
  as_.emit(Isa::vorps, R(x), R(x), R(sign));
  al_.adopt(i, x);
}

// The row is a memory operand, repeated where a vector is longer. Lanes above those of the kernel mean nothing.
void Emitter::lookup(uint32_t i) {
  const KInstr& d = in(i);
  const int entry = bytes_of(d.type), row = kRowEntries * entry, a = use(d.a);
  const int bytes = avx512_ ? std::max(row, width(d.type)) : 32;
  const std::string table = packed(std::max(row, bytes) / entry, entry, [&](int at) {
    return row_bits(d.type, d.imm, static_cast<uint64_t>(at % kRowEntries));
  });
  auto R = [&](int r) { return vector_register(r, bytes); };
  if (row <= bytes) {
    al_.release_operands();
    return as_.emit(pick(d.type, Isa::vpermpd, Isa::vpermps), R(al_.define(i)), R(a), unit_.data(table, bytes));
  }
  const int low = temp(), high = temp();
  as_.emit(Isa::vpermps, R(low), R(a), unit_.data(table.substr(0, 32), bytes));
  as_.emit(Isa::vpermps, R(high), R(a), unit_.data(table.substr(32), bytes));
  as_.emit(Isa::vblendvps, R(low), R(low), R(high), R(a));
  al_.adopt(i, low);
}

void Emitter::broadcast(uint32_t i) {
  const KInstr& d = in(i);
  const KType t = d.type;
  const int a = use(d.a);
  al_.release_operands();
  const int r = al_.define(i);
  if (avx512_ && !single()) {
    if (is_wide(t)) return as_.emit(Isa::vpbroadcastq_r, V(r, t), G(a));
    return as_.emit(Isa::vpbroadcastd_r, V(r, t), E(a));
  }
  if (is_wide(t))
    as_.emit(Isa::vmovq, X(r), G(a));
  else
    as_.emit(Isa::vmovd, X(r), E(a));
  if (!single()) as_.emit(pick(t, Isa::vpbroadcastq, Isa::vpbroadcastd), V(r, t), X(r));
}

// Halves the vector until one lane is left; lane i meets lane i + n / 2.
void Emitter::reduce(uint32_t i) {
  const KInstr& d = in(i);
  const KType t = d.type;
  const auto op = static_cast<KOp>(d.aux);
  if (single()) {
    al_.define_from(i, al_.root(d.a));
    return;
  }
  int x = use(d.a);
  const int upper = temp();
  const int spare = op == KOp::mul ? temp() : -1;
  int y = temp(), z = temp();
  for (int bytes = width(t); bytes > bytes_of(t); bytes /= 2) {
    const int half = std::max(bytes / 2, 16);
    if (bytes > 16)
      extract_half(upper, x, bytes);
    else if (bytes == 16)
      as_.emit(Isa::vpermilpd, X(upper), X(x), asmjit::Imm(1));
    else
      as_.emit(Isa::vpermilps, X(upper), X(x), asmjit::Imm(1));
    combine(op, t, half, y, x, upper, spare);
    if (op == KOp::min && is_float(t)) {  // the two minima are NaN, or -0, where either operand is
      auto R = [&](int r) { return vector_register(r, half); };
      combine(op, t, half, upper, upper, x);
      as_.emit(pick(t, Isa::vorpd, Isa::vorps), R(y), R(y), R(upper));
    }
    x = y;
    std::swap(y, z);
  }
  al_.release_operands();
  as_.emit(pick(t, Isa::vbroadcastsd, Isa::vbroadcastss), V(al_.define(i), t), X(x));
}

// The upper half of a vector of 32 or 64 bytes.
void Emitter::extract_half(int to, int from, int bytes) {
  const asmjit::Imm upper(1);
  if (bytes == 64) return as_.emit(Isa::vextractf64x4, Y(to), vector_register(from, 64), upper);
  as_.emit(avx512_ ? Isa::vextractf64x2 : Isa::vextractf128, X(to), Y(from), upper);
}

}  // namespace jot::cpu
