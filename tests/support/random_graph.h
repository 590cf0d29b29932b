// Graphs made of random nodes, with regions and effects, the same for the same seed. For tests of what holds for every
// graph.
#pragma once
#include <utility>

#include "tests/support/random_nodes.h"

namespace jot::test {

class RandomGraph : private RandomNodes {
 public:
  RandomGraph(uint64_t seed, RandomGraphOptions options) : RandomNodes(seed, options) {}

  ir::Graph make() {
    inputs();
    for (int i = 0; i < options_.nodes; ++i) grow();
    return b_.finish(outputs());
  }

 private:
  void grow() {
    origin();
    keep(step());
  }
  void keep(Value v) {
    if (b_.shape(v).numel() <= 256 && !b_.type(v).token) values_.push_back(v);
  }

  // A few late values of a differentiable graph; else everything that has no user.
  std::vector<Value> outputs() {
    std::vector<Value> chosen;
    if (options_.differentiable) {
      for (int64_t i = between(1, 3); i > 0; --i) {
        Value v = values_[values_.size() - 1 - below(std::min<size_t>(values_.size(), 8))];
        chosen.push_back(is_floating(b_.dtype(v)) ? v : ir::build::convert(b_, v, f64));
      }
      return chosen;
    }
    std::vector<bool> used(b_.graph().size(), false);
    for (Value v = 0; v < b_.graph().size(); ++v)
      for (Value o : b_.graph().operands(v)) used[o] = true;
    for (Value v = 0; v < b_.graph().size(); ++v)
      if (!used[v] && !b_.type(v).token) chosen.push_back(v);
    return chosen;
  }

  void inputs() {
    for (int64_t i = between(1, 3); i > 0; --i) {
      origin();
      std::string name = pick<const char*>({"", "x", "w", "l1.weight", "7", "two words", "q\"\\\t"});
      values_.push_back(b_.param({any_dtype(), false, any_shape()}, name));
    }
  }

  Value step() {
    const bool nested = depth_ > 0;
    if (options_.effects && !nested && below(3) == 0) return coin() ? effect() : written_in_loop();
    if (below(12) == 0 && depth_ < 3) return cond();
    if (below(24) < static_cast<size_t>(options_.loops) && depth_ < 2) return further(coin() ? scan() : loop());
    if (!options_.differentiable && below(20) == 0) return order();
    return node();
  }

  // The first result, after the others are kept.
  Value further(Value first) {
    const ir::GraphData& g = b_.graph();
    for (uint32_t i = 1, n = g.results(first); i < n; ++i) keep(first + i);
    return first;
  }

  // ---- regions

  // A graph of its own: parameters, a few nodes, and what `results` makes of them.
  template <class F>
  ir::Graph region(const std::vector<ir::Type>& params, F results) {
    ir::Builder outer = std::exchange(b_, ir::Builder(pick<const char*>({"main", "body", "two words"})));
    std::vector<Value> outside = std::exchange(values_, {});
    ++depth_;
    for (const ir::Type& t : params) values_.push_back(b_.param(t, pick<const char*>({"", "x"})));
    const std::vector<Value> given = values_;
    for (int64_t n = between(0, 4); n > 0; --n) grow();
    ir::Graph g = b_.finish(results(given));
    --depth_;
    values_ = std::move(outside);
    b_ = std::move(outer);
    return g;
  }

  // A late value of x's type or x itself; floats mostly together with x, and bounded.
  Value of_type(Value x) {
    if (below(4) == 0) return x;
    size_t at = values_.size() - 1;
    while (b_.type(values_[at]) != b_.type(x)) --at;
    if (!is_floating(b_.dtype(x)) || below(4) == 0) return values_[at];
    Op op = pick({Op::add_op, Op::sub_op, Op::mul_op});
    return ir::build::unary(b_, Op::tanh_op, ir::build::binary(b_, op, values_[at], x));
  }
  std::vector<Value> of_types(std::span<const Value> params) {
    std::vector<Value> all;
    for (Value v : params) all.push_back(of_type(v));
    return all;
  }

  std::vector<Value> some(int64_t least, int64_t most) {
    std::vector<Value> all;
    for (int64_t i = between(least, most); i > 0; --i) all.push_back(any());
    return all;
  }
  std::vector<ir::Type> types_of(std::span<const Value> values) {
    std::vector<ir::Type> types;
    for (Value v : values) types.push_back(b_.type(v));
    return types;
  }

  // A choice between branches of one to three results, each of the type of an operand; one of the results.
  Value cond() {
    std::vector<Value> operands = some(1, 3);
    std::vector<ir::Graph> branches;
    for (int64_t i = between(1, 3); i > 0; --i)
      branches.push_back(
          region(types_of(operands), [&](const std::vector<Value>& params) { return of_types(params); }));
    Value index = coin() ? constant({i64, false, {}}) : index_of(any());
    return further(ir::build::cond(b_, index, branches, operands));
  }

  // Whether the first element of x is positive.
  Value index_of(Value x) {
    if (b_.shape(x).numel() == 0) return number(between(0, 1));
    x = ir::build::reshape(b_, x, Shape{b_.shape(x).numel()});
    x = ir::build::reshape(b_, ir::build::slice_axis(b_, x, 0, 0, 1), {});
    Value positive = ir::build::compare(b_, x, ir::build::zeros_like(b_, x), ir::Direction::gt);
    return ir::build::convert(b_, positive, i64);
  }

  // Constants, carries (perhaps a counter) and slices; up to two values of each step.
  Value scan() {
    std::vector<Value> carries = some(0, 2);
    if (coin()) carries.push_back(number(between(-1, 2)));
    return scan(some(carries.empty(), 2), carries);
  }
  Value scan(std::vector<Value> operands, const std::vector<Value>& carries) {
    const size_t consts = operands.size();
    std::vector<Value> xs;
    int64_t length = between(0, 3);
    for (Value x : some(1, 3)) {
      const Shape& shape = b_.shape(x);
      if (shape.empty() || shape[0] > 4 || (!xs.empty() && shape[0] != length)) continue;
      length = shape[0];
      xs.push_back(x);
    }
    operands.insert(operands.end(), carries.begin(), carries.end());
    operands.insert(operands.end(), xs.begin(), xs.end());
    std::vector<ir::Type> types = types_of(operands);
    for (size_t i = consts + carries.size(); i < types.size(); ++i) types[i].shape.erase(0);
    int64_t extra = between(carries.empty(), 2);
    ir::Graph body = region(types, [&](const std::vector<Value>& params) {
      std::vector<Value> results = of_types(std::span(params).subspan(consts, carries.size()));
      for (int64_t i = 0; i < extra; ++i) results.push_back(any());
      return results;
    });
    return ir::build::scan(b_, body, length, coin(), consts, carries.size(), operands);
  }

  // At most three steps, by a counter and a limit that may be data.
  Value loop() { return loop(some(1, 2)); }
  Value loop(const std::vector<Value>& states) {
    Value limit = number(between(0, 1));
    for (int64_t i = between(0, 2); i > 0; --i) limit = ir::build::add(b_, limit, index_of(any()));
    std::vector<Value> operands = {limit};
    for (Value v : some(0, 2)) operands.push_back(v);
    const size_t consts = operands.size();
    operands.push_back(number(0));
    operands.insert(operands.end(), states.begin(), states.end());
    ir::Graph condition = region(types_of(operands), [&](const std::vector<Value>& params) {
      return std::vector{ir::build::compare(b_, params[consts], params[0], ir::Direction::lt)};
    });
    ir::Graph body = region(types_of(operands), [&](const std::vector<Value>& params) {
      std::vector<Value> results = of_types(std::span(params).subspan(consts));
      results[0] = ir::build::add(b_, params[consts], number(1));
      return results;
    });
    return ir::build::while_loop(b_, condition, body, consts, coin() ? -1 : 9, operands);
  }

  // ---- effects

  // As a loop that writes to a tensor which it captures: the last carry is what the storage holds then.
  Value written_in_loop() {
    Value x = numeric(), storage = b_.emit(Op::copy_op, {x});
    Value first = coin() ? scan(some(0, 2), {x}) : loop({x}) + 1;
    Value version = b_.emit(Op::copy_op, {storage, first}, {}, true);
    return b_.emit(Op::read_op, {storage, version});
  }

  // A write to a storage of its own through a view of it, and a read.
  Value effect() {
    Value x = numeric();
    Value storage = b_.emit(Op::copy_op, {x});
    std::vector<Value> views = {storage};
    if (coin()) views.push_back(ir::build::permute(b_, storage, any_perm(b_.shape(x).size())));
    if (coin()) views.push_back(ir::build::reshape(b_, views.back(), Shape{b_.shape(x).numel()}));
    Value version = ir::kNoValue;
    for (int64_t i = between(1, 3); i > 0; --i) {
      Value target = views[below(views.size())];
      Value source = constant(b_.type(target));
      switch (below(3)) {
        case 0:
          version = b_.emit(Op::add_op, {target, source}, {}, true);
          break;
        case 1:
          version = b_.emit(Op::copy_op, {target, source}, {}, true);
          break;
        default:
          version = b_.emit(Op::fill_op, {target, constant({b_.dtype(target), false, {}})}, {}, true);
      }
    }
    return b_.emit(Op::read_op, {views[below(views.size())], version});
  }

  int depth_ = 0;  // of regions
};

inline ir::Graph random_graph(uint64_t seed, RandomGraphOptions options = {}) {
  return RandomGraph(seed, options).make();
}

}  // namespace jot::test
