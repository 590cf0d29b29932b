// vmap: a function of one example becomes one of many.
#pragma once
#include <utility>

#include "jot/call.h"

namespace jot {

namespace detail {

template <class F>
class Vmap {
 public:
  Vmap(F f, VmapOptions options, Location at) : f_(std::move(f)), options_(std::move(options)), at_(at) {
    check_chunk_size("vmap", options_.chunk_size, at);
    check_dim_size(options_.dim_size, at);
  }

  template <class... A>
  auto operator()(const A&... a) const {
    TreeSpec spec;
    spec.list(sizeof...(A));
    (walk(a, spec), ...);
    Call<false, F, A...> call(f_, a...);
    Body<Call<false, F, A...>> body{call, options_.out_dims, at_};
    std::vector<std::optional<int64_t>> in_dims = match_in_dims(options_, spec, call.fn(), at_);
    return call.output(vmap(body.fn(), call.leaves, in_dims, options_, at_));
  }

 private:
  // The call, and then where its outputs have their lanes.
  template <class C>
  struct Body {
    C& call;
    const DimTree& out_dims;
    Location at{};
    Fn fn() { return {&invoke, this, &path}; }
    static std::string path(const void* self, Role role, size_t leaf) {
      return C::path(&static_cast<const Body*>(self)->call, role, leaf);
    }
    static void invoke(void* self, std::span<const Tensor> args, Outputs& out) {
      Body& body = *static_cast<Body*>(self);
      Fn fn = body.call.fn();
      fn.call(fn.self, args, out);
      TreeSpec outputs;
      walk(body.call.result(), outputs);
      out.out_dims = match_out_dims(body.out_dims, outputs, body.at);
    }
  };
  mutable F f_;
  VmapOptions options_;
  Location at_;
};

}  // namespace detail

// f for all lanes of its mapped arguments at once: in_dims says where an argument has its lanes (none: not mapped),
// out_dims where a result gets them. With a dim_size no argument need be mapped, nor be there: f is called for so many
// lanes, which differ in what they draw (Randomness::different).
template <class F>
auto vmap(F&& f, VmapOptions options = {}, Location at = JOT_HERE) {
  return detail::Vmap<std::decay_t<F>>(std::forward<F>(f), std::move(options), at);
}

namespace detail {

// What {.in_dim = 0} and {.out_dim = 0} are taken for, and nothing else.
struct Unnamed {};
struct GivenDims {
  template <class First, class... Rest>
  GivenDims(const First&, const Rest&...) {}  // NOLINT: implicit by design
};
struct InDim {
  Unnamed unnamed = {};
  GivenDims in_dim;
  DimTree out_dim = 0, out_dims = 0;
  Randomness randomness = Randomness::error;
  std::optional<int64_t> chunk_size = {}, dim_size = {};
};
struct OutDim {
  Unnamed unnamed = {};
  DimTree in_dims = 0;
  GivenDims out_dim;
  Randomness randomness = Randomness::error;
  std::optional<int64_t> chunk_size = {}, dim_size = {};
};

}  // namespace detail

template <class F>
auto vmap(F&& f, detail::InDim, Location at = JOT_HERE) {
  static_assert(std::is_void_v<F>, "argument 1 of vmap: there is no .in_dim: write .in_dims");
  return vmap(std::forward<F>(f), VmapOptions{}, at);
}
template <class F>
auto vmap(F&& f, detail::OutDim, Location at = JOT_HERE) {
  static_assert(std::is_void_v<F>, "argument 1 of vmap: there is no .out_dim: write .out_dims");
  return vmap(std::forward<F>(f), VmapOptions{}, at);
}

}  // namespace jot
