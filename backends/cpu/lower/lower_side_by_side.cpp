// Reductions of rows whose terms cost little: the next would wait for the sum of the last. Four vectors of a row, one
// behind the other (memory is read as one stream), are taken up side by side, each by an accumulator of its own.
#include <algorithm>
#include <cmath>

#include "backends/cpu/kernel/lower_ops.h"
#include "backends/cpu/lower/lower_kernel.h"
#include "backends/cpu/ops/cpu_ops.h"

namespace jot::cpu {

using namespace ir;

namespace {

constexpr size_t kBeside = 4;
constexpr int64_t kMost = 32;  // terms of an accumulator until it is folded

}  // namespace

bool ClusterLowering::runs_side_by_side(std::span<const Value> in_loops) const {
  constexpr size_t kFew = 4;
  if (cluster_.across() || loops_.size() != outer_ + 1 || in_loops.size() > kFew) return false;
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
  const int64_t strips = extent / strip, rest = extent % strip, left = rest % (beside * lanes);

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
  // The vectors from `first` on, each by its own variables.
  auto take_up = [&](uint32_t first, size_t vectors) {
    vector_loop_ = static_cast<uint32_t>(loops_.size() - 1);
    for (size_t k = 0; k < vectors; ++k) {
      loops_.back().index = k == 0 ? first : b_->iadd(first, b_->iconst(static_cast<int64_t>(k) * lanes));
      use(k);
      for (Value v : in_loops) accumulate(v);
      forget_inner();
    }
    loops_.back().index = kNone;
    vector_loop_ = kNone;
    b_->endloop();
  };
  auto take_up_groups = [&](uint32_t first, uint32_t count, int64_t turns) {
    const uint32_t within = counted(b_->gloop(count, beside), static_cast<double>(turns));
    take_up(first == kNone ? within : b_->iadd(first, within), kBeside);
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
    take_up_groups(b_->imuli(nth, strip), b_->iconst(strip), kMost);
    merge();
    b_->endloop();
  }
  const uint32_t begin = strips > 0 ? args_->number(strips * strip) : kNone;
  if (rest > left) take_up_groups(begin, args_->number(rest - left), rest / (beside * lanes));
  if (left > 0) {
    const uint32_t within = counted(b_->vloop(args_->number(left)), static_cast<double>((left + lanes - 1) / lanes));
    take_up(b_->iadd(args_->number(extent - left), within), 1);
  }
  merge();
  use(0);
}

// Where the loop of the lanes is around another: what a term reads along the lanes serves four turns of that at once.
bool ClusterLowering::turns_side_by_side(std::span<const std::vector<Value>> phases) const {
  constexpr size_t kFew = 2;
  if (!cluster_.across() || outer_ < 2 || loops_[outer_ - 1].axes.back() == cluster_.lanes || !kept_.empty())
    return false;
  int64_t extent = 1;
  for (Axis a : loops_[outer_ - 1].axes) extent *= c_.axes.extent(a);
  if (extent < static_cast<int64_t>(2 * kBeside)) return false;
  size_t sums = 0, with_sums = 0;
  for (const std::vector<Value>& members : phases) {
    const size_t before = sums;
    for (Value v : members) {
      const InKernel way = cpu_op(g_.op(v)).kernel;
      if (way == InKernel::gathered || way == InKernel::matrix) return false;
      if (!runs_in_loops(v)) continue;
      if (c_.reduction[v] != Reduction::rows || c_.axes.elements(v) != 1) return false;
      ++sums;
    }
    with_sums += sums > before;
  }
  return with_sums == 1 && sums <= kFew;
}

void ClusterLowering::emit_turns_side_by_side(std::span<const std::vector<Value>> phases) {
  Loop& turns = loops_[outer_ - 1];
  int64_t extent = 1;
  for (Axis a : turns.axes) extent *= c_.axes.extent(a);
  const int64_t beside = kBeside, rest = extent % beside;
  std::vector<Value> sums, results;  // results: of a row
  for (const std::vector<Value>& members : phases)
    for (Value v : members)
      if (runs_in_loops(v))
        sums.push_back(v);
      else if (!in_all_loops(v))
        results.push_back(v);
  for (size_t p = 0; p < phases.size(); ++p)
    if (std::ranges::find(phases[p], sums[0]) != phases[p].end()) current_phase_ = static_cast<int>(p) - 1;

  auto run = [&](uint32_t first, int64_t count, size_t copies) {
    const uint32_t turn = counted(b_->loop(args_->number(count)), static_cast<double>(count));
    std::vector<uint32_t> index(copies), places;
    auto use = [&](size_t k) {
      turns.index = index[k];
      for (size_t i = 0; i < sums.size(); ++i) variables_[sums[i]] = places[k * sums.size() + i];
    };
    for (size_t k = 0; k < copies; ++k) {
      index[k] = b_->iadd(b_->imuli(turn, static_cast<int64_t>(copies)), b_->iconst(static_cast<int64_t>(k)));
      if (first != kNone) index[k] = b_->iadd(first, index[k]);
      for (Value v : sums) {
        start_reduction(v);
        places.push_back(variables_.at(v));
      }
    }
    inner_ = true;  // what is made belongs to one turn
    for (size_t l = outer_; l < loops_.size(); ++l) open(l, false, false);
    for (size_t k = 0; k < copies; ++k) {
      use(k);
      emit_elements(sums);
      forget_inner();
    }
    close_inner();
    for (size_t k = 0; k < copies; ++k) {
      use(k);
      for (Value v : sums) finish_rows(v);
      for (Value v : results) {
        make_all(v);
        if (c_.stored[v]) emit_store(v);
      }
      forget_inner();
    }
    inner_ = false;
    turns.index = kNone;
    b_->endloop();
  };
  for (size_t l = 0; l + 1 < outer_; ++l) open(l, l == 0, loops_[l].axes.back() == cluster_.lanes);
  run(kNone, extent / beside, kBeside);
  if (rest > 0) run(args_->number(extent - rest), rest, 1);
  vector_loop_ = kNone;
  for (size_t l = 0; l + 1 < outer_; ++l) b_->endloop();
}

}  // namespace jot::cpu
