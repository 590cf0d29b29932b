#include "backends/cpu/routines/strided_copy.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "backends/cpu/kernel/kernel_builder.h"
#include "backends/cpu/routines/routine_parts.h"
#include "backends/cpu/runtime/pool.h"
#include "jot/error.h"

namespace jot::cpu {

void StridedCopy::add(int64_t extent, int64_t src, int64_t dst) { axes.push_back({extent, src, dst}); }

void StridedCopy::normalise() {
  std::erase_if(axes, [](const Axis& a) { return a.extent == 1; });
  std::ranges::stable_sort(axes, [](const Axis& a, const Axis& b) { return std::abs(a.dst) > std::abs(b.dst); });
  size_t n = 0;
  for (const Axis& inner : axes) {
    if (n > 0 && axes[n - 1].src == inner.src * inner.extent && axes[n - 1].dst == inner.dst * inner.extent)
      axes[n - 1] = {axes[n - 1].extent * inner.extent, inner.src, inner.dst};
    else
      axes[n++] = inner;
  }
  axes.resize(n);
}

int64_t StridedCopy::count() const {
  int64_t n = 1;
  for (const Axis& a : axes) n *= a.extent;
  return n;
}

namespace {

using Axis = StridedCopy::Axis;

template <class T>
void copy_row(const T* src, T* dst, const Axis& a) {
  if (a.src == 1 && a.dst == 1)
    std::memcpy(dst, src, static_cast<size_t>(a.extent) * sizeof(T));
  else if (a.src == 0 && a.dst == 1)
    std::fill_n(dst, a.extent, *src);
  else
    for (int64_t i = 0; i < a.extent; ++i) dst[i * a.dst] = src[i * a.src];
}

// dst[j * dst_step + i] = src[i * src_step + j] for i < n, j < kColumns: a transposition in registers. Arguments: src,
// dst, n, src_step in elements, dst_step in bytes.
constexpr uint16_t kColumns = 8;

Kernel transpose_kernel(KType t, int lanes) {
  KernelBuilder b(lanes);
  uint32_t src = b.arg(1), dst = b.arg(2), n = b.arg(3), src_step = b.arg(4), dst_step = b.arg(5);
  uint32_t row[kColumns] = {dst};
  for (int j = 1; j < kColumns; ++j) row[j] = b.iadd(row[j - 1], dst_step);
  uint32_t i = b.vloop(n), first = b.load_rows(t, kColumns, src, b.imul(i, src_step), src_step);
  for (uint32_t j = 0; j < kColumns; ++j) b.store(first + j, row[j], i);
  b.endloop();
  return std::move(b).finish();
}

template <class T>
const InnerKernel& transposition() {
  constexpr int size = sizeof(T);
  static const auto* kernel =
      new InnerKernel(transpose_kernel(size == 4 ? KType::i32 : KType::i64, InnerKernel::lanes(size)));
  return *kernel;
}

// outer.src and inner.dst are 1. Each cache line is touched once; rows of src in blocks, since each lies on a page of
// its own.
template <class T>
void transpose(const T* src, T* dst, const Axis& outer, const Axis& inner) {
  constexpr int64_t kBlock = 256;
  const InnerKernel& kernel = transposition<T>();
  for (int64_t i = 0; i < inner.extent; i += kBlock)
    for (int64_t j = 0; j < outer.extent; j += kColumns) {
      const int64_t column = std::min(j, outer.extent - kColumns);  // the last ones overlap
      const int64_t args[] = {0,
                              address(src + i * inner.src + column),
                              address(dst + column * outer.dst + i),
                              std::min(kBlock, inner.extent - i),
                              inner.src,
                              outer.dst * int64_t{sizeof(T)}};
      kernel(args);
    }
}

// Two axes; where both layouts cannot be read along, in tiles.
template <class T>
void copy_plane(const T* src, T* dst, const Axis& outer, const Axis& inner) {
  constexpr int64_t kTile = 16;
  if (inner.src == 1 || inner.src == 0 || outer.extent < 4) {
    for (int64_t i = 0; i < outer.extent; ++i) copy_row(src + i * outer.src, dst + i * outer.dst, inner);
    return;
  }
  if constexpr (sizeof(T) >= 4)
    if (outer.src == 1 && inner.dst == 1 && outer.extent >= kColumns && inner.extent >= kColumns)
      return transpose(src, dst, outer, inner);
  for (int64_t i = 0; i < outer.extent; i += kTile)
    for (int64_t j = 0; j < inner.extent; j += kTile) {
      int64_t rows = std::min(kTile, outer.extent - i), columns = std::min(kTile, inner.extent - j);
      const T* s = src + i * outer.src + j * inner.src;
      T* d = dst + i * outer.dst + j * inner.dst;
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < columns; ++c) d[r * outer.dst + c * inner.dst] = s[r * outer.src + c * inner.src];
    }
}

template <class T>
void copy_all(const StridedCopy& c, const T* src, T* dst) {
  src += c.src_offset;
  dst += c.dst_offset;
  if (c.rank() == 0) {
    *dst = *src;
    return;
  }
  // The last two axes form a plane; where there is but one, it is cut in pieces.
  Axis row = c.axes.back();
  if (c.rank() == 1) {
    int64_t chunks = chunks_for(row.extent, 0.3 * sizeof(T) / 4);
    int64_t piece = (row.extent + chunks - 1) / chunks;
    auto body = [&](int64_t i, int) {
      int64_t begin = i * piece, n = std::min(piece, row.extent - begin);
      if (n > 0) copy_row(src + begin * row.src, dst + begin * row.dst, {n, row.src, row.dst});
    };
    return parallel_for(chunks, body);
  }
  Axis plane = c.axes[c.rank() - 2];
  std::span<const Axis> outer(c.axes.data(), c.rank() - 2);
  int64_t planes = 1;
  for (const Axis& a : outer) planes *= a.extent;
  int64_t rows = planes * plane.extent;
  int64_t chunks = chunks_for(rows, 0.3 * static_cast<double>(row.extent) * sizeof(T) / 4);
  int64_t piece = (rows + chunks - 1) / chunks;
  auto body = [&](int64_t i, int) {
    int64_t end = std::min((i + 1) * piece, rows);
    for (int64_t r = i * piece; r < end;) {
      int64_t p = r / plane.extent, first = r % plane.extent, n = std::min(end - r, plane.extent - first);
      Offsets o = offsets_of(outer, p);
      copy_plane(src + o.src + first * plane.src, dst + o.dst + first * plane.dst, {n, plane.src, plane.dst}, row);
      r += n;
    }
  };
  parallel_for(chunks, body);
}

}  // namespace

Offsets offsets_of(std::span<const StridedCopy::Axis> axes, int64_t i) {
  Offsets o;
  for (size_t d = axes.size(); d-- > 0;) {
    int64_t k = i % axes[d].extent;
    i /= axes[d].extent;
    o.src += k * axes[d].src;
    o.dst += k * axes[d].dst;
  }
  return o;
}

void StridedCopy::run(const void* src, void* dst) const {
  if (count() == 0) return;
  visit_word(size, [&]<class T>(T) { copy_all(*this, static_cast<const T*>(src), static_cast<T*>(dst)); });
}

}  // namespace jot::cpu
