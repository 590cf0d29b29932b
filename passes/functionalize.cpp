#include "passes/functionalize.h"

#include <algorithm>
#include <vector>

#include "ir/build.h"
#include "passes/inline.h"

namespace jot::passes {

using namespace ir;

namespace {

class Functionalizer {
 public:
  explicit Functionalizer(const GraphData& g)
      : g_(g),
        b_(g.name()),
        map_(g.size(), kNoValue),
        current_(g.size(), kNoValue),
        written_by_(g.size(), kNoValue),
        alias_(g.size(), kNoValue),
        alias_version_(g.size(), kNoValue) {}

  Graph run() {
    std::vector<Value> params = params_like(b_, g_);
    for (size_t i = 0; i < params.size(); ++i) map_[g_.inputs()[i]] = params[i];
    for (Value v = 0; v < g_.size(); ++v) {
      if (g_.op(v) == Op::param_op) continue;
      b_.set_origin_of(g_, v);
      if (g_.in_place(v))
        write(v);
      else if (g_.op(v) == Op::read_op)
        map_[v] = read(v);
      else
        map_[v] = b_.copy_node(g_, v, mapped(v));
    }
    return finish();
  }

 private:
  std::vector<Value> mapped(Value v) const {
    std::vector<Value> operands;
    for (Value o : g_.operands(v)) operands.push_back(map_[o]);
    return operands;
  }

  // The views from v up to the base of its storage: v first, the base last.
  std::vector<Value> chain(Value v) const {
    std::vector<Value> views = {v};
    while (is_view(g_.op(views.back())) && !g_.in_place(views.back())) views.push_back(g_.operand(views.back(), 0));
    return views;
  }

  // The present contents of each value of the chain; kept until the storage is written again.
  void regenerate(const std::vector<Value>& chain) {
    Value base = chain.back(), version = written_by_[base];
    alias_[base] = version == kNoValue ? map_[base] : current_[base];
    alias_version_[base] = version;
    for (size_t i = chain.size() - 1; i-- > 0;) {
      Value v = chain[i];
      if (version == kNoValue) {
        alias_[v] = map_[v];
      } else if (alias_[v] == kNoValue || alias_version_[v] != version) {
        std::vector<Value> operands = mapped(v);
        operands[0] = alias_[chain[i + 1]];
        alias_[v] = b_.copy_node(g_, v, operands);
      }
      alias_version_[v] = version;
    }
  }

  Value read(Value v) {
    std::vector<Value> views = chain(g_.operand(v, 0));
    if (written_by_[views.back()] != g_.operand(v, 1))
      throw IrError("[read] %" + std::to_string(v) + " reads a version of its storage that is not the last one" +
                    at(g_.location(v)));
    regenerate(views);
    b_.set_origin_of(g_, v);
    return alias_[views.front()];
  }

  void write(Value v) {
    std::vector<Value> views = chain(g_.operand(v, 0));
    regenerate(views);
    b_.set_origin_of(g_, v);
    std::vector<Value> operands = mapped(v);
    operands[0] = alias_[views.front()];
    Value updated;
    if (g_.op(v) == Op::copy_op)
      updated = operands[1];
    else if (g_.op(v) == Op::fill_op)
      updated = build::broadcast_scalar(b_, operands[1], b_.shape(operands[0]));
    else
      updated = b_.emit(g_.op(v), operands, g_.words(v));
    for (size_t i = 0; i + 1 < views.size(); ++i) updated = put_back(views[i], alias_[views[i + 1]], updated);
    Value base = views.back();
    current_[base] = updated;
    written_by_[base] = v;
  }

  // `parent` with the part that `view` shows replaced by `part`.
  Value put_back(Value view, Value parent, Value part) {
    AttrView attrs = g_.attrs(view);
    const Shape shape = b_.shape(parent);
    switch (g_.op(view)) {
      case Op::reshape_op:
        return build::reshape(b_, part, shape);
      case Op::permute_op: {
        Ints perm = attrs.ints(Key::perm);
        std::vector<int64_t> inverse(perm.size());
        for (size_t i = 0; i < perm.size(); ++i) inverse[static_cast<size_t>(perm[i])] = static_cast<int64_t>(i);
        return build::permute(b_, part, inverse);
      }
      case Op::stop_gradient_op:
        return part;
      case Op::slice_op:
        return put_slice(attrs, parent, part);
      case Op::dynamic_slice_op: {
        std::vector<Value> starts = mapped(view);
        starts.erase(starts.begin());
        return build::dynamic_update_slice(b_, parent, part, starts);
      }
      case Op::broadcast_op:
        if (shape.numel() == b_.shape(part).numel()) return build::reshape(b_, part, shape);  // repeats nothing
        [[fallthrough]];
      default:
        throw ShapeError("[" + std::string(name_of(g_.op(view))) +
                         "] more than one element of the written-to tensor refers to a single memory location; "
                         "write to a clone() of it" +
                         at(b_.location()));
    }
  }

  Value put_slice(AttrView attrs, Value parent, Value part) {
    Ints start = attrs.ints(Key::start), stride = attrs.ints(Key::stride);
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
      if (written_by_[input] == kNoValue) continue;
      outputs.push_back(current_[input]);
      writebacks.push_back(static_cast<uint32_t>(i));
    }
    return b_.finish(outputs, writebacks);
  }

  const GraphData& g_;
  Builder b_;
  std::vector<Value> map_;            // value of each node as first made
  std::vector<Value> current_;        // of a written base: its present value
  std::vector<Value> written_by_;     // of a base: its last write
  std::vector<Value> alias_;          // present value of a view ...
  std::vector<Value> alias_version_;  // ... as of this write
};

}  // namespace

Graph functionalize(const Graph& g) { return g.pure() ? g : Functionalizer(g.data()).run(); }

}  // namespace jot::passes
