// The table of function rows: every function of core/functions.def, core/nn.def ("nn.linear") and core/linalg.def
// ("linalg.det") has one, and every generic check runs over all.
#pragma once
#include <jot/jot.h>

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace jot::test {

// An argument: elements are drawn from [lo, hi) (integers: too).
struct Input {
  Shape shape;
  double lo = -2, hi = 2;
  DType dtype = f64;
};

using Tensors = std::span<const Tensor>;
struct FunctionRow {
  std::string name, label;
  std::vector<Input> inputs;
  std::function<Tensor(Tensors)> call;
  // Of elementwise functions, the value in double precision of one element, to `tolerance`, relative.
  std::function<double(std::span<const double>)> exact = nullptr;
  int order = 2;  // of the derivatives that are checked; 0: the function has none
  double tolerance = 4e-15;
  bool lanes = true;  // vmap and trace take it
  // Each element of the result is a function of the elements at its place.
  bool elementwise = false;
  // How integers, u8 and booleans stand for floats, a letter each: k they are kept, the value is that of f64, wrapped
  // to the result's dtype; 2 that modulo 2; c converted to f32; r refused, DTypeError; - taken, but not compared.
  // Empty: as the function's other rows (dtypes_test.cpp).
  std::string takes = {};
  // Of reductions of all elements of one tensor, the value in double precision, to `tolerance`.
  std::function<double(std::span<const double>)> whole = nullptr;
};

class FunctionRows {
 public:
  std::vector<FunctionRow> rows;

  FunctionRow& add(std::string name, std::string label, std::vector<Input> inputs,
                   std::function<Tensor(Tensors)> call) {
    rows.push_back({std::move(name), std::move(label), std::move(inputs), std::move(call)});
    return rows.back();
  }
  // An elementwise function of one tensor on [lo, hi): of a vector, a 0-d tensor and nothing.
  template <class F>
  void unary(const std::string& name, double lo, double hi, F call, double (*exact)(double), int order = 2,
             double tolerance = 4e-15) {
    for (const Shape& shape : {Shape{17}, Shape{}, Shape{0}, Shape{2, 3}}) {
      FunctionRow& row = add(name, to_string(shape), {{shape, lo, hi}}, [call](Tensors x) { return call(x[0]); });
      if (exact) row.exact = [exact](std::span<const double> x) { return exact(x[0]); };
      row.order = order, row.tolerance = tolerance, row.elementwise = true;
    }
  }
  // Of two tensors, also broadcast.
  template <class F>
  void binary(const std::string& name, Input a, Input b, F call, double (*exact)(double, double), int order = 2,
              double tolerance = 4e-15) {
    for (const auto& [x, y] : {std::pair{Shape{3, 3}, Shape{3, 3}}, std::pair{Shape{3, 3}, Shape{3}},
                               std::pair{Shape{3, 1}, Shape{1, 2}}, std::pair{Shape{2}, Shape{}}}) {
      a.shape = x, b.shape = y;
      FunctionRow& row = add(name, to_string(x) + to_string(y), {a, b}, [call](Tensors t) { return call(t[0], t[1]); });
      if (exact && x == y) row.exact = [exact](std::span<const double> v) { return exact(v[0], v[1]); };
      row.order = order, row.tolerance = tolerance, row.elementwise = x == y;
    }
  }
  // A reduction of all elements, of as many as vectors have, and one more or less. `least`: that it is defined for.
  template <class F>
  void reduction(const std::string& name, double lo, double hi, F call, double (*exact)(std::span<const double>),
                 int64_t least = 0, int order = 2) {
    for (int64_t n : {0, 1, 15, 16, 17, 33}) {
      if (n < least) continue;
      FunctionRow& row =
          add(name, "of " + std::to_string(n), {{Shape{n}, lo, hi}}, [call](Tensors x) { return call(x[0]); });
      row.whole = exact, row.order = n ? order : 0, row.tolerance = 2e-14;
    }
  }
};

const std::vector<FunctionRow>& function_rows();
// By kind.
void creation_rows(FunctionRows& t);
void elementwise_rows(FunctionRows& t);
void shape_rows(FunctionRows& t);
void reduction_rows(FunctionRows& t);
void linalg_rows(FunctionRows& t);
void nn_rows(FunctionRows& t);
void conv_rows(FunctionRows& t);
void norm_rows(FunctionRows& t);
void vision_rows(FunctionRows& t);
void view_rows(FunctionRows& t);

}  // namespace jot::test
