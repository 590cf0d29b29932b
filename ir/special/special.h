// Special functions of one element: what the reference evaluates, and what kernels call for arguments that their own
// instructions leave, or for all. Rounded to double they are within 1 ulp of what is true, or beside zeros of the terms
// whose sum is zero there; so is the float rounded from that. NaN of NaN.
#pragma once

namespace jot::ir::special {

long double lgamma(double x);   // log |gamma(x)|: infinite at 0, -1, -2, ...
long double digamma(double x);  // its derivative: of 0 an infinity of the other sign, NaN at -1, -2, ...
// The sum of (q + k)^-s for k = 0, 1, ...: NaN for s < 1, infinite for s = 1. For q < 0 only where s is an integer,
// else NaN; infinite at 0, -1, ...
long double zeta(double s, double q);
// The derivative of order n of digamma: (-1)^(n+1) n! zeta(n + 1, x). NaN where n is no integer or negative.
long double polygamma(double n, double x);

long double erf(double x);
long double erfc(double x);
long double erf_inv(double x);  // NaN outside [-1, 1]
long double erfcx(double x);    // exp(x^2) erfc(x)
long double ndtr(double x);     // erfc(-x / sqrt(2)) / 2
long double ndtri(double p);    // its inverse: NaN outside [0, 1]

long double bessel_i0(double x);
long double bessel_i1(double x);
long double bessel_i0e(double x);  // exp(-|x|) I0(x)
long double bessel_i1e(double x);  // exp(-|x|) I1(x)
// At infinity 0. Y0 and Y1 are -infinity at 0, NaN below.
long double bessel_j0(double x);
long double bessel_j1(double x);
long double bessel_y0(double x);
long double bessel_y1(double x);
long double bessel_k0e(double x);  // exp(x) K0(x): infinite at 0, NaN below
long double bessel_k1e(double x);  // exp(x) K1(x)

// The gamma distribution of shape a. NaN where a or x is negative, and where both are 0 or infinite.
long double igamma(double a, double x);         // P(a, x), the distribution function
long double igammac(double a, double x);        // Q(a, x) = 1 - P(a, x)
long double igamma_grad_a(double a, double x);  // dP/da
long double igamma_grad_aa(double a, double x);
long double gamma_density(double a, double x);  // dP/dx = x^(a - 1) exp(-x) / gamma(a)

}  // namespace jot::ir::special
