// Memory of the small objects that every operation makes: a thread keeps what it frees for what it makes next.
#pragma once
#include <cstddef>
#include <memory>
#include <new>
#include <utility>

#include "ir/thread_object.h"

namespace jot::detail {

class Pool {
 public:
  static void* take(size_t bytes) {
    size_t c = class_of(bytes);
    if (c >= kClasses) return ::operator new(bytes);
    List& list = ThreadObject<Pool>::get().lists_[c];
    if (!list.first) return ::operator new((c + 1) * kStep);
    Block* block = list.first;
    list.first = block->next;
    --list.size;
    return block;
  }
  static void give(void* memory, size_t bytes) noexcept {
    size_t c = class_of(bytes);
    Pool* own = ThreadObject<Pool>::find();  // null: the thread ends
    if (c >= kClasses || !own || own->lists_[c].size >= kMaxBlocks) return ::operator delete(memory);
    List& list = own->lists_[c];
    list.first = ::new (memory) Block{list.first};
    ++list.size;
  }

  Pool() = default;
  ~Pool() {
    for (List& list : lists_)
      while (Block* block = list.first) {
        list.first = block->next;
        ::operator delete(block);
      }
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

 private:
  static constexpr size_t kStep = 64, kClasses = 16, kMaxBlocks = 256;
  static size_t class_of(size_t bytes) { return (bytes - 1) / kStep; }
  struct Block {
    Block* next;
  };
  struct List {
    Block* first = nullptr;
    size_t size = 0;
  };
  List lists_[kClasses];
};

// For std::allocate_shared.
template <class T>
struct PoolAllocator {
  using value_type = T;
  PoolAllocator() = default;
  template <class U>
  PoolAllocator(const PoolAllocator<U>&) {}  // NOLINT: implicit by design
  T* allocate(size_t n) { return static_cast<T*>(Pool::take(n * sizeof(T))); }
  void deallocate(T* p, size_t n) noexcept { Pool::give(p, n * sizeof(T)); }
  friend bool operator==(const PoolAllocator&, const PoolAllocator&) { return true; }
};

template <class T, class... Args>
std::shared_ptr<T> make_pooled(Args&&... args) {
  return std::allocate_shared<T>(PoolAllocator<T>(), std::forward<Args>(args)...);
}

}  // namespace jot::detail
