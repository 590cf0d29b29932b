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

std::vector<int64_t> element_index(const Axes& axes, const GraphData& g, Value v, uint32_t element) {
  std::vector<int64_t> index(g.shape(v).size(), 0);
  int64_t rest = element;
  for (size_t d = index.size(); d-- > 0;) {
    if (axes.looped(axes.of(v)[d])) continue;
    index[d] = rest % g.shape(v)[d];
    rest /= g.shape(v)[d];
  }
  return index;
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

ElementMaps::Source ElementMaps::source(Value v, uint32_t element) {
  Moves how = moves(g_.op(v));
  if (how == Moves::regroup) return {0, element};
  if (how == Moves::view && axes_.elements(g_.operand(v, 0)) == 1) return {0, 0};
  if (first_[v] == kUnknown) build_movement(v);
  if (how == Moves::view) return {0, pool_[first_[v] + element]};
  const uint32_t* at = &pool_[first_[v] + 2 * element];
  return {at[0], at[1]};
}

// What fills the rest, then the pieces. Loops have no step in either number and are left out.
void ElementMaps::build_movement(Value v) {
  first_[v] = static_cast<uint32_t>(pool_.size());
  const Movement& m = movement_(g_, v);
  bool one = m.moves == Moves::view;
  auto n = static_cast<size_t>(axes_.elements(v));
  pool_.resize(pool_.size() + n * (one ? 1 : 2), 0);
  uint32_t* at = &pool_[first_[v]];
  for (size_t i = 0; m.fill != Fill::none && i < n; ++i) {
    at[2 * i] = m.fill == Fill::operand1 ? 1 : 0;
    at[2 * i + 1] = m.fill == Fill::operand1 ? 0 : kZeroElement;
  }
  const Shape to_steps = element_steps(axes_, g_, v);
  for (const Piece& p : m.pieces()) {
    Located place = located(m.runs(p), element_steps(axes_, g_, g_.operand(v, p.operand)), to_steps);
    for (size_t k = place.steps.size(); k-- > 0;)
      if (axes_.looped(axes_.of(v)[m.runs(p)[k].to.dim]))
        place.steps.erase(place.steps.begin() + static_cast<std::ptrdiff_t>(k));
    for_each_point(place, [&](int64_t from, int64_t to) {
      uint32_t* entry = at + (one ? to : 2 * to);
      if (!one) *entry++ = p.operand;
      *entry = static_cast<uint32_t>(from);
    });
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
