// What a movement op does to indices, described once: a rule of the op gives its map, from which follow its reference
// evaluation, what becomes of structural zeros, which axes run together, strides of views, routines that copy, and maps
// of unrolled elements.
//
// The vocabulary is closed:
//   regroup   the elements keep their row-major order (reshape, copy): no map is needed
//   view      each element of the result is one of operand 0: one piece covers the result
//   assembled pieces, each of an operand, that do not overlap; the rest is filled
// A piece is a box of points. Each run of the box goes along a dim of the operand (or repeats what is there), and along
// a dim of the result, from a start in steps; or there along two dims at once, a diagonal. An index of a dim is the sum
// of what the runs along it say; a dim without a run has index 0. Each dim of the result has exactly one run in a
// piece; the runs of a view stand in the order of those dims.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ir/graph.h"
#include "jot/small_array.h"

namespace jot::ir {

inline constexpr uint32_t kNoDim = 0xffffffff;

struct Along {
  uint32_t dim = kNoDim;  // none: the operand's elements are repeated
  int64_t start = 0, step = 1;
  uint32_t also = kNoDim;  // of the result: a second dim with the same start and step
};
struct Run {
  int64_t extent;
  Along from, to;
};
struct Piece {
  uint32_t operand;
  uint32_t begin, end;  // its runs
};

enum class Moves : uint8_t { nothing_known, regroup, view, assembled };
enum class Fill : uint8_t { none, zero, operand1 };  // zero: structural

class Movement {
 public:
  Moves moves = Moves::nothing_known;
  Fill fill = Fill::none;

  std::span<const Piece> pieces() const { return pieces_.span(); }
  std::span<const Run> runs(const Piece& p) const { return {runs_.data() + p.begin, p.end - p.begin}; }
  std::span<const Run> runs() const { return runs_.span(); }  // of a view

  // ---- for the rules: begins a piece; adds a run to it.
  void begin(size_t operand);
  void add(const Run& run);
  void keep(size_t from, size_t to, int64_t extent);  // in whole
  void clear();

 private:
  detail::SmallArray<Piece, 4> pieces_;
  detail::SmallArray<Run, 8> runs_;
};

struct MoveContext {
  AttrView attrs;
  std::span<const Shape* const> operands;
  const Shape& result;
};
// Moves is known without the map; `map` is null for regroup.
struct MovementRule {
  Moves moves = Moves::nothing_known;
  void (*map)(const MoveContext&, Movement&) = nullptr;
  explicit operator bool() const { return moves != Moves::nothing_known; }
};

// How an op moves elements; nothing_known: it is no movement, or data tell where (dynamic_slice).
Moves moves(Op op);
// Each element of the result is one of operand 0, at a place known from the attributes.
bool moves_one(Op op);

// Maps of a graph's nodes, one at a time: valid until the next is asked for. Linear in runs; few of them need no
// memory.
class MovementReader {
 public:
  const Movement& operator()(const GraphData& g, Value v);
  const Movement& operator()(const MoveContext& c);

 private:
  const GraphData* graph_ = nullptr;
  Value last_ = kNoValue;
  std::vector<const Shape*> operands_;
  Movement movement_;
};

// Whether the run takes all of a dim of the operand to all of a dim of the result: they run together.
bool is_whole(const Run& run, const Shape& operand, const Shape& result);

// A piece over memory: where its first point stands in both, and the extent and both steps of each run.
struct Located {
  struct Step {
    int64_t extent, from, to;
  };
  int64_t from = 0, to = 0;
  std::vector<Step> steps;
};
Located located(std::span<const Run> runs, Ints from_steps, Ints to_steps);

// Steps of the dims of a dense row-major array.
Shape row_major_steps(const Shape& shape);

// Calls f(from, to) for each point.
template <class F>
void for_each_point(const Located& at, F f) {
  int64_t n = 1, from = at.from, to = at.to;
  for (const Located::Step& s : at.steps) n *= s.extent;
  std::vector<int64_t> index(at.steps.size(), 0);
  for (; n > 0; --n) {
    f(from, to);
    for (size_t k = index.size(); k-- > 0;) {
      const Located::Step& s = at.steps[k];
      from += s.from;
      to += s.to;
      if (++index[k] < s.extent) break;
      from -= s.extent * s.from;
      to -= s.extent * s.to;
      index[k] = 0;
    }
  }
}

// Pairs of dim ranges of a reshape with equal products, as fine as possible; dims of extent 1 are left out of the
// comparison but belong to some group. Equal shapes: dim by dim.
struct ReshapeGroup {
  size_t from_begin, from_end, to_begin, to_end;
  bool single() const { return from_end - from_begin == 1 && to_end - to_begin == 1; }
};
std::vector<ReshapeGroup> reshape_groups(const Shape& from, const Shape& to);

}  // namespace jot::ir
