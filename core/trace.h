// Recording. A Trace is an append-only graph under construction; a thread has a stack of them: at the bottom its lazy
// trace (operations outside any transform), above it one for each transform or jit whose function is running.
//
// A tensor is a handle on a storage; a storage is concrete (a buffer) or a value of a trace. Views of a tensor share
// its storage and remember how they were made; they are recorded when they are used. Writes are recorded in place and
// given meaning by passes/functionalize.
#pragma once
#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "backends/buffer.h"
#include "core/pool.h"
#include "core/precedents.h"
#include "ir/builder.h"
#include "jot/detail.h"
#include "jot/tensor.h"

namespace jot {

class Trace;

namespace detail {

// Strides of a contiguous array.
Shape row_major(const Shape& shape);
// Whether strides are those, but of extents 1.
bool is_row_major(const Shape& shape, const Shape& strides);

// What tensors that alias each other share. `owner` is 0 while the contents are the buffer; else the id of the trace
// whose value they are. Another thread than the trace's must not touch the other members while owner is not 0, but
// through hand_over() (core/recorder.h).
struct Storage {
  ir::Type type;  // of the base
  Buffer buffer;  // contiguous contents
  std::atomic<uint64_t> owner{0};
  std::shared_ptr<Trace> trace;
  ir::Value base = ir::kNoValue;     // the base's value
  ir::Value version = ir::kNoValue;  // token of the last write to it
  size_t live_index = 0;             // position in the trace's list of live storages
  bool base_is_input = false;        // the base is an input of the trace: writes to it reach what it stands for
  bool writes_through = false;       // the buffer is borrowed memory that writes must reach
  // What evaluation failed to compute: the contents, for ever; or a write, since which they are as before it.
  enum class Failure : uint8_t { none, contents, write };
  std::atomic<Failure> failed{Failure::none};
  std::exception_ptr failure;  // why
  // Of a function's argument whose views have the strides of the caller's tensor, which is not contiguous: those. The
  // base is row-major.
  std::unique_ptr<const Shape> caller_strides;
  Location made{};  // where the contents were computed, if that is known

  explicit Storage(ir::Type t) : type(std::move(t)) {}
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  void check();  // throws the failure; that of a write once, from one thread
};

// How a view is made from its parent: a movement op with its attributes, dynamic_slice with its starts, or a gather of
// windows: axes of these extents stand for one of the parent's, with these steps along it.
struct ViewStep {
  ir::Op op;
  ir::Attrs attrs;
  Shape starts{};  // of a gather: extents, then steps

  static void* operator new(size_t bytes) { return Pool::take(bytes); }
  static void operator delete(void* memory, size_t bytes) noexcept { Pool::give(memory, bytes); }
};

struct TensorImpl;

// Of a tensor that a.index() copied out of a: where assigning to it writes. Alive as long as the expression is.
struct Assignment {
  std::weak_ptr<TensorImpl> source;
  std::vector<Index> indices;                      // those that are tensors are empty here ...
  std::vector<std::weak_ptr<TensorImpl>> tensors;  // ... and here
};

// A tensor: a view of its parent, or a base, which is a BaseTensor. Views keep their parents alive, so all of them the
// base with its storage.
struct TensorImpl {
  Storage* storage;
  Shape shape;
  // Where the elements lie in the storage, in elements.
  int64_t offset = 0;
  Shape strides;                       // of a base: empty, it is row-major
  std::shared_ptr<TensorImpl> parent;  // null: a base
  std::unique_ptr<const ViewStep> step;
  bool repeats = false;  // it or a parent shows an element more than once
  // Of a storage that a trace owns: this view's value in that graph, computed from a base, and what reading it at a
  // version gave.
  uint64_t cached_graph = 0;
  ir::Value cached_base = ir::kNoValue;
  ir::Value cached_address = ir::kNoValue;
  ir::Value cached_version = ir::kNoValue;
  ir::Value cached_read = ir::kNoValue;
  Buffer copy;  // contiguous elements of a strided view, kept for data()
  std::unique_ptr<const Assignment> assignment;

  TensorImpl(Storage* s, Shape extents) : storage(s), shape(std::move(extents)) {}
  ~TensorImpl();  // without recursion over parents
  TensorImpl(const TensorImpl&) = delete;
  TensorImpl& operator=(const TensorImpl&) = delete;
  DType dtype() const { return storage->type.dtype; }
  Shape layout() const { return parent ? strides : row_major(shape); }
  bool contiguous() const;   // row-major without gaps (from its offset on)
  bool overlapping() const;  // some elements are one in memory; O(elements) for unusual strides
};

struct BaseTensor : TensorImpl {
  explicit BaseTensor(const ir::Type& type) : TensorImpl(&contents, type.shape), contents(type) {}
  Storage contents;
};

// The base of a tensor's storage.
std::shared_ptr<TensorImpl> base_of(std::shared_ptr<TensorImpl> t);

// The trace that owns a storage, null if none: safe from any thread.
std::shared_ptr<Trace> trace_of(const Storage& storage);

}  // namespace detail

// A stream of random numbers and how many were drawn from it.
struct Generator {
  int64_t key[2];
  int64_t offset;
  bool seeded = false;  // by the user
};

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
  Generator generator{};  // lazy traces: where the thread's generator was at the first draw
};

struct TraceOptions {
  TraceKind kind = TraceKind::lazy;
  Randomness randomness = Randomness::different;  // of a vmap
  int64_t lanes = 1;                              // of a vmap: the size of its batch
  std::string scope{};                            // "grad", "vmap", ...
  Location at{};                                  // of its call, where known
  bool row_major = false;                         // the arguments are, whatever the strides of the examples
  bool region = false;                            // of an op: it draws from the start of a stream of its own
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
  bool foreign() const { return thread_ != std::this_thread::get_id(); }  // it is another thread's
  ir::Builder& builder() { return builder_; }
  std::recursive_mutex& mutex() { return mutex_; }

  ir::Value argument(const ir::Type& type);
  ir::Value literal(Number number, DType dtype);  // a constant where literals are baked, and for 0, 1, -1, 2, 0.5
  ir::Value input(Number number, DType dtype);    // a run-time input
  ir::Value rng_key();
  ir::Value rng_offset();  // of the next draw
  void drew(int64_t draws);
  int64_t drawing_lanes() const;  // how many lanes of this trace and those around it draw for themselves
  void seed(const Generator& g);  // of a lazy trace
  // Between these, draws are those of the stream that the present place of the stream names (fold_in); if there are
  // any, they take one place for each lane, however many they are.
  void enter_stream();
  void leave_stream();

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
  bool holds(const detail::Storage& storage) { return find_captured(storage) != nullptr; }  // keeps its base

  // A new base tensor whose contents are v; of an argument, writes to it reach the argument.
  Tensor adopt(ir::Value v, bool is_argument = false);

  // Of an empty trace: what is recorded follows what was recorded last for this key, and takes its place.
  void follow(Precedents& precedents, uint64_t key);
  bool follows() const { return precedents_ != nullptr; }

  // Takes the graph and bindings out; the trace is empty then.
  struct Taken {
    ir::Graph graph;
    std::vector<Binding> bindings;
  };
  Taken take(std::span<const ir::Value> outputs);

  Precedents precedents;  // of a lazy trace: its own

  // Random numbers drawn in this trace, in all lanes. A lazy trace draws from the thread's generator.
  int64_t random_draws = 0;
  Generator generator{};
  // Storages whose contents are values of this trace, for flushing and forcing.
  std::vector<detail::Storage*> live;
  void drop(detail::Storage& storage);
  // A lazy trace that should be evaluated, so that loops need bounded memory: it has many nodes, or keeps the elements
  // of many tensors.
  bool full() const;
  bool reads_borrowed() const { return reads_borrowed_; }  // memory that the program may change when it likes
  std::atomic<bool> finished = false;
  bool emitting = false;  // an Emitter records into it
  size_t num_arguments = 0;
  std::vector<std::optional<int64_t>> in_dims;  // of a vmap: where its arguments have lanes
  std::vector<Tensor> arguments;                // what the arguments stand for
  detail::Fn fn{};                              // the function, while it runs: it names them
  // The same, of those whose writes reach it, while the function runs: captured tensors may show it too.
  struct Alias {
    Tensor argument;
    const detail::Storage* symbolic;
    size_t position;
  };
  std::vector<Alias> aliases;

  // What host reads have forced: values; and of storages written before, what they held when the trace had
  // checkpoint_end nodes.
  struct Checkpoint {
    ir::Value version;
    Tensor contents;
  };
  std::unordered_map<ir::Value, Tensor> forced;
  std::unordered_map<ir::Value, Checkpoint> checkpoint;  // by base
  ir::Value checkpoint_end = 0;
  const std::vector<Binding>& bindings() const { return bindings_; }

 private:
  using Impl = std::shared_ptr<detail::TensorImpl>;
  struct Captured {
    const detail::Storage* storage;
    Impl base;  // keeps it
    Buffer buffer;
    ir::Value value, version;
  };
  void bind(Binding binding);
  bool reachable(const detail::Storage& storage) const;
  void check_aliases(const Tensor& captured, bool writes) const;
  Captured* find_captured(const detail::Storage& storage);
  Captured& captured(const Impl& t);
  ir::Value value_of_base(const Impl& t);
  ir::Value version_of(const Impl& t);
  ir::Value emit_view(ir::Value parent, const detail::ViewStep& step);
  void own(detail::Storage& storage);
  ir::Graph finish(std::span<const ir::Value> outputs);
  ir::Value rng_input(Binding::Kind kind, const Shape& shape);
  ir::Value base_key();
  ir::Value place(size_t depth);

  const std::thread::id thread_ = std::this_thread::get_id();
  uint64_t id_;
  uint64_t graph_id_;  // of what is being built: another one after take()
  TraceOptions options_;
  Trace* parent_;
  bool bakes_literals_;
  ir::Builder builder_;
  Precedents* precedents_ = nullptr;
  uint64_t precedent_key_ = 0;
  std::vector<Binding> bindings_;
  size_t last_bindings_ = 8;
  std::vector<Captured> captures_;
  std::unordered_map<const detail::Storage*, size_t> capture_index_;  // of the first indexed_, where they are many
  size_t indexed_ = 0;
  bool reads_borrowed_ = false;
  int64_t captured_bytes_ = 0, largest_capture_ = 0;  // of a lazy trace
  ir::Value rng_key_ = ir::kNoValue, rng_offset_ = ir::kNoValue;
  int64_t first_draw_ = 0;  // of the generator, when rng_offset_ was made
  // A stream that was entered: its key, how much was drawn. Of a lazy trace: the generator in its place, the one
  // outside with the values that stand for it.
  struct Stream {
    ir::Value key = ir::kNoValue;
    int64_t draws = 0;
    Generator own{}, outside{};
    ir::Value outside_offset = ir::kNoValue;
    int64_t first_draw = 0;
  };
  std::vector<Stream> streams_;
  std::recursive_mutex mutex_;
};

// What recording a function gave.
struct Recording {
  ir::Graph graph;                // with effects; outputs: values, then aux
  std::vector<Binding> bindings;  // one for each input of the graph
  detail::Outputs outputs;        // the symbolic tensors; dead after the recording, their shapes and dtypes are not
  int64_t random_draws = 0;       // by one run of it
};

}  // namespace jot
