#include "backends/cpu/loops/checkpoint_schedule.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace jot::cpu {

namespace {

constexpr int64_t kMost = int64_t{1} << 62;

// (s + r over s), at most kMost; 0 where r is negative: how many steps s slots allow where none is done more than r
// times.
int64_t reach(int64_t s, int64_t r) {
  if (r < 0) return 0;
  int64_t n = 1;
  for (int64_t i = 1; i <= r; ++i) {
    if (n > kMost / (s + i)) return kMost;
    n = n * (s + i) / i;
  }
  return n;
}

int64_t repetitions(int64_t length, int64_t slots) {
  int64_t r = 0;
  while (reach(slots, r) < length) ++r;
  return r;
}

// How many steps after a kept state the next one is kept, `length` steps before the end, with `slots` slots for them,
// its own among these.
int64_t distance(int64_t length, int64_t slots) {
  int64_t r = repetitions(length, slots);
  return std::max<int64_t>(1, std::min(reach(slots, r - 1), length - reach(slots - 1, r - 1)));
}

}  // namespace

int64_t fewest_steps(int64_t length, int64_t slots) {
  if (length <= 1) return 0;
  if (slots == 1) return length * (length - 1) / 2;
  int64_t r = repetitions(length, slots);
  return r * length - reach(slots + 1, r - 1);
}

CheckpointSchedule::CheckpointSchedule(int64_t slots) : slots_(std::max<int64_t>(slots, 1)) {
  kept_.reserve(static_cast<size_t>(slots_) + 1);
  free_.reserve(static_cast<size_t>(slots_));
}

void CheckpointSchedule::start(int64_t length) {
  kept_.clear();
  free_.clear();
  for (int64_t i = slots_; i-- > 0;) free_.push_back(i);
  online_ = length < 0;
  dispensable_ = 0;
  end_ = length;
  next_ = 0;
}

int64_t CheckpointSchedule::take_slot() {
  int64_t slot = free_.back();
  free_.pop_back();
  return slot;
}

// Where the next state is kept after that before step `from`.
void CheckpointSchedule::plan(int64_t from) {
  next_ = end_ - from > 1 && !free_.empty() ? from + distance(end_ - from, static_cast<int64_t>(free_.size()) + 1) : -1;
}

int64_t CheckpointSchedule::keep(int64_t t) {
  if (online_) return keep_online(t);
  if (t != next_ || free_.empty()) return -1;
  kept_.push_back({t, take_slot(), 0, false});
  plan(t);
  return kept_.back().slot;
}

int64_t CheckpointSchedule::keep_online(int64_t t) {
  if (t == 0) {
    kept_.push_back({0, take_slot(), std::numeric_limits<int64_t>::max(), false});
    return kept_[0].slot;
  }
  int64_t level = 0;
  if (free_.empty()) {
    size_t dropped = kept_.size() - 1;
    if (dispensable_ > 0) {
      while (!kept_[dropped].dispensable) --dropped;
      --dispensable_;
    } else if (dropped == 0) {
      return -1;
    } else {
      level = kept_[dropped].level + 1;
    }
    free_.push_back(kept_[dropped].slot);
    kept_.erase(kept_.begin() + static_cast<std::ptrdiff_t>(dropped));
    for (size_t i = kept_.size(); i-- > 0 && kept_[i].level < level;)
      if (!std::exchange(kept_[i].dispensable, true)) ++dispensable_;
  }
  kept_.push_back({t, take_slot(), level, false});
  return kept_.back().slot;
}

int64_t CheckpointSchedule::in_sequence() const {
  size_t first = kept_.size() - 1;
  while (first > 0 && kept_[first - 1].step + 1 == kept_[first].step) --first;
  return static_cast<int64_t>(kept_.size() - first);
}

CheckpointSchedule::Kept CheckpointSchedule::back_to(int64_t t) {
  online_ = false;
  for (; kept_.back().step > t; kept_.pop_back()) free_.push_back(kept_.back().slot);
  end_ = t + 1;
  plan(kept_.back().step);
  return {kept_.back().step, kept_.back().slot};
}

}  // namespace jot::cpu
