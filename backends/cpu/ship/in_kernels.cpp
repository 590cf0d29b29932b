#include "backends/cpu/ship/in_kernels.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "ir/build.h"
#include "ir/ops/regions.h"
#include "passes/inline.h"
#include "passes/rewrite.h"

namespace jot::cpu {

using namespace ir;

namespace {

using Dims = std::vector<int64_t>;
using Values = std::vector<Value>;

// What may be computed though nobody asked for it: it ends, and no data are at fault.
bool is_harmless(const Graph& region) {
  std::vector<Graph> pending = {region};
  while (!pending.empty()) {
    const Graph graph = pending.back();
    pending.pop_back();
    const GraphData& g = graph.data();
    for (Value v = 0; v < g.size(); ++v)
      if (fault_kinds(g, v) > 0 || g.op(v) == Op::while_op || g.op(v) == Op::host_call_op) return false;
    pending.insert(pending.end(), g.regions().begin(), g.regions().end());
  }
  return true;
}

bool is_scatter(Op op) { return op >= Op::scatter_add_op && op <= Op::scatter_set_op; }

class InKernels {
 public:
  explicit InKernels(const GraphData& g) : g_(g), b_(g.name()), map_(b_, g) {}

  Graph run() {
    map_.take_params();
    b_.reserve(g_.size());
    map_.for_each_op([&](Value v) {
      b_.set_origin_of(g_, v);
      if (!rewrite(v)) map_.copy(v);
    });
    return map_.finish();
  }

 private:
  Values operands(Value v) {
    const std::span<const Value> all = map_.operands(v);
    return {all.begin(), all.end()};
  }
  bool set(Value v, Value now) {
    map_.set(v, now);
    return true;
  }

  bool rewrite(Value v) {
    const Op op = g_.op(v);
    if (is_of_nothing(v)) {
      for (Value r = v; r < v + g_.results(v); ++r) map_.set(r, build::zeros(b_, g_.type(r)));
      return true;
    }
    switch (op) {
      case Op::cond_op:
        return select_branch(v);
      case Op::while_op:
        return carry_condition(v);
      case Op::dynamic_slice_op:
        return gather_slice(v);
      case Op::dynamic_update_slice_op:
        return update_slice(v);
      case Op::cumulative_sum_op:
      case Op::cumulative_prod_op:
      case Op::cumulative_logsumexp_op:
      case Op::cumulative_max_op:
      case Op::cumulative_min_op:
      case Op::linear_recurrence_op:
        return accumulate(v);
      default:
        return is_scatter(op) && scatter_densely(v);
    }
  }

  // Results without elements, and the orders of matrices that have none.
  bool is_of_nothing(Value v) const {
    if (info(g_.op(v)).op_class == OpClass::source || has_regions(g_.op(v))) return false;
    if (g_.op(v) == Op::cholesky_op || g_.op(v) == Op::lu_op) return g_.shape(g_.operand(v, 0)).numel() == 0;
    for (Value r = v; r < v + g_.results(v); ++r)
      if (g_.type(r).token || g_.shape(r).numel() > 0) return false;
    return true;
  }

  // ---- control

  bool select_branch(Value v) {
    const AttrView a = g_.attrs(v);
    const size_t n = a.num_regions(Key::branches);
    for (size_t i = 0; i < n; ++i)
      if (!is_harmless(a.region(Key::branches, i))) return false;
    const Values all = operands(v);
    Values chosen;
    for (size_t i = n; i-- > 0;) {
      const Values results = passes::inline_graph(b_, a.region(Key::branches, i).data(), std::span(all).subspan(1));
      if (chosen.empty()) {
        chosen = results;
        continue;
      }
      const Value here = build::compare(b_, all[0], integer({}, static_cast<int64_t>(i)), Direction::le);
      for (size_t k = 0; k < chosen.size(); ++k) chosen[k] = build::where(b_, here, results[k], chosen[k]);
    }
    for (size_t k = 0; k < chosen.size(); ++k) map_.set(v + static_cast<Value>(k), chosen[k]);
    return true;
  }

  // A first carry tells whether another step follows.
  bool carry_condition(Value v) {
    const AttrView a = g_.attrs(v);
    const auto consts = static_cast<size_t>(a.integer(Key::consts));
    if (a.num_regions(Key::stages) != 1) return false;
    const Graph &condition = a.region(Key::condition), &body = a.region(Key::stages, 0);
    if (const auto about = any_of_input(condition); about && *about >= consts) return false;
    const GraphData& g = body.data();
    const Type truth{DType::boolean, false, {}};
    auto all_params = [&](Builder& b, Values& inner) {
      for (size_t i = 0; i < consts; ++i) inner.push_back(b.param(g.type(g.inputs()[i])));
      const Value holds = b.param(truth);
      for (size_t i = consts; i < g.inputs().size(); ++i) inner.push_back(b.param(g.type(g.inputs()[i])));
      return holds;
    };
    Builder step(g.name());
    Values inner;
    all_params(step, inner);
    Values states = passes::inline_graph(step, g, inner);
    Values seen(inner.begin(), inner.begin() + static_cast<std::ptrdiff_t>(consts));
    seen.insert(seen.end(), states.begin(), states.end());
    states.insert(states.begin(), passes::inline_graph(step, condition.data(), seen)[0]);
    Builder test(condition.data().name());
    Values unused;
    const Value holds = all_params(test, unused);
    const Graph carried = test.finish({any_of(test, holds)});

    Values all = operands(v);
    const Value first = passes::inline_graph(b_, condition.data(), all)[0];
    all.insert(all.begin() + static_cast<std::ptrdiff_t>(consts), first);
    const Graph stages[] = {step.finish(states)};
    const Attrs attrs = Attrs()
                            .add(carried)
                            .add(std::span<const Graph>(stages))
                            .add(Dims{static_cast<int64_t>(states.size())})
                            .add(Dims{0})
                            .add(a.integer(Key::consts))
                            .add(a.integer(Key::max_steps))
                            .add(a.integer(Key::length))
                            .add(a.integer(Key::checkpoints))
                            .add(a.ints(Key::lanes));
    const Value loop = b_.emit(Op::while_op, all, attrs);
    for (Value k = 0; k < g_.results(v); ++k) map_.set(v + k, loop + 1 + k);
    return true;
  }

  // ---- indices

  Value integer(const Shape& shape, int64_t n) { return build::constant_int(b_, DType::i64, shape, n); }
  Value clamped(Value x, int64_t most) {
    const Shape shape = b_.shape(x);
    Value below = build::binary(b_, Op::min_op, x, integer(shape, most));
    return build::binary(b_, Op::max_op, below, integer(shape, 0));
  }
  // The dims along which a part lies somewhere in the whole.
  static Dims free_dims(const Shape& part, const Shape& whole) {
    Dims dims;
    for (size_t d = 0; d < whole.size(); ++d)
      if (part[d] != whole[d]) dims.push_back(static_cast<int64_t>(d));
    return dims;
  }

  bool gather_slice(Value v) {
    const Values all = operands(v);
    const Shape shape = g_.shape(v);
    build::GatherDims dims;
    dims.index_map = free_dims(shape, b_.shape(all[0]));
    if (dims.index_map.empty()) return set(v, all[0]);
    Values starts;
    for (int64_t d : dims.index_map) starts.push_back(build::reshape(b_, all[static_cast<size_t>(d) + 1], {1}));
    dims.offset_dims = build::all_axes(shape.size());
    return set(v, build::gather(b_, all[0], build::concat(b_, starts, 0), dims, Ints(shape), IndexMode::clip));
  }

  bool update_slice(Value v) {
    const Values all = operands(v);
    const Value x = all[0], update = all[1];
    const Shape shape = b_.shape(x), part = b_.shape(update);
    const Dims moved = free_dims(part, shape);
    if (moved.empty()) return set(v, update);
    if (part.numel() == 0) return set(v, x);
    Shape around;
    for (int64_t d : moved) around.push_back(shape[static_cast<size_t>(d)]);
    Value within = kNoValue;
    Values places;
    for (size_t k = 0; k < moved.size(); ++k) {
      const auto d = static_cast<size_t>(moved[k]);
      const Value start = clamped(all[d + 2], shape[d] - part[d]);
      const Value place = build::sub(b_, build::iota(b_, DType::i64, around, static_cast<int64_t>(k)),
                                     build::broadcast_scalar(b_, start, around));
      const Value here = build::binary(b_, Op::and_op, build::compare(b_, place, integer(around, 0), Direction::ge),
                                       build::compare(b_, place, integer(around, part[d]), Direction::lt));
      within = within == kNoValue ? here : build::binary(b_, Op::and_op, within, here);
      Shape with_one = around;
      with_one.push_back(1);
      places.push_back(build::reshape(b_, place, with_one));
    }
    build::GatherDims dims;
    dims.collapsed = dims.index_map = moved;
    Shape sizes = part;
    for (int64_t d : moved) sizes[static_cast<size_t>(d)] = 1;
    for (int64_t d : build::all_axes(shape.size()))
      if (std::ranges::find(moved, d) == moved.end()) dims.offset_dims.push_back(d);
    const Value index = build::concat(b_, places, static_cast<int64_t>(around.size()));
    const Value moved_update = build::gather(b_, update, index, dims, Ints(sizes), IndexMode::clip);
    return set(v, build::where(b_, build::broadcast(b_, within, shape, moved), moved_update, x));
  }

  // Each element looks at all updates, of which there are few: of slices that are whole but along the dims that the
  // indices name.
  bool scatter_densely(Value v) {
    constexpr int64_t kMost = int64_t{1} << 20;
    const AttrView a = g_.attrs(v);
    const Values all = operands(v);
    const Value x = all[0];
    const Shape shape = b_.shape(x);
    Dims collapsed(a.ints(Key::collapsed).begin(), a.ints(Key::collapsed).end());
    Dims named(a.ints(Key::index_map).begin(), a.ints(Key::index_map).end());
    std::ranges::sort(collapsed);
    std::ranges::sort(named);
    Shape batch = b_.shape(all[1]);
    batch.erase(batch.size() - 1);
    const int64_t n = batch.numel();
    if (n == 0 || shape.numel() == 0) return set(v, x);
    const Ints stacks = a.ints(Key::operand_batch);
    Dims mapped = named;  // dims along which an update is of one place
    mapped.insert(mapped.end(), stacks.begin(), stacks.end());
    std::ranges::sort(mapped);
    if (named != collapsed || mapped.empty()) return false;
    if (n > kMost / shape.numel()) return false;

    // [n, dims of x] of the updates, those of the indices of extent 1.
    const Ints offsets = a.ints(Key::offset_dims);
    Dims perm, window;
    for (int64_t d : build::all_axes(b_.shape(all[2]).size()))
      if (std::ranges::find(offsets, d) == offsets.end()) perm.push_back(d);
    perm.insert(perm.end(), offsets.begin(), offsets.end());
    for (int64_t d : build::all_axes(shape.size()))
      if (std::ranges::find(mapped, d) == mapped.end()) window.push_back(d);
    for (size_t k = 0; k < window.size(); ++k)
      if (b_.shape(all[2])[static_cast<size_t>(offsets[k])] != shape[static_cast<size_t>(window[k])]) return false;
    Shape rows = {n}, places = {n}, around = shape;
    for (int64_t d : window) rows.push_back(shape[static_cast<size_t>(d)]);
    around.insert(0, n);
    Dims to = {0};
    for (int64_t d : window) to.push_back(d + 1);
    const Value updates = build::reshape(b_, build::permute(b_, all[2], perm), rows);

    // Whether an update is of an element.
    Value meets = kNoValue;
    Dims along = {0};
    for (int64_t d : mapped) places.push_back(shape[static_cast<size_t>(d)]), along.push_back(d + 1);
    for (size_t k = 0; k < mapped.size(); ++k) {
      const Value index = place_along(v, all[1], mapped[k], batch, shape[static_cast<size_t>(mapped[k])]);
      const Value here =
          build::compare(b_, build::broadcast(b_, index, places, Dims{0}),
                         build::iota(b_, DType::i64, places, static_cast<int64_t>(k) + 1), Direction::eq);
      meets = meets == kNoValue ? here : build::binary(b_, Op::and_op, meets, here);
    }
    if (g_.op(v) == Op::scatter_set_op) return set(v, last_written(x, meets, updates, mapped));
    const auto [reduction, combine, start] = ways_to_scatter(g_.op(v), b_.dtype(x));
    const Value terms =
        build::where(b_, build::broadcast(b_, meets, around, along), build::broadcast(b_, updates, around, to),
                     is_floating(b_.dtype(x)) ? build::constant(b_, b_.dtype(x), around, start.real)
                                              : build::constant_int(b_, b_.dtype(x), around, start.whole));
    return set(v, build::binary(b_, combine, x, build::reduce(b_, reduction, terms, Dims{0})));
  }
  struct Start {
    double real;
    int64_t whole;
  };
  struct Ways {
    Op reduction, combine;
    Start start;
  };
  static Ways ways_to_scatter(Op op, DType dtype) {
    constexpr double inf = std::numeric_limits<double>::infinity();
    const bool narrow = dtype == DType::i32;
    const int64_t most = narrow ? std::numeric_limits<int32_t>::max() : std::numeric_limits<int64_t>::max();
    switch (op) {
      case Op::scatter_mul_op:
        return {Op::reduce_prod_op, Op::mul_op, {1, 1}};
      case Op::scatter_max_op:
        return {Op::reduce_max_op, Op::max_op, {-inf, -most - 1}};
      case Op::scatter_min_op:
        return {Op::reduce_min_op, Op::min_op, {inf, most}};
      default:
        return {Op::reduce_sum_op, Op::add_op, {0, 0}};
    }
  }
  // [n], i64: where each update is along a dim of the operand.
  Value place_along(Value v, Value indices, int64_t dim, const Shape& batch, int64_t extent) {
    const AttrView a = g_.attrs(v);
    const Ints named = a.ints(Key::index_map), stacks = a.ints(Key::operand_batch);
    if (const auto at = std::ranges::find(named, dim); at != named.end())
      return place_of(indices, static_cast<size_t>(at - named.begin()), extent, batch.numel(), a.mode());
    const auto nth = static_cast<size_t>(std::ranges::find(stacks, dim) - stacks.begin());
    const Value along = build::iota(b_, DType::i64, batch, a.ints(Key::index_batch)[nth]);
    return build::reshape(b_, along, {batch.numel()});
  }
  // [n], i64: the entries k of the index vectors; where they are out of range, outside, or what the mode says: as a
  // gather of the places themselves finds it.
  Value place_of(Value indices, size_t k, int64_t extent, int64_t n, IndexMode mode) {
    const auto last = static_cast<int64_t>(b_.shape(indices).size()) - 1;
    const Value entry = build::slice_axis(b_, indices, last, static_cast<int64_t>(k), static_cast<int64_t>(k) + 1);
    const Value index = build::reshape(b_, entry, {n, 1});
    if (mode == IndexMode::fill) return build::reshape(b_, build::convert(b_, index, DType::i64), {n});
    build::GatherDims dims;
    dims.collapsed = dims.index_map = {0};
    return build::gather(b_, build::iota(b_, DType::i64, {extent}, 0), index, dims, Dims{1}, mode);
  }
  Value last_written(Value x, Value meets, Value updates, const Dims& mapped) {
    const Shape shape = b_.shape(x), places = b_.shape(meets);
    const Value number = build::where(b_, meets, build::iota(b_, DType::i64, places, 0), integer(places, -1));
    const Value last = build::reduce(b_, Op::reduce_max_op, number, Dims{0});
    Shape with_one = b_.shape(last), sizes = b_.shape(updates);
    with_one.push_back(1);
    sizes[0] = 1;
    build::GatherDims dims;
    dims.collapsed = dims.index_map = {0};
    for (int64_t d : build::all_axes(shape.size()))
      if (std::ranges::find(mapped, d) == mapped.end()) dims.offset_dims.push_back(d);
    const Value written =
        build::gather(b_, updates, build::reshape(b_, last, with_one), dims, Ints(sizes), IndexMode::clip);
    const Value any = build::compare(b_, last, integer(b_.shape(last), 0), Direction::ge);
    return build::where(b_, build::broadcast(b_, any, shape, mapped), written, x);
  }

  // ---- cumulative functions: a scan over the elements of a line

  bool accumulate(Value v) {
    const AttrView a = g_.attrs(v);
    const int64_t dim = a.integer(Key::dim);
    const bool reverse = a.integer(Key::reverse) != 0;
    const Shape shape = g_.shape(v);
    const int64_t n = shape[static_cast<size_t>(dim)];
    Dims perm = build::all_axes(shape.size());
    std::rotate(perm.begin(), perm.begin() + dim, perm.begin() + dim + 1);
    Shape line = shape;
    line.erase(static_cast<size_t>(dim));
    Steps steps(g_.op(v), g_.dtype(v), line, reverse ? n - 1 : 0);
    Values all = steps.starts(b_);
    const size_t carries = all.size();
    for (Value o : operands(v)) all.push_back(build::permute(b_, o, perm));
    if (steps.places()) all.push_back(build::iota(b_, DType::i64, {n}, 0));
    const Value scan = build::scan(b_, steps.body(b_.graph().name()), n, reverse, 0, carries, all);
    const Dims back = build::inverse(perm);
    for (Value k = 0; k < g_.results(v); ++k)
      map_.set(v + k, build::permute(b_, scan + static_cast<Value>(carries) + k, back));
    return true;
  }

  // What ir/ops/prefix.h says, as a step: carries, one element of each line of the operands, the place.
  class Steps {
   public:
    Steps(Op op, DType dtype, const Shape& line, int64_t first)
        : op_(op), dtype_(dtype), wide_(is_floating(dtype) ? DType::f64 : dtype), line_(line), first_(first) {}
    bool places() const { return is_extremum() || op_ == Op::linear_recurrence_op; }

    Values starts(Builder& b) const {
      constexpr double inf = std::numeric_limits<double>::infinity();
      auto wide = [&](double x) { return build::constant(b, wide_, line_, x); };
      const bool max = op_ == Op::cumulative_max_op;
      const int64_t most = dtype_ == DType::i32 ? std::numeric_limits<int32_t>::max() : INT64_MAX;
      if (is_extremum())
        return {is_floating(dtype_) ? build::constant(b, dtype_, line_, max ? -inf : inf)
                                    : build::constant_int(b, dtype_, line_, max ? -most - 1 : most),
                build::constant_int(b, DType::i64, line_, 0)};
      if (op_ == Op::cumulative_logsumexp_op) return {build::constant(b, dtype_, line_, -inf), wide(0)};
      if (op_ == Op::cumulative_prod_op) return {build::constant(b, dtype_, line_, 1)};
      if (op_ == Op::cumulative_sum_op && is_floating(dtype_)) return {wide(0), wide(0)};
      return {wide(0)};
    }

    Graph body(const std::string& name) const {
      Builder b(name);
      Values carries;
      for (DType d : carry_types()) carries.push_back(b.param({d, false, line_}));
      const Value first = b.param({dtype_, false, line_});
      if (op_ == Op::linear_recurrence_op) return recurrence(b, carries[0], first);
      if (is_extremum()) return extremum(b, carries, first);
      if (op_ == Op::cumulative_logsumexp_op) return logsumexp(b, carries, first);
      if (op_ == Op::cumulative_sum_op && is_floating(dtype_)) return exact_sum(b, carries, first);
      const Value x = build::binary(b, op_ == Op::cumulative_prod_op ? Op::mul_op : Op::add_op, carries[0], first);
      return b.finish({x, x});
    }

   private:
    bool is_extremum() const { return op_ == Op::cumulative_max_op || op_ == Op::cumulative_min_op; }
    std::vector<DType> carry_types() const {
      if (is_extremum()) return {dtype_, DType::i64};
      if (op_ == Op::cumulative_logsumexp_op) return {dtype_, wide_};
      if (op_ == Op::cumulative_prod_op) return {dtype_};
      if (op_ == Op::cumulative_sum_op && is_floating(dtype_)) return {wide_, wide_};
      return {wide_};
    }

    Graph exact_sum(Builder& b, const Values& carries, Value first) const {
      const Value x = build::convert(b, first, wide_), sum = build::add(b, carries[0], x);
      const Value of_x = build::sub(b, sum, carries[0]);
      const Value kept = build::sub(b, carries[0], build::sub(b, sum, of_x));
      const Value lost = build::add(b, carries[1], build::add(b, kept, build::sub(b, x, of_x)));
      const Value finite = build::compare(b, lost, lost, Direction::eq);
      const Value y = build::where(b, finite, build::add(b, sum, lost), sum);
      return b.finish({sum, lost, build::convert(b, y, dtype_)});
    }

    Graph extremum(Builder& b, const Values& carries, Value x) const {
      const Value at = b.param({DType::i64, false, {}}), best = carries[0];
      const Value worse = build::compare(b, x, best, op_ == Op::cumulative_max_op ? Direction::lt : Direction::gt);
      const Value may = build::binary(b, Op::or_op, build::compare(b, best, best, Direction::eq),
                                      build::compare(b, x, x, Direction::ne));
      const Value takes = build::binary(b, Op::and_op, build::unary(b, Op::not_op, worse), may);
      const Value value = build::where(b, takes, x, best);
      const Value place = build::where(b, takes, build::broadcast_scalar(b, at, line_), carries[1]);
      return b.finish({value, place, value, place});
    }

    Graph logsumexp(Builder& b, const Values& carries, Value x) const {
      const Value top = carries[0], sum = carries[1], one = build::constant(b, wide_, line_, 1);
      auto grown = [&](Value from, Value to) {
        return build::convert(b, build::unary(b, Op::exp_op, build::sub(b, from, to)), wide_);
      };
      const Value equal = build::compare(b, x, top, Direction::eq), less = build::compare(b, x, top, Direction::lt);
      const Value above = build::add(b, build::mul(b, sum, grown(top, x)), one);
      const Value below = build::where(b, equal, build::add(b, sum, one), build::add(b, sum, grown(x, top)));
      const Value stays = build::binary(b, Op::or_op, equal, less);
      const Value next_sum = build::where(b, stays, below, above), next_top = build::where(b, stays, top, x);
      const Value log = build::unary(b, Op::log_op, build::convert(b, next_sum, dtype_));
      return b.finish({next_top, next_sum, build::add(b, next_top, log)});
    }

    Graph recurrence(Builder& b, Value last, Value factor) const {
      const Value x = b.param({dtype_, false, line_}), at = b.param({DType::i64, false, {}});
      const Value begins = build::compare(b, at, build::constant_int(b, DType::i64, {}, first_), Direction::eq);
      const Value wide_x = build::convert(b, x, wide_);
      const Value grown = build::add(b, build::mul(b, build::convert(b, factor, wide_), last), wide_x);
      const Value next = build::where(b, begins, wide_x, grown);
      return b.finish({next, build::convert(b, next, dtype_)});
    }

    Op op_;
    DType dtype_, wide_;
    Shape line_;
    int64_t first_;
  };

  const GraphData& g_;
  Builder b_;
  passes::Rewriter map_;
};

bool has_conditions(const GraphData& g) {
  for (Value v = 0; v < g.size(); ++v)
    if (g.op(v) == Op::cond_op) return true;
  return false;
}

}  // namespace

Graph in_kernels(const Graph& graph) {
  Graph now = InKernels(graph.data()).run();
  for (uint32_t size = 0; has_conditions(now.data()) && now.data().size() != size;) {  // of branches
    size = now.data().size();
    now = InKernels(now.data()).run();
  }
  return now;
}

}  // namespace jot::cpu
