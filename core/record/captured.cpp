#include "core/record/captured.h"

#include <algorithm>

namespace jot {

Captured* CapturedStorages::find(const detail::Storage& storage) {
  constexpr size_t kFew = 16;
  if (all_.size() <= kFew) {
    auto it = std::ranges::find(all_, &storage, &Captured::storage);
    return it == all_.end() ? nullptr : &*it;
  }
  for (; indexed_ < all_.size(); ++indexed_) index_.insert_or_assign(all_[indexed_].storage, indexed_);
  auto it = index_.find(&storage);
  return it == index_.end() || all_[it->second].storage != &storage ? nullptr : &all_[it->second];
}

void CapturedStorages::clear() {
  all_.clear();
  index_.clear();
  indexed_ = 0;
}

}  // namespace jot
