// Schedules against the closed form, and against a search of all schedules.
#include "backends/cpu/loops/checkpoint_schedule.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <vector>

namespace jot::cpu {
namespace {

struct Counted {
  int64_t steps = 0, most = 0;  // all that are done; the most that one is done
};

// Goes through `length` steps backwards as the schedule says, and checks that what it needs is there.
Counted reversed(int64_t length, int64_t slots, bool online) {
  CheckpointSchedule schedule(slots);
  schedule.start(online ? -1 : length);
  std::vector<int64_t> in_slot(static_cast<size_t>(slots), -1), done(static_cast<size_t>(length), 0);
  auto keep = [&](int64_t t) {
    int64_t slot = schedule.keep(t);
    if (slot >= 0) in_slot[static_cast<size_t>(slot)] = t;
  };
  // Of the first sweep too the state before the last step is enough.
  for (int64_t t = 0; t < length; ++t) {
    keep(t);
    if (t + 1 < length) ++done[static_cast<size_t>(t)];
  }
  for (int64_t t = length - 1; t >= 0; --t) {
    CheckpointSchedule::Kept from = schedule.back_to(t);
    REQUIRE(in_slot[static_cast<size_t>(from.slot)] == from.step);
    REQUIRE(from.step <= t);
    // The first sweep has just reached the last.
    if (t + 1 == length) continue;
    for (int64_t s = from.step; s < t; ++s) {
      if (s > from.step) keep(s);
      ++done[static_cast<size_t>(s)];
    }
  }
  Counted c;
  for (int64_t n : done) {
    c.steps += n;
    c.most = std::max(c.most, n);
  }
  return c;
}

// The least over all places of the first state that is kept after the start.
int64_t searched(int64_t length, int64_t slots, std::map<std::pair<int64_t, int64_t>, int64_t>& known) {
  if (length <= 1) return 0;
  if (slots == 1) return length * (length - 1) / 2;
  auto [it, fresh] = known.try_emplace({length, slots}, 0);
  if (!fresh) return it->second;
  int64_t best = length * (length - 1) / 2;
  for (int64_t m = 1; m < length; ++m)
    best = std::min(best, m + searched(length - m, slots - 1, known) + searched(m, slots, known));
  return known[{length, slots}] = best;
}

TEST_CASE("the closed form is the least of all schedules") {
  std::map<std::pair<int64_t, int64_t>, int64_t> known;
  for (int64_t slots = 1; slots <= 8; ++slots)
    for (int64_t length = 0; length <= 90; ++length) {
      CAPTURE(slots);
      CAPTURE(length);
      CHECK(fewest_steps(length, slots) == searched(length, slots, known));
    }
}

TEST_CASE("of a known number of steps the fewest are done") {
  for (int64_t slots : {1, 2, 3, 4, 5, 7, 10, 30})
    for (int64_t length : {1, 2, 3, 4, 5, 6, 7, 10, 11, 20, 21, 35, 36, 55, 56, 57, 100, 210, 211, 300, 1000}) {
      CAPTURE(slots);
      CAPTURE(length);
      CHECK(reversed(length, slots, false).steps == fewest_steps(length, slots));
    }
}

TEST_CASE("of an unknown number of steps none is done more often than it must be") {
  for (int64_t slots : {1, 2, 3, 4, 5, 7, 10, 30})
    for (int64_t length = 1; length <= 400; length += length < 60 ? 1 : 17) {
      CAPTURE(slots);
      CAPTURE(length);
      Counted online = reversed(length, slots, true), offline = reversed(length, slots, false);
      CHECK(online.most <= offline.most + 1);
      CHECK(online.steps >= offline.steps);
      CHECK(online.steps <= 2 * offline.steps + length);
    }
}

}  // namespace
}  // namespace jot::cpu
