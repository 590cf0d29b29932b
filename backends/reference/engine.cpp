#include "backends/engine.h"

#include "backends/reference/interpret.h"
#include "ir/env.h"
#include "ir/graph.h"

namespace jot::reference {
namespace {

class Interpreted : public Engine {
 public:
  explicit Interpreted(const ir::Graph& graph) : graph_(graph) {}
  void run(std::span<const void* const> inputs, std::span<void* const> outputs) const override {
    interpret(graph_, inputs, outputs);
    if (!env().check_nan) return;
    const ir::GraphData& g = graph_.data();
    for (size_t i = 0; i < outputs.size(); ++i)
      if (ir::Value v = g.outputs()[i]; first_not_finite(g.type(v), outputs[i]) >= 0) check_finite(graph_, inputs, v);
  }
  const ir::Graph& graph() const override { return graph_; }
  ExecutableStats stats() const override { return {}; }
  std::string disassembly() const override { return "; interpreted: no machine code\n" + to_text(graph_); }

 private:
  ir::Graph graph_;
};

}  // namespace

std::shared_ptr<const Engine> make_engine(const ir::Graph& optimised) {
  return std::make_shared<const Interpreted>(optimised);
}

}  // namespace jot::reference
