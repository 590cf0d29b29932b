#include "passes/scan_products.h"

#include <algorithm>

#include "ir/build.h"
#include "ir/dependence.h"
#include "ir/ops/regions.h"
#include "passes/inline.h"
#include "passes/regions.h"
#include "passes/rewrite.h"
#include "passes/trim.h"

namespace jot::passes {

using namespace ir;

namespace {

constexpr int64_t kLeastWork = 2048;                 // multiplications of a product that is worth it
constexpr int64_t kMostStacked = int64_t{64} << 20;  // bytes, or so many times those of the slices:
constexpr int64_t kMostOfSlices = 4;

bool is_large_product(const GraphData& g, Value v) {
  if (g.op(v) != Op::dot_op) return false;
  int64_t work = g.shape(v).numel();
  const Ints contract = g.attrs(v).first(Key::contract);
  for (int64_t d : contract) work *= g.shape(g.operand(v, 0))[static_cast<size_t>(d)];
  return work >= kLeastWork;
}

// A scan, and which of its products are taken out.
class ScanProducts {
 public:
  explicit ScanProducts(AttrView a)
      : g_(a.region(Key::body).data()),
        length_(a.integer(Key::length)),
        reverse_(a.integer(Key::reverse) != 0),
        consts_(static_cast<size_t>(a.integer(Key::consts))),
        carries_(static_cast<size_t>(a.integer(Key::carries))),
        late_(g_.outputs().size(), kNoValue) {
    int64_t slices = 0;
    for (size_t i = first_x(); i < inputs(); ++i) slices += bytes_of(g_.type(g_.inputs()[i]));
    budget_ = std::max(kMostStacked, kMostOfSlices * slices * length_);
    if (length_ < 2) return;
    find_late();
    find_early();
  }
  bool any() const { return !early_.empty() || any_late_; }

  // The results of the scan of these operands.
  std::vector<Value> emit(Builder& b, std::span<const Value> operands) const {
    std::vector<uint8_t> stacked;
    const std::vector<Value> early = before(b, operands, stacked);
    std::vector<Value> args(operands.begin(), operands.begin() + static_cast<std::ptrdiff_t>(consts_));
    Builder s(g_.name());
    Rewriter step(s, g_);
    auto take = [&](Value v) { step.set(v, s.param(g_.type(v))); };
    for (size_t i = 0; i < consts_; ++i) take(g_.inputs()[i]);
    auto take_early = [&](uint8_t which) {
      for (size_t i = 0; i < early_.size(); ++i) {
        if (stacked[i] != which) continue;
        take(early_[i]);
        args.push_back(early[i]);
      }
    };
    take_early(0);
    const size_t consts = args.size();
    for (size_t k = 0; k < carries_; ++k) {
      if (late_[k] != kNoValue) continue;
      take(g_.inputs()[consts_ + k]);
      args.push_back(operands[consts_ + k]);
    }
    const size_t carries = args.size() - consts;
    for (size_t i = first_x(); i < inputs(); ++i) {
      take(g_.inputs()[i]);
      args.push_back(operands[i]);
    }
    take_early(1);
    step.for_each_op([&](Value v) {
      if (step[v] == kNoValue && !is_late_[v]) step.copy(v);
    });
    std::vector<Value> outputs;
    for (size_t k = 0; k < g_.outputs().size(); ++k)
      if (late_[k] == kNoValue) outputs.push_back(step[g_.outputs()[k]]);
    const size_t own = outputs.size();
    for (Value v : factors_) outputs.push_back(step[v]);
    Graph body = region_passes().simplified(s.finish(outputs));
    const Value first = scan_of_needed(b, body, consts, carries, args);
    return after(b, operands, early, stacked, first, first + static_cast<Value>(own));
  }

 private:
  size_t first_x() const { return consts_ + carries_; }
  size_t inputs() const { return g_.inputs().size(); }
  size_t input_index(Value v) const { return static_cast<size_t>(g_.attrs(v).integer(Key::index)); }
  bool is_const(Value v) const { return g_.op(v) == Op::param_op && input_index(v) < consts_; }
  bool is_slice(Value v) const { return g_.op(v) == Op::param_op && input_index(v) >= first_x(); }
  bool fits(int64_t bytes_a_step) {
    if (bytes_a_step * length_ > budget_) return false;
    budget_ -= bytes_a_step * length_;
    return true;
  }

  // Carries that begin a step as what it adds a product to, and are nothing else; slices of results that are products.
  void find_late() {
    std::vector<uint32_t> uses(g_.size(), 0);
    for (Value v = 0; v < g_.size(); ++v)
      for (Value o : g_.operands(v)) ++uses[o];
    for (Value v : g_.outputs()) ++uses[v];
    is_late_.assign(g_.size(), 0);
    for (size_t k = 0; k < g_.outputs().size(); ++k) {
      Value product = g_.outputs()[k];
      if (uses[product] != 1) continue;
      if (k < carries_) {
        Value sum = product, carry = g_.inputs()[consts_ + k];
        if ((g_.op(sum) != Op::add_op && g_.op(sum) != Op::add_any_op) || uses[carry] != 1) continue;
        if (g_.operand(sum, 0) != carry && g_.operand(sum, 1) != carry) continue;
        product = g_.operand(sum, g_.operand(sum, 0) == carry ? 1 : 0);
        if (uses[product] != 1) continue;
      }
      if (!is_large_product(g_, product) || !stack_factors(product)) continue;
      late_[k] = product;
      is_late_[g_.outputs()[k]] = is_late_[product] = 1;
      any_late_ = true;
    }
  }
  bool stack_factors(Value product) {
    std::vector<Value> fresh;
    int64_t bytes = 0;
    for (Value f : g_.operands(product))
      if (!is_const(f) && !is_slice(f) && std::ranges::find(factors_, f) == factors_.end() &&
          std::ranges::find(fresh, f) == fresh.end()) {
        fresh.push_back(f);
        bytes += bytes_of(g_.type(f));
      }
    if (!fits(bytes)) return false;
    factors_.insert(factors_.end(), fresh.begin(), fresh.end());
    return true;
  }

  // Products that no carry is in, as far as more than other such products need them.
  void find_early() {
    std::vector<uint8_t> carry(inputs(), 0);
    std::fill(carry.begin() + static_cast<std::ptrdiff_t>(consts_),
              carry.begin() + static_cast<std::ptrdiff_t>(first_x()), 1);
    const std::vector<uint8_t> changes = dependents(g_, carry);
    std::vector<uint8_t> needed(g_.size(), 0);
    for (Value v : g_.outputs()) needed[v] = 1;
    for (Value v = g_.size(); v-- > 0;) {
      if (!needed[v]) continue;
      if (!changes[v] && !is_late_[v] && is_large_product(g_, v) && fits(bytes_of(g_.type(v))))
        early_.push_back(v);
      else
        for (Value o : g_.operands(v)) needed[o] = 1;
    }
  }

  // The early products of all steps, with a dim 0 where they change from step to step.
  std::vector<Value> before(Builder& b, std::span<const Value> operands, std::vector<uint8_t>& stacked) const {
    if (early_.empty()) return {};
    Builder f(g_.name());
    Rewriter first(f, g_);
    std::vector<uint8_t> lanes;
    first.take_params();
    first.for_each_op([&](Value v) { first.copy(v); });
    std::vector<Value> outputs;
    for (Value v : early_) outputs.push_back(first[v]);
    for (size_t i = 0; i < inputs(); ++i) lanes.push_back(i >= first_x());
    RuleContext::Batch made =
        region_passes().batched(region_passes().simplified(f.finish(outputs)), lanes, length_, Randomness::error, {});
    stacked = std::move(made.results_batched);
    return inline_graph(b, made.graph.data(), operands);
  }

  Value scan_of_needed(Builder& b, const Graph& body, size_t consts, size_t carries,
                       std::span<const Value> args) const {
    const std::vector<uint8_t> all(body.data().outputs().size(), 1);
    std::vector<uint8_t> needed = needed_inputs(body, all);
    for (size_t i = consts; i < consts + carries; ++i) needed[i] = 1;
    std::vector<Value> operands;
    for (size_t i = 0; i < needed.size(); ++i)
      if (needed[i]) operands.push_back(args[i]);
    const auto kept = std::count(needed.begin(), needed.begin() + static_cast<std::ptrdiff_t>(consts), 1);
    return build::scan(b, part_of(body, all, needed), length_, reverse_, static_cast<size_t>(kept), carries, operands);
  }

  // The results of all; `next`: of the scan that is left; factors: its further results.
  std::vector<Value> after(Builder& b, std::span<const Value> operands, std::span<const Value> early,
                           std::span<const uint8_t> stacked, Value next, Value factors) const {
    auto all_steps = [&](Value v) {
      for (size_t i = 0; i < early_.size(); ++i)
        if (early_[i] == v && stacked[i]) return early[i];
      if (is_slice(v) || is_const(v)) return operands[input_index(v)];
      return factors + static_cast<Value>(std::ranges::find(factors_, v) - factors_.begin());
    };
    std::vector<Value> results;
    for (size_t k = 0; k < g_.outputs().size(); ++k) {
      if (late_[k] == kNoValue) {
        results.push_back(next++);
        continue;
      }
      Value x = g_.operand(late_[k], 0), y = g_.operand(late_[k], 1);
      b.set_origin_of(g_, late_[k]);
      bool sum = k < carries_ && !is_const(x) && !is_const(y);
      Value product =
          sum ? summed(b, late_[k], all_steps(x), all_steps(y)) : each(b, late_[k], all_steps(x), all_steps(y));
      if (k < carries_ && !sum) {
        std::vector<int64_t> steps = {0};
        product = build::reduce_sum(b, product, steps);
      }
      results.push_back(k < carries_ ? b.emit(g_.op(g_.outputs()[k]), {operands[consts_ + k], product}) : product);
    }
    return results;
  }

  // The sum over all steps of a product, of whose factors both have the steps in front.
  Value summed(Builder& b, Value product, Value x, Value y) const {
    AttrView a = g_.attrs(product);
    auto behind = [](Ints dims, bool steps) {
      std::vector<int64_t> result;
      if (steps) result.push_back(0);
      for (int64_t d : dims) result.push_back(d + 1);
      return result;
    };
    return build::dot(b, x, y, behind(a.first(Key::contract), true), behind(a.second(Key::contract), true),
                      behind(a.first(Key::batch), false), behind(a.second(Key::batch), false));
  }

  // The products of all steps.
  Value each(Builder& b, Value product, Value x, Value y) const {
    Builder one(g_.name());
    std::vector<Value> params;
    std::vector<uint8_t> lanes;
    for (Value f : g_.operands(product)) {
      params.push_back(one.param(g_.type(f)));
      lanes.push_back(!is_const(f));
    }
    Graph graph = one.finish({one.copy_node(g_, product, params)});
    RuleContext::Batch made = region_passes().batched(graph, lanes, length_, Randomness::error, {});
    const Value args[] = {x, y};
    return inline_graph(b, made.graph.data(), args)[0];
  }

  const GraphData& g_;
  int64_t length_;
  bool reverse_;
  size_t consts_, carries_;
  int64_t budget_ = 0;
  bool any_late_ = false;
  std::vector<uint8_t> is_late_;  // a product that comes after the loop, and the sum of it and a carry
  std::vector<Value> late_;       // of each output: that product
  std::vector<Value> factors_;    // of these, which the steps stack
  std::vector<Value> early_;
};

}  // namespace

Graph scan_products(const Graph& g) {
  const GraphData& d = g.data();
  if (d.regions().empty()) return g;
  Builder b(d.name());
  b.reserve(d.size());
  Rewriter rewriter(b, d);
  rewriter.take_params();
  bool any = false;
  rewriter.for_each_op([&](Value v) {
    if (d.op(v) == Op::scan_op)
      if (ScanProducts products(d.attrs(v)); products.any()) {
        std::vector<Value> operands(rewriter.operands(v).begin(), rewriter.operands(v).end());
        b.set_origin_of(d, v);
        std::vector<Value> results = products.emit(b, operands);
        for (size_t i = 0; i < results.size(); ++i) rewriter.set(v + static_cast<Value>(i), results[i]);
        any = true;
        return;
      }
    rewriter.copy(v);
  });
  return any ? rewriter.finish() : g;
}

}  // namespace jot::passes
