#include "backends/cpu/ship/c_parts.h"

#include <bit>
#include <charconv>
#include <cmath>

#include "backends/cpu/kernel/math_rows.h"
#include "jot/error.h"

namespace jot::cpu {

namespace {

struct Helper {
  std::string_view name, needs, text;  // needs: names, with spaces between
};

constexpr Helper kHelpers[] = {
    {"f64_of", "",
     "static double f64_of(uint64_t bits) {\n  union { uint64_t bits; double x; } u;\n  u.bits = bits;\n  return "
     "u.x;\n}\n"},
    {"bits_of_f64", "",
     "static uint64_t bits_of_f64(double x) {\n  union { double x; uint64_t bits; } u;\n  u.x = x;\n  return "
     "u.bits;\n}\n"},
    {"f32_of", "",
     "static float f32_of(uint32_t bits) {\n  union { uint32_t bits; float x; } u;\n  u.bits = bits;\n  return "
     "u.x;\n}\n"},
    {"bits_of_f32", "",
     "static uint32_t bits_of_f32(float x) {\n  union { float x; uint32_t bits; } u;\n  u.x = x;\n  return "
     "u.bits;\n}\n"},
    {"add_i64", "", "static int64_t add_i64(int64_t x, int64_t y) { return (int64_t)((uint64_t)x + (uint64_t)y); }\n"},
    {"sub_i64", "", "static int64_t sub_i64(int64_t x, int64_t y) { return (int64_t)((uint64_t)x - (uint64_t)y); }\n"},
    {"mul_i64", "", "static int64_t mul_i64(int64_t x, int64_t y) { return (int64_t)((uint64_t)x * (uint64_t)y); }\n"},
    {"add_i32", "", "static int32_t add_i32(int32_t x, int32_t y) { return (int32_t)((uint32_t)x + (uint32_t)y); }\n"},
    {"sub_i32", "", "static int32_t sub_i32(int32_t x, int32_t y) { return (int32_t)((uint32_t)x - (uint32_t)y); }\n"},
    {"mul_i32", "", "static int32_t mul_i32(int32_t x, int32_t y) { return (int32_t)((uint32_t)x * (uint32_t)y); }\n"},
    {"shl_i64", "",
     "static int64_t shl_i64(int64_t x, int64_t n) { return n >= 0 && n < 64 ? (int64_t)((uint64_t)x << n) : 0; }\n"},
    {"shr_i64", "",
     "static int64_t shr_i64(int64_t x, int64_t n) { return n >= 0 && n < 64 ? (int64_t)((uint64_t)x >> n) : 0; }\n"},
    {"sar_i64", "", "static int64_t sar_i64(int64_t x, int64_t n) { return x >> (n >= 0 && n < 64 ? n : 63); }\n"},
    {"shl_i32", "",
     "static int32_t shl_i32(int32_t x, int32_t n) { return n >= 0 && n < 32 ? (int32_t)((uint32_t)x << n) : 0; }\n"},
    {"shr_i32", "",
     "static int32_t shr_i32(int32_t x, int32_t n) { return n >= 0 && n < 32 ? (int32_t)((uint32_t)x >> n) : 0; }\n"},
    {"sar_i32", "", "static int32_t sar_i32(int32_t x, int32_t n) { return x >> (n >= 0 && n < 32 ? n : 31); }\n"},
    {"mul_low", "",
     "static int64_t mul_low(int64_t x, int64_t y) { return (int64_t)((uint64_t)(uint32_t)x * (uint32_t)y); }\n"},
    {"count_bits", "",
     "static int count_bits(uint64_t x) {\n  int n = 0;\n  for (; x != 0; x &= x - 1) ++n;\n  return n;\n}\n"},
    {"i64_of_f64", "",
     "static int64_t i64_of_f64(double x) {\n  return x >= -0x1p63 && x < 0x1p63 ? (int64_t)x : INT64_MIN;\n}\n"},
    {"i32_of_f64", "",
     "static int32_t i32_of_f64(double x) {\n  return x >= -0x1p31 && x < 0x1p31 ? (int32_t)x : INT32_MIN;\n}\n"},
    {"i64_of_f32", "",
     "static int64_t i64_of_f32(float x) {\n  return x >= -0x1p63f && x < 0x1p63f ? (int64_t)x : INT64_MIN;\n}\n"},
    {"i32_of_f32", "",
     "static int32_t i32_of_f32(float x) {\n  return x >= -0x1p31f && x < 0x1p31f ? (int32_t)x : INT32_MIN;\n}\n"},
    {"f32_of_half", "f32_of bits_of_f32",
     "static float f32_of_half(uint16_t half) {\n"
     "  const uint32_t sign = (uint32_t)(half & 0x8000u) << 16, exponent = half >> 10 & 31u, rest = half & 0x3ffu;\n"
     "  if (exponent == 31) return f32_of(sign | 0x7f800000u | rest << 13 | (rest != 0 ? 0x400000u : 0));\n"
     "  if (exponent == 0) return f32_of(sign | bits_of_f32((float)rest * 0x1p-24f));\n"
     "  return f32_of(sign | (exponent + 112) << 23 | rest << 13);\n}\n"},
    {"half_of_f32", "f32_of bits_of_f32",
     "static uint16_t half_of_f32(float x) { /* to the nearest, ties to even */\n"
     "  const uint32_t bits = bits_of_f32(x), size = bits & 0x7fffffffu, sign = bits >> 16 & 0x8000u;\n"
     "  if (size > 0x7f800000u) return (uint16_t)(sign | 0x7e00u | (size >> 13 & 0x3ffu));\n"
     "  if (size >= 0x47800000u) return (uint16_t)(sign | 0x7c00u);\n"
     "  if (size < 0x38800000u) return (uint16_t)(sign | (bits_of_f32(f32_of(size) + 0.5f) - 0x3f000000u));\n"
     "  return (uint16_t)(sign | (size - 0x38000000u + 0xfffu + (size >> 13 & 1u)) >> 13);\n}\n"},
    {"copy_bytes", "",
     "static void copy_bytes(void* to, const void* from, int64_t n) {\n"
     "  const unsigned char* x = (const unsigned char*)from;\n"
     "  unsigned char* y = (unsigned char*)to;\n"
     "  int64_t i;\n"
     "  for (i = 0; i < n; ++i) y[i] = x[i];\n}\n"},
};

template <class T>
std::string number(T x) {
  char text[40];
  const auto end = std::to_chars(text, text + sizeof text, x).ptr;
  std::string result(text, end);
  if (result.find_first_of(".e") == std::string::npos) result += ".0";
  return result;
}

// Negative literals in parentheses: a sign may stand before.
std::string in_parentheses(std::string text) { return text[0] == '-' ? "(" + text + ")" : text; }

std::string hexadecimal(uint64_t bits) {
  char text[20];
  return "0x" + std::string(text, std::to_chars(text, text + sizeof text, bits, 16).ptr);
}

}  // namespace

std::string_view c_type(KType t) {
  switch (t) {
    case KType::mask:
      return "int";
    case KType::scalar:
    case KType::i64:
      return "int64_t";
    case KType::i32:
      return "int32_t";
    case KType::f32:
      return "float";
    case KType::f64:
      return "double";
    case KType::none:
      break;
  }
  internal_error("a type of values", name(t));
}

std::string c_integer(int64_t x) {
  if (x == INT64_MIN) return "INT64_MIN";
  if (x == INT64_MAX) return "INT64_MAX";
  const bool wide = x > INT32_MAX || x < INT32_MIN + 1;
  const std::string digits = std::to_string(x < 0 ? -x : x), literal = wide ? "INT64_C(" + digits + ")" : digits;
  return x < 0 ? "(-" + literal + ")" : literal;
}

std::string c_literal(KType t, uint64_t bits) {
  switch (t) {
    case KType::f64: {
      const double x = std::bit_cast<double>(bits);
      if (std::isinf(x)) return x < 0 ? "(-HUGE_VAL)" : "HUGE_VAL";
      return std::isnan(x) ? "f64_of(UINT64_C(" + hexadecimal(bits) + "))" : in_parentheses(number(x));
    }
    case KType::f32: {
      const auto x = std::bit_cast<float>(static_cast<uint32_t>(bits));
      if (std::isinf(x)) return x < 0 ? "(-HUGE_VALF)" : "HUGE_VALF";
      return std::isnan(x) ? "f32_of(" + hexadecimal(bits) + "u)" : in_parentheses(number(x) + "f");
    }
    case KType::i32: {
      const auto x = static_cast<int32_t>(bits);
      return x == INT32_MIN ? "INT32_MIN" : c_integer(x);
    }
    case KType::i64:
    case KType::scalar:
      return c_integer(static_cast<int64_t>(bits));
    case KType::mask:
      return bits ? "1" : "0";
    case KType::none:
      break;
  }
  internal_error("a type of values", name(t));
}

std::string c_comment(std::string_view text) {
  std::string result;
  for (char c : text) {
    if (c == '/' && !result.empty() && result.back() == '*') result += ' ';
    if (c == '*' && !result.empty() && result.back() == '/') result += ' ';
    result += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return result;
}

std::string CParts::literal(KType t, uint64_t bits) {
  std::string text = c_literal(t, bits);
  if (text.starts_with("f64_of")) helper("f64_of");
  if (text.starts_with("f32_of")) helper("f32_of");
  return text;
}

std::string_view CParts::helper(std::string_view name) {
  for (const Helper& h : kHelpers) {
    if (h.name != name) continue;
    if (!done_.emplace(name).second) return h.name;
    for (std::string_view rest = h.needs; !rest.empty();) {
      const size_t end = std::min(rest.find(' '), rest.size());
      helper(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    text_ += h.text;
    return h.name;
  }
  internal_error("a helper", name);
}

std::string CParts::row(KType t, int64_t row) {
  const std::string name = "row_" + std::to_string(row) + (t == KType::f32 ? "_f32" : "");
  if (!done_.insert(name).second) return name;
  text_ += "static const " + std::string(c_type(t)) + " " + name + "[8] = {";
  for (uint64_t i = 0; i < kRowEntries; ++i) text_ += (i ? ", " : "") + c_literal(t, row_bits(t, row, i));
  text_ += "};\n";
  return name;
}

}  // namespace jot::cpu
