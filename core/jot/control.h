// Choices that tensors make. Branches are functions of the operands; they may capture tensors of any kind, write, draw
// random numbers, choose again. All branches are recorded, the chosen one runs.
#pragma once
#include <array>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "jot/call.h"

namespace jot {

class Trace;

namespace detail {

// The position that a number chooses, or outside transforms and jit a tensor: clamped to [0, count). None where the
// choice has to be recorded. truth: what is not 0 chooses 1.
std::optional<size_t> known_choice(std::string_view api, const Arg& index, size_t count, bool truth);
// Records all branches on the operands, and the choice: the results of the chosen one.
Leaves choose(std::string_view api, const Arg& index, std::span<const Fn> branches, std::span<const Tensor> operands,
              bool truth);

// While alive, draws in this thread's innermost trace are those of the stream that the present place of its own names:
// what a branch draws, recorded or called.
class OwnStream {
 public:
  OwnStream();
  ~OwnStream();
  OwnStream(const OwnStream&) = delete;
  OwnStream& operator=(const OwnStream&) = delete;

 private:
  std::shared_ptr<Trace> trace_;
};

// A function that is one of several.
template <class R, class... F>
struct OneOf {
  std::tuple<F...>& functions;
  size_t chosen;
  template <class... A>
  R operator()(const A&... operands) {
    std::optional<R> result;
    std::apply(
        [&](auto&... f) {
          size_t i = 0;
          ((i++ == chosen ? void(result.emplace(call_with_lvalues(f, operands...))) : void()), ...);
        },
        functions);
    return std::move(*result);
  }
};

template <class... F, class... A>
auto choose_of(std::string_view api, const Arg& index, bool truth, std::tuple<F...> functions, const A&... operands) {
  static_assert((check_callable<F, A...>() && ...));
  using R =
      std::remove_cvref_t<std::invoke_result_t<std::tuple_element_t<0, std::tuple<F...>>&, const argument_t<A>&...>>;
  static_assert((std::is_same_v<R, std::remove_cvref_t<std::invoke_result_t<F&, const argument_t<A>&...>>> && ...),
                "cond, switch_case: all branches must return one type");
  static_assert(differentiable<R>, "cond, switch_case: branches return tensors, and trees of them");
  constexpr size_t count = sizeof...(F);
  OneOf<R, F...> branch{functions, 0};
  if (std::optional<size_t> known = known_choice(api, index, count, truth)) {
    branch.chosen = *known;
    OwnStream stream;
    return branch(static_cast<const argument_t<A>&>(operands)...);
  }
  using Recorded = Call<false, OneOf<R, F...>, A...>;
  Recorded call(branch, operands...);
  struct Branch {
    Recorded* call;
    OneOf<R, F...>* one;
    size_t position;
    static void invoke(void* self, std::span<const Tensor> args, Outputs& out) {
      auto& b = *static_cast<Branch*>(self);
      b.one->chosen = b.position;
      Fn fn = b.call->fn();
      fn.call(fn.self, args, out);
    }
    static std::string path(const void* self, Role role, size_t leaf) {
      return Recorded::path(static_cast<const Branch*>(self)->call, role, leaf);
    }
  };
  std::array<Branch, count> branches;
  std::array<Fn, count> fns;
  for (size_t i = 0; i < count; ++i) {
    branches[i] = {&call, &branch, i};
    fns[i] = {&Branch::invoke, &branches[i], &Branch::path};
  }
  return call.output(choose(api, index, fns, call.leaves, truth));
}

}  // namespace detail

// then_fn(operands...) where pred is true, else else_fn(operands...). pred: a number or a tensor of one element. Both
// return one type, of tensors of the same shapes and dtypes; else a TransformError names the output. Under vmap a pred
// with lanes runs both and selects, without one it stays a branch; what a branch that is not taken computes never
// reaches a derivative. Outside transforms and jit one branch is simply called.
template <class Then, class Else, class... A>
auto cond(const Arg& pred, Then&& then_fn, Else&& else_fn, const A&... operands) {
  using Functions = std::tuple<std::decay_t<Else>, std::decay_t<Then>>;
  return detail::choose_of("cond", pred, true, Functions(std::forward<Else>(else_fn), std::forward<Then>(then_fn)),
                           operands...);
}

// branches[index](operands...); an index outside of them is clamped. index: an integer or an integer tensor of one
// element. As cond in all else.
template <class... F, class... A>
auto switch_case(const Arg& index, std::tuple<F...> branches, const A&... operands) {
  static_assert(sizeof...(F) > 0, "switch_case: expected at least one branch");
  return detail::choose_of("switch_case", index, false, std::move(branches), operands...);
}

}  // namespace jot
