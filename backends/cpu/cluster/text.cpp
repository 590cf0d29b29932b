#include <string>

#include "backends/cpu/cluster/cluster.h"

namespace jot::cpu {

using namespace ir;

std::string to_text(const Clustering& c) {
  const GraphData& g = c.g;
  auto name = [&](Value v) { return "%" + std::to_string(v) + " " + std::string(name_of(g.op(v))); };
  std::string text;
  for (const Unit& u : c.units) {
    if (!u.is_cluster) {
      text += "routine " + name(u.index) + "\n";
      continue;
    }
    const Cluster& cluster = c.clusters[u.index];
    text += "kernel";
    for (size_t i = 0; i < cluster.loops.size(); ++i)
      text +=
          (i == cluster.outer ? " | " : " ") + std::string("loop ") + std::to_string(c.axes.extent(cluster.loops[i]));
    text += "\n";
    for (Value v : cluster.members)
      text += "  " + name(v) + to_string(g.shape(v)) + (c.stored[v] ? " stored" : "") + "\n";
  }
  return text;
}

}  // namespace jot::cpu
