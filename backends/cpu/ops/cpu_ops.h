// How each op runs on the CPU: one table, filled by those who implement the ways (define_* below). An op may have
// several ways; clustering chooses.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "ir/graph.h"
#include "ir/op.h"

namespace jot::cpu {

class KernelBuilder;
class Routine;
struct Function;

// What a cluster's kernel makes of an op.
enum class InKernel : uint8_t {
  no,
  element,   // each element from those of its operands, by the rule
  moved,     // an element of an operand, or none
  terms,     // a sum of products, or a reduction
  gathered,  // an element of memory, by indices
  matrix     // all elements of the results' matrices from those of the operands', by the rule: of small ones
};

// One element, as kernel instructions, from its operands' `x`. A step of a reduction has no node.
struct ElementContext {
  KernelBuilder& b;
  ir::Op op;
  std::span<const uint32_t> x;
  const ir::GraphData* g = nullptr;
  ir::Value v = ir::kNoValue;
};
using ElementRule = uint32_t (*)(const ElementContext&);

// The matrices of one element of the batch.
struct MatrixContext {
  KernelBuilder& b;
  const ir::GraphData& g;
  ir::Value v;
  std::span<const std::vector<uint32_t>> x;      // of each operand its elements, row-major; what is not read: none
  std::vector<std::vector<uint32_t>> results{};  // of each result its elements
  struct {
    uint32_t mask, value;  // where the data is at fault, and what is reported
  } fault{};
};
struct MatrixRule {
  void (*make)(MatrixContext&) = nullptr;
  bool (*reads)(const ir::GraphData& g, ir::Value v, size_t operand, int64_t row, int64_t column) = nullptr;
};

// A step of its own: precompiled C++, a call of a library, or what runs regions. What is at fault in the data is
// recorded as error_code + the op's code. operand_steps: the strides of operand 0 where it is not row-major.
struct RoutineContext {
  const ir::GraphData& g;
  ir::Value v;
  int64_t error_code = 1;
  ir::Ints operand_steps = {};
};
using RoutineRule = std::unique_ptr<const Routine> (*)(const RoutineContext&);

struct CpuOp {
  InKernel kernel = InKernel::no;
  ElementRule element = nullptr;
  MatrixRule matrix;
  std::shared_ptr<const Function> function;  // of an elementary function (kernel/math.h)
  RoutineRule routine = nullptr;
  RoutineRule check = nullptr;  // that the data is not at fault, and nothing else; null: the routine alone tells
  int64_t (*tiles)(const ir::GraphData&, ir::Value) = nullptr;  // lanes of its tiles, 0: it does not run in tiles
  bool strided = false;                                         // the routine takes operand_steps
  bool updates = false;                                         // the routine's result may be operand 0 itself
  std::string_view why = {};                                    // it runs nowhere
};
const CpuOp& cpu_op(ir::Op op);

// Whether v is an op on matrices, or a further result of one, that kernels may unroll: whose matrices have extents up
// to `most`, right sides aside.
inline constexpr int64_t kUnrolledMatrix = 6;
bool is_small_matrix_op(const ir::GraphData& g, ir::Value v, int64_t most = kUnrolledMatrix);
// Dims of the batch of such an op.
size_t batch_rank(const ir::GraphData& g, ir::Value v);

// Extents of matrices that run in tiles, a matrix a lane.
inline constexpr int64_t kTileExtent = 16;

// Filled once, on first use.
class CpuTable {
 public:
  CpuTable();
  CpuOp& operator[](ir::Op op) { return ops_[static_cast<size_t>(op)]; }
  const CpuOp& operator[](ir::Op op) const { return ops_[static_cast<size_t>(op)]; }
  void element(ir::Op op, ElementRule rule) {
    (*this)[op].kernel = InKernel::element;
    (*this)[op].element = rule;
  }
  void matrix(ir::Op op, const MatrixRule& rule) {
    (*this)[op].kernel = InKernel::matrix;
    (*this)[op].matrix = rule;
  }
  // All ops of a kind: which(op).
  template <class Which, class F>
  void each(Which which, F f) {
    for (int i = 0; i < ir::num_ops(); ++i)
      if (which(static_cast<ir::Op>(i))) f(ops_[static_cast<size_t>(i)]);
  }

 private:
  std::vector<CpuOp> ops_;
};
void define_clustered(CpuTable& table);  // here: what kernels do by class
void define_elements(CpuTable& table);   // kernel/lower_ops.cpp
void define_functions(CpuTable& table);  // kernel/math.cpp
void define_matrices(CpuTable& table);   // kernel/matrices.cpp
void define_routines(CpuTable& table);   // routines/routines.cpp

}  // namespace jot::cpu
