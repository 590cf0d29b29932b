// Sources, loads and gathers of a cluster.
#include <algorithm>

#include "backends/cpu/kernel/lower_ops.h"
#include "backends/cpu/lower/lower_kernel.h"

namespace jot::cpu {

using namespace ir;

namespace {

size_t position_of(Ints list, size_t d) {
  return static_cast<size_t>(std::ranges::find(list, static_cast<int64_t>(d)) - list.begin());
}

// Index of every dim of an element; 0 along loops.
std::vector<int64_t> index_of(const Axes& axes, const GraphData& g, Value v, uint32_t element) {
  std::vector<int64_t> index(g.shape(v).size(), 0);
  int64_t rest = element;
  for (size_t d = index.size(); d-- > 0;) {
    if (axes.looped(axes.of(v)[d])) continue;
    index[d] = rest % g.shape(v)[d];
    rest /= g.shape(v)[d];
  }
  return index;
}

}  // namespace

// ---- sources

uint32_t ClusterLowering::integer(int64_t x) {
  KType t = index_type();
  return b_->constant(t, static_cast<uint64_t>(x));
}

uint32_t ClusterLowering::loop_index(Axis a) {
  for (size_t l = 0; l < loops_.size(); ++l) {
    if (loops_[l].axes.back() != a) continue;
    uint32_t first = vector_of(loops_[l].index);
    return l == vector_loop_ ? b_->add(first, b_->lane_index(index_type())) : first;
  }
  internal_error("an axis whose index is used has a loop", g_.name());
}

uint32_t ClusterLowering::position(Value v, size_t dim, uint32_t element) {
  Axis a = c_.axes.of(v)[dim];
  return c_.axes.looped(a) ? loop_index(a) : integer(index_of(c_.axes, g_, v, element)[dim]);
}

// Kept like the elements of members: most are used often.
uint32_t ClusterLowering::splat(Value v, int64_t word) {
  if (t_.access_stamp[v] != mark_) {
    t_.access_stamp[v] = mark_;
    t_.access[v] = static_cast<uint32_t>(slots_.size());
    slots_.push_back(kNone);
  }
  uint32_t slot = t_.access[v];
  if (slots_[slot] == kNone) set_slot(slot, constant(*b_, g_.dtype(v), word));
  return slots_[slot];
}

uint32_t ClusterLowering::source(Value v, uint32_t element) {
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

uint32_t ClusterLowering::load(Value v, uint32_t element) {
  Access& a = accesses_[copies_memory(v) ? copied_.at(v) : t_.access[v]];
  uint32_t slot = a.slots + element;
  if (slots_[slot] != kNone) return slots_[slot];
  KType t = kernel_type(g_.dtype(v));
  bool vector = in_vector() && a.moves(vector_loop_);
  if (vector && !a.unit(vector_loop_) && a.dense() && a.elements() > 1 && t != KType::mask) {
    load_rows(a, t, element);
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
  set_slot(slot, result);
  return result;
}

// The elements around one that lie behind each other, transposed in registers.
void ClusterLowering::load_rows(Access& a, KType t, uint32_t element) {
  auto block = static_cast<uint32_t>(b_->lanes());
  uint32_t first = element / block * block, count = std::min(block, a.elements() - first);
  Access::Address at = a.at(*b_, loops_, first);
  uint32_t step = a.step(vector_loop_, *b_);
  if (count == 1) return set_slot(a.slots + first, b_->load_strided(t, a.pointer(), at.index, step, at.bytes));
  uint32_t row = b_->load_rows(t, static_cast<uint16_t>(count), a.pointer(), at.index, step, at.bytes);
  for (uint32_t j = 0; j < count; ++j) set_slot(a.slots + first + j, row + j);
}

// ---- gathers

// The start of the slices along entry k of index_map, within bounds. `outside`: lanes that are out of them.
uint32_t ClusterLowering::start_along(Value v, size_t k, uint32_t index, uint32_t& outside, Element batch) {
  AttrView a = g_.attrs(v);
  Value o = g_.operand(v, 0);
  auto d = static_cast<size_t>(a.ints(Key::index_map)[k]);
  int64_t size = a.ints(Key::sizes)[d];
  Axis axis = c_.axes.of(o)[d];
  uint32_t extent = c_.axes.looped(axis) ? vector_of(args_->product({axis})) : integer(g_.shape(o)[d]);
  if (b_->type(index) != index_type()) index = b_->convert(index_type(), index);
  uint32_t none = integer(0), last = b_->sub(extent, integer(size));
  auto is_outside = [&](uint32_t i) { return b_->mor(b_->cmp(KCmp::lt, i, none), b_->cmp(KCmp::gt, i, last)); };
  switch (a.mode()) {
    case Mode::clip:
      return b_->max(b_->min(index, last), none);
    case Mode::wrap: {
      uint32_t rest = b_->fixup(KFn::irem, index, index, b_->mask_const(true), extent);
      return b_->select(b_->cmp(KCmp::lt, rest, none), b_->add(rest, extent), rest);
    }
    case Mode::fill: {
      uint32_t out = is_outside(index);
      outside = outside == kNone ? out : b_->mor(outside, out);
      return b_->select(out, none, index);
    }
    case Mode::check:
      break;
  }
  uint32_t from_front = b_->select(b_->cmp(KCmp::lt, index, none), b_->add(index, extent), index);
  uint32_t out = is_outside(from_front);
  result_.faults.push_back({v, static_cast<int64_t>(k)});
  b_->check(static_cast<int64_t>(result_.faults.size()), out, index, batch.first, batch.step);
  return b_->select(out, none, from_front);
}

ClusterLowering::Element ClusterLowering::element_of_batch(Value indices, std::span<const int64_t> batch_index) {
  std::span<const Axis> axes = c_.axes.of(indices).subspan(0, batch_index.size());
  std::vector<Stride> strides = row_major(c_.axes, g_.shape(indices).slice(0, axes.size()), axes);
  Element e{b_->iconst(0), b_->iconst(0)};
  for (size_t d = 0; d < axes.size(); ++d) {
    if (!c_.axes.looped(axes[d])) {
      if (batch_index[d] != 0) e.first = b_->iadd(e.first, args_->scalar(times(strides[d], batch_index[d])));
      continue;
    }
    for (size_t l = 0; l < loops_.size(); ++l) {
      if (loops_[l].axes.back() != axes[d] || loops_[l].index == kNone) continue;
      uint32_t step = args_->scalar(strides[d]);
      e.first = b_->iadd(e.first, b_->imul(loops_[l].index, step));
      if (l == vector_loop_) e.step = step;
    }
  }
  return e;
}

// Position of the slices, in elements of the operand.
ClusterLowering::Starts& ClusterLowering::starts_of(Value v, uint32_t batch, std::span<const uint32_t> indices,
                                                    std::span<const int64_t> batch_index) {
  auto [it, fresh] = starts_.try_emplace({v, batch}, Starts{kNone, kNone});
  if (!fresh) return it->second;
  AttrView a = g_.attrs(v);
  Value from = g_.operand(v, 1);
  const std::vector<Stride>& strides = operand_strides_.at(v);
  Starts& s = it->second;
  auto add = [&](uint32_t start, const Stride& stride) {
    if (!stride.fixed())
      start = b_->mul(start, vector_of(args_->scalar(stride)));
    else if (stride.factor != 1)
      start = b_->mul(start, integer(stride.factor));
    s.elements = s.elements == kNone ? start : b_->add(s.elements, start);
  };
  std::span<const Axis> index_axes = c_.axes.of(from);
  Element element = a.mode() == Mode::check ? element_of_batch(from, batch_index) : Element();
  for (size_t k = 0; k < indices.size(); ++k)
    add(start_along(v, k, indices[k], s.outside, element), strides[static_cast<size_t>(a.ints(Key::index_map)[k])]);
  for (size_t k = 0; k < a.ints(Key::operand_batch).size(); ++k) {
    auto d = static_cast<size_t>(a.ints(Key::index_batch)[k]);
    Axis axis = index_axes[d];
    add(c_.axes.looped(axis) ? loop_index(axis) : integer(batch_index[d]),
        strides[static_cast<size_t>(a.ints(Key::operand_batch)[k])]);
  }
  if (s.elements == kNone) s.elements = integer(0);
  return s;
}

bool ClusterLowering::step_gather(Frame& f) {
  Value v = f.value, from = g_.operand(v, 1);
  AttrView a = g_.attrs(v);
  std::vector<int64_t> index = index_of(c_.axes, g_, v, f.element), batch_index;
  for (size_t d = 0; d < index.size(); ++d)
    if (position_of(a.ints(Key::offset_dims), d) == a.ints(Key::offset_dims).size()) batch_index.push_back(index[d]);
  const Shape index_steps = element_steps(c_.axes, g_, from);
  int64_t batch = 0;
  for (size_t d = 0; d < batch_index.size(); ++d) batch += batch_index[d] * index_steps[d];
  std::vector<uint32_t> indices(a.ints(Key::index_map).size());
  for (size_t k = 0; k < indices.size(); ++k) {
    int64_t element = batch + static_cast<int64_t>(k) * index_steps.back();
    if (!get_number(resolve(from, static_cast<uint32_t>(element)), indices[k])) return false;
  }
  Starts s = starts_of(v, static_cast<uint32_t>(batch), indices, batch_index);
  // Within the slice.
  const std::vector<Stride>& strides = operand_strides_.at(v);
  int64_t fixed = 0;
  size_t window = 0;
  for (size_t d = 0; d < strides.size(); ++d) {
    if (position_of(a.ints(Key::collapsed), d) != a.ints(Key::collapsed).size()) continue;
    if (position_of(a.ints(Key::operand_batch), d) != a.ints(Key::operand_batch).size()) continue;
    int64_t i = index[static_cast<size_t>(a.ints(Key::offset_dims)[window++])];
    if (i == 0) continue;
    if (strides[d].fixed())
      fixed += i * strides[d].factor;
    else
      s.elements = b_->add(s.elements, vector_of(args_->scalar(times(strides[d], i))));
  }
  KType t = kernel_type(g_.dtype(v));
  uint32_t result = b_->gather(t, operand_pointers_.at(v), s.elements, fixed * size_of(g_.dtype(v)));
  if (s.outside != kNone) result = b_->select(s.outside, zero(*b_, t), result);
  set_slot(t_.slot[v] + f.element, result);
  return true;
}

}  // namespace jot::cpu
