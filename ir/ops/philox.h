#pragma once
#include <array>
#include <cstdint>

namespace jot::ir {

// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3; SC 2011).
inline std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    uint64_t a = uint64_t{0xd2511f53} * counter[0], b = uint64_t{0xcd9e8d57} * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(a)};
    key[0] += 0x9e3779b9;
    key[1] += 0xbb67ae85;
  }
  return counter;
}

// Draw number `position` of the stream that (seed, stream) names. A block gives four draws of 32 bits or two of 64; the
// two widths use disjoint blocks, so a draw of one is independent of every draw of the other.
inline uint64_t random_draw(uint64_t seed, uint64_t stream, uint64_t position, int width) {
  uint64_t block = width == 32 ? position / 4 : position / 2 | uint64_t{1} << 63;
  auto low = [](uint64_t x) { return static_cast<uint32_t>(x); };
  auto high = [](uint64_t x) { return static_cast<uint32_t>(x >> 32); };
  auto words = philox4x32({low(block), high(block), low(stream), high(stream)}, {low(seed), high(seed)});
  if (width == 32) return words[position % 4];
  return words[2 * (position % 2)] | uint64_t{words[2 * (position % 2) + 1]} << 32;
}

// The key (seed, stream) of the stream that number i of another key names. One to one in (stream, i) for each seed, and
// of another Philox key than its draws.
inline std::array<uint64_t, 2> folded_key(uint64_t seed, uint64_t stream, uint64_t i) {
  auto low = [](uint64_t x) { return static_cast<uint32_t>(x); };
  auto high = [](uint64_t x) { return static_cast<uint32_t>(x >> 32); };
  auto words = philox4x32({low(i), high(i), low(stream), high(stream)}, {~low(seed), ~high(seed)});
  return {words[0] | uint64_t{words[1]} << 32, words[2] | uint64_t{words[3]} << 32};
}

}  // namespace jot::ir
