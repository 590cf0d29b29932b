#include "backends/engine.h"

#include <string>

#include "backends/cpu/executable.h"
#include "backends/cpu/runtime/kernel_code.h"
#include "backends/target.h"
#include "passes/dump.h"

namespace jot::cpu {

std::shared_ptr<const Engine> make_engine(const ir::Graph& optimised, std::span<const int32_t> replaces) {
  CompileOptions options;
  options.vector_bytes = target() == Target::avx512 ? 64 : 32;
  options.code = kernel_code;
  options.replaces = replaces;
  Compiled compiled = compile(optimised, options, dumping());
  if (dumping()) dump("program.txt", compiled.listing);
  auto engine = make_executable(std::move(compiled));
  if (dumping()) dump("assembly.s", engine->disassembly());
  return engine;
}

}  // namespace jot::cpu
