// Values of a cluster, element by element.
#include "backends/cpu/kernel/lower_ops.h"
#include "backends/cpu/lower/lower_kernel.h"
#include "backends/cpu/ops/cpu_ops.h"

namespace jot::cpu {

using namespace ir;

bool ClusterElements::is_off_diagonal(Value v, uint32_t element) const {
  if (g_.op(v) != Op::identity_op || c_.axes.has_loops(v)) return false;
  auto rows = static_cast<uint32_t>(g_.shape(v).slice(0, g_.shape(v).size() / 2).numel());
  return element / rows != element % rows;
}

ClusterElements::Reference ClusterElements::resolve(Value o, uint32_t element) {
  bool look = true;  // whether the views from here on are still to be seen through
  while (true) {
    if (Value splat = look ? splat_of(o) : kNoValue; splat != kNoValue) return {From::source, splat, 0};
    bool mine = own(o);
    if (!mine && c_.role[o] == Role::source)
      return {is_off_diagonal(o, element) ? From::zero : From::source, o, element};
    if (!mine && !(c_.role[o] == Role::view && c_.follows[o])) return {From::memory, o, element};
    if (moves(g_.op(o)) == Moves::nothing_known) return {From::own, o, element};
    if (mine && copies_memory(o)) return {From::memory, o, element};
    ElementMaps::Source from = t_.maps.source(o, element);
    if (from.element == kZeroElement) return {From::zero, o, 0};
    element = from.element;
    look = !moves_one(g_.op(o));
    o = g_.operand(o, from.operand);
  }
}

// The element if it is there; else it is missing_ and the result is false.
bool ClusterElements::get(const Reference& r, uint32_t& result) {
  switch (r.from) {
    case From::zero:
      result = kAbsent;
      return true;
    case From::source:
      result = source(r.value, r.element);
      return true;
    case From::memory:
      result = load(r.value, r.element);
      return true;
    case From::own:
      break;
  }
  result = slots_[t_.slot[r.value] + r.element];
  if (result != kNone) return true;
  if (is_kept(r.value)) {
    result = load_kept(r.value, r.element);
    return true;
  }
  if (c_.reduction[r.value] != Reduction::none) internal_error("a reduction is done before it is used", g_.name());
  missing_ = {r.value, r.element};
  return false;
}

bool ClusterElements::get_number(const Reference& r, uint32_t& result) {
  if (!get(r, result)) return false;
  if (result == kAbsent) result = zero(*b_, kernel_type(g_.dtype(r.value)));
  return true;
}

uint32_t ClusterElements::make(Value o, uint32_t element) {
  Reference r = resolve(o, element);
  uint32_t result = kNone;
  while (!get_number(r, result)) make_frame(missing_);
  return result;
}

// And, before it, what it needs.
void ClusterElements::make_frame(const Frame& f) {
  stack_.push_back(f);
  while (!stack_.empty())
    if (step(stack_.back()))
      stack_.pop_back();
    else
      stack_.push_back(missing_);
}

// True: done.
bool ClusterElements::step(Frame& f) {
  b_->origin(f.value);
  if (g_.op(f.value) == Op::result_op) return step_matrices(f);
  switch (cpu_op(g_.op(f.value)).kernel) {
    case InKernel::terms:
      return step_terms(f);
    case InKernel::gathered:
      return step_gather(f);
    case InKernel::element:
      return step_elementwise(f);
    case InKernel::matrix:
      return step_matrices(f);
    case InKernel::moved:
    case InKernel::no:
      break;
  }
  internal_error("a value that kernels compute", name_of(g_.op(f.value)));
}

// Nothing to add in a sum of cotangents: absent, or a constant zero.
bool ClusterElements::is_nothing(uint32_t x) const {
  return x == kAbsent || (b_->instr(x).op == KOp::constant && b_->instr(x).imm == 0);
}

bool ClusterElements::is_unmade(const Reference& r, Op op) const {
  return r.from == From::own && g_.op(r.value) == op && slots_[t_.slot[r.value] + r.element] == kNone &&
         !is_kept(r.value);
}

// The element below negations that nothing else has made; whether their number is odd.
bool ClusterElements::strip_signs(Reference& r, bool only_use) {
  bool negative = false;
  while (is_unmade(r, Op::neg_op) && (!only_use || t_.uses[r.value] == 1)) {
    r = resolve(g_.operand(r.value, 0), r.element);
    negative = !negative;
  }
  return negative;
}

// A product of floats that is used once, here, and not made yet: it is contracted with the sum.
bool ClusterElements::find_product(Reference r, Product& p) {
  if (r.from != From::own || !is_floating(g_.dtype(r.value))) return false;
  p.negative = strip_signs(r, true);
  if (!is_unmade(r, Op::mul_op) || t_.uses[r.value] != 1) return false;
  for (size_t i = 0; i < 2; ++i) {
    p.factor[i] = resolve(g_.operand(r.value, i), r.element);
    p.negative ^= strip_signs(p.factor[i], false);
  }
  return true;
}

bool ClusterElements::step_elementwise(Frame& f) {
  Op op = g_.op(f.value);
  if (op == Op::add_op || op == Op::add_any_op || op == Op::sub_op) return step_sum(f);
  uint32_t slot = t_.slot[f.value] + f.element, x[3];
  std::span<const Value> operands = g_.operands(f.value);
  for (; f.resolved < operands.size(); ++f.resolved) {
    bool single = f.resolved == 0 && op == Op::where_op && g_.shape(operands[0]).empty();
    f.x[f.resolved] = resolve(operands[f.resolved], single ? 0 : f.element);
  }
  bool linear = info(op).is(Trait::keeps_zeros);  // of an absent element: absent
  for (size_t i = 0; i < operands.size(); ++i) {
    if (linear ? !get(f.x[i], x[i]) : !get_number(f.x[i], x[i])) return false;
    if (x[i] != kAbsent) continue;
    set_slot(slot, kAbsent);
    return true;
  }
  set_slot(slot, lower_element(*b_, g_, f.value, {x, operands.size()}));
  if (op == Op::demand_op) {
    const Element element = element_of_batch(f.value, element_index(c_.axes, g_, f.value, f.element));
    faults_.push_back({f.value, 0});
    b_->check(static_cast<int64_t>(faults_.size()), b_->mnot(x[1]), x[2], element.first, element.step);
  }
  return true;
}

// What a sum is made of: the factors of a product, which is operand `at`, and the other operand; or both operands. A
// value and itself are not contracted, so that x - x is 0.
void ClusterElements::resolve_sum(Frame& f) {
  Reference x[2];
  Product p, second;
  for (size_t i = 0; i < 2; ++i) x[i] = resolve(g_.operand(f.value, i), f.element);
  Reference bare[] = {x[0], x[1]};
  for (Reference& r : bare) strip_signs(r, false);
  const bool twice = bare[0] == bare[1];
  f.at = !twice && find_product(x[0], p) ? 0 : 2;
  if (!twice && (f.at == 2 || !p.negative) && find_product(x[1], second) && (f.at == 2 || second.negative)) {
    p = second;  // the negative one of two: saves a negation
    f.at = 1;
  }
  f.resolved = 3;
  f.negative = f.at < 2 && p.negative;
  f.x[0] = f.at < 2 ? p.factor[0] : x[0];
  f.x[1] = f.at < 2 ? p.factor[1] : x[1];
  f.x[2] = x[f.at == 0 ? 1 : 0];
}

bool ClusterElements::step_sum(Frame& f) {
  if (f.resolved == 0) resolve_sum(f);
  Op op = g_.op(f.value);
  auto nothing = [&](uint32_t x) { return op == Op::add_any_op ? is_nothing(x) : x == kAbsent; };
  uint32_t slot = t_.slot[f.value] + f.element, x[2], p[2];
  bool negative[2] = {false, op == Op::sub_op};
  if (f.at < 2) {
    uint32_t& other = x[1 - f.at];
    if (!get(f.x[2], other) || !get(f.x[0], p[0]) || !get(f.x[1], p[1])) return false;
    negative[f.at] ^= f.negative;
    bool present = p[0] != kAbsent && p[1] != kAbsent;
    if (present && !nothing(other)) {
      bool minus = negative[1 - f.at];
      set_slot(slot, negative[f.at] ? b_->fnma(p[0], p[1], minus ? b_->neg(other) : other)
                     : minus        ? b_->fms(p[0], p[1], other)
                                    : b_->fma(p[0], p[1], other));
      return true;
    }
    x[f.at] = present ? b_->mul(p[0], p[1]) : kAbsent;
  } else if (!get(f.x[0], x[0]) || !get(f.x[1], x[1])) {
    return false;
  }
  for (size_t i = 0; i < 2; ++i)
    if (nothing(x[i])) {
      uint32_t rest = x[1 - i];
      set_slot(slot, negative[1 - i] && rest != kAbsent ? b_->neg(rest) : rest);
      return true;
    }
  if (negative[0])
    set_slot(slot, negative[1] ? b_->neg(b_->add(x[0], x[1])) : b_->sub(x[1], x[0]));
  else
    set_slot(slot, negative[1] ? b_->sub(x[0], x[1]) : b_->add(x[0], x[1]));
  return true;
}

// ---- reductions and products

void ClusterElements::resolve_term(Frame& f) {
  ElementMaps::Terms t = t_.maps.terms(f.value);  // until the next map is made
  bool dot = g_.op(f.value) == Op::dot_op;
  uint32_t element[2] = {};
  for (size_t i = 0; i < (dot ? 2 : 1); ++i) element[i] = t.base[i][f.element] + t.offset[i][f.next];
  Product p;
  f.x[0] = resolve(g_.operand(f.value, 0), element[0]);
  f.negative = false;
  f.resolved = 1;
  if (dot) {
    f.x[1] = resolve(g_.operand(f.value, 1), element[1]);
    f.resolved = 2;
  } else if (adds(g_.op(f.value)) && find_product(f.x[0], p)) {
    f.x[0] = p.factor[0];
    f.x[1] = p.factor[1];
    f.negative = p.negative;
    f.resolved = 2;
  }
}

// Variables of loops keep it turned.
ReductionForm ClusterElements::form_of(Value v) const {
  const bool loops = c_.reduction[v] == Reduction::rows || c_.reduction[v] == Reduction::full;
  return loops ? ReductionForm(g_.op(v), g_.dtype(v)) : ReductionForm(g_.op(v));
}

// accumulator += x0 * x1
bool ClusterElements::add_product(Frame& f) {
  uint32_t x[2];
  for (size_t i = 0; i < 2; ++i) {
    if (!get(f.x[i], x[i])) return false;
    if (x[i] == kAbsent) return true;
  }
  if (f.accumulator == kNone)
    f.accumulator = f.negative ? b_->neg(b_->mul(x[0], x[1])) : b_->mul(x[0], x[1]);
  else if (!is_floating(g_.dtype(f.value)))
    f.accumulator = b_->add(f.accumulator, b_->mul(x[0], x[1]));
  else
    f.accumulator = f.negative ? b_->fnma(x[0], x[1], f.accumulator) : b_->fma(x[0], x[1], f.accumulator);
  return true;
}

bool ClusterElements::step_terms(Frame& f) {
  const ReductionForm form = form_of(f.value);
  const Op op = form.op;
  const bool sums = adds(op);
  uint32_t count = t_.maps.terms(f.value).count;
  for (; f.next < count; ++f.next, f.resolved = 0) {
    if (f.resolved == 0) resolve_term(f);
    if (f.resolved == 2) {
      if (!add_product(f)) return false;
      continue;
    }
    uint32_t term;
    if (sums ? !get(f.x[0], term) : !get_number(f.x[0], term)) return false;
    if (term == kAbsent) continue;
    term = form.turned(*b_, term);
    f.accumulator = f.accumulator == kNone ? term : reduction_step(*b_, op, f.accumulator, term);
  }
  if (c_.reduction[f.value] == Reduction::columns) {
    set_slot(t_.slot[f.value] + f.element, f.accumulator);
    return true;
  }
  if (c_.reduction[f.value] != Reduction::none) {
    uint32_t variable = variable_values_[variables_.at(f.value) + f.element];
    if (f.accumulator != variable) b_->set(variable, f.accumulator);
    return true;
  }
  if (f.accumulator == kNone && count > 0) f.accumulator = kAbsent;  // all terms are
  DType dtype = g_.dtype(f.value);
  if (f.accumulator == kNone) f.accumulator = sums ? zero(*b_, kernel_type(dtype)) : reduction_start(*b_, op, dtype);
  set_slot(t_.slot[f.value] + f.element, f.accumulator);
  return true;
}

// ---- all elements of a value

void ClusterElements::make_all(Value v) {
  auto n = static_cast<uint32_t>(c_.axes.elements(v));
  for (uint32_t j = 0; j < n; ++j) make(v, j);
}

bool ClusterElements::streams(Value v) const {
  const KElement t = element_in_memory(g_.dtype(v));
  return !t_.streams.empty() && t_.streams[v] && c_.reduction[v] == Reduction::none && b_->lanes() > 1 &&
         t.type != KType::mask && t.memory == KMem::own;
}

void ClusterElements::make_tile() {
  int64_t bytes = 0;
  for (Value v : cluster_.members)
    if (c_.stored[v] && c_.axes.elements(v) > 1 && streams(v) && fits_tile(v)) bytes = std::max(bytes, tile_bytes(v));
  if (bytes == 0) return;
  tile_ = args_->scratch({}, bytes);
  b_->read_write(tile_);
}

void ClusterElements::store(const Access& a, Value v, std::span<const uint32_t> made) {
  auto n = static_cast<uint32_t>(c_.axes.elements(v));
  const DType dtype = g_.dtype(v);
  const KElement t = element_in_memory(dtype);
  bool vector = in_vector() && a.moves(vector_loop_), whole = t.type != KType::mask && t.memory == KMem::own;
  bool rows = vector && n > 1 && a.dense() && whole, past = vector && streams(v);
  const bool tile = rows && past && a.packed(vector_loop_) && fits_tile(v);
  auto block = rows ? static_cast<uint32_t>(b_->lanes()) : 1;
  std::vector<uint32_t> values;
  for (uint32_t j = 0; j < n; j += block) {
    values.clear();
    for (uint32_t k = j; k < std::min(j + block, n); ++k) {
      const uint32_t x = made.empty() ? make(v, k) : made[k];
      b_->origin(v);
      values.push_back(narrowed(*b_, dtype, x));
    }
    Access::Address at = a.at(*b_, loops_, j);
    if (tile)
      b_->store_rows(values, tile_, kNone, b_->iconst(n), int64_t{j} * size_of(dtype));
    else if (!vector)
      b_->store_one(values[0], a.pointer(), at.index, at.bytes, t.memory);
    else if (values.size() > 1)
      b_->store_rows(values, a.pointer(), at.index, a.step(vector_loop_, *b_), at.bytes);
    else if (a.unit(vector_loop_))
      b_->store(values[0], a.pointer(), at.index, at.bytes, t.memory, past);
    else
      b_->store_strided(values[0], a.pointer(), at.index, a.step(vector_loop_, *b_), at.bytes, t.memory);
  }
  if (!tile) return;
  const Access::Address at = a.at(*b_, loops_, 0);
  b_->copy(t.type, static_cast<uint16_t>(n), tile_, a.pointer(), at.index, at.bytes, true);
}

void ClusterElements::keep(Value v) {
  auto n = static_cast<uint32_t>(c_.axes.elements(v));
  for (uint32_t j = 0; j < n; ++j) b_->store(make(v, j), kept_.at(v).pointer, kept_index(j));
}

}  // namespace jot::cpu
