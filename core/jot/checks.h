// What the compiler says of wrong calls of transforms: once, with the number of the argument and the remedy; the types
// are in the lines around it. After that it goes on as if the call was right.
#pragma once
#include <tuple>
#include <type_traits>
#include <utility>

#include "jot/tree.h"

namespace jot::detail {

// What a transform hands to f for an argument: a Parameter reads as a Tensor.
template <class A>
using argument_t = std::conditional_t<TensorHandle<A>, Tensor, A>;

// ---- calling f

template <class... P>
struct Parameters {};
template <class R, class... P>
Parameters<P...> parameters_of(R (*)(P...));
template <class R, class C, class... P>
Parameters<P...> parameters_of(R (C::*)(P...));
template <class R, class C, class... P>
Parameters<P...> parameters_of(R (C::*)(P...) const);

// A parameter of f beside what f is called with.
template <size_t argument, class Parameter, class Given>
constexpr void check_parameter() {
  constexpr bool fits = std::is_convertible_v<const argument_t<Given>&, Parameter>;
  constexpr bool writable =
      std::is_lvalue_reference_v<Parameter> && !std::is_const_v<std::remove_reference_t<Parameter>>;
  JOT_ASSERT_ARGUMENT(argument, fits || !writable,
                      ": the function cannot be called with these arguments: it takes a reference to non-const; write "
                      "const Tensor& x (x.add_(1) and x[0] = 1 still write)");
  JOT_ASSERT_ARGUMENT(argument, fits || writable,
                      ": the function cannot be called with these arguments: it takes another type; write const "
                      "Tensor& x for a tensor");
}

template <class... A, class... P, size_t... I>
constexpr void check_parameters(Parameters<P...>, std::index_sequence<I...>) {
  constexpr size_t taken = sizeof...(P), given = sizeof...(A);
  JOT_ASSERT_ARGUMENT(given, given >= taken,
                      " is missing: the function cannot be called with these arguments: it takes more; pass them all");
  JOT_ASSERT_ARGUMENT(taken, taken >= given,
                      " is one too many: the function cannot be called with these arguments: it takes fewer; leave it "
                      "out");
  if constexpr (taken == given)
    (check_parameter<I, std::tuple_element_t<I, std::tuple<P...>>, std::tuple_element_t<I, std::tuple<A...>>>(), ...);
}

template <class F, class... A>
constexpr bool check_callable() {
  constexpr bool callable = std::is_invocable_v<F&, const argument_t<A>&...>;
  constexpr auto all = std::index_sequence_for<A...>();
  using Function = std::decay_t<F>;
  if constexpr (!callable) {
    if constexpr (requires(Function f) { parameters_of(f); })
      check_parameters<A...>(decltype(parameters_of(std::declval<Function>()))(), all);
    else if constexpr (requires { parameters_of(&Function::operator()); })
      check_parameters<A...>(decltype(parameters_of(&Function::operator()))(), all);
    else
      static_assert(callable,
                    "the function cannot be called with these arguments: it gets const lvalues; write const Tensor& x "
                    "or const auto& x for a tensor");
  }
  return callable;
}

template <class T>
inline constexpr bool is_pair = false;
template <class A, class B>
inline constexpr bool is_pair<std::pair<A, B>> = true;

template <class F, class... A>
constexpr auto returned() {
  if constexpr (check_callable<F, A...>())
    return std::type_identity<std::remove_cvref_t<std::invoke_result_t<F&, const argument_t<A>&...>>>();
  else
    return std::type_identity<std::nullptr_t>();
}

// What f returns; where that is an error, a tensor.
template <bool Aux, class F, class... A>
struct CallResult {
  using Returned = typename decltype(returned<F, A...>())::type;
  static constexpr bool callable = !std::is_null_pointer_v<Returned>, gives_void = std::is_void_v<Returned>;
  static constexpr bool right = callable && !gives_void && (!Aux || is_pair<Returned>);
  using type = std::conditional_t<right, Returned, std::conditional_t<Aux, std::pair<Tensor, Tensor>, Tensor>>;
  static_assert(!gives_void, "Expected f to be a function that has non-empty output: it returns void; return a Tensor");
  static_assert(!Aux || is_pair<Returned> || gives_void || !callable,
                "output of function f should be a std::pair{output, aux} if has_aux is given");
};

// ---- trees of tensors

// A name as a template argument, so that the compiler shows it.
template <size_t N>
struct Text {
  char text[N + 1] = {};
  explicit constexpr Text(std::string_view s) { s.copy(text, N); }
};
// The first leaf of a tree that is no tensor, of an announced struct with the member that it is.
template <class Type>
struct NoTensor {
  using type = Type;
};
template <class Struct, Text member, class Type>
struct MemberIsNoTensor {};

template <class T>
constexpr auto first_leaf_that_is_no_tensor();

template <class Struct, size_t i, class M, class... Rest>
constexpr auto first_of_members() {
  if constexpr (differentiable<std::remove_const_t<M>>) {
    return first_of_members<Struct, i + 1, Rest...>();
  } else {
    constexpr auto leaf = first_leaf_that_is_no_tensor<std::remove_const_t<M>>();
    if constexpr (!std::is_void_v<Struct> && requires { typename decltype(leaf)::type; }) {
      constexpr std::string_view name = listed_name(jot_tree_names(static_cast<const Struct*>(nullptr)), i);
      return MemberIsNoTensor<Struct, Text<name.size()>(name), typename decltype(leaf)::type>();
    } else {
      return leaf;
    }
  }
}
template <class Struct>
struct FirstOfMembers {
  template <class... M>
  auto operator()(M&...) const {
    return first_of_members<Struct, 0, M...>();
  }
};
template <class T, size_t... I>
constexpr auto first_of_product(std::index_sequence<I...>) {
  return first_of_members<void, 0, std::tuple_element_t<I, T>...>();
}
template <class T>
constexpr auto first_leaf_that_is_no_tensor() {
  constexpr NodeKind kind = node_kind<T>;
  if constexpr (kind == NodeKind::map)
    return first_leaf_that_is_no_tensor<typename T::mapped_type>();
  else if constexpr (kind == NodeKind::vector || kind == NodeKind::array || kind == NodeKind::optional)
    return first_leaf_that_is_no_tensor<typename T::value_type>();
  else if constexpr (kind == NodeKind::product)
    return first_of_product<T>(std::make_index_sequence<std::tuple_size_v<T>>());
  else if constexpr (kind == NodeKind::record)
    return decltype(jot_tree_members(std::declval<T&>(), FirstOfMembers<T>{}))();
  else
    return NoTensor<T>();
}

template <size_t argument, class Type>
constexpr void check_leaf(NoTensor<Type>) {
  constexpr bool is_struct = node_kind<Type> == NodeKind::other;
  JOT_ASSERT_ARGUMENT(
      argument, is_struct,
      ": Thing passed to transform API must be Tensor (Expected primals to only contain Tensors): it is "
      "or holds a number, which is a constant: leave it out with argnums, or write tensor(number)");
  JOT_ASSERT_ARGUMENT(
      argument, !is_struct,
      ": Thing passed to transform API must be Tensor (Expected primals to only contain Tensors): it is "
      "or holds a struct that is not announced: write JOT_TREE(Struct, member, ...) below the struct");
}
template <size_t argument, class Struct, Text member, class Type>
constexpr void check_leaf(MemberIsNoTensor<Struct, member, Type>) {
  constexpr bool is_tensor = std::is_same_v<Type, Tensor>;
  JOT_ASSERT_ARGUMENT(argument, is_tensor,
                      ": Thing passed to transform API must be Tensor (Expected primals to only contain Tensors): a "
                      "member of a JOT_TREE struct is none; make it a Tensor, or pass it in another argument");
}
// An argument that is differentiated holds only tensors.
template <size_t argument, class A>
constexpr void check_differentiated() {
  if constexpr (!differentiable<A>) check_leaf<argument>(first_leaf_that_is_no_tensor<A>());
}
template <class... A, size_t... I>
constexpr void check_all_differentiated(std::index_sequence<I...>) {
  (check_differentiated<I, A>(), ...);
}

template <class Type>
constexpr void check_output_leaf(NoTensor<Type>) {
  constexpr bool is_struct = node_kind<Type> == NodeKind::other;
  static_assert(is_struct,
                "expected f to return only tensors, got unsupported type (return numbers and other values as aux)");
  static_assert(!is_struct,
                "expected f to return only tensors, got unsupported type: a struct that is not announced; write "
                "JOT_TREE(Struct, member, ...) below the struct");
}
template <class Struct, Text member, class Type>
constexpr void check_output_leaf(MemberIsNoTensor<Struct, member, Type>) {
  static_assert(std::is_same_v<Type, Tensor>,
                "expected f to return only tensors, got unsupported type: a member of a JOT_TREE struct is none; make "
                "it a Tensor, or return it as aux");
}
template <class Out>
constexpr void check_output() {
  if constexpr (!differentiable<Out>) check_output_leaf(first_leaf_that_is_no_tensor<Out>());
}

// A static argument of a jitted function is a part of the key.
template <size_t argument, class A>
constexpr void check_key() {
  JOT_ASSERT_ARGUMENT(argument, !leafage<A>().keyless,
                      ": a static argument of a jitted function needs == and std::hash: it is part of the recording's "
                      "key (for a struct of tensors write JOT_TREE(Struct, member, ...) below it)");
}
template <class... A, size_t... I>
constexpr void check_keys(std::index_sequence<I...>) {
  (check_key<I, A>(), ...);
}

}  // namespace jot::detail
