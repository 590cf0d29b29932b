// A compiled graph as bytes, machine code included: what the cache on disk and Executable::save keep.
#pragma once
#include "backends/cpu/executable.h"
#include "ir/bytes.h"

namespace jot::cpu {

// All but the graph and the times of compilation. Routines are made again when it is loaded: of them the file has the
// kernels that making them asks for.
void store(const Compiled& compiled, ByteWriter& out);

// Throws CacheError where the bytes are not what store() wrote. That they are of these sources, of this target and of
// as many threads is the caller's to know (engine_stamp).
Compiled load(const LazyGraph& graph, ByteReader& in);

}  // namespace jot::cpu
