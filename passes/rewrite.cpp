#include "passes/rewrite.h"

#include "passes/inline.h"

namespace jot::passes {

using namespace ir;

Rewriter::Rewriter(Builder& to, const GraphData& from, RegionPass region_pass)
    : to_(to), from_(from), region_pass_(region_pass), map_(from.size(), kNoValue), regions_(from.regions().size()) {}

void Rewriter::take_params() { take(params_like(to_, from_)); }
void Rewriter::take(std::span<const Value> args) {
  for (size_t i = 0; i < args.size(); ++i) map_[from_.inputs()[i]] = args[i];
}

std::span<const Value> Rewriter::operands(Value v) {
  operands_.clear();
  for (Value o : from_.operands(v)) operands_.push_back(map_[o]);
  return operands_;
}

void Rewriter::copy(Value v, std::span<const Value> operands) {
  bool descends = region_pass_ && !from_.regions().empty() && has_regions(from_.op(v));
  Value first = descends ? emit_regions(v, operands) : to_.copy_node(from_, v, operands);
  map_[v] = first;
  for (Value i = from_.results(v); i-- > 1;) map_[v + i] = first + i;
}

Value Rewriter::emit_regions(Value v, std::span<const Value> operands) {
  AttrView attrs = from_.attrs(v);
  std::vector<int64_t> words(attrs.words().begin(), attrs.words().end());
  std::vector<Graph> table;
  for (size_t at : attrs.region_words()) {
    std::optional<Graph>& region = regions_[static_cast<size_t>(words[at])];
    const Graph& old = from_.regions()[static_cast<size_t>(words[at])];
    if (!region) region = old.data().host() ? old : region_pass_(old);
    words[at] = static_cast<int64_t>(table.size());
    table.push_back(*region);
  }
  to_.set_origin_of(from_, v);
  return to_.emit(from_.op(v), operands, AttrView(from_.op(v), words, table));
}

std::vector<Value> Rewriter::outputs() const {
  std::vector<Value> outputs;
  for (Value o : from_.outputs()) outputs.push_back(map_[o]);
  return outputs;
}

}  // namespace jot::passes
