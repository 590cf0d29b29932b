#include "passes/pipeline.h"

#include "passes/dce.h"
#include "passes/dump.h"
#include "passes/functionalize.h"
#include "passes/scan_products.h"
#include "passes/simplify.h"

namespace jot::passes {

namespace {
constexpr Pass kPipeline[] = {
    {"functionalize", functionalize},  // writes and views -> values
    {"simplify", simplify},            // identities, constants, equal nodes
    {"scan_products", scan_products},  // products of all steps of a loop as one
    {"dce", dce},                      // dead nodes
};
}  // namespace

std::span<const Pass> optimization_pipeline() { return kPipeline; }

ir::Graph run_pass(const Pass& pass, const ir::Graph& g) {
  return hooked(pass.name, g, [&] { return pass.run(g); });
}

ir::Graph optimize(const ir::Graph& g) {
  return optimize(g, [](std::string_view, const ir::Graph&) {});
}

ir::Graph optimize(const ir::Graph& g, const PassObserver& observer) {
  ir::Graph result = g;
  for (const Pass& pass : optimization_pipeline()) {
    result = run_pass(pass, result);
    observer(pass.name, result);
  }
  return result;
}

}  // namespace jot::passes
