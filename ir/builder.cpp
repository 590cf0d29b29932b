#include "ir/builder.h"

#include <algorithm>
#include <bit>

#include "ir/hash.h"
#include "ir/rules.h"

namespace jot::ir {
namespace {

struct TypeHash {
  size_t operator()(const Type& t) const {
    uint64_t h = hash_mix(static_cast<uint64_t>(t.dtype), t.token);
    for (int64_t d : t.shape) h = hash_mix(h, static_cast<uint64_t>(d));
    return h;
  }
};

uint64_t hash_node(Op op, std::span<const Value> operands, Ints attrs, uint32_t type) {
  uint64_t h = hash_mix(static_cast<uint64_t>(op), type);
  for (Value v : operands) h = hash_mix(h, v);
  for (int64_t w : attrs) h = hash_mix(h, static_cast<uint64_t>(w));
  return h;
}

// Open addressing over node ids; the upper half of a node's hash is kept beside its id.
class NodeTable {
 public:
  template <class Same>
  Value find(uint64_t hash, Same same) const {
    if (slots_.empty()) return kNoValue;
    for (size_t i = hash & mask();; i = (i + 1) & mask()) {
      const Slot& s = slots_[i];
      if (s.node == kNoValue) return kNoValue;
      if (s.tag == tag(hash) && same(s.node)) return s.node;
    }
  }
  void insert(uint64_t hash, Value node) {
    if (2 * (count_ + 1) > slots_.size()) grow();
    hashes_.push_back(hash);
    nodes_.push_back(node);
    place(hash, node);
    ++count_;
  }

 private:
  struct Slot {
    uint32_t tag;
    Value node;
  };
  static uint32_t tag(uint64_t hash) { return static_cast<uint32_t>(hash >> 32); }
  size_t mask() const { return slots_.size() - 1; }
  void place(uint64_t hash, Value node) {
    size_t i = hash & mask();
    while (slots_[i].node != kNoValue) i = (i + 1) & mask();
    slots_[i] = {tag(hash), node};
  }
  void grow() {
    slots_.assign(std::max<size_t>(64, 2 * slots_.size()), {0, kNoValue});
    for (size_t i = 0; i < nodes_.size(); ++i) place(hashes_[i], nodes_[i]);
  }
  std::vector<Slot> slots_;
  std::vector<uint64_t> hashes_;
  std::vector<Value> nodes_;
  size_t count_ = 0;
};

}  // namespace

struct Builder::State {
  Sharing sharing;
  NodeTable table;
  std::unordered_map<Type, uint32_t, TypeHash> types;
  std::unordered_map<std::string, uint32_t> scopes;
  std::unordered_map<std::string, uint32_t> names;  // of parameters: the last number given to this name
  uint32_t origin = 0;
  bool params_in_front = true;
};

Builder::Builder(std::string name, Sharing sharing) : graph_(new GraphData), state_(new State) {
  graph_->name_ = std::move(name);
  state_->sharing = sharing;
}
Builder::~Builder() = default;
Builder::Builder(Builder&&) noexcept = default;
Builder& Builder::operator=(Builder&&) noexcept = default;

uint32_t Builder::intern(const Type& type) {
  auto& types = graph_->types_;
  if (!graph_->nodes_.empty()) {  // most nodes have the type of their predecessor
    uint32_t last = graph_->nodes_.back().type;
    if (types[last] == type) return last;
  }
  auto [it, fresh] = state_->types.try_emplace(type, static_cast<uint32_t>(types.size()));
  if (fresh) types.push_back(type);
  return it->second;
}

Value Builder::append(Op op, std::span<const Value> operands, Ints attrs, bool in_place, const Type& type) {
  GraphData& g = *graph_;
  uint32_t type_id = intern(type);
  bool shared = state_->sharing == Sharing::on && !in_place && op != Op::param_op && op != Op::read_op;
  uint64_t hash = 0;
  if (shared) {
    hash = hash_node(op, operands, attrs, type_id);
    Value found = state_->table.find(hash, [&](Value v) {
      return g.nodes_[v].op == op && g.nodes_[v].type == type_id && !g.in_place(v) &&
             std::ranges::equal(g.operands(v), operands) && std::ranges::equal(g.words(v), attrs);
    });
    if (found != kNoValue) return found;
  }
  Node n{op, in_place,      0, static_cast<uint32_t>(operands.size()), {kNoValue, kNoValue, kNoValue}, type_id,
         0,  state_->origin};
  if (operands.size() <= 3) {
    std::ranges::copy(operands, n.operand);
  } else {
    n.operand[0] = static_cast<uint32_t>(g.operand_pool_.size());
    std::vector<Value> list(operands.begin(), operands.end());  // may be a view of the pool itself
    g.operand_pool_.insert(g.operand_pool_.end(), list.begin(), list.end());
  }
  if (!attrs.empty()) {
    n.attrs = static_cast<uint32_t>(g.attr_words_.size());
    g.attr_words_.push_back(static_cast<int64_t>(attrs.size()));
    g.attr_words_.insert(g.attr_words_.end(), attrs.begin(), attrs.end());
  }
  Value v = g.size();
  if (v == kNoValue) internal_error("nodes < 2^32 - 1", "graph too large");
  g.nodes_.push_back(n);
  if (in_place || op == Op::read_op) g.pure_ = false;
  if (shared) state_->table.insert(hash, v);
  return v;
}

Value Builder::param(const Type& type, std::string_view name) {
  GraphData& g = *graph_;
  if (g.size() != g.inputs_.size()) state_->params_in_front = false;
  Value v =
      append(Op::param_op, {}, Attrs(static_cast<int64_t>(g.inputs_.size()), type.shape, type.dtype), false, type);
  g.inputs_.push_back(v);
  g.input_names_.push_back(unique_name(name));
  return v;
}

std::string Builder::unique_name(std::string_view name) {
  auto& names = state_->names;
  std::string unique(name);
  if (unique.empty() || names.try_emplace(unique, 1).second) return unique;
  do unique = std::string(name) + "_" + std::to_string(++names[std::string(name)]);
  while (!names.try_emplace(unique, 1).second);
  return unique;
}

Value Builder::emit(Op op, std::span<const Value> operands, Ints attrs, bool in_place) {
  constexpr size_t kInline = 8;
  const Type* few[kInline];
  std::vector<const Type*> many;
  if (operands.size() > kInline) many.resize(operands.size());
  const Type** types = many.empty() ? few : many.data();
  for (size_t i = 0; i < operands.size(); ++i) {
    if (operands[i] >= graph_->size()) internal_error("operand precedes its user", name_of(op));
    types[i] = &graph_->type(operands[i]);
  }
  InferContext c{op, {types, operands.size()}, {op, attrs}, location()};
  return append(op, operands, attrs, in_place, infer_type(c, in_place));
}

Value Builder::copy_node(const GraphData& from, Value node, std::span<const Value> operands) {
  set_origin_of(from, node);
  return append(from.op(node), operands, from.words(node), from.in_place(node), from.type(node));
}

void Builder::set_origin(Location location, std::string_view scope) {
  GraphData& g = *graph_;
  uint32_t scope_id = 0;
  if (!scope.empty()) {
    auto [it, fresh] = state_->scopes.try_emplace(std::string(scope), static_cast<uint32_t>(g.scopes_.size()));
    if (fresh) g.scopes_.emplace_back(scope);
    scope_id = it->second;
  }
  Origin o{location, scope_id};
  if (g.origins_[state_->origin] == o) return;
  if (g.origins_.back() != o) g.origins_.push_back(o);
  state_->origin = static_cast<uint32_t>(g.origins_.size() - 1);
}
void Builder::set_location(Location location) {
  set_origin(location, graph_->scopes_[graph_->origins_[state_->origin].scope]);
}
void Builder::set_origin_of(const GraphData& from, Value node) { set_origin(from.location(node), from.scope(node)); }
Location Builder::location() const { return graph_->origins_[state_->origin].location; }

namespace {
// Params in front, in their order; the others keep theirs.
std::vector<Value> params_first(const GraphData& g) {
  std::vector<Value> rank(g.size());
  Value next = 0;
  for (Value v : g.inputs()) rank[v] = next++;
  for (Value v = 0; v < g.size(); ++v)
    if (g.op(v) != Op::param_op) rank[v] = next++;
  return rank;
}
}  // namespace

Graph Builder::finish(std::span<const Value> outputs, std::span<const uint32_t> writebacks) {
  GraphData& g = *graph_;
  g.outputs_.assign(outputs.begin(), outputs.end());
  g.writebacks_.assign(writebacks.begin(), writebacks.end());
  if (!state_->params_in_front) {
    std::vector<Value> rank = params_first(g);
    std::vector<Node> nodes(g.nodes_.size());
    for (Value v = 0; v < g.size(); ++v) {
      Node n = g.nodes_[v];
      if (n.num_operands <= 3)
        for (uint32_t i = 0; i < n.num_operands; ++i) n.operand[i] = rank[n.operand[i]];
      nodes[rank[v]] = n;
    }
    g.nodes_ = std::move(nodes);
    for (Value& v : g.operand_pool_) v = rank[v];
    for (Value& v : g.inputs_) v = rank[v];
    for (Value& v : g.outputs_) v = rank[v];
  }
  std::shared_ptr<const GraphData> done(graph_.release());
  *this = Builder();
  return Graph(std::move(done));
}

}  // namespace jot::ir
