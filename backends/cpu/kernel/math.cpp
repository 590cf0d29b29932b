#include "backends/cpu/kernel/expansion.h"

#include <cmath>
#include <limits>
#include <map>

#include "ir/rules.h"
#include "jot/error.h"

namespace jot::cpu {

using Value = uint32_t;
using ir::Op;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();

constexpr double kExp32[] = {0.4999999403953552, 0.16666516661643982, 0.041668105870485306, 0.008369134739041328,
                             0.0013836496509611607};
constexpr double kExp64[] = {0.5000000000000011,    0.1666666666666643,     0.041666666666525645,
                             0.008333333333479635,  0.0013888888944930675,  0.00019841269546648594,
                             2.480149164627681e-05, 2.7557543595355337e-06, 2.763080035200731e-07,
                             2.5015777012846236e-08};
constexpr double kExpm1_32[] = {
    0.5, 0.16666635870933533, 0.041666511446237564, 0.008341597393155098, 0.0013930394779890776, 0.0001494224270572886};
constexpr double kExpm1_64[] = {0.5,
                                0.16666666666666677,
                                0.041666666666666706,
                                0.008333333333321306,
                                0.001388888888885101,
                                0.00019841269887262055,
                                2.4801587412149638e-05,
                                2.7557242733181223e-06,
                                2.755718455149586e-07,
                                2.5109673384491505e-08,
                                2.094590892211964e-09};
constexpr double kSin32[] = {-0.16666653752326965, 0.008332106284797192, -0.00019507882825564593};
constexpr double kSin64[] = {-0.1666666666666663,    0.00833333333332184,     -0.00019841269829358444,
                             2.7557313538451617e-06, -2.5050734374006053e-08, 1.5895432082436253e-10};
constexpr double kCos32[] = {0.04166664555668831, -0.0013887308305129409, 2.4432101781712845e-05};
constexpr double kCos64[] = {0.04166666666666665,     -0.0013888888888881363, 2.4801587293317387e-05,
                             -2.7557315315088873e-07, 2.0875839013179725e-09, -1.1365019586184962e-11};
constexpr double kLog32[] = {0.3333331346511841,   -0.2500016689300537,  0.20002223551273346,
                             -0.16659365594387054, 0.14209593832492828,  -0.1254979372024536,
                             0.12108728289604187,  -0.10915403068065643, 0.05337624251842499};
constexpr double kLog64[] = {0.6666666666666735,  0.3999999999940915, 0.2857142874377523, 0.22222198415514552,
                             0.18183573269017286, 0.1531380361437634, 0.1479859289892746};

}  // namespace

const Constants kF32 = {.type = KType::f32,
                        .bits = KType::i32,
                        .mantissa = 23,
                        .bias = 127,
                        .magic = 0x1.8p23,
                        .ln2 = {0.6931471824645996, -1.9046542121259336e-09},
                        .half_pi = {1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15},
                        .exp = kExp32,
                        .expm1 = kExpm1_32,
                        .log = kLog32,
                        .sin = kSin32,
                        .cos = kCos32,
                        .exp_safe = 87,
                        .exp_zero = 104,
                        .trig_safe = 1e5,
                        .tanh_one = 10};
const Constants kF64 = {.type = KType::f64,
                        .bits = KType::i64,
                        .mantissa = 52,
                        .bias = 1023,
                        .magic = 0x1.8p52,
                        .ln2 = {0.6931471805599453, 2.3190468138462996e-17},
                        .half_pi = {1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33},
                        .exp = kExp64,
                        .expm1 = kExpm1_64,
                        .log = kLog64,
                        .sin = kSin64,
                        .cos = kCos64,
                        .exp_safe = 708,
                        .exp_zero = 746,
                        .trig_safe = 1e9,
                        .tanh_one = 20};

namespace {

Value exp(const Expansion& make, Value x) {
  auto& [b, k] = make;
  auto [t, n, high, r] = make.reduce(x);
  Value p = b.fma(b.fma(make.polynomial(k.exp, r), r, make.number(1)), r, make.number(1));
  Value y = b.mul(p, make.power_of_two(t));
  y = b.select(b.cmp(KCmp::le, x, make.number(-k.exp_zero)), make.number(0), y);
  Value cold = b.mand(b.cmp(KCmp::gt, b.abs(x), make.number(k.exp_safe)), b.cmp(KCmp::gt, x, make.number(-k.exp_zero)));
  return make.repaired(Op::exp_op, y, x, cold);
}

Value log(const Expansion& make, Value x) {
  auto& [b, k] = make;
  return make.repaired(Op::log_op, make.log_core(x), x, b.mnot(make.is_normal(x)));
}

// Sine or cosine of x from those of what is left of |x| beyond the quadrant, which chooses and signs.
Value turned(const Expansion& make, Value x, Value s, Value c, Value quadrant, bool cosine) {
  auto& [b, k] = make;
  Value odd = b.cmp(KCmp::ne, b.bit_and(quadrant, make.integer(1)), make.integer(0));
  const int width = 8 * bytes_of(k.type);
  Value y, sign;
  if (cosine) {
    y = b.select(odd, s, c);
    sign = b.shl(b.add(quadrant, make.integer(1)), width - 2);  // quadrants 1 and 2
  } else {
    y = b.select(odd, c, s);
    sign = b.bit_xor(b.shl(quadrant, width - 2), b.bitcast(k.bits, x));  // 2 and 3, and x < 0
  }
  return b.bit_xor(y, b.bitcast(k.type, b.bit_and(sign, make.integer(make.sign_bit()))));
}

// |x| = n * pi/2 + r. The polynomials are those of sin(r) and cos(r).
Value sine(const Expansion& make, Value x, bool cosine) {
  auto& [b, k] = make;
  Value a = b.abs(x);
  Value t = b.fma(a, make.number(Expansion::kTwoOverPi), make.number(k.magic));
  Value n = b.sub(t, make.number(k.magic));
  Value r = b.fnma(n, make.number(k.half_pi[0]), a);
  r = b.fnma(n, make.number(k.half_pi[1]), r);
  r = b.fnma(n, make.number(k.half_pi[2]), r);
  Value z = b.mul(r, r);
  Value s = b.fma(b.mul(z, r), make.polynomial(k.sin, z), r);
  Value c = b.fma(b.fma(make.polynomial(k.cos, z), z, make.number(-0.5)), z, make.number(1));
  Value y = turned(make, x, s, c, b.bitcast(k.bits, t), cosine);
  return make.repaired(cosine ? Op::cos_op : Op::sin_op, y, x, b.cmp(KCmp::gt, a, make.number(k.trig_safe)));
}

// u / (2 - u), u = 1 - exp(-2 |x|) = (1 - 2^n) - 2^n (exp(r) - 1). What rounding takes from r and u is kept.
Value tanh(const Expansion& make, Value x) {
  auto& [b, k] = make;
  Value a = b.min(make.number(k.tanh_one), b.abs(x));  // NaN stays
  Value y = b.mul(a, make.number(-2));
  auto [t, n, high, r] = make.reduce(y);
  Value tail = b.fnma(n, make.number(k.ln2[1]), b.sub(high, r));
  Value scale = make.power_of_two(t), whole = b.sub(make.number(1), scale);
  Value linear = b.fnma(scale, r, whole), lost = b.fnma(scale, r, b.sub(whole, linear));
  Value curved = b.fma(b.mul(r, r), make.polynomial(k.expm1, r), tail);
  Value lesser = b.fnma(scale, curved, lost), u = b.add(linear, lesser);
  Value q = b.div(u, b.sub(make.number(2), u));
  // The derivative is 2 / (2 - u)^2 = (1 + q)^2 / 2.
  Value root = b.fma(q, make.number(0.70710678), make.number(0.70710678));
  q = b.fma(b.mul(root, root), b.add(b.sub(linear, u), lesser), q);
  Value sign = b.bit_and(b.bitcast(k.bits, x), make.integer(make.sign_bit()));
  return b.bit_or(q, b.bitcast(k.type, sign));
}

// By e = exp(-|x|), so that nothing overflows: 1 / (1 + e) or e / (1 + e). What rounding takes from e, 1 + e and the
// quotient is kept.
Value logistic(const Expansion& make, Value x) {
  auto& [b, k] = make;
  Value y = b.neg(b.min(make.number(k.exp_safe), b.abs(x)));  // NaN stays
  auto [t, n, high, r] = make.reduce(y);
  Value less_one = b.mul(b.fma(make.polynomial(k.exp, r), r, make.number(1)), r), p = b.add(less_one, make.number(1));
  Value scale = make.power_of_two(t), e = b.mul(p, scale);
  Value e_lost = b.mul(b.sub(less_one, b.sub(p, make.number(1))), scale);
  Value below = b.add(e, make.number(1)), below_lost = b.add(b.sub(e, b.sub(below, make.number(1))), e_lost);
  Value right = b.cmp(KCmp::ge, x, make.number(0));
  Value above = b.select(right, make.number(1), e), above_lost = b.select(right, make.number(0), e_lost);
  Value inverse = b.div(make.number(1), below), q = b.mul(above, inverse);
  Value lost = b.add(b.fnma(q, below, above), b.fnma(q, below_lost, above_lost));
  q = b.fma(lost, inverse, q);
  q = b.select(b.cmp(KCmp::le, x, make.number(-k.exp_zero)), make.number(0), q);
  Value cold = b.mand(b.cmp(KCmp::lt, x, make.number(-k.exp_safe)), b.cmp(KCmp::gt, x, make.number(-k.exp_zero)));
  return make.repaired(Op::logistic_op, q, x, cold);
}

// ---- what the fixups cover, of f64

Value rare_log(const Expansion& make, Value x, Value) {
  auto [up, lift] = make.lifted(x);
  return make.log_limits(make.log_core(up, lift), x);
}

Value rare_sine(const Expansion& make, Value x, bool cosine) {
  auto& [b, k] = make;
  auto [r, lost, quadrant] = make.far_turn(x);
  auto [s, c] = make.sine_and_cosine(r, lost);
  Value y = turned(make, x, s, c, quadrant, cosine);
  return b.select(b.cmp(KCmp::lt, b.abs(x), make.number(kInf)), y, make.number(kNan));
}

const Function* function_of(KFn fn) { return cpu_op(static_cast<Op>(fn)).function.get(); }

// y: of functions of two arguments.
Value expand(KernelBuilder& b, Op op, Value x, Value y = kNone) {
  const Function& f = *cpu_op(op).function;
  if (!f.expand) return b.fixup(function(op), x, x, b.mask_const(true), y);
  return f.expand(Expansion(b, b.type(x)), x, y);
}

}  // namespace

Value Expansion::repaired(Op op, Value fast, Value x, Value where, Value y) const {
  if (!b.repairs_within()) return b.fixup(function(op), fast, x, where, y);
  return b.select(where, cpu_op(op).function->rare(*this, x, y), fast);
}

Expansion::Lifted Expansion::lifted(Value x) const {
  Value tiny = b.cmp(KCmp::lt, x, number(0x1p-1022));
  return {b.select(tiny, b.mul(x, number(0x1p54)), x), b.select(tiny, number(54), number(0))};
}
Value Expansion::log_limits(Value y, Value x) const {
  y = b.select(b.cmp(KCmp::lt, x, number(kInf)), y, x);
  y = b.select(b.cmp(KCmp::eq, x, number(0)), number(-kInf), y);
  return b.select(b.cmp(KCmp::lt, x, number(0)), number(kNan), y);
}
Expansion::Circle Expansion::sine_and_cosine(Value r, Value lost) const {
  Value z = b.mul(r, r);
  Value s = b.add(r, b.fma(b.mul(z, r), polynomial(k.sin, z), lost));
  Value c = b.fma(b.fma(polynomial(k.cos, z), z, number(-0.5)), z, number(1));
  return {s, b.fnma(r, lost, c)};
}

int operands_of(KFn fn) {
  const Function* f = static_cast<int>(fn) < ir::num_ops() ? function_of(fn) : nullptr;
  return f ? f->operands : 0;
}

bool is_out_of_line(KFn fn) { return operands_of(fn) > 0 && !function_of(fn)->expand; }

Value elementary(KernelBuilder& b, Op op, Value x, Value y) {
  return b.out_of_line_math() && y == kNone ? b.call(function(op), x) : expand(b, op, x, y);
}

const Kernel& routine_body(KFn fn, KType type) {
  using Bodies = std::map<std::pair<KFn, KType>, Kernel>;
  static const auto* bodies = [] {
    auto* all = new Bodies;
    for (int i = 0; i < ir::num_ops(); ++i) {
      Op op = static_cast<Op>(i);
      if (operands_of(function(op)) != 1) continue;
      for (KType t : {KType::f32, KType::f64}) {
        KernelBuilder b(1);
        b.output(expand(b, op, b.input(t)));
        all->emplace(std::pair(function(op), t), std::move(b).finish());
      }
    }
    return all;
  }();
  auto at = bodies->find({fn, type});
  if (at == bodies->end()) internal_error("no routine", name(fn));
  return at->second;
}

bool has_rare_kernel(KFn fn) { return function_of(fn)->rare != nullptr; }

Kernel rare_kernel(KFn fn, KType type, int lanes) {
  KernelBuilder b(lanes);
  b.repair_within();
  const Function& f = *function_of(fn);
  const bool wide = type == KType::f64;
  Value i = b.vrange();
  auto operand = [&](int number) {
    Value x = b.load(type, b.arg(number), i);
    return wide ? x : b.convert(KType::f64, x);
  };
  Value x = operand(1), y = f.operands == 2 ? operand(2) : kNone;
  Value z = (wide ? f.rare : f.expand)(Expansion(b, KType::f64), x, y);
  b.store(wide ? z : b.convert(type, z), b.arg(3), i);
  b.endloop();
  return std::move(b).finish();
}

uint64_t by_rule(KFn fn, KType type, uint64_t x, uint64_t y) {
  auto* rule = ir::rules(static_cast<Op>(fn)).scalar;
  if (type == KType::f64)
    return std::bit_cast<uint64_t>(static_cast<double>(rule(std::bit_cast<double>(x), std::bit_cast<double>(y))));
  auto real = [](uint64_t bits) { return static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits))); };
  return std::bit_cast<uint32_t>(static_cast<float>(rule(real(x), real(y))));
}

void define_function(CpuTable& table, Op op, const Function& f) {
  table[op].function = std::make_shared<Function>(f);
  table.element(
      op, [](const ElementContext& c) { return elementary(c.b, c.op, c.x[0], c.x.size() == 2 ? c.x[1] : kNone); });
}

void define_functions(CpuTable& table) {
  using E = const Expansion&;
  auto unary = [&](Op op, Function::Expand expand, Function::Expand rare = nullptr) {
    define_function(table, op, {1, expand, rare});
  };
  unary(
      Op::exp_op, [](E e, Value x, Value) { return exp(e, x); }, [](E e, Value x, Value) { return e.rare_exp(x); });
  unary(
      Op::log_op, [](E e, Value x, Value) { return log(e, x); }, rare_log);
  unary(
      Op::sin_op, [](E e, Value x, Value) { return sine(e, x, false); },
      [](E e, Value x, Value) { return rare_sine(e, x, false); });
  unary(
      Op::cos_op, [](E e, Value x, Value) { return sine(e, x, true); },
      [](E e, Value x, Value) { return rare_sine(e, x, true); });
  unary(Op::tanh_op, [](E e, Value x, Value) { return tanh(e, x); });
  unary(
      Op::logistic_op, [](E e, Value x, Value) { return logistic(e, x); },
      [](E e, Value x, Value) { return e.rare_exp(x); });  // beside which 1 is nothing

  define_exponential_functions(table);
  define_angle_functions(table);
  define_special_functions(table);
  define_gamma_functions(table);
  define_power_functions(table);
  for (int i = 0; i < ir::num_ops(); ++i)  // out of line
    if (const Op op = static_cast<Op>(i); ir::rules(op).scalar && !table[op].function)
      define_function(table, op, {ir::info(op).operands});
}

}  // namespace jot::cpu
