#include "backends/cpu/ship/self_contained.h"

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include "backends/cpu/cluster/prepare.h"
#include "backends/cpu/cluster/widen.h"
#include "backends/cpu/kernel/math.h"
#include "backends/cpu/ops/cpu_ops.h"
#include "backends/cpu/ship/in_kernels.h"
#include "ir/movement.h"
#include "ir/ops/regions.h"
#include "jot/error.h"
#include "passes/inline_bodies.h"
#include "passes/pipeline.h"

namespace jot::cpu {

using namespace ir;

namespace {

Graph graph_in_kernels(const Graph& optimised) {
  return prepare(widen(in_kernels(widen(passes::inline_bodies(optimised)))), Ways::kernels);
}

// Why ops have no kernel: the table of routines.
std::string_view why_routine(Op op) {
#define ROUTINE(name, maker, file, why) \
  if (op == Op::name##_op) return why;
#include "backends/cpu/routines/routines.def"
#undef ROUTINE
  return "it has no kernel";
}

// What an op needs that shipped code has not, and what to do about it.
std::string needs(const GraphData& g, Value v) {
  const Op op = g.op(v);
  const AttrView a = g.attrs(v);
  auto routine = [&] { return "it runs as a routine of the library (" + std::string(why_routine(op)) + ")"; };
  switch (op) {
    case Op::dot_op:
      return "a product of this size calls a library; products of which an extent is at most " +
             std::to_string(kProduct) + " are kernels";
    case Op::cholesky_op:
    case Op::lu_op:
    case Op::triangular_solve_op:
      return "matrices of more than " + std::to_string(unrolled_matrix(Ways::kernels)) +
             " rows or columns call a library; smaller ones are kernels";
    case Op::qr_op:
    case Op::eigh_op:
    case Op::svd_op:
      return "it calls a library; solve with lu or cholesky instead, whose small matrices are kernels";
    case Op::conv_op:
      return "it calls a library, or an own product; write it as products of slices";
    case Op::random_bits_op:
    case Op::fold_in_op:
      return routine() + "; pass random numbers as an argument";
    case Op::scatter_add_op:
    case Op::scatter_mul_op:
    case Op::scatter_max_op:
    case Op::scatter_min_op:
    case Op::scatter_set_op:
      return routine() + "; scatters of whole slices are kernels where updates times elements are few";
    case Op::gather_op:
      return routine() + "; windows that wrap around have no kernel: take single elements";
    case Op::cond_op:
      return "a branch can fail, loop or call the host, so that not both can be computed; use where";
    case Op::scan_op:
      return "its step is more than one kernel";
    case Op::while_op:
      if (a.num_regions(Key::stages) > 1)
        return "its derivative keeps the states of a number of steps that is not known; give the loop .max_steps";
      return "its step is more than one kernel";
    case Op::host_call_op:
      return "it calls the host's code";
    default:
      return routine();
  }
}

class Refusals {
 public:
  explicit Refusals(std::string_view api) : api_(api) {}
  void add(const GraphData& g, Value v, const std::string& why) {
    ++count_;
    constexpr int kMost = 20;
    if (count_ > kMost) return;
    text_ += "\n  " + std::string(name_of(g.op(v)));
    if (const std::string& function = g.call(v).function; !function.empty()) text_ += " of " + function;
    if (const Location at = g.location(v); *at.file)
      text_ += " (" + std::string(at.file) + ":" + std::to_string(at.line) + ")";
    text_ += ": " + why;
  }
  void raise() const {
    if (count_ == 0) return;
    throw Error("[" + api_ + "] the function needs more than kernels: " + std::to_string(count_) +
                (count_ == 1 ? " op is" : " ops are") + " not self-contained" + text_);
  }

 private:
  std::string api_, text_;
  int count_ = 0;
};

bool is_loop(Op op) { return op == Op::scan_op || op == Op::while_op; }

// Functions that are called for one element after the other.
void refuse_elements(const GraphData& g, Value v, Refusals& refusals) {
  if (const auto& f = cpu_op(g.op(v)).function; f && !f->expand)
    refusals.add(g, v, "it runs as the library's own code, element by element");
}

std::optional<KernelLoop> kernel_loop(const GraphData& g, Value v, int vector_bytes, bool origins) {
  const AttrView a = g.attrs(v);
  LoopPlan plan;
  plan.consts = static_cast<size_t>(a.integer(Key::consts));
  int64_t steps;
  Graph step;
  if (g.op(v) == Op::scan_op) {
    plan.carries = static_cast<size_t>(a.integer(Key::carries));
    plan.reverse = a.integer(Key::reverse) != 0;
    steps = a.integer(Key::length);
    step = a.region(Key::body);
  } else {
    if (a.num_regions(Key::stages) != 1) return {};
    const auto about = any_of_input(a.region(Key::condition));
    if (!about || *about < plan.consts) return {};
    plan.carries = static_cast<size_t>(a.ints(Key::states)[0]);
    plan.condition = *about - plan.consts;
    steps = a.integer(Key::max_steps) >= 0 ? a.integer(Key::max_steps) : INT64_MAX;
    step = a.region(Key::stages, 0);
  }
  const Graph graph = graph_in_kernels(passes::optimize(step));
  std::optional<LoweredLoop> lowered = lower_loop(graph.data(), plan, steps, vector_bytes, Ways::kernels, origins);
  if (!lowered) return {};
  return KernelLoop{graph, std::move(*lowered)};
}

}  // namespace

SelfContained self_contained(const Graph& optimised, int vector_bytes, std::string_view api, bool origins) {
  SelfContained s;
  s.graph = graph_in_kernels(optimised);
  auto routines = [&] {
    s.clustering = std::make_unique<Clustering>(cluster(s.graph.data(), {}, Ways::kernels));
    std::vector<Value> all;
    for (const Unit& u : s.clustering->units)
      if (!u.is_cluster) all.push_back(u.index);
    return all;
  };
  std::vector<Value> left = routines();
  constexpr int kTurns = 3;  // what is set apart may need others to be
  for (int turn = 0; turn < kTurns; ++turn) {
    std::vector<uint8_t> apart(s.graph.data().size(), 0);
    bool any = false;
    for (Value v : left) any |= (apart[v] = can_set_apart(s.graph.data(), v)) != 0;
    if (!any) break;
    s.graph = set_apart(s.graph, std::move(apart));
    left = routines();
  }
  const GraphData& g = s.graph.data();
  Refusals refusals(api);
  for (Value v : left) {
    std::optional<KernelLoop> loop = is_loop(g.op(v)) ? kernel_loop(g, v, vector_bytes, origins) : std::nullopt;
    if (!loop) {
      refusals.add(g, v, needs(g, v));
      continue;
    }
    const GraphData& step = loop->step.data();
    for (Value w = 0; w < step.size(); ++w) refuse_elements(step, w, refusals);
    s.loops.emplace(v, std::move(*loop));
  }
  std::set<Value> computed;
  for (const Cluster& cluster : s.clustering->clusters) {
    computed.insert(cluster.members.begin(), cluster.members.end());
    computed.insert(cluster.inlined.begin(), cluster.inlined.end());
  }
  for (Value v : computed) refuse_elements(g, v, refusals);
  refusals.raise();
  return s;
}

}  // namespace jot::cpu
