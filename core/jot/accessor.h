// Elements by their indices, as std::mdspan shows them: t.accessor<double, 2>() to read, t.mutable_accessor to write.
#pragma once
#include <array>
#include <cassert>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "jot/tensor.h"

namespace jot {

namespace detail {

// Where a tensor's elements lie: (i, j, ...) at data, in elements, + i * strides[0] + j * strides[1] + ...
struct Layout {
  void* data;
  Shape shape, strides;
};
// What is pending is evaluated; a view is not copied, but where a running transform owns it. write: as mutable_data,
// but strided views are fine. expected none: the bits of bf16 or f16; rank none: any.
Layout layout_of(const Tensor& t, std::optional<DType> expected, std::optional<size_t> rank, bool write,
                 const char* what, Location at);
[[noreturn]] void outside(std::span<const int64_t> indices, std::span<const int64_t> extents, Location at);

}  // namespace detail

// A view of N dims; T is const where it only reads. Trivial to copy; sizes and strides are inside.
template <class T, size_t N>
class Accessor {
 public:
  using element_type = T;
  Accessor(T* data, std::span<const int64_t, N> extents, std::span<const int64_t, N> strides) : data_(data) {
    for (size_t d = 0; d < N; ++d) {
      extents_[d] = extents[d];
      strides_[d] = strides[d];
    }
  }
  static constexpr size_t rank() { return N; }
  int64_t extent(size_t dim) const { return extents_[dim]; }
  int64_t stride(size_t dim) const { return strides_[dim]; }  // in elements
  T* data() const { return data_; }                           // of element (0, 0, ...)

  // a(i, j). Indices from 0; checked by assert() only.
  template <std::integral... I>
    requires(sizeof...(I) == N)
  T& operator()(I... i) const {
    return data_[offset({static_cast<int64_t>(i)...})];
  }
  // The same, checked always: IndexError.
  template <std::integral... I>
    requires(sizeof...(I) == N)
  T& at(I... i) const {
    const std::array<int64_t, N> indices{static_cast<int64_t>(i)...};
    if (!inside(indices)) detail::outside(indices, extents_, Location());
    return data_[offset(indices)];
  }
  // a[i]: the rest of the dims; of one dim an element.
  decltype(auto) operator[](int64_t i) const
    requires(N > 0)
  {
    assert(0 <= i && i < extents_[0]);
    if constexpr (N == 1)
      return (data_[i * strides_[0]]);
    else
      return Accessor<T, N - 1>(data_ + i * strides_[0], std::span(extents_).template subspan<1>(),
                                std::span(strides_).template subspan<1>());
  }

 private:
  bool inside(const std::array<int64_t, N>& indices) const {
    for (size_t d = 0; d < N; ++d)
      if (indices[d] < 0 || indices[d] >= extents_[d]) return false;
    return true;
  }
  int64_t offset(const std::array<int64_t, N>& indices) const {
    assert(inside(indices));
    int64_t sum = 0;
    for (size_t d = 0; d < N; ++d) sum += indices[d] * strides_[d];
    return sum;
  }
  T* data_;
  std::array<int64_t, N> extents_{}, strides_{};
};

template <class T, size_t N>
  requires Element<T> || std::is_same_v<T, uint16_t>
Accessor<const T, N> Tensor::accessor(Location at) const {
  const detail::Layout l = detail::layout_of(*this, detail::element_dtype<T>(), N, false, "accessor", at);
  return {static_cast<const T*>(l.data), std::span<const int64_t, N>(l.shape.begin(), N),
          std::span<const int64_t, N>(l.strides.begin(), N)};
}
template <class T, size_t N>
  requires Element<T> || std::is_same_v<T, uint16_t>
Accessor<T, N> Tensor::mutable_accessor(Location at) const {
  const detail::Layout l = detail::layout_of(*this, detail::element_dtype<T>(), N, true, "mutable_accessor", at);
  return {static_cast<T*>(l.data), std::span<const int64_t, N>(l.shape.begin(), N),
          std::span<const int64_t, N>(l.strides.begin(), N)};
}

}  // namespace jot
