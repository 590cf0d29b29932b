// What the operations of the user interface (core/ops) are made of.
#pragma once
#include <span>
#include <string_view>

#include "core/trace.h"

namespace jot::detail {

// Records one op in the innermost trace of this thread. Operands must already have the shapes and dtypes the op wants;
// broadcasting, promotion and composition happen in core/ops. Throws the op's ShapeError / DTypeError at `at`.
Tensor record(ir::Op op, std::span<const Tensor> operands, ir::Ints attrs, Location at);
inline Tensor record(ir::Op op, std::initializer_list<Tensor> operands, ir::Ints attrs, Location at) {
  return record(op, std::span<const Tensor>(operands.begin(), operands.size()), attrs, at);
}

// A view of t, sharing its storage: shape, offset and strides say where its elements lie; step how it is computed from t.
Tensor view(const Tensor& t, ViewStep step, Shape shape, int64_t offset, std::vector<int64_t> strides);

// dst = op(dst, others...) in place, for an elementwise op, copy (others = {}; then `source` of copy_) or fill. Operands have
// dst's shape and dtype (fill: 0-d). Checks who may write what (reference table B17).
void write(const Tensor& dst, ir::Op op, std::span<const Tensor> others, Location at);

// A number as a 0-d tensor of the innermost trace: a run-time input, or a constant where literals are baked and for
// the values 0, 1, -1, 2 and 0.5.
Tensor literal(Number number, DType dtype, Location at);

// Uniform bits of `shape` (i32 or i64 by width) from the calling thread's generator, in program order. Throws inside a
// vmap with randomness error.
Tensor random_bits(const Shape& shape, int width, Location at);

// Concrete tensors.
Tensor from_buffer(DType dtype, const Shape& shape, Buffer buffer);
Tensor empty(DType dtype, const Shape& shape);  // uninitialised

// Contents of t, contiguous: evaluates what is pending, forces what a derivative transform made (design: host reads).
// Throws TraceError where there is no value: batched, or under jit, trace and compile; `what` names the caller ("item").
Buffer read(const Tensor& t, std::string_view what, Location at);

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

// ---- for the transforms

// The innermost trace of this thread; its lazy trace if none runs.
Trace& current_trace();

// Depth of NoGrad guards inside the innermost traced function: while positive, what is recorded there is constant to every
// derivative.
int& no_grad_depth();

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

// Runs fn with symbolic arguments shaped like `args` (or like `types`, where given) in a new trace.
Recording record_function(Fn fn, std::span<const Tensor> args, TraceOptions options, std::span<const uint8_t> mapped = {},
                          std::span<const ir::Type> types = {});

// Emits a pure graph into the innermost trace; its writebacks become writes to the tensors bound to those inputs. `extra`
// are the values of the inputs after those of the bindings.
std::vector<Tensor> splice(const ir::Graph& graph, std::span<const Binding> bindings, std::span<const Tensor> args,
                           std::span<const Tensor> extra, int64_t random_blocks, Location at);

// Evaluates a lazy trace: its live storages become concrete. The caller holds its mutex.
void flush(Trace& trace);

// Makes t's storage concrete: evaluates the lazy trace that owns it, whichever thread's it is.
void hand_over(Storage& storage);

// The calling thread's random generator: key and the number of blocks drawn.
struct Generator {
  int64_t key[2];
  int64_t offset;
};
Generator& generator();

}  // namespace jot::detail
