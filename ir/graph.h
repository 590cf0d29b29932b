// The graph behind ir::Graph: flat arrays, topologically ordered, 32 bytes a node. Made by ir::Builder only.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/attributes.h"
#include "ir/op.h"
#include "jot/ir.h"
#include "jot/location.h"

namespace jot::ir {

// A node's index names its value. A further result of an op is a node of its own: op `result`, operand 0 the op's first
// result, right behind it. Operands precede their users.
using Value = uint32_t;
inline constexpr Value kNoValue = 0xffffffff;

// No value has more elements, and no axis, offset or stride is larger.
inline constexpr int64_t kMaxNumel = int64_t{1} << 48;

// The type of a value: a tensor, or the token that stands for a version of a storage (no dtype, no shape).
struct Type {
  DType dtype = DType::f32;
  bool token = false;
  Shape shape;
  friend bool operator==(const Type&, const Type&) = default;
};
inline Type token_type() { return {DType::boolean, true, {}}; }
std::string to_string(const Type& type);  // "f32[2,3]", "token"
inline int64_t bytes_of(const Type& type) { return type.token ? 0 : type.shape.numel() * size_of(type.dtype); }

// The user's call that a node was made for, in whose terms the faults of its data are told.
struct Call {
  std::string function;
  std::vector<int64_t> dims;   // by the number of the fault: the dim of the user's tensor
  std::vector<int64_t> lanes;  // of each lane dim that the node got in front: the number of its first lane; -1: a dim
                               // that is no vmap's
  std::string demand{};        // of the data, where it makes one: the error's text; {} stands for what was found
  std::string told(std::string_view found) const;
  friend bool operator==(const Call&, const Call&) = default;
};

// Where a node comes from: the user's line, the scope (module path, transform) around it, the call; and those of equal
// nodes that it has replaced, where lines are kept (ir/seen.h). Not hashed.
struct Origin {
  Location location{};
  uint32_t scope = 0;  // index of a string; 0: none
  uint32_t call = 0;   // index; 0: none
  uint32_t also = 0;   // index of another origin: of an equal node that this one stands for, too; 0: none
  friend bool operator==(const Origin&, const Origin&) = default;
};

struct Node {
  Op op;
  uint8_t in_place;
  uint8_t reserved;
  uint32_t num_operands;
  uint32_t operand[3];  // up to three inline; else operand[0] is an offset into the operand pool
  uint32_t type;
  uint32_t attrs;  // offset into the attribute words: length, words...; 0: none
  uint32_t origin;
};
static_assert(sizeof(Node) == 32);

class HostFunction;

class GraphData {
 public:
  uint32_t size() const { return static_cast<uint32_t>(nodes_.size()); }
  const Node& node(Value v) const { return nodes_[v]; }
  Op op(Value v) const { return nodes_[v].op; }
  bool in_place(Value v) const { return nodes_[v].in_place != 0; }
  std::span<const Value> operands(Value v) const {
    const Node& n = nodes_[v];
    return {n.num_operands <= 3 ? n.operand : &operand_pool_[n.operand[0]], n.num_operands};
  }
  Value operand(Value v, size_t i) const { return operands(v)[i]; }
  const Type& type(Value v) const { return *types_[nodes_[v].type]; }
  const Shape& shape(Value v) const { return type(v).shape; }
  DType dtype(Value v) const { return type(v).dtype; }
  AttrView attrs(Value v) const { return {op(v), words(v), regions_}; }
  // How many results the op at v has: v, v + 1, ... O(results).
  uint32_t results(Value v) const {
    uint32_t n = 1;
    while (v + n < size() && nodes_[v + n].op == Op::result_op && nodes_[v + n].operand[0] == v) ++n;
    return n;
  }
  Ints words(Value v) const {
    uint32_t at = nodes_[v].attrs;
    return {&attr_words_[at + 1], static_cast<size_t>(attr_words_[at])};
  }
  const Origin& origin(Value v) const { return origins_[nodes_[v].origin]; }
  Location location(Value v) const { return origin(v).location; }
  const std::string& scope(Value v) const { return scopes_[origin(v).scope]; }
  const Call& call(Value v) const { return calls_[origin(v).call]; }
  // By its number: node(v).origin, Origin::also.
  const Origin& origin_at(uint32_t i) const { return origins_[i]; }
  const std::string& scope_at(uint32_t i) const { return scopes_[i]; }

  // Distinct graphs that attributes refer to.
  std::span<const Graph> regions() const { return regions_; }

  const std::string& name() const { return name_; }
  std::span<const Value> inputs() const { return inputs_; }  // param nodes, in order: the first nodes of the graph
  const std::string& input_name(size_t i) const { return i < input_names_.size() ? input_names_[i] : scopes_[0]; }
  // Results, then one value for each entry of writebacks(): the new contents of that input.
  std::span<const Value> outputs() const { return outputs_; }
  std::span<const uint32_t> writebacks() const { return writebacks_; }  // input positions, ascending
  size_t num_results() const { return outputs_.size() - writebacks_.size(); }
  bool pure() const { return pure_; }
  // Of a region whose work is done by the user's own code (ir/host.h); else null.
  const HostFunction* host() const { return host_.get(); }
  uint64_t hash() const;  // computed once

 private:
  friend class Builder;
  GraphData();
  GraphData(const GraphData&) = default;
  // Of no other graph of this process; a copy is another graph.
  struct Serial {
    uint64_t number;
    Serial();
    Serial(const Serial&) : Serial() {}
    operator uint64_t() const { return number; }
  };
  // 0: not computed yet; a copy may change before it is.
  struct KnownHash : std::atomic<uint64_t> {
    KnownHash() : atomic(0) {}
    KnownHash(const KnownHash&) : KnownHash() {}
  };
  Serial serial_;
  std::string name_;
  std::vector<Node> nodes_;
  std::vector<Value> operand_pool_;
  std::vector<int64_t> attr_words_ = {0};
  std::vector<Graph> regions_;
  std::vector<std::shared_ptr<const Type>> types_;  // stable: rules hold references while they emit
  std::vector<Origin> origins_ = {Origin{}};
  std::vector<std::string> scopes_ = {""};
  std::vector<Call> calls_ = {Call{}};
  std::vector<Value> inputs_;
  std::vector<std::string> input_names_;  // up to the last that has one
  std::vector<Value> outputs_;
  std::vector<uint32_t> writebacks_;
  bool pure_ = true;
  std::shared_ptr<const HostFunction> host_;
  mutable KnownHash hash_;
};

bool operator==(const Graph& a, const Graph& b);

}  // namespace jot::ir
