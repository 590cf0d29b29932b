// Generated from the tables core/*.def by core/functions.py: change these and run ./dev generate.
// Functions of tensors. Names, order of arguments and meaning follow torch; a dim counts from the end when negative;
// dims {} are all. Functions are overload sets: pass them in a lambda, or with JOT_FN.
#pragma once
#include <vector>

#include "jot/tree.h"

namespace jot {

// clang-format off
struct ValuesIndices {
  Tensor values, indices;
};
JOT_TREE(ValuesIndices, values, indices);
struct MinMax {
  Tensor min, max;
};
JOT_TREE(MinMax, min, max);
struct VarMean {
  Tensor var, mean;
};
JOT_TREE(VarMean, var, mean);
struct StdMean {
  Tensor std, mean;
};
JOT_TREE(StdMean, std, mean);
struct ValuesInverseCounts {
  Tensor values, inverse, counts;
};
JOT_TREE(ValuesInverseCounts, values, inverse, counts);
struct CovOptions {
  int64_t correction = 1;
  Tensor fweights = {};
  Tensor aweights = {};
};
struct MantissaExponent {
  Tensor mantissa, exponent;
};
JOT_TREE(MantissaExponent, mantissa, exponent);

// ---- Elementwise functions of one tensor
// |x|; of the least integer itself. The derivative at 0 is 0.
Tensor abs(const Tensor& x, Location at = JOT_HERE);
Tensor neg(const Tensor& x, Location at = JOT_HERE);
// -1, 0 or 1; 0 of NaN. Booleans stay.
Tensor sign(const Tensor& x, Location at = JOT_HERE);
Tensor floor(const Tensor& x, Location at = JOT_HERE);
Tensor ceil(const Tensor& x, Location at = JOT_HERE);
// To the nearest integer, halves to the even one.
Tensor round(const Tensor& x, Location at = JOT_HERE);
Tensor trunc(const Tensor& x, Location at = JOT_HERE);
Tensor exp(const Tensor& x, Location at = JOT_HERE);
Tensor log(const Tensor& x, Location at = JOT_HERE);
Tensor sqrt(const Tensor& x, Location at = JOT_HERE);
// 1 / sqrt(x).
Tensor rsqrt(const Tensor& x, Location at = JOT_HERE);
Tensor sin(const Tensor& x, Location at = JOT_HERE);
Tensor cos(const Tensor& x, Location at = JOT_HERE);
Tensor tanh(const Tensor& x, Location at = JOT_HERE);
// 1 / (1 + exp(-x)).
Tensor sigmoid(const Tensor& x, Location at = JOT_HERE);
// Of booleans in i64.
Tensor square(const Tensor& x, Location at = JOT_HERE);
Tensor reciprocal(const Tensor& x, Location at = JOT_HERE);
// max(x, 0); NaN stays. The derivative at 0 is 0.
Tensor relu(const Tensor& x, Location at = JOT_HERE);
// Whether x is zero: boolean, of any dtype.
Tensor logical_not(const Tensor& x, Location at = JOT_HERE);
// Of integers all bits, of booleans the truth value. DTypeError of floats.
Tensor bitwise_not(const Tensor& x, Location at = JOT_HERE);
// abs
Tensor absolute(const Tensor& x, Location at = JOT_HERE);
// neg
Tensor negative(const Tensor& x, Location at = JOT_HERE);
// sign
Tensor sgn(const Tensor& x, Location at = JOT_HERE);
// trunc
Tensor fix(const Tensor& x, Location at = JOT_HERE);
// x. DTypeError of boolean.
Tensor positive(const Tensor& x, Location at = JOT_HERE);
// To `decimals` digits after the point; negative: to tens, hundreds, ... DTypeError of integers with negative ones.
Tensor round(const Tensor& x, int64_t decimals, Location at = JOT_HERE);
// The part after the point, with the sign of x.
Tensor frac(const Tensor& x, Location at = JOT_HERE);
Tensor deg2rad(const Tensor& x, Location at = JOT_HERE);
Tensor rad2deg(const Tensor& x, Location at = JOT_HERE);
// 2^x.
Tensor exp2(const Tensor& x, Location at = JOT_HERE);
// e^x - 1, exact near 0.
Tensor expm1(const Tensor& x, Location at = JOT_HERE);
Tensor log2(const Tensor& x, Location at = JOT_HERE);
Tensor log10(const Tensor& x, Location at = JOT_HERE);
// log(1 + x), exact near 0.
Tensor log1p(const Tensor& x, Location at = JOT_HERE);
Tensor tan(const Tensor& x, Location at = JOT_HERE);
Tensor asin(const Tensor& x, Location at = JOT_HERE);
Tensor acos(const Tensor& x, Location at = JOT_HERE);
Tensor atan(const Tensor& x, Location at = JOT_HERE);
Tensor sinh(const Tensor& x, Location at = JOT_HERE);
Tensor cosh(const Tensor& x, Location at = JOT_HERE);
Tensor asinh(const Tensor& x, Location at = JOT_HERE);
Tensor acosh(const Tensor& x, Location at = JOT_HERE);
Tensor atanh(const Tensor& x, Location at = JOT_HERE);
// asin
Tensor arcsin(const Tensor& x, Location at = JOT_HERE);
// acos
Tensor arccos(const Tensor& x, Location at = JOT_HERE);
// atan
Tensor arctan(const Tensor& x, Location at = JOT_HERE);
// asinh
Tensor arcsinh(const Tensor& x, Location at = JOT_HERE);
// acosh
Tensor arccosh(const Tensor& x, Location at = JOT_HERE);
// atanh
Tensor arctanh(const Tensor& x, Location at = JOT_HERE);
Tensor erf(const Tensor& x, Location at = JOT_HERE);
// 1 - erf(x), exact where that is small.
Tensor erfc(const Tensor& x, Location at = JOT_HERE);
// The inverse of erf; NaN outside [-1, 1].
Tensor erfinv(const Tensor& x, Location at = JOT_HERE);
// log |gamma(x)|; infinite at 0, -1, -2, ...
Tensor lgamma(const Tensor& x, Location at = JOT_HERE);
// The derivative of lgamma; NaN at -1, -2, ...
Tensor digamma(const Tensor& x, Location at = JOT_HERE);
// The derivative of order n of digamma. Error for n < 0.
Tensor polygamma(int64_t n, const Tensor& x, Location at = JOT_HERE);
// The logarithm of the multivariate gamma function of dimension p. Error for p < 1.
Tensor mvlgamma(const Tensor& x, int64_t p, Location at = JOT_HERE);
// The modified Bessel function of order 0.
Tensor i0(const Tensor& x, Location at = JOT_HERE);
// 1 at 0, exactly 0 at other integers.
Tensor sinc(const Tensor& x, Location at = JOT_HERE);
// log(x / (1 - x)), exact near 1/2 too; with eps x is clamped to [eps, 1 - eps] first.
Tensor logit(const Tensor& x, std::optional<double> eps = {}, Location at = JOT_HERE);
// NaN and infinities replaced; posinf and neginf none are the greatest and the least number. Their derivative is 0.
Tensor nan_to_num(const Tensor& x, double nan = 0, std::optional<double> posinf = {}, std::optional<double> neginf = {}, Location at = JOT_HERE);
// Boolean; of integers true.
Tensor isfinite(const Tensor& x, Location at = JOT_HERE);
Tensor isinf(const Tensor& x, Location at = JOT_HERE);
Tensor isnan(const Tensor& x, Location at = JOT_HERE);
Tensor isposinf(const Tensor& x, Location at = JOT_HERE);
Tensor isneginf(const Tensor& x, Location at = JOT_HERE);
// Whether the sign bit is set: of -0 too.
Tensor signbit(const Tensor& x, Location at = JOT_HERE);
// x = mantissa 2^exponent, |mantissa| in [1/2, 1); of 0, infinities and NaN the mantissa is x, the exponent 0 (i32).
MantissaExponent frexp(const Tensor& x, Location at = JOT_HERE);

// ---- Elementwise functions of two
// Operands broadcast and are promoted; of two one may be a number. ShapeError where shapes cannot be broadcast.
Tensor add(const Arg& a, const Arg& b);
Tensor sub(const Arg& a, const Arg& b);
Tensor mul(const Arg& a, const Arg& b);
// a / b, floating.
Tensor div(const Arg& a, const Arg& b);
// The greater; NaN where one is. A tie shares the derivative.
Tensor maximum(const Arg& a, const Arg& b);
Tensor minimum(const Arg& a, const Arg& b);
// maximum
Tensor max(const Tensor& a, const Tensor& b, Location at = JOT_HERE);
// minimum
Tensor min(const Tensor& a, const Tensor& b, Location at = JOT_HERE);
// The angle of the point (b, a), in [-pi, pi].
Tensor atan2(const Arg& a, const Arg& b);
// atan2
Tensor arctan2(const Arg& a, const Arg& b);
// a to the power of b. Integers wrap; DTypeError for a negative number as their exponent, of a tensor of such 0 unless |a| is 1.
// 0^0 is 1. The derivative at 0 of a power above 0 is finite, by b it is 0.
Tensor pow(const Arg& a, const Arg& b);
Tensor eq(const Arg& a, const Arg& b);
Tensor ne(const Arg& a, const Arg& b);
Tensor lt(const Arg& a, const Arg& b);
Tensor le(const Arg& a, const Arg& b);
Tensor gt(const Arg& a, const Arg& b);
Tensor ge(const Arg& a, const Arg& b);
// Of truth values: what is not zero is true. Boolean.
Tensor logical_and(const Arg& a, const Arg& b);
Tensor logical_or(const Arg& a, const Arg& b);
Tensor logical_xor(const Arg& a, const Arg& b);
// Of bits: integers and booleans. DTypeError of floats.
Tensor bitwise_and(const Arg& a, const Arg& b);
Tensor bitwise_or(const Arg& a, const Arg& b);
Tensor bitwise_xor(const Arg& a, const Arg& b);
// a + alpha b
Tensor add(const Arg& a, const Arg& b, const Arg& alpha);
// a - alpha b
Tensor sub(const Arg& a, const Arg& b, const Arg& alpha);
// sub
Tensor subtract(const Arg& a, const Arg& b);
// sub
Tensor subtract(const Arg& a, const Arg& b, const Arg& alpha);
// mul
Tensor multiply(const Arg& a, const Arg& b);
// div
Tensor divide(const Arg& a, const Arg& b);
// div
Tensor true_divide(const Arg& a, const Arg& b);
// none: a / b, floating; trunc: towards zero; floor: downwards, with the dtype kept and the derivative zero. Integers by 0 give 0.
Tensor div(const Arg& a, const Arg& b, Rounding rounding);
// div
Tensor divide(const Arg& a, const Arg& b, Rounding rounding);
// The greatest integer not above a / b, in their dtype; integers by 0 give 0.
Tensor floor_divide(const Arg& a, const Arg& b);
// a - floor(a / b) b: has the sign of b. Of integers a where b is 0; of floats NaN.
Tensor remainder(const Arg& a, const Arg& b);
// a - trunc(a / b) b: has the sign of a. Of integers a where b is 0; of floats NaN.
Tensor fmod(const Arg& a, const Arg& b);
// pow in f64.
Tensor float_power(const Arg& a, const Arg& b);
// sqrt(a^2 + b^2), which does not overflow on the way.
Tensor hypot(const Arg& a, const Arg& b);
// The greater; of a number and NaN the number.
Tensor fmax(const Arg& a, const Arg& b);
// The lesser; of a number and NaN the number.
Tensor fmin(const Arg& a, const Arg& b);
// |a| with the sign of b, of -0 too. Floating.
Tensor copysign(const Arg& a, const Arg& b);
// log(exp(a) + exp(b)).
Tensor logaddexp(const Arg& a, const Arg& b);
// log2(2^a + 2^b).
Tensor logaddexp2(const Arg& a, const Arg& b);
// a log(b), 0 where a is 0 unless b is NaN. The derivative by a is log(b) there too.
Tensor xlogy(const Arg& a, const Arg& b);
// 0 for a < 0, b at 0, 1 for a > 0.
Tensor heaviside(const Arg& a, const Arg& b);
// The float next to a in the direction of b. DTypeError unless f32 or f64.
Tensor nextafter(const Arg& a, const Arg& b);
// a 2^b.
Tensor ldexp(const Arg& a, const Arg& b);
// |a - b| <= atol + rtol |b|, or equal; equal_nan: two NaN too. Boolean.
Tensor isclose(const Arg& a, const Arg& b, double rtol = 1e-5, double atol = 1e-8, bool equal_nan = false);
// The greatest common divisor, not negative; of two zeros 0. DTypeError unless integers.
Tensor gcd(const Arg& a, const Arg& b);
Tensor gcd(const Tensor& a, const Tensor& b, Location at = JOT_HERE);
// The least common multiple, not negative; 0 where either is; what does not fit is the size of what it wraps to. DTypeError unless integers.
Tensor lcm(const Arg& a, const Arg& b);
Tensor lcm(const Tensor& a, const Tensor& b, Location at = JOT_HERE);
// a 2^b, modulo 2^width; 0 for b outside [0, width). DTypeError of floats.
Tensor bitwise_left_shift(const Arg& a, const Arg& b);
// floor(a / 2^b); for b outside [0, width) 0 or -1, by the sign of a. DTypeError of floats.
Tensor bitwise_right_shift(const Arg& a, const Arg& b);
// ne
Tensor not_equal(const Arg& a, const Arg& b);
// gt
// ge
// lt
// le

// ---- Elementwise functions of three
// x where the condition holds, else y. DTypeError unless it is boolean.
Tensor where(const Tensor& condition, const Arg& x, const Arg& y);
// x, at least low and at most high, of which one may be none; where low > high, high. NaN stays, a bound of NaN gives NaN. The derivative at a bound is 1.
Tensor clamp(const Tensor& x, const Bound& low, const Bound& high = none);
Tensor clamp(const Tensor& x, const Tensor& low, const Tensor& high, Location at = JOT_HERE);
// x with the value, a number or 0-d, where the boolean mask holds.
Tensor masked_fill(const Tensor& x, const Tensor& mask, const Arg& value);
// clamp
Tensor clip(const Tensor& x, const Bound& low, const Bound& high = none);
Tensor clamp_min(const Tensor& x, const Arg& low);
Tensor clamp_max(const Tensor& x, const Arg& high);
// a + weight (b - a), exact at both ends. Floating.
Tensor lerp(const Tensor& a, const Arg& b, const Arg& weight);
// x + value a b
Tensor addcmul(const Tensor& x, const Arg& a, const Arg& b, const Arg& value = {1, Location()});
// x + value a / b, floating.
Tensor addcdiv(const Tensor& x, const Arg& a, const Arg& b, const Arg& value = {1, Location()});

// ---- Reductions
// Over the axes dims, all if {}; keepdim leaves extents of 1. IndexError for a wrong or repeated dim.
// Of integers and booleans i64.
Tensor sum(const Tensor& x, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
// Of integers and booleans i64. The derivative divides by no factor.
Tensor prod(const Tensor& x, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
// DTypeError unless floating; NaN of nothing.
Tensor mean(const Tensor& x, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
// The greatest, NaN where one is; ties share the derivative. ShapeError of nothing.
Tensor amax(const Tensor& x, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
Tensor amin(const Tensor& x, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
// Whether no element is zero: boolean, of u8 u8.
Tensor all(const Tensor& x, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
Tensor any(const Tensor& x, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
// log(sum(exp(x))), shifted by the maximum.
Tensor logsumexp(const Tensor& x, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
// Squares of deviations from the mean, divided by n - correction: NaN where that is 0.
Tensor var(const Tensor& x, const Axes& dims = {}, double correction = 1, bool keepdim = false, Location at = JOT_HERE);
// sqrt of var; the derivative is 0 where that is.
Tensor std(const Tensor& x, const Axes& dims = {}, double correction = 1, bool keepdim = false, Location at = JOT_HERE);
// amax of all.
Tensor max(const Tensor& x, Location at = JOT_HERE);
// amin of all.
Tensor min(const Tensor& x, Location at = JOT_HERE);
// exp(x) over its sum along dim.
Tensor softmax(const Tensor& x, int64_t dim, Location at = JOT_HERE);
Tensor log_softmax(const Tensor& x, int64_t dim, Location at = JOT_HERE);
// The greatest element of each line along dim, the first of equal ones, and where it is; NaN is the greatest. The derivative is
// that of the element. ShapeError of nothing.
ValuesIndices max(const Tensor& x, Dim dim, bool keepdim = false, Location at = JOT_HERE);
// The same of the least; NaN is the least.
ValuesIndices min(const Tensor& x, Dim dim, bool keepdim = false, Location at = JOT_HERE);
// amin and amax, of all or along dim; ties share the derivative.
MinMax aminmax(const Tensor& x, std::optional<Dim> dim = {}, bool keepdim = false, Location at = JOT_HERE);
// Where the greatest element is, i64: the first of equal ones, of NaN the first. dim none: in the flattened tensor. Two reductions:
// the greatest, then the least place where it is. ShapeError of nothing.
Tensor argmax(const Tensor& x, std::optional<Dim> dim = {}, bool keepdim = false, Location at = JOT_HERE);
Tensor argmin(const Tensor& x, std::optional<Dim> dim = {}, bool keepdim = false, Location at = JOT_HERE);
// How many elements are not zero, i64.
Tensor count_nonzero(const Tensor& x, const Axes& dims = {}, Location at = JOT_HERE);
VarMean var_mean(const Tensor& x, const Axes& dims = {}, double correction = 1, bool keepdim = false, Location at = JOT_HERE);
StdMean std_mean(const Tensor& x, const Axes& dims = {}, double correction = 1, bool keepdim = false, Location at = JOT_HERE);
// (sum |x|^p)^(1 / p); p may be inf, -inf, 0 (how many are not zero), "fro", which is 2, and "nuc", of matrices in two dims the sum
// of their singular values. The derivative is 0 where the norm is, and by elements that are 0. DTypeError unless floating.
Tensor norm(const Tensor& x, const Ord& p = 2, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
// norm(a - b, p).
Tensor dist(const Tensor& a, const Tensor& b, const Ord& p = 2, Location at = JOT_HERE);
// NaN counts as 0.
Tensor nansum(const Tensor& x, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
// The mean of what is not NaN. DTypeError unless floating.
Tensor nanmean(const Tensor& x, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
// softmax(-x).
Tensor softmin(const Tensor& x, int64_t dim, Location at = JOT_HERE);
// The lower median of all elements, NaN where one is or of nothing; elements equal to it share the derivative.
Tensor median(const Tensor& x, Location at = JOT_HERE);
// Of what is not NaN.
Tensor nanmedian(const Tensor& x, Location at = JOT_HERE);
// Of each line along dim, with the place of one such element. ShapeError of nothing.
ValuesIndices median(const Tensor& x, Dim dim, bool keepdim = false, Location at = JOT_HERE);
ValuesIndices nanmedian(const Tensor& x, Dim dim, bool keepdim = false, Location at = JOT_HERE);
// The k-th least element, from 1, of each line; NaN is the greatest. ShapeError unless 1 <= k <= the extent.
ValuesIndices kthvalue(const Tensor& x, int64_t k, int64_t dim = -1, bool keepdim = false, Location at = JOT_HERE);
// Interpolated between the two elements around place q (n - 1) of each sorted line (dim none: of all). q is a number or 0-d or a
// vector, whose dim comes first. NaN where an element is. Error for q outside [0, 1], at evaluation. Not linear: one of the two, or their middle.
Tensor quantile(const Tensor& x, const Arg& q, std::optional<Dim> dim = {}, bool keepdim = false, Quantile interpolation = Quantile::linear);
// Of what is not NaN.
Tensor nanquantile(const Tensor& x, const Arg& q, std::optional<Dim> dim = {}, bool keepdim = false, Quantile interpolation = Quantile::linear);
// Differences of neighbours, n times; of booleans whether they differ. What is prepended and appended along dim is one with x.
Tensor diff(const Tensor& x, int64_t n = 1, int64_t dim = -1, const Tensor& prepend = {}, const Tensor& append = {}, Location at = JOT_HERE);
// The integral over samples at x (a vector, or as y) or dx apart.
Tensor trapz(const Tensor& y, const Tensor& x, int64_t dim = -1, Location at = JOT_HERE);
// trapezoid
Tensor trapz(const Tensor& y, double dx = 1, int64_t dim = -1, Location at = JOT_HERE);
Tensor trapezoid(const Tensor& y, const Tensor& x, int64_t dim = -1, Location at = JOT_HERE);
Tensor trapezoid(const Tensor& y, double dx = 1, int64_t dim = -1, Location at = JOT_HERE);
// The covariance of the rows of x (a vector: its variance). fweights are counts, aweights weights of the columns: Error at evaluation unless none is negative and one is above 0.
Tensor cov(const Tensor& x, const CovOptions& options = {}, Location at = JOT_HERE);
// cov over the deviations of both rows, in [-1, 1].
Tensor corrcoef(const Tensor& x, Location at = JOT_HERE);
// x whose slices along dim have a p-norm of at most maxnorm.
Tensor renorm(const Tensor& x, const Ord& p, int64_t dim, double maxnorm, Location at = JOT_HERE);
// Central differences along each of dims, one-sided at the ends, of two neighbours or (edge_order = 2) three. The samples are
// `spacing` apart, or as far as a list says for each dim, or at the places that a list has for each dim. ShapeError where an extent is
// not above edge_order.
std::vector<Tensor> gradient(const Tensor& x, double spacing = 1, const Axes& dims = {}, int64_t edge_order = 1, Location at = JOT_HERE);
std::vector<Tensor> gradient(const Tensor& x, const std::vector<double>& spacing, const Axes& dims = {}, int64_t edge_order = 1, Location at = JOT_HERE);
std::vector<Tensor> gradient(const Tensor& x, const std::vector<Tensor>& spacing, const Axes& dims = {}, int64_t edge_order = 1, Location at = JOT_HERE);

// ---- Cumulative functions
// Along dim; a 0-d tensor is a line of one. IndexError for a wrong dim.
// Of integers and booleans i64.
Tensor cumsum(const Tensor& x, int64_t dim, Location at = JOT_HERE);
// Of integers and booleans i64. The derivative divides by no factor.
Tensor cumprod(const Tensor& x, int64_t dim, Location at = JOT_HERE);
// log(cumsum(exp(x))), without overflow. The derivative is 0 where that is -inf (torch's reverse mode: NaN). DTypeError unless
// floating.
Tensor logcumsumexp(const Tensor& x, int64_t dim, Location at = JOT_HERE);
// The greatest so far and where it is, the last of equal ones; NaN stays. The derivative is that of the element.
ValuesIndices cummax(const Tensor& x, int64_t dim, Location at = JOT_HERE);
ValuesIndices cummin(const Tensor& x, int64_t dim, Location at = JOT_HERE);
// The element that is there most often, the least of several, and the last place where it is. ShapeError of nothing.
ValuesIndices mode(const Tensor& x, int64_t dim = -1, bool keepdim = false, Location at = JOT_HERE);
// The integral up to each sample but the first.
Tensor cumulative_trapezoid(const Tensor& y, const Tensor& x, int64_t dim = -1, Location at = JOT_HERE);
Tensor cumulative_trapezoid(const Tensor& y, double dx = 1, int64_t dim = -1, Location at = JOT_HERE);

// ---- Order
// NaN is greater than every number; as in torch. IndexError for a wrong dim.
// Each line along dim from the least to the greatest element (descending: from the greatest), equal elements in the order in
// which they stood, whatever `stable` says. Of any dtype and shape; a 0-d tensor is a line of one. The derivative moves with
// the values.
ValuesIndices sort(const Tensor& x, int64_t dim = -1, bool descending = false, bool stable = true, Location at = JOT_HERE);
// The indices of sort alone.
Tensor argsort(const Tensor& x, int64_t dim = -1, bool descending = false, bool stable = true, Location at = JOT_HERE);
// The values of sort along the first dim.
Tensor msort(const Tensor& x, Location at = JOT_HERE);
// The k greatest (largest = false: least) elements of each line, in order, whatever `sorted` says, the first of equal ones
// first. ShapeError unless 0 <= k <= the extent of dim.
ValuesIndices topk(const Tensor& x, int64_t k, int64_t dim = -1, bool largest = true, bool sorted = true, Location at = JOT_HERE);

// ---- Products
// As torch's: vectors, matrices, batches of them, which broadcast. ShapeError unless the extents meet.
Tensor matmul(const Tensor& a, const Tensor& b, Location at = JOT_HERE);
// Of two matrices.
Tensor mm(const Tensor& a, const Tensor& b, Location at = JOT_HERE);
// Of a matrix and a vector.
Tensor mv(const Tensor& a, const Tensor& b, Location at = JOT_HERE);
// Of two batches of matrices.
Tensor bmm(const Tensor& a, const Tensor& b, Location at = JOT_HERE);
// Of two vectors.
Tensor dot(const Tensor& a, const Tensor& b, Location at = JOT_HERE);
// a[i] b[j] of two vectors.
Tensor outer(const Tensor& a, const Tensor& b, Location at = JOT_HERE);
// outer
Tensor ger(const Tensor& a, const Tensor& b, Location at = JOT_HERE);
// Of vectors along dim, which has extent 3 in both.
Tensor cross(const Tensor& a, const Tensor& b, int64_t dim = -1, Location at = JOT_HERE);
// The sum of the diagonal of a matrix.
Tensor trace(const Tensor& x, Location at = JOT_HERE);
// dot.
Tensor vdot(const Tensor& a, const Tensor& b, Location at = JOT_HERE);
// Sums of products over the last dims, which must be equal; of a 0-d tensor mul.
Tensor inner(const Tensor& a, const Tensor& b, Location at = JOT_HERE);
// beta c + alpha a b, of matrices; c broadcasts; it is not read where beta is 0.
Tensor addmm(const Tensor& c, const Tensor& a, const Tensor& b, Number beta = 1, Number alpha = 1, Location at = JOT_HERE);
Tensor addmv(const Tensor& c, const Tensor& a, const Tensor& b, Number beta = 1, Number alpha = 1, Location at = JOT_HERE);
// beta c + alpha a_i b_j. Of booleans or for +, and for times.
Tensor addr(const Tensor& c, const Tensor& a, const Tensor& b, Number beta = 1, Number alpha = 1, Location at = JOT_HERE);
Tensor baddbmm(const Tensor& c, const Tensor& a, const Tensor& b, Number beta = 1, Number alpha = 1, Location at = JOT_HERE);
// The products of the batch, summed.
Tensor addbmm(const Tensor& c, const Tensor& a, const Tensor& b, Number beta = 1, Number alpha = 1, Location at = JOT_HERE);
// The product of matrices, in the order that needs the fewest multiplications.
Tensor chain_matmul(const std::vector<Tensor>& matrices, Location at = JOT_HERE);
// Contracts the last n dims of a with the first n of b, or the dims that two lists name.
Tensor tensordot(const Tensor& a, const Tensor& b, Dim n = 2, Location at = JOT_HERE);
Tensor tensordot(const Tensor& a, const Tensor& b, const Axes& dims_a, const Axes& dims_b, Location at = JOT_HERE);
// Einstein's sum, "ij,jk->ik": repeated letters are diagonals, those that the result lacks are summed, "..." are dims that
// broadcast; without "->" the result has the letters that stand once, in order. Contracted from left to right.
Tensor einsum(const std::string& equation, const std::vector<Tensor>& operands, Location at = JOT_HERE);
// The p-norm of the difference of each row of a and each of b: [..., n, d], [..., m, d] -> [..., n, m].
Tensor cdist(const Tensor& a, const Tensor& b, const Ord& p = 2, Location at = JOT_HERE);

// ---- Of matrices: the others are in jot::linalg
// log det of a [*, n, n]: NaN where det is negative.
Tensor logdet(const Tensor& a, Location at = JOT_HERE);
// x of a x = b for b [*, n, k] from the factor of a: a = L L^T (upper: L^T L).
Tensor cholesky_solve(const Tensor& b, const Tensor& L, bool upper = false, Location at = JOT_HERE);
// The inverse of a from its factor.
Tensor cholesky_inverse(const Tensor& L, bool upper = false, Location at = JOT_HERE);

// ---- Joining and moving elements
// One after the other along dim; dtypes are promoted. ShapeError unless the other extents are equal.
Tensor cat(const std::vector<Tensor>& tensors, int64_t dim = 0, Location at = JOT_HERE);
// cat
Tensor concat(const std::vector<Tensor>& tensors, int64_t dim = 0, Location at = JOT_HERE);
// cat
Tensor concatenate(const std::vector<Tensor>& tensors, int64_t dim = 0, Location at = JOT_HERE);
// Along a new dim.
Tensor stack(const std::vector<Tensor>& tensors, int64_t dim = 0, Location at = JOT_HERE);
// In the opposite order along dims; {} are none.
Tensor flip(const Tensor& x, const Axes& dims, Location at = JOT_HERE);
Tensor fliplr(const Tensor& x, Location at = JOT_HERE);
Tensor flipud(const Tensor& x, Location at = JOT_HERE);
// Turned k times by 90 degrees from the first of two dims to the second.
Tensor rot90(const Tensor& x, int64_t k = 1, const Axes& dims = {0, 1}, Location at = JOT_HERE);
// Each element `shift` places on along its dim, the last ones to the front; dims {}: of the flattened tensor.
Tensor roll(const Tensor& x, const Axes& shifts, const Axes& dims = {}, Location at = JOT_HERE);
// Copies of x side by side, sizes[d] along dim d; sizes may have more dims, in front. ShapeError where it has fewer.
Tensor repeat(const Tensor& x, const Shape& sizes, Location at = JOT_HERE);
// repeat, where sizes may have fewer dims.
Tensor tile(const Tensor& x, const Shape& sizes, Location at = JOT_HERE);
// Each element n times in a row along dim; none: of the flattened tensor.
Tensor repeat_interleave(const Tensor& x, int64_t n, std::optional<Dim> dim = {}, Location at = JOT_HERE);
// Element i repeats[i] times. Reads repeats, which cannot have lanes. ShapeError for a negative number.
Tensor repeat_interleave(const Tensor& x, const Tensor& repeats, std::optional<Dim> dim = {}, Location at = JOT_HERE);
// One beside the other: along dim 1, of vectors dim 0; one below the other; along dim 2; vectors as columns.
Tensor hstack(const std::vector<Tensor>& tensors, Location at = JOT_HERE);
Tensor vstack(const std::vector<Tensor>& tensors, Location at = JOT_HERE);
// vstack
Tensor row_stack(const std::vector<Tensor>& tensors, Location at = JOT_HERE);
Tensor dstack(const std::vector<Tensor>& tensors, Location at = JOT_HERE);
Tensor column_stack(const std::vector<Tensor>& tensors, Location at = JOT_HERE);
// Of a vector the matrix with it on the diagonal, of a matrix its diagonal.
Tensor diag(const Tensor& x, int64_t diagonal = 0, Location at = JOT_HERE);
// The last dim onto a diagonal of the dims dim1 and dim2 of the result.
Tensor diag_embed(const Tensor& x, int64_t offset = 0, int64_t dim1 = -2, int64_t dim2 = -1, Location at = JOT_HERE);
// diag of the flattened tensor.
Tensor diagflat(const Tensor& x, int64_t offset = 0, Location at = JOT_HERE);
// Matrices along a diagonal, zero elsewhere; vectors are rows. ShapeError of more dims.
Tensor block_diag(const std::vector<Tensor>& tensors, Location at = JOT_HERE);
// Kronecker's product: blocks a[i] b.
Tensor kron(const Tensor& a, const Tensor& b, Location at = JOT_HERE);
// Powers of a vector as columns, N of them (none: as many as it has elements), from the highest unless increasing.
Tensor vander(const Tensor& x, std::optional<int64_t> n = {}, bool increasing = false, Location at = JOT_HERE);
// All tuples of elements of vectors, one a row.
Tensor cartesian_prod(const std::vector<Tensor>& tensors, Location at = JOT_HERE);
// All choices of r elements of a vector, one a row, in order.
Tensor combinations(const Tensor& x, int64_t r = 2, bool with_replacement = false, Location at = JOT_HERE);
// Sums over dims that were expanded from this shape. ShapeError where they were not.
Tensor sum_to_size(const Tensor& x, const Shape& size, Location at = JOT_HERE);
// Row and column of each element of the triangle of a matrix: i64[2, n].
Tensor tril_indices(int64_t rows, int64_t columns, int64_t offset = 0, Location at = JOT_HERE);
Tensor triu_indices(int64_t rows, int64_t columns, int64_t offset = 0, Location at = JOT_HERE);
// The lower triangles of matrices: column - row <= diagonal; zero elsewhere.
Tensor tril(const Tensor& x, int64_t diagonal = 0, Location at = JOT_HERE);
Tensor triu(const Tensor& x, int64_t diagonal = 0, Location at = JOT_HERE);
Tensor clone(const Tensor& x, Location at = JOT_HERE);

// ---- Draws in place
// Each element is drawn alone, with the thread's generator. DTypeError of integers where the distribution is continuous.
// Uniform in [from, to). Error unless from <= to.
// Error for std < 0.
// The exponential of normal_. Error unless std > 0.
// Of density lambda e^(-lambda x). Error unless lambda > 0.
// Error unless sigma > 0.
// How many trials up to the first success, of probability p: 1, 2, ... Error unless 0 < p < 1.
// 1 with probability p, else 0. Error unless p is in [0, 1].
// p of each element, which broadcasts to x. Error at evaluation for p outside [0, 1].
// Integers: of all that an integer dtype holds and are not negative, of floats from 0 to 2^digits.
// From 0 to `to` - 1, or from `from`. IndexError where there is none, or where the dtype does not hold them.

// ---- Indexing
// An index is i32 or i64 and counts from the end when negative; out of range it is an IndexError at evaluation.
// The parts of x along dim that the index, a vector, names.
Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index, Location at = JOT_HERE);
// Along dim by an index for each element: gather(x, 0, i)[r][c] is x[i[r][c]][c].
Tensor gather(const Tensor& x, int64_t dim, const Tensor& index, Location at = JOT_HERE);
// gather, where x and the indices (i32, i64) broadcast in the other dims; dim none: of the flattened tensors.
Tensor take_along_dim(const Tensor& x, const Tensor& indices, std::optional<Dim> dim = {}, Location at = JOT_HERE);
// Elements of the flattened tensor, in the shape of index.
Tensor take(const Tensor& x, const Tensor& index, Location at = JOT_HERE);
// x where element index[i] of the flattened tensor is source[i], or has it added.
Tensor put(const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate = false, Location at = JOT_HERE);
// Duplicates are combined by `reduce`, with the element of x unless include_self is false; of booleans sum and amax are or, prod
// and amin and. Ties of amax and amin share the
// derivative equally; that of a product with zeros is the product of the others, to any order. The mean of integers is rounded down.
Tensor scatter_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src, Reduce reduce, bool include_self = true, Location at = JOT_HERE);
// The same by an index for each slice of src along dim. Not of booleans.
Tensor index_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src, Reduce reduce, bool include_self = true, Location at = JOT_HERE);
// 1 where the class is x, else 0: i64 of shape x + [num_classes]; -1: as many as x needs, which reads it. IndexError at evaluation for other classes.
Tensor one_hot(const Tensor& x, int64_t num_classes = -1, Location at = JOT_HERE);
// Where each value would be inserted into the sorted line (a vector, or as values but for the last dim), before equal elements or,
// right, after them: i64. A binary search: of a line that is not sorted the place that this finds.
Tensor searchsorted(const Tensor& sorted, const Arg& values, bool right = false);
Tensor bucketize(const Arg& values, const Tensor& boundaries, bool right = false);
// Whether each element is one of test.
Tensor isin(const Arg& elements, const Arg& test);
// How many elements are in each of `bins` equal parts of [min, max], of [amin, amax] where these are equal; in the dtype of x. NaN is in
// none. Error unless the bounds are finite, at evaluation where they are of x.
Tensor histc(const Tensor& x, int64_t bins = 100, double min = 0, double max = 0, Location at = JOT_HERE);
// How often each number from 0 occurs, or the sum of its weights. Reads x, which cannot have lanes. IndexError for a negative number.
Tensor bincount(const Tensor& x, const Tensor& weights = {}, int64_t minlength = 0, Location at = JOT_HERE);
// The distinct elements, ascending; where each element of x is among them; how often each occurs. With dim: the distinct slices, by
// their elements in order. Reads x, which cannot have lanes.
ValuesInverseCounts unique(const Tensor& x, std::optional<Dim> dim = {}, Location at = JOT_HERE);
// The coordinates of what is not zero: i64[n, rank]. Reads x, which cannot have lanes.
Tensor nonzero(const Tensor& x, Location at = JOT_HERE);
// The elements where the mask holds, in order; they broadcast. Reads the mask, which cannot have lanes.
Tensor masked_select(const Tensor& x, const Tensor& mask, Location at = JOT_HERE);
// Where gather reads this writes; of elements that meet the last write stays.
Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Arg& source);
Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index, const Arg& source);
Tensor index_add(const Tensor& x, int64_t dim, const Tensor& index, const Arg& source, const Arg& alpha = {1, Location()});
Tensor index_copy(const Tensor& x, int64_t dim, const Tensor& index, const Arg& source);
Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, const Arg& value);
Tensor index_put(const Tensor& x, const Indices& indices, const Arg& values, bool accumulate = false);
// Elements of the source, in order, where the boolean mask holds; reads the mask.
Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Arg& source);
// x with the part that a view shows replaced by src.
Tensor select_scatter(const Tensor& x, const Tensor& src, int64_t dim, int64_t index, Location at = JOT_HERE);
Tensor slice_scatter(const Tensor& x, const Tensor& src, int64_t dim = 0, std::optional<int64_t> start = {}, std::optional<int64_t> stop = {}, int64_t step = 1, Location at = JOT_HERE);
Tensor diagonal_scatter(const Tensor& x, const Tensor& src, int64_t offset = 0, int64_t dim0 = 0, int64_t dim1 = 1, Location at = JOT_HERE);
Tensor as_strided_scatter(const Tensor& x, const Tensor& src, const Shape& size, const Shape& stride, std::optional<int64_t> offset = {}, Location at = JOT_HERE);

// ---- Views
// They share the elements of x: writes through them reach it.
Tensor select(const Tensor& x, int64_t dim, int64_t index, Location at = JOT_HERE);
// start:stop:step of dim; bounds are clipped, negatives count from the end.
Tensor slice(const Tensor& x, int64_t dim, std::optional<int64_t> start = {}, std::optional<int64_t> stop = {}, int64_t step = 1, Location at = JOT_HERE);
Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length, Location at = JOT_HERE);
Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1, Location at = JOT_HERE);
Tensor permute(const Tensor& x, const Axes& dims, Location at = JOT_HERE);
Tensor movedim(const Tensor& x, const Axes& source, const Axes& destination, Location at = JOT_HERE);
Tensor moveaxis(const Tensor& x, const Axes& source, const Axes& destination, Location at = JOT_HERE);
Tensor swapaxes(const Tensor& x, int64_t dim0, int64_t dim1, Location at = JOT_HERE);
Tensor swapdims(const Tensor& x, int64_t dim0, int64_t dim1, Location at = JOT_HERE);
// Of at most two dims: they are swapped.
Tensor t(const Tensor& x, Location at = JOT_HERE);
// The last two dims swapped.
Tensor mT(const Tensor& x, Location at = JOT_HERE);
// The same elements in another shape, where one extent may be -1. ShapeError where strides do not allow it.
Tensor view(const Tensor& x, const Shape& shape, Location at = JOT_HERE);
Tensor view_as(const Tensor& x, const Tensor& other, Location at = JOT_HERE);
// A view where that can be, else a copy.
Tensor reshape(const Tensor& x, const Shape& shape, Location at = JOT_HERE);
Tensor reshape_as(const Tensor& x, const Tensor& other, Location at = JOT_HERE);
Tensor flatten(const Tensor& x, int64_t first = 0, int64_t last = -1, Location at = JOT_HERE);
Tensor ravel(const Tensor& x, Location at = JOT_HERE);
Tensor unflatten(const Tensor& x, int64_t dim, const Shape& sizes, Location at = JOT_HERE);
Tensor expand(const Tensor& x, const Shape& shape, Location at = JOT_HERE);
Tensor expand_as(const Tensor& x, const Tensor& other, Location at = JOT_HERE);
Tensor broadcast_to(const Tensor& x, const Shape& shape, Location at = JOT_HERE);
Tensor squeeze(const Tensor& x, const Axes& dims = {}, Location at = JOT_HERE);
Tensor unsqueeze(const Tensor& x, int64_t dim, Location at = JOT_HERE);
Tensor diagonal(const Tensor& x, int64_t offset = 0, int64_t dim0 = 0, int64_t dim1 = 1, Location at = JOT_HERE);
// Windows along dim, last.
Tensor unfold(const Tensor& x, int64_t dim, int64_t size, int64_t step, Location at = JOT_HERE);
// Of the base's memory, which is row-major; offset none is that of x. Inside a transform an argument is a base.
Tensor as_strided(const Tensor& x, const Shape& size, const Shape& stride, std::optional<int64_t> offset = {}, Location at = JOT_HERE);
// Constant to every derivative.
Tensor detach(const Tensor& x, Location at = JOT_HERE);
// detach
Tensor stop_gradient(const Tensor& x, Location at = JOT_HERE);
// Parts of one size along dim (the last may have less), or of the sizes of a list.
std::vector<Tensor> split(const Tensor& x, const Sections& sizes, int64_t dim = 0, Location at = JOT_HERE);
std::vector<Tensor> split_with_sizes(const Tensor& x, const Shape& sizes, int64_t dim = 0, Location at = JOT_HERE);
// As many parts, or parts that begin at the places of a list.
std::vector<Tensor> tensor_split(const Tensor& x, const Sections& sections, int64_t dim = 0, Location at = JOT_HERE);
// tensor_split along dim 1 (of vectors 0), dim 0, dim 2; a number must divide the extent. ShapeError.
std::vector<Tensor> hsplit(const Tensor& x, const Sections& sections, Location at = JOT_HERE);
std::vector<Tensor> vsplit(const Tensor& x, const Sections& sections, Location at = JOT_HERE);
std::vector<Tensor> dsplit(const Tensor& x, const Sections& sections, Location at = JOT_HERE);
std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int64_t dim = 0, Location at = JOT_HERE);
std::vector<Tensor> unbind(const Tensor& x, int64_t dim = 0, Location at = JOT_HERE);
// mT: numbers are real.
Tensor mH(const Tensor& x, Location at = JOT_HERE);
// With dims of extent 1 in front, or (atleast_3d of a matrix, of a vector one of two) behind.
Tensor atleast_1d(const Tensor& x, Location at = JOT_HERE);
Tensor atleast_2d(const Tensor& x, Location at = JOT_HERE);
Tensor atleast_3d(const Tensor& x, Location at = JOT_HERE);
std::vector<Tensor> atleast_1d(const std::vector<Tensor>& tensors, Location at = JOT_HERE);
std::vector<Tensor> atleast_2d(const std::vector<Tensor>& tensors, Location at = JOT_HERE);
std::vector<Tensor> atleast_3d(const std::vector<Tensor>& tensors, Location at = JOT_HERE);
// Each expanded to the shape that all broadcast to.
std::vector<Tensor> broadcast_tensors(const std::vector<Tensor>& tensors, Location at = JOT_HERE);
// The coordinates of a grid over vectors, expanded; xy: the first two dims are swapped.
std::vector<Tensor> meshgrid(const std::vector<Tensor>& tensors, Indexing indexing = Indexing::ij, Location at = JOT_HERE);
// A copy where an index is a tensor.
Tensor index(const Tensor& x, const Indices& indices);
// clang-format on

}  // namespace jot
