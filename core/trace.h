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
#include <unordered_map>
#include <variant>
#include <vector>

#include "backends/buffer.h"
#include "ir/builder.h"
#include "jot/detail.h"
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

// What tensors that alias each other share. `owner` is 0 while the contents are the buffer; else the id of the trace whose
// value they are. Another thread than the trace's must not touch the other members while owner is not 0, but through
// hand_over() (core/recorder.h).
struct Storage {
  ir::Type type;  // of the base
  Buffer buffer;  // contiguous contents
  std::atomic<uint64_t> owner{0};
  std::shared_ptr<Trace> trace;
  ir::Value base = ir::kNoValue;     // the base's value
  ir::Value version = ir::kNoValue;  // token of the last write to it
  size_t live_index = 0;             // position in the trace's list of live storages
  std::string failure;               // why evaluation failed, if it did

  explicit Storage(ir::Type t) : type(std::move(t)) {}
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
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
  // Where the elements lie in the storage, in elements. A base has offset 0 and row-major strides.
  int64_t offset = 0;
  std::vector<int64_t> strides;
  std::shared_ptr<TensorImpl> parent;  // null: the base itself
  ViewStep step{};
  // Of a storage that a trace owns: this view's value there, and what reading it at a version gave.
  uint64_t cached_trace = 0;
  ir::Value cached_address = ir::kNoValue;
  ir::Value cached_version = ir::kNoValue;
  ir::Value cached_read = ir::kNoValue;

  DType dtype() const { return storage->type.dtype; }
  bool contiguous() const;  // row-major without gaps (from its offset on)
};

std::vector<int64_t> row_major(const Shape& shape);

// The trace that owns a storage, null if none: safe from any thread.
std::shared_ptr<Trace> trace_of(const Storage& storage);

}  // namespace detail

enum class TraceKind : uint8_t { lazy, derivative, vmap, functionalize, jit };

// What an input of a recorded graph stands for.
struct Binding {
  enum class Kind : uint8_t { argument, capture, literal, rng_key, rng_offset };
  Kind kind;
  size_t argument = 0;  // position among the arguments
  Tensor capture{};     // the base of a captured storage
  Buffer buffer{};      // lazy traces: its contents when it was captured
  Number number{};      // a literal passed at run time, and its dtype
  DType dtype = DType::f64;
};

struct TraceOptions {
  TraceKind kind = TraceKind::lazy;
  Randomness randomness = Randomness::different;  // of a vmap
  std::string scope{};                            // "grad", "vmap", ...
};

// One graph under construction. Lazy traces are locked while they are recorded to or flushed; the others belong to the
// thread whose function they record.
class Trace : public std::enable_shared_from_this<Trace> {
 public:
  explicit Trace(TraceOptions options, Trace* parent);

  uint64_t id() const { return id_; }
  const TraceOptions& options() const { return options_; }
  Trace* parent() const { return parent_; }
  bool bakes_literals() const { return bakes_literals_; }
  ir::Builder& builder() { return builder_; }
  std::recursive_mutex& mutex() { return mutex_; }

  ir::Value argument(const ir::Type& type);
  ir::Value literal(Number number, DType dtype);
  ir::Value rng_input(Binding::Kind kind);
  ir::Value constant_start(int64_t start);  // of a dynamic_slice

  // The value that shows t's elements: of a view, its address; read() gives the contents at the current version.
  ir::Value address(const detail::TensorImpl& t);
  ir::Value read(detail::TensorImpl& t);
  void wrote(const detail::TensorImpl& t, ir::Value version);

  // A new base tensor whose contents are v.
  Tensor adopt(ir::Value v);

  // Takes the graph and bindings out; the trace is empty then.
  struct Taken {
    ir::Graph graph;
    std::vector<Binding> bindings;
  };
  Taken take(std::span<const ir::Value> outputs);

  // Philox blocks drawn since the trace began.
  int64_t random_blocks = 0;
  // Storages whose contents are values of this trace, for flushing and forcing.
  std::vector<detail::Storage*> live;
  void drop(detail::Storage& storage);
  bool finished = false;
  size_t num_arguments = 0;
  std::vector<uint8_t> mapped;    // of a vmap: which arguments have lanes
  std::vector<Tensor> arguments;  // what the arguments stand for

  // Values whose contents a host read has forced.
  std::unordered_map<ir::Value, Tensor> forced;
  const std::vector<Binding>& bindings() const { return bindings_; }

 private:
  struct Captured {
    std::shared_ptr<detail::Storage> storage;
    Buffer buffer;
    ir::Value base, version;
  };
  bool reachable(const detail::Storage& storage) const;
  Captured& captured(const std::shared_ptr<detail::Storage>& storage);
  ir::Value base_of(const std::shared_ptr<detail::Storage>& storage);
  ir::Value version_of(const std::shared_ptr<detail::Storage>& storage);

  uint64_t id_;
  TraceOptions options_;
  Trace* parent_;
  bool bakes_literals_;
  ir::Builder builder_;
  std::vector<Binding> bindings_;
  std::unordered_map<const detail::Storage*, Captured> captures_;
  ir::Value rng_key_ = ir::kNoValue, rng_offset_ = ir::kNoValue;
  std::recursive_mutex mutex_;
};

// What recording a function gave.
struct Recording {
  ir::Graph graph;                // with effects; outputs: values, then aux
  std::vector<Binding> bindings;  // one for each input of the graph
  detail::Outputs outputs;        // the symbolic tensors; dead after the recording, their shapes and dtypes are not
  int64_t random_blocks = 0;
};

}  // namespace jot
