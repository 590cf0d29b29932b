// What the operations of the user interface (core/ops) are made of.
#pragma once
#include <concepts>
#include <mutex>
#include <span>
#include <string_view>

#include "core/trace.h"
#include "ir/fork.h"

namespace jot::detail {

// Records into the innermost trace of this thread: what a function of core/ops is made of. While alive, a lazy trace is
// locked. `operands` are the tensors that are read or written: those pending in another thread are evaluated first.
class Emitter {
 public:
  Emitter(std::string_view op, Location at, std::span<const Tensor> operands = {});
  template <class... T>
    requires(std::constructible_from<Arg, const T&> && ...)
  Emitter(std::string_view op, Location at, const T&... operands) : Emitter(op, at, std::span<const Tensor>{}) {
    (hand_over(operands), ...);
  }
  ~Emitter();
  Emitter(const Emitter&) = delete;
  Emitter& operator=(const Emitter&) = delete;

  // One more operand.
  void use(const Tensor& t) { hand_over(t); }

  // The present contents of a tensor, a number as a 0-d value, random bits (i32 or i64 by width).
  ir::Value operator()(const Tensor& t) { return trace.read(t); }
  ir::Value operator()(Number number, DType dtype) { return trace.literal(number, dtype); }
  ir::Value random_bits(const Shape& shape, int width);

  Tensor result(ir::Value v);
  // dst = v, and dst = op(dst, others...), both in place. Types must be dst's; others of fill are 0-d.
  void write(const Tensor& dst, ir::Value v);
  void write(const Tensor& dst, ir::Op op, std::initializer_list<ir::Value> others);

  std::string_view op() const { return op_; }
  Location at() const { return b.location(); }
  // Throws "[op] what at file:line".
  template <class E>
  [[noreturn]] void fail(const std::string& what) const {
    throw E("[" + std::string(op_) + "] " + what + jot::at(b.location()));
  }

 private:
  void hand_over(const Tensor& t);
  void hand_over(const Arg& a) {
    if (a.is_tensor()) hand_over(a.tensor());
  }
  ir::Value constant_without_grad(ir::Value v);
  void check_writable(const Tensor& dst) const;
  NoFork section_;

 public:
  Trace& trace;
  ir::Builder& b;

 private:
  std::string_view op_;
  std::unique_lock<std::recursive_mutex> lock_;
  bool nested_ = false;  // in another emitter of this trace
};

// Records one op whose operands have the shapes and dtypes that it wants. Throws its ShapeError / DTypeError at `at`.
Tensor record(ir::Op op, std::span<const Tensor> operands, ir::Ints attrs, Location at);
inline Tensor record(ir::Op op, std::initializer_list<Tensor> operands, ir::Ints attrs, Location at) {
  return record(op, std::span<const Tensor>(operands.begin(), operands.size()), attrs, at);
}

// A view of t, sharing its storage: shape, offset and strides say where its elements lie; step how it is computed from
// t.
Tensor view(const Tensor& t, ViewStep step, Shape shape, int64_t offset, Shape strides);

// Concrete tensors.
Tensor from_buffer(DType dtype, const Shape& shape, Buffer buffer);
Tensor empty(DType dtype, const Shape& shape);  // uninitialised

// Contents of t, contiguous: evaluates what is pending, forces what a derivative transform made (design: host reads).
// Throws TraceError where there is no value: batched, or under jit, trace and compile; `what` names the caller
// ("item").
Buffer read(const Tensor& t, std::string_view what, Location at);
// Makes t's storage concrete; null, or if a trace of a transform owns it: what t shows, contiguous.
Buffer evaluate(const Tensor& t, std::string_view what, Location at);

// While alive, nodes recorded on this thread carry this scope name (nested with '/') and, where `at` is set, its line
// instead of their own: so composites and modules report the user's line.
class Scope {
 public:
  explicit Scope(std::string_view name, Location at = {});
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  size_t name_size_;
  Location outer_;
};

// While alive, modules that are not told where they are called take it to be `at`, if that is known.
class CallSite {
 public:
  explicit CallSite(Location at);
  ~CallSite();
  CallSite(const CallSite&) = delete;
  CallSite& operator=(const CallSite&) = delete;
  static Location current();

 private:
  Location outer_;
};

// ---- for the transforms

// Of a tensor of a function that is being transformed: where it cannot be used.
inline constexpr std::string_view kForeign =
    "in another thread than the one that runs the function being transformed, which made it: use it in that thread, or "
    "return it from the function";

// The innermost trace of this thread; its lazy trace if none runs.
Trace& current_trace();
Trace* innermost_trace();  // null while the thread has none

// Depth of NoGrad guards inside the innermost traced function: while positive, what is recorded there is constant to
// every derivative.
int& no_grad_depth();
// Number of StrongZeros guards of this thread: transforms that are called meanwhile have strong zeros.
int& strong_zeros_depth();

// While alive, the innermost trace is `trace`.
class EnterTrace {
 public:
  explicit EnterTrace(Trace& trace);
  ~EnterTrace();
  EnterTrace(const EnterTrace&) = delete;
  EnterTrace& operator=(const EnterTrace&) = delete;

 private:
  Trace* outer_;
};

// Runs fn with symbolic arguments shaped like `args` (or like `types`, where given) in a new trace, with strides like
// theirs. Those that are flagged in `copied` are copies of what they stand for: writes to them end with the function.
Recording record_function(Fn fn, std::span<const Tensor> args, TraceOptions options,
                          std::span<const std::optional<int64_t>> in_dims = {}, std::span<const ir::Type> types = {},
                          std::span<const uint8_t> copied = {});

// Emits a pure graph into the innermost trace; its writebacks become writes to the tensors bound to those inputs.
// `extra` are the values of the inputs after those of the bindings.
std::vector<Tensor> splice(const ir::Graph& graph, std::span<const Binding> bindings, std::span<const Tensor> args,
                           std::span<const Tensor> extra, int64_t random_draws, Location at);

// Evaluates a lazy trace: its live storages become concrete, or keep why they could not. The caller holds its mutex.
void flush(Trace& trace) noexcept;

// Makes t's storage concrete: evaluates the lazy trace that owns it, whichever thread's it is.
void hand_over(Storage& storage);

// The calling thread's random generator.
Generator& generator();

}  // namespace jot::detail
