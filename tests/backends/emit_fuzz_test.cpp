// Random kernels: nested loops, variables, all types, masks, cold paths, more live values than registers. Machine code
// must do what the interpreter does. Seeds are printed by failures; planted bugs prove that the comparison can fail.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <random>

#include "backends/cpu/kernel/math.h"
#include "backends/cpu/kernel/math_rows.h"
#include "tests/backends/kernel_run.h"
#include "tests/support/fuzz_settings.h"

namespace {

using namespace jot;
using namespace jot::cpu;
using namespace jot::cpu::testing;
using Value = KernelBuilder::Value;

constexpr std::array<KType, 5> kTypes = {KType::f64, KType::f32, KType::i64, KType::i32, KType::mask};
constexpr int64_t kRows = 4, kColumns = 40, kElements = 700;

class RandomKernel {
 public:
  RandomKernel(uint64_t seed, int lanes, bool wide, int size) : r_(seed), b_(lanes), wide_(wide), size_(size) {
    for (size_t t = 0; t < kTypes.size(); ++t) in_[t] = b_.arg(static_cast<int64_t>(t) + 1);
    for (size_t t = 0; t < kTypes.size(); ++t) out_[t] = b_.arg(static_cast<int64_t>(t) + 6);
    rows_ = b_.arg(11);
    columns_ = b_.arg(12);
    scopes_.emplace_back();
    zero_ = b_.iconst(0);
  }

  Kernel make() {
    constants();
    const size_t shape = r_() % 4;
    if (shape == 0) {
      vector_loop({b_.vrange()}, zero_, 0);
    } else {
      const Value row = b_.range();
      enter();
      const Value start = b_.imuli(row, kColumns);
      for (size_t n = 1 + r_() % 2; n > 0; --n) {
        statements(2 + r_() % 4);
        if (shape == 3) {
          const Value again = b_.loop(rows_);
          static_cast<void>(again);
          enter();
          statements(2);
          vector_loop(columns(), start, 1);
          change_variables();
          leave();
        } else {
          vector_loop(columns(), start, 0);
        }
      }
      statements(3);
      if (b_.lanes() > 1 && !of(KType::f64).empty() && wide_) add(KType::f64, b_.reduce(KOp::add, pick(KType::f64)));
      if (b_.lanes() > 1 && !of(KType::i32).empty()) add(KType::i32, b_.reduce(KOp::max, pick(KType::i32)));
      for (KType t : kTypes)
        if (usable(t)) b_.store_one(pick(t), out(t), row, (kElements - 50) * bytes_of(t));
      leave();
    }
    return std::move(b_).finish();
  }

 private:
  struct Scope {
    std::array<std::vector<Value>, 5> values;
    std::vector<Value> variables;
  };

  static size_t index(KType t) {
    return static_cast<size_t>(std::find(kTypes.begin(), kTypes.end(), t) - kTypes.begin());
  }
  bool usable(KType t) const { return wide_ || b_.lanes() == 1 || (t != KType::f64 && t != KType::i64); }
  KType type() {
    for (;;)
      if (KType t = kTypes[r_() % 4]; usable(t)) return t;
  }
  Value in(KType t) const { return in_[index(t)]; }
  Value out(KType t) const { return out_[index(t)]; }

  std::vector<Value> of(KType t) const {
    std::vector<Value> all;
    for (const Scope& s : scopes_) {
      const auto& v = s.values[index(t)];
      all.insert(all.end(), v.begin(), v.end());
    }
    return all;
  }
  // Old values as likely as new ones, so that many stay alive.
  Value pick(KType t) {
    const std::vector<Value> all = of(t);
    return all[r_() % all.size()];
  }
  void add(KType t, Value v) { scopes_.back().values[index(t)].push_back(v); }
  void enter() { scopes_.emplace_back(); }
  void leave() {
    b_.endloop();
    scopes_.pop_back();
  }

  void constants() {
    for (KType t : {KType::f64, KType::f32, KType::i64, KType::i32}) {
      if (!usable(t)) continue;
      for (double x : {0.0, 1.0, -2.5, 3.0}) add(t, b_.number(t, x));
      add(t, b_.load_bcast(t, in(t)));
      if (t == KType::i64 || t == KType::i32) add(t, b_.lane_index(t));
    }
    add(KType::mask, b_.mask_const(true));
    add(KType::mask, b_.load_bcast(KType::mask, in(KType::mask)));
    add(KType::mask, b_.cmp(KCmp::lt, pick(KType::f32), pick(KType::f32)));
    for (size_t n = r_() % 4; n > 0; --n) variable();
  }

  void variable() {
    const KType t = r_() % 4 == 0 ? KType::mask : type();
    const Value v = b_.var(pick(t));
    scopes_.back().variables.push_back(v);
    add(t, v);
  }
  void change_variables() {
    for (const Scope& s : scopes_)
      for (Value v : s.variables)
        if (r_() % 2) b_.set(v, pick(b_.type(v)));
  }

  // Over elements of a row: with a remainder, or two vectors a turn.
  struct Columns {
    Value index;
    int64_t vectors = 1;
  };
  Columns columns() {
    if (r_() % 3 != 0) return {b_.vloop(columns_)};
    const int64_t turn = 2 * b_.lanes(), most = kColumns / turn;
    return {b_.gloop(b_.iconst(turn * static_cast<int64_t>(r_() % static_cast<uint64_t>(most + 1))), 2), 2};
  }
  void vector_loop(const Columns& loop, Value start, size_t depth) {
    enter();
    Value at = b_.iadd(start, loop.index);
    if (loop.vectors > 1 && r_() % 2) at = b_.iadd(at, b_.iconst(b_.lanes()));
    for (KType t : kTypes)
      if (usable(t)) {
        add(t, b_.load(t, in(t), at));
        if (t != KType::mask) memory(t, at);
      }
    statements(static_cast<size_t>(size_));
    change_variables();
    for (size_t n = r_() % 3; n > 0; --n) inner_loop();
    if (r_() % 2) statements(static_cast<size_t>(size_) / 4);
    change_variables();
    for (KType t : kTypes)
      if (usable(t))
        b_.store(pick(t), out(t), at, static_cast<int64_t>(depth) * 200 * bytes_of(t), KMem::own,
                 t != KType::mask && r_() % 4 == 0);
    if (usable(KType::i64)) b_.check(5, b_.mand(pick(KType::mask), pick(KType::mask)), pick(KType::i64), at);
    leave();
  }

  // For all lanes together; maybe as long as some lane wants it, and with another loop inside.
  void inner_loop(int depth = 0) {
    const Value count = r_() % 2 ? rows_ : b_.iconst(static_cast<int64_t>(r_() % 4));
    const bool conditional = r_() % 2 != 0;
    Value flag = kNone;
    if (conditional) {
      flag = b_.var(b_.any(pick(KType::mask)));
      static_cast<void>(b_.wloop(count, flag));
    } else {
      static_cast<void>(b_.loop(count));
    }
    enter();
    statements(static_cast<size_t>(size_) / 3);
    change_variables();
    if (depth == 0 && r_() % 4 == 0) inner_loop(1);
    if (conditional) b_.set(flag, b_.any(pick(KType::mask)));
    statements(2);
    leave();
  }

  void memory(KType t, Value at) {
    const Value stride = b_.iconst(3);
    switch (r_() % 5) {
      case 0:
        add(t, b_.load_strided(t, in(t), b_.imuli(at, 3), stride));
        break;
      case 1: {
        const auto count = static_cast<uint16_t>(1 + r_() % 3);
        const Value first = b_.load_rows(t, count, in(t), b_.imuli(at, 3), stride);
        for (uint16_t j = 0; j < count; ++j) add(t, first + j);
        break;
      }
      case 2: {
        const KType ti = usable(KType::i64) && r_() % 2 ? KType::i64 : KType::i32;
        const Value element = b_.bit_and(pick(ti), b_.constant(ti, 63));
        for (size_t n = 1 + r_() % 7; n > 0; --n)
          add(t, b_.gather(t, in(t), element, static_cast<int64_t>(r_() % 7) * bytes_of(t)));
        break;
      }
      case 3:
        add(t, b_.load_bcast(t, in(t), at));
        break;
      default:
        break;
    }
  }

  void statements(size_t n) {
    for (; n > 0; --n) {
      const uint64_t kind = r_() % 16;
      if (kind == 0) {
        variable();
      } else if (kind == 1) {
        change_variables();
      } else if (kind < 5) {
        mask();
      } else if (kind < 7) {
        convert();
      } else {
        const KType t = type();
        t == KType::f64 || t == KType::f32 ? floating(t) : integer(t);
      }
    }
  }

  void floating(KType t) {
    auto x = [&] { return pick(t); };
    switch (r_() % 15) {
      case 13: {
        const Value index = b_.table_index(pick(t == KType::f64 ? KType::i64 : KType::i32));
        const Value entry = b_.lookup(t, static_cast<int>(r_() % static_cast<uint64_t>(num_rows())), index);
        return add(t, b_.add(entry, x()));
      }
      case 0:
        return add(t, b_.add(x(), x()));
      case 1:
        return add(t, b_.sub(x(), x()));
      case 2:
        return add(t, b_.mul(x(), x()));
      case 3:
        return add(t, b_.fma(x(), x(), x()));
      case 4:
        return add(t, b_.fnma(x(), x(), x()));
      case 5:
        return add(t, b_.fms(x(), x(), x()));
      case 6:
        return add(t, b_.min(x(), x()));
      case 7:
        return add(t, b_.max(x(), x()));
      case 8:
        return add(t, b_.neg(x()));
      case 9:
        return add(t, b_.abs(x()));
      case 10:
        return add(t, b_.round(x(), KernelBuilder::floor));
      case 11:
        return add(t, b_.fixup(function(ir::Op::exp_op), x(), x(), pick(KType::mask)));
      case 12:
        return add(t, b_.fixup(function(ir::Op::pow_op), x(), x(), pick(KType::mask), x()));
      default:
        return add(t, b_.select(pick(KType::mask), x(), x()));
    }
  }

  void integer(KType t) {
    auto x = [&] { return pick(t); };
    switch (r_() % 14) {
      case 0:
        return add(t, b_.add(x(), x()));
      case 1:
        return add(t, b_.sub(x(), x()));
      case 2:
        return add(t, b_.mul(x(), x()));
      case 3:
        return add(t, b_.min(x(), x()));
      case 4:
        return add(t, b_.max(x(), x()));
      case 5:
        return add(t, b_.abs(x()));
      case 6:
        return add(t, b_.sar(x(), 7));
      case 7:
        return add(t, b_.shrv(x(), x()));
      case 8:
        return add(t, b_.sarv(x(), x()));
      case 9:
        return add(t, b_.popcnt(x()));
      case 10:
        return add(t, b_.bit_xor(x(), x()));
      case 11:
        return add(t, integer_quotient(b_, x(), x()));
      case 12:
        return add(t, b_.mask_to_int(t, pick(KType::mask)));
      default:
        return add(t, b_.select(pick(KType::mask), x(), x()));
    }
  }

  void mask() {
    auto m = [&] { return pick(KType::mask); };
    const KType t = type();
    switch (r_() % 7) {
      case 0:
        return add(KType::mask, b_.mand(m(), m()));
      case 1:
        return add(KType::mask, b_.mor(m(), b_.mnot(m())));
      case 2:
        return add(KType::mask, b_.mxor(m(), m()));
      case 3:
        return add(KType::mask, b_.select(m(), m(), m()));
      case 4:
        if (t == KType::f64 || t == KType::f32) return add(KType::mask, b_.is_nan(pick(t)));
        [[fallthrough]];
      default:
        return add(KType::mask, b_.cmp(static_cast<KCmp>(r_() % 6), pick(t), pick(t)));
    }
  }

  void convert() {
    const KType from = type(), to = type();
    if (from != to) add(to, b_.convert(to, pick(from)));
    // Bits of numbers only: which NaN an operation gives is not defined.
    if (from == KType::f32) {
      const Value x = pick(from), bits = b_.bitcast(KType::i32, b_.select(b_.is_nan(x), b_.number(from, 1), x));
      add(KType::i32, bits);
    }
    if (from == KType::i64) add(KType::f64, b_.bitcast(KType::f64, b_.bit_and(pick(from), b_.constant(from, ~0u))));
  }

  std::mt19937_64 r_;
  KernelBuilder b_;
  bool wide_;
  int size_;
  std::array<Value, 5> in_{}, out_{};
  Value rows_ = 0, columns_ = 0, zero_ = 0;
  std::vector<Scope> scopes_;
};

struct Fuzz {
  Target target;
  uint64_t seed;
  int size;
};

std::string try_seed(const Fuzz& fuzz, PlantedBug bug) {
  std::mt19937_64 random(fuzz.seed ^ 0x5eed);
  const bool wide = fuzz.seed % 3 != 1;
  const int lanes = fuzz.seed % 5 == 4 ? 1 : lanes_for(fuzz.target, wide ? 8 : 4);
  const Kernel kernel = RandomKernel(fuzz.seed, lanes, wide, fuzz.size).make();
  std::vector<Array> arrays;
  for (int side = 0; side < 2; ++side)
    for (KType t : kTypes) arrays.push_back(array(t, kElements, random));
  const auto columns = static_cast<int64_t>(random() % static_cast<uint64_t>(2 * lanes + 2));
  const auto begin = static_cast<int64_t>(random() % 3);
  const int64_t rows = begin + static_cast<int64_t>(random() % kRows);
  const bool flat = std::ranges::any_of(kernel.instrs, [](const KInstr& in) { return in.op == KOp::vrange; });
  const int64_t end = flat ? begin + static_cast<int64_t>(random() % static_cast<uint64_t>(kColumns - 4)) : rows;
  return difference(kernel, fuzz.target, arrays, {2, std::min(columns, kColumns)}, begin, end, bug);
}

}  // namespace

// KERNEL_PROGRAMS=n runs n of each size on each target, from KERNEL_FIRST on; KERNEL_SEED=n that one.
TEST_CASE("emit: random kernels") {
  const auto [first, last] = JOT_SEEDS("KERNEL", 400);
  for (Target t : targets())
    for (int size : {6, 25, 120})
      for (uint64_t seed = first; seed < last; ++seed) {
        const std::string found = try_seed({t, seed, size}, PlantedBug::none);
        CHECK_MESSAGE(found.empty(), "seed ", seed, " size ", size, ": ", found);
        if (!found.empty()) return;
      }
}

TEST_CASE("emit: random kernels find planted bugs") {
  for (Target t : targets())
    for (PlantedBug bug : {PlantedBug::lost_tail_mask, PlantedBug::lost_mask_spill}) {
      int found = 0;
      for (uint64_t seed = 0; seed < 120 && found < 3; ++seed) found += !try_seed({t, seed, 120}, bug).empty();
      CHECK_MESSAGE(found >= 3, "bug ", static_cast<int>(bug), " on ", to_string(t));
    }
}
