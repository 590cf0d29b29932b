// Model-agnostic meta-learning (Finn, Abbeel, Levine 2017): parameters from which one step of descent on a few samples
// of a new task goes far. The gradient of the outer loss goes through the gradient of the inner one.
#pragma once
#include <jot/jot.h>

#include "ensemble.h"

namespace programs {
using namespace jot;

// A few samples to adapt to, and others to judge by: [shots, 1] each; of many tasks [tasks, shots, 1].
struct Task {
  Tensor x, y, x_test, y_test;
};
JOT_TREE(Task, x, y, x_test, y_test);

inline Tensor squared_error(const Mlp& net, const TensorDict& params, const Tensor& x, const Tensor& y) {
  return mean(square(functional_call(net, params, x) - y));
}

// The parameters after a step on a task.
inline TensorDict adapted(const Mlp& net, const TensorDict& params, const Task& task, double rate) {
  auto loss = [&](const TensorDict& p) { return squared_error(net, p, task.x, task.y); };
  TensorDict next = grad(loss)(params);
  for (auto& [name, g] : next) g = params.at(name) - rate * g;
  return next;
}

// The mean over the tasks of the loss after adaptation.
inline Tensor meta_loss(const Mlp& net, const TensorDict& params, const Task& tasks, double rate) {
  auto of_one = [&](const Task& task) {
    return squared_error(net, adapted(net, params, task, rate), task.x_test, task.y_test);
  };
  return mean(vmap(of_one)(tasks));
}

}  // namespace programs
