// What stands for an operand, a number, a range or nothing in the arguments of functions.
#pragma once
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "jot/dtype.h"
#include "jot/location.h"
#include "jot/shape.h"

namespace jot {

class Tensor;

// How div rounds its quotient; gelu's approximation; what becomes of the elements of a loss (batchmean, of kl_div
// alone: their sum by the extent of dim 0). (Before jot::none, which -Wshadow would say they hide.)
enum class Rounding : uint8_t { none, trunc, floor };
enum class Gelu : uint8_t { none, tanh };
enum class Reduction : uint8_t { mean, sum, none, batchmean };

// "Nothing": of in_dims, slices, optional arguments; in an index list a new axis.
using none_t = std::nullopt_t;
inline constexpr none_t none = std::nullopt, None = std::nullopt;
// In an index list: all axes that the others leave.
struct Ellipsis_t {
  explicit constexpr Ellipsis_t() = default;
};
inline constexpr Ellipsis_t Ellipsis{};
// start:stop:step of an axis; negatives count from the end, out-of-range bounds are clipped, step is positive.
struct Slice {
  std::optional<int64_t> start, stop;
  int64_t step;
  Slice(std::optional<int64_t> from = {}, std::optional<int64_t> to = {}, int64_t by = 1)
      : start(from), stop(to), step(by) {}
};

// The order of a grid's axes (meshgrid), and what duplicates are combined by (scatter_reduce).
enum class Indexing : uint8_t { ij, xy };
enum class Reduce : uint8_t { sum, prod, mean, amax, amin };
// What quantile takes between two elements.
enum class Quantile : uint8_t { linear, lower, higher, midpoint, nearest };
// Which factors qr returns; conv's padding by name; what pad fills with; how interpolate and grid_sample interpolate;
// what grid_sample reads outside.
enum class QrMode : uint8_t { reduced, complete, r };
enum class Padding : uint8_t { same, valid };
enum class Pad : uint8_t { constant, reflect, replicate, circular };
enum class Interpolation : uint8_t { nearest, linear, bilinear, bicubic, trilinear, area, nearest_exact };
enum class GridPadding : uint8_t { zeros, border, reflection };
inline constexpr double inf = std::numeric_limits<double>::infinity();

// One dim: an integer.
class Dim {
 public:
  template <Integer T>
  constexpr Dim(T d) : value_(static_cast<int64_t>(d)) {}  // NOLINT: implicit by design
  constexpr operator int64_t() const { return value_; }    // NOLINT: what it is

 private:
  int64_t value_;
};

// A number of parts, or a list: of their sizes, or of the places where they begin. Braces are a list.
class Sections {
 public:
  template <Integer T>
  Sections(T n) : number_(static_cast<int64_t>(n)) {}            // NOLINT: implicit by design
  Sections(std::initializer_list<Extent> list) : list_(list) {}  // NOLINT: implicit by design
  template <class S>
    requires(!std::is_integral_v<S> && std::convertible_to<const S&, Shape>)
  Sections(const S& list) : list_(list) {}  // NOLINT: implicit by design
  const std::optional<int64_t>& number() const { return number_; }
  const Shape& list() const { return list_; }

 private:
  std::optional<int64_t> number_;
  Shape list_;
};

// An integer, or a list of them, one a dim; empty: the default.
class Ints {
 public:
  Ints() = default;
  template <Integer T>
  Ints(T n) : list_{n}, single_(true) {}                     // NOLINT: implicit by design
  Ints(std::initializer_list<Extent> list) : list_(list) {}  // NOLINT: implicit by design
  template <class S>
    requires(!std::is_integral_v<S> && std::convertible_to<const S&, Shape>)
  Ints(const S& list) : list_(list) {}  // NOLINT: implicit by design
  bool empty() const { return list_.size() == 0; }
  bool single() const { return single_; }  // an integer
  const Shape& list() const { return list_; }

 private:
  Shape list_;
  bool single_ = false;
};

// The padding of a convolution: so much on either side of each dim, or by name (same: as large as keeps the extents).
class ConvPadding : public Ints {
 public:
  using Ints::Ints;
  ConvPadding() = default;
  ConvPadding(const Ints& list) : Ints(list) {}        // NOLINT: implicit by design
  ConvPadding(Padding by_name) : by_name_(by_name) {}  // NOLINT: implicit by design
  const std::optional<Padding>& by_name() const { return by_name_; }

 private:
  std::optional<Padding> by_name_;
};

// A factor, or a list of them, one a dim; empty: none.
class Scales {
 public:
  Scales() = default;
  template <class T>
    requires std::is_arithmetic_v<T>
  Scales(T x) : list_{static_cast<double>(x)}, single_(true) {}  // NOLINT: implicit by design
  Scales(std::initializer_list<double> list) : list_(list) {}    // NOLINT: implicit by design
  Scales(const std::vector<double>& list) : list_(list) {}       // NOLINT: implicit by design
  bool empty() const { return list_.empty(); }
  bool single() const { return single_; }  // a number
  const std::vector<double>& list() const { return list_; }

 private:
  std::vector<double> list_;
  bool single_ = false;
};

// The order of a norm: a number, inf, "fro" or "nuc".
class Ord {
 public:
  template <class T>
    requires std::is_arithmetic_v<T>
  Ord(T p) : number_(static_cast<double>(p)) {}  // NOLINT: implicit by design
  Ord(const char* name) : name_(name) {}         // NOLINT: implicit by design
  double number() const { return number_; }
  const std::string& name() const { return name_; }  // empty: a number

 private:
  double number_ = 2;
  std::string name_;
};
// A number and its category: boolean, i64 or f64.
struct Number {
  DType dtype = DType::f64;
  double real = 0;
  int64_t integer = 0;
  Number() = default;
  // Throws DTypeError where an unsigned integer is larger than any i64.
  template <class T>
    requires std::is_arithmetic_v<T>
  Number(T x, Location at = JOT_HERE)  // NOLINT: implicit by design
      : dtype(std::is_same_v<T, bool> ? DType::boolean
              : std::is_integral_v<T> ? DType::i64
                                      : DType::f64),
        real(static_cast<double>(x)) {
    if constexpr (std::is_integral_v<T>) integer = static_cast<int64_t>(x);
    if constexpr (std::is_integral_v<T> && std::is_unsigned_v<T> && sizeof(T) == 8)
      if (x > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) too_large(x, at);
  }
  // As an element; one byte wraps.
  template <class T>
  T as() const {
    if (dtype != DType::f64) return static_cast<T>(integer);
    if constexpr (sizeof(T) == 1) return static_cast<T>(static_cast<int64_t>(real));
    return static_cast<T>(real);
  }
  [[noreturn]] static void too_large(uint64_t x, Location at);
  friend bool operator==(const Number&, const Number&) = default;
};

// The dtype whose elements are laid out as T.
template <class T>
concept Element =
    std::is_same_v<T, bool> || std::is_same_v<T, bfloat16> || std::is_same_v<T, float16> || std::is_same_v<T, float> ||
    std::is_same_v<T, double> ||
    (std::is_integral_v<T> && (sizeof(T) == 1 ? std::is_unsigned_v<T> : sizeof(T) >= 4 && std::is_signed_v<T>));
template <Element T>
inline constexpr DType dtype_of = std::is_same_v<T, bool>       ? DType::boolean
                                  : std::is_same_v<T, bfloat16> ? DType::bf16
                                  : std::is_same_v<T, float16>  ? DType::f16
                                  : std::is_same_v<T, float>    ? DType::f32
                                  : std::is_same_v<T, double>   ? DType::f64
                                  : sizeof(T) == 1              ? DType::u8
                                  : sizeof(T) == 4              ? DType::i32
                                                                : DType::i64;

namespace detail {
// None: uint16_t, the bits of any dtype of two bytes.
template <class T>
constexpr std::optional<DType> element_dtype() {
  if constexpr (Element<T>)
    return dtype_of<T>;
  else
    return {};
}
}  // namespace detail

// An operand: a tensor or a number, and the line that uses it. Lives as long as the call it is made for.
class Arg {
 public:
  Arg(const Tensor& t, Location at = JOT_HERE) : tensor_(&t), at_(at) {}  // NOLINT: implicit by design
  template <class T>
    requires std::is_arithmetic_v<T>
  Arg(T x, Location at = JOT_HERE) : number_(x, at), at_(at) {}  // NOLINT: implicit by design
  template <class T>
    requires requires(const T& x) { x.operator const Tensor&(); }
  Arg(const T& x, Location at = JOT_HERE) : tensor_(&static_cast<const Tensor&>(x)), at_(at) {}  // NOLINT
  bool is_tensor() const { return tensor_ != nullptr; }
  const Tensor& tensor() const { return *tensor_; }
  const Number& number() const { return number_; }
  Location at() const { return at_; }

 private:
  const Tensor* tensor_ = nullptr;
  Number number_{};
  Location at_;
};

// An operand that may be absent: clamp(x, none, 1).
class Bound : public Arg {
 public:
  template <class T>
    requires std::constructible_from<Arg, const T&>
  Bound(const T& x, Location at = JOT_HERE) : Arg(x, at) {}             // NOLINT: implicit by design
  Bound(none_t, Location at = JOT_HERE) : Arg(0, at), absent_(true) {}  // NOLINT: implicit by design
  bool absent() const { return absent_; }

 private:
  bool absent_ = false;
};

}  // namespace jot
