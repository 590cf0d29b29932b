#include "backends/engine.h"

#include "backends/target.h"

namespace jot {

std::shared_ptr<const Engine> make_engine(const ir::Graph& optimised) {
  return target() == Target::reference ? reference::make_engine(optimised) : cpu::make_engine(optimised);
}

}  // namespace jot
