#include "ir/builder_state.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "ir/ops/classes.h"
#include "ir/rules.h"
#include "ir/seen.h"

namespace jot::ir {
namespace {

// Whether the result has the one type of all operands, without asking a rule for it.
bool keeps_type(Op op, size_t operands, const Type& type) {
  const OpInfo& i = info(op);
  return rules(op).infer.fn.one == infer_elementwise && static_cast<size_t>(i.operands) == operands && !type.token &&
         i.allows(type.dtype);
}

// Appends words that may lie in the vector itself.
template <class T>
void append_words(std::vector<T>& to, std::span<const T> words) {
  size_t size = to.size();
  bool inside = std::less_equal<>()(to.data(), words.data()) && std::less<>()(words.data(), to.data() + size);
  size_t from = inside ? static_cast<size_t>(words.data() - to.data()) : 0;
  if (size + words.size() > to.capacity()) to.reserve(2 * (size + words.size()));
  const T* source = inside ? to.data() + from : words.data();
  for (size_t i = 0; i < words.size(); ++i) to.push_back(source[i]);
}

void check_same(Value shadow, Value v) {
  if (shadow != v) internal_error("a recording that follows another has the values of one that does not", "");
}

}  // namespace

Builder::Builder(std::string name, Sharing sharing) : graph_(new GraphData), view_(graph_.get()), state_(new State) {
  graph_->name_ = std::move(name);
  state_->sharing = sharing;
  state_->keeps_lines = seen::lines();
}
Builder::~Builder() = default;
Builder::Builder(Builder&&) noexcept = default;
Builder& Builder::operator=(Builder&&) noexcept = default;

uint32_t Builder::intern(const Type& type) {
  auto& types = graph_->types_;
  if (!graph_->nodes_.empty()) {  // most nodes have the type of their predecessor
    uint32_t last = graph_->nodes_.back().type;
    if (*types[last] == type) return last;
  }
  uint32_t at = state_->types.find(type, types.size(), [&](size_t i) -> const Type& { return *types[i]; });
  if (at == types.size()) types.push_back(std::make_shared<const Type>(type));
  return at;
}

uint32_t Builder::intern(const Graph& region) {
  auto [first, last] = state_->regions.equal_range(region.hash());
  for (auto it = first; it != last; ++it)
    if (graph_->regions_[it->second] == region) return it->second;
  auto at = static_cast<uint32_t>(graph_->regions_.size());
  graph_->regions_.push_back(region);
  state_->regions.emplace(region.hash(), at);
  return at;
}

// The words of attributes whose regions are in this graph's table.
std::vector<int64_t> Builder::own_regions(const AttrView& attrs) {
  std::vector<int64_t> words(attrs.words().begin(), attrs.words().end());
  for (size_t at : attrs.region_words())
    words[at] = intern(Graph(attrs.region_table()[static_cast<size_t>(words[at])]));
  return words;
}

Value Builder::append(Op op, std::span<const Value> operands, Ints attrs, bool in_place,
                      std::span<const uint32_t> types) {
  GraphData& g = *graph_;
  uint32_t type = types[0];
  bool shared = state_->sharing == Sharing::on && !in_place && op != Op::param_op && op != Op::read_op;
  NodeSet::Place place;
  if (shared) {
    auto same = [&](Value v) {
      const Node& n = g.nodes_[v];
      return n.op == op && n.type == type && n.in_place == 0 && std::ranges::equal(g.operands(v), operands) &&
             (n.attrs == 0 ? attrs.empty() : std::ranges::equal(g.words(v), attrs));
    };
    place = state_->nodes.find(operands, same, [&] { return hash_node(op, operands, attrs, type); });
    if (place.found != kNoValue) {
      if (state_->keeps_lines) add_lines(place.found);
      return place.found;
    }
  }
  Value v = g.size();
  auto index = [](size_t at) {
    if (at >= kNoValue)
      internal_error("at most 2^32 - 1 nodes, operands and attribute words", "the graph is too large");
    return static_cast<uint32_t>(at);
  };
  index(g.nodes_.size() + types.size());
  if (g.nodes_.capacity() == 0) reserve_some();
  Node n{op, in_place,      0, static_cast<uint32_t>(operands.size()), {kNoValue, kNoValue, kNoValue}, type,
         0,  state_->origin};
  if (operands.size() <= 3) {
    for (size_t i = 0; i < 3; ++i)
      if (i < operands.size()) n.operand[i] = operands[i];
  } else {
    n.operand[0] = index(g.operand_pool_.size());
    append_words(g.operand_pool_, operands);
  }
  if (!attrs.empty()) {
    n.attrs = index(g.attr_words_.size());
    g.attr_words_.push_back(static_cast<int64_t>(attrs.size()));
    append_words(g.attr_words_, attrs);
  }
  g.nodes_.push_back(n);
  if (in_place || op == Op::read_op) g.pure_ = false;
  if (state_->sharing == Sharing::on) state_->nodes.insert(v, shared ? &place : nullptr);
  for (size_t i = 1; i < types.size(); ++i) {
    g.nodes_.push_back({Op::result_op, 0, 0, 1, {v, kNoValue, kNoValue}, types[i], 0, state_->origin});
    if (state_->sharing == Sharing::on) state_->nodes.insert(v + static_cast<Value>(i), nullptr);
  }
  return v;
}

void Builder::reserve_some() {
  graph_->nodes_.reserve(16);
  graph_->attr_words_.reserve(64);
  graph_->origins_.reserve(8);
  graph_->inputs_.reserve(8);
}

void Builder::reserve(size_t nodes) {
  if (view_ != graph_.get()) return;
  // At least doubled: many may come bit by bit.
  size_t size = graph_->nodes_.size() + nodes, capacity = graph_->nodes_.capacity();
  if (size > capacity) graph_->nodes_.reserve(std::max(size, 2 * capacity));
  if (state_->sharing == Sharing::on) state_->nodes.reserve(graph_->nodes_.capacity());
}

bool Builder::fresh() const {
  return view_ == graph_.get() && !state_->remembers && graph_->nodes_.empty() && graph_->origins_.size() == 1;
}

uint32_t Builder::size() const { return view_ == graph_.get() ? view_->size() : state_->cursor; }

Value Builder::param(const Type& type, std::string_view name) {
  Value v = view_ == graph_.get() ? kNoValue : followed_param(type, name);
  if (v == kNoValue) {
    leave_precedent();
    v = param_here(type, name);
  }
  if (state_->shadow) check_same(state_->shadow->param(type, name), v);
  return v;
}

Value Builder::emit(Op op, std::span<const Value> operands, const AttrSource& attrs, bool in_place) {
  Value v = view_ == graph_.get() ? kNoValue : followed(op, operands, attrs, in_place);
  if (v == kNoValue) {
    leave_precedent();
    v = emit_here(op, operands, attrs, in_place);
  }
  if (state_->shadow) check_same(state_->shadow->emit(op, operands, attrs, in_place), v);
  return v;
}

Value Builder::copy_node(const GraphData& from, Value node, std::span<const Value> operands) {
  leave_precedent();
  Value v = copy_here(from, node, operands);
  if (state_->shadow) check_same(state_->shadow->copy_node(from, node, operands), v);
  return v;
}

void Builder::set_origin(Location location, std::string_view scope) {
  State& s = *state_;
  if (s.shadow) s.shadow->set_origin(location, scope);
  if (view_ == graph_.get()) return set_origin_here(location, scope);
  if (s.location == location && s.scope == scope && s.call == Call{}) return;
  s.location = location;
  if (s.scope != scope) s.scope = scope;
  s.call = {};
  s.matched_origin = kNoValue;
}

void Builder::set_call(const Call& call) {
  State& s = *state_;
  if (s.shadow) s.shadow->set_call(call);
  if (view_ == graph_.get()) return set_call_here(call);
  s.call = call;
  s.matched_origin = kNoValue;
}

void Builder::set_origin_of(const GraphData& from, Value node) {
  if (view_ != graph_.get()) {
    set_origin(from.location(node), from.scope(node));
    if (from.origin(node).call != 0) set_call(from.call(node));
    return;
  }
  if (state_->shadow) state_->shadow->set_origin_of(from, node);
  set_origin_of_here(from, node);
}

void Builder::set_location(Location location) {
  if (view_ != graph_.get()) return set_origin(location, state_->scope);
  set_origin(location, graph_->scopes_[graph_->origins_[state_->origin].scope]);
}

Location Builder::location() const {
  return view_ == graph_.get() ? graph_->origins_[state_->origin].location : state_->location;
}

Value Builder::param_here(const Type& type, std::string_view name) {
  GraphData& g = *graph_;
  if (g.size() != g.inputs_.size()) state_->params_in_front = false;
  uint32_t interned = intern(type);
  Value v = append(Op::param_op, {}, Attrs(static_cast<int64_t>(g.inputs_.size()), type.shape, type.dtype).words(),
                   false, {&interned, 1});
  g.inputs_.push_back(v);
  if (!name.empty()) {
    g.input_names_.resize(g.inputs_.size());
    g.input_names_.back() = unique_name(name);
  }
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

Value Builder::emit_here(Op op, std::span<const Value> operands, const AttrSource& attrs, bool in_place) {
  const GraphData& g = *graph_;
  uint32_t common = kNoValue;  // the type of all operands, if it is one
  for (size_t i = 0; i < operands.size(); ++i) {
    if (operands[i] >= g.size()) internal_error("operand precedes its user", name_of(op));
    uint32_t type = g.nodes_[operands[i]].type;
    common = i == 0 || type == common ? type : kNoValue;
  }
  if (common != kNoValue && !in_place && keeps_type(op, operands.size(), *g.types_[common]))
    return append(op, operands, attrs.words, false, {&common, 1});
  constexpr size_t kInline = 8;
  const Type* few[kInline];
  std::vector<const Type*> many;
  if (operands.size() > kInline) many.resize(operands.size());
  const Type** types = many.empty() ? few : many.data();
  for (size_t i = 0; i < operands.size(); ++i) types[i] = &g.type(operands[i]);
  InferContext c{op, {types, operands.size()}, {op, attrs.words, attrs.regions}, location()};
  infer_types(c, in_place, state_->result_types);
  state_->results.clear();
  for (const Type& t : state_->result_types) state_->results.push_back(intern(t));
  if (!has_regions(op)) return append(op, operands, attrs.words, in_place, state_->results);
  return append(op, operands, own_regions(c.attrs), in_place, state_->results);
}

void Builder::enter_source(const GraphData& from) {
  State& s = *state_;
  if (s.source != from.serial_) {
    s.source = from.serial_;
    s.type_of_source.clear();
    s.origin_of_source.clear();
  }
  s.type_of_source.resize(from.types_.size(), kNoValue);  // a graph under construction grows
  s.origin_of_source.resize(from.origins_.size(), kNoValue);
}

uint32_t Builder::type_from(const GraphData& from, Value node) {
  uint32_t of_source = from.nodes_[node].type;
  if (of_source >= state_->type_of_source.size()) enter_source(from);
  uint32_t& type = state_->type_of_source[of_source];
  if (type == kNoValue) type = intern(*from.types_[of_source]);
  return type;
}

Value Builder::copy_here(const GraphData& from, Value node, std::span<const Value> operands) {
  const Node n = from.nodes_[node];
  if (n.op == Op::result_op) return operands[0] + (node - n.operand[0]);
  set_origin_of_here(from, node);
  uint32_t first = type_from(from, node), count = from.results(node);
  if (count == 1 && from.regions_.empty())
    return append(n.op, operands, from.words(node), n.in_place != 0, {&first, 1});
  std::vector<uint32_t> types;
  for (uint32_t i = 0; i < count; ++i) types.push_back(type_from(from, node + i));
  if (!has_regions(n.op)) return append(n.op, operands, from.words(node), n.in_place != 0, types);
  return append(n.op, operands, own_regions(from.attrs(node)), n.in_place != 0, types);
}

namespace {
// The index of x in a list to which it may be added. Loops come back to the same few lines.
template <class T>
uint32_t find_or_add(std::vector<T>& list, const T& x) {
  constexpr size_t kRecent = 16;
  size_t n = list.size();
  for (size_t i = n; i-- > 0 && i + kRecent >= n;)
    if (list[i] == x) return static_cast<uint32_t>(i);
  list.push_back(x);
  return static_cast<uint32_t>(n);
}
}  // namespace

void Builder::set_origin_of_here(const GraphData& from, Value node) {
  uint32_t of_source = from.nodes_[node].origin;
  if (state_->source != from.serial_ || of_source >= state_->origin_of_source.size()) enter_source(from);
  uint32_t& origin = state_->origin_of_source[of_source];
  if (origin == kNoValue) origin = origin_from(from, of_source);
  state_->origin = origin;
}

// An origin of another graph, here. Of those that it leads to, all.
uint32_t Builder::origin_from(const GraphData& from, uint32_t of_source) {
  std::vector<uint32_t> chain;
  for (uint32_t i = of_source; chain.empty() || i != 0; i = from.origins_[i].also) chain.push_back(i);
  uint32_t also = 0;
  for (size_t k = chain.size(); k-- > 0;) {
    const Origin& o = from.origins_[chain[k]];
    set_origin_here(o.location, from.scopes_[o.scope]);
    if (o.call != 0) set_call_here(from.calls_[o.call]);
    if (also != 0) {
      Origin wanted = graph_->origins_[state_->origin];
      wanted.also = also;
      state_->origin = find_or_add(graph_->origins_, wanted);
    }
    also = state_->origin;
  }
  return state_->origin;
}

// The node stands for one of the present origin, too: for the lines of both.
void Builder::add_lines(Value node) {
  GraphData& g = *graph_;
  const uint32_t first = g.nodes_[node].origin;
  if (first == state_->origin) return;
  for (uint32_t extra = state_->origin;; extra = g.origins_[extra].also) {
    const Origin added = g.origins_[extra];
    bool known = *added.location.file == '\0';
    for (uint32_t i = g.nodes_[node].origin; !known; i = g.origins_[i].also) {
      known = g.origins_[i].location == added.location;
      if (g.origins_[i].also == 0) break;
    }
    if (!known) {
      Origin whole = g.origins_[g.nodes_[node].origin];
      if (*whole.location.file == '\0') {  // the first that has a line
        whole.location = added.location;
        whole.scope = added.scope;
      } else {
        whole.also = find_or_add(g.origins_, Origin{added.location, added.scope, 0, whole.also});
      }
      g.nodes_[node].origin = find_or_add(g.origins_, whole);
    }
    if (added.also == 0) return;
  }
}

void Builder::set_origin_here(Location location, std::string_view scope) {
  GraphData& g = *graph_;
  const Origin& now = g.origins_[state_->origin];
  if (now.location == location && now.call == 0 && now.also == 0 && g.scopes_[now.scope] == scope) return;
  uint32_t scope_id = state_->scopes.find(scope, g.scopes_.size(), [&](size_t i) -> auto& { return g.scopes_[i]; });
  if (scope_id == g.scopes_.size()) g.scopes_.emplace_back(scope);
  state_->origin = find_or_add(g.origins_, Origin{location, scope_id});
}
void Builder::set_call_here(const Call& call) {
  GraphData& g = *graph_;
  Origin wanted = g.origins_[state_->origin];
  wanted.call = call == Call{} ? 0 : find_or_add(g.calls_, call);
  state_->origin = find_or_add(g.origins_, wanted);
}

void Builder::set_further_lines(std::span<const Location> lines) {
  GraphData& g = *graph_;
  uint32_t also = 0;
  for (size_t i = lines.size(); i-- > 0;) also = find_or_add(g.origins_, Origin{lines[i], 0, 0, also});
  Origin wanted = g.origins_[state_->origin];
  wanted.also = also;
  state_->origin = find_or_add(g.origins_, wanted);
}

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

Graph Builder::finish(std::span<const Value> outputs, std::span<const uint32_t> writebacks) & {
  Sharing sharing = state_->sharing;
  Graph g = std::move(*this).finish(outputs, writebacks);
  *this = Builder("main", sharing);
  return g;
}

uint32_t Builder::origin() const { return state_->origin; }
void Builder::set_origin(uint32_t origin) { state_->origin = origin; }

Graph Builder::finish_host(std::span<const Value> outputs, std::shared_ptr<const HostFunction> host) & {
  leave_precedent();
  graph_->host_ = std::move(host);
  return finish(outputs);
}

Graph Builder::finish(std::span<const Value> outputs, std::span<const uint32_t> writebacks) && {
  leave_precedent();
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
  return Graph(std::shared_ptr<const GraphData>(graph_.release()));
}

}  // namespace jot::ir
