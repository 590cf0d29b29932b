#include "backends/engine.h"

#include "backends/target.h"

namespace jot {

std::shared_ptr<const Engine> make_engine(const ir::Graph& optimised, std::span<const int32_t> replaces) {
  return target() == Target::reference ? reference::make_engine(optimised) : cpu::make_engine(optimised, replaces);
}

}  // namespace jot
