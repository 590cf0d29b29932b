// Ops with regions: each region is compiled to an engine of its own, or is the user's own code.
#include <algorithm>

#include "backends/cpu/routines/routine_parts.h"
#include "ir/host.h"

namespace jot::cpu {
namespace {

using ir::Key;

class Cond final : public Routine {
 public:
  void run_results(std::span<const void* const> operands, std::span<void* const> outs, std::byte*,
                   KernelError&) const override {
    auto last = static_cast<int64_t>(regions.size()) - 1;
    int64_t index = std::clamp<int64_t>(*static_cast<const int64_t*>(operands[0]), 0, last);
    regions[static_cast<size_t>(index)]->run(operands.subspan(1), outs);
  }
};

class HostCall final : public Routine {
 public:
  HostCall(const ir::Graph& region, Location location) : region_(region), location_(location) {}
  void run_results(std::span<const void* const> operands, std::span<void* const> outs, std::byte*,
                   KernelError&) const override {
    ir::call_host(region_, operands.subspan(1), outs.subspan(1), location_);
  }

 private:
  ir::Graph region_;
  Location location_;
};

}  // namespace

std::unique_ptr<const Routine> make_host_call(const RoutineContext& c) {
  return std::make_unique<HostCall>(c.g.attrs(c.v).region(Key::body), c.g.location(c.v));
}

std::unique_ptr<const Routine> make_cond(const RoutineContext& c) {
  auto r = std::make_unique<Cond>();
  ir::AttrView attrs = c.g.attrs(c.v);
  for (size_t i = 0; i < attrs.num_regions(Key::branches); ++i)
    r->regions.push_back(make_engine(attrs.region(Key::branches, i), {}));
  return r;
}

}  // namespace jot::cpu
