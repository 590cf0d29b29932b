// What functions that become regions of one op share.
#pragma once
#include <cstddef>
#include <vector>

#include "core/record/function.h"

namespace jot::detail {

// The inputs of all of them: each captured storage once.
class RegionInputs {
 public:
  // The position of an input that stands for this.
  size_t place(const Binding& b, const ir::Type& type);
  std::vector<Binding> bindings;
  std::vector<ir::Type> types;
};

// A recorded function as a pure graph.
struct RecordedRegion {
  Recording recording;
  ir::Graph pure;
  std::vector<size_t> places;  // of its inputs among those of all regions
};

}  // namespace jot::detail
