#pragma once
#include <tuple>

namespace jot {

// Several arguments of a function, as one: functional_call(module, params, args(x, y)). Refers to them: lives as long
// as the call it is made for.
template <class... A>
struct CallArgs {
  std::tuple<const A&...> values;
};
template <class... A>
CallArgs<A...> args(const A&... a) {
  return {{a...}};
}

}  // namespace jot
