// Copies between strided layouts: every movement of elements that is a map of axes.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace jot::cpu {

// Reads and writes along strided axes: dst[i * dst_strides] = src[i * src_strides] for all i < extents, in elements.
struct StridedCopy {
  struct Axis {
    int64_t extent, src, dst;
  };
  std::vector<Axis> axes;
  int64_t src_offset = 0, dst_offset = 0;
  int size = 4;  // bytes of an element: 1, 4 or 8

  void add(int64_t extent, int64_t src, int64_t dst);
  // Drops axes of extent 1, merges neighbours, puts the axis with the smallest steps of dst last.
  void normalise();
  int64_t count() const;
  // In parallel where it is large.
  void run(const void* src, void* dst) const;
  size_t rank() const { return axes.size(); }
};

// Where element `i` of the axes (row-major) begins.
struct Offsets {
  int64_t src = 0, dst = 0;
};
Offsets offsets_of(std::span<const StridedCopy::Axis> axes, int64_t i);

}  // namespace jot::cpu
