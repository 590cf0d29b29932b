// Sources of a cluster, what it loads, and what it keeps for a row.
#include <algorithm>
#include <climits>

#include "backends/cpu/kernel/lower_ops.h"
#include "backends/cpu/lower/lower_kernel.h"
#include "backends/cpu/ops/cpu_ops.h"

namespace jot::cpu {

using namespace ir;

// ---- sources

uint32_t ClusterMemory::integer(int64_t x) {
  KType t = index_type();
  return b_->constant(t, static_cast<uint64_t>(x));
}

uint32_t ClusterMemory::loop_index(Axis a) {
  for (size_t l = 0; l < loops_.size(); ++l) {
    if (loops_[l].axes.back() != a) continue;
    uint32_t first = vector_of(loops_[l].index);
    return l == vector_loop_ ? b_->add(first, b_->lane_index(index_type())) : first;
  }
  internal_error("an axis whose index is used has a loop", g_.name());
}

uint32_t ClusterMemory::position(Value v, size_t dim, uint32_t element) {
  Axis a = c_.axes.of(v)[dim];
  return c_.axes.looped(a) ? loop_index(a) : integer(element_index(c_.axes, g_, v, element)[dim]);
}

// Kept like the elements of members: most are used often.
uint32_t ClusterMemory::splat(Value v, int64_t word) {
  if (t_.access_stamp[v] != mark_) {
    t_.access_stamp[v] = mark_;
    slots_made_ = std::max(slots_made_, static_cast<uint32_t>(slots_.size()));
    t_.access[v] = slots_made_++;
  }
  uint32_t slot = t_.access[v];
  if (slot >= slots_.size()) slots_.resize(slot + 1, kNone);
  if (slots_[slot] == kNone) set_slot(slot, constant(*b_, g_.dtype(v), word));
  return slots_[slot];
}

uint32_t ClusterMemory::source(Value v, uint32_t element) {
  AttrView a = g_.attrs(v);
  KType t = kernel_type(g_.dtype(v));
  if (g_.op(v) == Op::const_op) {
    Ints data = a.ints(Key::data);
    if (data.size() == 1) return splat(v, data[0]);
    if (c_.axes.has_loops(v)) return load(v, element);
    return constant(*b_, g_.dtype(v), data[element]);
  }
  if (g_.op(v) == Op::iota_op) {
    uint32_t i = position(v, static_cast<size_t>(a.integer(Key::dim)), element);
    return b_->type(i) == t ? i : b_->convert(t, i);
  }
  size_t half = g_.shape(v).size() / 2;
  uint32_t equal = kNone;
  for (size_t d = 0; d < half; ++d) {
    if (g_.shape(v)[d] == 1) continue;
    uint32_t here = b_->cmp(KCmp::eq, position(v, d, element), position(v, d + half, element));
    equal = equal == kNone ? here : b_->mand(equal, here);
  }
  return equal == kNone ? b_->number(t, 1) : b_->select(equal, b_->number(t, 1), b_->number(t, 0));
}

// ---- loads

uint32_t ClusterMemory::load(Access& a, DType dtype, uint32_t element) {
  uint32_t slot = a.slots + element;
  if (slots_[slot] != kNone) return slots_[slot];
  const KElement t = element_in_memory(dtype);
  bool vector = in_vector() && a.moves(vector_loop_), whole = t.type != KType::mask && t.memory == KMem::own;
  if (vector && !a.unit(vector_loop_) && a.dense() && a.elements() > 1 && whole) {
    load_rows(a, t.type, element);
    return slots_[slot];
  }
  Access::Address at = a.at(*b_, loops_, element);
  uint32_t result;
  if (!vector)
    result = b_->lanes() == 1 ? b_->load_one(t, a.pointer(), at.index, at.bytes)
                              : b_->load_bcast(t, a.pointer(), at.index, at.bytes);
  else if (a.unit(vector_loop_))
    result = b_->load(t, a.pointer(), at.index, at.bytes);
  else
    result = b_->load_strided(t, a.pointer(), at.index, a.step(vector_loop_, *b_), at.bytes);
  result = widened(*b_, dtype, result);
  set_slot(slot, result);
  return result;
}

// The elements around one that lie behind each other, transposed in registers.
void ClusterMemory::load_rows(Access& a, KType t, uint32_t element) {
  auto block = static_cast<uint32_t>(b_->lanes());
  uint32_t first = element / block * block, count = std::min(block, a.elements() - first);
  if (a.tile != kNone) return load_rows_of_tile(a, t, first, count);
  Access::Address at = a.at(*b_, loops_, first);
  uint32_t step = a.step(vector_loop_, *b_);
  if (count == 1) return set_slot(a.slots + first, b_->load_strided(t, a.pointer(), at.index, step, at.bytes));
  uint32_t row = b_->load_rows(t, static_cast<uint16_t>(count), a.pointer(), at.index, step, at.bytes);
  for (uint32_t j = 0; j < count; ++j) set_slot(a.slots + first + j, row + j);
}

// What does not fit the caches is read in the order in which it lies: rows are far apart where they are long.
void ClusterMemory::load_rows_of_tile(Access& a, KType t, uint32_t first, uint32_t count) {
  const uint32_t n = a.elements();
  const int64_t size = bytes_of(t);
  if (!a.in_tile) {
    const Access::Address from = a.at(*b_, loops_, 0);
    const uint32_t pointer = b_->iadd(a.pointer(), b_->iadd(b_->imuli(from.index, size), b_->iconst(from.bytes)));
    b_->copy(t, static_cast<uint16_t>(n), pointer, a.tile);
    a.in_tile = true;
  }
  const uint32_t row = b_->load_rows(t, static_cast<uint16_t>(count), a.tile, kNone, b_->iconst(n), first * size);
  for (uint32_t j = 0; j < count; ++j) set_slot(a.slots + first + j, row + j);
}

// ---- memory of the thread

void ClusterMemory::set_slot(uint32_t slot, uint32_t value) {
  slots_[slot] = value;
  if (inner_) inner_slots_.push_back(slot);
}

// Values that several phases need and that cost more than reading them again are kept in memory for a row, where the
// row fits in a cache.
void ClusterMemory::find_kept() {
  constexpr int kCheap = 4, kMost = 100;
  constexpr int64_t kRowBytes = int64_t{256} << 10;
  struct Need {
    int first = INT_MAX, last = -1, cost = 1;
  };
  std::map<Value, Need> needs;
  auto source = [&](Value o) {
    while (!own(o) && c_.role[o] == Role::view && c_.follows[o]) o = g_.operand(o, 0);
    return phase_.contains(o) && in_all_loops(o) && c_.reduction[o] == Reduction::none ? o : kNoValue;
  };
  for (Value v : cluster_.members) {
    Need& n = needs[v];
    if (info(g_.op(v)).is(Trait::dear)) n.cost = 8;
    if (cpu_op(g_.op(v)).kernel == InKernel::matrix) n.cost = kMost;
    for (Value o : g_.operands(v))
      if (Value s = source(o); s != kNoValue) n.cost = std::min(n.cost + needs.at(s).cost, kMost);
    if (c_.stored[v] || c_.reduction[v] != Reduction::none) n.first = n.last = phase_.at(v);
  }
  std::vector<Axis> inner;
  for (size_t l = outer_; l < loops_.size(); ++l)
    inner.insert(inner.end(), loops_[l].axes.begin(), loops_[l].axes.end());
  std::ranges::sort(inner);
  int64_t row = cluster_.across() ? b_->lanes() : 1;
  const int64_t lanes = row;
  for (Axis a : inner) row *= c_.axes.extent(a);
  for (size_t i = cluster_.members.size(); i-- > 0;) {
    Value v = cluster_.members[i];
    Need n = needs.at(v);
    if (n.last < 0 || (!in_all_loops(v) && c_.reduction[v] == Reduction::none)) continue;
    int64_t bytes = c_.axes.elements(v) * bytes_of(kernel_type(g_.dtype(v)));
    if (n.first < n.last && n.cost > kCheap && row * bytes <= kRowBytes) {
      uint32_t pointer = args_->scratch(inner, bytes * lanes);
      b_->read_write(pointer);
      kept_[v] = {n.first, pointer};
      n.last = n.first;
    }
    for (Value o : g_.operands(v))
      if (Value s = source(o); s != kNoValue) {
        Need& m = needs.at(s);
        m.first = std::min(m.first, n.first);
        m.last = std::max(m.last, n.last);
      }
  }
  if (!kept_.empty()) args_->product(inner);  // before the loops
}

// Element-major: each element a row of its own, of as many numbers a place as rows run side by side.
uint32_t ClusterMemory::kept_index(uint32_t element) {
  std::vector<Axis> behind;
  uint32_t index = kNone;
  for (size_t l = loops_.size(); l-- > outer_;) {
    uint32_t part = behind.empty() ? loops_[l].index : b_->imul(loops_[l].index, args_->product(behind));
    index = index == kNone ? part : b_->iadd(index, part);
    behind.insert(behind.end(), loops_[l].axes.begin(), loops_[l].axes.end());
    std::ranges::sort(behind);
  }
  if (element > 0) index = b_->iadd(index, b_->imuli(args_->product(behind), element));
  return cluster_.across() ? b_->imuli(index, b_->lanes()) : index;
}

uint32_t ClusterMemory::load_kept(Value v, uint32_t element) {
  uint32_t x = b_->load(kernel_type(g_.dtype(v)), kept_.at(v).pointer, kept_index(element));
  set_slot(t_.slot[v] + element, x);
  return x;
}

}  // namespace jot::cpu
