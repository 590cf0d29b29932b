#include "core/record/force.h"

#include <algorithm>
#include <unordered_set>

#include "core/record/evaluate.h"
#include "core/record/splice.h"
#include "core/record/thread.h"
#include "passes/drop_writebacks.h"
#include "passes/functionalize.h"
#include "passes/inline.h"

namespace jot::detail {

using ir::Op;
using ir::Value;

Value root_of(const ir::GraphData& g, Value address) {
  while (ir::is_view(g.op(address))) address = g.operand(address, 0);
  return address;
}

namespace {

[[noreturn]] void refuse(std::string_view what, const std::string& why, Location at) {
  throw TraceError("[" + std::string(what) + "] " + why + jot::at(at));
}

// Part of a trace's graph as a graph of its own: what `targets` need of the nodes from `from` on. Earlier values are
// inputs, by the results of earlier reads.
class Slicer {
 public:
  Slicer(Trace& trace, Value from)
      : trace_(trace),
        g_(trace.builder().graph()),
        from_(from),
        size_(g_.size()),
        needed_(size_ - from),
        shown_(size_ - from),
        op_needed_(size_ - from),
        new_(size_ - from) {}

  // False if an earlier value is needed that no earlier read gave.
  bool run(std::span<const Value> targets) {
    for (Value v : targets) need(v);
    mark();
    for (Value v = from_; v < size_; ++v)
      if (needed_[v - from_] && g_.op(v) != Op::param_op) copy(v);
    std::vector<Value> outputs;
    for (Value v : targets) outputs.push_back(value(v));
    if (!complete_) return false;
    graph = b_.finish(outputs);
    order_inputs();
    return true;
  }

  ir::Graph graph;
  std::vector<Binding> bindings;  // of the first inputs
  std::vector<Tensor> known;      // the other inputs
  bool has_lanes = false;         // depends on a mapped argument

 private:
  struct Input {
    const Binding* binding;  // or
    Tensor known;
  };

  void need(Value v) {
    if (v >= from_) needed_[v - from_] = 1;
  }

  // A view is a value, or only says where a read or a write takes place: then its base is needed.
  void need_address(Value v) {
    for (; v >= from_ && ir::is_view(g_.op(v)) && !shown_[v - from_]; v = g_.operand(v, 0)) {
      shown_[v - from_] = 1;
      for (size_t i = 1; i < g_.operands(v).size(); ++i) need(g_.operand(v, i));
    }
    if (!ir::is_view(g_.op(v))) need(v);
  }

  // Backwards: a read needs every earlier write to its storage.
  void mark() {
    std::unordered_set<Value> read_roots;
    for (Value v = size_; v-- > from_;) {
      bool write = g_.in_place(v), access = write || g_.op(v) == Op::read_op;
      if (!needed_[v - from_] && write && read_roots.contains(root_of(g_, g_.operand(v, 0)))) need(v);
      if (!needed_[v - from_] || (!write && !op_needed_[v - from_] && trace_.forced().values.contains(v))) continue;
      if (g_.op(v) == Op::result_op) op_needed_[g_.operand(v, 0) - from_] = 1;
      if (access) {
        read_roots.insert(root_of(g_, g_.operand(v, 0)));
        need_address(g_.operand(v, 0));
      }
      for (size_t i = access; i < g_.operands(v).size(); ++i) need(g_.operand(v, i));
    }
  }

  Value input(Value v, const Binding* binding, const Tensor& tensor) {
    Value p = b_.param(g_.type(v));
    inputs_.push_back({binding, tensor});
    return p;
  }
  Value trace_input(Value v) {
    size_t i = static_cast<size_t>(g_.attrs(v).integer(ir::Key::index));
    const Binding& binding = trace_.bindings()[i];
    if (binding.kind == Binding::Kind::argument && binding.argument < trace_.call().in_dims.size())
      has_lanes |= trace_.call().in_dims[binding.argument].has_value();
    return input(v, &binding, {});
  }

  void copy(Value v) {
    Value& copied = new_[v - from_];
    if (op_needed_[v - from_]) copy_op(v);
    if (auto known = trace_.forced().values.find(v); known != trace_.forced().values.end() && !g_.in_place(v)) {
      copied = input(v, nullptr, known->second);
      return;
    }
    if (g_.op(v) == Op::result_op || op_needed_[v - from_]) {
      Value first = g_.op(v) == Op::result_op ? g_.operand(v, 0) : v, op = ops_.at(first);
      copied = op == ir::kNoValue ? op : op + (v - first);
      return;
    }
    bool read = g_.op(v) == Op::read_op;
    if (read && g_.operand(v, 1) < from_) {  // not written since
      copied = contents(g_.operand(v, 0), g_.operand(v, 1));
      return;
    }
    std::vector<Value> operands;
    for (size_t i = 0; i < g_.operands(v).size(); ++i) {
      Value o = g_.operand(v, i);
      operands.push_back(i == 0 && (read || g_.in_place(v)) ? address(o) : value(o));
    }
    copied = complete_ ? b_.copy_node(g_, v, operands) : ir::kNoValue;
  }

  // An op of which further results are needed; its first may be known.
  void copy_op(Value v) {
    std::vector<Value> operands;
    for (Value o : g_.operands(v)) operands.push_back(value(o));
    ops_[v] = complete_ ? b_.copy_node(g_, v, operands) : ir::kNoValue;
  }

  Value value(Value v) {
    if (v >= from_ && g_.op(v) != Op::param_op) return new_[v - from_];
    if (auto it = values_.find(v); it != values_.end()) return it->second;
    Value result = ir::kNoValue;
    if (auto known = trace_.forced().values.find(v); known != trace_.forced().values.end())
      result = input(v, nullptr, known->second);
    else if (g_.op(v) == Op::param_op)
      result = trace_input(v);
    else if (g_.op(v) == Op::read_op)
      result = contents(g_.operand(v, 0), g_.operand(v, 1));
    else if (ir::is_view(g_.op(v)) && !trace_.forced().checkpoints.contains(root_of(g_, v)))
      result = address(v);
    else if (g_.operands(v).empty())
      result = b_.copy_node(g_, v, {});
    else
      complete_ = false;
    return values_[v] = result;
  }

  // What an earlier write left at an address.
  Value contents(Value at, Value version) {
    auto checkpoint = trace_.forced().checkpoints.find(root_of(g_, at));
    complete_ &= checkpoint != trace_.forced().checkpoints.end() && checkpoint->second.version == version;
    return address(at);
  }

  // The address of the same part of the same storage.
  Value address(Value v) {
    std::vector<Value> views;
    for (; ir::is_view(g_.op(v)) && !addresses_.contains(v); v = g_.operand(v, 0)) views.push_back(v);
    auto [known, fresh] = addresses_.try_emplace(v, ir::kNoValue);
    if (fresh) {
      auto checkpoint = trace_.forced().checkpoints.find(v);
      bool kept = from_ > 0 && checkpoint != trace_.forced().checkpoints.end();
      known->second = kept ? input(v, nullptr, checkpoint->second.contents) : value(v);
    }
    Value a = known->second;
    for (size_t i = views.size(); i-- > 0;) {
      std::vector<Value> operands = {a};
      for (size_t k = 1; k < g_.operands(views[i]).size(); ++k) operands.push_back(value(g_.operand(views[i], k)));
      if (!complete_) return ir::kNoValue;
      a = addresses_[views[i]] = b_.copy_node(g_, views[i], operands);
    }
    return a;
  }

  // Inputs with bindings come first, as splice() wants them.
  void order_inputs() {
    ir::Builder b("main", ir::Builder::Sharing::off);
    const ir::GraphData& g = graph.data();
    std::vector<Value> args(inputs_.size());
    for (bool bound : {true, false})
      for (size_t i = 0; i < inputs_.size(); ++i) {
        if ((inputs_[i].binding != nullptr) != bound) continue;
        args[i] = b.param(g.type(g.inputs()[i]));
        bound ? bindings.push_back(*inputs_[i].binding) : known.push_back(inputs_[i].known);
      }
    graph = b.finish(passes::inline_graph(b, g, args));
  }

  Trace& trace_;
  const ir::GraphData& g_;
  Value from_, size_;
  ir::Builder b_{"main", ir::Builder::Sharing::off};
  std::vector<uint8_t> needed_, shown_;      // of the nodes from `from` on: their values, and as addresses
  std::vector<uint8_t> op_needed_;           // for its further results
  std::unordered_map<Value, Value> ops_;     // those
  std::vector<Value> new_;                   // values of the nodes from `from` on
  std::unordered_map<Value, Value> values_;  // of earlier ones and inputs
  std::unordered_map<Value, Value> addresses_;
  std::vector<Input> inputs_;
  bool complete_ = true;
};

std::string lanes_text(std::string_view what) {
  if (what == "nonzero" || what == "index" || what == "masked_select")
    return "vmap: We do not support batching operators that can output dynamic shape: a mask with lanes selects "
           "another "
           "number of elements in each; use where or masked_fill";
  if (what == "unique" || what == "bincount" || what == "one_hot" || what == "repeat_interleave")
    return "vmap: We do not support batching operators that can output dynamic shape: the shape of the result depends "
           "on the elements, and each lane may have others";
  if (what == "bool")
    return "vmap: It looks like you're attempting to use a Tensor in some data-dependent control flow. We don't "
           "support "
           "that: each lane may have another value; use where or cond";
  return "vmap: It looks like you're calling ." + std::string(what) +
         "() on a Tensor. We don't support vmap over calling it: each lane may have another value; please try to "
         "rewrite "
         "what you're doing with where or cond";
}

void check_readable(const Trace& trace, std::string_view what, Location at) {
  if (trace.ended())
    refuse(
        what,
        "the tensor belongs to a transform that has ended: your tensor may have escaped from inside a function being "
        "transformed; return it from the function instead",
        at);
  if (trace.foreign()) refuse(what, "the tensor was read " + std::string(kForeign), at);
  for (const Trace* t = &trace; t; t = t->parent())
    if (t->options().repeats)
      refuse(what,
             "a tensor has no value while the body of " + t->options().scope +
                 " is recorded: it is recorded once and runs for every step; use where or cond",
             at);
  for (const Trace* t = &trace; t; t = t->parent())
    if (t->options().kind == TraceKind::jit)
      refuse(what,
             "a symbolic tensor has no value while jit, trace or compile records; use where or cond, or pass the value "
             "as an ordinary argument",
             at);
}

bool draws_alike(const Trace& trace) {
  return trace.options().kind == TraceKind::vmap && trace.options().randomness == Randomness::same;
}

// Whether a vmap with Randomness::same, `trace` or one around it, gives one of them lanes.
bool has_lanes_that_draw_alike(Trace& trace, std::span<const Tensor> tensors) {
  std::vector<Value> values;
  for (const Tensor& t : tensors) values.push_back(trace.read(t));
  Slicer part(trace, 0);
  part.run(values);
  if (draws_alike(trace) && part.has_lanes) return true;
  std::vector<Tensor> outer;
  const std::vector<Tensor>& arguments = trace.call().arguments;
  for (const Binding& b : part.bindings) {
    const bool given = b.kind == Binding::Kind::argument && b.argument < arguments.size();
    const Tensor& t = given ? arguments[b.argument] : b.capture;
    if (t.defined() && t.impl()->storage->owner != 0) outer.push_back(t);
  }
  if (outer.empty() || !trace.parent() || trace.parent()->lazy()) return false;
  EnterTrace enter(*trace.parent());
  return has_lanes_that_draw_alike(*trace.parent(), outer);
}

}  // namespace

void check_drawn_alike(std::string_view op, std::initializer_list<const Tensor*> parameters, Location at) {
  bool alike = false;
  for (const Trace* t = &current_trace(); t; t = t->parent()) alike |= draws_alike(*t);
  if (!alike) return;
  std::vector<Tensor> symbolic;
  for (const Tensor* t : parameters)
    if (t->impl()->storage->owner != 0) symbolic.push_back(*t);
  if (!symbolic.empty() && has_lanes_that_draw_alike(current_trace(), symbolic))
    throw TransformError("[" + std::string(op) +
                         "] Vmap does not currently support same randomness with a batched tensor input: its "
                         "parameters differ by lanes; use Randomness::different, or draw numbers that all lanes "
                         "share (rand, randn) and compute with them" +
                         jot::at(at));
}

Buffer force(Trace& trace, const Tensor& t, std::string_view what, Location at) {
  check_readable(trace, what, at);
  Value wanted = trace.read(t);
  if (auto known = trace.forced().values.find(wanted); known != trace.forced().values.end())
    return read(known->second, what, at);

  std::vector<Value> targets = {wanted};
  bool lanes = trace.options().kind == TraceKind::vmap;
  std::vector<Trace::Written> written;
  if (!lanes) {
    for (Storage* s : trace.live())
      if (s->version == ir::kNoValue && s->base != wanted && !trace.forced().values.contains(s->base))
        targets.push_back(s->base);
    written = trace.written();
  }
  size_t first_written = targets.size();
  for (const Trace::Written& w : written) targets.push_back(trace.builder().emit(Op::read_op, {w.base, w.version}));
  Value end = trace.builder().graph().size();
  std::optional<Slicer> part(std::in_place, trace, lanes ? 0 : trace.forced().end);
  if (!part->run(targets)) part.emplace(trace, 0).run(targets);
  if (part->has_lanes) refuse(what, lanes_text(what), at);

  EnterTrace enter(*trace.parent());
  // What the function has written so far reaches its arguments when it has ended, not now.
  ir::Graph pure = passes::drop_writebacks(passes::functionalize(part->graph));
  // The trace's arguments stand for `arguments`, kept when recording began.
  std::vector<Tensor> results = splice(pure, part->bindings, trace.call().arguments, part->known, 0, at);
  for (size_t i = 0; i < targets.size(); ++i) trace.forced().values.insert_or_assign(targets[i], results[i]);
  if (!lanes) {
    trace.forced().end = end;
    for (size_t i = 0; i < written.size(); ++i)
      trace.forced().checkpoints.insert_or_assign(
          written[i].base, ForcedValues::Checkpoint{written[i].version, results[first_written + i]});
  }
  return read(results[0], what, at);
}

}  // namespace jot::detail
