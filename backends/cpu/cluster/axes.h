// Axes of a graph: dims of values that run together. A class of dims that elementwise ops, broadcasts, permutations,
// ... tie to each other is one axis; a kernel either loops over an axis or unrolls it.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "backends/cpu/ops/cpu_ops.h"
#include "ir/graph.h"
#include "ir/movement.h"

namespace jot::cpu {

using Axis = uint32_t;
inline constexpr Axis kNoAxis = 0xffffffff;  // of a dim of extent 1

// Most elements of one value that are unrolled.
inline constexpr int64_t kMaxUnrolled = 512;

// Dim d of v and dim e of w run together, though no op says so.
struct Tie {
  ir::Value v;
  size_t d;
  ir::Value w;
  size_t e;
};

// How ops may run: as is fastest here, or as kernels alone. Then matrices are unrolled up to 16 x 16, and windows of
// gathers and reductions of whatever is in memory are loops.
enum class Ways : uint8_t { all, kernels };
constexpr int64_t unrolled_matrix(Ways ways) { return ways == Ways::all ? kUnrolledMatrix : 16; }

class Axes {
 public:
  explicit Axes(const ir::GraphData& g, std::span<const Tie> ties = {}, Ways ways = Ways::all);

  std::span<const Axis> of(ir::Value v) const { return {axis_.data() + first_[v], first_[v + 1] - first_[v]}; }
  bool looped(Axis a) const { return a != kNoAxis && loops_[a]; }
  int64_t extent(Axis a) const { return extents_[a]; }
  bool has_loops(ir::Value v) const;
  // Product of the unrolled extents.
  int64_t elements(ir::Value v) const;

  // Whether an element of v at some loop indices needs operand i at the same loop indices only (or, where v reduces a
  // looped axis, at all indices of that). Otherwise the operand has to be in memory.
  bool preserves(ir::Value v, size_t i);

 private:
  void relate(const std::vector<uint8_t>& restricted, std::span<const Tie> ties);
  void choose_roles();
  bool find_repeated(std::vector<uint8_t>& restricted) const;
  bool same(Axis a, Axis b) const;
  bool unrolled(Axis a) const { return !looped(a); }
  bool preserves_regroup(ir::Value v) const;

  const ir::GraphData& g_;
  Ways ways_;
  ir::MovementReader movement_;
  std::vector<uint32_t> first_;   // of each value, into axis_
  std::vector<Axis> axis_;        // of each dim of each value
  std::vector<uint8_t> loops_;    // by axis
  std::vector<int64_t> extents_;  // by axis
};

// A constant whose elements are all equal.
bool is_splat(const ir::GraphData& g, ir::Value v);

// Dims of a dot operand that are neither contracted nor batch, in order.
std::vector<int64_t> free_dims(const ir::GraphData& g, ir::Value dot, size_t operand);

// Products that run in kernels; others are calls of a library.
bool is_small_dot(const ir::GraphData& g, ir::Value v);

}  // namespace jot::cpu
