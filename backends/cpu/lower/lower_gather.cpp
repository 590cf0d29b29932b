// Where the slices of gathers start, and what is within.
#include <algorithm>

#include "backends/cpu/kernel/lower_ops.h"
#include "backends/cpu/kernel/math.h"
#include "backends/cpu/lower/lower_kernel.h"
#include "backends/cpu/ops/cpu_ops.h"
#include "ir/rules.h"

namespace jot::cpu {

using namespace ir;

namespace {

size_t position_of(Ints list, size_t d) {
  return static_cast<size_t>(std::ranges::find(list, static_cast<int64_t>(d)) - list.begin());
}

}  // namespace

// The start of the slices along entry k of index_map, within bounds. `outside`: lanes that are out of them.
uint32_t ClusterGathers::start_along(Value v, size_t k, uint32_t index, uint32_t& outside, Element batch) {
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
    case IndexMode::clip:
      return b_->max(b_->min(index, last), none);
    case IndexMode::wrap: {
      uint32_t rest = integer_remainder(*b_, index, extent);
      return b_->select(b_->cmp(KCmp::lt, rest, none), b_->add(rest, extent), rest);
    }
    case IndexMode::fill: {
      uint32_t out = is_outside(index);
      outside = outside == kNone ? out : b_->mor(outside, out);
      return b_->select(out, none, index);
    }
    case IndexMode::check:
      break;
  }
  uint32_t from_front = b_->select(b_->cmp(KCmp::lt, index, none), b_->add(index, extent), index);
  uint32_t out = is_outside(from_front);
  faults_.push_back({v, static_cast<int64_t>(k)});
  b_->check(static_cast<int64_t>(faults_.size()), out, index, batch.first, batch.step);
  return b_->select(out, none, from_front);
}

ClusterGathers::Element ClusterGathers::element_of_batch(Value indices, std::span<const int64_t> batch_index) {
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

uint32_t ClusterGathers::scaled(uint32_t place, const Stride& stride) {
  if (!stride.fixed()) return b_->mul(place, vector_of(args_->scalar(stride)));
  return stride.factor == 1 ? place : b_->mul(place, integer(stride.factor));
}

// Adds the index of a loop, as far as lanes have it in common to the base.
void ClusterGathers::add_loop(Starts& starts, Axis axis, const Stride& stride) {
  const auto loop = std::ranges::find_if(loops_, [&](const Loop& l) { return l.axes.back() == axis; });
  if (loop == loops_.end()) internal_error("an axis whose index is used has a loop", g_.name());
  const uint32_t common = b_->imul(loop->index, args_->scalar(stride));
  starts.base = starts.base == kNone ? common : b_->iadd(starts.base, common);
  if (static_cast<uint32_t>(loop - loops_.begin()) == vector_loop_)
    starts.elements = b_->add(starts.elements, scaled(b_->lane_index(index_type()), stride));
}

// Position of the slices, in elements of the operand.
ClusterGathers::Starts& ClusterGathers::starts_of(Value v, uint32_t batch, std::span<const uint32_t> indices,
                                                  std::span<const int64_t> batch_index) {
  auto [it, fresh] = starts_.try_emplace({v, batch}, Starts{kNone, kNone});
  if (!fresh) return it->second;
  AttrView a = g_.attrs(v);
  Value from = g_.operand(v, 1);
  const std::vector<Stride>& strides = operand_strides_.at(v);
  Starts& s = it->second;
  seen_.insert({v, batch});
  auto add = [&](uint32_t start, const Stride& stride) {
    start = scaled(start, stride);
    s.elements = s.elements == kNone ? start : b_->add(s.elements, start);
  };
  std::span<const Axis> index_axes = c_.axes.of(from);
  Element element = a.mode() == IndexMode::check ? element_of_batch(from, batch_index) : Element();
  for (size_t k = 0; k < indices.size(); ++k)
    add(start_along(v, k, indices[k], s.outside, element), strides[static_cast<size_t>(a.ints(Key::index_map)[k])]);
  if (s.elements == kNone) s.elements = integer(0);
  for (size_t k = 0; k < a.ints(Key::operand_batch).size(); ++k) {
    auto d = static_cast<size_t>(a.ints(Key::index_batch)[k]);
    const Stride& stride = strides[static_cast<size_t>(a.ints(Key::operand_batch)[k])];
    if (c_.axes.looped(index_axes[d]))
      add_loop(s, index_axes[d], stride);
    else
      add(integer(batch_index[d]), stride);
  }
  return s;
}

// Which of the slices an element is of.
ClusterGathers::Slice ClusterGathers::slice_of(Value v, uint32_t element) const {
  Ints offset_dims = g_.attrs(v).ints(Key::offset_dims);
  Slice s{.index = element_index(c_.axes, g_, v, element)};
  for (size_t d = 0; d < s.index.size(); ++d)
    if (position_of(offset_dims, d) == offset_dims.size()) s.batch_index.push_back(s.index[d]);
  const Shape steps = element_steps(c_.axes, g_, g_.operand(v, 1));
  for (size_t d = 0; d < s.batch_index.size(); ++d) s.batch += static_cast<uint32_t>(s.batch_index[d] * steps[d]);
  return s;
}

bool ClusterElements::step_gather(Frame& f) {
  Value v = f.value, from = g_.operand(v, 1);
  AttrView a = g_.attrs(v);
  const auto [index, batch_index, batch] = slice_of(v, f.element);
  std::vector<uint32_t> indices(a.ints(Key::index_map).size());
  const auto step = static_cast<uint32_t>(element_steps(c_.axes, g_, from).back());
  for (uint32_t k = 0; k < indices.size(); ++k)
    if (!get_number(resolve(from, batch + k * step), indices[k])) return false;
  Starts s = starts_of(v, batch, indices, batch_index);
  // Within the slice.
  const std::vector<Stride>& strides = operand_strides_.at(v);
  int64_t fixed = 0;
  size_t window = 0;
  for (size_t d = 0; d < strides.size(); ++d) {
    if (position_of(a.ints(Key::collapsed), d) != a.ints(Key::collapsed).size()) continue;
    if (position_of(a.ints(Key::operand_batch), d) != a.ints(Key::operand_batch).size()) continue;
    const auto at = static_cast<size_t>(a.ints(Key::offset_dims)[window++]);
    if (Axis axis = c_.axes.of(v)[at]; c_.axes.looped(axis)) {
      add_loop(s, axis, strides[d]);
      continue;
    }
    int64_t i = index[at];
    if (i == 0) continue;
    if (strides[d].fixed())
      fixed += i * strides[d].factor;
    else
      s.elements = b_->add(s.elements, vector_of(args_->scalar(times(strides[d], i))));
  }
  const DType dtype = g_.dtype(v);
  uint32_t from_here = operand_pointers_.at(v);
  if (s.base != kNone) from_here = b_->iadd(from_here, b_->imuli(s.base, size_of(dtype)));
  uint32_t element = b_->gather(element_in_memory(dtype), from_here, s.elements, fixed * size_of(dtype));
  uint32_t result = widened(*b_, dtype, element);
  if (s.outside != kNone) result = b_->select(s.outside, zero(*b_, b_->type(result)), result);
  set_slot(t_.slot[v] + f.element, result);
  return true;
}

// Also the indices of slices that nothing here looks at are to be in range, and no other data at fault.
void ClusterElements::check_unseen() {
  for (Value v : cluster_.members) {
    if (fault_kinds(g_, v) == 0 || !in_all_loops(v)) continue;
    if (g_.op(v) != Op::gather_op) {
      make_all(v);
      continue;
    }
    for (uint32_t j = 0; j < c_.axes.elements(v); ++j)
      if (!seen_.contains({v, slice_of(v, j).batch})) make(v, j);
  }
}

}  // namespace jot::cpu
