#pragma once
#include <cstdint>
#include <iosfwd>
#include <string_view>

#include "jot/error.h"

namespace jot {

// Element types. bf16, f16 and u8 are reserved: creating a tensor of one is a DTypeError until they land.
enum class DType : uint8_t { boolean, u8, i32, i64, bf16, f16, f32, f64 };
// As in torch: a number never widens a tensor within its category.
enum class Category : uint8_t { boolean, integer, floating };

inline constexpr DType boolean = DType::boolean, u8 = DType::u8, i32 = DType::i32, i64 = DType::i64, bf16 = DType::bf16,
                       f16 = DType::f16, f32 = DType::f32, f64 = DType::f64;

constexpr bool is_dtype(DType d) { return d <= DType::f64; }  // a number that was made one may be none

// Bytes of an element; 0 of what is no dtype.
constexpr int size_of(DType d) {
  constexpr int bytes[] = {1, 1, 4, 8, 2, 2, 4, 8};
  return is_dtype(d) ? bytes[static_cast<int>(d)] : 0;
}
constexpr bool is_floating(DType d) { return d >= DType::bf16 && is_dtype(d); }
constexpr bool is_integer(DType d) { return d >= DType::u8 && d <= DType::i64; }

constexpr Category category_of(DType d) {
  return d == DType::boolean ? Category::boolean : is_integer(d) ? Category::integer : Category::floating;
}

constexpr std::string_view to_string(DType d) {
  constexpr std::string_view names[] = {"bool", "u8", "i32", "i64", "bf16", "f16", "f32", "f64"};
  return is_dtype(d) ? names[static_cast<int>(d)] : "no dtype";
}

std::ostream& operator<<(std::ostream& out, DType d);

// Calls f with a zero of the C++ type of a dtype's elements; booleans are bytes 0 and 1.
template <class F>
decltype(auto) visit_dtype(DType dtype, F&& f) {
  switch (dtype) {
    case DType::boolean:
    case DType::u8:
      return f(uint8_t{});
    case DType::i32:
      return f(int32_t{});
    case DType::i64:
      return f(int64_t{});
    case DType::f32:
      return f(float{});
    case DType::f64:
      return f(double{});
    case DType::bf16:
    case DType::f16:
      break;  // no C++ type
  }
  internal_error("a dtype with elements of a C++ type", to_string(dtype));
}

// The dtype of two tensors' sum (torch.promote_types).
constexpr DType promote(DType a, DType b) {
  if (a == b) return a;
  if (a > b) {
    DType t = a;
    a = b;
    b = t;
  }
  if (a == DType::bf16 && b == DType::f16) return DType::f32;
  return b;
}

}  // namespace jot
