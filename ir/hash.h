#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

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

// Of many words: four at a time, which do not wait for each other.
constexpr uint64_t hash_words(std::span<const uint64_t> words) {
  uint64_t h[4] = {1, 2, 3, 4};
  size_t i = 0;
  for (; i + 4 <= words.size(); i += 4)
    for (size_t k = 0; k < 4; ++k) h[k] = hash_word(h[k], words[i + k]);
  for (; i < words.size(); ++i) h[0] = hash_word(h[0], words[i]);
  return hash_mix(hash_mix(hash_mix(hash_mix(words.size(), h[0]), h[1]), h[2]), h[3]);
}

}  // namespace jot
