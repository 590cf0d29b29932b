// The allocator alone, with very few registers: what it asks for is recorded and then executed by a machine whose
// registers hold tokens, loops any number of times. Every read must find the value that the program means.
#include "backends/cpu/kernel/regalloc.h"

#include <doctest/doctest.h>

#include <map>
#include <random>

#include "backends/cpu/kernel/kernel_builder.h"

namespace {

using namespace jot::cpu;
using Value = KernelBuilder::Value;

// What happens, in terms of registers (numbered through all files), slots and values.
struct Event {
  enum Kind { move, store, load, materialise, read, define, set, open, turn, close } kind;
  uint32_t value = 0;
  int64_t to = 0, from = 0;
};

class Recorder final : public SpillCode {
 public:
  Recorder(const Kernel& kernel, RegisterModel model)
      : kernel_(kernel), model_(model), al_(kernel_, model_, frame_, *this) {}

  std::vector<Event> run() {
    for (uint32_t i = 0; i < kernel_.instrs.size(); ++i) instruction(i);
    return std::move(events_);
  }

 private:
  int64_t number(uint32_t v, int reg) const { return 32 * al_.file(v) + reg; }
  void move(uint32_t v, int to, int from) override {
    events_.push_back({Event::move, v, number(v, to), number(v, from)});
  }
  void store(uint32_t v, int32_t slot, int from) override {
    events_.push_back({Event::store, v, slot, number(v, from)});
  }
  void load(uint32_t v, int to, int32_t slot) override { events_.push_back({Event::load, v, number(v, to), slot}); }
  void materialise(uint32_t v, int to) override { events_.push_back({Event::materialise, v, number(v, to), 0}); }

  void read(uint32_t v) {
    const int r = al_.use(v);
    events_.push_back({Event::read, v, 0, number(v, r)});
  }

  void instruction(uint32_t i) {
    const KInstr& in = kernel_.instrs[i];
    if (in.op == KOp::endloop) {
      al_.end_body(false);
      events_.push_back({Event::turn, in.a, 0, 0});
      al_.leave_loop();
      events_.push_back({Event::close, in.a, 0, 0});
      return;
    }
    if (al_.liveness().dead(i) || al_.rematerialised(i)) return;
    al_.begin(i);
    if (is_loop(in.op)) {
      read(in.a);
      al_.end();
      al_.enter_loop(i);
      events_.push_back({Event::define, i, number(i, al_.reg(i)), 0});
      events_.push_back({Event::open, i, 0, 0});
      return;
    }
    if (in.op == KOp::set && in.b == in.a) {
      al_.set(in.a, in.a);  // nothing
    } else if (in.op == KOp::set) {
      al_.set(in.a, al_.root(in.b));
      events_.push_back({Event::set, in.a, number(in.a, al_.reg(in.a)), static_cast<int64_t>(al_.root(in.b))});
    } else if (in.op == KOp::var) {
      const int r = al_.define_from(i, al_.root(in.a));
      events_.push_back({Event::set, i, number(i, r), static_cast<int64_t>(al_.root(in.a))});
    } else {
      for_each_operand(kernel_, in, [&](uint32_t v) { read(al_.root(v)); });
      al_.release_operands();
      if (has_value(in.op)) events_.push_back({Event::define, i, number(i, al_.define(i)), 0});
    }
    al_.end();
  }

  const Kernel& kernel_;
  const RegisterModel model_;
  Frame frame_;
  Allocator al_;
  std::vector<Event> events_;
};

// Runs the events; each loop takes a random number of turns. Returns the number of wrong reads.
int execute(const std::vector<Event>& events, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::map<int64_t, uint64_t> registers, slots;
  std::map<uint32_t, uint64_t> meaning;  // the token of every value, of constants from the start
  uint64_t next = 1000000;
  auto token = [&](uint32_t v) { return meaning.try_emplace(v, v + 1).first->second; };
  std::vector<std::pair<size_t, uint64_t>> loops;  // first event, turns left
  int wrong = 0;
  for (size_t i = 0; i < events.size(); ++i) {
    const Event& e = events[i];
    switch (e.kind) {
      case Event::move:
        registers[e.to] = registers[e.from];
        break;
      case Event::store:
        slots[e.to] = registers[e.from];
        break;
      case Event::load:
        registers[e.to] = slots[e.from];
        break;
      case Event::materialise:
        registers[e.to] = token(e.value);
        break;
      case Event::read:
        wrong += registers[e.from] != token(e.value);
        break;
      case Event::define:
        registers[e.to] = meaning[e.value] = next++;
        break;
      case Event::set:
        wrong += registers[e.to] != token(static_cast<uint32_t>(e.from));
        meaning[e.value] = token(static_cast<uint32_t>(e.from));
        break;
      case Event::open:
        loops.emplace_back(i, random() % 4);
        if (loops.back().second > 0) break;
        while (events[i].kind != Event::turn || events[i].value != e.value) ++i;
        break;
      case Event::turn:  // the index, wherever the loop keeps it, changes
        if (--loops.back().second > 0) {
          const Event& index = events[loops.back().first - 1];
          wrong += registers[index.to] != token(e.value);
          registers[index.to] = meaning[e.value] = next++;
          i = loops.back().first;
        }
        break;
      case Event::close:
        loops.pop_back();
        break;
    }
  }
  return wrong;
}

Kernel random_kernel(uint64_t seed) {
  std::mt19937_64 random(seed);
  KernelBuilder b(8);
  std::vector<std::vector<Value>> scopes(1), masks(1);
  std::vector<Value> variables;
  const Value count = b.arg(1), out = b.arg(2), in = b.arg(3);
  auto any = [&random](const std::vector<std::vector<Value>>& from) {
    std::vector<Value> all;
    for (const auto& s : from) all.insert(all.end(), s.begin(), s.end());
    return all[random() % all.size()];
  };
  auto x = [&] { return any(scopes); };
  for (int k = 0; k < 3; ++k) scopes[0].push_back(b.load_bcast(KType::f64, in, kNone, 8 * k));
  scopes[0].push_back(b.number(KType::f64, 2));
  masks[0].push_back(b.cmp(KCmp::lt, x(), b.add(x(), x())));
  for (int k = 0; k < 3; ++k) variables.push_back(b.var(x()));
  for (Value v : variables) scopes[0].push_back(v);
  Value address = count;
  for (int step = 0; step < 120; ++step) {
    switch (random() % 12) {
      case 0:
        if (scopes.size() < 4) {
          address = b.iadd(b.loop(count), count);
          scopes.emplace_back();
          masks.emplace_back();
        }
        break;
      case 1:
        if (scopes.size() > 1) {
          b.store_one(x(), out, kNone);
          b.endloop();
          scopes.pop_back();
          masks.pop_back();
          address = count;
        }
        break;
      case 2:
        b.set(variables[random() % variables.size()], x());
        break;
      case 3:
        masks.back().push_back(b.cmp(KCmp::le, x(), x()));
        break;
      case 4:
        scopes.back().push_back(b.select(any(masks), x(), x()));
        break;
      case 5:
        b.store_one(x(), out, address);
        break;
      default:
        scopes.back().push_back(b.fma(x(), x(), x()));
    }
  }
  for (Value v : variables) b.store_one(v, out);
  while (scopes.size() > 1) {
    b.store_one(x(), out);
    b.endloop();
    scopes.pop_back();
  }
  for (Value v : variables) b.store_one(v, out);
  return std::move(b).finish();
}

RegisterModel few(int vectors) {
  RegisterModel m;
  m.lanes = 8;
  m.allowed = {0x7f, (1u << vectors) - 1, 0x3};
  m.preferred = m.allowed;
  return m;
}

}  // namespace

TEST_CASE("regalloc: every read finds its value, with few registers and any number of turns") {
  for (int vectors : {4, 5, 8, 16})
    for (uint64_t seed = 0; seed < 300; ++seed) {
      const Kernel kernel = random_kernel(seed);
      verify(kernel);
      const std::vector<Event> events = Recorder(kernel, few(vectors)).run();
      for (uint64_t turns = 0; turns < 4; ++turns)
        CHECK_MESSAGE(execute(events, turns) == 0, "seed ", seed, ", registers ", vectors, "\n", to_text(kernel));
    }
}

// Three registers hold four values that are read in turn: the farthest is evicted, so two of three reads hit.
TEST_CASE("regalloc: the value whose next use is farthest goes") {
  KernelBuilder b(8);
  const Value out = b.arg(1), in = b.arg(2);
  std::vector<Value> x;
  for (int k = 0; k < 4; ++k) x.push_back(b.load_bcast(KType::f64, in, kNone, 8 * k));
  for (int round = 0; round < 12; ++round) b.store_one(x[static_cast<size_t>(round % 4)], out, kNone, 8 * round);
  const Kernel kernel = std::move(b).finish();
  int stores = 0, loads = 0;
  for (const Event& e : Recorder(kernel, few(3)).run())
    stores += e.kind == Event::store, loads += e.kind == Event::load;
  CHECK(stores <= 4);
  CHECK(loads <= 4);  // 9 with the value used least recently
}

TEST_CASE("regalloc: what a loop carries stays in registers if it can") {
  KernelBuilder b(8);
  const Value count = b.arg(1), out = b.arg(2), in = b.arg(3);
  const Value sum = b.var(b.number(KType::f64, 0)), factor = b.load_bcast(KType::f64, in);
  const Value i = b.loop(count);
  b.set(sum, b.fma(factor, b.load_bcast(KType::f64, in, i), sum));
  b.endloop();
  b.store_one(sum, out);
  const Kernel kernel = std::move(b).finish();
  bool inside = false;
  for (const Event& e : Recorder(kernel, few(8)).run()) {
    if (e.kind == Event::open) inside = true;
    if (e.kind == Event::close) inside = false;
    const bool moves =
        e.kind == Event::move || e.kind == Event::store || e.kind == Event::load || e.kind == Event::materialise;
    const bool wasted = inside && moves;
    CHECK_FALSE(wasted);
  }
}
