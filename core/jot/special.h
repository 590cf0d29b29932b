// Generated from the tables core/*.def by core/functions.py: change these and run ./dev generate.
// torch.special.
#pragma once
#include <string>
#include <vector>

#include "jot/ops.h"
#include "jot/out.h"

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
using jot::logsumexp;
using jot::round;
using jot::erf_out;
using jot::erfc_out;
using jot::erfinv_out;
using jot::exp2_out;
using jot::expm1_out;
using jot::i0_out;
using jot::log1p_out;
using jot::logit_out;
using jot::polygamma_out;
using jot::digamma_out;
using jot::sinc_out;
using jot::xlogy_out;
using jot::log_softmax_out;
using jot::softmax_out;
using jot::logsumexp_out;
using jot::round_out;
// sigmoid
Tensor expit(const Tensor& x, Location at = JOT_HERE);
Tensor expit_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
// exp(x^2) erfc(x).
Tensor erfcx(const Tensor& x, Location at = JOT_HERE);
Tensor erfcx_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
// exp(-|x|) i0(x).
Tensor i0e(const Tensor& x, Location at = JOT_HERE);
Tensor i0e_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
// exp(-|x|) i1(x).
Tensor i1e(const Tensor& x, Location at = JOT_HERE);
Tensor i1e_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
// The modified Bessel function of order 1.
Tensor i1(const Tensor& x, Location at = JOT_HERE);
Tensor i1_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
// i0
Tensor modified_bessel_i0(const Tensor& x, Location at = JOT_HERE);
Tensor modified_bessel_i0_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
// i1
Tensor modified_bessel_i1(const Tensor& x, Location at = JOT_HERE);
Tensor modified_bessel_i1_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
// The modified Bessel function of the second kind, of order 0: infinite at 0, NaN below.
Tensor modified_bessel_k0(const Tensor& x, Location at = JOT_HERE);
Tensor modified_bessel_k0_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
// Of order 1.
Tensor modified_bessel_k1(const Tensor& x, Location at = JOT_HERE);
Tensor modified_bessel_k1_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
// exp(x) modified_bessel_k0(x).
Tensor scaled_modified_bessel_k0(const Tensor& x, Location at = JOT_HERE);
Tensor scaled_modified_bessel_k0_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
// exp(x) modified_bessel_k1(x).
Tensor scaled_modified_bessel_k1(const Tensor& x, Location at = JOT_HERE);
Tensor scaled_modified_bessel_k1_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
// The Bessel function of the first kind, of order 0; its derivative is that of order 1 (torch's is 0).
Tensor bessel_j0(const Tensor& x, Location at = JOT_HERE);
Tensor bessel_j0_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
// Of order 1.
Tensor bessel_j1(const Tensor& x, Location at = JOT_HERE);
Tensor bessel_j1_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
// The Bessel function of the second kind, of order 0: -inf at 0, NaN below.
Tensor bessel_y0(const Tensor& x, Location at = JOT_HERE);
Tensor bessel_y0_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
// Of order 1.
Tensor bessel_y1(const Tensor& x, Location at = JOT_HERE);
Tensor bessel_y1_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
// The spherical Bessel function of order 0; 1 at 0.
Tensor spherical_bessel_j0(const Tensor& x, Location at = JOT_HERE);
Tensor spherical_bessel_j0_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
// digamma
Tensor psi(const Tensor& x, Location at = JOT_HERE);
Tensor psi_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
// lgamma
Tensor gammaln(const Tensor& x, Location at = JOT_HERE);
Tensor gammaln_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
// mvlgamma
Tensor multigammaln(const Tensor& x, int64_t p, Location at = JOT_HERE);
Tensor multigammaln_out(const Tensor& out, const Tensor& x, int64_t p, Location at = JOT_HERE);
// -x log(x), 0 at 0, -inf below.
Tensor entr(const Tensor& x, Location at = JOT_HERE);
Tensor entr_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
// The distribution function of the standard normal distribution.
Tensor ndtr(const Tensor& x, Location at = JOT_HERE);
Tensor ndtr_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
// Its logarithm, exact in both tails.
Tensor log_ndtr(const Tensor& x, Location at = JOT_HERE);
Tensor log_ndtr_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
// The inverse of ndtr, exact in both tails; NaN outside [0, 1].
Tensor ndtri(const Tensor& p, Location at = JOT_HERE);
Tensor ndtri_out(const Tensor& out, const Tensor& p, Location at = JOT_HERE);
// a log(1 + b), 0 where a is 0 unless b is NaN.
Tensor xlog1py(const Arg& a, const Arg& b);
Tensor xlog1py_out(const Tensor& out, const Arg& a, const Arg& b);
// The sum of (q + k)^-s for k = 0, 1, ... (Hurwitz). No derivative by s: TransformError.
Tensor zeta(const Arg& s, const Arg& q);
Tensor zeta_out(const Tensor& out, const Arg& s, const Arg& q);
// The regularised lower incomplete gamma function, the distribution function of the gamma distribution of shape a: NaN where an
// operand is negative. Derivatives by both operands (torch: by x alone); by a of order 1 and 2, more: TransformError.
Tensor gammainc(const Arg& a, const Arg& x);
Tensor gammainc_out(const Tensor& out, const Arg& a, const Arg& x);
// 1 - gammainc(a, x), exact where that is small.
Tensor gammaincc(const Arg& a, const Arg& x);
Tensor gammaincc_out(const Tensor& out, const Arg& a, const Arg& x);
// clang-format on

}  // namespace jot::special
