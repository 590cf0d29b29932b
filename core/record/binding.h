// What the inputs of a recorded graph stand for.
#pragma once
#include <cstddef>
#include <cstdint>

#include "backends/buffer.h"
#include "jot/tensor.h"

namespace jot {

// A stream of random numbers and how many were drawn from it.
struct Generator {
  int64_t key[2];
  int64_t offset;
  bool seeded = false;  // by the user
};

struct Binding {
  enum class Kind : uint8_t { argument, capture, literal, rng_key, rng_offset };
  Kind kind;
  size_t argument = 0;  // position among the arguments
  Tensor capture{};     // the base of a captured storage
  Buffer buffer{};      // lazy traces: its contents when it was captured
  Number number{};      // a literal passed at run time, and its dtype
  DType dtype = DType::f64;
  Generator generator{};  // lazy traces: where the thread's generator was at the first draw
};

}  // namespace jot
