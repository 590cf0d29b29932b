// How many members a struct has, so that JOT_TREE can tell when one is forgotten.
#pragma once
#include <cstddef>
#include <type_traits>
#include <utility>

namespace jot::detail {

// Stands for a value of any member of T, or of a base of T. Never called: clang 19 wants what it instantiates defined.
template <class T, size_t = 0>
struct AnyMember {
  template <class U>
    requires(!std::is_same_v<U, T>)
  operator U() const {  // NOLINT: implicit by design
    __builtin_unreachable();
  }
};
template <class T>
struct AnyBase {
  template <class U>
    requires(std::is_base_of_v<U, T> && !std::is_same_v<U, T>)
  operator U() const {  // NOLINT: implicit by design
    __builtin_unreachable();
  }
};

// Whether T can be made of values for its first n slots, where an array counts with all its elements; of a base and the
// slots after it; of values, {} and values. What is not given must have a default.
template <class T, size_t... I>
constexpr bool takes(std::index_sequence<I...>) {
  return requires { T{AnyMember<T, I>{}...}; };
}
template <class T, size_t... I>
constexpr bool takes_base(std::index_sequence<I...>) {
  return requires { T{AnyBase<T>{}, AnyMember<T, I>{}...}; };
}
template <class T, size_t... I, size_t... J>
constexpr bool takes_default(std::index_sequence<I...>, std::index_sequence<J...>) {
  return requires { T{AnyMember<T, I>{}..., {}, AnyMember<T, J>{}...}; };
}

constexpr size_t kMaxSlots = 300, kUncounted = 0;

// The slots of T; kUncounted if there are too many.
template <class T, size_t n, bool found>
constexpr size_t count_slots() {
  constexpr bool fits = takes<T>(std::make_index_sequence<n>());
  if constexpr (found && !fits)
    return n - 1;
  else if constexpr (n == kMaxSlots)
    return kUncounted;
  else
    return count_slots<T, n + 1, fits>();
}
// The slots of the member that starts at one: {} stands for all of them. Of a member without a default, 1.
template <class T, size_t slots, size_t slot, size_t n>
constexpr size_t slots_of_member() {
  if constexpr (slot + n > slots)
    return 1;
  else if constexpr (takes_default<T>(std::make_index_sequence<slot>(), std::make_index_sequence<slots - slot - n>()))
    return n;
  else
    return slots_of_member<T, slots, slot, n + 1>();
}
template <class T, size_t slots, size_t slot>
constexpr size_t count_members() {
  if constexpr (slot >= slots)
    return 0;
  else
    return 1 + count_members<T, slots, slot + slots_of_member<T, slots, slot, 1>()>();
}

// The members of a struct. kUncounted, which is what an empty one has too, where the language does not tell: of classes
// with constructors, bases or private members, and of those with more than kMaxSlots elements of arrays.
template <class T>
constexpr size_t num_members() {
  if constexpr (!std::is_aggregate_v<T>) {
    return kUncounted;
  } else {
    constexpr size_t slots = count_slots<T, 0, false>();
    if constexpr (slots == kUncounted)
      return kUncounted;
    else if constexpr (takes_base<T>(std::make_index_sequence<slots - 1>()))
      return kUncounted;
    else
      return count_members<T, slots, 0>();
  }
}

template <size_t n>
struct listed;
template <size_t n>
struct members;
template <class Struct, class Listed, class Members>
struct JotTreeOf;
// The compiler shows this type with the numbers in it.
template <class Struct, size_t a, size_t b>
struct JotTreeOf<Struct, listed<a>, members<b>> {
  static_assert(a >= b,
                "JOT_TREE lists fewer members than the struct has: a member that is not listed is no part of the tree, "
                "and a transform would hand back its old value. List every member (a struct with a base class or a "
                "constructor is not counted: it may leave some out)");
  static constexpr bool complete = true;
};

template <bool twice>
struct JotTreeNames {
  static_assert(!twice, "JOT_TREE lists a member twice: list each member once");
  static constexpr bool distinct = true;
};
}  // namespace jot::detail
