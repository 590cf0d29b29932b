// What functions that become regions of one op share.
#pragma once
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "core/record/function.h"

namespace jot::detail {

// A recorded function as a pure graph.
struct RecordedRegion {
  Recording recording;
  ir::Graph pure;
  std::vector<size_t> places;  // of its inputs among those of all regions; of arguments: unused
};

// Records fn once, for all the calls that will run it: arguments have no values (TraceError) and are row-major. `args`
// say what its arguments are like; `types`, where given, have another shape.
RecordedRegion record_region(std::string_view api, Fn fn, std::span<const Tensor> args, Location at,
                             std::span<const ir::Type> types = {});

// The inputs of all regions: each captured storage once.
class RegionInputs {
 public:
  // The position of an input that stands for this; a literal stands for itself alone.
  std::optional<size_t> find(const Binding& b) const;
  size_t place(const Binding& b, const ir::Type& type);
  std::vector<Binding> bindings;
  std::vector<ir::Type> types;
};

}  // namespace jot::detail
