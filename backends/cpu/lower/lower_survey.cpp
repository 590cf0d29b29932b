// What a cluster accesses, and the phases in which its rows run.
#include <algorithm>
#include <climits>

#include "backends/cpu/lower/lower_kernel.h"

namespace jot::cpu {

using namespace ir;

void ClusterSurvey::survey() {
  uint32_t slots = 0;
  for (const std::vector<Value>* list : {&cluster_.members, &cluster_.inlined})
    for (Value v : *list) {
      t_.slot[v] = slots;
      t_.slot_stamp[v] = mark_;
      slots += static_cast<uint32_t>(c_.axes.elements(v));
    }
  slots_.assign(slots, kNone);
  for (const std::vector<Value>* list : {&cluster_.members, &cluster_.inlined})
    for (Value v : *list) {
      see(g_.dtype(v));
      bool plain = c_.follows[v] && g_.op(v) != Op::gather_op;
      std::span<const Value> operands = g_.operands(v);
      for (size_t i = 0; i < operands.size(); ++i)
        if (!plain || !own(operands[i])) survey_operand(v, i);
    }
  for (Value v : cluster_.members)
    if (c_.stored[v] && c_.reduction[v] != Reduction::full) find_access(v, false);
}

// A movement that no loop nest follows: its elements are read where its operand lies.
bool ClusterSurvey::copies_memory(Value v) const {
  return !c_.follows[v] && own(v) && moves_one(g_.op(v)) && splat_of(v) == kNoValue;
}

// Wherever they are moved, all elements are that of the constant, which need not be in memory.
Value ClusterSurvey::splat_of(Value v) const {
  while (moves_one(g_.op(v))) v = g_.operand(v, 0);
  return is_splat(g_, v) ? v : kNoValue;
}

void ClusterSurvey::survey_operand(Value v, size_t i) {
  Value o = g_.operand(v, i);
  if (copies_memory(v)) return find_access(v, true);
  if (g_.op(v) == Op::gather_op && i == 0) {
    const Ints batch = g_.attrs(v).ints(Key::index_batch), offset = g_.attrs(v).ints(Key::offset_dims);
    for (int64_t d : batch)
      if (Axis a = c_.axes.of(g_.operand(v, 1))[static_cast<size_t>(d)]; c_.axes.looped(a)) alone_.push_back(a);
    for (int64_t d : offset)
      if (Axis a = c_.axes.of(v)[static_cast<size_t>(d)]; c_.axes.looped(a)) alone_.push_back(a);
    int64_t reach = 0;
    Placement from = placement_of(c_, o);
    for (size_t d = 0; d < from.strides.size(); ++d) reach += (g_.shape(o)[d] - 1) * std::abs(from.strides[d]);
    if (reach >= INT32_MAX) see(DType::i64);
    return;
  }
  survey_read(o);
}

void ClusterSurvey::survey_read(Value o) {
  see(g_.dtype(o));
  if (splat_of(o) != kNoValue) return;
  while (!own(o) && c_.role[o] == Role::view && c_.follows[o]) o = g_.operand(o, 0);
  if (own(o)) return;
  if (c_.role[o] != Role::source) return find_access(o, false);
  if (g_.op(o) == Op::const_op) {
    if (c_.axes.has_loops(o)) find_access(o, false);
    return;
  }
  for (Axis a : c_.axes.of(o))
    if (c_.axes.looped(a)) {
      alone_.push_back(a);
      if (c_.axes.extent(a) > INT32_MAX) see(DType::i64);
    }
}

void ClusterSurvey::find_access(Value v, bool copied) {
  if (copied) {
    if (!copied_.emplace(v, found_.size()).second) return;
  } else {
    if (t_.access_stamp[v] == mark_) return;
    t_.access_stamp[v] = mark_;
    t_.access[v] = static_cast<uint32_t>(found_.size());
  }
  Found f{v, layout_of(c_, v, copied), std::vector<Stride>(cluster_.loops.size())};
  for (size_t d = 0; d < f.layout.strides.size(); ++d) {
    Axis a = c_.axes.of(v)[d];
    if (!c_.axes.looped(a)) continue;
    auto at = std::ranges::find(cluster_.loops, a);
    if (at == cluster_.loops.end()) internal_error("the axes of an access are loops of its cluster", g_.name());
    f.by_axis[static_cast<size_t>(at - cluster_.loops.begin())] = f.layout.strides[d];
  }
  found_.push_back(std::move(f));
}

bool ClusterSurvey::in_all_loops(Value v) const {
  size_t n = 0;
  for (Axis a : c_.axes.of(v)) n += c_.axes.looped(a);
  return n == cluster_.loops.size();
}

// Rows run in phases: a value that needs the result of a reduction of this row comes a phase after it. Values of the
// outer loops: the phase after whose loops they are known, -1 if before all.
void ClusterSurvey::find_phases() {
  for (Value v : cluster_.members) {
    bool all = in_all_loops(v), reduces = c_.reduction[v] != Reduction::none;
    int phase = all || reduces ? 0 : -1;
    for (Value o : g_.operands(v)) {
      while (!own(o) && c_.role[o] == Role::view && c_.follows[o]) o = g_.operand(o, 0);
      auto at = phase_.find(o);
      if (at == phase_.end()) continue;
      bool from_row = !in_all_loops(o) || c_.reduction[o] == Reduction::rows;
      phase = std::max(phase, at->second + (from_row && (all || reduces)));
    }
    phase_[v] = phase;
  }
}

}  // namespace jot::cpu
