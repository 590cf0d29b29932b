// Clustering: which nodes run together in one kernel, which are routines, and in what order.
//
// The nodes of a cluster share one loop nest. Sources and movements of one operand belong to no cluster: whoever uses
// them makes their elements anew, from memory or from values of the same cluster. So do cheap values without loops.
// Linear in nodes: levels rise along every edge that a cluster cannot hold, nodes of one nest and level form a cluster.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "backends/cpu/cluster/axes.h"
#include "ir/graph.h"

namespace jot::cpu {

enum class Role : uint8_t {
  input,    // a parameter
  source,   // const, iota, identity: made where it is used
  view,     // movement of operand 0: made where it is used
  kernel,   // a member of a cluster
  routine,  // a step of its own, or a further result of one
};

enum class Reduction : uint8_t {
  none,     // not a reduction, or of unrolled axes only
  rows,     // of the inner loops: its result belongs to the outer ones, within the cluster
  full,     // of all loops: known when the cluster has run
  columns,  // of the outer loops: its result belongs to the inner ones, and is known when the cluster has run
};

inline bool ends_cluster(Reduction r) { return r == Reduction::full || r == Reduction::columns; }

struct Cluster {
  std::vector<ir::Value> members;  // those that are needed, ascending
  std::vector<ir::Value> inlined;  // values without loops that it computes for itself, ascending
  std::vector<Axis> loops;         // outermost first
  size_t outer = 0;                // the first so many loops surround the others; loops.size() if it does not split
  bool splits = false;             // has Reduction::rows or Reduction::columns
  // Of rows that lie across memory: the loop whose neighbours are rows of their own, side by side in lanes.
  Axis lanes = kNoAxis;
  bool across() const { return lanes != kNoAxis; }
};

// A step of the program: a cluster or the node of a routine.
struct Unit {
  bool is_cluster;
  uint32_t index;  // of the cluster, or the node
};

// Neighbouring units that run tile by tile: `lanes` items of a batch at a time, so that what one makes of them is in a
// cache when the next reads it. Routines on small matrices and the kernels around them (tiles.h).
struct TileGroup {
  uint32_t first = 0, count = 0;  // units
  int64_t items = 0, lanes = 0;
};

struct Clustering {
  explicit Clustering(const ir::GraphData& graph, std::span<const Tie> ties = {}, Ways ways = Ways::all)
      : g(graph), axes(graph, ties, ways) {}

  const ir::GraphData& g;
  Axes axes;
  std::vector<Role> role;
  std::vector<Reduction> reduction;
  std::vector<uint8_t> follows;   // views: elements come from the same loop indices of the operand
  std::vector<uint32_t> cluster;  // of each node with Role::kernel that is needed; kNone else
  std::vector<uint8_t> stored;    // the value is in memory (inputs are not marked)
  std::vector<uint8_t> points;    // a slice that is not copied, a routine: a pointer into what it is a slice of
  std::vector<Cluster> clusters;
  std::vector<Unit> units;             // in the order in which they run
  std::vector<TileGroup> tile_groups;  // in the order of their units
  std::vector<uint32_t> tile_group;    // of each value that lies in the memory of a tile alone, else kNoTiles; or empty
  bool sunk = true;                    // false: sinking nodes would have made a cycle

  // The node whose memory holds a view's elements unchanged (aliases: reshape, copy); the node itself otherwise.
  ir::Value storage(ir::Value v) const;
  // What a value's elements are read from, behind all views of it.
  ir::Value root(ir::Value v) const;
  // Null where it lies row-major.
  const TileGroup* tiles_of(ir::Value v) const {
    return tile_group.empty() || tile_group[v] == kNoTiles ? nullptr : &tile_groups[tile_group[v]];
  }
  static constexpr uint32_t kNoTiles = 0xffffffff;
};

// after_sinking, for tests: changes the levels of all nodes, then.
Clustering cluster(const ir::GraphData& g, std::span<const Tie> ties = {}, Ways ways = Ways::all,
                   void (*after_sinking)(std::span<uint32_t> levels) = nullptr);

// Whether all that reads operand i of a routine or gather is told its strides: it may be a view of what is in memory.
bool reads_strided(ir::Op op, size_t i);

// Whether a view's elements lie in strides wherever those of its operand do: a reshape only splits axes, and adds or
// drops such of extent 1.
bool is_strided(const ir::GraphData& g, ir::Value v);

// Whether a movement leaves the elements where they are in memory.
bool is_alias(const ir::GraphData& g, ir::Value v);
// Many elements, each by one index along a dim that a near cache holds. (Of what is far lanes have more reads under
// way.)
bool gathers_near(const ir::GraphData& g, ir::Value v);

// A readable listing: for dumps and tests.
std::string to_text(const Clustering& c);

}  // namespace jot::cpu
