// The elements of values in memory, from within a loop nest.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "backends/cpu/cluster/layout.h"
#include "backends/cpu/kernel/kernel_builder.h"
#include "backends/cpu/lower/lower.h"

namespace jot::cpu {

// A loop of a kernel: one axis or neighbours that run as one.
struct Loop {
  std::vector<Axis> axes;  // outermost first
  uint32_t index = kNone;  // kernel value, while it is open
};

// The argument table of a kernel being built.
class Arguments {
 public:
  Arguments(const Axes& axes, KernelBuilder& b) : axes_(axes), b_(b) {}
  uint32_t memory(ir::Value storage, int64_t bytes, bool sliced = false) {
    return add({KernelArg::Kind::memory, storage, bytes, sliced});
  }
  uint32_t number(int64_t n) { return add({KernelArg::Kind::number, ir::kNoValue, n}); }
  uint32_t buffer(KernelArg::Kind kind, size_t i) { return add({kind, static_cast<ir::Value>(i), 0}); }
  uint32_t scratch(const std::vector<Axis>& axes, int64_t bytes);  // for all indices of axes, `bytes` each
  uint32_t partial(ir::Value v) { return add({KernelArg::Kind::partial, v, 0}); }
  uint32_t product(const std::vector<Axis>& axes);                 // of their extents
  uint32_t pieces(const std::vector<Axis>& axes, int64_t length);  // of `length` that the product consists of
  uint32_t scalar(const Stride& s);
  size_t size() const { return args_.size(); }
  std::vector<KernelArg> take() { return std::move(args_); }

 private:
  uint32_t add(const KernelArg& arg) {
    args_.push_back(arg);
    return b_.arg(static_cast<int64_t>(args_.size()));
  }
  const Axes& axes_;
  KernelBuilder& b_;
  std::vector<KernelArg> args_;
  std::map<std::vector<Axis>, uint32_t> products_;  // positions in the table
};

// A value's memory, from within the loops of a kernel.
class Access {
 public:
  // pointer: of the layout's first element. by_axis: steps along `axes`, of which the loops consist.
  Access(const Clustering& c, ir::Value v, uint32_t pointer, const Layout& layout, std::span<const Stride> by_axis,
         std::span<const Axis> axes, std::span<const Loop> loops, Arguments& args, KernelBuilder& b);

  struct Address {
    uint32_t index;  // kernel value or kNone
    int64_t bytes;
  };
  // Of an element at the indices of the open loops.
  Address at(KernelBuilder& b, std::span<const Loop> loops, uint32_t element) const;

  uint32_t pointer() const { return pointer_; }
  bool moves(size_t loop) const { return loops_[loop].factor != 0; }
  bool unit(size_t loop) const { return loops_[loop].factor == 1 && loops_[loop].step == kNone; }
  uint32_t step(size_t loop, KernelBuilder& b) const {
    return loops_[loop].step == kNone ? b.iconst(loops_[loop].factor) : loops_[loop].step;
  }
  bool dense() const { return dense_; }  // element j lies j elements behind element 0
  // And the next iteration's lie behind them.
  bool packed(size_t loop) const { return dense_ && loops_[loop].factor == elements_ && loops_[loop].step == kNone; }
  uint32_t elements() const { return elements_; }

  uint32_t slots = 0;  // first slot of its loaded elements
  // Memory of the thread where the elements of all lanes are put, in the order in which they lie, before they are read.
  uint32_t tile = kNone;
  bool in_tile = false;  // they are there

 private:
  struct Step {
    int64_t extent, factor;
    uint32_t step;  // kernel value; kNone: factor
  };
  Step make_step(int64_t extent, const Stride& s, Arguments& args) const {
    return {extent, s.factor, s.fixed() ? kNone : args.scalar(s)};
  }
  uint32_t pointer_;
  int64_t size_;
  uint32_t elements_ = 1;
  bool dense_ = true;
  std::vector<Step> loops_, dims_;  // by loop; the unrolled dims
};

// Joins neighbouring loops that every access crosses in one stride. Loops before `split` stay apart from the others;
// so do those over axes in `alone`, whose index itself is used. Each access has a step for each loop.
std::vector<Loop> join_loops(std::span<const Axis> loops, size_t split, std::span<const Axis> alone,
                             std::span<const std::vector<Stride>> accesses);

}  // namespace jot::cpu
