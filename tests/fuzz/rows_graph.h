// Random graphs of all ops: each step is a row of the table of op instances (tests/ops/rows.h) whose inputs are made of
// what there is, brought into the row's shapes and intervals.
#pragma once
#include <array>
#include <map>
#include <utility>
#include <vector>

#include "tests/ops/rows.h"
#include "tests/support/random_choice.h"

namespace jot::test {

// What a graph is made of; its first `smooth` results have derivatives of any order, the others are only computed.
struct RowsGraph {
  ir::Graph graph;
  std::vector<HostTensor> inputs;  // f64
  size_t smooth;
};

class RandomRows : private RandomChoice {
 public:
  explicit RandomRows(uint64_t seed) : RandomChoice(seed) {}

  RowsGraph make(int steps);

 private:
  using Value = ir::Value;

  Value input(const Input& wanted);
  Value step(const Row& row);
  Value fitted(Value x, const Shape& shape);
  Value within(Value x, double lo, double hi);
  Value total(const std::vector<Value>& values);

  ir::Builder b_;
  std::vector<Value> smooth_, rough_;  // f64
};

}  // namespace jot::test
