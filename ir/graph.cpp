#include "ir/graph.h"

#include <algorithm>
#include <atomic>

#include "ir/builder.h"
#include "ir/hash.h"
#include "ir/host.h"

namespace jot::ir {
namespace {

uint64_t hash_of(const Type& t) {
  uint64_t h = hash_mix(static_cast<uint64_t>(t.dtype), t.token);
  for (int64_t d : t.shape) h = hash_mix(h, static_cast<uint64_t>(d));
  return h;
}

bool same_node(const GraphData& a, const GraphData& b, Value v) {
  return a.op(v) == b.op(v) && a.in_place(v) == b.in_place(v) && std::ranges::equal(a.operands(v), b.operands(v)) &&
         a.type(v) == b.type(v) && std::ranges::equal(a.words(v), b.words(v));
}

}  // namespace

std::string Call::told(std::string_view found) const {
  std::string said = demand;
  if (const size_t place = said.find("{}"); place != std::string::npos) said.replace(place, 2, found);
  return said;
}

std::string to_string(const Type& type) {
  if (type.token) return "token";
  return std::string(to_string(type.dtype)) + to_string(type.shape);
}

GraphData::GraphData() = default;

GraphData::Serial::Serial() {
  static std::atomic<uint64_t> made{0};
  number = made.fetch_add(1, std::memory_order_relaxed) + 1;
}

uint64_t GraphData::hash() const {
  if (uint64_t known = hash_.load(std::memory_order_relaxed)) return known;
  std::vector<uint64_t> types;
  types.reserve(types_.size());
  for (const auto& t : types_) types.push_back(hash_of(*t));
  uint64_t h = hash_mix(nodes_.size(), pure_);
  for (Value v = 0; v < size(); ++v) {
    const Node& n = nodes_[v];
    h = hash_word(h, types[n.type] ^ (uint64_t{n.num_operands} << 32 | static_cast<uint64_t>(n.op) << 1 | n.in_place));
    for (Value o : operands(v)) h = hash_word(h, o);
    for (int64_t w : words(v)) h = hash_word(h, static_cast<uint64_t>(w));
  }
  for (Value o : outputs_) h = hash_word(h, o);
  for (uint32_t w : writebacks_) h = hash_word(h, w);
  for (const Graph& region : regions_) h = hash_word(h, region.hash());
  h = hash_mix(h, host_ ? host_->hash() : 0);
  h |= h == 0;
  hash_.store(h, std::memory_order_relaxed);
  return h;
}

Graph::Graph() {
  static const Graph* empty = new Graph(Builder().finish({}));
  *this = *empty;
}

int64_t Graph::num_nodes() const { return data_->size(); }
int64_t Graph::num_inputs() const { return static_cast<int64_t>(data_->inputs().size()); }
int64_t Graph::num_outputs() const { return static_cast<int64_t>(data_->num_results()); }
bool Graph::pure() const { return data_->pure(); }
uint64_t Graph::hash() const { return data_->hash(); }

static bool same_host(const GraphData& a, const GraphData& b) {
  return a.host() == b.host() || (a.host() && b.host() && a.host()->equal(*b.host()));
}

bool operator==(const Graph& x, const Graph& y) {
  const GraphData &a = x.data(), &b = y.data();
  if (&a == &b) return true;
  if (a.size() != b.size() || a.pure() != b.pure() || !std::ranges::equal(a.inputs(), b.inputs()) ||
      !std::ranges::equal(a.outputs(), b.outputs()) || !std::ranges::equal(a.writebacks(), b.writebacks()) ||
      !std::ranges::equal(a.regions(), b.regions()) || !same_host(a, b))
    return false;
  for (Value v = 0; v < a.size(); ++v)
    if (!same_node(a, b, v)) return false;
  return true;
}

}  // namespace jot::ir
