#include "backends/cpu/lower/lower_access.h"

#include <algorithm>

namespace jot::cpu {

using namespace ir;

uint32_t Arguments::product(const std::vector<Axis>& axes) {
  auto [it, fresh] = products_.try_emplace(axes, static_cast<uint32_t>(args_.size() + 1));
  if (fresh) args_.push_back({KernelArg::Kind::number, kNoValue, value_of(axes_, {1, axes})});
  return b_.arg(it->second);
}

uint32_t Arguments::pieces(const std::vector<Axis>& axes, int64_t length) {
  return add({KernelArg::Kind::number, kNoValue, (value_of(axes_, {1, axes}) + length - 1) / length});
}

uint32_t Arguments::scratch(const std::vector<Axis>& axes, int64_t bytes) {
  return add({KernelArg::Kind::scratch, kNoValue, value_of(axes_, {bytes, axes})});
}

uint32_t Arguments::scalar(const Stride& s) {
  return s.fixed() ? b_.iconst(s.factor) : b_.imuli(product(s.axes), s.factor);
}

// ---- accesses

Access::Access(const Clustering& c, Value v, uint32_t pointer, const Layout& layout, std::span<const Stride> by_axis,
               std::span<const Axis> axes, std::span<const Loop> loops, Arguments& args, KernelBuilder& b)
    : pointer_(pointer), size_(size_of(c.g.dtype(v))) {
  for (const Loop& loop : loops) {
    auto last = static_cast<size_t>(std::ranges::find(axes, loop.axes.back()) - axes.begin());
    loops_.push_back(make_step(0, by_axis[last], args));
    if (!by_axis[last].fixed()) continue;
    if (by_axis[last].factor > 1) b.iconst(by_axis[last].factor);  // before the loops
  }
  int64_t behind = 1;
  for (size_t d = layout.strides.size(); d-- > 0;) {
    int64_t extent = c.g.shape(v)[d];
    if (extent == 1 || c.axes.looped(c.axes.of(v)[d])) continue;
    dims_.push_back(make_step(extent, layout.strides[d], args));
    dense_ &= layout.strides[d] == Stride{behind, {}};
    behind *= extent;
  }
  std::ranges::reverse(dims_);
  elements_ = static_cast<uint32_t>(behind);
}

Access::Address Access::at(KernelBuilder& b, std::span<const Loop> loops, uint32_t element) const {
  uint32_t index = kNone;
  auto add = [&](uint32_t x) { index = index == kNone ? x : b.iadd(index, x); };
  for (size_t l = 0; l < loops.size(); ++l) {
    const Step& s = loops_[l];
    if (s.factor == 0 || loops[l].index == kNone) continue;
    add(s.step != kNone ? b.imul(loops[l].index, s.step) : b.imuli(loops[l].index, s.factor));
  }
  if (dense_) return {index, element * size_};
  int64_t fixed = 0, rest = element;
  for (size_t d = dims_.size(); d-- > 0;) {
    int64_t i = rest % dims_[d].extent;
    rest /= dims_[d].extent;
    if (i == 0) continue;
    if (dims_[d].step == kNone)
      fixed += i * dims_[d].factor;
    else
      add(b.imuli(dims_[d].step, i));
  }
  return {index, fixed * size_};
}

std::vector<Loop> join_loops(std::span<const Axis> loops, size_t split, std::span<const Axis> alone,
                             std::span<const std::vector<Stride>> accesses) {
  auto is_alone = [&](Axis a) { return std::ranges::find(alone, a) != alone.end(); };
  std::vector<Loop> joined;
  for (size_t i = 0; i < loops.size(); ++i) {
    bool joins = i > 0 && i != split && !is_alone(loops[i]) && !is_alone(loops[i - 1]);
    for (const std::vector<Stride>& s : accesses) {
      if (!joins) break;
      joins = s[i].factor == 0 ? s[i - 1].factor == 0 : s[i - 1] == times_axis(s[i], loops[i]);
    }
    if (joins)
      joined.back().axes.push_back(loops[i]);
    else
      joined.push_back({{loops[i]}});
  }
  return joined;
}

}  // namespace jot::cpu
