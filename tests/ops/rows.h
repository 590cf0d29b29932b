// The table of op instances: every generic check of an op runs over these rows.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "ir/build.h"
#include "tests/support/host.h"

namespace jot::test {

// An input and the interval that its elements are drawn from (integers: [lo, hi)). Rows are written for f64; a check
// may ask for another floating dtype.
struct Input {
  DType dtype = DType::f64;
  Shape shape;
  double lo = -2, hi = 2;
};

struct Row {
  ir::Op op;
  std::string label;
  std::vector<Input> inputs;
  std::function<ir::Value(ir::Builder&, std::span<const ir::Value>)> build;
  int order = 2;  // of the derivatives that are checked; 0 where the result or all inputs carry none
};

const std::vector<Row>& op_rows();
void add_window_rows(std::vector<Row>& rows);  // window_rows.cpp
void add_matrix_rows(std::vector<Row>& rows);  // matrix_rows.cpp

// The row's graph, with its f64 inputs of dtype `floating`.
ir::Graph graph_of(const Row& row, DType floating = DType::f64);
std::vector<HostTensor> inputs_of(const Row& row, std::mt19937& random, DType floating = DType::f64);
std::string title(const Row& row);

}  // namespace jot::test
