// What kernels do not take: precompiled C++ and library calls, one object a node.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backends/cpu/kernel/kernel_ir.h"
#include "backends/cpu/ops/cpu_ops.h"
#include "backends/cpu/routines/strided_copy.h"
#include "backends/engine.h"
#include "ir/graph.h"

namespace jot::cpu {

// What error code i + 1 of a step stands for: a fault of a node's data, by the op's own code.
struct Fault {
  ir::Value node;
  int64_t code;
};

class LoopKernel;

// Immutable and thread-safe. Results do not depend on the number of threads.
class Routine {
 public:
  virtual ~Routine() = default;
  // Contiguous operands (but for RoutineContext::operand_steps) and result. The result may be operand 0 itself
  // where the table says `updates`; it overlaps no other operand; it is not touched then if there is an error.
  // `scratch`: scratch_bytes, aligned to 64 bytes. A fault of the data is recorded in `error` as error_code + the op's
  // code, the element and what was found (ir/rules.h).
  virtual void run(std::span<const void* const> operands, void* out, std::byte* scratch, KernelError& error) const {
    run_results(operands, {&out, 1}, scratch, error);
  }
  // The same of an op of any number of results. What nobody uses of the graph may be left as it is.
  virtual void run_results(std::span<const void* const> operands, std::span<void* const> outs, std::byte* scratch,
                           KernelError& error) const {
    run(operands, outs[0], scratch, error);
  }

  // What can run in slices of its operands and result, each for itself: how many there are, whether each can be split
  // in as many parts again, and whether slice i of these n reads of an operand part i of n alone.
  struct Slice {
    int64_t index, split;  // in how many parts each of slices() is
  };
  virtual int64_t slices() const { return 1; }
  virtual bool splits(int64_t) const { return false; }
  virtual bool slices_operand(size_t, int64_t) const { return false; }
  virtual void run_slice(std::span<const void* const>, void*, Slice, std::byte*, int) const {}

  // Items [first, first + count) of a batch, at most as many as a tile has lanes (CpuOp::tiles). What lies in lanes is
  // in the memory of the tile: element e of an item at e * lanes behind that of the first; the rest is where the batch
  // is.
  struct Tile {
    std::span<const void* const> operands;
    std::span<void* const> outs;
    uint64_t in_lanes;  // bit i: operand i, the results behind the operands
    int64_t first, count;
    std::byte* memory;  // tile_bytes
    KernelError& error;
    bool operand_in_lanes(size_t i) const { return in_lanes >> i & 1; }
    bool result_in_lanes(size_t i) const { return in_lanes >> (operands.size() + i) & 1; }
  };
  virtual void run_tile(const Tile&) const {}

  int64_t tile_bytes = 0;       // of scratch, of each thread
  double item_nanoseconds = 0;  // of an item of the batch in a tile, about
  int64_t scratch_bytes = 0;
  std::string library;                                     // that it calls: name, version and kernels; empty: none
  std::vector<std::shared_ptr<const Engine>> regions;      // that it runs; each may raise the errors of its ops
  std::vector<std::shared_ptr<const LoopKernel>> kernels;  // of loops that it runs; they may raise errors, too
};

// By the table (ops/cpu_ops.h); null for ops without a routine.
std::unique_ptr<const Routine> make_routine(const ir::GraphData& g, ir::Value v, int64_t error_code);

}  // namespace jot::cpu
