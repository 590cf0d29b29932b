#include "backends/cpu/lower/lower_elements.h"

#include <algorithm>

namespace jot::cpu {

using namespace ir;

namespace {

bool contains(Ints list, size_t d) { return std::ranges::find(list, static_cast<int64_t>(d)) != list.end(); }

// Element numbers of all index combinations of `dims` of a value.
std::vector<uint32_t> offsets(const Shape& shape, std::span<const int64_t> steps, Ints dims) {
  std::vector<uint32_t> result = {0};
  for (int64_t d : dims) {
    std::vector<uint32_t> next;
    for (uint32_t base : result)
      for (int64_t i = 0; i < shape[static_cast<size_t>(d)]; ++i)
        next.push_back(base + static_cast<uint32_t>(i * steps[static_cast<size_t>(d)]));
    result = std::move(next);
  }
  return result;
}

}  // namespace

Shape element_steps(const Axes& axes, const GraphData& g, Value v) {
  Shape steps = g.shape(v);
  std::ranges::fill(steps, 0);
  int64_t step = 1;
  for (size_t d = steps.size(); d-- > 0;) {
    if (axes.looped(axes.of(v)[d])) continue;
    steps[d] = step;
    step *= g.shape(v)[d];
  }
  return steps;
}

// f(index of every dim; 0 along loops), row-major.
template <class F>
void ElementMaps::for_each_element(Value v, F f) const {
  const Shape& shape = g_.shape(v);
  Shape index = shape;
  std::ranges::fill(index, 0);
  for (int64_t n = axes_.elements(v); n > 0; --n) {
    f(std::span<const int64_t>(index));
    for (size_t d = index.size(); d-- > 0;) {
      if (axes_.looped(axes_.of(v)[d])) continue;
      if (++index[d] < shape[d]) break;
      index[d] = 0;
    }
  }
}

uint32_t ElementMaps::source(Value v, uint32_t element, uint32_t* part) {
  if (g_.op(v) == Op::reshape_op || g_.op(v) == Op::copy_op || g_.op(v) == Op::stop_gradient_op) return element;
  if (g_.op(v) == Op::broadcast_op && axes_.elements(g_.operand(v, 0)) == 1) return 0;
  if (first_[v] == kUnknown) build_movement(v);
  if (g_.op(v) != Op::concat_op) return pool_[first_[v] + element];
  *part = pool_[first_[v] + 2 * element];
  return pool_[first_[v] + 2 * element + 1];
}

void ElementMaps::build_movement(Value v) {
  first_[v] = static_cast<uint32_t>(pool_.size());
  AttrView a = g_.attrs(v);
  Value o = g_.operand(v, 0);
  const Shape steps = element_steps(axes_, g_, o);
  const Shape& from = g_.shape(o);
  // Position of a result index along each operand dim, as a sum over the operand's dims.
  auto affine = [&](auto position) {
    for_each_element(v, [&](std::span<const int64_t> i) {
      int64_t at = 0;
      for (size_t d = 0; d < from.size(); ++d)
        if (steps[d] != 0) at += position(d, i) * steps[d];
      pool_.push_back(static_cast<uint32_t>(at));
    });
  };
  switch (g_.op(v)) {
    case Op::broadcast_op: {
      Ints dims = a.ints(Key::dims);
      return affine([&](size_t d, auto i) { return from[d] == 1 ? 0 : i[static_cast<size_t>(dims[d])]; });
    }
    case Op::permute_op: {
      std::vector<size_t> result_dim(from.size());
      for (size_t d = 0; d < from.size(); ++d) result_dim[static_cast<size_t>(a.ints(Key::perm)[d])] = d;
      return affine([&](size_t d, auto i) { return i[result_dim[d]]; });
    }
    case Op::slice_op: {
      Ints start = a.ints(Key::start), stride = a.ints(Key::stride);
      return affine([&](size_t d, auto i) { return start[d] + i[d] * stride[d]; });
    }
    case Op::rev_op: {
      Ints dims = a.ints(Key::dims);
      return affine([&](size_t d, auto i) { return contains(dims, d) ? from[d] - 1 - i[d] : i[d]; });
    }
    case Op::pad_op: {
      Ints lo = a.ints(Key::lo), interior = a.ints(Key::interior);
      for_each_element(v, [&](std::span<const int64_t> i) {
        int64_t at = 0;
        bool inside = true;
        for (size_t d = 0; d < from.size(); ++d) {
          if (axes_.looped(axes_.of(v)[d])) continue;  // unpadded
          int64_t offset = i[d] - lo[d], step = interior[d] + 1;
          inside &= offset >= 0 && offset % step == 0 && offset / step < from[d];
          at += offset / step * steps[d];
        }
        pool_.push_back(inside ? static_cast<uint32_t>(at) : kZeroElement);
      });
      return;
    }
    case Op::diag_embed_op: {
      auto batch = static_cast<size_t>(a.integer(Key::batch_dims));
      size_t n = from.size() - batch;
      for_each_element(v, [&](std::span<const int64_t> i) {
        int64_t at = 0;
        bool diagonal = true;
        for (size_t d = 0; d < from.size(); ++d) at += i[d] * steps[d];
        for (size_t d = batch; d < from.size(); ++d) diagonal &= i[d] == i[d + n];
        pool_.push_back(diagonal ? static_cast<uint32_t>(at) : kZeroElement);
      });
      return;
    }
    case Op::concat_op: {
      auto dim = static_cast<size_t>(a.integer(Key::dim));
      std::span<const Value> operands = g_.operands(v);
      std::vector<Shape> part_steps;
      std::vector<std::pair<uint32_t, int64_t>> place;  // of each index along dim: part, index within
      for (uint32_t p = 0; p < operands.size(); ++p) {
        part_steps.push_back(element_steps(axes_, g_, operands[p]));
        for (int64_t i = 0; i < g_.shape(operands[p])[dim]; ++i) place.emplace_back(p, i);
      }
      for_each_element(v, [&](std::span<const int64_t> i) {
        auto [p, within] = place[static_cast<size_t>(i[dim])];
        int64_t at = 0;
        for (size_t d = 0; d < i.size(); ++d) at += (d == dim ? within : i[d]) * part_steps[p][d];
        pool_.push_back(p);
        pool_.push_back(static_cast<uint32_t>(at));
      });
      return;
    }
    default:
      internal_error("a movement", name_of(g_.op(v)));
  }
}

ElementMaps::Terms ElementMaps::terms(Value v) {
  if (first_[v] == kUnknown) build_terms(v);
  const uint32_t* at = &pool_[first_[v]];
  Terms t;
  t.count = *at++;
  auto results = static_cast<size_t>(axes_.elements(v));
  for (size_t i = 0; i < g_.operands(v).size(); ++i) {
    t.base[i] = {at, results};
    t.offset[i] = {at + results, t.count};
    at += results + t.count;
  }
  return t;
}

void ElementMaps::build_terms(Value v) {
  AttrView a = g_.attrs(v);
  bool dot = g_.op(v) == Op::dot_op;
  std::vector<uint32_t> words;
  size_t next_free = 0;
  uint32_t count = 0;
  for (size_t i = 0; i < g_.operands(v).size(); ++i) {
    Value o = g_.operand(v, i);
    const Shape& shape = g_.shape(o);
    const Shape steps = element_steps(axes_, g_, o);
    Shape result_dims = g_.shape(v);  // operand dim of each result dim or -1
    std::ranges::fill(result_dims, -1);
    std::vector<int64_t> reduced;
    if (dot) {
      Ints batch = i == 0 ? a.first(Key::batch) : a.second(Key::batch);
      Ints contract = i == 0 ? a.first(Key::contract) : a.second(Key::contract);
      for (size_t d = 0; d < batch.size(); ++d) result_dims[d] = batch[d];
      if (i == 0) next_free = batch.size();
      for (int64_t d : free_dims(g_, v, i)) result_dims[next_free++] = d;
      reduced.assign(contract.begin(), contract.end());
    } else {
      Ints dims = a.ints(Key::dims);
      for (size_t d = 0, kept = 0; d < shape.size(); ++d) {
        if (!contains(dims, d))
          result_dims[kept++] = static_cast<int64_t>(d);
        else if (!axes_.looped(axes_.of(o)[d]))
          reduced.push_back(static_cast<int64_t>(d));
      }
    }
    for_each_element(v, [&](std::span<const int64_t> index) {
      int64_t at = 0;
      for (size_t d = 0; d < index.size(); ++d)
        if (result_dims[d] >= 0) at += index[d] * steps[static_cast<size_t>(result_dims[d])];
      words.push_back(static_cast<uint32_t>(at));
    });
    std::vector<uint32_t> offset = offsets(shape, steps, reduced);
    count = static_cast<uint32_t>(offset.size());
    words.insert(words.end(), offset.begin(), offset.end());
  }
  first_[v] = static_cast<uint32_t>(pool_.size());
  pool_.push_back(count);
  pool_.insert(pool_.end(), words.begin(), words.end());
}

}  // namespace jot::cpu
