// Hashes of 128 bits, for what is kept beyond a process: XXH3 (Collet, xxHash).
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "ir/graph.h"

namespace jot {

struct Digest {
  uint64_t high = 0, low = 0;
  friend bool operator==(const Digest&, const Digest&) = default;
};
std::string to_hex(const Digest& digest);  // 32 digits

Digest digest_of(std::span<const std::byte> bytes);

// Of all that operator== of graphs compares, by the names of ops, dtypes and modes: it is the same in every process and
// version. O(nodes). Host functions have none: see calls_host.
Digest digest_of(const ir::Graph& graph);

// Whether some region runs the user's own code, which no file can hold.
bool calls_host(const ir::Graph& graph);

// Of the sources that decide what is made of a graph: what another version has stored is not run.
extern const char* const kSourcesDigest;

}  // namespace jot
