// Angles far from zero: as many digits of 2 / pi as a double needs (Payne and Hanek 1983).
#include <array>

#include "backends/cpu/kernel/expansion.h"

namespace jot::cpu {

using Value = uint32_t;

namespace {

using E = const Expansion&;

// The digits of 2 / pi, in 32 bits each, that count for m 2^e: those before are multiples of 4 in the product. Of
// s = e + 32: the words from s / 32 - 2 on, moved up by s % 32 bits; two in each.
std::array<Value, 4> digits(E make, Value s) {
  auto& b = make.b;
  Value j = b.shr(s, 5), index = b.table_index(j);
  auto is_set = [&](int64_t bit) { return b.cmp(KCmp::ne, b.bit_and(j, make.integer(bit)), make.integer(0)); };
  Value second = is_set(8), upper = is_set(16);
  std::array<Value, 4> pairs;
  for (int q = 0; q < 4; ++q) {
    auto entry = [&](int row) { return make.entry(kTwoOverPiRows, 4 * q + row, index); };
    Value low = b.select(second, entry(1), entry(0)), high = b.select(second, entry(3), entry(2));
    pairs[static_cast<size_t>(q)] = b.bitcast(KType::i64, b.select(upper, high, low));
  }
  Value up = b.bit_and(s, make.integer(31)), down = b.sub(make.integer(64), up);
  for (size_t q = 0; q < 4; ++q) {
    Value moved = b.shlv(pairs[q], up);
    pairs[q] = q < 3 ? b.bit_or(moved, b.shrv(pairs[q + 1], down)) : moved;
  }
  return pairs;
}

constexpr int64_t kWord = 0xffffffff;

// m times the seven words of the digits, modulo 2^34: words from the lowest, in 32 bits each; the last has more.
std::array<Value, 7> product(E make, Value m, const std::array<Value, 4>& pairs) {
  auto& b = make.b;
  Value low = m, high = b.shr(m, 32), mask = make.integer(kWord);
  const std::array<Value, 7> g = {b.shr(pairs[3], 32), pairs[2], b.shr(pairs[2], 32), pairs[1],
                                  b.shr(pairs[1], 32), pairs[0], b.shr(pairs[0], 32)};
  std::array<Value, 7> words;
  Value carry = make.integer(0);
  for (size_t i = 0; i < 7; ++i) {
    Value first = b.mulu32(low, g[i]), sum = b.add(b.bit_and(first, mask), carry);
    words[i] = i < 6 ? b.bit_and(sum, mask) : sum;
    carry = b.add(b.add(b.shr(sum, 32), b.shr(first, 32)), b.mulu32(high, g[i]));
  }
  return words;
}

}  // namespace

// |x| = m 2^e. The product has two bits before the point, the quadrant, and 192 behind it: of the quadrant's middle or
// nearer, so that numbers beside a multiple of pi/2, of which no double is nearer than 2^-62, keep 70 bits.
Expansion::Turn Expansion::far_turn(Value x) const {
  const int64_t ones = (int64_t{1} << k.mantissa) - 1;
  Value bits = b.bitcast(k.bits, b.abs(x));
  Value m = b.bit_or(b.bit_and(bits, integer(ones)), integer(ones + 1));
  Value s = b.max(b.sub(b.shr(bits, k.mantissa), integer(k.bias + k.mantissa - 32)), integer(0));
  std::array<Value, 7> words = product(*this, m, digits(*this, s));
  Value half = b.shr(words[5], 31);
  Value quadrant = b.add(words[6], half);
  // Beyond the middle what is missing to the next one, less one unit of the last place.
  Value turned = b.neg(half), flip = b.bit_and(turned, integer(kWord));
  auto number_of = [&](size_t i, int power) {  // an integer below 2^32 as the low bits of 2^52
    Value w = b.bit_or(b.bit_xor(words[i], flip), b.bitcast(k.bits, number(0x1p52)));
    return b.mul(b.sub(b.bitcast(k.type, w), number(0x1p52)), number(std::ldexp(1.0, power)));
  };
  Value first = number_of(5, -32), second = number_of(4, -64), high = b.add(first, second);
  Value low =
      b.add(b.sub(second, b.sub(high, first)), b.add(number_of(3, -96), b.add(number_of(2, -128), number_of(1, -160))));
  Value sum = b.add(high, low);
  low = b.sub(low, b.sub(sum, high));
  Value r = b.mul(sum, number(k.half_pi[0]));
  Value lost = b.fma(low, number(k.half_pi[0]), b.fma(sum, number(k.half_pi[1]), b.fms(sum, number(k.half_pi[0]), r)));
  Value sign = b.bitcast(k.type, b.bit_and(turned, integer(sign_bit())));
  return {b.bit_xor(r, sign), b.bit_xor(lost, sign), quadrant};
}

}  // namespace jot::cpu
