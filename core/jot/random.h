// Random numbers: philox4x32-10. Every thread has a generator of its own; draws happen in program order, also inside
// transforms. Inside vmap, `randomness` says what a draw means. After fork(), the generator of the thread that called
// it begins a stream of its own in the child; if it was seeded, parent and child both continue the same stream: seed
// each child, manual_seed(seed + rank).
#pragma once
#include "jot/tensor.h"

namespace jot {

void manual_seed(uint64_t seed, Location at = JOT_HERE);  // of the calling thread's generator

Tensor rand(const Shape& shape, std::optional<DType> dtype = {}, Location at = JOT_HERE);   // uniform in [0, 1)
Tensor randn(const Shape& shape, std::optional<DType> dtype = {}, Location at = JOT_HERE);  // standard normal
Tensor randint(int64_t low, int64_t high, const Shape& shape, std::optional<DType> dtype = {},
               Location at = JOT_HERE);  // uniform in [low, high)
Tensor rand_like(const Tensor& x, std::optional<DType> dtype = {}, Location at = JOT_HERE);
Tensor randn_like(const Tensor& x, std::optional<DType> dtype = {}, Location at = JOT_HERE);
// true with probability p[i], of which it has the shape and dtype.
Tensor bernoulli(const Tensor& p, Location at = JOT_HERE);

}  // namespace jot
