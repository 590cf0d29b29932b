// Random numbers: philox4x32-10. Every thread has a generator of its own; draws happen in program order, also inside
// transforms. Inside vmap, `randomness` says what a draw means. After fork(), the generator of the thread that called
// it begins a stream of its own in the child; if it was seeded, parent and child both continue the same stream: seed
// each child, manual_seed(seed + rank).
#pragma once
#include "jot/tensor.h"

namespace jot {

void manual_seed(uint64_t seed, Location at = JOT_HERE);  // of the calling thread's generator

#include "jot/random.inc"

}  // namespace jot

// Draws from a key, i64[2], and nothing else: the same key gives the same numbers, inside transforms too; a key with
// lanes other numbers in each. ShapeError where it is no key.
namespace jot::random {

Tensor key(uint64_t seed, Location at = JOT_HERE);
Tensor split(const Tensor& key, int64_t n = 2, Location at = JOT_HERE);  // i64[n, 2]: n keys
Tensor fold_in(const Tensor& key, const Arg& index);                     // the key of that number: index + [2]
Tensor normal(const Tensor& key, const Shape& shape, std::optional<DType> dtype = {}, Location at = JOT_HERE);
Tensor uniform(const Tensor& key, const Shape& shape, std::optional<DType> dtype = {}, Location at = JOT_HERE);
Tensor gamma(const Tensor& key, const Tensor& alpha, Location at = JOT_HERE);      // as random_gamma
Tensor dirichlet(const Tensor& key, const Tensor& alpha, Location at = JOT_HERE);  // as jot::dirichlet

}  // namespace jot::random
