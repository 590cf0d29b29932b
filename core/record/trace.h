// A Trace is an append-only graph under construction. A thread has a stack of them: at the bottom its lazy trace
// (operations outside any transform), above it one for each transform or jit whose function is running.
//
// Writes are recorded in place and given meaning by passes/functionalize; views are recorded when they are used.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/record/binding.h"
#include "core/record/captured.h"
#include "core/record/draws.h"
#include "core/record/forced.h"
#include "core/record/owner_mutex.h"
#include "core/record/precedents.h"
#include "core/storage/storage.h"
#include "ir/builder.h"
#include "jot/detail.h"

namespace jot {

enum class TraceKind : uint8_t { lazy, derivative, vmap, functionalize, jit };

struct TraceOptions {
  TraceKind kind = TraceKind::lazy;
  Randomness randomness = Randomness::different;  // of a vmap
  int64_t lanes = 1;                              // of a vmap: the size of its batch
  std::string scope{};                            // "grad", "vmap", ...
  Location at{};                                  // of its call, where known
  bool row_major = false;                         // the arguments are, whatever the strides of the examples
  bool region = false;                            // of an op: it draws from the start of a stream of its own
  bool repeats = false;                           // what is recorded once runs many times: arguments have no values
};

// The call of a function that a trace records.
struct RecordedCall {
  detail::Fn fn{};                                // it names its arguments
  std::vector<Tensor> arguments{};                // what they stand for
  std::vector<std::optional<int64_t>> in_dims{};  // of a vmap: where they have lanes
};

// One graph under construction. Lazy traces are locked while they are recorded to or flushed; the others belong to the
// thread whose function they record.
class Trace : public std::enable_shared_from_this<Trace> {
 public:
  explicit Trace(TraceOptions options, Trace* parent);
  ~Trace();
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

  uint64_t id() const { return id_; }
  const TraceOptions& options() const { return options_; }
  bool lazy() const { return options_.kind == TraceKind::lazy; }
  Trace* parent() const { return parent_; }
  bool bakes_literals() const { return bakes_literals_; }
  bool foreign() const { return !mutex_.owned_by_this_thread(); }  // it is another thread's
  ir::Builder& builder() { return builder_; }
  OwnerMutex& mutex() { return mutex_; }

  // ---- inputs
  ir::Value literal(Number number, DType dtype);  // a constant where literals are baked, and for 0, 1, -1, 2, 0.5
  ir::Value input(Number number, DType dtype);    // a run-time input
  ir::Value input(Binding binding, const ir::Type& type);
  std::span<const Binding> bindings() const { return bindings_; }
  Draws& draws() { return draws_; }

  // ---- tensors
  // TraceError in the name of op, unless it is concrete or a value of this trace or one around it.
  void check_reachable(const detail::Storage& storage, std::string_view op, Location at) const;
  // The value that shows t's elements: of a view, its address; read() gives the contents at the current version.
  ir::Value address(const Tensor& t);
  ir::Value read(const Tensor& t);
  // A write: the address to write to, then the new version. Several storages may have one value for their base; on the
  // first write to it a storage gets a base of its own.
  ir::Value destination(const Tensor& t);
  void wrote(const Tensor& t, ir::Value version);
  // Bases with writes, and the last of these: live storages, and captured ones.
  struct Written {
    ir::Value base, version;
  };
  std::vector<Written> written() const;
  bool has_written(const detail::Storage& storage);
  bool holds(const detail::Storage& storage) { return captured_.find(storage) != nullptr; }  // keeps its base
  // A new base tensor whose contents are v.
  Tensor adopt(ir::Value v);
  // Storages whose contents are values of this trace.
  std::span<detail::Storage* const> live() const { return live_; }
  std::vector<detail::Storage*> take_live();
  void drop(detail::Storage& storage);

  // ---- the function that is recorded
  void begin(RecordedCall call) { call_ = std::move(call); }
  const RecordedCall& call() const { return call_; }
  Tensor argument(const ir::Type& type);  // writes to it reach what it stands for
  // Argument `position` is `symbolic`, and writes to it reach what it stands for, which captured tensors may show too.
  void alias(const Tensor& symbolic, size_t position);
  void returned() { aliases_.clear(); }
  void end();  // of the transform
  bool ended() const { return ended_; }

  // ---- the graph
  // Of an empty trace: what is recorded follows what was recorded last for this key, and takes its place.
  void follow(Precedents& precedents, uint64_t key);
  bool follows() const { return precedents_ != nullptr; }
  // Takes the graph and bindings out; the trace is empty then.
  struct Taken {
    ir::Graph graph;
    std::vector<Binding> bindings;
  };
  Taken take(std::span<const ir::Value> outputs);
  bool set_emitting(bool emitting) { return std::exchange(emitting_, emitting); }  // an Emitter records into it
  // A lazy trace that should be evaluated: so that loops need bounded memory, where it has many nodes or keeps the
  // elements of many tensors; and where it reads memory that the program may change when it likes.
  bool full() const;
  ForcedValues& forced() { return forced_; }

 private:
  using Impl = std::shared_ptr<detail::TensorImpl>;
  // An argument that is written through, while the function runs.
  struct Alias {
    Tensor argument;
    const detail::Storage* symbolic;
    size_t position;
  };
  bool reachable(const detail::Storage& storage) const;
  void check_aliases(const Tensor& captured, bool writes) const;
  Captured& captured(const Impl& t);
  ir::Value value_of_base(const Impl& t);
  ir::Value version_of(const Impl& t);
  ir::Value emit_view(ir::Value parent, const detail::TensorImpl& view);
  ir::Value emit_slice(ir::Value parent, const detail::ViewStep& step, ir::Ints sizes);
  void own(detail::Storage& storage);
  Binding& new_binding(Binding::Kind kind);
  ir::Graph finish(std::span<const ir::Value> outputs);

  uint64_t id_;
  uint64_t graph_id_;  // of what is being built: another one after take()
  TraceOptions options_;
  Trace* parent_;
  bool bakes_literals_;
  std::atomic<bool> ended_ = false;
  bool emitting_ = false;
  OwnerMutex mutex_;

  ir::Builder builder_;
  Precedents* precedents_ = nullptr;
  uint64_t precedent_key_ = 0;
  std::vector<Binding> bindings_;
  size_t last_bindings_ = 8, num_arguments_ = 0;

  CapturedStorages captured_;
  bool reads_borrowed_ = false;
  int64_t captured_bytes_ = 0, largest_capture_ = 0;  // of a lazy trace
  std::vector<detail::Storage*> live_;

  Draws draws_{*this};
  RecordedCall call_;
  std::vector<Alias> aliases_;
  ForcedValues forced_;
};

namespace detail {
// Of a tensor of a function that is being transformed: where it cannot be used.
inline constexpr std::string_view kForeign =
    "in another thread than the one that runs the function being transformed, which made it: use it in that thread, or "
    "return it from the function";
}  // namespace detail

}  // namespace jot
