// Arguments of jitted functions that belong to another library: their memory is read where it lies.
#pragma once
#include <type_traits>

#include "jot/call.h"

namespace jot::detail {

// Specialised for types whose values stand for tensors (jot/eigen.h), with
//   static Tensor lend(const T&)        the tensor over its memory; inside a transform, which may keep it, a copy
//   static Tensor shown(const Tensor&)  what the function gets, made of what was lent
template <class T>
struct Lender;
template <class T>
concept Lent = requires(const T& x) { Lender<T>::lend(x); };

template <class A>
using shown_t = std::conditional_t<Lent<A>, Tensor, argument_t<A>>;

template <class A>
decltype(auto) lent(const A& a) {
  if constexpr (Lent<A>)
    return Lender<A>::lend(a);
  else
    return (a);
}
template <class A>
decltype(auto) shown(const shown_t<A>& lent) {
  if constexpr (Lent<A>)
    return Lender<A>::shown(lent);
  else
    return (lent);
}

// f as a function of what was lent for A...
template <class F, class... A>
struct OfLent {
  F& f;
  using Called = CallResult<false, F, shown_t<A>...>;
  typename Called::type operator()(const shown_t<A>&... lent) const {
    if constexpr (Called::right)
      return call_with_lvalues(f, static_cast<const shown_t<A>&>(shown<A>(lent))...);
    else
      return {};
  }
};

}  // namespace jot::detail
