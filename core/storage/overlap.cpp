#include "core/storage/overlap.h"

#include <algorithm>
#include <iterator>
#include <unordered_set>

namespace jot::detail {

bool share_storage(std::span<const Tensor> tensors) {
  constexpr size_t kFew = 8;
  if (tensors.size() <= kFew) {
    for (size_t i = 0; i < tensors.size(); ++i)
      for (size_t j = 0; j < i; ++j)
        if (tensors[i].impl()->storage == tensors[j].impl()->storage) return true;
    return false;
  }
  std::unordered_set<const Storage*> seen;
  return std::ranges::any_of(tensors, [&](const Tensor& t) { return !seen.insert(t.impl()->storage).second; });
}

namespace {

// Where the elements of a view lie in its storage, ascending.
std::vector<int64_t> places(const TensorImpl& t) {
  std::vector<int64_t> result = {t.offset};
  Shape strides = t.layout();
  for (size_t d = 0; d < t.shape.size(); ++d)
    for (size_t i = 0, n = result.size() * static_cast<size_t>(t.shape[d] - 1); i < n; ++i)
      result.push_back(result[i] + strides[d]);
  std::ranges::sort(result);
  return result;
}

int64_t last_place(const TensorImpl& t) {
  Shape strides = t.layout();
  int64_t last = t.offset;
  for (size_t d = 0; d < t.shape.size(); ++d) last += (t.shape[d] - 1) * strides[d];
  return last;
}

}  // namespace

bool elements_overlap(const Tensor& a, const Tensor& b) {
  const TensorImpl &x = *a.impl(), &y = *b.impl();
  if (x.storage != y.storage || x.shape.numel() == 0 || y.shape.numel() == 0) return false;
  if (last_place(x) < y.offset || last_place(y) < x.offset) return false;
  if (x.contiguous() || y.contiguous()) {
    const TensorImpl &whole = x.contiguous() ? x : y, &other = x.contiguous() ? y : x;
    int64_t first = whole.offset, last = last_place(whole);
    return std::ranges::any_of(places(other), [&](int64_t p) { return p >= first && p <= last; });
  }
  std::vector<int64_t> p = places(x), q = places(y), both;
  std::ranges::set_intersection(p, q, std::back_inserter(both));
  return !both.empty();
}

}  // namespace jot::detail
