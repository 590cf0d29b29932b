// Recording. A Trace is an append-only graph under construction; a thread has a stack of them: at the bottom its lazy
// trace (operations outside any transform), above it one for each transform or jit whose function is running.
//
// A tensor is a handle on a storage; a storage is concrete (a buffer) or a value of a trace. Views of a tensor share its
// storage and remember how they were made; they are recorded when they are used. Writes are recorded in place and given
// meaning by passes/functionalize.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "backends/buffer.h"
#include "ir/builder.h"
#include "jot/tensor.h"

namespace jot {

class Trace;

// A number that takes part in arithmetic.
struct Number {
  DType dtype;  // i64, f64 or boolean: its C++ category
  double real = 0;
  int64_t integer = 0;
  friend bool operator==(const Number&, const Number&) = default;
};

namespace detail {

// What tensors that alias each other share.
struct Storage {
  ir::Type type;  // of the base
  Buffer buffer;  // contiguous contents; null while pending or symbolic
  // Set while the contents are a value of a trace: the base's value, and the version token of the last write to it.
  std::shared_ptr<Trace> trace;
  ir::Value base = ir::kNoValue;
  ir::Value version = ir::kNoValue;
  size_t pending_index = SIZE_MAX;  // position in trace's list of live pending storages

  explicit Storage(ir::Type t) : type(std::move(t)) {}
  ~Storage();
};

// How a view is made from its parent: a movement op with its attributes; dynamic_slice carries its starts.
struct ViewStep {
  ir::Op op;
  ir::Attrs attrs;
  std::vector<int64_t> starts;
};

struct TensorImpl {
  std::shared_ptr<Storage> storage;
  Shape shape;
  // Where the elements lie in the storage, in elements. Contiguous bases have offset 0 and row-major strides.
  int64_t offset = 0;
  std::vector<int64_t> strides;
  std::shared_ptr<TensorImpl> parent;  // null: the base itself
  ViewStep step{};
  // The last value recorded for this handle: its address in a trace, and what reading it gave at a version.
  uint64_t cached_trace = 0;
  ir::Value cached_address = ir::kNoValue;
  ir::Value cached_version = ir::kNoValue;
  ir::Value cached_read = ir::kNoValue;

  DType dtype() const { return storage->type.dtype; }
  bool contiguous() const;
};

}  // namespace detail

enum class TraceKind : uint8_t { lazy, derivative, vmap, functionalize, jit };

// What an input of a recorded graph stands for.
struct Binding {
  enum class Kind : uint8_t { argument, capture, literal, rng_key, rng_offset };
  Kind kind;
  size_t argument = 0;  // position among the arguments
  Tensor capture;       // the base of a captured storage: concrete, or of an enclosing trace
  Number number{};      // a literal passed at run time
};

struct TraceOptions {
  TraceKind kind = TraceKind::lazy;
  bool bake_literals = false;                             // under jit, trace and compile
  ir::RandomMode randomness = ir::RandomMode::different;  // of a vmap
  std::string scope;                                      // "grad", "vmap", ...
};

// What recording a function gave.
struct Recording {
  ir::Graph graph;                // with effects
  std::vector<Binding> bindings;  // one for each input of the graph
  int64_t random_blocks = 0;      // philox blocks drawn
};

}  // namespace jot
