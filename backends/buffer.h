// Reference-counted memory of tensors.
//
// Owned buffers are recycled: a freed one goes to a free list of its size class and the next allocation of that class
// takes it, so large results cost no page faults after the first call. Classes have four steps per power of two.
//   up to 64 KiB   a list per thread, without lock, of at most 1 MiB; what is over goes to the shared list
//   larger         the shared list, under a lock, the least recently used freed first, so that its live and free bytes
//                  together never exceed the larger of 256 MiB and the recent peak of live bytes (over the last 256 to
//                  512 allocations)
// From 1 MiB on a buffer is a mapping of its own, with huge pages where the system has them.
//
// JOT_GUARD (ir/env.h): every owned buffer is a mapping of its own between two guard pages and ends, or begins, at one
// of them; the memory is filled with 0xff (NaN), nothing is recycled, and the slack up to the other guard page is
// checked on release: a write there aborts the process. Where the system runs out of mappings (at about 20,000 live
// buffers) further ones are not guarded.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace jot {

namespace detail {

// Lies in front of owned memory, alone for borrowed and guarded memory.
struct alignas(64) BufferHeader {
  enum class Kind : uint8_t { block, guarded, borrowed };
  void* data;
  int64_t size;
  std::atomic<int64_t> refs{1};
  Kind kind;
  uint8_t size_class;  // of the block that begins with this header
  // borrowed: what to call; guarded: the mapping.
  void (*on_release)(void* context, void* data) noexcept = nullptr;
  void* context = nullptr;
  int64_t context_bytes = 0;
};
static_assert(sizeof(BufferHeader) == 64);

void destroy(BufferHeader* header) noexcept;

}  // namespace detail

// A handle: copies share the memory, which is freed with the last of them. Copying and dropping are thread safe.
class Buffer {
 public:
  Buffer() = default;  // null
  Buffer(const Buffer& other) noexcept : header_(other.header_) {
    if (header_) header_->refs.fetch_add(1, std::memory_order_relaxed);
  }
  Buffer(Buffer&& other) noexcept : header_(std::exchange(other.header_, nullptr)) {}
  Buffer& operator=(Buffer other) noexcept {
    std::swap(header_, other.header_);
    return *this;
  }
  ~Buffer() {
    // The only handle needs no atomic decrement: nobody else can copy it meanwhile.
    if (header_ && (header_->refs.load(std::memory_order_acquire) == 1 ||
                    header_->refs.fetch_sub(1, std::memory_order_acq_rel) == 1))
      detail::destroy(header_);
  }

  // Uninitialised memory, aligned to 64 bytes; in guard mode only to `alignment` (a power of two, at most 64: that of
  // the elements). Zero bytes are allowed. Throws Error when there is no memory.
  static Buffer allocate(int64_t bytes, int alignment = 64);

  // Memory of somebody else, who keeps it alive while the buffer is.
  static Buffer borrow(void* data, int64_t bytes);

  // The same; release(context, data) is called when the last handle goes, on the thread that drops it. If this throws,
  // release is not called.
  using Release = void (*)(void* context, void* data) noexcept;
  static Buffer borrow(void* data, int64_t bytes, Release release, void* context);

  // Takes over the elements of a vector without copying them.
  template <class T>
  static Buffer keep(std::vector<T> values) {
    auto owner = std::make_unique<std::vector<T>>(std::move(values));
    Buffer b = borrow(
        owner->data(), static_cast<int64_t>(owner->size() * sizeof(T)),
        [](void* context, void*) noexcept { std::unique_ptr<std::vector<T>>(static_cast<std::vector<T>*>(context)); },
        owner.get());
    static_cast<void>(owner.release());
    return b;
  }

  explicit operator bool() const { return header_ != nullptr; }
  // Of a null buffer: null and 0. Of a buffer of 0 bytes that is owned: not null, not to be dereferenced.
  void* data() const { return header_ ? header_->data : nullptr; }
  int64_t size() const { return header_ ? header_->size : 0; }  // in bytes, as asked for
  bool owned() const { return header_ && header_->kind != detail::BufferHeader::Kind::borrowed; }  // by jot
  // How many handles there are: who holds them all may reuse the memory, if it is owned.
  int64_t uses() const { return header_ ? header_->refs.load(std::memory_order_acquire) : 0; }
  bool unique() const { return uses() == 1; }
  friend bool operator==(const Buffer& a, const Buffer& b) { return a.header_ == b.header_; }

  // Bytes asked for, of owned buffers. `live` is exact while no thread allocates or frees; `peak` may miss up to
  // 64 KiB per thread. `cached` counts the shared free list, in bytes of memory.
  struct Stats {
    int64_t live, peak, cached;
  };
  static Stats stats();
  static void reset_peak();
  static void trim();  // gives the shared free list, and the calling thread's, back to the system

 private:
  explicit Buffer(detail::BufferHeader* header) : header_(header) {}
  detail::BufferHeader* header_ = nullptr;
};

}  // namespace jot
