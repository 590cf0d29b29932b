// Flags of the host that recorded functions look at.
#pragma once
#include <atomic>
#include <memory>
#include <utility>
#include <vector>

namespace jot::detail {

using Flag = std::shared_ptr<const std::atomic<bool>>;

// Reads a flag; a jit that records on this thread makes its value part of the recording's key.
bool observe(const Flag& flag);

// While alive, collects the flags that this thread observes, with their values.
class FlagObserver {
 public:
  FlagObserver();
  ~FlagObserver();
  FlagObserver(const FlagObserver&) = delete;
  FlagObserver& operator=(const FlagObserver&) = delete;
  std::vector<std::pair<Flag, bool>> seen;

 private:
  FlagObserver* outer_;
};

}  // namespace jot::detail
