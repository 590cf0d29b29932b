// Lowering: a cluster becomes a kernel and a description of its arguments.
#pragma once
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "backends/cpu/cluster/cluster.h"
#include "backends/cpu/kernel/kernel_ir.h"
#include "backends/cpu/routines/routines.h"

namespace jot::cpu {

// args[0] is the KernelError; entry i of LoweredKernel::args describes args[i + 1].
struct KernelArg {
  enum class Kind : uint8_t {
    memory,   // address of the memory of `value`, plus `number` bytes
    number,   // `number`
    partial,  // address where this chunk's share of `value` goes, a reduction that ends the cluster
    scratch,  // address of `number` bytes that the running thread alone uses
    operand,  // of a loop: address of its operand number `value`, plus `number` bytes
    result,   // of a loop: the same of a result
  };
  Kind kind;
  ir::Value value = ir::kNoValue;
  int64_t number = 0;
  bool sliced = false;  // memory: iteration i of n reads and writes part i of n of the value alone
  friend bool operator==(const KernelArg&, const KernelArg&) = default;
};

struct LoweredKernel {
  Kernel kernel;
  std::vector<KernelArg> args;
  std::vector<Fault> faults;  // of its checks
  bool parallel = false;      // has a range loop, over [0, extent)
  int64_t extent = 1;
  bool strips = false;                                    // an iteration is a strip of a loop's
  double nanoseconds = 0;                                 // of one iteration, about
  double flops = 0;                                       // of one iteration
  int64_t longest = std::numeric_limits<int64_t>::max();  // most iterations of a chunk
  bool empty() const { return kernel.instrs.empty(); }
};

// Lowers the clusters of one clustering, one after the other.
class Lowering {
 public:
  // origins: kernels tell the nodes of their instructions. streams: of each value, whether it does not fit
  // the caches and need not: then they are passed by; empty: none. lanes_of_sums: of CompileOptions.
  Lowering(const Clustering& c, int vector_bytes, bool origins = false, std::vector<uint8_t> streams = {},
           bool lanes_of_sums = false);
  ~Lowering();
  LoweredKernel lower(uint32_t cluster);

 private:
  struct Shared;
  std::unique_ptr<Shared> shared_;
};

}  // namespace jot::cpu
