// Choices that the transforms of the interface and the passes behind them share.
#pragma once
#include <cstdint>

namespace jot {

// What a random operation does inside vmap: it is an error, every lane draws for itself, or all share one draw.
enum class Randomness : uint8_t { error, different, same };

namespace detail {
// How a jacobian is computed. cheaper: forward where the arguments have fewer elements than the values; with reverse's
// result types and errors.
enum class JacobianMode : uint8_t { reverse, forward, cheaper };
}  // namespace detail

}  // namespace jot
