#include "jot/gradcheck.h"

#include <cmath>
#include <cstdio>
#include <limits>
#include <string>

#include "jot/creation.h"
#include "jot/tensor.h"

namespace jot::detail {

namespace {

std::string number(double x) {
  if (std::isnan(x)) return "nan";  // of either sign
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", x);
  return text;
}

// "[1, 2]" of element i of a tensor, nothing of one without dims.
std::string index_text(const Shape& shape, int64_t i) {
  std::string text;
  for (size_t d = shape.size(); d-- > 0; i /= shape[d])
    text = std::to_string(i % shape[d]) + (text.empty() ? "" : ", ") + text;
  return text.empty() ? text : "[" + text + "]";
}

// A function of the floating leaves of another's arguments that gives its floating outputs.
class FloatingPart {
 public:
  FloatingPart(std::string_view api, Fn fn, std::span<const Tensor> args, Location at)
      : api_(api), at_(at), fn_(fn), all_(args.begin(), args.end()) {
    for (size_t i = 0; i < all_.size(); ++i) {
      if (!all_[i].defined()) fail(fn.name(Role::argument, i) + " is an undefined Tensor");
      if (is_floating(all_[i].dtype())) places_.push_back(i);
    }
    if (places_.empty()) fail("expects at least one argument that is a Tensor of floating point dtype");
  }
  FloatingPart(const FloatingPart&) = delete;
  FloatingPart& operator=(const FloatingPart&) = delete;

  Fn fn() { return {&invoke, this, &path}; }
  Leaves floating() const {
    Leaves leaves;
    for (size_t i : places_) leaves.push_back(all_[i]);
    return leaves;
  }
  // Of copies of these, so that what f writes reaches nobody.
  Leaves operator()(std::span<const Tensor> floating) {
    Outputs out;
    Leaves copies;
    for (const Tensor& t : floating) copies.push_back(t.clone());
    call(copies, out);
    if (out.values.empty()) fail("f gives no Tensor of floating point dtype");
    return std::move(out.values);
  }
  std::string name(Role role, size_t i) const { return fn_.name(role, (role == Role::output ? given_ : places_)[i]); }
  [[noreturn]] void fail(const std::string& text) const {
    throw TransformError("[" + std::string(api_) + "] " + text + jot::at(at_));
  }

 private:
  void call(std::span<const Tensor> floating, Outputs& out) {
    Leaves arguments;
    size_t next = 0;
    for (size_t i = 0; i < all_.size(); ++i)
      arguments.push_back(next < places_.size() && places_[next] == i ? floating[next++] : all_[i].clone());
    Outputs every;
    fn_.call(fn_.self, arguments, every);
    given_.clear();
    for (size_t i = 0; i < every.values.size(); ++i)
      if (every.values[i].defined() && is_floating(every.values[i].dtype())) {
        given_.push_back(i);
        out.values.push_back(every.values[i]);
      }
  }
  static void invoke(void* self, std::span<const Tensor> args, Outputs& out) {
    static_cast<FloatingPart*>(self)->call(args, out);
  }
  static std::string path(const void* self, Role role, size_t leaf) {
    const auto& part = *static_cast<const FloatingPart*>(self);
    return part.fn_.path(part.fn_.self, role, (role == Role::output ? part.given_ : part.places_)[leaf]);
  }
  std::string_view api_;
  Location at_;
  Fn fn_;
  Leaves all_;
  std::vector<size_t> places_, given_;  // of the floating ones among all arguments, all outputs
};

// Where the derivatives of one function differ.
class Comparison {
 public:
  Comparison(std::string_view api, GradcheckOptions options) : api_(api), options_(options) {}

  // jacobian by both modes, and central differences of f, a function of `in`.
  template <class F>
  void compare(F f, Fn fn, const Leaves& in, Location at);
  // Names of outputs and arguments follow by position.
  template <class Name>
  bool finish(Name name, bool all_f64, Location at) const;

 private:
  struct Entry {
    size_t output, argument;
    Shape out_shape, in_shape;
    int64_t row, column;
    double analytic, numeric;
    const char* mode;
  };
  void meet(const Entry& e) {
    double off = std::abs(e.analytic - e.numeric), allowed = options_.atol + options_.rtol * std::abs(e.numeric);
    ++count_;
    if (off <= allowed) return;  // false for NaN
    ++wrong_;
    double excess = off / allowed;
    if (std::isnan(excess)) excess = std::numeric_limits<double>::infinity();
    if (wrong_ == 1 || excess > excess_) {
      worst_ = e;
      excess_ = excess;
    }
  }
  std::string_view api_;
  GradcheckOptions options_;
  Entry worst_{};
  double excess_ = 0;
  int64_t wrong_ = 0, count_ = 0;
};

template <class F>
void Comparison::compare(F f, Fn fn, const Leaves& in, Location at) {
  std::vector<size_t> all(in.size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = i;
  const Leaves base = f(in);
  struct Mode {
    const char* name;
    std::vector<std::vector<double>> blocks;
  } modes[] = {{"forward", {}}, {"reverse", {}}};
  for (Mode& mode : modes) {
    const bool forward = mode.name == modes[0].name;
    const JacobianResult r =
        jacobian(fn, in, all, forward ? JacobianMode::forward : JacobianMode::reverse, JacobianOptions{}, at);
    for (const Tensor& block : r.blocks) mode.blocks.push_back(block.to_vector<double>(at));
  }
  for (size_t k = 0; k < in.size(); ++k) {
    const Shape shape = in[k].shape();
    const std::vector<double> here = in[k].to_vector<double>(at);
    for (size_t column = 0; column < here.size(); ++column) {
      double step[2];
      std::vector<std::vector<double>> sides[2];
      for (int side = 0; side < 2; ++side) {
        std::vector<double> there = here;
        there[column] += side == 0 ? options_.eps : -options_.eps;
        Leaves moved = in;
        moved[k] = Tensor::from(there, shape).to(in[k].dtype());
        step[side] = moved[k].to_vector<double>(at)[column];
        const Leaves out = f(moved);
        if (out.size() != base.size())
          throw TransformError("[" + std::string(api_) + "] f gives another number of tensors within eps" +
                               jot::at(at));
        for (size_t o = 0; o < out.size(); ++o) {
          if (out[o].shape() != base[o].shape())
            throw TransformError("[" + std::string(api_) + "] the shape of an output of f changes within eps: " +
                                 to_string(base[o].shape()) + ", " + to_string(out[o].shape()) + jot::at(at));
          sides[side].push_back(out[o].to_vector<double>(at));
        }
      }
      for (size_t o = 0; o < base.size(); ++o)
        for (size_t row = 0; row < sides[0][o].size(); ++row)
          for (const Mode& mode : modes)
            meet({o, k, base[o].shape(), shape, static_cast<int64_t>(row), static_cast<int64_t>(column),
                  mode.blocks[o * in.size() + k][row * here.size() + column],
                  (sides[0][o][row] - sides[1][o][row]) / (step[0] - step[1]), mode.name});
    }
  }
}

template <class Name>
bool Comparison::finish(Name name, bool all_f64, Location at) const {
  if (wrong_ == 0) return true;
  const Entry& e = worst_;
  std::string text = "[" + std::string(api_) + "] the derivative of " + name(Role::output, e.output) +
                     index_text(e.out_shape, e.row) + " by " + name(Role::argument, e.argument) +
                     index_text(e.in_shape, e.column) + ": analytic " + number(e.analytic) + " (" + e.mode +
                     " mode), numeric " + number(e.numeric) + "; expected them within " + number(options_.atol) +
                     " + " + number(options_.rtol) + " |numeric|; " + std::to_string(wrong_) + " of " +
                     std::to_string(count_) + " entries of both modes are off";
  if (!all_f64) text += "\n  not all arguments are f64: make them f64, or give a larger eps and larger tolerances";
  throw Error(text + jot::at(at));
}

bool all_f64(const Leaves& leaves) {
  for (const Tensor& t : leaves)
    if (t.dtype() != f64) return false;
  return true;
}

// The pullback of another function, as one of that function's arguments and of the cotangents of its outputs.
class PullbackOf {
 public:
  PullbackOf(FloatingPart& part, size_t arguments, Location at) : part_(part), arguments_(arguments), at_(at) {}
  Fn fn() { return {&invoke, this, &path}; }
  Leaves operator()(std::span<const Tensor> leaves) {
    const VjpResult r = vjp(part_.fn(), leaves.first(arguments_));
    return (*r.pullback)(leaves.subspan(arguments_), {&cotangent, nullptr}, at_);
  }
  std::string name(Role role, size_t i) const {
    if (role == Role::output) return "the gradient by " + part_.name(Role::argument, i);
    return i < arguments_ ? part_.name(Role::argument, i)
                          : "the cotangent of " + part_.name(Role::output, i - arguments_);
  }

 private:
  static void invoke(void* self, std::span<const Tensor> args, Outputs& out) {
    out.values = (*static_cast<PullbackOf*>(self))(args);
  }
  static std::string path(const void* self, Role role, size_t leaf) {
    return " (" + static_cast<const PullbackOf*>(self)->name(role, leaf) + ")";
  }
  static std::string cotangent(const void*, size_t leaf) { return "cotangent " + std::to_string(leaf); }
  FloatingPart& part_;
  size_t arguments_;
  Location at_;
};

}  // namespace

bool gradcheck(Fn fn, std::span<const Tensor> args, GradcheckOptions options, Location at) {
  FloatingPart part("gradcheck", fn, args, at);
  const Leaves in = part.floating();
  Comparison comparison("gradcheck", options);
  comparison.compare([&](const Leaves& leaves) { return part(leaves); }, part.fn(), in, at);
  return comparison.finish([&](Role role, size_t i) { return part.name(role, i); }, all_f64(in), at);
}

bool gradgradcheck(Fn fn, std::span<const Tensor> args, GradcheckOptions options, Location at) {
  FloatingPart part("gradgradcheck", fn, args, at);
  Leaves in = part.floating();
  PullbackOf pullback(part, in.size(), at);
  const Leaves base = part(in);
  for (size_t o = 0; o < base.size(); ++o) {
    std::vector<double> values(static_cast<size_t>(base[o].numel()));
    for (size_t i = 0; i < values.size(); ++i)  // multiples of the golden ratio: evenly spread, no two alike
      values[i] = 0.5 + std::fmod(0.6180339887498949 * static_cast<double>(i + 1) + 0.37 * static_cast<double>(o), 1);
    in.push_back(Tensor::from(values, base[o].shape()).to(base[o].dtype()));
  }
  Comparison comparison("gradgradcheck", options);
  comparison.compare([&](const Leaves& leaves) { return pullback(leaves); }, pullback.fn(), in, at);
  return comparison.finish([&](Role role, size_t i) { return pullback.name(role, i); }, all_f64(in), at);
}

}  // namespace jot::detail
