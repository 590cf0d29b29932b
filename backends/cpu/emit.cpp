// Registers, loops and the cold paths; the instructions are in emit_vector.cpp and emit_memory.cpp.
#include "backends/cpu/emit.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "backends/cpu/math.h"
#include "jot/error.h"

namespace jot::cpu {

namespace {

// Registers by number: args stays in rdi, the spill area in rcx; rax and rdx are scratch within an instruction.
const x86::Gp kArgs = x86::rdi, kSpill = x86::rcx;
constexpr uint32_t kGprs = 1u << 3 | 1u << 5 | 1u << 6 | 0xff00u;
constexpr uint32_t kMasks = 0b00111110;  // k6 is scratch, k7 the tail mask (lane 0 in kernels of one lane)
constexpr uint32_t kCalleeSaved[] = {3, 5, 12, 13, 14, 15};
constexpr int64_t kWord = 64;  // of the cold area

// ---- what cold paths call

// noexcept: nothing may unwind through kernels.
void run_cold(std::byte* area, uint64_t mask, const ColdCall* call, const int64_t* args) noexcept {
  const KInstr& in = call->instr;
  auto read = [&](int64_t slot, int lane, KType type) {
    uint64_t bits = 0;
    int size = type == KType::i32 || type == KType::f32 ? 4 : 8;
    std::memcpy(&bits, area + slot * kWord + lane * size, static_cast<size_t>(size));
    return bits;
  };
  auto write = [&](int lane, uint64_t bits) {
    int size = bytes_of(in.type);
    std::memcpy(area + lane * size, &bits, static_cast<size_t>(size));
  };
  for (int l = 0; l < call->lanes; ++l) {
    if (!(mask >> l & 1)) continue;
    if (in.op == KOp::fixup) {
      write(l, libm(static_cast<KFn>(in.aux), in.type, read(1, l, in.type), in.d == kNone ? 0 : read(2, l, in.type)));
    } else if (in.op == KOp::check) {
      int64_t index = static_cast<int64_t>(read(4, 0, KType::i64)),
              value = static_cast<int64_t>(read(1, l, call->from));
      if (call->from == KType::i32) value = static_cast<int32_t>(value);
      reinterpret_cast<KernelError*>(args[0])->record(in.imm, index + l, value);
    } else {
      write(l, evaluate(in, call->from, read(1, l, call->from), in.b == kNone ? 0 : read(2, l, in.type),
                        in.c == kNone ? 0 : read(3, l, in.type)));
    }
  }
}

}  // namespace

// ---- uses

Uses::Uses(const Kernel& k) {
  auto n = static_cast<uint32_t>(k.instrs.size());
  next.assign(n, {kNever, kNever, kNever, kNever});
  next_in_list.assign(k.lists.size(), kNever);
  first.assign(n, kNever);
  last.assign(n, kNever);
  end_of.assign(n, kNever);
  std::vector<uint32_t> parent(n, kNever);  // the innermost loop around an instruction
  std::vector<uint32_t> open;
  for (uint32_t i = 0; i < n; ++i) {
    parent[i] = open.empty() ? kNever : open.back();
    if (is_loop(k.instrs[i].op)) open.push_back(i);
    if (k.instrs[i].op == KOp::endloop) {
      end_of[open.back()] = i;
      open.pop_back();
      parent[i] = open.empty() ? kNever : open.back();
    }
  }
  for (uint32_t i = 0; i < n; ++i)
    for_each_operand(k, k.instrs[i], [&](uint32_t v) {
      uint32_t until = i;
      for (uint32_t loop = parent[i]; loop != kNever && loop >= v; loop = parent[loop]) until = end_of[loop];
      last[v] = last[v] == kNever ? until : std::max(last[v], until);
    });
  std::vector<uint32_t> upcoming(n, kNever);
  for (uint32_t v = 0; v < n; ++v)
    if (last[v] != kNever && k.instrs[last[v]].op == KOp::endloop) upcoming[v] = last[v];
  for (uint32_t i = n; i-- > 0;) {
    const KInstr& in = k.instrs[i];
    if (in.op == KOp::endloop) continue;
    const uint32_t operands[] = {in.a, in.b, in.c, in.op == KOp::store_rows ? kNone : in.d};
    for (size_t s = 0; s < 4; ++s)
      if (operands[s] != kNone) next[i][s] = upcoming[operands[s]];
    if (in.op == KOp::store_rows)
      for (uint32_t j = 0; j < in.aux; ++j) next_in_list[in.d + j] = upcoming[k.lists[in.d + j]];
    for_each_operand(k, in, [&](uint32_t v) { upcoming[v] = first[v] = i; });
  }
}

// ---- the unit

x86::Mem CodeUnit::data(const std::string& bytes) {
  auto [it, fresh] = pool_index.try_emplace(bytes, pool.size());
  if (fresh) pool.emplace_back(as.label(), bytes);
  return x86::ptr(pool[it->second].first);
}

int64_t CodeUnit::area() {
  if (cold_area < 0) {
    cold_area = (spill_end + 63) / 64 * 64;
    spill_end = cold_area + 5 * kWord;
  }
  return cold_area;
}

asmjit::Label CodeUnit::thunk_label() {
  if (!thunk_used) thunk = as.label();
  thunk_used = true;
  return thunk;
}

namespace {

std::string word(uint64_t bits) { return {reinterpret_cast<const char*>(&bits), 8}; }

// Calls run_cold(area = rax, mask = rdx, call = the pointer pushed by the caller, args); every register survives.
void emit_thunk(CodeUnit& unit) {
  Assembler& as = unit.as;
  constexpr uint32_t saved[] = {0, 1, 2, 3, 6, 7, 8, 9, 10, 11};
  int vectors = unit.avx512 ? 32 : 16, bytes = unit.avx512 ? 64 : 32;
  as.bind(unit.thunk);
  for (uint32_t r : saved) as.emit(Isa::push, x86::gpq(r));
  as.emit(Isa::mov, x86::rbx, x86::rsp);
  as.emit(Isa::sub, x86::rsp, asmjit::Imm(vectors * bytes + 64));
  as.emit(Isa::and_, x86::rsp, asmjit::Imm(-64));
  for (int i = 0; i < vectors; ++i) as.emit(Isa::vmovups, x86::ptr(x86::rsp, i * bytes), vector_register(i, bytes));
  if (unit.avx512)
    for (uint32_t i = 1; i < 8; ++i)
      as.emit(Isa::kmovq, x86::ptr(x86::rsp, vectors * bytes + static_cast<int>(i) * 8), x86::k(i));
  as.emit(Isa::mov, x86::rsi, x86::rdx);
  as.emit(Isa::mov, x86::rcx, x86::rdi);
  as.emit(Isa::mov, x86::rdi, x86::rax);
  as.emit(Isa::mov, x86::rdx, x86::ptr(x86::rbx, 8 * (static_cast<int>(std::size(saved)) + 1)));
  as.emit(Isa::vzeroupper);
  x86::Mem target = unit.data(word(std::bit_cast<uint64_t>(&run_cold)));
  as.emit(Isa::call, target);
  for (int i = 0; i < vectors; ++i) as.emit(Isa::vmovups, vector_register(i, bytes), x86::ptr(x86::rsp, i * bytes));
  if (unit.avx512)
    for (uint32_t i = 1; i < 8; ++i)
      as.emit(Isa::kmovq, x86::k(i), x86::ptr(x86::rsp, vectors * bytes + static_cast<int>(i) * 8));
  as.emit(Isa::mov, x86::rsp, x86::rbx);
  for (size_t i = std::size(saved); i-- > 0;) as.emit(Isa::pop, x86::gpq(saved[i]));
  as.emit(Isa::ret);
}

}  // namespace

Emitted emit(const Kernel& kernel, Target target, bool log) {
  CodeUnit unit(target, log);
  Assembler& as = unit.as;
  for (uint32_t r : kCalleeSaved) as.emit(Isa::push, x86::gpq(r));
  as.emit(Isa::mov, x86::ptr(kSpill), x86::rsi);
  as.emit(Isa::mov, x86::ptr(kSpill, 8), x86::rdx);
  BodyEmitter(unit, kernel, false).run();
  for (size_t i = 0; i < unit.routines.size(); ++i) {
    auto [key, label] = unit.routines[i];
    as.align(16, false);
    as.bind(label);
    BodyEmitter(unit, routine_body(static_cast<KFn>(key >> 8), static_cast<KType>(key & 255)), true).run();
  }
  if (unit.thunk_used) emit_thunk(unit);
  std::stable_sort(unit.pool.begin(), unit.pool.end(),
                   [](const auto& a, const auto& b) { return a.second.size() > b.second.size(); });
  as.align(64, true);
  for (const auto& [label, bytes] : unit.pool) {
    as.bind(label);
    as.data(std::as_bytes(std::span(bytes.data(), bytes.size())));
  }
  std::span<const std::byte> code = as.finish();
  return {{code.begin(), code.end()}, (unit.spill_end + 63) / 64 * 64, unit.cold_calls, log ? as.log() : ""};
}

// ---- registers

BodyEmitter::BodyEmitter(CodeUnit& unit, const Kernel& kernel, bool routine)
    : unit_(unit), as_(unit.as), k_(kernel), routine_(routine), lanes_(kernel.lanes), uses_(kernel) {
  files_[gpr].allowed = kGprs;
  files_[vec].allowed = routine ? kRoutineVectors : unit.avx512 ? 0xffffffff : 0xffff;
  files_[kreg].allowed = unit.avx512 ? kMasks : 0;
  where_.resize(kernel.instrs.size());
}

void BodyEmitter::run() {
  if (lanes_ == 1 && unit_.avx512 && !routine_) {
    as_.emit(Isa::mov, x86::eax, asmjit::Imm(1));
    as_.emit(Isa::kmovw, x86::k7, x86::eax);
  }
  block(0, static_cast<uint32_t>(k_.instrs.size()));
  if (!routine_) {
    as_.emit(Isa::vzeroupper);
    for (size_t i = std::size(kCalleeSaved); i-- > 0;) as_.emit(Isa::pop, x86::gpq(kCalleeSaved[i]));
  }
  as_.emit(Isa::ret);
  for (size_t i = 0; i < cold_.size(); ++i) {
    as_.bind(cold_[i].entry);
    cold_[i].emit();
  }
}

BodyEmitter::Class BodyEmitter::class_of(uint32_t v) const {
  if (type(v) == KType::scalar) return gpr;
  return type(v) == KType::mask && unit_.avx512 ? kreg : vec;
}

int BodyEmitter::bytes_of_value(uint32_t v) const {
  if (type(v) == KType::scalar) return 8;
  if (type(v) == KType::mask) return unit_.avx512 ? 8 : vector_bytes();
  if (lanes_ == 1) return 8;
  return lanes_ * bytes_of(type(v));
}

x86::Mem BodyEmitter::spill(int64_t offset) const { return x86::ptr(kSpill, static_cast<int32_t>(offset)); }

int32_t BodyEmitter::slot(int bytes) {
  bytes = std::max(bytes, 8);
  int64_t alignment = std::min(bytes, 64);
  auto& free = free_slots_[bytes];
  if (!free.empty()) {
    int32_t s = free.back();
    free.pop_back();
    return s;
  }
  int64_t s = (unit_.spill_end + alignment - 1) / alignment * alignment;
  unit_.spill_end = s + bytes;
  if (unit_.spill_end > INT32_MAX) throw Error("[jit] a program needs more than 2 GiB of spill memory; split it");
  return static_cast<int32_t>(s);
}

bool BodyEmitter::rematerialised(uint32_t v) const {
  KOp op = in(v).op;
  return op == KOp::constant || op == KOp::arg || op == KOp::iconst || op == KOp::mask_const || op == KOp::lane_index;
}

void BodyEmitter::store_value(uint32_t v) {
  Where& w = where_[v];
  int bytes = bytes_of_value(v);
  if (w.slot < 0) w.slot = slot(bytes);
  switch (class_of(v)) {
    case gpr:
      as_.emit(Isa::mov, spill(w.slot), G(w.reg));
      break;
    case kreg:
      as_.emit(Isa::kmovw, spill(w.slot), K(w.reg));
      break;
    case vec:
      store_vector(spill(w.slot), w.reg, bytes);
      break;
  }
  w.stored = true;
}

void BodyEmitter::store_vector(const x86::Mem& to, int reg, int bytes) {
  if (bytes == 8)
    as_.emit(Isa::vmovsd, to, x86::xmm(static_cast<uint32_t>(reg)));
  else
    as_.emit(Isa::vmovups, to, V(reg, bytes));
}
void BodyEmitter::load_vector(int reg, const x86::Mem& from, int bytes) {
  if (bytes == 8)
    as_.emit(Isa::vmovsd, x86::xmm(static_cast<uint32_t>(reg)), from);
  else
    as_.emit(Isa::vmovups, V(reg, bytes), from);
}

void BodyEmitter::zero(int reg, int bytes) {
  auto v = V(reg, std::min(bytes, unit_.avx512 ? 64 : 32));
  as_.emit(Isa::vxorps, v, v, v);
}

// Makes v's contents in a register from where else they are.
void BodyEmitter::move_in(uint32_t v, int reg) {
  const KInstr& d = in(v);
  switch (d.op) {
    case KOp::arg:
      return as_.emit(Isa::mov, G(reg), x86::ptr(kArgs, static_cast<int32_t>(8 * d.imm)));
    case KOp::iconst:
      if (d.imm == static_cast<int32_t>(d.imm)) return as_.emit(Isa::mov, G(reg), asmjit::Imm(d.imm));
      return as_.emit(Isa::mov, G(reg), unit_.data(word(static_cast<uint64_t>(d.imm))));
    case KOp::mask_const:
      if (unit_.avx512) return as_.emit(d.imm ? Isa::kxnorw : Isa::kxorw, K(reg), K(reg), K(reg));
      if (d.imm) return as_.emit(Isa::vpcmpeqd, V(reg, vector_bytes()), V(reg, vector_bytes()), V(reg, vector_bytes()));
      return zero(reg, vector_bytes());
    case KOp::constant: {
      int size = bytes_of(d.type);
      if (d.imm == 0) return zero(reg, lanes_ * size);
      x86::Mem m = unit_.data(word(static_cast<uint64_t>(d.imm)).substr(0, static_cast<size_t>(size)));
      if (lanes_ == 1) return as_.emit(size == 8 ? Isa::vmovsd : Isa::vmovss, x86::xmm(static_cast<uint32_t>(reg)), m);
      return as_.emit(size == 8 ? Isa::vbroadcastsd : Isa::vbroadcastss, V(reg, d.type), m);
    }
    case KOp::lane_index: {
      std::string bytes;
      for (int l = 0; l < std::max(lanes_, 16 / bytes_of(d.type)); ++l)
        bytes += word(static_cast<uint64_t>(l)).substr(0, static_cast<size_t>(bytes_of(d.type)));
      return as_.emit(Isa::vmovups, V(reg, std::max(16, lanes_ * bytes_of(d.type))), unit_.data(bytes));
    }
    default:
      break;
  }
  const Where& w = where_[v];
  if (!w.stored) internal_error("a value in a register or in memory", "kernel value " + std::to_string(v));
  switch (class_of(v)) {
    case gpr:
      return as_.emit(Isa::mov, G(reg), spill(w.slot));
    case kreg:
      return as_.emit(Isa::kmovw, K(reg), spill(w.slot));
    case vec:
      return load_vector(reg, spill(w.slot), bytes_of_value(v));
  }
}

void BodyEmitter::evict(Class c, int reg) {
  uint32_t v = files_[c].value[static_cast<size_t>(reg)];
  if (v == kFree) return;
  if (!where_[v].stored && !rematerialised(v)) store_value(v);
  where_[v].reg = -1;
  files_[c].value[static_cast<size_t>(reg)] = kFree;
}

int BodyEmitter::take(Class c) {
  File& f = files_[c];
  uint32_t candidates = f.allowed & ~f.locked & ~f.pinned;
  int best = -1;
  uint64_t farthest = 0;
  for (uint32_t rest = candidates; rest; rest &= rest - 1) {
    int r = std::countr_zero(rest);
    uint32_t v = f.value[static_cast<size_t>(r)];
    if (v == kFree) return r;
    if (v == kTemp) continue;
    // A value that need not be stored goes before one that has the same distance.
    uint64_t distance = 2 * uint64_t{where_[v].next} + (where_[v].stored || rematerialised(v));
    if (best < 0 || distance > farthest) {
      best = r;
      farthest = distance;
    }
  }
  if (best < 0) internal_error("a register that can be evicted", std::string(info(in(at_).op).name));
  evict(c, best);
  return best;
}

int BodyEmitter::temp(Class c) {
  int r = take(c);
  files_[c].value[static_cast<size_t>(r)] = kTemp;
  files_[c].locked |= 1u << r;
  return r;
}

void BodyEmitter::unlock() {
  for (File& f : files_) {
    f.locked = 0;
    for (uint32_t& v : f.value)
      if (v == kTemp) v = kFree;
  }
  for (auto [bytes, slot] : released_slots_) free_slots_[bytes].push_back(slot);
  released_slots_.clear();
}

void BodyEmitter::bind(uint32_t v, int reg) {
  Class c = class_of(v);
  files_[c].value[static_cast<size_t>(reg)] = v;
  files_[c].locked |= 1u << reg;
  where_[v].reg = static_cast<int16_t>(reg);
}

// v in a register that stays until the instruction ends.
int BodyEmitter::use(uint32_t v) {
  Class c = class_of(v);
  if (where_[v].reg < 0) {
    int r = take(c);
    move_in(v, r);
    bind(v, r);
  }
  files_[c].locked |= 1u << where_[v].reg;
  return where_[v].reg;
}

int BodyEmitter::define(uint32_t v) {
  int r = take(class_of(v));
  where_[v] = {-1, -1, false, uses_.first[v]};
  bind(v, r);
  return r;
}

void BodyEmitter::advance(uint32_t i) {
  const KInstr& d = in(i);
  const uint32_t operands[] = {d.a, d.b, d.c, d.op == KOp::store_rows ? kNone : d.d};
  for (size_t s = 0; s < 4; ++s)
    if (operands[s] != kNone && d.op != KOp::endloop) where_[operands[s]].next = uses_.next[i][s];
  if (d.op == KOp::store_rows)
    for (uint32_t j = 0; j < d.aux; ++j) where_[k_.lists[d.d + j]].next = uses_.next_in_list[d.d + j];
}

void BodyEmitter::kill(uint32_t v) {
  Where& w = where_[v];
  if (w.reg >= 0) {
    File& f = files_[class_of(v)];
    f.value[static_cast<size_t>(w.reg)] = kFree;
    f.locked &= ~(1u << w.reg);
    f.pinned &= ~(1u << w.reg);
    w.reg = -1;
  }
  if (w.slot >= 0) {
    int bytes = bytes_of_value(v);
    released_slots_.emplace_back(std::max(bytes, 8), w.slot);
    w.slot = -1;
    w.stored = false;
  }
}

void BodyEmitter::release(uint32_t i) {
  for_each_operand(k_, in(i), [&](uint32_t v) {
    if (where_[v].next == Uses::kNever) kill(v);
  });
}

// ---- control

void BodyEmitter::block(uint32_t begin, uint32_t end) {
  for (uint32_t i = begin; i < end; ++i) {
    at_ = i;
    if (is_loop(in(i).op)) {
      loop(i);
      i = uses_.end_of[i];
      continue;
    }
    instruction(i);
    unlock();
    if (has_value(in(i).op) && uses_.first[i] == Uses::kNever) kill(i);
  }
}

// Before a loop: what its body uses gets registers for the loop's time, in the order of first use; the rest goes to
// memory.
void BodyEmitter::pin(uint32_t begin, uint32_t end) {
  std::vector<uint32_t> used;
  std::vector<uint8_t> seen(begin, 0);
  for (uint32_t i = begin; i < end; ++i)
    for_each_operand(k_, in(i), [&](uint32_t v) {
      if (v + 1 >= begin || seen[v]) return;  // the index comes with the loop
      seen[v] = 1;
      if (in(v).op != KOp::constant && in(v).op != KOp::iconst && in(v).op != KOp::mask_const) used.push_back(v);
    });
  std::stable_partition(used.begin(), used.end(), [&](uint32_t v) { return in(v).op == KOp::var; });
  int room[] = {4, unit_.avx512 ? 12 : 4, 2};
  for (int c = 0; c < 3; ++c) room[c] -= std::popcount(files_[static_cast<size_t>(c)].pinned);
  for (uint32_t v : used) {
    Class c = class_of(v);
    if (where_[v].reg >= 0 && (files_[c].pinned >> where_[v].reg & 1)) continue;
    if (room[c]-- <= 0) continue;
    use(v);
    files_[c].pinned |= 1u << where_[v].reg;
  }
  for (Class c : {gpr, vec, kreg})
    for (int r = 0; r < 32; ++r)
      if (!(files_[c].pinned >> r & 1)) evict(c, r);
  unlock();
}

void BodyEmitter::loop_body(uint32_t begin, uint32_t end, bool tail) {
  tail_ = tail;
  block(begin, end);
  tail_ = false;
  for (Class c : {gpr, vec, kreg})
    for (int r = 0; r < 32; ++r)
      if (!(files_[c].pinned >> r & 1)) evict(c, r);
}

void BodyEmitter::loop(uint32_t i) {
  const KInstr& d = in(i);
  const uint32_t end = uses_.end_of[i];
  const bool of_call = d.op == KOp::range || d.op == KOp::vrange, vector = is_vector_loop(d.op) && lanes_ > 1;
  int32_t limit = of_call ? 8 : slot(8);
  advance(i);
  if (!of_call) {
    int count = use(d.a);
    as_.emit(Isa::mov, spill(limit), G(count));
    release(i);
    unlock();
  }
  std::array<uint32_t, 3> outer{files_[0].pinned, files_[1].pinned, files_[2].pinned};
  pin(i + 1, end);
  int index = define(i);
  where_[i].next = end;
  files_[gpr].pinned |= 1u << index;
  unlock();
  if (of_call)
    as_.emit(Isa::mov, G(index), spill(0));
  else
    as_.emit(Isa::xor_, G(index), G(index));
  asmjit::Label head = as_.label(), done = as_.label(), tail = as_.label();
  int32_t full = -1;
  if (vector) {
    full = slot(8);
    as_.emit(Isa::mov, x86::rax, spill(limit));
    as_.emit(Isa::sub, x86::rax, asmjit::Imm(lanes_ - 1));
    as_.emit(Isa::mov, spill(full), x86::rax);
  }
  as_.align(16, false);
  as_.bind(head);
  as_.emit(Isa::cmp, G(index), spill(vector ? full : limit));
  as_.emit(Isa::jge, vector ? tail : done);
  loop_body(i + 1, end, false);
  as_.emit(Isa::add, G(index), asmjit::Imm(is_vector_loop(d.op) ? lanes_ : 1));
  as_.emit(Isa::jmp, head);
  if (vector) {
    as_.bind(tail);
    as_.emit(Isa::mov, x86::rax, spill(limit));
    as_.emit(Isa::sub, x86::rax, G(index));
    as_.emit(Isa::cmp, x86::rax, asmjit::Imm(0));
    as_.emit(Isa::jle, done);
    if (live_slot_ < 0) live_slot_ = slot(8);
    as_.emit(Isa::mov, spill(live_slot_), x86::rax);
    if (unit_.avx512) {
      as_.emit(Isa::mov, x86::rdx, asmjit::Imm(-1));
      as_.emit(Isa::bzhi, x86::edx, x86::edx, x86::eax);
      as_.emit(Isa::kmovw, x86::k7, x86::edx);
    } else {
      // Lane l is live where l < rax.
      if (tail_mask_slot_ < 0) tail_mask_slot_ = slot(vector_bytes());
      int t = temp(vec), bytes = vector_bytes();
      bool wide = lane_bytes() == 8;
      std::string lanes;
      for (int l = 0; l < lanes_; ++l) lanes += word(static_cast<uint64_t>(l)).substr(0, wide ? 8 : 4);
      as_.emit(Isa::vmovq, x86::xmm(static_cast<uint32_t>(t)), x86::rax);
      as_.emit(wide ? Isa::vpbroadcastq : Isa::vpbroadcastd, V(t, bytes), x86::xmm(static_cast<uint32_t>(t)));
      as_.emit(wide ? Isa::vpcmpgtq : Isa::vpcmpgtd, V(t, bytes), V(t, bytes), unit_.data(lanes));
      as_.emit(Isa::vmovups, spill(tail_mask_slot_), V(t, bytes));
      unlock();
    }
    loop_body(i + 1, end, true);
  }
  as_.bind(done);
  kill(i);
  for (Class c : {gpr, vec, kreg}) files_[c].pinned = outer[c];
  // Values that the loop held and that nothing needs any more.
  for (uint32_t j = i + 1; j < end; ++j)
    for_each_operand(k_, in(j), [&](uint32_t v) {
      if (v < i && uses_.last[v] == end && (where_[v].reg >= 0 || where_[v].slot >= 0)) kill(v);
    });
  if (!of_call) free_slots_[8].push_back(limit);
  if (full >= 0) free_slots_[8].push_back(full);
}

// ---- scalars

void BodyEmitter::scalar_op(uint32_t i) {
  const KInstr& d = in(i);
  if (rematerialised(i)) {
    where_[i] = {-1, -1, false, uses_.first[i]};
    return;
  }
  advance(i);
  int a = use(d.a);
  if (d.op == KOp::imuli) {
    release(i);
    int r = define(i);
    if (d.imm == static_cast<int32_t>(d.imm)) return as_.emit(Isa::imul, G(r), G(a), asmjit::Imm(d.imm));
    as_.emit(Isa::mov, x86::rax, unit_.data(word(static_cast<uint64_t>(d.imm))));
    as_.emit(Isa::imul, x86::rax, G(a));
    return as_.emit(Isa::mov, G(r), x86::rax);
  }
  int b = use(d.b);
  as_.emit(Isa::mov, x86::rax, G(a));
  switch (d.op) {
    case KOp::iadd:
      as_.emit(Isa::add, x86::rax, G(b));
      break;
    case KOp::isub:
      as_.emit(Isa::sub, x86::rax, G(b));
      break;
    case KOp::imul:
      as_.emit(Isa::imul, x86::rax, G(b));
      break;
    case KOp::imin:
      as_.emit(Isa::cmp, x86::rax, G(b));
      as_.emit(Isa::cmovg, x86::rax, G(b));
      break;
    default:
      internal_error("scalar op", info(d.op).name);
  }
  release(i);
  int r = define(i);
  as_.emit(Isa::mov, G(r), x86::rax);
}

// ---- variables

void BodyEmitter::variable(uint32_t i) {
  advance(i);
  if (class_of(i) == kreg) {
    int a = use(in(i).a);
    release(i);
    int r = define(i);
    if (r != a) as_.emit(Isa::kmovw, K(r), K(a));
    return;
  }
  int a = use(in(i).a);
  release(i);
  int r = define(i);
  if (r != a) as_.emit(Isa::vmovaps, V(r, vector_bytes()), V(a, vector_bytes()));
}

void BodyEmitter::set(uint32_t i) {
  const KInstr& d = in(i);
  advance(i);
  int b = use(d.b), a = use(d.a);
  if (class_of(d.a) == kreg) {
    if (tail_) {
      as_.emit(Isa::kandnw, x86::k6, x86::k7, K(a));
      as_.emit(Isa::kandw, K(a), x86::k7, K(b));
      as_.emit(Isa::korw, K(a), K(a), x86::k6);
    } else {
      as_.emit(Isa::kmovw, K(a), K(b));
    }
  } else if (tail_) {
    blend_tail(a, b, d.a);
  } else {
    as_.emit(Isa::vmovaps, V(a, type(d.a)), V(b, type(d.a)));
  }
  where_[d.a].stored = false;
  release(i);
}

// Live lanes of `to` become those of `from`.
void BodyEmitter::blend_tail(int to, int from, uint32_t v) {
  KType t = type(v);
  if (unit_.avx512) {
    as_.masked(x86::k7, false).emit(bytes_of(t) == 8 ? Isa::vmovapd : Isa::vmovaps, V(to, t), V(from, t));
    return;
  }
  int m = temp(vec);
  as_.emit(Isa::vmovups, V(m, vector_bytes()), spill(tail_mask_slot_));
  narrow_mask(m, m, t);
  as_.emit(Isa::vblendvps, V(to, t), V(to, t), V(from, t), V(m, t));
}

// ---- cold paths

void BodyEmitter::cold_call(const ColdCall& call, const asmjit::Label& back, std::function<void()> restore) {
  unit_.cold_calls->push_back(call);
  as_.emit(Isa::lea, x86::rax, spill(unit_.area()));
  as_.emit(Isa::push, x86::rbx);
  as_.emit(Isa::mov, x86::rbx, unit_.data(word(std::bit_cast<uint64_t>(&unit_.cold_calls->back()))));
  as_.emit(Isa::xchg, x86::rbx, x86::ptr(x86::rsp));
  as_.emit(Isa::call, unit_.thunk_label());
  as_.emit(Isa::lea, x86::rsp, x86::ptr(x86::rsp, 8));
  restore();
  as_.emit(Isa::jmp, back);
}

void BodyEmitter::fixup(uint32_t i) {
  const KInstr& d = in(i);
  unit_.area();
  advance(i);
  int a = use(d.a), b = use(d.b), y = d.d == kNone ? -1 : use(d.d);
  use(d.c);
  // The result is written before the operands are read in the cold path: it must be a register of its own.
  int r = temp(vec);
  int bytes = std::max(16, lanes_ * bytes_of(d.type));
  as_.emit(Isa::vmovaps, V(r, bytes), V(a, bytes));
  asmjit::Label entry = as_.label(), back = as_.label();
  int mask_reg = where_[d.c].reg;
  branch_if_any(d.c, entry);
  as_.bind(back);
  bool tail = tail_;
  uint32_t mask = d.c;
  cold_.push_back({entry, [=, this] {
                     tail_ = tail;
                     where_[mask].reg = static_cast<int16_t>(mask_reg);
                     int64_t area = unit_.area();
                     as_.emit(Isa::vmovups, spill(area), V(r, bytes));
                     as_.emit(Isa::vmovups, spill(area + kWord), V(b, bytes));
                     if (y >= 0) as_.emit(Isa::vmovups, spill(area + 2 * kWord), V(y, bytes));
                     mask_bits(mask, x86::rdx);
                     cold_call({in(i), d.type, lanes_}, back,
                               [=, this] { as_.emit(Isa::vmovups, V(r, bytes), spill(unit_.area())); });
                   }});
  release(i);
  where_[i] = {-1, -1, false, uses_.first[i]};
  bind(i, r);
}

void BodyEmitter::check(uint32_t i) {
  const KInstr& d = in(i);
  unit_.area();
  advance(i);
  int b = use(d.b), index = d.c == kNone ? -1 : use(d.c), mask_reg = use(d.a);
  asmjit::Label entry = as_.label(), back = as_.label();
  branch_if_any(d.a, entry);
  as_.bind(back);
  bool tail = tail_;
  KType from = type(d.b);
  uint32_t mask = d.a;
  cold_.push_back({entry, [=, this] {
                     tail_ = tail;
                     where_[mask].reg = static_cast<int16_t>(mask_reg);
                     int64_t area = unit_.area();
                     as_.emit(Isa::vmovups, spill(area + kWord), V(b, std::max(16, lanes_ * bytes_of(from))));
                     if (index >= 0)
                       as_.emit(Isa::mov, spill(area + 4 * kWord), G(index));
                     else {
                       as_.emit(Isa::xor_, x86::rax, x86::rax);
                       as_.emit(Isa::mov, spill(area + 4 * kWord), x86::rax);
                     }
                     mask_bits(mask, x86::rdx);
                     cold_call({in(i), from, lanes_}, back, [] {});
                   }});
  release(i);
}

// A pure instruction that the target lacks: lane by lane.
void BodyEmitter::slow(uint32_t i) {
  const KInstr& d = in(i);
  int64_t area = unit_.area();
  advance(i);
  const uint32_t operands[] = {d.a, d.b, d.c};
  for (int s = 0; s < 3; ++s) {
    if (operands[s] == kNone) continue;
    KType t = type(operands[s]);
    as_.emit(Isa::vmovups, spill(area + (s + 1) * kWord), V(use(operands[s]), std::max(16, lanes_ * bytes_of(t))));
  }
  as_.emit(Isa::mov, x86::rdx, asmjit::Imm((1 << lanes_) - 1));
  asmjit::Label back = as_.label();
  cold_call({d, type(d.a), lanes_}, back, [] {});
  as_.bind(back);
  release(i);
  int r = define(i);
  as_.emit(Isa::vmovups, V(r, std::max(16, lanes_ * bytes_of(d.type))), spill(area));
}

void BodyEmitter::call(uint32_t i) {
  const KInstr& d = in(i);
  advance(i);
  uint32_t key = static_cast<uint32_t>(d.aux) << 8 | static_cast<uint32_t>(d.type);
  auto found = std::ranges::find(unit_.routines, key, [](const auto& r) { return r.first; });
  if (found == unit_.routines.end()) {
    unit_.routines.emplace_back(key, as_.label());
    found = std::prev(unit_.routines.end());
  }
  int a = use(d.a);
  if (a != 0) {
    if (files_[vec].value[0] != kFree) evict(vec, 0);
    as_.emit(Isa::vmovaps, x86::xmm0, x86::xmm(static_cast<uint32_t>(a)));
  }
  release(i);
  for (int r = 0; r < 32; ++r)
    if (kRoutineVectors >> r & 1) evict(vec, r);
  if (unit_.avx512)
    for (int r = 0; r < 8; ++r) evict(kreg, r);
  as_.emit(Isa::call, found->second);
  where_[i] = {-1, -1, false, uses_.first[i]};
  bind(i, 0);
}

}  // namespace jot::cpu
