// What the operations of the user interface are made of.
#pragma once
#include <concepts>
#include <initializer_list>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "core/record/trace.h"
#include "ir/fork.h"

namespace jot::detail {

// Records into the innermost trace of this thread: what the functions of core/functions are made of. While alive, a
// lazy trace is locked. `operands` are the tensors that are read or written: those pending in another thread are
// evaluated first.
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
  std::unique_lock<OwnerMutex> lock_;
  bool nested_ = false;  // in another emitter of this trace
};

// Records one op whose operands have the shapes and dtypes that it wants. Throws its ShapeError / DTypeError at `at`.
Tensor record(ir::Op op, std::span<const Tensor> operands, ir::Ints attrs, Location at);
inline Tensor record(ir::Op op, std::initializer_list<Tensor> operands, ir::Ints attrs, Location at) {
  return record(op, std::span<const Tensor>(operands.begin(), operands.size()), attrs, at);
}

}  // namespace jot::detail
