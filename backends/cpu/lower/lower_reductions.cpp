// Reductions over the loops of a cluster: variables, and the sums that they are folded into.
#include <utility>

#include "backends/cpu/kernel/lower_ops.h"
#include "backends/cpu/lower/lower_kernel.h"

namespace jot::cpu {

using namespace ir;

void ClusterReductions::start_reduction(Value v) {
  b_->origin(v);
  auto n = static_cast<uint32_t>(c_.axes.elements(v));
  DType dtype = g_.dtype(v);
  KType t = kernel_type(dtype);
  const bool losses = keeps_losses(g_.op(v), dtype), full = c_.reduction[v] == Reduction::full;
  const bool folds = losses ? strip_loop_ != SIZE_MAX || (cluster_.splits && full)
                            : strip_loop_ != SIZE_MAX && full && t != KType::mask;
  variables_[v] = static_cast<uint32_t>(variable_values_.size());
  for (uint32_t j = 0; j < n; ++j) {
    const Op op = form_of(v).op;
    const uint32_t accumulator = b_->var(reduction_start(*b_, op, dtype));
    variable_values_.push_back(accumulator);
    if (folds && losses)
      folded_[accumulator] = {b_->var(zero(*b_, t)), b_->var(zero(*b_, t)), op, dtype};
    else if (folds)
      folded_[accumulator] = {b_->var(reduction_start(*b_, op, dtype)), kNone, op, dtype};
  }
  if (c_.reduction[v] == Reduction::full) partials_[v] = args_->partial(v);
}

void ClusterReductions::fold() {
  for (auto [accumulator, so_far] : folded_) {
    if (so_far.low == kNone) {
      b_->set(so_far.high, reduction_step(*b_, so_far.op, so_far.high, accumulator));
      b_->set(accumulator, reduction_start(*b_, so_far.op, so_far.dtype));
    } else {
      auto [whole, lost] = two_sum(*b_, so_far.high, accumulator);
      b_->set(so_far.low, b_->add(so_far.low, lost));
      b_->set(so_far.high, whole);
      b_->set(accumulator, zero(*b_, b_->type(accumulator)));
    }
  }
}

void ClusterReductions::accumulate(Value v) {
  auto n = static_cast<uint32_t>(c_.axes.elements(v));
  for (uint32_t j = 0; j < n; ++j) {
    Frame f;
    f.value = v;
    f.element = j;
    f.accumulator = variable_values_[variables_.at(v) + j];
    make_frame(f);
  }
}

// What a reduction has come to, in all lanes together; in each for itself where they are rows of their own.
uint32_t ClusterReductions::result_of(Value v, uint32_t element) {
  uint32_t x = variable_values_[variables_.at(v) + element];
  if (auto at = folded_.find(x); at != folded_.end()) {
    const auto [high, low] = std::pair(at->second.high, at->second.low);
    x = low == kNone ? high : whole_sum(*b_, high, low);
    folded_.erase(at);
  }
  const ReductionForm form = form_of(v);
  const bool apart = cluster_.across() && c_.reduction[v] == Reduction::rows;
  return form.turned(*b_, apart ? x : reduction_of_lanes(*b_, form.op, x));
}

void ClusterReductions::finish_rows(Value v) {
  b_->origin(v);
  auto n = static_cast<uint32_t>(c_.axes.elements(v));
  for (uint32_t j = 0; j < n; ++j) slots_[t_.slot[v] + j] = result_of(v, j);
  if (c_.stored[v]) emit_store(v);
}

void ClusterReductions::finish_full(Value v) {
  b_->origin(v);
  auto n = static_cast<uint32_t>(c_.axes.elements(v));
  for (uint32_t j = 0; j < n; ++j)
    b_->store_one(result_of(v, j), partials_.at(v), kNone, int64_t{j} * size_of(g_.dtype(v)));
}

// The sum so far is read and written for each term: it belongs to the inner loops.
void ClusterReductions::accumulate_columns(Value v) {
  Access& share = accesses_[t_.access[v]];
  Frame f;
  f.value = v;
  f.element = 0;
  f.accumulator = load(share, g_.dtype(v), 0);
  make_frame(f);
  store(share, v, {&slots_[t_.slot[v]], 1});
}

}  // namespace jot::cpu
