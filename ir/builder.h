// The only way to make a graph: appends nodes, infers their types, shares equal ones.
#pragma once
#include <memory>
#include <optional>
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

  // The origin (line and scope; no call) of the nodes emitted next.
  void set_origin(Location location, std::string_view scope);
  void set_location(Location location);
  // The call, where the line and scope stay.
  void set_call(const Call& call);
  void set_origin_of(const GraphData& from, Value node);
  // The lines of equal nodes, beside the present one; of a builder that follows nothing.
  void set_further_lines(std::span<const Location> lines);
  Location location() const;
  // Both of them and the call, of a builder that follows nothing: to be set again.
  uint32_t origin() const;
  void set_origin(uint32_t origin);

  // Makes room for this many more nodes.
  void reserve(size_t nodes);

  // What has been built so far. graph() ends the following of a precedent.
  const GraphData& graph() { return leave_precedent(), *graph_; }
  uint32_t size() const;
  const Type& type(Value v) const { return view_->type(v); }
  const Shape& shape(Value v) const { return view_->shape(v); }
  DType dtype(Value v) const { return view_->dtype(v); }
  Op op(Value v) const { return view_->op(v); }
  Value operand(Value v, size_t i) const { return view_->operand(v, i); }
  AttrView attrs(Value v) const { return view_->attrs(v); }
  Location location(Value v) const { return view_->location(v); }

  // It is as it was made: it may build another graph, of this name.
  bool fresh() const;

  // Ends the graph; the builder is empty afterwards. Trailing outputs, one for each writeback, are the new contents of
  // those inputs.
  Graph finish(std::span<const Value> outputs, std::span<const uint32_t> writebacks = {}) &;
  Graph finish(std::span<const Value> outputs, std::span<const uint32_t> writebacks = {}) &&;  // not used again
  Graph finish(std::initializer_list<Value> outputs) & {
    return finish(std::span<const Value>(outputs.begin(), outputs.size()));
  }

  // Ends the graph of a region that the user's own code stands for: the outputs tell its types.
  Graph finish_host(std::span<const Value> outputs, std::shared_ptr<const HostFunction> host) &;

  // How a graph was built, for a builder that builds one like it.
  struct Precedent;
  // Of an empty builder that shares no nodes. While it is told what made the precedent (the same ops on the same values
  // with the same attributes, types and origins) it only counts along: values and the finished graph are those of the
  // precedent. At the first difference it goes on from a copy. Null: there is none yet.
  void follow(std::shared_ptr<const Precedent> precedent);
  // finish() of a builder that was told to follow; it follows none afterwards. The precedent itself, where it is that.
  std::shared_ptr<const Precedent> finish_precedent(std::span<const Value> outputs);

  // For those who copy all of a finished graph: its outputs, if the precedent did the same here; what they have copied.
  std::optional<std::span<const Value>> followed_copy(const GraphData& from, std::span<const Value> args);
  void copied(const GraphData& from, std::span<const Value> args, Value begin, std::span<const Value> outputs);

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
  void reserve_some();
  Value param_here(const Type& type, std::string_view name);
  Value emit_here(Op op, std::span<const Value> operands, const AttrSource& attrs, bool in_place);
  Value copy_here(const GraphData& from, Value node, std::span<const Value> operands);
  void set_origin_here(Location location, std::string_view scope);
  void set_call_here(const Call& call);
  void set_origin_of_here(const GraphData& from, Value node);
  uint32_t origin_from(const GraphData& from, uint32_t origin);
  void add_lines(Value node);
  // ir/follow.cpp
  Value followed(Op op, std::span<const Value> operands, const AttrSource& attrs, bool in_place);
  Value followed_param(const Type& type, std::string_view name);
  const Node* next_followed(Op op);
  bool has_next_origin(const Node& n);
  void leave_precedent() {
    if (view_ != graph_.get()) copy_followed();
  }
  void copy_followed();
  std::unique_ptr<GraphData> graph_;
  const GraphData* view_;  // of what has been built: graph_, or what is followed
  std::unique_ptr<State> state_;
};

struct Builder::Precedent {
  struct Copy {
    Value begin, end;
    uint64_t source;
    std::vector<Value> args, outputs;
  };
  Graph graph;
  std::shared_ptr<const GraphData> made;  // the same with the nodes in the order in which they were made
  std::vector<Copy> copies;               // of whole graphs
};

}  // namespace jot::ir
