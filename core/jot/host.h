// The host's own code inside traced functions: C++ on values, and printing.
#pragma once
#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include "jot/call.h"
#include "jot/creation.h"

namespace jot {

namespace detail {

// A function of concrete tensors, its trees flattened away. What is equal shares compiled graphs.
class HostCode {
 public:
  virtual ~HostCode() = default;
  virtual Leaves call(std::span<const Tensor> args) const = 0;
  virtual size_t hash() const = 0;
  virtual bool equal(const HostCode& other) const = 0;
};
// Records the call, or outside transforms and jit does it. `types`: of the results.
Leaves host_call(std::string_view api, std::shared_ptr<const HostCode> code, std::span<const Tensor> args,
                 std::span<const Tensor> types, Location at);

template <class F, class Result, class... A>
class HostCodeOf final : public HostCode {
 public:
  HostCodeOf(F f, const A&... a) : f_(std::move(f)), args_(blank(argument_t<A>(a))...) {
    walk(args_, structure_);
    structure_.tensors.clear();
  }
  Leaves call(std::span<const Tensor> leaves) const override {
    std::tuple<argument_t<A>...> args = args_;
    LeafCursor cursor{leaves.data()};
    replace_leaves(args, cursor);
    return leaves_in(std::apply([&](const auto&... a) -> Result { return f_(a...); }, args));
  }
  size_t hash() const override { return typeid(*this).hash_code(); }
  bool equal(const HostCode& other) const override {
    auto* o = dynamic_cast<const HostCodeOf*>(&other);
    if (!o || !structure_.same_structure(o->structure_)) return false;
    if constexpr (std::is_empty_v<F>)
      return true;
    else if constexpr (std::equality_comparable<F>)
      return f_ == o->f_;
    else
      return this == o;
  }

 private:
  mutable F f_;
  std::tuple<argument_t<A>...> args_;
  TreeSpec structure_;
};

// A format's text with the numbers among its values put in; the tensors are left.
class PrintFormat {
 public:
  PrintFormat(std::string_view text, size_t values, Location at);
  void number(const std::string& text);
  void tensor() { ++next_; }
  std::string with(std::span<const Tensor> tensors) const;
  friend bool operator==(const PrintFormat&, const PrintFormat&) = default;

 private:
  std::vector<std::string> pieces_;   // before, between and after the placeholders
  std::vector<std::string> numbers_;  // empty: a tensor
  size_t next_ = 0;
};
void print_line(const std::string& line);

struct Printer {
  PrintFormat format;
  std::tuple<> operator()(const Leaves& tensors) const {
    print_line(format.with(tensors));
    return {};
  }
  friend bool operator==(const Printer&, const Printer&) = default;
};

}  // namespace detail

// A format and the line that has it.
struct Format {
  std::string_view text;
  Location at;
  Format(const char* format, Location location = JOT_HERE) : text(format), at(location) {}         // NOLINT: implicit
  Format(const std::string& format, Location location = JOT_HERE) : text(format), at(location) {}  // NOLINT: implicit
};

// fn(x...) as an op: fn gets the values of the arguments, tensors and trees of them, whenever the graph is run, and
// returns tensors like `types`: spec(shape, dtype), or a tree of such. Everywhere: under jit, in loops and branches,
// where it is called each time. Calls run one after the other, in the order of the program, also those of the lanes of
// a vmap. A call whose results nobody uses is done for what else it does. It has no derivative (TransformError) but
// what custom_jvp or custom_vjp give it; under stop_gradient none is asked for. What fn throws leaves the call that
// evaluates; fn may be called again then. It may use tensors and transforms, but none of a function that is being
// recorded. Functions are the same if they are of one type and equal by ==, or have no state: those share compiled
// code. Others, lambdas with captures, are compiled anew with each recording.
template <class F, class Types, class... A>
Types host_call(F&& fn, const Types& types, const A&... x) {
  using Code = detail::HostCodeOf<std::decay_t<F>, Types, A...>;
  static_assert(detail::differentiable<Types>, "the types of host_call are spec(shape, dtype), and trees of them");
  static_assert((detail::differentiable<A> && ...), "the arguments of host_call are tensors, and trees of them");
  static_assert(std::is_invocable_r_v<Types, std::decay_t<F>&, const detail::argument_t<A>&...>,
                "host_call: the function takes the arguments as const lvalues and returns what `types` is");
  detail::Leaves args;
  detail::Flattener flattener(args);
  (detail::walk(x, flattener), ...);
  auto code = std::make_shared<const Code>(std::forward<F>(fn), x...);
  detail::Leaves results = detail::host_call("host_call", std::move(code), args, detail::leaves_in(types), Location());
  Types copy = types;
  detail::LeafCursor cursor{results.data()};
  detail::replace_leaves(copy, cursor);
  return copy;
}

// Prints the format with the values in the places of its {} ({{ and }} are braces), and a new line, whenever the
// function that has it runs: under jit, in loops and branches, once for each lane of a vmap, in order. Values are
// tensors and numbers. Derivatives do not print again, but where a checkpoint is computed again; what rules of
// custom functions leave out is not printed.
template <class... A>
void debug_print(Format format, const A&... values) {
  detail::PrintFormat text(format.text, sizeof...(A), format.at);
  detail::Leaves tensors;
  [[maybe_unused]] auto take = [&](const auto& value) {
    using V = std::remove_cvref_t<decltype(value)>;
    if constexpr (std::is_arithmetic_v<V>) {
      text.number(std::is_same_v<V, bool> ? (value ? "true" : "false") : std::to_string(value));
    } else {
      static_assert(std::is_convertible_v<const V&, const Tensor&>, "debug_print: values are tensors and numbers");
      text.tensor();
      tensors.push_back(value);
    }
  };
  (take(values), ...);
  using Code = detail::HostCodeOf<detail::Printer, std::tuple<>, detail::Leaves>;
  detail::host_call("debug_print", std::make_shared<const Code>(detail::Printer{text}, tensors), tensors, {},
                    format.at);
}

}  // namespace jot
