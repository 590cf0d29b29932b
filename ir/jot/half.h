// Elements of 16 bits: float16 (IEEE binary16) and bfloat16 (the upper half of a float). From numbers to nearest even
// by way of float, as torch does; to float exactly; NaN stays NaN, quiet.
#pragma once
#include <bit>
#include <concepts>
#include <cstdint>

namespace jot {

namespace ir {

constexpr float f32_from_f16(uint16_t h) {
  const uint32_t sign = uint32_t{h & 0x8000u} << 16, exponent = (h >> 10) & 0x1f, mantissa = h & 0x3ff;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000 | mantissa << 13 | (mantissa ? 0x400000 : 0));
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
  const float tiny = static_cast<float>(mantissa) * 0x1p-24f;  // exact
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(tiny));
}

constexpr uint16_t f16_from_f32(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x), magnitude = bits & 0x7fffffff;
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  if (magnitude > 0x7f800000) return static_cast<uint16_t>(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
  if (magnitude >= 0x47800000) return static_cast<uint16_t>(sign | 0x7c00);  // 2^16 and more
  if (magnitude < 0x38800000) {                                              // below 2^-14: adding rounds to 2^-24
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000));
  }
  const uint32_t rounded = magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1);
  return static_cast<uint16_t>(sign | rounded >> 13);
}

constexpr float f32_from_bf16(uint16_t h) { return std::bit_cast<float>(uint32_t{h} << 16); }

constexpr uint16_t bf16_from_f32(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x), upper = bits >> 16;
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>(upper | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (upper & 1)) >> 16);
}

}  // namespace ir

struct float16 {
  uint16_t bits = 0;
  float16() = default;
  template <std::convertible_to<float> T>
  explicit constexpr float16(T x) : bits(ir::f16_from_f32(static_cast<float>(x))) {}
  constexpr operator float() const { return ir::f32_from_f16(bits); }  // NOLINT: implicit by design
};

struct bfloat16 {
  uint16_t bits = 0;
  bfloat16() = default;
  template <std::convertible_to<float> T>
  explicit constexpr bfloat16(T x) : bits(ir::bf16_from_f32(static_cast<float>(x))) {}
  constexpr operator float() const { return ir::f32_from_bf16(bits); }  // NOLINT: implicit by design
};

}  // namespace jot
