// A compiled graph as data: steps over numbered places in memory.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "backends/buffer.h"
#include "backends/cpu/routines/columns.h"
#include "backends/cpu/routines/routines.h"
#include "backends/cpu/runtime/kernel_code.h"
#include "ir/graph.h"
#include "ir/lazy_graph.h"

namespace jot::cpu {

enum class Space : uint8_t {
  input,     // buffer `index` of the call's inputs
  output,    // buffer `index` of the call's outputs
  arena,     // of the call
  pointer,   // what PointerStep `index` points to
  constant,  // of the program
  slice,     // of the slice that a worker runs: part `index` of its memory
};
struct Place {
  Space space = Space::arena;
  uint32_t index = 0;
  int64_t offset = 0;  // bytes
};

// The share of each chunk in a reduction over a kernel's loop, combined in order after the last one.
struct Partial {
  uint32_t arg;  // of the kernel
  Place chunks;  // one after the other; where there is one chunk: the result itself
  Place result;
  ir::Op op;
  DType dtype;
  int64_t count;                              // elements of a share
  std::shared_ptr<const ColumnFold> columns;  // combines long ones
  int64_t bytes() const { return count * size_of(dtype); }
};

// Memory that each worker has for itself.
struct WorkerMemory {
  uint32_t arg;  // of the kernel
  Place place;   // of all workers, one after the other
  int64_t bytes;
};

// An entry of the argument table that is an address.
struct Address {
  uint32_t arg;
  Place place;
};

struct KernelStep {
  LazyKernel kernel;
  std::shared_ptr<const KernelCode> code;     // null: interpreted
  uint32_t first_arg = 0, num_args = 0;       // in Program::args
  int64_t extent = 1, chunks = 1, chunk = 1;  // of the range loop: all, pieces, length of a piece
  Place spill;                                // of every worker, one after the other
  std::vector<Partial> partials;
  std::vector<WorkerMemory> scratch;
  std::vector<Address> of_slice;  // in a group of steps
  std::vector<ir::Value> writes;  // the memory of these values
  bool sliceable = false;         // by iterations of its range
  double nanoseconds = 0;         // of one of them, about
  std::optional<ir::Graph> loop;  // of a loop in a self-contained program: the graph of its step
  size_t loop_faults = 0;         // the first so many of the step's faults are of that graph
  bool args_differ() const { return chunks > 1 && !(partials.empty() && scratch.empty()); }  // between chunks
};

struct RoutineStep {
  ir::Value node;
  std::vector<int64_t> operand_steps;  // what the routine was made with
  bool checks = false;                 // the op's check, not its routine
  std::unique_ptr<const Routine> routine;
  std::vector<Place> operands, outs;
  Place scratch;
  uint64_t in_lanes = 0;  // in a group of tiles: Routine::Tile::in_lanes
};

// Where a slice begins whose elements stay where they are.
struct PointerStep {
  ir::Value node;
  uint32_t index = 0;
  Place whole;  // of its first element, were all starts 0
  struct Start {
    Place place;            // of an i64
    int64_t limit, stride;  // the last start; bytes
  };
  std::vector<Start> starts;
  std::vector<Address> uses;  // in the argument table
};

struct CopyStep {
  Place from, to;
  int64_t bytes;
};

struct Step {
  std::variant<KernelStep, RoutineStep, PointerStep, CopyStep> what;
  std::vector<Fault> faults;
  bool may_fail = false;  // by one of them, or by an error of a region
  // JOT_CHECK=nan: what it makes, and where that is.
  std::vector<std::pair<ir::Value, Place>> checked = {};
};

// Steps that run slice by slice, so that what one makes of a slice is in a cache when the next reads it. A worker has
// memory for one slice of what no other step needs.
struct Group {
  uint32_t first = 0, count = 0;  // steps
  int64_t items = 0, each = 1;    // of which a slice has so many, the last fewer
  int64_t split = 1;              // in how many parts each matrix of a product is
  bool tiles = false;             // routines run tile by tile, of `each` items
  int64_t chunks = 0;             // of neighbouring slices, that threads claim
  struct Part {
    int64_t offset, bytes, step;  // of a worker's memory; from a slice to the next, for those who count from the first
  };
  std::vector<Part> parts;
  int64_t bytes = 0;  // of a worker's memory
  Place memory;       // of all workers, one after the other
  int64_t slices() const { return (items + each - 1) / each; }
};

struct Program {
  LazyGraph graph;  // locations of errors
  std::vector<Step> steps;
  std::vector<Group> groups;  // in their order
  std::vector<int64_t> args;  // of all kernels, one table after the other; addresses are zero
  std::vector<Address> addresses;
  Buffer constants;
  struct Constant {
    ir::Value value;
    int64_t offset;
  };
  std::vector<Constant> constant_places;  // ascending; of what was compiled here
  int64_t arena_bytes = 0;
  uint32_t pointers = 0;
  std::vector<int32_t> in_place;  // of each output: the input that it may be, or -1
};

}  // namespace jot::cpu
