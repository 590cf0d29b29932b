// Tensors as the library sees them: a handle on a storage, which is concrete (a buffer) or a value of a trace. Views of
// a tensor share its storage and remember how they were made.
#pragma once
#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <vector>

#include "backends/buffer.h"
#include "core/storage/pool.h"
#include "ir/graph.h"
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
// through hand_over() (core/record/evaluate.h).
struct Storage {
  ir::Type type;  // of the base
  Buffer buffer;  // contiguous contents
  std::atomic<uint64_t> owner{0};
  Trace* trace = nullptr;              // the owner ...
  std::shared_ptr<Trace> ended_trace;  // ... which this keeps, where it has ended before the storage
  ir::Value base = ir::kNoValue;       // the base's value
  ir::Value version = ir::kNoValue;    // token of the last write to it
  size_t live_index = 0;               // position in the trace's list of live storages
  bool base_is_input = false;          // the base is an input of the trace: writes to it reach what it stands for
  bool writes_through = false;         // the buffer is borrowed memory that writes must reach
  bool orders_calls = false;  // it has no elements: writes to it are what calls of the host follow each other by
  // What evaluation failed to compute: the contents, for ever; or a write, since which they are as before it.
  enum class Failure : uint8_t { none, contents, write };
  std::atomic<Failure> failed{Failure::none};
  std::exception_ptr failure;  // why
  // Of a function's argument whose views have the strides of the caller's tensor, which is not contiguous: those. The
  // base is row-major.
  std::unique_ptr<const Shape> caller_strides;
  Location made{};  // where the contents were computed, if that is known

  explicit Storage(const ir::Type& t) : type(t) {}
  ~Storage();  // its trace, which drops it, defines it (core/record/trace.cpp)
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  void check();  // throws the failure; that of a write once, from one thread
};

// How a view is made from its parent: a movement op with its attributes; dynamic_slice with its starts, of which the
// view may show any dims of extent 1, or none; or a gather of windows: axes of these extents stand for one of the
// parent's, with these steps along it.
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

inline ir::Type type_of(const Tensor& t) { return {t.impl()->dtype(), false, t.impl()->shape}; }

// The base of a tensor's storage.
std::shared_ptr<TensorImpl> base_of(std::shared_ptr<TensorImpl> t);

// Concrete tensors.
Tensor from_buffer(DType dtype, const Shape& shape, Buffer buffer);
Tensor empty(DType dtype, const Shape& shape);  // uninitialised

}  // namespace detail
}  // namespace jot
