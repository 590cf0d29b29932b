// One call of a transform: the leaves of its arguments, and the user's function with its trees flattened away.
#pragma once
#include <array>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "jot/checks.h"
#include "jot/tree.h"

namespace jot::detail {

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

// Paths in errors, of a leaf of a tree and of the arguments of a call.
template <class T>
std::string leaf_path(const T& tree, size_t leaf) {
  LeafPath path(leaf);
  walk(tree, path);
  return path.text();
}
template <class... A>
std::string leaf_path_of_arguments(const std::tuple<const A&...>& args, size_t leaf) {
  LeafPath path(leaf);
  path.arguments(sizeof...(A));
  std::apply([&](const A&... a) { (walk(a, path), ...); }, args);
  return path.text();
}

template <Role role, class... A>
LeafNames names_of(const std::tuple<const A&...>& args) {
  return {[](const void* tree, size_t leaf) {
            return (role == Role::tangent ? "tangent" : "argument") +
                   leaf_path_of_arguments(*static_cast<const std::tuple<const A&...>*>(tree), leaf);
          },
          &args};
}

template <bool Aux, class F, class... A>
class Call {
 public:
  using Result = typename CallResult<Aux, F, A...>::type;

  Call(F& f, const A&... a) : f_(f), args_(a...) {
    Flattener flattener(leaves);
    flatten_all(flattener, std::index_sequence_for<A...>());
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  Fn fn() { return {&invoke, this, &path}; }
  static std::string path(const void* self, Role role, size_t leaf) {
    const Call& call = *static_cast<const Call*>(self);
    if (role == Role::output) return leaf_path(output_of<Aux>(*call.result_), leaf);
    if constexpr (Aux)
      if (role == Role::aux) return leaf_path(call.result_->second, leaf);
    return leaf_path_of_arguments(call.args_, leaf);
  }
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
    if constexpr (CallResult<Aux, F, A...>::right)
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
  template <size_t... I>
  static constexpr bool check(std::index_sequence<I...>) {
    (check_differentiated<positions[I], std::tuple_element_t<positions[I], std::tuple<A...>>>(), ...);
    return true;
  }
  static_assert(check(std::make_index_sequence<positions.size()>()));
  // The selected arguments with these tensors in them.
  static type with(const std::tuple<const A&...>& args, const Leaves& leaves) {
    type result = copy(args);
    LeafCursor cursor{leaves.data()};
    replace_leaves(result, cursor);
    return result;
  }
};

}  // namespace jot::detail
