// The only way to make a graph: appends nodes, infers their types, shares equal ones.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ir/graph.h"

namespace jot::ir {

class Builder {
 public:
  // With sharing, an equal pure node is returned instead of a new one (common subexpressions never arise).
  enum class Sharing : uint8_t { off, on };
  explicit Builder(std::string name = "main", Sharing sharing = Sharing::on);
  ~Builder();
  Builder(Builder&&) noexcept;
  Builder& operator=(Builder&&) noexcept;

  // Parameters may be added at any time; finish() moves them to the front, in the order they were made. A name that is
  // taken gets a number: x, x_2, x_3.
  Value param(const Type& type, std::string_view name = {});

  // Appends an op: its first result, which the others follow. Infers and checks; throws a ShapeError, DTypeError or
  // IndexError that names the op and the current origin's line. Amortised O(1).
  Value emit(Op op, std::span<const Value> operands, const AttrSource& attrs = {}, bool in_place = false);
  Value emit(Op op, std::initializer_list<Value> operands, const AttrSource& attrs = {}, bool in_place = false) {
    return emit(op, std::span<const Value>(operands.begin(), operands.size()), attrs, in_place);
  }

  // Copies a node of another graph, all its results, onto new operands of the same types: no inference. Takes its
  // origin along. Of a further result, whose operand is the copy of the first: the result that is there already.
  Value copy_node(const GraphData& from, Value node, std::span<const Value> operands);

  // The origin (line and scope) of the nodes emitted next.
  void set_origin(Location location, std::string_view scope);
  void set_location(Location location);
  void set_origin_of(const GraphData& from, Value node);
  Location location() const;

  // Makes room for this many more nodes.
  void reserve(size_t nodes);

  // What has been built so far.
  const GraphData& graph() const { return *graph_; }
  const Type& type(Value v) const { return graph_->type(v); }
  const Shape& shape(Value v) const { return graph_->shape(v); }
  DType dtype(Value v) const { return graph_->dtype(v); }
  Op op(Value v) const { return graph_->op(v); }

  // Ends the graph; the builder is empty afterwards. Trailing outputs, one for each writeback, are the new contents of
  // those inputs.
  Graph finish(std::span<const Value> outputs, std::span<const uint32_t> writebacks = {}) &;
  Graph finish(std::span<const Value> outputs, std::span<const uint32_t> writebacks = {}) &&;  // not used again
  Graph finish(std::initializer_list<Value> outputs) & {
    return finish(std::span<const Value>(outputs.begin(), outputs.size()));
  }

 private:
  struct State;
  // `types`: one a result.
  Value append(Op op, std::span<const Value> operands, Ints attrs, bool in_place, std::span<const uint32_t> types);
  std::vector<int64_t> own_regions(const AttrView& attrs);
  void enter_source(const GraphData& from);
  uint32_t intern(const Type& type);
  uint32_t intern(const Graph& region);
  uint32_t type_from(const GraphData& from, Value node);
  std::string unique_name(std::string_view name);
  std::unique_ptr<GraphData> graph_;
  std::unique_ptr<State> state_;
};

}  // namespace jot::ir
