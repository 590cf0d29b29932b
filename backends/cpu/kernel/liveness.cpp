#include <algorithm>

#include "backends/cpu/kernel/regalloc.h"

namespace jot::cpu {
namespace {

bool costs_register(const KInstr& in) {
  return in.op != KOp::constant && in.op != KOp::iconst && in.op != KOp::arg && in.op != KOp::lane_index &&
         in.op != KOp::mask_const;
}

}  // namespace

int RegisterModel::slot_bytes(KType t) const {
  if (t == KType::scalar || lanes == 1) return 8;
  if (t == KType::mask) return mask_registers ? 8 : 32;
  return std::max(16, lanes * bytes_of(t));
}

Liveness::Liveness(const Kernel& kernel, const RegisterModel& model) : kernel_(kernel), model_(model) {
  const auto n = static_cast<uint32_t>(kernel.instrs.size());
  next_.assign(n, {kNever, kNever, kNever, kNever});
  first_.assign(n, kNever);
  dead_.assign(n, 0);
  size_t entries = 0;
  for (uint32_t i = 0; i < n; ++i) {
    const KInstr& in = kernel.instrs[i];
    if (in.op == KOp::bitcast && root_.empty()) {
      root_.resize(n);
      for (uint32_t v = 0; v < n; ++v) root_[v] = v;
    }
    // A variable changes: its cast is a copy.
    if (in.op == KOp::bitcast && kernel.instrs[root_[in.a]].op != KOp::var) root_[i] = root_[in.a];
    if (in.op == KOp::store_rows) {
      next_[i][3] = static_cast<uint32_t>(entries);
      entries += in.aux;
    }
  }
  list_next_.assign(entries, kNever);
  for (uint32_t i = n; i-- > 0;) operands(i);
}

bool Liveness::unused(uint32_t i) const {
  if (first_[i] != kNever) return false;
  const KInstr& in = kernel_.instrs[i];
  const KKind kind = info(in.op).kind;
  if (kind == KKind::effect || kind == KKind::loop) return false;
  for (uint32_t j = 1; in.op == KOp::load_rows && j < in.aux; ++j)
    if (first_[i + j] != kNever) return false;
  return true;
}

// Walks backwards: first_[v] is the next use of v seen from instruction i.
void Liveness::operands(uint32_t i) {
  const KInstr& in = kernel_.instrs[i];
  if (in.op == KOp::endloop) {
    loop_of_[in.a] = loops_.size();
    loops_.push_back({.begin = in.a, .end = i, .carried = {{in.a, kNever, kNever}}});
    open_.push_back({.loop = loops_.size() - 1});
    first_[in.a] = i;
    return;
  }
  if (in.op == KOp::row) return;
  if (root(i) != i) {
    dead_[i] = 1;  // a name only
    return;
  }
  if (is_loop(in.op)) {
    Loop& loop = loops_[open_.back().loop];
    for (Carried& c : loop.carried) {
      c.first = first_[c.value];
      if (c.value != i) first_[c.value] = i;
    }
    open_.pop_back();
  } else if (unused(i)) {
    dead_[i] = 1;
    return;
  }
  if (in.op == KOp::load_rows)
    for (uint32_t j = 0; j < in.aux; ++j) define(i + j);
  else if (has_value(in.op) && !is_loop(in.op))
    define(i);
  const std::array<uint32_t, 4> named = {in.a, in.b, in.c, in.op == KOp::store_rows ? kNone : in.d};
  for (size_t s = 0; s < 4; ++s) {
    if (named[s] == kNone) continue;
    const uint32_t v = root(named[s]);
    if (first_[v] != i) {
      read(i, v, next_[i][s]);
    } else {  // an operand named twice has one next use
      size_t same = 0;
      while (named[same] == kNone || root(named[same]) != v) ++same;
      // What a loop's body reads, too, enter_loop knows; constants and arguments are made anew there.
      next_[i][s] = same < s ? next_[i][same] : costs_register(kernel_.instrs[v]) ? loops_[loop_of_.at(i)].end : kNever;
    }
  }
  if (in.op == KOp::store_rows)  // a value named twice is needed until its last entry
    for (uint32_t j = in.aux; j-- > 0;) read(i, root(kernel_.lists[in.d + j]), list_next_[next_[i][3] + j]);
}

void Liveness::read(uint32_t i, uint32_t v, uint32_t& next) {
  const KInstr& def = kernel_.instrs[v];
  for (Open& open : open_) {
    Loop& loop = loops_[open.loop];
    const RegisterFile f = model_.file(def.type);
    if (loop.begin >= v || !costs_register(def)) {  // constants come from outside
      if (first_[v] > loop.end) {
        loop.carried.push_back({v, kNever, first_[v]});
        first_[v] = loop.end;
      }
    } else if (first_[v] == kNever) {
      loop.pressure[f] = std::max(loop.pressure[f], ++open.live[f]);
    }
  }
  next = first_[v];
  first_[v] = i;
}

void Liveness::define(uint32_t v) {
  const KInstr& def = kernel_.instrs[v];
  if (first_[v] == kNever || !costs_register(def)) return;
  for (Open& open : open_) --open.live[model_.file(def.type)];
}

}  // namespace jot::cpu
