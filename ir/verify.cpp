#include <algorithm>

#include "ir/print.h"
#include "ir/rules.h"

namespace jot::ir {
namespace {

class Verifier {
 public:
  explicit Verifier(const GraphData& g) : g_(g), base_(g.size()), last_write_(g.size(), kNoValue) {}

  void run() {
    inputs();
    regions();
    for (Value v = 0; v < g_.size(); ++v) {
      operands(v);
      if (g_.op(v) == Op::result_op)
        result(v);
      else
        inference(v);
      effects(v);
    }
    if (g_.pure() != pure_)
      fail(std::string("the graph is marked ") + (pure_ ? "as having effects, but has none" : "pure, but has effects"));
    outputs();
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw IrError("[verify] @" + g_.name() + ": " + what); }
  [[noreturn]] void fail_at(Value v, const std::string& what) const {
    throw IrError("[verify] " + node_text(g_, v) + ": " + what + at(g_.location(v)));
  }

  void inputs() const {
    for (size_t i = 0; i < g_.inputs().size(); ++i)
      if (g_.inputs()[i] != i || g_.op(g_.inputs()[i]) != Op::param_op ||
          g_.attrs(i).integer(Key::index) != static_cast<int64_t>(i))
        fail("parameter " + std::to_string(i) + " is not node " + std::to_string(i));
  }

  void operands(Value v) const {
    for (Value o : g_.operands(v))
      if (o >= v) fail_at(v, "an operand does not precede its user");
    if (g_.op(v) == Op::param_op && v >= g_.inputs().size()) fail_at(v, "a parameter stands among the nodes");
  }

  // Regions are pure graphs without captures; their nodes are verified like others, as deep as regions are nested.
  void regions() const {
    for (const Graph& region : g_.regions()) {
      if (!region.pure() || !region.data().writebacks().empty())
        fail("region @" + region.data().name() + " has effects");
      Verifier(region.data()).run();
    }
  }

  // Further results stand right behind the first.
  void result(Value v) const {
    Value first = g_.operand(v, 0);
    if (g_.op(first) == Op::result_op || v - first >= g_.results(first))
      fail_at(v, value_name(g_, first) + " has " + std::to_string(g_.results(first)) + " result(s)");
  }

  // Types follow from operands and attributes: infer again and compare.
  void inference(Value v) {
    if (g_.op(v) == Op::param_op) return;
    types_.clear();
    for (Value o : g_.operands(v)) types_.push_back(&g_.type(o));
    try {
      infer_types({g_.op(v), types_, g_.attrs(v), Location()}, g_.in_place(v), inferred_);
    } catch (const InternalError&) {
      throw;
    } catch (const Error& e) {
      fail_at(v, e.what());
    }
    if (inferred_.size() != g_.results(v))
      fail_at(v, std::to_string(inferred_.size()) + " result(s) are inferred, not " + std::to_string(g_.results(v)));
    for (Value i = 0; i < inferred_.size(); ++i)
      if (inferred_[i] != g_.type(v + i)) fail_at(v + i, "its type is inferred as " + to_string(inferred_[i]));
  }

  // A version token belongs to the last write of the storage that is read.
  void effects(Value v) {
    base_[v] = is_view(g_.op(v)) && !g_.in_place(v) ? base_[g_.operand(v, 0)] : v;
    if (g_.in_place(v)) {
      pure_ = false;
      last_write_[base_[g_.operand(v, 0)]] = v;
    } else if (g_.op(v) == Op::read_op) {
      pure_ = false;
      Value base = base_[g_.operand(v, 0)], token = g_.operand(v, 1);
      if (base_[g_.operand(token, 0)] != base)
        fail_at(v, value_name(g_, token) + " is a version of another storage than that of " +
                       value_name(g_, g_.operand(v, 0)));
      if (last_write_[base] != token)
        fail_at(v, value_name(g_, token) + " is not the last version of the storage: expected " +
                       value_name(g_, last_write_[base]));
    }
  }

  void outputs() const {
    for (Value o : g_.outputs()) {
      if (o >= g_.size()) fail("an output is not a node");
      if (g_.type(o).token) fail("output " + value_name(g_, o) + " is a token, not a tensor");
    }
    std::span<const uint32_t> written = g_.writebacks();
    if (written.size() > g_.outputs().size()) fail("there are more writebacks than outputs");
    if (std::ranges::adjacent_find(written, std::greater_equal<>()) != written.end())
      fail("writebacks are not in ascending order");
    for (size_t i = 0; i < written.size(); ++i) {
      if (written[i] >= g_.inputs().size()) fail("a writeback names no parameter");
      Value input = g_.inputs()[written[i]], value = g_.outputs()[g_.num_results() + i];
      if (g_.type(input) != g_.type(value))
        fail("writeback of " + to_string(g_.type(value)) + " to " + value_name(g_, input) + ", which is " +
             to_string(g_.type(input)));
    }
  }

  const GraphData& g_;
  std::vector<Value> base_;        // of each value that shows a storage
  std::vector<Value> last_write_;  // of each base
  std::vector<const Type*> types_;
  std::vector<Type> inferred_;
  bool pure_ = true;
};

}  // namespace

void verify(const Graph& graph) { Verifier(graph.data()).run(); }

}  // namespace jot::ir
