// Special functions of one element: what the reference evaluates, and what kernels call for arguments that their own
// instructions leave. Rounded to double they are within 1 ulp, and so is the float rounded from that. NaN of NaN.
#pragma once

namespace jot::ir::special {

long double lgamma(double x);   // log |gamma(x)|: infinite at 0, -1, -2, ...
long double digamma(double x);  // its derivative: of 0 an infinity of the other sign, NaN at -1, -2, ...
// The sum of (q + k)^-s for k = 0, 1, ...: NaN for s < 1, infinite for s = 1. For q < 0 only where s is an integer,
// else NaN; infinite at 0, -1, ...
long double zeta(double s, double q);
long double erf_inv(double x);     // NaN outside [-1, 1]
long double erfcx(double x);       // exp(x^2) erfc(x)
long double bessel_i0e(double x);  // exp(-|x|) I0(x)
long double bessel_i1e(double x);  // exp(-|x|) I1(x)

}  // namespace jot::ir::special
