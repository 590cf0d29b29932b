#pragma once
#include <cstdint>

namespace jot {

// Mixes one word into a hash (the finaliser of splitmix64).
constexpr uint64_t hash_mix(uint64_t h, uint64_t word) {
  h ^= word + 0x9e3779b97f4a7c15u + (h << 6) + (h >> 2);
  h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
  h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
  return h ^ (h >> 31);
}

}  // namespace jot
