#include "jot/loops.h"

#include <algorithm>

#include "core/functions/operands.h"
#include "core/functions/regions.h"
#include "core/record/splice.h"
#include "passes/drop_writebacks.h"
#include "passes/inline.h"

namespace jot::detail {

namespace build = ir::build;
using ir::Graph;
using ir::Value;

namespace {

ir::Type counter_type() { return {i64, false, {}}; }

template <class E>
[[noreturn]] void refuse(const Loop& loop, const std::string& what) {
  throw E("[" + std::string(loop.api) + "] " + what + jot::at(loop.at));
}

std::vector<ir::Type> types_of_arguments(const Loop& loop) {
  std::vector<ir::Type> types;
  if (loop.counted) types.push_back(counter_type());
  for (const Tensor& t : loop.carries) types.push_back(type_of(t));
  for (const Tensor& t : loop.xs) {
    types.push_back(type_of(t));
    types.back().shape.erase(0);
  }
  return types;
}

// Writes to its arguments end with the step.
RecordedRegion record(const Loop& loop, Fn fn, std::span<const Tensor> args) {
  RecordedRegion r = record_region(loop.api, fn, args, loop.at, types_of_arguments(loop));
  std::vector<uint8_t> arguments;
  for (const Binding& b : r.recording.bindings) arguments.push_back(b.kind == Binding::Kind::argument);
  r.pure = passes::drop_writebacks(r.pure, arguments);
  return r;
}

void check_carries(const Loop& loop, const Leaves& values, size_t returned) {
  if (returned != loop.carries.size())
    refuse<TransformError>(loop, "a step must return the carry as it got it: it got " +
                                     std::to_string(loop.carries.size()) + " tensors and returned " +
                                     std::to_string(returned));
  for (size_t k = 0; k < returned; ++k)
    if (ir::Type before = type_of(loop.carries[k]), after = type_of(values[k]); before != after)
      refuse<TransformError>(
          loop, "a step must keep the shape and dtype of the carry: " + loop.body.name(Role::output, k) + " is " +
                    ir::to_string(after) + ", the carry was " + ir::to_string(before));
}

// A loop in the making: what its regions see as constants, and what they carry.
class LoopBuilder {
 public:
  LoopBuilder(const Loop& loop, std::span<RecordedRegion* const> regions) : loop_(loop), counted_(loop.counted) {
    auto each_captured = [&](auto f) {
      for (RecordedRegion* r : regions)
        for (size_t i = 0; i < r->recording.bindings.size(); ++i)
          if (const Binding& b = r->recording.bindings[i]; b.kind != Binding::Kind::argument) f(*r, i, b);
    };
    for (RecordedRegion* r : regions) {
      r->places.resize(r->recording.bindings.size());
      for (uint32_t w : r->pure.data().writebacks()) written_.place(r->recording.bindings[w], type_of_input(*r, w));
    }
    each_captured([&](RecordedRegion& r, size_t i, const Binding& b) {
      draws_ |= b.kind == Binding::Kind::rng_key;
      std::optional<size_t> written = written_.find(b);
      r.places[i] = written ? *written : consts_.place(b, type_of_input(r, i));
    });
    counted_ |= draws_;
  }

  bool counted() const { return counted_; }
  size_t num_consts() const { return consts_.bindings.size(); }
  // counter, carries, written captures
  size_t num_carries() const { return counted_ + loop_.carries.size() + written_.bindings.size(); }

  struct Region {
    ir::Builder b;
    std::vector<Value> consts, carries, xs;
    explicit Region(std::string_view name) : b(std::string(name)) {}
  };
  // Parameters: constants, carries and, where asked for, the slices.
  Region start(std::string_view name, bool slices) const {
    Region r(name);
    for (const ir::Type& t : consts_.types) r.consts.push_back(r.b.param(t));
    if (counted_) r.carries.push_back(r.b.param(counter_type()));
    for (const Tensor& t : loop_.carries) r.carries.push_back(r.b.param(type_of(t)));
    for (const ir::Type& t : written_.types) r.carries.push_back(r.b.param(t));
    for (size_t i = 0; slices && i < loop_.xs.size(); ++i) {
      ir::Type t = type_of(loop_.xs[i]);
      t.shape.erase(0);
      r.xs.push_back(r.b.param(t));
    }
    return r;
  }

  // Emits a recorded region; its results, then the new contents of what it writes. numbered: its first argument is the
  // number of the step. A condition draws apart from the body.
  std::vector<Value> emit(Region& r, const RecordedRegion& recorded, bool numbered, bool condition) const {
    const std::vector<Binding>& bindings = recorded.recording.bindings;
    std::vector<Value> args;
    for (size_t i = 0; i < bindings.size(); ++i) {
      const Binding& b = bindings[i];
      const size_t place = recorded.places[i], first_written = counted_ + loop_.carries.size();
      if (b.kind == Binding::Kind::argument)
        args.push_back(argument(r, b.argument, numbered));
      else if (b.kind == Binding::Kind::rng_key)
        args.push_back(r.b.emit(ir::Op::fold_in_op, {r.consts[place], step_of(r, condition)}));
      else
        args.push_back(written_.find(b) ? r.carries[first_written + place] : r.consts[place]);
    }
    return passes::inline_graph(r.b, recorded.pure.data(), args);
  }

  // The carries after a step, from what emit() gave for it.
  std::vector<Value> carried(Region& r, const RecordedRegion& body, std::span<const Value> values) const {
    std::vector<Value> outputs;
    if (counted_) outputs.push_back(build::add(r.b, r.carries[0], build::constant_int(r.b, i64, {}, 1)));
    outputs.insert(outputs.end(), values.begin(), values.begin() + static_cast<std::ptrdiff_t>(loop_.carries.size()));
    const ir::GraphData& g = body.pure.data();
    for (size_t w = 0; w < written_.bindings.size(); ++w) {
      Value contents = r.carries[counted_ + loop_.carries.size() + w];
      for (size_t i = 0; i < g.writebacks().size(); ++i)
        if (body.places[g.writebacks()[i]] == w) contents = values[g.num_results() + i];
      outputs.push_back(contents);
    }
    return outputs;
  }

  // The loop as a function: of the constants, the carries, the written captures and the xs.
  struct Function {
    ir::Builder b{"loop"};
    std::vector<Binding> bindings;
    std::vector<Value> operands;    // of the op, but for the xs
    std::vector<uint32_t> written;  // inputs
  };
  // ends_by_lanes: lanes may end at different steps, and then have counters, and so keys of the steps, of their own:
  // the stream that these come from is drawn, so that it is another in each lane.
  Function function(std::span<const Tensor> extra, int64_t first, bool counter_given, bool ends_by_lanes) const {
    Function f;
    f.b.set_origin(loop_.at, "");
    auto input = [&](const Binding& b, const ir::Type& t) {
      f.bindings.push_back(b);
      return f.b.param(t);
    };
    std::vector<Value> carries, written, others;
    for (size_t i = 0; i < num_consts(); ++i) {
      Value v = input(consts_.bindings[i], consts_.types[i]);
      if (ends_by_lanes && consts_.bindings[i].kind == Binding::Kind::rng_key)
        v = f.b.emit(ir::Op::random_bits_op, {v, build::constant_int(f.b, i64, {}, 0)}, ir::Attrs(Shape{2}, 64));
      f.operands.push_back(v);
    }
    for (size_t i = 0; i < loop_.carries.size(); ++i)
      carries.push_back(input({Binding::Kind::argument, i}, type_of(loop_.carries[i])));
    for (size_t i = 0; i < written_.bindings.size(); ++i) {
      f.written.push_back(static_cast<uint32_t>(f.bindings.size()));
      written.push_back(input(written_.bindings[i], written_.types[i]));
    }
    for (size_t i = 0; i < extra.size(); ++i)
      others.push_back(input({Binding::Kind::argument, loop_.carries.size() + i}, type_of(extra[i])));
    if (counted_ && counter_given) {
      f.operands.push_back(others.front());
      others.erase(others.begin());
    } else if (counted_) {
      f.operands.push_back(build::constant_int(f.b, i64, {}, first));
    }
    f.operands.insert(f.operands.end(), carries.begin(), carries.end());
    f.operands.insert(f.operands.end(), written.begin(), written.end());
    f.operands.insert(f.operands.end(), others.begin(), others.end());
    return f;
  }

  // Records the op whose first result is `first`: the carries, then `ys` further results.
  Leaves finish(Function& f, Value first, size_t ys, std::span<const Tensor> extra) const {
    std::vector<Value> outputs;
    Value next = first + counted_;
    for (size_t i = 0; i < loop_.carries.size(); ++i) outputs.push_back(next++);
    Value written = next;
    next += static_cast<Value>(written_.bindings.size());
    for (size_t i = 0; i < ys; ++i) outputs.push_back(next++);
    for (size_t i = 0; i < written_.bindings.size(); ++i) outputs.push_back(written++);
    std::vector<Tensor> args(loop_.carries.begin(), loop_.carries.end());
    args.insert(args.end(), extra.begin(), extra.end());
    Graph graph = f.b.finish(outputs, f.written);
    return splice(graph, f.bindings, args, {}, draws_, loop_.at);
  }

 private:
  static const ir::Type& type_of_input(const RecordedRegion& r, size_t i) {
    const ir::GraphData& g = r.pure.data();
    return g.type(g.inputs()[i]);
  }
  Value argument(const Region& r, size_t i, bool numbered) const {
    if (numbered && i == 0) return r.carries[0];
    i -= numbered;
    return i < loop_.carries.size() ? r.carries[counted_ + i] : r.xs[i - loop_.carries.size()];
  }
  static Value step_of(Region& r, bool condition) {
    return condition ? build::unary(r.b, ir::Op::not_op, r.carries[0]) : r.carries[0];
  }

  const Loop& loop_;
  RegionInputs consts_, written_;
  bool counted_ = false, draws_ = false;
};

// How many carries reverse mode keeps; 0: all.
int64_t checkpoints_of(const Loop& loop) {
  if (loop.checkpoints && *loop.checkpoints <= 0)
    refuse<Error>(loop, "expected a positive number of checkpoints, got " + std::to_string(*loop.checkpoints));
  return loop.checkpoints.value_or(0);
}

// A scan as a loop whose states are a counter, the carries and the ys: the first result of the carries. Reverse mode
// needs of them what a step reads, which the ys are not.
Value checkpointed_scan(ir::Builder& b, const Graph& body, int64_t length, bool reverse, size_t consts, size_t carries,
                        std::span<const Value> operands, int64_t checkpoints) {
  const ir::GraphData& g = body.data();
  size_t num_xs = operands.size() - consts - carries, num_ys = g.outputs().size() - carries;
  auto number = [](ir::Builder& to, int64_t n) { return build::constant_int(to, i64, {}, n); };
  auto slices = [&](const ir::Type& slice) {
    ir::Type t = slice;
    t.shape.insert(0, length);
    return t;
  };
  ir::Builder condition("condition"), step(g.name());
  step.set_origin(b.location(), "");
  std::vector<Value> args, xs, ys, outputs,
      all(operands.begin(), operands.begin() + static_cast<std::ptrdiff_t>(consts));
  auto param = [&](const ir::Type& t) { return condition.param(t), step.param(t); };
  for (size_t i = 0; i < consts; ++i) args.push_back(param(b.type(operands[i])));
  for (size_t i = 0; i < num_xs; ++i) {
    all.push_back(operands[consts + carries + i]);
    xs.push_back(param(b.type(all.back())));
  }
  Value limit = condition.param(counter_type()), counter = step.param(counter_type());
  all.push_back(number(b, 0));
  for (size_t i = 0; i < carries; ++i) {
    all.push_back(operands[consts + i]);
    args.push_back(param(b.type(all.back())));
  }
  for (size_t k = 0; k < num_ys; ++k) {
    ir::Type t = slices(g.type(g.outputs()[carries + k]));
    all.push_back(build::zeros(b, t));
    ys.push_back(param(t));
  }
  Value place = reverse ? build::sub(step, number(step, length - 1), counter) : counter;
  auto starts = [&](Value x) {
    std::vector<Value> list(step.shape(x).size(), number(step, 0));
    list[0] = place;
    return list;
  };
  for (Value x : xs) {
    std::vector<Value> of = starts(x);
    of.insert(of.begin(), x);
    Shape sizes = step.shape(x), slice = sizes;
    sizes[0] = 1;
    slice.erase(0);
    args.push_back(build::reshape(step, step.emit(ir::Op::dynamic_slice_op, of, ir::Attrs(sizes)), slice));
  }
  std::vector<Value> values = passes::inline_graph(step, g, args);
  outputs.push_back(build::add(step, counter, number(step, 1)));
  outputs.insert(outputs.end(), values.begin(), values.begin() + static_cast<std::ptrdiff_t>(carries));
  for (size_t k = 0; k < num_ys; ++k) {
    std::vector<Value> of = starts(ys[k]);
    Shape slice = step.shape(values[carries + k]);
    slice.insert(0, 1);
    of.insert(of.begin(), {ys[k], build::reshape(step, values[carries + k], slice)});
    outputs.push_back(step.emit(ir::Op::dynamic_update_slice_op, of));
  }
  Graph goes_on = condition.finish({build::compare(condition, limit, number(condition, length), ir::Direction::lt)});
  return build::while_loop(b, goes_on, step.finish(outputs), consts + num_xs, -1, all, length, checkpoints) + 1;
}

}  // namespace

int64_t common_extent(std::string_view api, std::span<const Tensor> leaves, Location at) {
  if (leaves.empty()) fail<ShapeError>(api, "expected at least one tensor", at);
  for (const Tensor& t : leaves) {
    if (impl_of(t, api, at).shape.empty()) fail<ShapeError>(api, "expected a dim, got " + type_name(t), at);
    if (shape_of(t)[0] != shape_of(leaves[0])[0])
      fail<ShapeError>(api, "expected tensors of one extent, got " + type_name(leaves[0]) + " and " + type_name(t), at);
  }
  return shape_of(leaves[0])[0];
}

void check_batch_size(std::string_view api, std::optional<int64_t> size, Location at) {
  if (size && *size <= 0) fail<Error>(api, "expected a positive batch_size, got " + std::to_string(*size), at);
}

Leaves scan(const Loop& loop) {
  int64_t length = loop.length.value_or(0);
  for (size_t i = 0; i < loop.xs.size(); ++i) {
    std::string name = loop.body.name(Role::argument, loop.carries.size() + i);
    if (!loop.xs[i].defined()) refuse<TransformError>(loop, name + " is an undefined Tensor");
    const Shape& shape = loop.xs[i].impl()->shape;
    if (shape.empty()) refuse<ShapeError>(loop, name + " has no dim 0 to be scanned: it is " + type_name(loop.xs[i]));
    if (i == 0 && !loop.length) length = shape[0];
    if (shape[0] != length)
      refuse<ShapeError>(loop, name + " is " + type_name(loop.xs[i]) + ": expected " + std::to_string(length) +
                                   " slices along dim 0, as " +
                                   (loop.length ? "length says" : "the first of the xs has"));
  }
  if (loop.xs.empty() && !loop.length && !loop.counted) refuse<ShapeError>(loop, "without xs it needs a length");
  if (length < 0) refuse<ShapeError>(loop, "expected a length that is not negative, got " + std::to_string(length));
  OwnStream stream;
  std::vector<Tensor> args;
  if (loop.counted) args.push_back(empty(i64, {}));
  args.insert(args.end(), loop.carries.begin(), loop.carries.end());
  args.insert(args.end(), loop.xs.begin(), loop.xs.end());
  RecordedRegion body = record(loop, loop.body, args);
  const Leaves& values = body.recording.outputs.values;
  check_carries(loop, values, loop.carries_of ? loop.carries_of(loop.body.self) : values.size());
  RecordedRegion* all[] = {&body};
  LoopBuilder made(loop, all);
  size_t ys = values.size() - loop.carries.size();
  if (made.num_carries() + ys == made.counted()) return {};
  LoopBuilder::Region r = made.start(loop.api, true);
  std::vector<Value> results = made.emit(r, body, loop.counted, false), outputs = made.carried(r, body, results);
  for (size_t i = 0; i < ys; ++i) outputs.push_back(results[loop.carries.size() + i]);
  Graph region = r.b.finish(outputs);
  LoopBuilder::Function f = made.function(loop.xs, loop.first, false, false);
  const int64_t checkpoints = length > 0 ? checkpoints_of(loop) : 0;
  Value first = checkpoints > 0
                    ? checkpointed_scan(f.b, region, length, loop.reverse, made.num_consts(), made.num_carries(),
                                        f.operands, checkpoints)
                    : build::scan(f.b, region, length, loop.reverse, made.num_consts(), made.num_carries(), f.operands);
  return made.finish(f, first, ys, loop.xs);
}

Leaves while_loop(const Loop& loop, Fn condition, std::optional<int64_t> max_steps) {
  if (max_steps && *max_steps < 0)
    refuse<Error>(loop, "expected max_steps that is not negative, got " + std::to_string(*max_steps));
  OwnStream stream;
  RecordedRegion test = record(loop, condition, loop.carries);
  const Leaves& held = test.recording.outputs.values;
  if (held.size() != 1 || held[0].impl()->shape.numel() != 1)
    refuse<ShapeError>(loop, "expected a condition of one element, got " +
                                 (held.size() == 1 ? type_name(held[0]) : std::to_string(held.size()) + " tensors") +
                                 "; for one of all elements use any or all");
  if (!test.pure.data().writebacks().empty())
    refuse<TransformError>(loop, "the condition writes to a tensor that it captures: write in the body");
  RecordedRegion body = record(loop, loop.body, loop.carries);
  check_carries(loop, body.recording.outputs.values, body.recording.outputs.values.size());
  if (loop.carries.empty()) refuse<TransformError>(loop, "the carry holds no tensor");
  RecordedRegion* all[] = {&test, &body};
  LoopBuilder made(loop, all);
  LoopBuilder::Region c = made.start("condition", false), r = made.start(loop.api, false);
  Value holds = build::reshape(c.b, made.emit(c, test, false, true)[0], {});
  if (c.b.dtype(holds) != boolean) holds = build::compare(c.b, holds, build::zeros_like(c.b, holds), ir::Direction::ne);
  std::vector<Value> results = made.emit(r, body, false, false);
  Graph region = r.b.finish(made.carried(r, body, results)), condition_region = c.b.finish({holds});
  LoopBuilder::Function f = made.function({}, 0, false, true);
  if (max_steps) f.b.set_call({std::string(loop.api), {}, {}});
  Value first = build::while_loop(f.b, condition_region, region, made.num_consts(), max_steps.value_or(-1), f.operands,
                                  -1, checkpoints_of(loop));
  return made.finish(f, first, 0, {});
}

Leaves fori_loop(const Loop& loop, const Arg& lower, const Arg& upper) {
  auto bound = [&](const Arg& a, const char* name) -> std::optional<int64_t> {
    DType dtype = a.is_tensor() ? impl_of(a.tensor(), loop.api, loop.at).dtype() : a.number().dtype;
    if (!is_integer(dtype))
      refuse<DTypeError>(loop, std::string("expected an integer ") + name + " bound, got " +
                                   (a.is_tensor() ? type_name(a.tensor()) : std::string("a float")));
    if (!a.is_tensor()) return a.number().integer;
    if (a.tensor().impl()->shape.numel() != 1)
      refuse<ShapeError>(loop,
                         std::string("expected a ") + name + " bound of one element, got " + type_name(a.tensor()));
    if (tracing()) return {};
    return a.tensor().item<int64_t>(loop.at);
  };
  std::optional<int64_t> from = bound(lower, "lower"), to = bound(upper, "upper");
  Loop counted = loop;
  if (from && to) {
    counted.first = *from;
    counted.length = std::max<int64_t>(0, *to - *from);
    return scan(counted);
  }
  auto as_counter = [&](const Arg& a) {
    Emitter e(loop.api, loop.at);
    if (a.is_tensor()) e.use(a.tensor());
    return e.result(build::reshape(e.b, operand(e, a, i64, a.is_tensor() ? shape_of(a) : Shape{}), {}));
  };
  Tensor bounds[] = {as_counter(lower), as_counter(upper)};
  OwnStream stream;
  std::vector<Tensor> args = {bounds[0]};
  args.insert(args.end(), loop.carries.begin(), loop.carries.end());
  RecordedRegion body = record(loop, loop.body, args);
  check_carries(loop, body.recording.outputs.values, body.recording.outputs.values.size());
  if (loop.carries.empty()) refuse<TransformError>(loop, "the carry holds no tensor");
  RecordedRegion* all[] = {&body};
  LoopBuilder made(loop, all);
  // The upper bound is carried too: it comes last.
  LoopBuilder::Region c = made.start("condition", false), r = made.start(loop.api, false);
  Value limit = c.b.param(counter_type()), carried_limit = r.b.param(counter_type());
  Graph condition = c.b.finish({build::compare(c.b, c.carries[0], limit, ir::Direction::lt)});
  std::vector<Value> results = made.emit(r, body, true, false), outputs = made.carried(r, body, results);
  outputs.push_back(carried_limit);
  Graph region = r.b.finish(outputs);
  LoopBuilder::Function f = made.function(bounds, 0, true, true);
  Value first = build::while_loop(f.b, condition, region, made.num_consts(), -1, f.operands, -1, checkpoints_of(loop));
  return made.finish(f, first, 0, bounds);
}

}  // namespace jot::detail
