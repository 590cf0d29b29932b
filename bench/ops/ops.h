// The table of ops: a row is one op on inputs of one shape, by jot and by a loop written by hand. Torch's side is the
// line of torch_ops.py under the row's op. How a family adds rows: reductions.cpp.
#pragma once
#include <jot/jot.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace bench::ops {

using jot::Shape;
using jot::Tensor;
using Tensors = std::vector<Tensor>;
using Args = std::vector<int64_t>;

// Uniform in [low, high); of integers what is left of them below the point.
struct Input {
  Shape shape;
  jot::DType dtype = jot::f32;
  double low = -1, high = 1;
};
inline Input integers(const Shape& shape, int64_t high) { return {shape, jot::i64, 0, static_cast<double>(high)}; }

// What a loop by hand reads and writes: row-major arrays of the inputs' and of jot's results' types.
class Memory {
 public:
  Memory(const Tensors& inputs, const Tensors& results);
  template <class T>
  const T* in(size_t i) const {
    return inputs_[i].data<T>();
  }
  template <class T>
  T* out(size_t i = 0) {
    return reinterpret_cast<T*>(outs_[i].data());
  }
  std::vector<std::vector<double>> results() const;

 private:
  Tensors inputs_, like_;
  std::vector<std::vector<std::byte>> outs_;
};
using Loop = std::function<void(Memory&)>;

struct Row {
  std::string op, label;
  std::vector<Input> inputs;
  Args args;              // what follows the inputs, for jot and for torch
  bool gradient = false;  // forward and backward by all floating inputs, from a cotangent of f's only result
  std::function<Tensors(const Tensors&)> f;
  Loop loop;  // by hand, on BENCH_THREADS threads; empty: none

  std::string name() const { return op + (label.empty() ? "" : " " + label) + (gradient ? ", gradient" : ""); }
};

class Rows {
 public:
  explicit Rows(bool toy) : toy_(toy) {}
  // An extent, and what the tests make of it.
  int64_t operator()(int64_t full, int64_t toy) const { return toy_ ? toy : full; }

  // f(inputs, args): a tensor, or a tree of tensors.
  template <class F>
  void add(std::string op, std::string label, std::vector<Input> inputs, Args args, F f, Loop loop = {}) {
    auto leaves = [f, args](const Tensors& x) { return jot::detail::leaves_in(f(x, args)); };
    rows.push_back({std::move(op), std::move(label), std::move(inputs), args, false, leaves, std::move(loop)});
  }
  // That row, and one of its gradient.
  template <class F>
  void add_both(const std::string& op, const std::string& label, const std::vector<Input>& inputs, const Args& args,
                F f) {
    add(op, label, inputs, args, f);
    rows.push_back(rows.back());
    rows.back().gradient = true;
  }

  std::vector<Row> rows;

 private:
  bool toy_;
};

// The families: each in its file.
void add_reductions(Rows& rows);
void add_scans(Rows& rows);
void add_order(Rows& rows);
void add_indexing(Rows& rows);
void add_norms(Rows& rows);
void add_convolution(Rows& rows);

}  // namespace bench::ops
