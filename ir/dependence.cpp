#include "ir/dependence.h"

namespace jot::ir {

std::vector<uint8_t> dependents(const GraphData& g, std::span<const uint8_t> flagged) {
  std::vector<uint8_t> depends(g.size(), 0);
  for (size_t i = 0; i < flagged.size(); ++i) depends[g.inputs()[i]] = flagged[i];
  for (Value v = 0; v < g.size(); ++v)
    for (Value o : g.operands(v)) depends[v] |= depends[o];
  return depends;
}

std::vector<uint8_t> dependents_from(const GraphData& g, size_t first) {
  std::vector<uint8_t> flagged(g.inputs().size(), 0);
  for (size_t i = first; i < flagged.size(); ++i) flagged[i] = 1;
  return dependents(g, flagged);
}

bool draws(const GraphData& g, Value v) {
  if (g.op(v) == Op::random_bits_op) return true;
  if (!has_regions(g.op(v))) return false;
  std::vector<const GraphData*> regions;
  for (size_t at : g.attrs(v).region_words())
    regions.push_back(&g.regions()[static_cast<size_t>(g.words(v)[at])].data());
  while (!regions.empty()) {
    const GraphData& region = *regions.back();
    regions.pop_back();
    for (Value u = 0; u < region.size(); ++u)
      if (region.op(u) == Op::random_bits_op) return true;
    for (const Graph& inner : region.regions()) regions.push_back(&inner.data());
  }
  return false;
}

}  // namespace jot::ir
