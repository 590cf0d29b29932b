// Functions with derivatives of the user's own, and functions that are computed again rather than kept. Their functions
// are recorded once for each call; under further transforms they are what they were recorded as, so that rules are
// differentiated and batched again, to any depth.
#pragma once
#include <functional>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "jot/call.h"
#include "jot/control.h"
#include "jot/creation.h"
#include "jot/transforms.h"

namespace jot {

namespace detail {

struct Custom {
  std::string_view api;
  Fn f;  // (args) -> results
  std::span<const Tensor> args;
  Location at{};
};
Leaves checkpoint(const Custom& c);
// rule(args, tangents) -> results, their tangents
Leaves custom_jvp(const Custom& c, Fn rule);
// forward(args) -> results, residuals; backward(residuals, cotangents) -> cotangents of the args, once forward has been
// recorded.
struct Backward {
  Fn (*fn)(void* self, Leaves& shapes);  // shapes: residuals and results, as tensors to take types from
  void* self;
};
Leaves custom_vjp(const Custom& c, Fn forward, Backward backward);

// matvec(x) -> b; f and transpose: b -> x
Leaves custom_linear_solve(const Custom& c, Fn matvec, std::optional<Fn> transpose);
// equation(x) -> y; matvec(x, v), tangent_solve(x, b), transposed_solve(x, b) at the solution x; f: x0 -> x
struct RootFunctions {
  Fn equation, matvec, tangent_solve, transposed_solve;
  const bool* uses_matvec;  // whether tangent_solve called its matvec when it was recorded
};
Leaves custom_root(const Custom& c, const RootFunctions& f);

// What a backward rule returns, one tree for each argument, as leaves for all: a number 0 stands for zeros.
template <class A, class Ct>
void append_cotangent(Leaves& to, const A& argument, const Ct& ct, size_t position, Location at) {
  Leaves like = leaves_in(argument), given;
  if constexpr (std::is_arithmetic_v<Ct>) {
    for (const Tensor& t : like) given.push_back(zeros(t.shape(), t.dtype()));
  } else {
    given = leaves_in(ct);
  }
  if (given.size() != like.size())
    throw TransformError("[custom_vjp] bwd must return one cotangent for each argument: for argument " +
                         std::to_string(position) + " of " + std::to_string(like.size()) + " tensors it returned " +
                         std::to_string(given.size()) + jot::at(at));
  to.insert(to.end(), given.begin(), given.end());
}

// Where nothing is recorded no derivative will ask for a rule: the function is called, and draws what it draws
// recorded.
template <class C>
auto called(C& call) {
  OwnStream stream;
  Outputs direct;
  Fn fn = call.fn();
  fn.call(fn.self, call.leaves, direct);
  return call.output(direct.values);
}

template <class T>
constexpr void check_unknowns() {
  static_assert(differentiable<T>, "the unknowns are tensors, and trees of them (for a number write tensor(number))");
}
template <class T, class... Other>
inline constexpr bool all_are = (std::is_same_v<T, Other> && ...);

template <class F, class Rule>
class CustomJvp {
 public:
  CustomJvp(F f, Rule rule, Location at) : f_(std::move(f)), rule_(std::move(rule)), at_(at) {}
  template <class... A>
  auto operator()(const A&... a) const {
    using Call = detail::Call<false, F, A...>;
    Call call(f_, a...);
    if (!tracing()) return called(call);
    using Primals = std::tuple<argument_t<A>...>;
    const Primals primals(a...);
    detail::Call<false, Rule, Primals, Primals> rule(rule_, primals, primals);
    static_assert(is_pair<typename decltype(rule)::Result>, "the rule of custom_jvp returns a std::pair{out, tangent}");
    return call.output(custom_jvp({"custom_jvp", call.fn(), call.leaves, at_}, rule.fn()));
  }

 private:
  mutable F f_;
  mutable Rule rule_;
  Location at_;
};

template <class F, class Fwd, class Bwd>
class CustomVjp {
 public:
  CustomVjp(F f, Fwd fwd, Bwd bwd, Location at)
      : f_(std::move(f)), fwd_(std::move(fwd)), bwd_(std::move(bwd)), at_(at) {}
  template <class... A>
  auto operator()(const A&... a) const {
    using Call = detail::Call<false, F, A...>;
    Call call(f_, a...);
    if (!tracing()) return called(call);
    using Forward = detail::Call<false, Fwd, A...>;
    using Result = typename Forward::Result;
    static_assert(is_pair<Result>, "the forward rule of custom_vjp returns a std::pair{out, residuals}");
    using Out = std::remove_cvref_t<typename Result::first_type>;
    using Residuals = std::remove_cvref_t<typename Result::second_type>;
    Forward forward(fwd_, a...);
    const std::tuple<const A&...> args(a...);
    auto returned = [&](const Residuals& residuals, const Out& ct) {
      Leaves leaves;
      size_t position = 0;
      auto cotangents = bwd_(residuals, ct);
      static_assert(std::tuple_size_v<decltype(cotangents)> == sizeof...(A),
                    "the backward rule of custom_vjp returns a std::tuple of one cotangent for each argument");
      append_all(leaves, args, cotangents, position, std::index_sequence_for<A...>());
      return leaves;
    };
    using Returned = decltype(returned);
    using BackwardCall = detail::Call<false, Returned, Residuals, Out>;
    struct Late {
      Forward& forward;
      Returned& returned;
      std::optional<BackwardCall> call{};
      static Fn fn(void* self, Leaves& shapes) {
        auto& late = *static_cast<Late*>(self);
        late.call.emplace(late.returned, late.forward.result().second, late.forward.result().first);
        shapes = late.call->leaves;
        return late.call->fn();
      }
    } late{forward, returned};
    return call.output(custom_vjp({"custom_vjp", call.fn(), call.leaves, at_}, forward.fn(), {&Late::fn, &late}));
  }

 private:
  template <class Args, class Cts, size_t... I>
  void append_all(Leaves& leaves, const Args& args, const Cts& cts, size_t& position, std::index_sequence<I...>) const {
    (append_cotangent(leaves, std::get<I>(args), std::get<I>(cts), position++, at_), ...);
  }
  mutable F f_;
  mutable Fwd fwd_;
  mutable Bwd bwd_;
  Location at_;
};

template <class F>
class Checkpoint {
 public:
  Checkpoint(F f, Location at) : f_(std::move(f)), at_(at) {}
  template <class... A>
  auto operator()(const A&... a) const {
    detail::Call<false, F, A...> call(f_, a...);
    if (!tracing()) return called(call);
    return call.output(checkpoint({"checkpoint", call.fn(), call.leaves, at_}));
  }

 private:
  mutable F f_;
  Location at_;
};

}  // namespace detail

// f with the derivative rule(tuple primals, tuple tangents) -> pair{out, tangent}, of the types of f's result; for
// reverse mode it is transposed, so it must be linear in the tangents. A tensor that f captures must not be
// differentiated (TransformError): pass it.
template <class F, class Rule>
auto custom_jvp(F&& f, Rule&& rule, Location at = JOT_HERE) {
  return detail::CustomJvp<std::decay_t<F>, std::decay_t<Rule>>(std::forward<F>(f), std::forward<Rule>(rule), at);
}

// f with the pullback bwd(residuals, cotangent) -> tuple of one cotangent for each argument (0 for zeros), where
// fwd(args...) -> pair{out, residuals}. Forward mode transposes bwd, which must be linear in the cotangent for that.
template <class F, class Fwd, class Bwd>
auto custom_vjp(F&& f, Fwd&& fwd, Bwd&& bwd, Location at = JOT_HERE) {
  return detail::CustomVjp<std::decay_t<F>, std::decay_t<Fwd>, std::decay_t<Bwd>>(
      std::forward<F>(f), std::forward<Fwd>(fwd), std::forward<Bwd>(bwd), at);
}

// x with matvec(x) = b, a linear function of a tensor or a tree of tensors: solve(matvec, b) -> x finds it, by any
// means, for it is not differentiated. The derivative solves the same system, in b and in what matvec captures, to any
// order; reverse mode calls transpose_solve(vecmat, b) -> x, where vecmat is matvec's transpose. Where that is left out
// solve is transposed instead, which it must allow: products and triangular solutions do, an iteration does not
// (TransformError). b, x and matvec(x) have the same shapes and dtypes, which are floating.
template <class Matvec, class B, class Solve, class TransposeSolve = none_t>
detail::argument_t<B> custom_linear_solve(Matvec&& matvec, const B& b, Solve&& solve,
                                          const TransposeSolve& transpose_solve = none, Location at = JOT_HERE) {
  using T = detail::argument_t<B>;
  detail::check_unknowns<T>();
  auto solution = [&](const T& right) { return solve(matvec, right); };
  auto product = [&](const T& x) { return matvec(x); };
  detail::Call<false, decltype(solution), B> call(solution, b);
  detail::Call<false, decltype(product), B> product_call(product, b);
  static_assert(detail::all_are<T, typename decltype(call)::Result, typename decltype(product_call)::Result>,
                "custom_linear_solve: solve and matvec return what b is: the same type of tree");
  if (!detail::tracing()) return detail::called(call);
  detail::Custom custom{"custom_linear_solve", call.fn(), call.leaves, at};
  if constexpr (std::is_same_v<TransposeSolve, none_t>) {
    return call.output(detail::custom_linear_solve(custom, product_call.fn(), {}));
  } else {
    auto transposed = [&](const T& right) {
      auto pullback = vjp(product, right).second;
      return transpose_solve([&](const T& ct) { return std::get<0>(pullback(ct)); }, right);
    };
    detail::Call<false, decltype(transposed), B> transposed_call(transposed, b);
    static_assert(detail::all_are<T, typename decltype(transposed_call)::Result>,
                  "custom_linear_solve: transpose_solve returns what b is: the same type of tree");
    return call.output(detail::custom_linear_solve(custom, product_call.fn(), transposed_call.fn()));
  }
}

// x with f(x) = 0, a tensor or a tree of tensors: solve(f, x0) -> x finds it, by any means, for it is not
// differentiated. The derivative is that of the equation, by all that f captures, in every mode and to any order; that
// by x0 is zero. tangent_solve(matvec, b) -> y solves matvec(y) = b, where matvec(v) is the derivative of f at x times
// v; reverse mode calls it with the transpose of that. (One that does not call its matvec is transposed instead.) x0, x
// and f(x) have the same shapes and dtypes, which are floating.
template <class F, class X, class Solve, class TangentSolve>
detail::argument_t<X> custom_root(F&& f, const X& x0, Solve&& solve, TangentSolve&& tangent_solve,
                                  Location at = JOT_HERE) {
  using T = detail::argument_t<X>;
  detail::check_unknowns<T>();
  auto root = [&](const T& start) { return solve(f, start); };
  auto equation = [&](const T& x) { return f(x); };
  bool uses_matvec = false;
  auto matvec = [&](const T& x, const T& v) { return jvp(equation, primals(x), tangents(v)).second; };
  auto tangent = [&](const T& x, const T& b) {
    auto pushforward = linearize(equation, x).second;
    return tangent_solve(
        [&](const T& v) {
          uses_matvec = true;
          return pushforward(v);
        },
        b);
  };
  auto transposed = [&](const T& x, const T& b) {
    auto pullback = vjp(equation, x).second;
    return tangent_solve([&](const T& ct) { return std::get<0>(pullback(ct)); }, b);
  };
  detail::Call<false, decltype(root), X> call(root, x0);
  detail::Call<false, decltype(equation), X> equation_call(equation, x0);
  static_assert(detail::all_are<T, typename decltype(call)::Result, typename decltype(equation_call)::Result>,
                "custom_root: f and solve return what x0 is: the same type of tree");
  if (!detail::tracing()) return detail::called(call);
  detail::Call<false, decltype(matvec), X, X> matvec_call(matvec, x0, x0);
  detail::Call<false, decltype(tangent), X, X> tangent_call(tangent, x0, x0);
  detail::Call<false, decltype(transposed), X, X> transposed_call(transposed, x0, x0);
  static_assert(detail::all_are<T, typename decltype(tangent_call)::Result, typename decltype(transposed_call)::Result>,
                "custom_root: tangent_solve returns what its b is: the same type of tree");
  return call.output(detail::custom_root(
      {"custom_root", call.fn(), call.leaves, at},
      {equation_call.fn(), matvec_call.fn(), tangent_call.fn(), transposed_call.fn(), &uses_matvec}));
}

// f, of which a derivative keeps the arguments and computes the rest again.
template <class F>
auto checkpoint(F&& f, Location at = JOT_HERE) {
  return detail::Checkpoint<std::decay_t<F>>(std::forward<F>(f), at);
}

}  // namespace jot
