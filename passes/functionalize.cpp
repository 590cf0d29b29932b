#include "passes/functionalize.h"

#include <algorithm>
#include <vector>

#include "ir/build.h"
#include "ir/movement.h"
#include "passes/inline.h"

namespace jot::passes {

using namespace ir;

namespace {

// The addresses that show one storage are a tree: its base, views of it, views of those. A write changes one of them
// and makes the others stale. The changed one, the front, is put back into its parents only when an address outside of
// it is read or written: writes that follow each other through one view cost that view alone.
//
// Of an address at an epoch of its storage (one more with each write) the value is current. Current addresses form a
// subtree whose root is the front; what the parents of the front hold is right outside of it.
class Functionalizer {
 public:
  explicit Functionalizer(const GraphData& g)
      : g_(g),
        b_(g.name()),
        map_(g.size(), kNoValue),
        base_(g.size()),
        depth_(g.size(), 0),
        repeats_(g.size(), 0),
        constant_(g.size(), 0),
        alias_(g.size(), kNoValue),
        epoch_of_(g.size(), kStale),
        epoch_(g.size(), 0),
        front_(g.size()),
        last_write_(g.size(), kNoValue) {}

  Graph run() {
    std::vector<Value> params = params_like(b_, g_);
    for (size_t i = 0; i < params.size(); ++i) map_[g_.inputs()[i]] = params[i];
    find_addresses();
    for (Value v = 0; v < g_.size(); ++v) {
      if (g_.in_place(v)) {
        write(v);
      } else if (g_.op(v) == Op::read_op) {
        map_[v] = read(v);
      } else {
        if (g_.op(v) != Op::param_op && as_value_[v]) map_[v] = b_.copy_node(g_, v, mapped(v));
        if (epoch_[base_[v]] == 0 && map_[v] != kNoValue && !constant_[v]) set(v, map_[v]);
      }
    }
    return finish();
  }

 private:
  static constexpr uint32_t kStale = 0xffffffff;

  bool shows_parent(Value v) const { return is_view(g_.op(v)) && !g_.in_place(v); }
  Value parent(Value v) const { return g_.operand(v, 0); }

  void find_addresses() {
    for (Value v = 0; v < g_.size(); ++v) {
      bool view = shows_parent(v);
      base_[v] = view ? base_[parent(v)] : v;
      depth_[v] = view ? depth_[parent(v)] + 1 : 0;
      repeats_[v] =
          view && (repeats_[parent(v)] || (moves_one(g_.op(v)) && g_.shape(v).numel() > g_.shape(parent(v)).numel()));
      constant_[v] = view && (constant_[parent(v)] || g_.op(v) == Op::stop_gradient_op);
      front_[v] = v;
    }
    as_value_.assign(g_.size(), 0);
    for (Value o : g_.outputs()) as_value_[o] = 1;
    for (Value v = g_.size(); v-- > 0;) {
      as_value_[v] |= !shows_parent(v);
      bool address = g_.in_place(v) || g_.op(v) == Op::read_op || !as_value_[v];
      for (size_t i = address; i < g_.operands(v).size(); ++i) as_value_[g_.operand(v, i)] = 1;
    }
  }

  std::vector<Value> mapped(Value v) const {
    std::vector<Value> operands;
    for (Value o : g_.operands(v)) operands.push_back(map_[o]);
    return operands;
  }

  bool current(Value v) const { return epoch_of_[v] == epoch_[base_[v]]; }
  void set(Value v, Value value) {
    alias_[v] = value;
    epoch_of_[v] = epoch_[base_[v]];
  }

  // The present contents of an address. Its cost is the number of views that are put back or taken again.
  Value contents(Value v) {
    Value& front = front_[base_[v]];
    std::vector<Value> stale;
    Value near = v;
    for (; !current(near) && depth_[near] > depth_[front]; near = parent(near)) stale.push_back(near);
    if (!current(near)) {
      while (depth_[front] > depth_[near]) put_back_front(front);
      while (front != near) {
        put_back_front(front);
        stale.push_back(near);
        near = parent(near);
      }
    }
    while (!stale.empty()) {
      Value view = stale.back();
      stale.pop_back();
      // Accesses behind a stop_gradient are constant; what they leave alone keeps its derivative.
      if (g_.op(view) == Op::stop_gradient_op) {
        set(view, alias_[parent(view)]);
        continue;
      }
      std::vector<Value> operands = mapped(view);
      operands[0] = alias_[parent(view)];
      set(view, b_.copy_node(g_, view, operands));
    }
    return alias_[v];
  }

  // Makes right what the parents of an address hold outside of it.
  void reach(Value v) {
    if (current(v)) return;
    Value pending = front_[base_[v]];
    while (depth_[pending] > depth_[v]) pending = parent(pending);
    if (pending != v) contents(parent(v));
  }

  void put_back_front(Value& front) {
    Value into = parent(front);
    b_.set_origin_of(g_, last_write_[base_[front]]);
    set(into, put_back(front, alias_[into], alias_[front]));
    front = into;
  }

  Value read(Value v) {
    Value address = g_.operand(v, 0);
    if (last_write_[base_[address]] != g_.operand(v, 1))
      throw IrError("[read] %" + std::to_string(v) + " reads a version of its storage that is not the last one" +
                    at(g_.location(v)));
    return seen(address, contents(address));
  }

  // What is read or written at an address.
  Value seen(Value address, Value v) {
    return constant_[address] && is_floating(b_.dtype(v)) ? b_.emit(Op::stop_gradient_op, {v}) : v;
  }

  void write(Value v) {
    Value address = g_.operand(v, 0), base = base_[address];
    if (repeats_[address])
      throw ShapeError("[" + std::string(name_of(g_.op(v))) +
                       "_] more than one element of the written-to tensor refers to a single memory location; write "
                       "to a clone() of it" +
                       at(g_.location(v)));
    bool overwrites = info(g_.op(v)).is(Trait::overwrites);
    if (overwrites)
      reach(address);
    else
      contents(address);
    b_.set_origin_of(g_, v);
    std::vector<Value> operands = mapped(v);
    operands[0] = overwrites ? kNoValue : seen(address, alias_[address]);
    Value updated;
    if (g_.op(v) == Op::copy_op)
      updated = operands[1];
    else if (g_.op(v) == Op::fill_op)
      updated = build::broadcast_scalar(b_, operands[1], g_.shape(address));
    else
      updated = b_.emit(g_.op(v), operands, g_.words(v));
    updated = seen(address, updated);
    ++epoch_[base];
    set(address, updated);
    front_[base] = address;
    last_write_[base] = v;
  }

  // `parent` with the part that `view` shows replaced by `part`.
  Value put_back(Value view, Value parent, Value part) {
    if (moves_one(g_.op(view))) return put_moved(movement_(g_, view), parent, part);
    switch (g_.op(view)) {
      case Op::dynamic_slice_op: {
        std::vector<Value> starts = mapped(view);
        starts.erase(starts.begin());
        return build::dynamic_update_slice(b_, parent, part, starts);
      }
      case Op::gather_op:
        return put_gathered(view, parent, part);
      default:
        internal_error("a view", name_of(g_.op(view)));
    }
  }

  // Elements that are shown twice keep the last.
  Value put_gathered(Value view, Value parent, Value part) {
    AttrView attrs = g_.attrs(view);
    auto axes = [&](Key key) { return std::vector<int64_t>(attrs.ints(key).begin(), attrs.ints(key).end()); };
    build::GatherDims dims{axes(Key::offset_dims), axes(Key::collapsed), axes(Key::index_map), axes(Key::operand_batch),
                           axes(Key::index_batch)};
    return build::scatter_set(b_, parent, map_[g_.operand(view, 1)], part, dims, attrs.mode(), false);
  }

  // The map of the view backwards; it shows no element twice, and of each dim every so many-th.
  Value put_moved(const Movement& m, Value parent, Value part) {
    const Shape shape = b_.shape(parent);
    if (m.moves == Moves::regroup) return build::reshape(b_, part, shape);
    Shape start = shape, stride = shape, covered = shape, kept;
    std::vector<int64_t> perm(shape.size(), -1);  // of parent's dims: the dim of the part, without those of extent 1
    for (size_t d = 0; d < shape.size(); ++d) start[d] = 0, stride[d] = covered[d] = 1;
    for (const Run& run : m.runs()) {  // in the order of the part's dims
      if (run.from.dim == kNoDim) continue;
      size_t d = run.from.dim;
      if (run.from.step < 0 || perm[d] >= 0) internal_error("a view that is written is a part", to_string(shape));
      perm[d] = static_cast<int64_t>(kept.size());
      kept.push_back(run.extent);
      covered[d] = run.extent;
      start[d] = run.from.start;
      stride[d] = run.from.step;
    }
    std::erase(perm, -1);
    part = build::reshape(b_, build::permute(b_, build::reshape(b_, part, kept), perm), covered);
    return covered == shape ? part : put_slice(start, stride, parent, part);
  }

  Value put_slice(Ints start, Ints stride, Value parent, Value part) {
    const Shape shape = b_.shape(parent), size = b_.shape(part);
    if (std::ranges::all_of(stride, [](int64_t s) { return s == 1; })) {
      std::vector<Value> starts;
      for (int64_t s : start) starts.push_back(build::constant_int(b_, i64, {}, s));
      return build::dynamic_update_slice(b_, parent, part, starts);
    }
    std::vector<int64_t> hi, interior;
    for (size_t d = 0; d < shape.size(); ++d) {
      interior.push_back(stride[d] - 1);
      int64_t covered = size[d] == 0 ? 0 : (size[d] - 1) * stride[d] + 1;
      hi.push_back(shape[d] - start[d] - covered);
    }
    Value inside = build::constant_int(b_, boolean, size, 1), outside = build::constant_int(b_, boolean, {}, 0);
    Value mask = build::pad(b_, inside, outside, start, hi, interior);
    return build::where(b_, mask, build::pad_zero(b_, part, start, hi, interior), parent);
  }

  Graph finish() {
    std::vector<Value> outputs;
    std::vector<uint32_t> writebacks(g_.writebacks().begin(), g_.writebacks().end());
    for (Value o : g_.outputs()) outputs.push_back(map_[o]);
    for (size_t i = 0; i < g_.inputs().size(); ++i) {
      Value input = g_.inputs()[i];
      if (last_write_[input] == kNoValue) continue;
      outputs.push_back(contents(input));
      writebacks.push_back(static_cast<uint32_t>(i));
    }
    return b_.finish(outputs, writebacks);
  }

  const GraphData& g_;
  Builder b_;
  MovementReader movement_;
  std::vector<Value> map_;          // of each node that is used for its value: that value
  std::vector<Value> base_;         // of an address: the root of its tree, ...
  std::vector<uint32_t> depth_;     // ... and how far it is
  std::vector<uint8_t> repeats_;    // an element of the base is shown more than once
  std::vector<uint8_t> constant_;   // it lies behind a stop_gradient
  std::vector<uint8_t> as_value_;   // used for its elements before any write, not only as an address
  std::vector<Value> alias_;        // of an address: what it showed ...
  std::vector<uint32_t> epoch_of_;  // ... at this epoch
  std::vector<uint32_t> epoch_;     // of a base: how often it has been written
  std::vector<Value> front_;        // of a base: the highest address that is current
  std::vector<Value> last_write_;   // of a base
};

}  // namespace

Graph functionalize(const Graph& g) { return g.pure() ? g : Functionalizer(g.data()).run(); }

}  // namespace jot::passes
