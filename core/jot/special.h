// Generated from the tables core/*.def by core/functions.py: change these and run ./dev generate.
// torch.special.
#pragma once
#include <string>
#include <vector>

#include "jot/ops.h"

namespace jot::special {

// clang-format off

// ---- Special functions: jot::special
using jot::erf;
using jot::erfc;
using jot::erfinv;
using jot::exp2;
using jot::expm1;
using jot::i0;
using jot::log1p;
using jot::logit;
using jot::polygamma;
using jot::digamma;
using jot::sinc;
using jot::xlogy;
using jot::log_softmax;
using jot::softmax;
using jot::round;
// sigmoid
Tensor expit(const Tensor& x, Location at = JOT_HERE);
// exp(x^2) erfc(x).
Tensor erfcx(const Tensor& x, Location at = JOT_HERE);
// exp(-|x|) i0(x).
Tensor i0e(const Tensor& x, Location at = JOT_HERE);
// exp(-|x|) i1(x).
Tensor i1e(const Tensor& x, Location at = JOT_HERE);
// The modified Bessel function of order 1.
Tensor i1(const Tensor& x, Location at = JOT_HERE);
// digamma
Tensor psi(const Tensor& x, Location at = JOT_HERE);
// lgamma
Tensor gammaln(const Tensor& x, Location at = JOT_HERE);
// mvlgamma
Tensor multigammaln(const Tensor& x, int64_t p, Location at = JOT_HERE);
// -x log(x), 0 at 0, -inf below.
Tensor entr(const Tensor& x, Location at = JOT_HERE);
// The distribution function of the standard normal distribution.
Tensor ndtr(const Tensor& x, Location at = JOT_HERE);
// Its logarithm, exact in both tails.
Tensor log_ndtr(const Tensor& x, Location at = JOT_HERE);
// a log(1 + b), 0 where a is 0 unless b is NaN.
Tensor xlog1py(const Arg& a, const Arg& b);
// The sum of (q + k)^-s for k = 0, 1, ... (Hurwitz). No derivative by s: TransformError.
Tensor zeta(const Arg& s, const Arg& q);
// clang-format on

}  // namespace jot::special
