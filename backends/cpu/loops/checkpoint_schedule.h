// Going through steps backwards in little memory: which states are kept, and from which the others are computed again.
#pragma once
#include <cstdint>
#include <vector>

namespace jot::cpu {

// The fewest steps that have to be done to go through `length` steps backwards with `slots` states kept: Griewank and
// Walther, "Algorithm 799: Revolve", 2000. The state before the last step is reached; the step itself is not counted.
int64_t fewest_steps(int64_t length, int64_t slots);

// States are kept in `slots` slots, one of them for ever that before the first step. Where the number of steps is known
// the others are placed as Revolve does, which does the fewest steps that are possible. Where it is not they are placed
// as the first sweep goes on, such that no step is done more often than it must be whatever the number turns out to be:
// Wang, Moin and Iaccarino, "Minimal repetition dynamic checkpointing algorithm for unsteady adjoint calculation",
// 2009.
//
//   first sweep: keep(t) before each step t = 0, 1, ...;
//   then for each step t, in descending order: from = back_to(t); from the state in its slot the steps from.step, ...,
//     t - 1, with keep(s) before each but the first. That gives the state before t.
class CheckpointSchedule {
 public:
  explicit CheckpointSchedule(int64_t slots);
  // A new first sweep. length: -1 where it is not known.
  void start(int64_t length);
  // The slot for the state before step t, or -1.
  int64_t keep(int64_t t);

  struct Kept {
    int64_t step, slot;
  };
  // The last kept state that is not after t. Those after t are dropped.
  Kept back_to(int64_t t);

  // Of a sweep whose end is known: where the next state is kept after step t, INT64_MAX for nowhere; how many states
  // are kept, in slots 0, 1, ..., how many of them, the last, before steps one after the other, and how many more there
  // can be.
  int64_t next_after(int64_t t) const { return next_ > t && !free_.empty() ? next_ : INT64_MAX; }
  int64_t kept() const { return static_cast<int64_t>(kept_.size()); }
  int64_t last_kept() const { return kept_.back().step; }
  int64_t in_sequence() const;
  int64_t free() const { return static_cast<int64_t>(free_.size()); }

 private:
  struct Entry {
    int64_t step, slot, level;
    bool dispensable;  // a later one has a higher level
  };
  int64_t take_slot();
  int64_t keep_online(int64_t t);
  void plan(int64_t from);

  int64_t slots_;
  std::vector<Entry> kept_;  // by step
  std::vector<int64_t> free_;
  bool online_ = false;
  int64_t dispensable_ = 0;
  int64_t end_ = 0, next_ = -1;  // of a sweep whose end is known; the next state that it keeps
};

}  // namespace jot::cpu
