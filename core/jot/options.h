// Options of the transforms: grad<argnums(0, 1), has_aux>(f), vmap(f, {.in_dims = {0, none}}).
#pragma once
#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "jot/choices.h"
#include "jot/tensor.h"

namespace jot {

// ---- template options: which arguments are differentiated, and whether the function returns pair{output, aux}

struct argnum_t {
  int number;
};
template <size_t N>
struct argnums_t {
  std::array<int, N> numbers;
};
// One argument: the result is bare. Negatives count from the end.
constexpr argnum_t argnum(int number) { return {number}; }
// A list of arguments: the result is a std::tuple, also for one.
template <std::same_as<int>... I>
constexpr argnums_t<sizeof...(I)> argnums(I... numbers) {
  static_assert(sizeof...(I) > 0, "argnums must be non-empty");
  return {{numbers...}};
}
struct has_aux_t {};
inline constexpr has_aux_t has_aux{};

namespace detail {

// The text of a static_assert is a literal: one for each argument.
#define JOT_ASSERT_ARGUMENT(i, condition, text)              \
  static_assert((i) != 0 || (condition), "argument 0" text); \
  static_assert((i) != 1 || (condition), "argument 1" text); \
  static_assert((i) != 2 || (condition), "argument 2" text); \
  static_assert((i) != 3 || (condition), "argument 3" text); \
  static_assert((i) != 4 || (condition), "argument 4" text); \
  static_assert((i) != 5 || (condition), "argument 5" text); \
  static_assert((i) <= 5 || (condition), "an argument after the sixth" text)

template <int number, int arity>
constexpr void check_argnum() {
  JOT_ASSERT_ARGUMENT(number, number < arity,
                      ": Got argnum out of range: the function has fewer positional inputs; write argnum(0) for the "
                      "first");
  static_assert(
      number >= -arity,
      "a negative argnum: Got argnum out of range: the function has fewer positional inputs; write argnum(-1) "
      "for the last");
}

template <class T>
inline constexpr size_t num_argnums = 0;  // that an option lists
template <>
inline constexpr size_t num_argnums<argnum_t> = 1;
template <size_t N>
inline constexpr size_t num_argnums<argnums_t<N>> = N;

template <auto... O>
struct Options {
  static constexpr bool aux = (std::same_as<std::remove_cvref_t<decltype(O)>, has_aux_t> || ...);
  static constexpr size_t lists = (0 + ... + (num_argnums<std::remove_cvref_t<decltype(O)>> > 0));
  static constexpr size_t listed = (0 + ... + num_argnums<std::remove_cvref_t<decltype(O)>>);
  static constexpr bool bare =
      lists == 0 || (std::same_as<std::remove_cvref_t<decltype(O)>, argnum_t> || ...);  // not a tuple
  static constexpr size_t count = lists == 0 ? 1 : listed;
  static_assert(lists <= 1, "argnum / argnums may be given once");
  static_assert(((num_argnums<std::remove_cvref_t<decltype(O)>> > 0 ||
                  std::same_as<std::remove_cvref_t<decltype(O)>, has_aux_t>)&&...),
                "the options are argnum(i), argnums(i, ...) and has_aux");

  // Positions of the differentiated arguments among `arity`.
  template <int arity>
  static constexpr std::array<size_t, count> positions() {
    check_range<arity>(std::make_index_sequence<count>());
    static_assert(unique(numbers(), arity), "argnums elements must be unique");
    std::array<size_t, count> result{};
    for (size_t i = 0; i < count; ++i) result[i] = wrap(numbers()[i], arity);
    return result;
  }

 private:
  static constexpr std::array<int, count> numbers() {
    std::array<int, count> result{};
    (take(result, O), ...);
    return result;
  }
  // One out of range, which is an error elsewhere, stands for the last or the first.
  static constexpr size_t wrap(int i, int arity) {
    return static_cast<size_t>(std::clamp(i < 0 ? i + arity : i, 0, arity - 1));
  }
  template <int arity, size_t... I>
  static constexpr void check_range(std::index_sequence<I...>) {
    (check_argnum<numbers()[I], arity>(), ...);
  }
  static constexpr bool in_range(int i, int arity) { return -arity <= i && i < arity; }
  static constexpr bool unique(const std::array<int, count>& list, int arity) {
    for (size_t i = 0; i < count; ++i)
      for (size_t j = 0; j < i; ++j)
        if (in_range(list[i], arity) && in_range(list[j], arity) && wrap(list[i], arity) == wrap(list[j], arity))
          return false;
    return true;
  }
  static constexpr void take(std::array<int, count>& out, argnum_t o) { out[0] = o.number; }
  static constexpr void take(std::array<int, count>& out, argnums_t<count> o) { out = o.numbers; }
  static constexpr void take(std::array<int, count>&, has_aux_t) {}
};

}  // namespace detail

// ---- run-time options

// What functionalize removes. mutations: the results may still alias arguments; mutations_and_views: they never do.
enum class Remove : uint8_t { mutations, mutations_and_views };

// chunk_size: how many rows (columns) of the jacobian are computed at once; all if none.
// randomness: as in vmap, for jacfwd's columns.
// strong_zeros: as under a StrongZeros guard.
struct JacobianOptions {
  std::optional<int64_t> chunk_size = {};
  Randomness randomness = Randomness::error;
  bool strong_zeros = false;
};
// strict: an output that does not depend on the inputs is an error.
// strong_zeros: as under a StrongZeros guard.
struct JvpOptions {
  bool strict = false;
  bool strong_zeros = false;
};
struct FunctionalizeOptions {
  Remove remove = Remove::mutations;
};

struct DimEntry;
// Where the lanes are: a dimension, none (not mapped), or a list or map of such, which matches the tree's structure or
// its beginning. Structs are lists of their members.
class DimTree {
 public:
  enum class Kind : uint8_t { dim, unmapped, list, map };
  template <std::integral T>
  DimTree(T d) : kind(Kind::dim), dim(static_cast<int64_t>(d)) {}  // NOLINT: implicit by design
  DimTree(none_t) : kind(Kind::unmapped) {}                        // NOLINT: implicit by design
  DimTree(std::initializer_list<DimTree> list) : kind(Kind::list), children(list) {}
  DimTree(std::initializer_list<DimEntry> entries);

  Kind kind;
  int64_t dim = 0;
  std::vector<DimTree> children;
  std::vector<std::string> keys;  // of a map, one a child
};
// A class of its own: std::string takes a literal 0.
class DimKey {
 public:
  template <class S>
    requires(std::convertible_to<const S&, std::string_view>)
  DimKey(const S& text) : text_(std::string_view(text)) {}  // NOLINT: implicit by design
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};
struct DimEntry {
  DimKey key;
  DimTree dims;
};
inline DimTree::DimTree(std::initializer_list<DimEntry> entries) : kind(Kind::map) {
  for (const DimEntry& e : entries) {
    keys.push_back(e.key.text());
    children.push_back(e.dims);
  }
}

// chunk_size: how many lanes are computed at once; all if none.
// dim_size: how many lanes there are, which every mapped argument must have; needed where none is mapped.
struct VmapOptions {
  DimTree in_dims = 0;
  DimTree out_dims = 0;
  Randomness randomness = Randomness::error;
  std::optional<int64_t> chunk_size = {};
  std::optional<int64_t> dim_size = {};
};

}  // namespace jot
