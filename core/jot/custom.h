// Functions with derivatives of the user's own, and functions that are computed again rather than kept. Their functions
// are recorded once for each call; under further transforms they are what they were recorded as, so that rules are
// differentiated and batched again, to any depth.
#pragma once
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "jot/call.h"
#include "jot/creation.h"

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

// Where nothing is recorded no derivative will ask for a rule: the function is called.
template <class C>
auto called(C& call) {
  Outputs direct;
  Fn fn = call.fn();
  fn.call(fn.self, call.leaves, direct);
  return call.output(direct.values);
}

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

// f, of which a derivative keeps the arguments and computes the rest again.
template <class F>
auto checkpoint(F&& f, Location at = JOT_HERE) {
  return detail::Checkpoint<std::decay_t<F>>(std::forward<F>(f), at);
}

}  // namespace jot
