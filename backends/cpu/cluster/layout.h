// Where the elements of values lie in memory.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "backends/cpu/cluster/cluster.h"

namespace jot::cpu {

// A step in elements: factor times the extents of axes. Extents of loops are run-time numbers, so that kernels do not
// depend on them.
struct Stride {
  int64_t factor = 0;
  std::vector<Axis> axes;  // sorted
  friend bool operator==(const Stride&, const Stride&) = default;
  bool fixed() const { return axes.empty(); }
};
Stride times(Stride s, int64_t factor);
Stride times_axis(Stride s, Axis a);
int64_t value_of(const Axes& axes, const Stride& s);

// The dims of a value, as they lie in the memory of another.
struct Layout {
  ir::Value storage;            // whose memory
  int64_t offset = 0;           // in elements
  std::vector<Stride> strides;  // by dim
};

// Row-major in its own memory, or tile-major; of a view in that of its source; of what points into memory, behind its
// own pointer. through: v counts as a view, whatever its role.
Layout layout_of(const Clustering& c, ir::Value v, bool through = false);

// The same with numbers for strides.
struct Placement {
  ir::Value storage;
  int64_t offset;
  std::vector<int64_t> strides;
};
Placement placement_of(const Clustering& c, ir::Value v);

// In a tile: element e of an item lies e * lanes behind the first, neighbouring items beside each other.
std::vector<Stride> tile_major(const Axes& axes, const Shape& shape, std::span<const Axis> dims,
                               const TileGroup& tiles);

// The dims of a batch of so many items: the first whose extents multiply to it; 0 if there are none.
size_t dims_of_batch(const Shape& shape, int64_t items);

// Row-major steps of a shape whose dims run over these axes.
std::vector<Stride> row_major(const Axes& axes, const Shape& shape, std::span<const Axis> dims);

}  // namespace jot::cpu
