// Loops that are recorded once and run many times, under every transform. Their functions may capture tensors of any
// kind, write in place, draw random numbers (per step, reproducible), branch and loop again. What passes from step to
// step, the carry, is a tree of tensors whose shapes and dtypes stay.
#pragma once
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "jot/call.h"
#include "jot/control.h"
#include "jot/creation.h"
#include "jot/ops.h"
#include "jot/options.h"
#include "jot/vmap.h"

namespace jot {

struct WhileOptions {
  std::optional<int64_t> max_steps = {};  // an Error at evaluation where the condition still holds after as many
  // Reverse mode keeps the carries of at most as many steps, and computes the others again from those: see scan.
  std::optional<int64_t> checkpoints = {};
};
struct ForiOptions {
  std::optional<int64_t> checkpoints = {};  // as of scan
};
struct ScanOptions {
  std::optional<int64_t> length = {};  // where there are no xs
  bool reverse = false;                // from the last slice to the first
  // Reverse mode keeps the carries of at most as many steps, and none of what is computed within a step: it computes
  // the others again, each step at most r times where (checkpoints + r)! / (checkpoints! r!) is the number of steps.
  // Of derivatives of such a derivative the first stage alone is kept like this.
  std::optional<int64_t> checkpoints = {};
};
struct AssociativeScanOptions {
  int64_t dim = 0;
  bool reverse = false;
};
struct MapOptions {
  std::optional<int64_t> batch_size = {};  // how many elements are computed at a time; one if none
};

namespace detail {

struct Loop {
  std::string_view api;
  Fn body;  // (carries, slices) -> carries, ys; with `counted` the number of the step in front
  std::span<const Tensor> carries, xs{};
  size_t (*carries_of)(const void* self) = nullptr;  // how many leaves of what the body returned are carries; null: all
  std::optional<int64_t> length{};
  bool reverse = false;
  bool counted = false;
  int64_t first = 0;  // number of the first step
  std::optional<int64_t> checkpoints{};
  Location at{};
};
// Final carries, then ys with a dim 0 of their own.
Leaves scan(const Loop& loop);
// condition(carries) -> a tensor of one element. With `counted` the body gets the number of the step, from `lower` on,
// and the condition is that it is less than `upper`.
Leaves while_loop(const Loop& loop, Fn condition, std::optional<int64_t> max_steps);
Leaves fori_loop(const Loop& loop, const Arg& lower, const Arg& upper);

template <class T>
constexpr void check_carry() {
  static_assert(differentiable<T>, "a carry holds only tensors, and trees of them (for a number write tensor(number))");
}
template <class C, class R>
constexpr void check_step() {
  static_assert(std::is_same_v<C, R>, "a step must return the carry as it got it: the same type of tree");
}

}  // namespace detail

// body(carry) -> carry for as long as condition(carry), a tensor of one element, is true. Under vmap it runs while any
// lane does; lanes that have finished keep their carry. All derivatives; reverse mode keeps the carries of all steps.
// TransformError where a step changes shapes or dtypes.
template <class Cond, class Body, class C>
C while_loop(Cond&& condition, Body&& body, const C& init, WhileOptions options = {}, Location at = JOT_HERE) {
  detail::check_carry<C>();
  std::decay_t<Body> step(std::forward<Body>(body));
  std::decay_t<Cond> test(std::forward<Cond>(condition));
  detail::Call<false, std::decay_t<Body>, C> call(step, init);
  detail::Call<false, std::decay_t<Cond>, C> condition_call(test, init);
  detail::check_step<C, typename decltype(call)::Result>();
  detail::Loop loop{
      .api = "while_loop", .body = call.fn(), .carries = call.leaves, .checkpoints = options.checkpoints, .at = at};
  return call.output(detail::while_loop(loop, condition_call.fn(), options.max_steps));
}

// carry = body(i, carry) for i = lower, ..., upper - 1; i is an i64 tensor without dims. Bounds that are numbers, or
// outside transforms and jit tensors, make a loop of known length; else it is as while_loop.
template <class Body, class C>
C fori_loop(const Arg& lower, const Arg& upper, Body&& body, const C& init, ForiOptions options = {},
            Location at = JOT_HERE) {
  detail::check_carry<C>();
  std::decay_t<Body> step(std::forward<Body>(body));
  const Tensor number = zeros({}, i64);
  detail::Call<false, std::decay_t<Body>, Tensor, C> call(step, number, init);
  detail::check_step<C, typename decltype(call)::Result>();
  std::span<const Tensor> carries = std::span<const Tensor>(call.leaves).subspan(1);
  detail::Loop loop{.api = "fori_loop",
                    .body = call.fn(),
                    .carries = carries,
                    .counted = true,
                    .checkpoints = options.checkpoints,
                    .at = at};
  return call.output(detail::fori_loop(loop, lower, upper));
}

// step(carry, x) -> pair{carry, y} for each slice x of xs along dim 0: the last carry and the ys, stacked. xs: a tree
// of tensors with equal extents at dim 0, or `none` with a length: step gets `none` then.
template <class Step, class C, class X>
auto scan(Step&& step_fn, const C& init, const X& xs, ScanOptions options = {}, Location at = JOT_HERE) {
  detail::check_carry<C>();
  std::decay_t<Step> step(std::forward<Step>(step_fn));
  using Call = detail::Call<false, std::decay_t<Step>, C, X>;
  Call call(step, init, xs);
  using Result = typename Call::Result;
  static_assert(detail::is_pair<Result>, "a step of scan returns a std::pair{carry, y}");
  detail::check_step<C, std::remove_cvref_t<typename Result::first_type>>();
  size_t split = call.starts[1];
  struct Counted {
    static size_t carries(const void* self) {
      auto& c = *const_cast<Call*>(static_cast<const Call*>(self));
      return detail::leaves_in(c.result().first).size();
    }
  };
  std::span<const Tensor> leaves = call.leaves;
  detail::Loop loop{.api = "scan",
                    .body = call.fn(),
                    .carries = leaves.first(split),
                    .xs = leaves.subspan(split),
                    .carries_of = &Counted::carries,
                    .length = options.length,
                    .reverse = options.reverse,
                    .checkpoints = options.checkpoints,
                    .at = at};
  return call.output(detail::scan(loop));
}

namespace detail {

// The tree with f of each leaf.
template <class T, class F>
T map_leaves(const T& tree, F f) {
  Leaves leaves = leaves_in(tree);
  for (Tensor& leaf : leaves) leaf = f(leaf);
  T copy = tree;
  LeafCursor cursor{leaves.data()};
  replace_leaves(copy, cursor);
  return copy;
}
// Of slices that a function is given: what it writes to them nobody else sees.
template <class T>
T copied_leaves(const T& tree, Location at) {
  return map_leaves(tree, [&](const Tensor& x) { return x.clone(at); });
}
template <class T, class F>
T zip_leaves(const T& a, const T& b, F f) {
  Leaves others = leaves_in(b);
  size_t i = 0;
  return map_leaves(a, [&](const Tensor& x) { return f(x, others[i++]); });
}

// The extent of all leaves at dim 0; ShapeError where they differ or there is none.
int64_t common_extent(std::string_view api, std::span<const Tensor> leaves, Location at);
void check_batch_size(std::string_view api, std::optional<int64_t> size, Location at);

// Inclusive prefixes along dim 0: neighbours are combined, the prefixes of the pairs follow by recursion, those between
// from them. Blelloch, "Prefix Sums and Their Applications", 1990.
template <class F, class X>
X prefixes(F& combine, const X& xs, int64_t n, Location at) {
  if (n < 2) return xs;
  auto part = [&](const X& t, int64_t from, std::optional<int64_t> to, int64_t step) {
    return map_leaves(t, [&](const Tensor& x) { return x.slice(0, from, to, step, at); });
  };
  X pairs = combine(part(xs, 0, n - 1, 2), part(xs, 1, n, 2));
  X odd = prefixes(combine, pairs, n / 2, at), even = part(xs, 0, 1, 1);
  if (n > 2) {
    X later = combine(n % 2 == 0 ? part(odd, 0, n / 2 - 1, 1) : odd, part(xs, 2, n, 2));
    even = zip_leaves(even, later, [&](const Tensor& a, const Tensor& b) { return cat({a, b}, 0, at); });
  }
  return zip_leaves(even, odd, [&](const Tensor& a, const Tensor& b) {
    Tensor both = stack({a.slice(0, 0, n / 2, 1, at), b}, 1, at).flatten(0, 1, at);
    return n % 2 == 0 ? both : cat({both, a.slice(0, n / 2, none, 1, at)}, 0, at);
  });
}

}  // namespace detail

// f(x) of each slice x of xs along dim 0, stacked. One slice at a time, or batch_size of them as vmap(f) takes them.
template <class F, class X>
auto map_over(F&& f, const X& xs, MapOptions options = {}, Location at = JOT_HERE) {
  detail::check_batch_size("map_over", options.batch_size, at);
  std::decay_t<F> function(std::forward<F>(f));
  auto over = [&](auto& step, const X& slices) {
    auto scanned = [&](const std::tuple<>&, const X& x) { return std::pair{std::tuple<>(), step(x)}; };
    return scan(scanned, std::tuple<>(), slices, ScanOptions{}, at).second;
  };
  if (!options.batch_size) return over(function, xs);
  int64_t n = detail::common_extent("map_over", detail::leaves_in(xs), at), size = *options.batch_size, full = n / size;
  auto of_slice = [&](const X& x) { return function(detail::copied_leaves(x, at)); };
  auto lanes = vmap(of_slice, VmapOptions{.randomness = Randomness::different}, at);
  if (full * size == 0) return lanes(xs);
  auto part = [&](int64_t from, int64_t to) {
    return detail::map_leaves(xs, [&](const Tensor& x) { return x.slice(0, from, to, 1, at); });
  };
  X batches = detail::map_leaves(part(0, full * size), [&](const Tensor& x) {
    return x.unflatten(0, {full, size}, at);
  });
  auto results = detail::map_leaves(over(lanes, batches), [&](const Tensor& y) { return y.flatten(0, 1, at); });
  if (full * size == n) return results;
  return detail::zip_leaves(results, lanes(part(full * size, n)), [&](const Tensor& a, const Tensor& b) {
    return cat({a, b}, 0, at);
  });
}

// All prefixes of the slices of xs along dim, combined by f, which is associative: f(f(x0, x1), x2), ... f takes two
// slices and returns one. reverse: from the last on. O(n) calls of f in O(log n) steps, each for many slices as vmap
// takes them.
template <class F, class X>
X associative_scan(F&& f, const X& xs, AssociativeScanOptions options = {}, Location at = JOT_HERE) {
  std::decay_t<F> function(std::forward<F>(f));
  static_assert(std::is_same_v<X, std::remove_cvref_t<std::invoke_result_t<std::decay_t<F>&, const X&, const X&>>>,
                "associative_scan: f takes two slices and returns one, of the same type");
  X leading = detail::map_leaves(xs, [&](const Tensor& x) { return x.movedim(options.dim, 0, at); });
  int64_t n = detail::common_extent("associative_scan", detail::leaves_in(leading), at);
  if (n < 2) return detail::copied_leaves(xs, at);
  auto flipped = [&](const X& t) {
    return options.reverse ? detail::map_leaves(t, [&](const Tensor& x) { return flip(x, 0, at); }) : t;
  };
  auto of_slices = [&](const X& a, const X& b) {
    return function(detail::copied_leaves(a, at), detail::copied_leaves(b, at));
  };
  auto combine = vmap(of_slices, VmapOptions{}, at);
  X result = flipped(detail::prefixes(combine, flipped(leading), n, at));
  return detail::map_leaves(result, [&](const Tensor& x) { return x.movedim(0, options.dim, at); });
}

}  // namespace jot
