// The random numbers that a trace draws. A draw is a function of a key and a place in the stream of that key; both are
// inputs of the graph, and places count in program order.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/record/binding.h"
#include "ir/graph.h"

namespace jot {

class Trace;

class Draws {
 public:
  explicit Draws(Trace& trace) : trace_(trace) {}

  ir::Value key();
  ir::Value offset();  // the place of the next draw
  void drew(int64_t draws);
  int64_t lanes() const;                    // how many of this trace and those around it draw for themselves
  int64_t total() const { return total_; }  // by this trace, in all lanes
  // Between these, draws are those of the stream that the present place of the stream names (fold_in); if there are
  // any, they take one place for each lane, however many they are.
  void enter_stream();
  void leave_stream();

  // Of a lazy trace: its thread's generator.
  Generator& generator() { return generator_; }
  void seed(const Generator& g);

  void start_graph();  // the trace's values are gone

 private:
  // A stream that was entered: its key, how much was drawn. Of a lazy trace: the generator in its place, the one
  // outside with the values that stand for it.
  struct Stream {
    ir::Value key = ir::kNoValue;
    int64_t draws = 0;
    Generator own{}, outside{};
    ir::Value outside_offset = ir::kNoValue;
    int64_t first_draw = 0;
  };
  ir::Value input(Binding::Kind kind, const Shape& shape);
  ir::Value base_key();
  ir::Value place(size_t depth);

  Trace& trace_;
  Generator generator_{};
  int64_t total_ = 0;
  ir::Value key_ = ir::kNoValue, offset_ = ir::kNoValue;
  int64_t first_draw_ = 0;  // of the generator, when offset_ was made
  std::vector<Stream> streams_;
};

}  // namespace jot
