#pragma once
#include <cstdint>
#include <iosfwd>
#include <iterator>
#include <string>
#include <string_view>
#include <type_traits>

#include "jot/error.h"
#include "jot/half.h"

namespace jot {

// As in torch: a number never widens a tensor within its category.
enum class Category : uint8_t { boolean, integer, floating };

// Every dtype, in the order of promotion: X(name, its text, category, elements in memory, what they are computed in,
// bits of the significand with the one that is not stored). Storage dtypes are computed in another: values are widened
// to it, and results rounded back. Booleans are bytes 0 and 1.
#define JOT_DTYPES(X)                              \
  X(boolean, "bool", boolean, uint8_t, boolean, 0) \
  X(u8, "u8", integer, uint8_t, i32, 0)            \
  X(i32, "i32", integer, int32_t, i32, 0)          \
  X(i64, "i64", integer, int64_t, i64, 0)          \
  X(bf16, "bf16", floating, bfloat16, f32, 8)      \
  X(f16, "f16", floating, float16, f32, 11)        \
  X(f32, "f32", floating, float, f32, 24)          \
  X(f64, "f64", floating, double, f64, 53)

// Element types.
#define JOT_DTYPE(name, ...) name,
enum class DType : uint8_t { JOT_DTYPES(JOT_DTYPE) };
#undef JOT_DTYPE
#define JOT_DTYPE(name, ...) inline constexpr DType name = DType::name;
JOT_DTYPES(JOT_DTYPE)
#undef JOT_DTYPE

namespace detail {
struct DTypeInfo {
  std::string_view name, text;
  Category category;
  int bytes;
  DType computing;
  int significand;
};
inline constexpr DTypeInfo kDTypes[] = {
#define JOT_DTYPE(name, text, category, type, computing, significand) \
  {#name, text, Category::category, sizeof(type), DType::computing, significand},
    JOT_DTYPES(JOT_DTYPE)
#undef JOT_DTYPE
};
constexpr const DTypeInfo& dtype_info(DType d) { return kDTypes[static_cast<uint8_t>(d)]; }
}  // namespace detail

// A number that was made a dtype may be none.
constexpr bool is_dtype(DType d) { return static_cast<uint8_t>(d) < std::size(detail::kDTypes); }

// Bytes of an element; 0 of what is no dtype.
constexpr int size_of(DType d) { return is_dtype(d) ? detail::dtype_info(d).bytes : 0; }
constexpr bool is_floating(DType d) { return is_dtype(d) && detail::dtype_info(d).category == Category::floating; }
constexpr bool is_integer(DType d) { return is_dtype(d) && detail::dtype_info(d).category == Category::integer; }
constexpr Category category_of(DType d) { return is_dtype(d) ? detail::dtype_info(d).category : Category::boolean; }
constexpr std::string_view to_string(DType d) { return is_dtype(d) ? detail::dtype_info(d).text : "no dtype"; }

std::ostream& operator<<(std::ostream& out, DType d);

// "boolean, u8, ... or f64": of messages.
std::string names_of_dtypes();

constexpr DType computing_type(DType d) { return is_dtype(d) ? detail::dtype_info(d).computing : d; }
constexpr bool is_storage(DType d) { return computing_type(d) != d; }
constexpr int significand_bits(DType d) { return detail::dtype_info(d).significand; }  // of a floating dtype

// Calls f with a zero of the C++ type that elements are computed in.
template <class F>
decltype(auto) visit_computing(DType dtype, F&& f) {
  switch (dtype) {
#define JOT_DTYPE(name, text, category, type, computing, ...)        \
  case DType::name:                                                  \
    if constexpr (DType::name == DType::computing) return f(type{}); \
    break;
    JOT_DTYPES(JOT_DTYPE)
#undef JOT_DTYPE
  }
  internal_error("a dtype that is computed in", to_string(dtype));
}

// Calls f with a zero of the C++ type of a dtype's elements in memory.
template <class F>
decltype(auto) visit_dtype(DType dtype, F&& f) {
  switch (dtype) {
#define JOT_DTYPE(name, text, category, type, ...) \
  case DType::name:                                \
    return f(type{});
    JOT_DTYPES(JOT_DTYPE)
#undef JOT_DTYPE
  }
  internal_error("a dtype", to_string(dtype));
}
#undef JOT_DTYPES
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
