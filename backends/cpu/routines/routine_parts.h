// What the files of routines share.
#pragma once
#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "backends/cpu/routines/routines.h"
#include "backends/cpu/runtime/kernel_code.h"
#include "backends/target.h"
#include "jot/error.h"

namespace jot::cpu {

#define ROUTINE(op, maker, file, why) std::unique_ptr<const Routine> maker(const RoutineContext& c);
#include "backends/cpu/routines/routines.def"
#undef ROUTINE
std::unique_ptr<const Routine> make_reduce(const RoutineContext& c);  // of every reduction
std::unique_ptr<const Routine> make_index_check(const RoutineContext& c);
int64_t tile_lanes(const ir::GraphData& g, ir::Value v);  // of ops on small matrices

// Of a loop of known length whose derivative keeps few states, where its steps are kernels; else null.
std::unique_ptr<const Routine> make_checkpointed(const RoutineContext& c);

// What each run of a routine needs one of: kept for later runs.
template <class T>
class Reused {
 public:
  explicit Reused(std::function<std::unique_ptr<T>()> make) : make_(std::move(make)) {}

  class Borrowed {
   public:
    explicit Borrowed(Reused& from) : from_(from), object_(from.take()) {}
    ~Borrowed() {
      std::lock_guard lock(from_.mutex_);
      from_.free_.push_back(std::move(object_));
    }
    Borrowed(const Borrowed&) = delete;
    Borrowed& operator=(const Borrowed&) = delete;
    T& operator*() const { return *object_; }

   private:
    Reused& from_;
    std::unique_ptr<T> object_;
  };

 private:
  std::unique_ptr<T> take() {
    std::lock_guard lock(mutex_);
    if (free_.empty()) return make_();
    std::unique_ptr<T> object = std::move(free_.back());
    free_.pop_back();
    return object;
  }
  std::function<std::unique_ptr<T>()> make_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<T>> free_;
};

// Steps of the axes of a contiguous array.
inline std::vector<int64_t> row_major(const Shape& shape) {
  std::vector<int64_t> steps(shape.size());
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0; step *= shape[i]) steps[i] = step;
  return steps;
}

// Calls f with a zero of a type of so many bytes: of what is moved, not computed. Words are moved by vector registers,
// which keep all their bits and leave the others to indices.
template <class F>
decltype(auto) visit_word(int64_t bytes, F&& f) {
  switch (bytes) {
    case 1:
      return f(uint8_t{0});
    case 2:
      return f(uint16_t{0});
    case 4:
      return f(0.0f);
    case 8:
      return f(0.0);
  }
  internal_error("elements of another size", std::to_string(bytes));
}

inline bool contains(ir::Ints list, int64_t x) { return std::ranges::find(list, x) != list.end(); }

// A kernel that a routine runs in its inner loop. It spills little: its spill area is on the stack. Interpreted where
// the target has no kernels.
class InnerKernel {
 public:
  InnerKernel() = default;
  explicit InnerKernel(Kernel kernel);
  void operator()(const int64_t* args) const {
    if (!code_) return interpret(*kernel_, args, 0, 0);
    alignas(64) std::byte spill[kSpill];
    code_->fn(args, 0, 0, spill);
  }
  static int lanes(int bytes) { return (target() == Target::avx512 ? 64 : 32) / bytes; }

 private:
  static constexpr int64_t kSpill = 16 << 10;
  std::shared_ptr<const Kernel> kernel_;
  std::shared_ptr<const KernelCode> code_;
};

inline int64_t address(const void* p) { return static_cast<int64_t>(reinterpret_cast<intptr_t>(p)); }

}  // namespace jot::cpu
