// Functions that run as plain C++, an element at a time, called from kernels; and remainders.
#include "backends/cpu/kernel/expansion.h"
#include "ir/ops/special.h"

namespace jot::cpu {

using Value = uint32_t;
using ir::Op;

namespace {

using E = const Expansion&;

template <Op op>
Value called(E make, Value x, Value y) {
  return make.b.fixup(function(op), x, x, make.b.mask_const(true), y);
}

// x - n y is exact for n = trunc(x / y), if that is known exactly; where rounding made n one too large, r has not the
// sign of x, and y comes back.
Value rem(E make, Value x, Value y) {
  auto& [b, k] = make;
  Value ax = b.abs(x), ay = b.abs(y);
  Value n = b.round(b.div(ax, ay), KernelBuilder::trunc), r = b.fnma(n, ay, ax);
  r = b.select(b.cmp(KCmp::lt, r, make.number(0)), b.add(r, ay), r);
  r = make.with_sign_of(r, x);
  // n of few bits, so that n y loses none; not of denormals.
  Value plain = b.mand(b.cmp(KCmp::lt, n, make.number(make.is_wide() ? 0x1p50 : 0x1p21)),
                       b.cmp(KCmp::ge, ay, make.number(make.is_wide() ? 0x1p-960 : 0x1p-100)));
  plain = b.mand(plain, b.cmp(KCmp::lt, ay, make.number(std::numeric_limits<double>::infinity())));
  return b.fixup(function(Op::rem_op), r, x, b.mnot(plain), y);
}

}  // namespace

void define_special_functions(CpuTable& table) {
  namespace special = ir::special;
  define_function(table, Op::erf_op,
                  {1, called<Op::erf_op>, [](double x, double) { return static_cast<double>(erfl(x)); }});
  define_function(table, Op::erfc_op,
                  {1, called<Op::erfc_op>, [](double x, double) { return static_cast<double>(erfcl(x)); }});
  define_function(table, Op::cbrt_op,
                  {1, called<Op::cbrt_op>, [](double x, double) { return static_cast<double>(cbrtl(x)); }});
  define_function(table, Op::erf_inv_op,
                  {1, called<Op::erf_inv_op>, [](double x, double) { return special::erf_inv(x); }});
  define_function(table, Op::erfcx_op, {1, called<Op::erfcx_op>, [](double x, double) { return special::erfcx(x); }});
  define_function(table, Op::lgamma_op,
                  {1, called<Op::lgamma_op>, [](double x, double) { return special::lgamma(x); }});
  define_function(table, Op::digamma_op,
                  {1, called<Op::digamma_op>, [](double x, double) { return special::digamma(x); }});
  define_function(table, Op::bessel_i0e_op,
                  {1, called<Op::bessel_i0e_op>, [](double x, double) { return special::bessel_i0e(x); }});
  define_function(table, Op::bessel_i1e_op,
                  {1, called<Op::bessel_i1e_op>, [](double x, double) { return special::bessel_i1e(x); }});
  define_function(table, Op::zeta_op, {2, called<Op::zeta_op>, [](double s, double q) { return special::zeta(s, q); }});
  define_function(table, Op::pow_op, {2, called<Op::pow_op>, [](double x, double y) { return std::pow(x, y); }});
  define_function(table, Op::rem_op, {2, rem, [](double x, double y) { return std::fmod(x, y); }});
  // Of integers, too.
  table.element(Op::rem_op, [](const ElementContext& c) {
    const KType t = c.b.type(c.x[0]);
    if (t == KType::f32 || t == KType::f64) return elementary(c.b, c.op, c.x[0], c.x[1]);
    return c.b.fixup(KFn::irem, c.x[0], c.x[0], c.b.mask_const(true), c.x[1]);
  });
}

}  // namespace jot::cpu
