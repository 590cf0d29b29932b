// The cache on disk: compiled graphs by the digest of what was recorded, a file each, kept beyond a process. Processes
// may share a folder: files come and go whole, by rename. Of files that are not the user's own, or that do not hold
// what they should, nothing is used. It is never in the way: what fails is told on stderr, and compiled.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include "core/cache/engine_cache.h"
#include "core/cache/stored_graph.h"
#include "ir/digest.h"

namespace jot {

// What a file holds. Throws CacheError, with the path and the system's reason: no file, not readable, and, where `own`,
// not a plain file that belongs to the user of this process and that nobody else may write.
Contents read_file(const std::string& path, bool own);
// The file is there whole or not at all. Throws CacheError.
void write_file(const std::string& path, std::span<const std::byte> contents);

class DiskCache {
 public:
  // The folder is made, for its user alone, where it is not there. Throws CacheError where it cannot be had, belongs to
  // somebody else, or others may write in it. limit: of the bytes of its files.
  DiskCache(std::string folder, int64_t limit);

  // graph: what runs, which no file holds.
  std::shared_ptr<const CompiledGraph> find(const Digest& name, const LazyGraph& graph) const;
  // Then the files that were not used for longest go, where there are too many bytes.
  void insert(const Digest& name, const CompiledGraph& compiled) const;

 private:
  std::string path(const Digest& name) const;
  void evict() const;
  std::string folder_;
  int64_t limit_;
  mutable std::mutex mutex_;
  mutable int64_t total_ = -1;  // bytes of files, as far as this process knows; -1: not listed yet
};

// That of JOT_CACHE_DIR; null where there is none, or none that can be used.
const DiskCache* disk_cache();

}  // namespace jot
