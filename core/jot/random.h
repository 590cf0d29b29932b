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
// mean + std z, z standard normal, of the shape to which both broadcast; differentiable in both.
Tensor normal(const Arg& mean, const Arg& std);
// 0 to n - 1 in random order, i64.
Tensor randperm(int64_t n, std::optional<DType> dtype = {}, Location at = JOT_HERE);
// n places, i64, drawn with probabilities as the weights p of a vector or of each row. ShapeError where there are fewer
// than n without replacement.
Tensor multinomial(const Tensor& p, int64_t n, bool replacement = false, Location at = JOT_HERE);
// true with probability p[i], of which it has the shape and dtype.
Tensor bernoulli(const Tensor& p, Location at = JOT_HERE);
// How many events of that rate, in its shape and dtype; NaN of a rate that is none. Derivative 0. DTypeError unless
// floating.
Tensor poisson(const Tensor& rate, Location at = JOT_HERE);
// How many successes in `count` trials of probability p; both broadcast. NaN where p is none or count < 0. Derivative
// 0. DTypeError unless floating.
Tensor binomial(const Tensor& count, const Tensor& p, Location at = JOT_HERE);
// A draw of the gamma distribution of shape alpha and rate 1, in its shape and dtype, computed in f64; NaN unless alpha
// is positive and finite. Differentiable by alpha, to second order: each draw at its place in the distribution function
// (Figurnov et al., "Implicit reparameterization gradients", 2018). DTypeError unless floating.
Tensor random_gamma(const Tensor& alpha, Location at = JOT_HERE);
inline Tensor gamma(const Tensor& alpha, Location at = JOT_HERE) { return random_gamma(alpha, at); }
// Of each line of alpha along the last dim a draw of Dirichlet's distribution, differentiable likewise. ShapeError of a
// 0-d alpha.
Tensor dirichlet(const Tensor& alpha, Location at = JOT_HERE);

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
