// How much of a fuzzer runs: the environment says so, else as much as the suite has time for.
#pragma once
#include <cstdint>
#include <cstdlib>

namespace jot::test {

inline uint64_t setting(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

// Seeds [first, last): NAME_SEED=n is that one, NAME_PROGRAMS=n so many, from NAME_FIRST on.
struct Seeds {
  uint64_t first, last;
};
inline Seeds seeds(const char* seed, const char* programs, const char* first, uint64_t usual) {
  if (std::getenv(seed)) return {setting(seed, 0), setting(seed, 0) + 1};
  const uint64_t from = setting(first, 0);
  return {from, from + setting(programs, usual)};
}

}  // namespace jot::test

// The seeds of a fuzzer, which its variables are named after.
#define JOT_SEEDS(name, usual) jot::test::seeds(name "_SEED", name "_PROGRAMS", name "_FIRST", usual)
