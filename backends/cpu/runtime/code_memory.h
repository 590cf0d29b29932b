// Executable memory. No page is ever writable and executable at once: code is written through one mapping of a memory
// file and runs in another. Where the system refuses that, each piece of code has a mapping of its own, which is filled
// and then made executable.
#pragma once
#include <cstddef>
#include <memory>
#include <span>

namespace jot::cpu {

// A copy of `code`, aligned to 64 bytes, freed with the last handle. Throws Error where the system gives no memory.
std::shared_ptr<const std::byte> make_executable(std::span<const std::byte> code);

// The same, always in a mapping of its own.
std::shared_ptr<const std::byte> make_executable_alone(std::span<const std::byte> code);

// Bytes of live code in shared mappings.
size_t shared_code_bytes();

}  // namespace jot::cpu
