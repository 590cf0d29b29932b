#include "backends/engine.h"

#include <string>

#include "backends/cpu/executable.h"
#include "backends/cpu/runtime/caches.h"
#include "backends/cpu/runtime/kernel_code.h"
#include "backends/cpu/runtime/pool.h"
#include "backends/cpu/store.h"
#include "backends/target.h"
#include "ir/digest.h"
#include "passes/dump.h"

namespace jot {

std::string engine_stamp() {
  return std::string(kSourcesDigest) + " " + std::string(to_string(target())) + " " +
         std::to_string(cpu::num_threads()) + " " + std::to_string(cpu::stream_threshold());
}

namespace cpu {

namespace {
CompileOptions options_of(std::span<const int32_t> replaces) {
  CompileOptions options;
  options.vector_bytes = target() == Target::avx512 ? 64 : 32;
  options.code = kernel_code;
  options.replaces = replaces;
  options.stream = stream_threshold();
  return options;
}
}  // namespace

std::string program_listing(const ir::Graph& optimised) { return compile(optimised, options_of({}), true).listing; }

std::shared_ptr<const Engine> make_engine(const ir::Graph& optimised, std::span<const int32_t> replaces) {
  Compiled compiled = compile(optimised, options_of(replaces), dumping());
  if (dumping()) dump_text("program.txt", compiled.listing);
  auto engine = make_executable(std::move(compiled));
  if (dumping()) dump_text("assembly.s", engine->disassembly());
  return engine;
}

std::shared_ptr<const Engine> load_engine(const LazyGraph& graph, std::span<const std::byte> stored) {
  ByteReader in(stored);
  Compiled compiled = load(graph, in);
  if (!in.done()) ByteReader::fail();
  return make_executable(std::move(compiled));
}

}  // namespace cpu
}  // namespace jot
