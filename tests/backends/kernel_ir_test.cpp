// Kernel IR: verifier, text, builder (sharing, folding, simplification), interpreter.
#include "backends/cpu/kernel/kernel_ir.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <random>

#include "backends/cpu/kernel/hoist.h"
#include "backends/cpu/kernel/kernel_builder.h"
#include "jot/error.h"

using namespace jot;
using namespace jot::cpu;
using Value = KernelBuilder::Value;

namespace {

int64_t address(const void* p) { return static_cast<int64_t>(reinterpret_cast<intptr_t>(p)); }

// y[i] = x[i] * x[i] + 1 on vectors of 8 f64, and the sum of all x.
Kernel example() {
  KernelBuilder b(8);
  Value x = b.arg(1), y = b.arg(2), sum = b.arg(3);
  Value total = b.var(b.number(KType::f64, 0));
  Value i = b.vrange();
  Value v = b.load(KType::f64, x, i);
  b.store(b.fma(v, v, b.number(KType::f64, 1)), y, i);
  b.set(total, b.add(total, v));
  b.endloop();
  b.store_one(b.reduce(KOp::add, total), sum);
  return std::move(b).finish();
}

std::string complaint(const Kernel& kernel) {
  try {
    verify(kernel);
  } catch (const InternalError& e) {
    return e.what();
  }
  return "";
}

size_t count(const Kernel& k, KOp op) {
  size_t n = 0;
  for (const KInstr& in : k.instrs) n += in.op == op;
  return n;
}

}  // namespace

TEST_CASE("kernel ir: text") {
  CHECK(to_text(example()) == R"(kernel lanes=8 args=4
  %0 = arg 1
  %1 = arg 2
  %2 = arg 3
  %3 = f64 constant 0
  %4 = f64 var %3
  %5 = vrange
    %6 = f64 load [%0 + %5]
    %7 = f64 constant 1
    %8 = f64 fma %6, %6, %7
    f64 store [%1 + %5] = %8
    %10 = f64 add %4, %6
    f64 set %4, %10
  endloop %5
  %13 = f64 reduce.add %4
  f64 store_one [%2] = %13
)");
}

TEST_CASE("kernel ir: the interpreter, tails and variables") {
  const Kernel kernel = example();
  CHECK(complaint(kernel) == "");
  for (int64_t n = 0; n < 20; ++n) {
    std::vector<double> x(static_cast<size_t>(n)), y(static_cast<size_t>(n) + 1, -7);
    double expected = 0, sum = -1;
    for (size_t i = 0; i < x.size(); ++i) expected += x[i] = static_cast<double>(i) - 3;
    KernelError error;
    int64_t args[] = {address(&error), address(x.data()), address(y.data()), address(&sum)};
    interpret(kernel, args, 0, n);
    for (size_t i = 0; i < x.size(); ++i) CHECK(y[i] == x[i] * x[i] + 1);
    CHECK(y.back() == -7);
    CHECK(sum == expected);
  }
}

TEST_CASE("kernel ir: the interpreter, rows, loops and checks") {
  KernelBuilder b(4);
  Value x = b.arg(1), y = b.arg(2), rows = b.arg(3), columns = b.arg(4);
  // y = columns of x reversed, in pairs; an element above 90 is an error.
  Value i = b.loop(rows);
  Value j = b.vloop(columns);
  Value at = b.iadd(b.imul(i, b.imuli(columns, 2)), b.imuli(j, 2));
  Value first = b.load_rows(KType::i64, 2, x, at, b.iconst(2));
  Value pair[] = {first + 1, first};
  b.store_rows(pair, y, at, b.iconst(2));
  b.check(5, b.cmp(KCmp::gt, first, b.number(KType::i64, 90)), first, b.iadd(b.imul(i, columns), j));
  b.endloop();
  b.endloop();
  const Kernel kernel = std::move(b).finish();
  CHECK(complaint(kernel) == "");
  std::vector<int64_t> in(3 * 6 * 2), out(in.size());
  for (size_t k = 0; k < in.size(); ++k) in[k] = static_cast<int64_t>(k);
  in[2 * (6 + 5)] = 99;
  KernelError error;
  int64_t args[] = {address(&error), address(in.data()), address(out.data()), 3, 6};
  interpret(kernel, args, 0, 0);
  for (size_t k = 0; k < in.size(); ++k) CHECK(out[k] == in[k ^ 1]);
  CHECK(error.code == 5);
  CHECK(error.index == 11);
  CHECK(error.value == 99);
}

TEST_CASE("kernel ir: loops in loops of lanes, as long as some live lane wants them") {
  // Each lane counts up to its number; the whole group goes on until the last lane is done.
  KernelBuilder b(4);
  Value limits = b.arg(1), counts = b.arg(2), turns = b.arg(3), most = b.arg(4);
  Value i = b.vrange();
  Value limit = b.load(KType::i64, limits, i), n = b.var(b.constant(KType::i64, 0));
  Value on = b.var(b.cmp(KCmp::lt, b.constant(KType::i64, 0), limit)), flag = b.var(b.any(on));
  Value turn = b.wloop(most, flag);
  Value next = b.select(on, b.add(n, b.constant(KType::i64, 1)), n);
  b.set(n, next);
  b.set(on, b.cmp(KCmp::lt, next, limit));
  b.set(flag, b.any(on));
  b.store_one(b.broadcast(KType::i64, turn), turns, i);
  b.endloop();
  b.store(n, counts, i);
  b.endloop();
  Kernel k = std::move(b).finish();
  CHECK(complaint(k) == "");
  int64_t limit_of[6] = {3, 0, 7, 2, 1, 9}, count_of[6] = {}, turn_of[6] = {-1, -1, -1, -1, -1, -1};
  int64_t args[] = {0, address(limit_of), address(count_of), address(turn_of), 8};
  interpret(k, args, 0, 6);
  for (int j = 0; j < 6; ++j) CHECK(count_of[j] == std::min<int64_t>(limit_of[j], 8));
  CHECK(turn_of[0] == 6);  // the last turn of each group
  CHECK(turn_of[4] == 7);
  for (KInstr& in : k.instrs)
    if (in.op == KOp::wloop) in.b = in.a;
  CHECK(complaint(k).find("not a variable") != std::string::npos);
}

TEST_CASE("kernel ir: what is the same in each turn leaves the loop") {
  KernelBuilder b(8);
  Value x = b.arg(1), y = b.arg(2), z = b.arg(3), n = b.arg(4);
  b.read_write(y);
  Value i = b.vrange();
  Value total = b.var(b.number(KType::f64, 0));
  Value outer = b.loop(n);
  Value by_outer = b.imul(outer, n);
  Value inner = b.loop(n);
  Value fixed = b.mul(b.load(KType::f64, x, i), b.number(KType::f64, 3));  // of no turn
  Value of_outer = b.load_bcast(KType::f64, x, by_outer);                  // of each outer turn
  Value changing = b.load(KType::f64, y, i);                               // written below
  Value of_inner = b.load_bcast(KType::f64, x, inner);
  b.set(total, b.add(total, b.fma(fixed, of_outer, b.mul(changing, of_inner))));
  b.store(total, y, i);
  b.endloop();
  b.endloop();
  b.store(total, z, i);
  b.endloop();
  const Kernel before = std::move(b).finish(), after = hoist(before);
  CHECK(complaint(after) == "");
  auto loops_around = [&](KOp op, size_t nth) {
    std::vector<size_t> depth;
    size_t open = 0;
    for (const KInstr& in : after.instrs) {
      open += is_loop(in.op);
      open -= in.op == KOp::endloop;
      if (in.op == op) depth.push_back(open);
    }
    return depth.at(nth);
  };
  CHECK(after.instrs.size() == before.instrs.size());
  CHECK(loops_around(KOp::load, 0) == 1);        // fixed
  CHECK(loops_around(KOp::load, 1) == 3);        // changing
  CHECK(loops_around(KOp::load_bcast, 0) == 2);  // of_outer
  CHECK(loops_around(KOp::load_bcast, 1) == 3);  // of_inner
  std::vector<double> in(64), got[2] = {std::vector<double>(16, 0.5), std::vector<double>(16, 0.5)},
                              last[2] = {got[0], got[0]};
  for (size_t j = 0; j < in.size(); ++j) in[j] = 0.01 * static_cast<double>(j);
  for (int k = 0; k < 2; ++k) {
    int64_t args[] = {0, address(in.data()), address(got[k].data()), address(last[k].data()), 3};
    interpret(k == 0 ? before : after, args, 0, 13);
  }
  CHECK(got[0] == got[1]);
  CHECK(last[0] == last[1]);
}

TEST_CASE("kernel ir: the verifier names the instruction and the fault") {
  struct Case {
    const char* text;
    std::function<void(Kernel&)> corrupt;
  };
  // Instructions as numbered in the text above.
  const Case cases[] = {
      {"lanes are not 1, 2, 4, 8 or 16", [](Kernel& k) { k.lanes = 3; }},
      {"the value takes more than one register", [](Kernel& k) { k.lanes = 16; }},
      {"an operand does not precede its user", [](Kernel& k) { k.instrs[8].a = 9; }},
      {"an operand has no value", [](Kernel& k) { k.instrs[13].a = 12; }},
      {"an operand belongs to a loop that is closed", [](Kernel& k) { k.instrs[13].a = 8; }},
      {"an operand is missing", [](Kernel& k) { k.instrs[8].c = kNone; }},
      {"too many operands", [](Kernel& k) { k.instrs[10].c = 6; }},
      {"an operand has the wrong type", [](Kernel& k) { k.instrs[8].b = 0; }},
      {"the type is not one of the op's", [](Kernel& k) { k.instrs[8].type = KType::i64; }},
      {"argument out of range", [](Kernel& k) { k.num_args = 2; }},
      {"not a variable", [](Kernel& k) { k.instrs[11].a = 6; }},
      {"does not close the innermost loop", [](Kernel& k) { k.instrs[12].a = 0; }},
      {"a loop is not closed", [](Kernel& k) { k.instrs.pop_back(), k.instrs.pop_back(), k.instrs.pop_back(); }},
      {"outside a vector loop", [](Kernel& k) { k.instrs[14].op = KOp::store_strided, k.instrs[14].c = 0; }},
      {"inside a vector loop",
       [](Kernel& k) {
         k.instrs[10] = {.op = KOp::reduce, .type = KType::f64, .aux = static_cast<uint16_t>(KOp::add), .a = 6};
       }},
      {"no such memory", [](Kernel& k) { k.instrs[8].memory = KMem::half; }},
      {"bad reduction", [](Kernel& k) { k.instrs[13].aux = 3; }},
      {"not an index of a table",
       [](Kernel& k) {
         k.instrs[3] = {.op = KOp::lane_index, .type = KType::i64};
         k.instrs[4] = {.op = KOp::lookup, .type = KType::f64, .a = 3};
       }},
      {"no such row",
       [](Kernel& k) {
         k.instrs[3] = {.op = KOp::lane_index, .type = KType::i64};
         k.instrs[4] = {.op = KOp::lookup, .type = KType::f64, .a = 3, .imm = 1 << 20};
       }},
      {"bad shift",
       [](Kernel& k) {
         k.instrs[3] = {.op = KOp::lane_index, .type = KType::i64};
         k.instrs[4] = {.op = KOp::shl, .type = KType::i64, .a = 3, .imm = 64};
       }},
      {"bad constant", [](Kernel& k) { k.instrs[3] = {.op = KOp::constant, .type = KType::f32, .imm = -1}; }},
      {"bad function",  // pow takes two arguments
       [](Kernel& k) {
         k.instrs[7] = {.op = KOp::is_nan, .type = KType::mask, .a = 6};
         k.instrs[8] = {.op = KOp::fixup,
                        .type = KType::f64,
                        .aux = static_cast<uint16_t>(function(ir::Op::pow_op)),
                        .a = 6,
                        .b = 6,
                        .c = 7};
       }},
      {"error code 0",
       [](Kernel& k) {
         k.instrs[7] = {.op = KOp::is_nan, .type = KType::mask, .a = 6};
         k.instrs[8] = {.op = KOp::lane_index, .type = KType::i64};
         k.instrs[9] = {.op = KOp::check, .a = 7, .b = 8};
       }},
      {"rows do not follow",
       [](Kernel& k) { k.instrs[6].op = KOp::load_rows, k.instrs[6].aux = 2, k.instrs[6].c = 5; }},
      {"not the only outermost range",
       [](Kernel& k) { k.instrs.push_back({.op = KOp::range, .type = KType::scalar}); }},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    Kernel kernel = example();
    c.corrupt(kernel);
    std::string what = complaint(kernel);
    CHECK_MESSAGE(what.find(c.text) != std::string::npos, what);
  }
}

TEST_CASE("kernel builder: equal pure instructions are one, as far as they reach") {
  KernelBuilder b(4);
  Value p = b.arg(1), q = b.arg(2), n = b.arg(3);
  Value c = b.number(KType::f64, 3);
  CHECK(c == b.number(KType::f64, 3));
  CHECK(b.number(KType::f64, 0.0) != b.number(KType::f64, -0.0));
  Value i = b.vloop(n);
  Value x = b.load(KType::f64, p, i);
  CHECK(x == b.load(KType::f64, p, i));
  CHECK(b.mul(x, c) == b.mul(c, x));
  CHECK(c == b.number(KType::f64, 3));
  Value inner = b.number(KType::f64, 7);
  b.store(b.mul(x, inner), q, i);
  b.endloop();
  Value j = b.vloop(n);
  Value again = b.number(KType::f64, 7);
  CHECK(again != inner);
  CHECK(again == b.number(KType::f64, 7));
  b.store(again, q, j);
  b.endloop();
  CHECK(complaint(std::move(b).finish()) == "");
}

TEST_CASE("kernel builder: variables and written memory are read anew") {
  KernelBuilder b(4);
  Value p = b.arg(1), n = b.arg(2);
  b.read_write(p);
  Value v = b.var(b.number(KType::f64, 1));
  CHECK(b.mul(v, b.number(KType::f64, 1)) != v);
  Value before = b.add(v, v);
  b.set(v, b.number(KType::f64, 2));
  CHECK(b.add(v, v) != before);
  CHECK(b.neg(b.neg(v)) != v);
  Value i = b.vloop(n);
  Value x = b.load(KType::f64, p, i);
  b.store(b.add(x, x), p, i);
  CHECK(b.load(KType::f64, p, i) != x);
  b.endloop();
  CHECK(complaint(std::move(b).finish()) == "");

  KernelBuilder undeclared(4);
  p = undeclared.arg(1);
  i = undeclared.vloop(undeclared.arg(2));
  x = undeclared.load(KType::f64, p, i);
  CHECK_THROWS_WITH_AS(undeclared.store(x, undeclared.iadd(p, i)),
                       doctest::Contains("memory is read and written, undeclared"), InternalError);
}

TEST_CASE("kernel IR: a loop over groups of vectors takes each vector of a turn by itself, and has no remainder") {
  KernelBuilder b(4);
  Value p = b.arg(1), q = b.arg(2), i = b.gloop(b.arg(3), 2);
  for (int64_t k = 0; k < 2; ++k) {
    Value at = b.iadd(i, b.iconst(4 * k)), x = b.load(KType::f64, p, at);
    b.store(b.mul(x, b.number(KType::f64, k == 0 ? 2 : -1)), q, at);
  }
  b.endloop();
  const Kernel k = std::move(b).finish();
  CHECK(complaint(k) == "");
  double x[20], y[20] = {};
  std::iota(x, x + 20, 1.0);
  const int64_t args[] = {0, address(x), address(y), 16};
  interpret(k, args, 0, 0);
  for (int e = 0; e < 20; ++e) CHECK(y[e] == (e >= 16 ? 0 : e % 8 < 4 ? 2 * x[e] : -x[e]));
  CHECK(to_text(k).find("gloop %") != std::string::npos);
  Kernel none = k;
  for (KInstr& in : none.instrs)
    if (in.op == KOp::gloop) in.imm = 0;
  CHECK(complaint(none).find("bad number of vectors") != std::string::npos);
}

TEST_CASE("kernel builder: what nothing reads is dropped") {
  KernelBuilder b(8);
  Value p = b.arg(1), q = b.arg(2), i = b.vrange();
  Value dead = b.load_rows(KType::f64, 3, p, i, b.iconst(3));
  b.mul(dead + 1, dead + 2);
  Value live = b.load_rows(KType::f64, 2, p, i, b.iconst(2));
  b.store(live + 1, q, i);
  b.endloop();
  Kernel k = std::move(b).finish();
  CHECK(complaint(k) == "");
  CHECK(count(k, KOp::load_rows) == 1);
  CHECK(count(k, KOp::row) == 1);
  CHECK(count(k, KOp::mul) == 0);
}

TEST_CASE("kernel builder: simplifications") {
  KernelBuilder b(8);
  Value p = b.arg(1), i = b.vrange();
  Value x = b.load(KType::f64, p, i), y = b.load(KType::f64, p, i, 8), k = b.load(KType::i64, p, i);
  auto number = [&](double v) { return b.number(KType::f64, v); };
  auto integer = [&](int64_t v) { return b.constant(KType::i64, static_cast<uint64_t>(v)); };
  CHECK(b.mul(x, number(1)) == x);
  CHECK(b.mul(number(-1), x) == b.neg(x));
  CHECK(b.add(x, number(-0.0)) == x);
  CHECK(b.add(x, number(0.0)) != x);
  CHECK(b.sub(x, number(0.0)) == x);
  CHECK(b.sub(x, number(-0.0)) != x);
  CHECK(b.instr(b.mul(x, number(0))).op == KOp::mul);
  CHECK(b.instr(b.sub(x, x)).op == KOp::sub);
  CHECK(b.div(x, number(4)) == b.mul(x, number(0.25)));
  CHECK(b.instr(b.div(x, number(3))).op == KOp::div);
  CHECK(b.instr(b.div(x, number(0x1p-1074))).op == KOp::div);
  CHECK(b.add(x, b.neg(y)) == b.sub(x, y));
  CHECK(b.fma(b.neg(x), y, number(2)) == b.fnma(x, y, number(2)));
  CHECK(b.fma(x, y, b.neg(x)) == b.fms(x, y, x));
  CHECK(b.fma(x, number(1), y) == b.add(x, y));
  CHECK(b.mul(k, integer(8)) == b.shl(k, 3));
  CHECK(b.bit_and(k, integer(0)) == integer(0));
  CHECK(b.select(b.mask_const(true), x, y) == x);
  CHECK(b.mnot(b.cmp(KCmp::eq, x, y)) == b.cmp(KCmp::ne, x, y));
  CHECK(b.instr(b.mnot(b.cmp(KCmp::lt, x, y))).op == KOp::mnot);
  CHECK(b.cmp(KCmp::lt, number(1), x) == b.cmp(KCmp::gt, x, number(1)));
  CHECK(b.fma(number(2), number(3), number(4)) == number(10));
  CHECK(b.convert(KType::i32, number(1e20)) == b.number(KType::i32, std::numeric_limits<int32_t>::min()));
  CHECK(b.imuli(i, 1) == i);
  CHECK(b.iadd(b.iconst(2), b.iconst(3)) == b.iconst(5));
}

// Random straight-line programs: what the builder makes of them against each op's own meaning, bit for bit.
// Both limits of a float, each strict or not: of NaN, infinities, zeros and what is next to a limit, too.
TEST_CASE("kernel builder: a range is one comparison") {
  constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  auto check_type = [&]<class T>(T, KType t) {
    constexpr double tiny = std::numeric_limits<T>::denorm_min(), huge = std::numeric_limits<T>::max();
    const std::vector<double> limits = {-inf, -huge, -1, -tiny, -0.0, 0.0, tiny, 1, huge, inf, nan};
    std::vector<T> xs;
    for (double x : limits)
      for (double to : {-inf, x, inf}) xs.push_back(std::nextafter(static_cast<T>(x), static_cast<T>(to)));
    for (double low : limits)
      for (double high : limits)
        for (int k = 0; k < 8; ++k) {
          const bool over_it = k & 1, under_it = k & 2;
          KernelBuilder b(1);
          Value i = b.vloop(b.iconst(static_cast<int64_t>(xs.size()))), x = b.load(t, b.arg(1), i);
          Value least = b.cmp(over_it ? KCmp::gt : KCmp::ge, x, b.number(t, low));
          Value most = b.cmp(under_it ? KCmp::lt : KCmp::le, x, b.number(t, high));
          Value both = k & 4 ? b.mand(least, most) : b.mand(most, least);
          if (low == -1 && high == 1) CHECK(b.instr(both).op == KOp::cmp);
          b.store(b.mask_to_int(KType::i64, both), b.arg(2), i);
          b.endloop();
          std::vector<int64_t> is(xs.size(), -1);
          const int64_t args[] = {0, address(xs.data()), address(is.data())};
          interpret(std::move(b).finish(), args, 0, 0);
          for (size_t j = 0; j < xs.size(); ++j) {
            const T from = static_cast<T>(low), to = static_cast<T>(high);
            const bool within = (over_it ? xs[j] > from : xs[j] >= from) && (under_it ? xs[j] < to : xs[j] <= to);
            CHECK_MESSAGE(is[j] == within, "x ", xs[j], " from ", low, " to ", high, " kind ", k);
          }
        }
  };
  check_type(0.0f, KType::f32);
  check_type(0.0, KType::f64);
}

TEST_CASE("kernel builder: simplified programs compute the same bits") {
  constexpr double specials[] = {0.0,
                                 -0.0,
                                 1,
                                 -1,
                                 2,
                                 0.5,
                                 -8,
                                 3,
                                 1e308,
                                 5e-324,
                                 -2.25e-308,
                                 std::numeric_limits<double>::infinity(),
                                 -std::numeric_limits<double>::infinity(),
                                 std::numeric_limits<double>::quiet_NaN()};
  std::mt19937_64 random(5);
  auto below = [&](size_t n) { return random() % n; };
  for (int round = 0; round < 3000; ++round) {
    KernelBuilder b(1);
    std::vector<uint64_t> inputs, bits;  // inputs in memory; the value of each of `values`
    std::vector<Value> values;
    const Value in = b.arg(1), out = b.arg(2);
    auto special = [&](KType t) -> uint64_t {
      double x = specials[below(std::size(specials))];
      if (t == KType::f64) return std::bit_cast<uint64_t>(x);
      return below(4) ? below(5) - 2 : random();
    };
    auto keep = [&](Value v, uint64_t x) {
      values.push_back(v);
      bits.push_back(x);
    };
    for (KType t : {KType::f64, KType::i64, KType::f64, KType::i64}) {
      inputs.push_back(special(t));
      keep(b.load(t, in, kNone, static_cast<int64_t>(8 * (inputs.size() - 1))), inputs.back());
    }
    auto pick = [&](KType t) {
      for (;;)
        if (size_t i = below(values.size()); b.type(values[i]) == t) return i;
    };
    for (int step = 0; step < 24; ++step) {
      const KType t = below(3) ? KType::f64 : KType::i64;
      if (below(4) == 0) {
        uint64_t x = special(t);
        keep(b.constant(t, x), x);
        continue;
      }
      const size_t i = pick(t), j = pick(t), k = pick(t);
      const Value x = values[i], y = values[j], z = values[k];
      auto done = [&](KOp op, Value v, uint16_t aux = 0, int64_t imm = 0) {
        keep(v, evaluate({.op = op, .type = t, .aux = aux, .imm = imm}, t, bits[i], bits[j], bits[k]));
      };
      const int shift = static_cast<int>(below(64));
      using B = KernelBuilder;
      const std::pair<KOp, Value (B::*)(Value, Value)> both[] = {
          {KOp::add, &B::add},    {KOp::sub, &B::sub},      {KOp::mul, &B::mul},
          {KOp::min, &B::min},    {KOp::max, &B::max},      {KOp::andv, &B::bit_and},
          {KOp::orv, &B::bit_or}, {KOp::xorv, &B::bit_xor}, {KOp::andnot, &B::and_not}};
      const std::pair<KOp, Value (B::*)(Value, Value, Value)> ternary[] = {
          {KOp::fma, &B::fma}, {KOp::fnma, &B::fnma}, {KOp::fms, &B::fms}};
      const std::pair<KOp, Value (B::*)(Value, Value)> integers[] = {
          {KOp::shlv, &B::shlv}, {KOp::shrv, &B::shrv}, {KOp::sarv, &B::sarv}, {KOp::mulu32, &B::mulu32}};
      switch (below(8)) {
        case 0:
          if (t == KType::f64) done(KOp::div, b.div(x, y));
          if (t == KType::i64) done(KOp::shr, b.shr(x, shift), 0, shift);
          break;
        case 1:
          done(KOp::neg, b.neg(x));
          break;
        case 2:
          done(KOp::abs, b.abs(x));
          break;
        case 3: {
          auto how = static_cast<KCmp>(below(6));
          Value mask = b.cmp(how, x, y);
          uint64_t m = evaluate({.op = KOp::cmp, .type = KType::mask, .aux = static_cast<uint16_t>(how)}, t, bits[i],
                                bits[j], 0);
          if (below(2)) mask = b.mnot(mask), m ^= 1;
          keep(b.select(mask, x, z), m ? bits[i] : bits[k]);
          break;
        }
        case 4:
        case 5:
          if (t == KType::f64) {
            auto [op, make] = ternary[below(3)];
            done(op, (b.*make)(x, y, z));
          } else {
            auto [op, make] = integers[below(4)];
            done(op, (b.*make)(x, y));
          }
          break;
        default: {
          auto [op, make] = both[below(t == KType::f64 ? 5 : 9)];  // the bits of a NaN may differ
          done(op, (b.*make)(x, y));
        }
      }
    }
    for (size_t i = 0; i < values.size(); ++i) b.store(values[i], out, kNone, static_cast<int64_t>(8 * i));
    std::vector<KType> types;
    for (Value v : values) types.push_back(b.type(v));
    const Kernel kernel = std::move(b).finish();
    verify(kernel);
    std::vector<uint64_t> results(values.size());
    KernelError error;
    int64_t args[] = {address(&error), address(inputs.data()), address(results.data())};
    interpret(kernel, args, 0, 0);
    for (size_t i = 0; i < results.size(); ++i) {
      bool both_nan = types[i] == KType::f64 && std::isnan(std::bit_cast<double>(results[i])) &&
                      std::isnan(std::bit_cast<double>(bits[i]));
      if (!both_nan && results[i] != bits[i]) {
        CAPTURE(round);
        CAPTURE(to_text(kernel));
        REQUIRE_MESSAGE(results[i] == bits[i], "value ", i);
      }
    }
  }
}
