#include "passes/jacobian.h"

#include <algorithm>
#include <vector>

#include "ir/build.h"
#include "passes/batch.h"
#include "passes/dump.h"
#include "passes/inline.h"
#include "passes/linearize.h"
#include "passes/transpose.h"

namespace jot::passes {

using namespace ir;

namespace {

// One jacobian under construction. `by_` are the types of the active inputs, `values_` those of the values.
class Jacobian {
 public:
  Jacobian(const Graph& graph, std::span<const uint8_t> active, size_t num_values, std::optional<int64_t> chunk,
           Zeros zeros)
      : graph_(graph),
        g_(graph.data()),
        active_(active),
        chunk_(chunk),
        zeros_(zeros),
        b_(g_.name()),
        args_(params_like(b_, g_)) {
    for (size_t i = 0; i < active.size(); ++i)
      if (active[i]) by_.push_back(g_.type(g_.inputs()[i]));
    for (Value o : g_.outputs().first(num_values)) values_.push_back(g_.type(o));
    blocks_.assign(values_.size() * by_.size(), kNoValue);
  }

  Graph run(JacobianMode mode) {
    bool forward = mode == JacobianMode::forward || (mode == JacobianMode::cheaper && numel(by_) < numel(values_));
    if (mode != JacobianMode::forward) check_floating();
    outputs_ = inline_graph(b_, g_, args_);
    forward ? columns() : rows();
    for (size_t o = 0; o < values_.size(); ++o)
      for (size_t k = 0; k < by_.size(); ++k) finish_block(o, k, mode == JacobianMode::forward);
    std::span<const Value> all = outputs_, results = all.first(g_.num_results());
    std::vector<Value> outputs(results.begin(), results.end());
    outputs.insert(outputs.end(), blocks_.begin(), blocks_.end());
    outputs.insert(outputs.end(), all.begin() + static_cast<int64_t>(results.size()), all.end());
    return b_.finish(outputs, g_.writebacks());
  }

 private:
  static int64_t numel(const std::vector<Type>& types) {
    int64_t n = 0;
    for (const Type& t : types) n += t.shape.numel();
    return n;
  }

  void check_floating() const {
    for (size_t o = 0; o < values_.size(); ++o)
      if (!is_floating(values_[o].dtype))
        throw TransformError("[jacrev] all outputs of f must be floating-point tensors: output " + std::to_string(o) +
                             " is " + to_string(values_[o]) + "; return it as aux, or use jacfwd" +
                             at(g_.location(g_.outputs()[o])));
  }

  Value& block(size_t o, size_t k) { return blocks_[o * by_.size() + k]; }

  // Reverse: the pullback of each value alone, batched over the rows of the identity.
  void rows() {
    Linearized l = linearize(graph_, active_, zeros_);
    for (size_t o = 0; o < values_.size(); ++o) {
      if (l.zero_tangent[o] || values_[o].shape.numel() == 0) continue;
      Builder b(g_.name());
      std::vector<Value> args = params_like(b, g_), seeds(g_.outputs().size(), kNoValue);
      seeds[o] = b.param(values_[o]);
      std::vector<Value> cotangents = transpose_into(b, l, args, seeds);
      std::vector<size_t> connected = take_connected(cotangents);
      Graph pullback = b.finish(cotangents);
      std::vector<Value> rows = sweep(pullback.data(), values_[o]);
      for (size_t j = 0; j < connected.size(); ++j) block(o, connected[j]) = rows[j];
    }
  }

  // Forward: the pushforward of each active input alone, batched over the rows of the identity: gives the block's
  // columns, lanes in front.
  void columns() {
    size_t k = 0;
    for (size_t i = 0; i < active_.size(); ++i) {
      if (!active_[i]) continue;
      const Type& type = by_[k];
      if (type.shape.numel() != 0) {
        Builder b(g_.name());
        std::vector<Value> args = params_like(b, g_), seeds(args.size(), kNoValue);
        seeds[i] = b.param(type);
        std::vector<Value> tangents = linearize_into(b, g_, args, seeds, zeros_).tangents;
        tangents.resize(values_.size());
        std::vector<size_t> connected = take_connected(tangents);
        Graph pushforward = b.finish(tangents);
        std::vector<Value> columns = sweep(pushforward.data(), type);
        for (size_t j = 0; j < connected.size(); ++j) block(connected[j], k) = lanes_last(columns[j], type.shape);
      }
      ++k;
    }
  }

  // Removes the zeros of a list; the positions of the others.
  static std::vector<size_t> take_connected(std::vector<Value>& list) {
    std::vector<size_t> connected;
    for (size_t i = 0; i < list.size(); ++i)
      if (list[i] != kNoValue) connected.push_back(i);
    std::erase(list, kNoValue);
    return connected;
  }

  // A linear map of one value of type `seed`, its last input, applied to all of the basis: results [numel(seed)] +
  // shape.
  std::vector<Value> sweep(const GraphData& map, const Type& seed) {
    int64_t n = seed.shape.numel();
    if (n == 1) return with_lane(map, seed);
    std::vector<std::vector<Value>> parts(map.outputs().size());
    for (const Box& box : boxes(seed.shape, std::min(n, chunk_.value_or(n)))) {
      std::vector<Value> args = args_;
      args.push_back(basis(seed, box));
      std::vector<uint8_t> lanes(args.size(), 0);
      lanes.back() = 1;
      // Draws depend on no tangent, so no lane has draws of its own.
      Batched out = batch_into(b_, map, args, lanes, box.size.numel(), Randomness::same, -1);
      for (size_t j = 0; j < parts.size(); ++j) parts[j].push_back(with_lanes(out, j, box.size.numel()));
    }
    std::vector<Value> result;
    for (const auto& p : parts) result.push_back(build::concat(b_, p, 0));
    return result;
  }

  // A part of the basis: the elements from `start` on, `size` along each axis; they are consecutive.
  struct Box {
    Shape start, size;
  };

  // Boxes of about `limit` elements that cover `shape`, in order. None has a single element: of one lane nobody could
  // tell its structural zeros from its other elements.
  static std::vector<Box> boxes(const Shape& shape, int64_t limit) {
    limit = std::max<int64_t>(limit, 2);
    size_t axis = 0;  // the axes behind it are whole, those before it have extent 1
    int64_t block = shape.numel() / shape[0];
    while (block > limit) block /= shape[++axis];
    int64_t step = std::min(shape[axis], limit / block);
    Box box{shape, shape};
    for (size_t d = 0; d < shape.size(); ++d) {
      box.start[d] = 0;
      if (d < axis) box.size[d] = 1;
    }
    std::vector<Box> result;
    for (bool more = true; more;) {
      int64_t left = shape[axis] - box.start[axis];
      box.size[axis] = left == step + 1 && block == 1 ? left : std::min(step, left);
      result.push_back(box);
      box.start[axis] += box.size[axis];
      more = box.start[axis] < shape[axis];
      for (size_t d = axis; !more && d > 0; --d) {
        box.start[d] = 0;
        more = ++box.start[d - 1] < shape[d - 1];
      }
    }
    return result;
  }

  // [elements of the box] + shape: rows of the identity.
  Value basis(const Type& seed, const Box& box) {
    Value rows = build::identity(b_, seed.dtype, box.size);
    size_t rank = seed.shape.size();
    std::vector<int64_t> lo(2 * rank, 0), hi(2 * rank, 0), interior(2 * rank, 0);
    for (size_t d = 0; d < rank; ++d) {
      lo[rank + d] = box.start[d];
      hi[rank + d] = seed.shape[d] - box.start[d] - box.size[d];
    }
    rows = build::pad_zero(b_, rows, lo, hi, interior);
    return build::reshape(b_, rows, Shape{box.size.numel()} + seed.shape);
  }

  std::vector<Value> with_lane(const GraphData& map, const Type& seed) {
    std::vector<Value> args = args_;
    args.push_back(build::constant_int(b_, seed.dtype, seed.shape, 1));
    std::vector<Value> result = inline_graph(b_, map, args);
    for (Value& v : result) v = build::reshape(b_, v, Shape{1} + b_.shape(v));
    return result;
  }

  Value with_lanes(const Batched& out, size_t j, int64_t size) {
    Value v = out.values[j];
    if (out.batched[j]) return v;
    std::vector<int64_t> dims;
    for (size_t d = 0; d < b_.shape(v).size(); ++d) dims.push_back(static_cast<int64_t>(d) + 1);
    return build::broadcast(b_, v, Shape{size} + b_.shape(v), dims);
  }

  // [numel(in)] + out -> out + in
  Value lanes_last(Value v, const Shape& in) {
    Shape shape = b_.shape(v), out = shape.slice(1, shape.size());
    std::vector<int64_t> perm = build::all_axes(in.size() + out.size());
    std::rotate(perm.begin(), perm.begin() + static_cast<std::ptrdiff_t>(in.size()), perm.end());
    return build::permute(b_, build::reshape(b_, v, in + out), perm);
  }

  void finish_block(size_t o, size_t k, bool forward) {
    Value& v = block(o, k);
    DType dtype = forward ? values_[o].dtype : by_[k].dtype;
    Shape shape = values_[o].shape + by_[k].shape;
    v = v == kNoValue ? build::constant_int(b_, dtype, shape, 0)
                      : build::convert(b_, build::reshape(b_, v, shape), dtype);
  }

  const Graph& graph_;
  const GraphData& g_;
  std::span<const uint8_t> active_;
  std::optional<int64_t> chunk_;
  Zeros zeros_;
  Builder b_;
  std::vector<Value> args_, outputs_, blocks_;
  std::vector<Type> by_, values_;
};

}  // namespace

Graph jacobian(const Graph& g, std::span<const uint8_t> active, size_t num_values, JacobianMode mode,
               std::optional<int64_t> chunk_size, Zeros zeros) {
  return hooked("jacobian", g, [&] { return Jacobian(g, active, num_values, chunk_size, zeros).run(mode); });
}

}  // namespace jot::passes
