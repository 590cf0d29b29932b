#include "passes/dependence.h"

namespace jot::passes {

using namespace ir;

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

}  // namespace jot::passes
