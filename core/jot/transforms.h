// Derivatives: grad, vjp, jvp, linearize, jacobians; and functionalize. They compose with each other, with vmap and
// jit, in any order and depth. f is called once a call.
#pragma once
#include <memory>
#include <tuple>
#include <utility>

#include "jot/call.h"

namespace jot {

namespace detail {

template <class Opt, class F, bool with_value>
class Grad {
 public:
  Grad(F f, Location at) : f_(std::move(f)), at_(at) {}
  template <class... A>
  auto operator()(const A&... a) const {
    static_assert(sizeof...(A) > 0, "grad: the function has no inputs");
    using S = Selected<Opt, A...>;
    Call<Opt::aux, F, A...> call(f_, a...);
    using Result = typename Call<Opt::aux, F, A...>::Result;
    static_assert(std::is_same_v<output_t<Opt::aux, Result>, Tensor>,
                  "Expected f(*args) to return a Tensor: maybe you wanted the vjp or jacrev APIs instead, or has_aux");
    GradResult r = grad(call.fn(), call.leaves, leaves_of(call.starts, S::positions), at_);
    typename S::type gradients = S::with(call.args(), r.gradients);
    if constexpr (with_value && Opt::aux)
      return std::pair{std::move(gradients), std::pair{std::move(r.value), call.aux(r.aux)}};
    else if constexpr (with_value)
      return std::pair{std::move(gradients), std::move(r.value)};
    else if constexpr (Opt::aux)
      return std::pair{std::move(gradients), call.aux(r.aux)};
    else
      return gradients;
  }

 private:
  mutable F f_;
  Location at_;
};

template <class Out, class... A>
class Pullback {
 public:
  Pullback(std::shared_ptr<const LinearMap> map, Out out, std::tuple<A...> in)
      : map_(std::move(map)), out_(std::move(out)), in_(std::move(in)) {}
  // The cotangents of the primals, always a tuple.
  std::tuple<A...> operator()(const Out& cotangents, Location at = JOT_HERE) const {
    if constexpr (leafage<Out>().dynamic) check_same(cotangents, at);
    Leaves results = (*map_)(leaves_in(cotangents), {&name, &cotangents}, at);
    std::tuple<A...> in = in_;
    LeafCursor cursor{results.data()};
    replace_leaves(in, cursor);
    return in;
  }

 private:
  static std::string name(const void* cotangents, size_t leaf) {
    return "cotangent" + leaf_path(*static_cast<const Out*>(cotangents), leaf);
  }
  void check_same(const Out& cotangents, Location at) const {
    TreeSpec expected, given;
    walk(out_, expected);
    walk(cotangents, given);
    check_structure(expected, given, "vjp", at);
  }
  std::shared_ptr<const LinearMap> map_;
  Out out_;
  std::tuple<A...> in_;
};

template <class Out, class... A>
class Pushforward {
 public:
  Pushforward(std::shared_ptr<const LinearMap> map, Out out, std::tuple<A...> in)
      : map_(std::move(map)), out_(std::move(out)), in_(std::move(in)) {}
  Out operator()(const A&... tangents, Location at = JOT_HERE) const {
    if constexpr ((false || ... || leafage<A>().dynamic)) {
      TreeSpec expected, given;
      walk(in_, expected);
      walk(std::tie(tangents...), given);
      check_structure(expected, given, "linearize", at);
    }
    Leaves leaves;
    Flattener flattener(leaves);
    (walk(tangents, flattener), ...);
    std::tuple<const A&...> args(tangents...);
    Leaves results = (*map_)(leaves, names_of<Role::tangent>(args), at);
    Out out = out_;
    LeafCursor cursor{results.data()};
    replace_leaves(out, cursor);
    return out;
  }

 private:
  std::shared_ptr<const LinearMap> map_;
  Out out_;
  std::tuple<A...> in_;
};

template <class... A>
struct Primals {
  std::tuple<A...> values;
};
template <class... A>
struct Tangents {
  std::tuple<A...> values;
};

template <class Opt, class F>
class Jacobian {
 public:
  Jacobian(F f, detail::JacobianMode mode, JacobianOptions options, Location at)
      : f_(std::move(f)), mode_(mode), options_(options), at_(at) {}
  template <class... A>
  auto operator()(const A&... a) const {
    static_assert(sizeof...(A) > 0, "a jacobian needs a function with inputs");
    using S = Selected<Opt, A...>;
    using C = Call<Opt::aux, F, A...>;
    C call(f_, a...);
    check_output<output_t<Opt::aux, typename C::Result>>();
    JacobianResult r = jacobian(call.fn(), call.leaves, leaves_of(call.starts, S::positions), mode_, options_, at_);
    LeafCursor blocks{r.blocks.data()};
    auto result = rebuild<typename S::type>(output_of<Opt::aux>(call.result()), S::copy(call.args()), blocks);
    if constexpr (Opt::aux)
      return std::pair{std::move(result), call.aux(r.aux)};
    else
      return result;
  }

 private:
  mutable F f_;
  detail::JacobianMode mode_;
  JacobianOptions options_;
  Location at_;
};

template <class F>
class Functionalize {
 public:
  static constexpr bool is_functionalized = true;
  Functionalize(F f, Remove remove, Location at) : f_(std::move(f)), remove_(remove), at_(at) {}
  template <class... A>
  auto operator()(const A&... a) const {
    Call<false, F, A...> call(f_, a...);
    return call.output(functionalize(call.fn(), call.leaves, remove_, at_));
  }

 private:
  mutable F f_;
  Remove remove_;
  Location at_;
};

}  // namespace detail

// The gradient of a function of a 0-d tensor by its first argument, or those of argnum(i), argnums(i, ...).
// grad<has_aux>: f returns pair{value, aux}, the result is pair{gradient, aux}.
template <auto... O, class F>
auto grad(F&& f, Location at = JOT_HERE) {
  return detail::Grad<detail::Options<O...>, std::decay_t<F>, false>(std::forward<F>(f), at);
}
// pair{gradient, value}; with has_aux pair{gradient, pair{value, aux}}.
template <auto... O, class F>
auto grad_and_value(F&& f, Location at = JOT_HERE) {
  return detail::Grad<detail::Options<O...>, std::decay_t<F>, true>(std::forward<F>(f), at);
}

// f's output and its pullback: from a cotangent tree of the output's structure to a tuple of the cotangents of all
// primals. With has_aux a tuple{output, pullback, aux}. The pullback keeps what it needs: later writes to the primals
// do not reach it.
template <auto... O, class F, class... A>
auto vjp(F&& f, const A&... a) {
  using namespace detail;
  static_assert((std::same_as<std::remove_cvref_t<decltype(O)>, has_aux_t> && ...), "vjp: the only option is has_aux");
  check_all_differentiated<A...>(std::index_sequence_for<A...>());
  constexpr bool aux = sizeof...(O) > 0;
  using C = Call<aux, std::remove_reference_t<F>, A...>;
  using Out = output_t<aux, typename C::Result>;
  check_output<Out>();
  C call(f, a...);
  VjpResult r = detail::vjp(call.fn(), call.leaves);
  Out out = call.output(r.outputs);
  Pullback<Out, argument_t<A>...> pullback(std::move(r.pullback), blank(out), {blank(argument_t<A>(a))...});
  if constexpr (aux)
    return std::tuple{std::move(out), std::move(pullback), call.aux(r.aux)};
  else
    return std::pair{std::move(out), std::move(pullback)};
}

template <class... A>
detail::Primals<detail::argument_t<A>...> primals(const A&... a) {
  return {{a...}};
}
template <class... A>
detail::Tangents<detail::argument_t<A>...> tangents(const A&... a) {
  return {{a...}};
}

// f's output and its derivative in the direction of the tangents; with has_aux a tuple{output, tangent, aux}.
template <auto... O, class F, class... A>
auto jvp(F&& f, const detail::Primals<A...>& primals, const detail::Tangents<std::type_identity_t<A>...>& tangents,
         JvpOptions options = {}, Location at = JOT_HERE) {
  using namespace detail;
  static_assert((std::same_as<std::remove_cvref_t<decltype(O)>, has_aux_t> && ...), "jvp: the only option is has_aux");
  check_all_differentiated<A...>(std::index_sequence_for<A...>());
  static_assert(sizeof...(A) > 0, "Expected primals to contain at least one Tensor.");
  constexpr bool aux = sizeof...(O) > 0;
  return std::apply(
      [&](const A&... a) {
        using C = Call<aux, std::remove_reference_t<F>, A...>;
        check_output<output_t<aux, typename C::Result>>();
        C call(f, a...);
        if constexpr ((leafage<A>().dynamic || ...)) {
          TreeSpec expected, given;
          walk(primals.values, expected);
          walk(tangents.values, given);
          check_structure(expected, given, "jvp", at);
        }
        JvpResult r = detail::jvp(call.fn(), call.leaves, leaves_in(tangents.values), options, at);
        auto out = call.output(r.outputs);
        auto tangent = call.output(r.tangents);
        if constexpr (aux)
          return std::tuple{std::move(out), std::move(tangent), call.aux(r.aux)};
        else
          return std::pair{std::move(out), std::move(tangent)};
      },
      primals.values);
}

// f's output and its pushforward at the primals, a linear function of tangents that never calls f again.
template <class F, class... A>
auto linearize(F&& f, const A&... a) {
  using namespace detail;
  check_all_differentiated<A...>(std::index_sequence_for<A...>());
  using C = Call<false, std::remove_reference_t<F>, A...>;
  check_output<typename C::Result>();
  C call(f, a...);
  LinearizeResult r = detail::linearize(call.fn(), call.leaves);
  auto out = call.output(r.outputs);
  using Out = decltype(out);
  Pushforward<Out, argument_t<A>...> pushforward(std::move(r.pushforward), blank(out), {blank(argument_t<A>(a))...});
  return std::pair{std::move(out), std::move(pushforward)};
}

// Jacobians: the output's structure, with that of the differentiated arguments at each of its leaves, and the shape
// out.shape + in.shape. jacrev works row by row and has the inputs' dtypes, jacfwd column by column and has the
// outputs'; jacobian gives jacrev's result by the cheaper of the two.
template <auto... O, class F>
auto jacrev(F&& f, JacobianOptions options = {}, Location at = JOT_HERE) {
  detail::check_chunk_size("jacrev", options.chunk_size, at);
  return detail::Jacobian<detail::Options<O...>, std::decay_t<F>>(std::forward<F>(f), detail::JacobianMode::reverse,
                                                                  options, at);
}
template <auto... O, class F>
auto jacfwd(F&& f, JacobianOptions options = {}, Location at = JOT_HERE) {
  detail::check_chunk_size("jacfwd", options.chunk_size, at);
  return detail::Jacobian<detail::Options<O...>, std::decay_t<F>>(std::forward<F>(f), detail::JacobianMode::forward,
                                                                  options, at);
}
template <auto... O, class F>
auto jacobian(F&& f, JacobianOptions options = {}, Location at = JOT_HERE) {
  detail::check_chunk_size("jacobian", options.chunk_size, at);
  return detail::Jacobian<detail::Options<O...>, std::decay_t<F>>(std::forward<F>(f), detail::JacobianMode::cheaper,
                                                                  options, at);
}
// jacfwd of jacrev: shape out + in + in, structure output, arguments, arguments.
template <auto... O, class F>
auto hessian(F&& f, JacobianOptions options = {}, Location at = JOT_HERE) {
  return jacfwd<O...>(jacrev<O...>(std::forward<F>(f), options, at), options, at);
}

// f without writes: its value, and the writes to its arguments done once, at the end. With mutations_and_views the
// results never share memory with an argument.
template <class F>
auto functionalize(F&& f, FunctionalizeOptions options = {}, Location at = JOT_HERE) {
  return detail::Functionalize<std::decay_t<F>>(std::forward<F>(f), options.remove, at);
}

}  // namespace jot
