// A compiled graph as the contents of a file: magic, version of the format, digest of all that follows; then the stamp
// of what compiled it, what goes in and out, the graph's text (or none), the engine's own bytes, and what the caller
// adds.
#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/cache/engine_cache.h"
#include "ir/bytes.h"

namespace jot {

// extra: what the file holds beside it. Without the text whoever loads it has to have the graph.
enum class GraphText : uint8_t { none, whole };
std::vector<std::byte> to_bytes(const CompiledGraph& compiled, GraphText text, std::span<const std::byte> extra = {});

// Bytes with their owner.
struct Contents {
  std::shared_ptr<const std::byte[]> bytes;
  size_t size = 0;
  std::span<const std::byte> span() const { return {bytes.get(), size}; }
};

struct StoredGraph {
  // Of another stamp: compiled anew from the text, where there is one, else null.
  std::shared_ptr<const CompiledGraph> compiled;
  bool fits = false;                 // it was not compiled anew
  std::span<const std::byte> extra;  // of the contents
};
// Throws CacheError where the bytes are not those of to_bytes(): truncated, changed, of another format. Whoever wrote
// them is trusted: they are code.
StoredGraph from_bytes(const Contents& contents, LazyGraph without_text = {});

}  // namespace jot
