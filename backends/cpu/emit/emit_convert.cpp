// Conversions between types.
#include "backends/cpu/emit/emitter.h"
#include "jot/error.h"

namespace jot::cpu {

void Emitter::convert(uint32_t i) {
  const KInstr& d = in(i);
  const KType from = type(d.a), to = d.type;
  if (from == to || (single() && from == KType::i64 && to == KType::i32)) {
    al_.define_from(i, al_.root(d.a));
    return;
  }
  const bool i64_float = (from == KType::i64 && is_float(to)) || (is_float(from) && to == KType::i64);
  if (i64_float && !avx512_) return convert_lanes(i);
  const int a = use(d.a);
  if (from == KType::i64 && to == KType::i32 && !avx512_) {
    const int high = temp();
    as_.emit(Isa::vextractf128, X(high), Y(a), asmjit::Imm(1));
    al_.release_operands();
    return as_.emit(Isa::vshufps, X(al_.define(i)), X(a), X(high), asmjit::Imm(0x88));
  }
  al_.release_operands();
  const int r = al_.define(i);
  auto emit = [&](Isa op) { as_.emit(op, V(r, to), V(a, from)); };
  switch (from) {
    case KType::i32:
      return emit(to == KType::i64 ? Isa::vpmovsxdq : to == KType::f64 ? Isa::vcvtdq2pd : Isa::vcvtdq2ps);
    case KType::i64:
      return emit(to == KType::i32 ? Isa::vpmovqd : to == KType::f64 ? Isa::vcvtqq2pd : Isa::vcvtqq2ps);
    case KType::f32:
      return emit(to == KType::f64 ? Isa::vcvtps2pd : to == KType::i32 ? Isa::vcvttps2dq : Isa::vcvttps2qq);
    case KType::f64:
      return emit(to == KType::f32 ? Isa::vcvtpd2ps : to == KType::i32 ? Isa::vcvttpd2dq : Isa::vcvttpd2qq);
    default:
      internal_error("a conversion of vectors", name(from));
  }
}

// AVX2 converts no 64-bit integers in vectors.
void Emitter::convert_lanes(uint32_t i) {
  const KInstr& d = in(i);
  const KType from = type(d.a), to = d.type;
  const int in_bytes = bytes_of(from), out_bytes = bytes_of(to);
  const int32_t source = unit_.scratch(0), result = unit_.scratch(1);
  const int a = use(d.a), x = temp(), g = temp_gpr();
  as_.emit(Isa::vmovups, spill(source), V(a, from));
  if (is_float(to)) zero(x, 16);
  for (int l = 0; l < lanes_; ++l) {
    x86::Mem m = spill(source + l * in_bytes), out = spill(result + l * out_bytes);
    m.setSize(static_cast<uint32_t>(in_bytes));
    if (is_float(to)) {
      as_.emit(pick(to, Isa::vcvtsi2sd, Isa::vcvtsi2ss), X(x), X(x), m);
      store_vector(out, x, out_bytes);
    } else {
      as_.emit(pick(from, Isa::vcvttsd2si, Isa::vcvttss2si), G(g), m);
      as_.emit(Isa::mov, out, G(g));
    }
  }
  al_.release_operands();
  load_vector(al_.define(i), spill(result), single() ? out_bytes : width(to));
}

}  // namespace jot::cpu
