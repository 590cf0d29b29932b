// One call of a transform: the leaves of its arguments, and the user's function with its trees flattened away.
#pragma once
#include <array>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "jot/tree.h"

namespace jot::detail {

// What a transform hands to f for an argument: a Parameter reads as a Tensor.
template <class A>
using argument_t = std::conditional_t<TensorHandle<A>, Tensor, A>;

// The argument with its tensors replaced.
template <class A>
decltype(auto) substitute(const A& a, const Tensor* leaves) {
  if constexpr (node_kind<A> == NodeKind::tensor || node_kind<A> == NodeKind::handle) {
    return (*leaves);
  } else if constexpr (has_tensors<A>) {
    A copy = a;
    LeafCursor cursor{leaves};
    replace_leaves(copy, cursor);
    return copy;
  } else {
    return (a);
  }
}

// A module would take this line for the user's.
template <class F, class... A>
decltype(auto) call_with_lvalues(F& f, const A&... a) {
  if constexpr (requires {
                  typename std::remove_cv_t<F>::takes_location;
                  f(a..., Location{});
                })
    return f(a..., Location{});
  else
    return f(a...);
}

template <class T>
inline constexpr bool is_pair = false;
template <class A, class B>
inline constexpr bool is_pair<std::pair<A, B>> = true;

template <class F, class... A>
using result_t = std::remove_cvref_t<std::invoke_result_t<F&, const A&...>>;

// The output of what f returns: itself, or the first of pair{output, aux}.
template <bool Aux, class R>
const auto& output_of(const R& r) {
  if constexpr (Aux)
    return r.first;
  else
    return r;
}
template <bool Aux, class R>
using output_t = std::remove_cvref_t<decltype(output_of<Aux>(std::declval<const R&>()))>;

template <class T>
Leaves leaves_in(const T& t) {
  Leaves leaves;
  Flattener flattener(leaves);
  walk(t, flattener);
  return leaves;
}

// A tree without its tensors: only what is needed to rebuild it.
template <class T>
T blank(const T& t) {
  T copy = t;
  Leaves none(leaves_in(t).size());
  LeafCursor cursor{none.data()};
  replace_leaves(copy, cursor);
  return copy;
}

template <bool Aux, class F, class... A>
class Call {
 public:
  static_assert(std::is_invocable_v<F&, const argument_t<A>&...>, "the function cannot be called with these arguments");
  using Result = result_t<F, argument_t<A>...>;
  static_assert(!std::is_void_v<Result>, "Expected f to be a function that has non-empty output");
  static_assert(!Aux || is_pair<Result>, "output of function f should be a std::pair{output, aux} if has_aux is given");

  Call(F& f, const A&... a) : f_(f), args_(a...) {
    Flattener flattener(leaves);
    flatten_all(flattener, std::index_sequence_for<A...>());
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  Fn fn() { return {&invoke, this}; }
  const std::tuple<const A&...>& args() const { return args_; }
  Result& result() { return *result_; }

  // What f returned, with these tensors in it.
  auto output(const Leaves& values) {
    output_t<Aux, Result> copy = output_of<Aux>(*result_);
    LeafCursor cursor{values.data()};
    replace_leaves(copy, cursor);
    return copy;
  }
  auto aux(const Leaves& values) {
    LeafCursor cursor{values.data()};
    replace_leaves(result_->second, cursor);
    return std::move(result_->second);
  }

  Leaves leaves;
  std::array<size_t, sizeof...(A) + 1> starts{};  // of each argument's leaves

 private:
  template <size_t... I>
  void flatten_all(Flattener& flattener, std::index_sequence<I...>) {
    (flatten_one<I>(flattener), ...);
  }
  template <size_t I>
  void flatten_one(Flattener& flattener) {
    walk(std::get<I>(args_), flattener);
    starts[I + 1] = leaves.size();
  }
  template <size_t... I>
  void run([[maybe_unused]] const Tensor* tensors, std::index_sequence<I...>) {
    result_.emplace(call_with_lvalues(f_, substitute(std::get<I>(args_), tensors + starts[I])...));
  }
  static void invoke(void* self, std::span<const Tensor> args, Outputs& out) {
    Call& call = *static_cast<Call*>(self);
    call.run(args.data(), std::index_sequence_for<A...>());
    Flattener values(out.values);
    walk(output_of<Aux>(*call.result_), values);
    if constexpr (Aux) {
      Flattener aux(out.aux);
      walk(call.result_->second, aux);
    }
  }

  F& f_;
  std::tuple<const A&...> args_;
  std::optional<Result> result_;
};

// The differentiated arguments of a call: the bare one, or a tuple.
template <class Opt, class... A>
struct Selected {
  static constexpr auto positions = Opt::template positions<static_cast<int>(sizeof...(A))>();
  template <size_t... I>
  static auto tuple_of(std::index_sequence<I...>)
      -> std::tuple<argument_t<std::tuple_element_t<positions[I], std::tuple<A...>>>...>;
  template <class Args, size_t... I>
  static auto copy_tuple(const Args& args, std::index_sequence<I...> all) {
    return decltype(tuple_of(all))(std::get<positions[I]>(args)...);
  }
  static auto copy(const std::tuple<const A&...>& args) {
    if constexpr (Opt::bare)
      return argument_t<std::tuple_element_t<positions[0], std::tuple<A...>>>(std::get<positions[0]>(args));
    else
      return copy_tuple(args, std::make_index_sequence<positions.size()>());
  }
  using type = decltype(copy(std::declval<const std::tuple<const A&...>&>()));
  static_assert(differentiable<type>,
                "Thing passed to transform API must be Tensor: a differentiated argument holds something else (numbers "
                "are constants: leave them out with argnums)");
  // The selected arguments with these tensors in them.
  static type with(const std::tuple<const A&...>& args, const Leaves& leaves) {
    type result = copy(args);
    LeafCursor cursor{leaves.data()};
    replace_leaves(result, cursor);
    return result;
  }
};

}  // namespace jot::detail
