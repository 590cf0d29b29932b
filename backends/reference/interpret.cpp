#include "backends/reference/interpret.h"

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "backends/buffer.h"
#include "ir/evaluate.h"
#include "passes/regions.h"

namespace jot::reference {
namespace {

using namespace ir;

class Interpreter {
 public:
  Interpreter(const GraphData& g, std::span<const void* const> inputs, std::span<void* const> outputs)
      : g_(g), outputs_(outputs), contents_(g.size(), nullptr), owned_(g.size()), last_user_(g.size(), kNoValue) {
    for (size_t i = 0; i < inputs.size(); ++i) contents_[g.inputs()[i]] = static_cast<const std::byte*>(inputs[i]);
    for (Value v = 0; v < g.size(); ++v)
      for (Value o : g.operands(v)) last_user_[o] = v;
  }

  // Keeps all values.
  void run_to(Value last) {
    place_outputs();
    for (Value v = 0; v <= last; ++v)
      if (g_.op(v) != Op::param_op && g_.op(v) != Op::result_op) evaluate(v);
  }
  const std::byte* contents(Value v) const { return contents_[v]; }

  void run() {
    place_outputs();
    for (Value v = 0; v < g_.size(); ++v) {
      if (g_.op(v) == Op::param_op) continue;
      if (g_.op(v) != Op::result_op) evaluate(v);
      for (Value o : g_.operands(v))
        if (last_user_[o] == v) owned_[o] = Buffer();
      if (last_user_[v] == kNoValue) owned_[v] = Buffer();
    }
    copy_repeated();
  }

 private:
  // A computed output is written where it belongs; one that is a parameter, or stands twice, is copied at the end.
  void place_outputs() {
    std::span<const Value> values = g_.outputs();
    for (size_t i = 0; i < outputs_.size(); ++i)
      if (contents_[values[i]] == nullptr && g_.op(values[i]) != Op::param_op)
        contents_[values[i]] = static_cast<const std::byte*>(outputs_[i]);
  }

  void evaluate(Value v) {
    operands_.clear();
    types_.clear();
    outs_.clear();
    for (Value o : g_.operands(v)) operands_.push_back({&g_.type(o), contents_[o]});
    for (Value r = v; r < v + g_.results(v); ++r) {
      const Type& type = g_.type(r);
      if (contents_[r] == nullptr) {
        owned_[r] = Buffer::allocate(bytes_of(type), size_of(type.dtype));
        contents_[r] = static_cast<const std::byte*>(owned_[r].data());
      }
      types_.push_back(&type);
      outs_.push_back(const_cast<std::byte*>(contents_[r]));
    }
    ir::evaluate(
        {g_.attrs(v), types_, operands_, outs_, g_.location(v), g_.call(v), interpret, &passes::region_passes()});
  }

  void copy_repeated() {
    std::span<const Value> values = g_.outputs();
    for (size_t i = 0; i < values.size(); ++i) {
      auto bytes = static_cast<size_t>(bytes_of(g_.type(values[i])));
      if (contents_[values[i]] != outputs_[i] && bytes != 0) std::memcpy(outputs_[i], contents_[values[i]], bytes);
    }
  }

  const GraphData& g_;
  std::span<void* const> outputs_;
  std::vector<const std::byte*> contents_;  // of each value
  std::vector<Buffer> owned_;               // of intermediate values
  std::vector<Value> last_user_;
  std::vector<Array> operands_;
  std::vector<const Type*> types_;
  std::vector<std::byte*> outs_;
};

}  // namespace

int64_t first_not_finite(const Type& type, const void* data) {
  if (type.token || !is_floating(type.dtype)) return -1;
  return visit_dtype(type.dtype, [&](auto zero) -> int64_t {
    using T = decltype(zero);
    if constexpr (is_floating_element<T>) {
      const T* x = static_cast<const T*>(data);
      for (int64_t i = 0, n = type.shape.numel(); i < n; ++i)
        if (!std::isfinite(static_cast<double>(x[i]))) return i;
    }
    return -1;
  });
}

namespace {

// "element [1,2] of f32[3,4]"
std::string element_text(const Type& type, int64_t element) {
  Shape index = type.shape;
  for (size_t d = index.size(); d-- > 0;) {
    index[d] = element % type.shape[d];
    element /= type.shape[d];
  }
  return "element " + to_string(index) + " of " + to_string(type);
}

std::string number_text(const Type& type, const std::byte* data, int64_t element) {
  return visit_dtype(type.dtype, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (!is_floating_element<T>) return std::string();
    T x;
    std::memcpy(&x, data + element * static_cast<int64_t>(sizeof x), sizeof x);
    const auto number = static_cast<double>(x);
    return std::string(std::isnan(number) ? "NaN" : number > 0 ? "infinity" : "-infinity");
  });
}

}  // namespace

void check_finite(const Graph& graph, std::span<const void* const> inputs, Value v) {
  const GraphData& g = graph.data();
  Interpreter values(g, inputs, {});
  values.run_to(v);
  const auto bad = [&](Value x) { return first_not_finite(g.type(x), values.contents(x)); };
  if (bad(v) < 0)
    throw Error("[" + std::string(name_of(g.op(v))) + "] JOT_CHECK=nan: made a NaN or an infinity in " +
                to_string(g.type(v)) + " where the interpreter makes none" + at(g.location(v)));
  for (bool deeper = true; deeper;) {
    deeper = false;
    for (Value o : g.operands(v))
      if (bad(o) >= 0) {
        v = o;
        deeper = true;
        break;
      }
  }
  const Value op = g.op(v) == Op::result_op ? g.operand(v, 0) : v;
  if (g.op(op) == Op::param_op || g.operands(op).empty()) return;
  const int64_t element = bad(v);
  std::string operands;
  for (Value o : g.operands(op))
    if (g.shape(o) == g.shape(v) && is_floating(g.dtype(o)))
      visit_dtype(g.dtype(o), [&](auto zero) {
        using T = decltype(zero);
        if constexpr (is_floating_element<T>) {
          T x;
          std::memcpy(&x, values.contents(o) + element * static_cast<int64_t>(sizeof x), sizeof x);
          operands += (operands.empty() ? " of " : ", ") + std::to_string(static_cast<double>(x));
        }
      });
  throw Error("[" + std::string(name_of(g.op(op))) + "] JOT_CHECK=nan: made " +
              number_text(g.type(v), values.contents(v), element) + operands + ", " + element_text(g.type(v), element) +
              at(g.location(op)));
}

void interpret(const Graph& graph, std::span<const void* const> inputs, std::span<void* const> outputs) {
  const GraphData& g = graph.data();
  if (!g.pure()) throw IrError("[interpret] the graph has effects; run functionalize first");
  if (inputs.size() != g.inputs().size() || outputs.size() != g.outputs().size())
    throw IrError("[interpret] expected " + std::to_string(g.inputs().size()) + " inputs and " +
                  std::to_string(g.outputs().size()) + " outputs, got " + std::to_string(inputs.size()) + " and " +
                  std::to_string(outputs.size()));
  Interpreter(g, inputs, outputs).run();
}

}  // namespace jot::reference
