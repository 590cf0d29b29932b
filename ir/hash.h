#pragma once
#include <bit>
#include <cstdint>

namespace jot {

// Mixes one word into a hash (the finaliser of splitmix64).
constexpr uint64_t hash_mix(uint64_t h, uint64_t word) {
  h ^= word + 0x9e3779b97f4a7c15u + (h << 6) + (h >> 2);
  h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
  h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
  return h ^ (h >> 31);
}

// One word of a long sequence, cheaper: hash_mix comes last.
constexpr uint64_t hash_word(uint64_t h, uint64_t word) { return (std::rotl(h, 23) ^ word) * 0x9e3779b97f4a7c15u; }

}  // namespace jot
