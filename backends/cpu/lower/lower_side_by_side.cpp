// Reductions of rows whose terms cost little: the next would wait for the sum of the last. Four vectors of a row are
// taken up side by side, each by an accumulator of its own.
#include <algorithm>
#include <cmath>

#include "backends/cpu/kernel/lower_ops.h"
#include "backends/cpu/lower/lower_kernel.h"

namespace jot::cpu {

using namespace ir;

namespace {

constexpr size_t kBeside = 4;
constexpr int64_t kMost = 32;  // terms of an accumulator until it is folded

}  // namespace

bool ClusterLowering::runs_side_by_side(std::span<const Value> in_loops) const {
  constexpr size_t kFew = 4;
  if (cluster_.across || loops_.size() != outer_ + 1 || in_loops.size() > kFew) return false;
  int64_t extent = 1;
  for (Axis a : loops_.back().axes) extent *= c_.axes.extent(a);
  if (extent < static_cast<int64_t>(2 * kBeside) * b_->lanes()) return false;
  for (Value v : in_loops)
    if (c_.reduction[v] != Reduction::rows || c_.axes.elements(v) != 1) return false;
  return std::ranges::none_of(cluster_.members, [&](Value v) {
    const bool waits = phase_.at(v) <= current_phase_ && in_all_loops(v) && info(g_.op(v)).is(Trait::dear);
    return waits || g_.op(v) == Op::gather_op;
  });
}

void ClusterLowering::emit_side_by_side(std::span<const Value> in_loops) {
  const int64_t lanes = b_->lanes(), beside = kBeside, strip = kMost * beside * lanes;
  int64_t extent = 1;
  for (Axis a : loops_.back().axes) extent *= c_.axes.extent(a);
  const int64_t strips = extent / strip, rest = extent % strip, quarter = rest / (beside * lanes) * lanes;

  // Where the variables of each begin.
  std::vector<std::vector<uint32_t>> places(kBeside);
  for (size_t k = 0; k < kBeside; ++k)
    for (Value v : in_loops) {
      places[k].push_back(k == 0 ? variables_.at(v) : static_cast<uint32_t>(variable_values_.size()));
      if (k > 0) variable_values_.push_back(b_->var(reduction_start(*b_, form_of(v).op, g_.dtype(v))));
    }
  auto use = [&](size_t k) {
    for (size_t i = 0; i < in_loops.size(); ++i) variables_[in_loops[i]] = places[k][i];
  };
  auto run = [&](uint32_t first, uint32_t count, size_t copies, int64_t turns) {
    const uint32_t within = counted(b_->vloop(count), static_cast<double>(turns));
    vector_loop_ = static_cast<uint32_t>(loops_.size() - 1);
    uint32_t index = first == kNone ? within : b_->iadd(first, within);
    for (size_t k = 0; k < copies; ++k) {
      if (k > 0) index = b_->iadd(index, count);
      loops_.back().index = index;
      use(k);
      for (Value v : in_loops) accumulate(v);
      forget_inner();
    }
    loops_.back().index = kNone;
    vector_loop_ = kNone;
    b_->endloop();
  };
  auto merge = [&] {
    for (size_t i = 0; i < in_loops.size(); ++i) {
      const Op op = form_of(in_loops[i]).op;
      uint32_t x[kBeside];
      for (size_t k = 0; k < kBeside; ++k) x[k] = variable_values_[places[k][i]];
      const uint32_t low = reduction_step(*b_, op, x[0], x[1]), high = reduction_step(*b_, op, x[2], x[3]);
      b_->set(x[0], reduction_step(*b_, op, low, high));
      for (size_t k = 1; k < kBeside; ++k) b_->set(x[k], reduction_start(*b_, op, g_.dtype(in_loops[i])));
    }
    fold();
  };

  if (strips > 0) {
    const uint32_t nth = counted(b_->loop(args_->number(strips)), static_cast<double>(strips));
    run(b_->imuli(nth, strip), b_->iconst(strip / beside), kBeside, kMost);
    merge();
    b_->endloop();
  }
  const uint32_t begin = strips > 0 ? args_->number(strips * strip) : kNone;
  if (quarter > 0) run(begin, args_->number(quarter), kBeside, quarter / lanes);
  if (const int64_t left = rest - beside * quarter; left > 0)
    run(args_->number(extent - left), args_->number(left), 1, (left + lanes - 1) / lanes);
  merge();
  use(0);
}

}  // namespace jot::cpu
