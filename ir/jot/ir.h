#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "jot/dtype.h"
#include "jot/error.h"
#include "jot/shape.h"

namespace jot {
class Tensor;

namespace ir {
class GraphData;
class Builder;

// An immutable graph of typed operations in SSA form. A handle: copying is cheap, graphs are shared between threads.
class Graph {
 public:
  Graph();  // no inputs, no outputs
  explicit Graph(std::shared_ptr<const GraphData> data) : data_(std::move(data)) {}
  Graph(std::shared_ptr<const GraphData> data, std::shared_ptr<const std::vector<Tensor>> captures)
      : data_(std::move(data)), captures_(std::move(captures)) {}

  int64_t num_nodes() const;  // parameters included
  int64_t num_inputs() const;
  int64_t num_outputs() const;
  bool pure() const;      // no writes: what derivatives, batching and backends take
  uint64_t hash() const;  // of ops, edges, types, attributes; not of names and locations. Computed once: O(nodes)
  // Tensors that the traced function captured: the values of the trailing inputs. Empty for a parsed graph.
  const std::vector<Tensor>& captures() const;
  Graph with_captures(std::shared_ptr<const std::vector<Tensor>> captures) const {
    return Graph(data_, std::move(captures));
  }

  const GraphData& data() const { return *data_; }

  // Same ops, edges, types, attributes and outputs. O(nodes).
  friend bool operator==(const Graph& a, const Graph& b);

 private:
  friend class Builder;
  std::shared_ptr<const GraphData> data_;
  std::shared_ptr<const std::vector<Tensor>> captures_;
};

// Reads the text form (docs/ir.md) and verifies it. Throws IrError with line, column and what was expected.
Graph parse(std::string_view text);

// Re-infers every node and compares; checks order, arity, dtypes, effects. Throws IrError that names the node.
// O(nodes).
void verify(const Graph& graph);

}  // namespace ir

// The text form: parse(to_text(g)) == g, with names, locations and scopes.
std::string to_text(const ir::Graph& graph);
std::string to_dot(const ir::Graph& graph);  // for graphviz
std::string to_json(
    const ir::Graph& graph);  // nodes in order, values by index; what JSON has no number for is a string
std::string to_html(const ir::Graph& graph);  // a page that stands alone: the text with links between values

}  // namespace jot
