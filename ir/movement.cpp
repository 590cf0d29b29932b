#include "ir/movement.h"

#include <string>

#include "ir/rules.h"
#include "jot/error.h"

namespace jot::ir {

void Movement::begin(size_t operand) {
  auto at = static_cast<uint32_t>(runs_.size());
  pieces_.push_back({static_cast<uint32_t>(operand), at, at});
}

void Movement::add(const Run& run) {
  if (run.from.also != kNoDim) internal_error("a run goes along one dim of the operand", std::to_string(run.from.also));
  runs_.push_back(run);
  ++pieces_.back().end;
}

void Movement::keep(size_t from, size_t to, int64_t extent) {
  add({extent, {.dim = static_cast<uint32_t>(from)}, {.dim = static_cast<uint32_t>(to)}});
}

void Movement::clear() {
  moves = Moves::nothing_known;
  fill = Fill::none;
  pieces_.clear();
  runs_.clear();
}

Moves moves(Op op) { return rules(op).movement.fn.moves; }
bool moves_one(Op op) { return moves(op) == Moves::regroup || moves(op) == Moves::view; }

const Movement& MovementReader::operator()(const GraphData& g, Value v) {
  if (graph_ == &g && last_ == v) return movement_;
  operands_.clear();
  if (moves(g.op(v)) != Moves::nothing_known)
    for (Value o : g.operands(v)) operands_.push_back(&g.shape(o));
  (*this)({g.attrs(v), operands_, g.shape(v)});
  graph_ = &g;
  last_ = v;
  return movement_;
}

const Movement& MovementReader::operator()(const MoveContext& c) {
  graph_ = nullptr;
  movement_.clear();
  const MovementRule& rule = rules(c.attrs.op()).movement.fn;
  movement_.moves = rule.moves;
  if (rule.map) rule.map(c, movement_);
  return movement_;
}

bool is_whole(const Run& run, const Shape& operand, const Shape& result) {
  auto all = [&](const Along& a, const Shape& shape) {
    return a.dim != kNoDim && a.also == kNoDim && a.start == 0 && a.step == 1 && shape[a.dim] == run.extent;
  };
  return all(run.from, operand) && all(run.to, result);
}

Located located(std::span<const Run> runs, Ints from_steps, Ints to_steps) {
  Located at;
  auto place = [](const Along& a, Ints steps, int64_t& start) {
    int64_t step = (a.dim == kNoDim ? 0 : steps[a.dim]) + (a.also == kNoDim ? 0 : steps[a.also]);
    start += a.start * step;
    return a.step * step;
  };
  for (const Run& run : runs) {
    int64_t from = place(run.from, from_steps, at.from), to = place(run.to, to_steps, at.to);
    at.steps.push_back({run.extent, from, to});
  }
  return at;
}

Shape row_major_steps(const Shape& shape) {
  Shape steps = shape;
  int64_t step = 1;
  for (size_t d = shape.size(); d-- > 0; step *= shape[d]) steps[d] = step;
  return steps;
}

std::vector<ReshapeGroup> reshape_groups(const Shape& from, const Shape& to) {
  std::vector<ReshapeGroup> groups;
  if (from == to) {
    for (size_t d = 0; d < from.size(); ++d) groups.push_back({d, d + 1, d, d + 1});
    return groups;
  }
  if (from.numel() == 0) return {{0, from.size(), 0, to.size()}};
  size_t i = 0, j = 0;
  auto skip_ones = [&] {
    while (i < from.size() && from[i] == 1) ++i;
    while (j < to.size() && to[j] == 1) ++j;
  };
  for (skip_ones(); i < from.size() && j < to.size(); skip_ones()) {
    ReshapeGroup group{i, i + 1, j, j + 1};
    int64_t x = from[i++], y = to[j++];
    while (x != y) {
      if (x < y) {
        x *= from[i++];
        group.from_end = i;
      } else {
        y *= to[j++];
        group.to_end = j;
      }
    }
    groups.push_back(group);
  }
  return groups;
}

}  // namespace jot::ir
