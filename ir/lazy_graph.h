// A graph that is made when it is asked for.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "jot/ir.h"

namespace jot {

// A handle: copies share the graph. Thread-safe.
class LazyGraph {
 public:
  LazyGraph(ir::Graph graph = {}) : state_(std::make_shared<State>()) {  // NOLINT: implicit by design
    std::call_once(state_->once, [&] { state_->graph = std::move(graph); });
  }
  explicit LazyGraph(std::function<ir::Graph()> make) : state_(std::make_shared<State>()) {
    state_->make = std::move(make);
  }
  const ir::Graph& get() const {
    std::call_once(state_->once, [this] { state_->graph = std::exchange(state_->make, nullptr)(); });
    return state_->graph;
  }

 private:
  struct State {
    std::once_flag once;
    std::function<ir::Graph()> make;
    ir::Graph graph;
  };
  std::shared_ptr<State> state_;
};

}  // namespace jot
