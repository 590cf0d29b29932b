// Elements of small axes. The unrolled dims of a value, row-major, number its elements 0 .. Axes::elements - 1; ops
// that move or combine elements are maps between such numbers.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "backends/cpu/cluster/axes.h"
#include "ir/graph.h"

namespace jot::cpu {

inline constexpr uint32_t kZeroElement = 0xffffffff;  // no element of an operand

// Steps between element numbers along each dim; 0 along loops.
Shape element_steps(const Axes& axes, const ir::GraphData& g, ir::Value v);

// Index of every dim of an element; 0 along loops.
std::vector<int64_t> element_index(const Axes& axes, const ir::GraphData& g, ir::Value v, uint32_t element);

class ElementMaps {
 public:
  ElementMaps(const ir::GraphData& g, const Axes& axes) : g_(g), axes_(axes), first_(g.size(), kUnknown) {}

  // Movements: which element of which operand an element of v is; kZeroElement: a structural zero.
  struct Source {
    uint32_t operand, element;
  };
  Source source(ir::Value v, uint32_t element);

  // Reductions and dots: result element j combines, for each term k, operand elements base(i, j) + offset(i, k).
  struct Terms {
    uint32_t count;  // of terms; 0 if an unrolled axis is empty
    std::span<const uint32_t> base[2], offset[2];
  };
  Terms terms(ir::Value v);

 private:
  static constexpr uint32_t kUnknown = 0xffffffff;
  void build_movement(ir::Value v);
  void build_terms(ir::Value v);
  template <class F>
  void for_each_element(ir::Value v, F f) const;

  const ir::GraphData& g_;
  ir::MovementReader movement_;
  const Axes& axes_;
  std::vector<uint32_t> first_;  // of each value, into pool_
  std::vector<uint32_t> pool_;
};

}  // namespace jot::cpu
