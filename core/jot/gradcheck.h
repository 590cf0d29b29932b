// Derivatives against finite differences.
#pragma once
#include <utility>

#include "jot/args.h"
#include "jot/call.h"

namespace jot {

// eps: the step to either side. An entry agrees if |analytic - numeric| <= atol + rtol |numeric|. The defaults are for
// f64; f32 needs an eps of about 1e-3 and tolerances of 1e-2.
struct GradcheckOptions {
  double eps = 1e-6;
  double atol = 1e-5;
  double rtol = 1e-3;
};

namespace detail {

bool gradcheck(Fn fn, std::span<const Tensor> args, GradcheckOptions options, Location at);
bool gradgradcheck(Fn fn, std::span<const Tensor> args, GradcheckOptions options, Location at);

}  // namespace detail

// Whether the jacobians of f, of every floating output by every floating tensor of its arguments, are those of central
// differences: true, or an Error that names the entry that is furthest off its tolerance (output and argument by path,
// the index in each, both values, the mode) and how many are off. In forward mode and in reverse mode; f is called
// twice for each element of the arguments. f must be smooth within eps of the arguments and give the same at every
// call; it gets copies, which it may write. TransformError where no argument, or no output, is floating, or where the
// outputs' shapes change.
template <class F, class... A>
bool gradcheck(F&& f, const CallArgs<A...>& arguments, GradcheckOptions options = {}, Location at = JOT_HERE) {
  std::decay_t<F> function(std::forward<F>(f));
  return std::apply(
      [&](const A&... a) {
        detail::Call<false, std::decay_t<F>, A...> call(function, a...);
        return detail::gradcheck(call.fn(), call.leaves, options, at);
      },
      arguments.values);
}

// The same of f's pullback, by the arguments and by the cotangents, which are numbers between 0.5 and 1.5: so of f's
// second derivatives.
template <class F, class... A>
bool gradgradcheck(F&& f, const CallArgs<A...>& arguments, GradcheckOptions options = {}, Location at = JOT_HERE) {
  std::decay_t<F> function(std::forward<F>(f));
  return std::apply(
      [&](const A&... a) {
        detail::Call<false, std::decay_t<F>, A...> call(function, a...);
        return detail::gradgradcheck(call.fn(), call.leaves, options, at);
      },
      arguments.values);
}

}  // namespace jot
