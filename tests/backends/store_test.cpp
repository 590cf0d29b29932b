// What the CPU backend stores of a compiled graph does what it did.
#include <doctest/doctest.h>

#include <cstring>

#include "backends/cpu/executable.h"
#include "backends/cpu/routines/routines.h"
#include "backends/target.h"
#include "ir/bytes.h"
#include "ir/digest.h"
#include "passes/pipeline.h"
#include "tests/backends/run.h"
#include "tests/ops/rows.h"

using namespace jot;
using namespace jot::test;

namespace {

std::vector<std::byte> stored(const Engine& engine) {
  ByteWriter out;
  engine.store(out);
  return out.bytes();
}

}  // namespace

TEST_CASE("store: every op row is loaded as it was, to the bit") {
  std::mt19937 random(1);
  for (const Row& row : op_rows())
    for (DType d : {f64, f32}) {
      CAPTURE(title(row));
      const ir::Graph graph = passes::optimize(graph_of(row, d));
      if (calls_host(graph)) continue;
      const auto made = make_engine(graph);
      const std::vector<std::byte> bytes = stored(*made);
      const std::string text = to_text(made->graph());
      REQUIRE(to_text(ir::parse(text)) == text);
      REQUIRE(to_text(graph_of_engine(graph)) == text);
      const auto loaded = load_engine(LazyGraph([&] { return ir::parse(text); }), bytes);
      REQUIRE(stored(*loaded) == bytes);
      const std::vector<HostTensor> inputs = inputs_of(row, random, d);
      REQUIRE(run_on(*loaded, graph, inputs) == run_on(*made, graph, inputs));
      const ExecutableStats before = made->stats(), after = loaded->stats();
      REQUIRE(after.kernels == before.kernels);
      REQUIRE(after.routines == before.routines);
      REQUIRE(after.arena_bytes == before.arena_bytes);
      REQUIRE(after.libraries == before.libraries);
      REQUIRE(after.kernels_compiled == 0);
      REQUIRE(after.loaded == (target() != Target::reference));
      // What a loaded graph is compiled to anew, elsewhere.
      REQUIRE(run_on(*make_engine(ir::parse(text)), graph, inputs) == run_on(*made, graph, inputs));
    }
}

TEST_CASE("store: bytes that end early are refused") {
  if (target() == Target::reference) return;  // it stores none
  std::mt19937 random(2);
  for (size_t i = 0; i < op_rows().size(); i += 7) {
    const Row& row = op_rows()[i];
    CAPTURE(title(row));
    const auto made = make_engine(passes::optimize(graph_of(row)));
    std::vector<std::byte> bytes = stored(*made);
    bytes.resize(random() % bytes.size());
    CHECK_THROWS_AS(load_engine(LazyGraph(made->graph()), bytes), CacheError);
  }
}

TEST_CASE("store: kernels are packed, and unpacked as they were") {
  std::mt19937 random(3);
  size_t kernels = 0, whole = 0, packed_bytes = 0;
  for (const Row& row : op_rows()) {
    CAPTURE(title(row));
    const ir::Graph graph = passes::optimize(graph_of(row));
    if (calls_host(graph)) continue;
    for (const int vector_bytes : {64, 0})
      for (const cpu::Step& s : cpu::compile(graph, {.vector_bytes = vector_bytes, .stream = 0}).program.steps) {
        auto* k = std::get_if<cpu::KernelStep>(&s.what);
        if (!k) continue;
        ++kernels;
        cpu::Kernel kernel = *k->kernel;
        const std::vector<std::byte> packed = cpu::pack(kernel);
        kernel.origins.clear(), kernel.further_origins.clear();
        REQUIRE(cpu::unpack(packed) == kernel);
        REQUIRE(cpu::unpack(packed).hash() == kernel.hash());
        whole += kernel.instrs.size() * sizeof(cpu::KInstr);
        packed_bytes += packed.size();
        const std::vector<std::byte> cut(packed.begin(),
                                         packed.begin() + static_cast<int64_t>(random() % packed.size()));
        REQUIRE_THROWS_AS(cpu::unpack(cut), CacheError);
        std::vector<std::byte> longer = packed;
        longer.push_back(std::byte{0});
        REQUIRE_THROWS_AS(cpu::unpack(longer), CacheError);
      }
  }
  CHECK(kernels > 500);
  CHECK(packed_bytes * 3 < whole);
}

// As a library of another version might.
TEST_CASE("store: a routine that needs another scratch than was planned for is refused") {
  if (target() == Target::reference) return;  // it stores none
  int refused = 0;
  for (const Row& row : op_rows()) {
    if (row.op != ir::Op::qr_op && row.op != ir::Op::lu_op) continue;
    CAPTURE(title(row));
    const ir::Graph graph = graph_of_engine(passes::optimize(graph_of(row)));
    int64_t planned = 0;
    for (ir::Value v = 0; v < graph.data().size(); ++v)
      if (graph.data().op(v) == row.op) planned = cpu::make_routine(graph.data(), v, 0)->scratch_bytes;
    if (planned == 0) continue;
    const std::vector<std::byte> bytes = stored(*make_engine(graph));
    for (size_t at = 0; at + sizeof planned <= bytes.size(); ++at) {
      if (std::memcmp(&bytes[at], &planned, sizeof planned) != 0) continue;
      std::vector<std::byte> changed = bytes;
      const int64_t other = planned + 64;
      std::memcpy(&changed[at], &other, sizeof other);
      try {
        load_engine(LazyGraph(ir::Graph(graph)), changed);
      } catch (const CacheError& e) {
        // Elsewhere the number means something else.
        refused += std::string(e.what()) == "[load] a routine of " + std::string(ir::name_of(row.op)) + " wants " +
                                                std::to_string(planned) + " bytes of scratch, and was planned with " +
                                                std::to_string(other);
      }
    }
  }
  CHECK(refused > 0);
}
