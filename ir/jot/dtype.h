#pragma once
#include <cstdint>
#include <iosfwd>
#include <string_view>
#include <type_traits>

#include "jot/error.h"
#include "jot/half.h"

namespace jot {

// Element types.
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

// What elements are computed in. Of a storage dtype another: values are widened to it, and results rounded back.
constexpr DType computing_type(DType d) {
  switch (d) {
    case DType::u8:
      return DType::i32;
    case DType::bf16:
    case DType::f16:
      return DType::f32;
    case DType::boolean:
    case DType::i32:
    case DType::i64:
    case DType::f32:
    case DType::f64:
      break;
  }
  return d;
}
constexpr bool is_storage(DType d) { return computing_type(d) != d; }

// Of a floating dtype: bits of the significand, with the one that is not stored.
constexpr int significand_bits(DType d) {
  return d == DType::f64 ? 53 : d == DType::f32 ? 24 : d == DType::f16 ? 11 : 8;
}

// Calls f with a zero of the C++ type that elements are computed in; booleans are bytes 0 and 1.
template <class F>
decltype(auto) visit_computing(DType dtype, F&& f) {
  switch (dtype) {
    case DType::boolean:
      return f(uint8_t{});
    case DType::i32:
      return f(int32_t{});
    case DType::i64:
      return f(int64_t{});
    case DType::f32:
      return f(float{});
    case DType::f64:
      return f(double{});
    case DType::u8:
    case DType::bf16:
    case DType::f16:
      break;
  }
  internal_error("a dtype that is computed in", to_string(dtype));
}

// Calls f with a zero of the C++ type of a dtype's elements in memory.
template <class F>
decltype(auto) visit_dtype(DType dtype, F&& f) {
  switch (dtype) {
    case DType::u8:
      return f(uint8_t{});
    case DType::bf16:
      return f(bfloat16{});
    case DType::f16:
      return f(float16{});
    case DType::boolean:
    case DType::i32:
    case DType::i64:
    case DType::f32:
    case DType::f64:
      return visit_computing(dtype, f);
  }
  internal_error("a dtype", to_string(dtype));
}
// Of such a C++ type.
template <class T>
inline constexpr bool is_floating_element = std::is_convertible_v<T, float> && !std::is_integral_v<T>;

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
