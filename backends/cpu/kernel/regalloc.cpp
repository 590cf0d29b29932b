#include "backends/cpu/kernel/regalloc.h"

#include <algorithm>
#include <bit>

#include "jot/error.h"

namespace jot::cpu {
namespace {

constexpr uint32_t bit(int r) { return uint32_t{1} << r; }
constexpr size_t at(int r) { return static_cast<size_t>(r); }

// Registers that a loop leaves to the temporaries of its instructions.
constexpr int kSlack[kFiles] = {3, 3, 1};

// Calls fn(register) for every bit.
template <class Fn>
void for_each_bit(uint32_t bits, Fn fn) {
  for (; bits; bits &= bits - 1) fn(std::countr_zero(bits));
}

}  // namespace

int32_t Frame::allocate(int bytes) {
  const size_t c = size_class(bytes);
  if (!free_[c].empty()) {
    int32_t offset = free_[c].back();
    free_[c].pop_back();
    return offset;
  }
  const int64_t size = int64_t{8} << c;
  const int64_t offset = (end_ + size - 1) / size * size;
  if (offset > INT32_MAX - 64) internal_error("the spill area is below 2 GiB", "kernel too large");
  end_ = offset + size;
  return static_cast<int32_t>(offset);
}

Allocator::Allocator(const Kernel& kernel, const RegisterModel& model, Frame& frame, SpillCode& code)
    : kernel_(kernel), model_(model), frame_(frame), code_(code), live_(kernel, model) {
  const size_t n = kernel.instrs.size();
  reg_.assign(n, -1);
  valid_.assign(n, 0);
  slot_.assign(n, -1);
  next_use_.assign(n, Liveness::kNever);
}

bool Allocator::rematerialised(uint32_t v) const {
  switch (kernel_.instrs[v].op) {
    case KOp::constant:
    case KOp::iconst:
    case KOp::arg:
    case KOp::lane_index:
    case KOp::mask_const:
      return true;
    default:
      return false;
  }
}

bool Allocator::killed(uint32_t v) const {
  const uint32_t next = next_use_[v];
  return !tail_ && next != Liveness::kNever && kernel_.instrs[v].op == KOp::var &&
         kernel_.instrs[next].op == KOp::set && kernel_.instrs[next].a == v && kernel_.instrs[next].b != v;
}
bool Allocator::dies(uint32_t v) const { return next_use_[v] == Liveness::kNever || killed(v); }

// ---- registers

void Allocator::bind(uint32_t v, int r) {
  const RegisterFile f = file(v);
  holder_[f][at(r)] = v;
  used_[f] |= bit(r);
  touched_[f] |= bit(r);
  reg_[v] = static_cast<int8_t>(r);
}

void Allocator::unbind(uint32_t v) {
  const int r = reg_[v];
  if (r < 0) return;
  used_[file(v)] &= ~bit(r);
  locked_[file(v)] &= ~bit(r);
  reg_[v] = -1;
}

void Allocator::forget(uint32_t v) {
  unbind(v);
  valid_[v] = 0;
  if (slot_[v] < 0) return;
  freed_.emplace_back(slot_[v], model_.slot_bytes(kernel_.instrs[v].type));
  slot_[v] = -1;
}

// Not before the instruction has read its operands from them.
void Allocator::free_slots() {
  for (auto [slot, bytes] : freed_) frame_.release(slot, bytes);
  freed_.clear();
}

void Allocator::settle(uint32_t v) {
  if (next_use_[v] == Liveness::kNever) return forget(v);
  if (!killed(v)) return;
  unbind(v);
  valid_[v] = 0;
}

void Allocator::save(uint32_t v) {
  if (slot_[v] < 0) slot_[v] = frame_.allocate(model_.slot_bytes(kernel_.instrs[v].type));
  code_.store(v, slot_[v], reg_[v]);
  valid_[v] = 1;
}

void Allocator::evict(RegisterFile f, int r) {
  const uint32_t v = holder_[f][at(r)];
  if (!rematerialised(v) && !valid_[v] && next_use_[v] != Liveness::kNever) save(v);
  unbind(v);
}

int Allocator::take(RegisterFile f) {
  const uint32_t free = model_.allowed[f] & ~used_[f] & ~locked_[f];
  if (free) {
    const uint32_t first = free & model_.preferred[f];
    return std::countr_zero(first ? first : free);
  }
  int farthest = -1;
  uint32_t distance = 0;
  for_each_bit(model_.allowed[f] & used_[f] & ~locked_[f], [&](int r) {
    const uint32_t next = next_use_[holder_[f][at(r)]];
    if (farthest < 0 || next > distance) farthest = r, distance = next;
  });
  if (farthest < 0) internal_error("a register is free", "an instruction needs too many");
  evict(f, farthest);
  return farthest;
}

// A value that a variable takes next goes to the register that the loop wants the variable in.
int Allocator::preferred(uint32_t v) {
  const uint32_t first = live_.first(v);
  if (loops_.empty() || first == Liveness::kNever || kernel_.instrs[first].op != KOp::set) return -1;
  const RegisterFile f = file(v);
  const Registers& head = loops_.back().head;
  int wanted = -1;
  for_each_bit(head.used[f] & ~used_[f] & ~locked_[f], [&](int r) {
    if (head.holder[f][at(r)] == kernel_.instrs[first].a) wanted = r;
  });
  return wanted;
}

void Allocator::fetch(uint32_t v, int r) {
  if (valid_[v]) return code_.load(v, r, slot_[v]);
  if (!rematerialised(v)) internal_error("a value is in a register or in memory", "kernel value " + std::to_string(v));
  code_.materialise(v, r);
}

// ---- instructions

void Allocator::begin(uint32_t i) {
  const KInstr& in = kernel_.instrs[i];
  const std::array<uint32_t, 4> named = {in.a, in.b, in.c, in.op == KOp::store_rows ? kNone : in.d};
  operands_.clear();
  released_ = false;
  for (int s = 0; s < 4; ++s) {
    if (named[at(s)] == kNone) continue;
    const uint32_t v = root(named[at(s)]);
    operands_.push_back(v);
    next_use_[v] = live_.next(i, s);
    if (reg_[v] >= 0) locked_[file(v)] |= bit(reg_[v]);
  }
}

int Allocator::use(uint32_t v) {
  const RegisterFile f = file(v);
  if (reg_[v] < 0) {
    const int r = take(f);
    fetch(v, r);
    bind(v, r);
  }
  locked_[f] |= bit(reg_[v]);
  return reg_[v];
}

int Allocator::temporary(RegisterFile f) {
  const int r = take(f);
  holder_[f][at(r)] = kTemporary;
  used_[f] |= bit(r);
  locked_[f] |= bit(r);
  touched_[f] |= bit(r);
  return r;
}

void Allocator::drop(RegisterFile f, int temporary) {
  used_[f] &= ~bit(temporary);
  locked_[f] &= ~bit(temporary);
}

void Allocator::release_operands() {
  if (released_) return;
  released_ = true;
  for (uint32_t v : operands_) settle(v);
}

int Allocator::define(uint32_t v) {
  int r = preferred(v);
  if (r < 0) r = take(file(v));
  define_at(v, r);
  return r;
}

void Allocator::define_at(uint32_t v, int r) {
  bind(v, r);
  locked_[file(v)] |= bit(r);
  valid_[v] = 0;
  next_use_[v] = live_.first(v);
  if (next_use_[v] == Liveness::kNever) unused_.push_back(v);
}

int Allocator::define_from(uint32_t v, uint32_t operand) {
  if (reg_[operand] >= 0 && dies(operand)) {
    const int r = reg_[operand];
    unbind(operand);
    define_at(v, r);
    return r;
  }
  const int r = define(v);
  copy(operand, r);
  return r;
}

void Allocator::copy(uint32_t v, int to) {
  if (reg_[v] >= 0)
    code_.move(v, to, reg_[v]);
  else
    fetch(v, to);
}

void Allocator::end() {
  release_operands();
  for (uint32_t v : unused_) forget(v);
  unused_.clear();
  free_slots();
  for (int f = 0; f < kFiles; ++f) {
    for_each_bit(used_[at(f)] & locked_[at(f)], [&](int r) {
      if (holder_[at(f)][at(r)] == kTemporary) used_[at(f)] &= ~bit(r);
    });
    locked_[at(f)] = 0;
  }
}

void Allocator::begin_entries(uint32_t i, uint32_t first, uint32_t count, uint32_t keep) {
  before_entries_ = locked_;
  entries_.clear();
  for (uint32_t j = first; j < first + count; ++j) {
    const uint32_t v = root(kernel_.lists[kernel_.instrs[i].d + j]);
    entries_.push_back(v);
    next_use_[v] = j < keep ? live_.next_in_list(i, j) : i;
    if (reg_[v] >= 0) locked_[file(v)] |= bit(reg_[v]);
  }
}

void Allocator::end_entries() {
  for (uint32_t v : entries_) settle(v);
  for (int f = 0; f < kFiles; ++f) {
    for_each_bit(used_[at(f)] & locked_[at(f)] & ~before_entries_[at(f)], [&](int r) {
      if (holder_[at(f)][at(r)] == kTemporary) used_[at(f)] &= ~bit(r);
    });
    locked_[at(f)] &= before_entries_[at(f)];
  }
}

// ---- variables

void Allocator::set(uint32_t variable, uint32_t value) {
  if (variable == value) return;
  const RegisterFile f = file(variable);
  if (reg_[value] >= 0 && dies(value)) {
    const int r = reg_[value];
    unbind(variable);
    unbind(value);
    bind(variable, r);
  } else {
    if (reg_[variable] < 0) bind(variable, take(f));
    copy(value, reg_[variable]);
  }
  valid_[variable] = 0;
  locked_[f] |= bit(reg_[variable]);
}

int Allocator::use_for_update(uint32_t variable) {
  const int r = use(variable);
  valid_[variable] = 0;
  return r;
}

// ---- calls

void Allocator::clobber(RegisterFile f, uint32_t registers) {
  touched_[f] |= registers;
  for_each_bit(registers & used_[f], [&](int r) {
    const uint32_t v = holder_[f][at(r)];
    if (v == kTemporary) return;
    if (std::find(operands_.begin(), operands_.end(), v) != operands_.end() && dies(v)) return;
    const uint32_t free = model_.allowed[f] & ~used_[f] & ~registers;
    if (!free) return evict(f, r);
    const int to = std::countr_zero(free);
    code_.move(v, to, r);
    unbind(v);
    bind(v, to);
  });
}

// ---- loops

int Allocator::count(RegisterFile f) const { return std::popcount(used_[f] & model_.allowed[f]); }

// Few enough values stay in registers that the body, too, finds some. What must be stored is stored here, not in the
// body.
void Allocator::make_room(const Liveness::Loop& loop, RegisterFile f) {
  const int limit = std::popcount(model_.allowed[f]) - loop.pressure[f] - kSlack[f];
  while (count(f) > limit) {
    int farthest = -1;
    uint32_t distance = loop.end;
    for_each_bit(used_[f] & model_.allowed[f], [&](int r) {
      const uint32_t next = next_use_[holder_[f][at(r)]];
      if (next > distance) farthest = r, distance = next;
    });
    if (farthest < 0) break;
    evict(f, farthest);
  }
  if (count(f) > limit)
    for_each_bit(used_[f] & model_.allowed[f], [&](int r) {
      const uint32_t v = holder_[f][at(r)];
      if (!rematerialised(v) && !valid_[v] && kernel_.instrs[v].op != KOp::var) save(v);
    });
}

// What the loop needs and there is room for comes to registers before it.
void Allocator::preload(const Liveness::Loop& loop) {
  std::vector<std::pair<uint32_t, uint32_t>> wanted;  // first use, value
  for (const Liveness::Carried& c : loop.carried) {
    const KOp op = kernel_.instrs[c.value].op;
    if (reg_[c.value] < 0 && c.first < loop.end && op != KOp::iconst && op != KOp::mask_const &&
        (valid_[c.value] || rematerialised(c.value)))
      wanted.emplace_back(c.first, c.value);
  }
  std::sort(wanted.begin(), wanted.end());
  for (auto [first, v] : wanted) {
    const RegisterFile f = file(v);
    if (count(f) >= std::popcount(model_.allowed[f]) - loop.pressure[f] - kSlack[f]) continue;
    const int r = take(f);
    fetch(v, r);
    bind(v, r);
  }
}

void Allocator::enter_loop(uint32_t i) {
  const Liveness::Loop& loop = live_.loop(i);
  for (const Liveness::Carried& c : loop.carried) next_use_[c.value] = c.first;
  for (RegisterFile f : {kGpr, kVector, kMask}) make_room(loop, f);
  preload(loop);
  bind(i, take(kGpr));
  Registers head{holder_, used_, {}};
  for (RegisterFile f : {kGpr, kVector, kMask})
    for_each_bit(used_[f], [&](int r) {
      const uint32_t v = holder_[f][at(r)];
      if (kernel_.instrs[v].op == KOp::var) valid_[v] = 0;  // the body may change it
      if (valid_[v]) head.stored[f] |= bit(r);
    });
  loops_.push_back({&loop, head});
}

void Allocator::end_body(bool again) {
  const OpenLoop& open = loops_.back();
  for (RegisterFile f : {kGpr, kVector, kMask}) restore(f, open.head);
  if (again)
    for (const Liveness::Carried& c : open.loop->carried) next_use_[c.value] = c.first;
}

void Allocator::leave_loop() {
  for (const Liveness::Carried& c : loops_.back().loop->carried) {
    next_use_[c.value] = c.after;
    if (c.after == Liveness::kNever) forget(c.value);
  }
  free_slots();
  loops_.pop_back();
}

void Allocator::restore(RegisterFile f, const Registers& to) {
  auto is_target = [&](uint32_t v) {
    bool found = false;
    for_each_bit(to.used[f], [&](int r) { found |= to.holder[f][at(r)] == v; });
    return found;
  };
  for_each_bit(used_[f], [&](int r) {
    const uint32_t v = holder_[f][at(r)];
    if (to.used[f] & bit(r) && to.holder[f][at(r)] == v) return;
    if (!is_target(v)) evict(f, r);  // at the head it is in memory
  });
  uint32_t pending = 0;
  for_each_bit(to.used[f], [&](int r) {
    if (reg_[to.holder[f][at(r)]] != r) pending |= bit(r);
  });
  while (pending) {
    const uint32_t before = pending;
    for_each_bit(pending & ~used_[f], [&](int r) {
      const uint32_t v = to.holder[f][at(r)];
      if (reg_[v] >= 0) {
        code_.move(v, r, reg_[v]);
        unbind(v);
      } else {
        fetch(v, r);
      }
      bind(v, r);
      pending &= ~bit(r);
    });
    if (pending != before) continue;
    // Only cycles are left: one value steps aside.
    const uint32_t v = to.holder[f][at(std::countr_zero(pending))];
    const uint32_t free = model_.allowed[f] & ~used_[f];
    if (free) {
      const int r = std::countr_zero(free);
      code_.move(v, r, reg_[v]);
      unbind(v);
      bind(v, r);
    } else {
      evict(f, reg_[v]);
    }
  }
  for_each_bit(to.used[f], [&](int r) {
    const uint32_t v = to.holder[f][at(r)];
    valid_[v] = (to.stored[f] & bit(r)) != 0;
  });
}

}  // namespace jot::cpu
