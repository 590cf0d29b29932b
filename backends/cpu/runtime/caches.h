// The processor's caches.
#pragma once
#include <cstdint>

namespace jot::cpu {

// Bytes of the last-level cache that this processor's cores share; 32 MiB where the machine does not say.
int64_t last_level_cache();

// Results of so many bytes and more are written past the caches: JOT_STREAM, else last_level_cache(). They do not fit,
// so a store that reads what it overwrites reads it for nothing.
int64_t stream_threshold();

}  // namespace jot::cpu
