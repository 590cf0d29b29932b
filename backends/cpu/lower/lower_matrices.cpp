// Small matrices: all elements of all results are made at once.
#include "backends/cpu/lower/lower_kernel.h"
#include "backends/cpu/ops/cpu_ops.h"
#include "ir/rules.h"

namespace jot::cpu {

using namespace ir;

bool ClusterElements::step_matrices(Frame& f) {
  const bool further = g_.op(f.value) == Op::result_op;
  const Value v = further ? g_.operand(f.value, 0) : f.value;
  const size_t batch = batch_rank(g_, v);
  auto elements = [&](Value of) {  // of a matrix
    int64_t n = 1;
    for (size_t d = batch; d < g_.shape(of).size(); ++d)
      if (!c_.axes.looped(c_.axes.of(of)[d])) n *= g_.shape(of)[d];
    return static_cast<uint32_t>(n);
  };
  const uint32_t matrix = f.element / elements(f.value);
  const MatrixRule& rule = cpu_op(g_.op(v)).matrix;
  std::vector<std::vector<uint32_t>> x(g_.operands(v).size());
  // f(element of an operand that is read, where it goes) until one is false.
  auto each_read = [&](auto get_element) {
    uint32_t nth = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const Value o = g_.operand(v, i);
      // Right sides are as many as the results, also of a splat.
      const int64_t columns = g_.shape(o).back(), count = i == 0 ? g_.shape(o)[batch] * columns : elements(v);
      x[i].resize(static_cast<size_t>(count), kNone);
      for (int64_t e = 0; e < count; ++e, ++nth) {
        const auto element = matrix * static_cast<uint32_t>(count) + static_cast<uint32_t>(e);
        if (rule.reads(g_, v, i, e / columns, e % columns) &&
            !get_element(nth, resolve(o, element), x[i][static_cast<size_t>(e)]))
          return false;
      }
    }
    return true;
  };
  const bool there = each_read([&](uint32_t nth, const Reference& r, uint32_t& result) {
    if (nth < f.next) return true;
    f.next = nth;
    return get_number(r, result);
  });
  if (!there) return false;
  each_read([&](uint32_t, const Reference& r, uint32_t& result) { return get_number(r, result); });
  MatrixContext c{*b_, g_, v, x};
  rule.make(c);
  for (uint32_t k = 0; k < c.results.size(); ++k) {
    if (!own(v + k)) continue;  // nobody needs it
    const uint32_t first = t_.slot[v + k] + matrix * static_cast<uint32_t>(c.results[k].size());
    for (uint32_t e = 0; e < c.results[k].size(); ++e) set_slot(first + e, c.results[k][e]);
  }
  if (fault_kinds(g_, v) == 0) return true;
  const std::vector<int64_t> index = element_index(c_.axes, g_, v, matrix * elements(v));
  const Element element = element_of_batch(v, std::span(index).subspan(0, batch));
  faults_.push_back({v, 0});
  b_->check(static_cast<int64_t>(faults_.size()), c.fault.mask, c.fault.value, element.first, element.step);
  return true;
}

}  // namespace jot::cpu
