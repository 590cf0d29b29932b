// Reductions over the loops of a cluster: variables, and the sums that they are folded into.
#include "backends/cpu/kernel/lower_ops.h"
#include "backends/cpu/lower/lower_kernel.h"

namespace jot::cpu {

using namespace ir;

void ClusterReductions::start_reduction(Value v) {
  auto n = static_cast<uint32_t>(c_.axes.elements(v));
  DType dtype = g_.dtype(v);
  KType t = kernel_type(dtype);
  bool folds = keeps_losses(g_.op(v), dtype) &&
               (strip_loop_ != SIZE_MAX || (cluster_.splits && c_.reduction[v] == Reduction::full));
  variables_[v] = static_cast<uint32_t>(variable_values_.size());
  for (uint32_t j = 0; j < n; ++j) {
    variable_values_.push_back(b_->var(reduction_start(*b_, form_of(v).op, dtype)));
    if (folds) sums_[variable_values_.back()] = {b_->var(zero(*b_, t)), b_->var(zero(*b_, t))};
  }
  if (c_.reduction[v] == Reduction::full) partials_[v] = args_->partial(v);
}

void ClusterReductions::fold_sums() {
  for (auto [accumulator, sum] : sums_) {
    auto [whole, lost] = two_sum(*b_, sum.high, accumulator);
    b_->set(sum.low, b_->add(sum.low, lost));
    b_->set(sum.high, whole);
    b_->set(accumulator, zero(*b_, b_->type(accumulator)));
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
  if (auto at = sums_.find(x); at != sums_.end()) {
    x = whole_sum(*b_, at->second.high, at->second.low);
    sums_.erase(at);
  }
  const ReductionForm form = form_of(v);
  const bool apart = cluster_.across && c_.reduction[v] == Reduction::rows;
  return form.turned(*b_, apart ? x : reduction_of_lanes(*b_, form.op, x));
}

void ClusterReductions::finish_rows(Value v) {
  auto n = static_cast<uint32_t>(c_.axes.elements(v));
  for (uint32_t j = 0; j < n; ++j) slots_[t_.slot[v] + j] = result_of(v, j);
  if (c_.stored[v]) emit_store(v);
}

void ClusterReductions::finish_full(Value v) {
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
