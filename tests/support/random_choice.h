// Choices of a generator, the same for the same seed.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <random>

namespace jot::test {

class RandomChoice {
 protected:
  explicit RandomChoice(uint64_t seed) : random_(seed) {}

  size_t below(size_t n) { return static_cast<size_t>(random_() % n); }
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(below(static_cast<size_t>(high - low + 1)));
  }
  bool coin() { return below(2) == 0; }
  template <class T>
  T pick(std::initializer_list<T> list) {
    return list.begin()[below(list.size())];
  }

  std::mt19937_64 random_;
};

}  // namespace jot::test
