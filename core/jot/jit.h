// jit: records a function once for each kind of arguments, then runs the compiled recording.
#pragma once
#include <memory>
#include <utility>

#include "jot/lent.h"
#include "jot/small_array.h"

namespace jot {

struct CacheInfo {
  int64_t hits = 0, misses = 0, entries = 0;
};

namespace detail {

// What a recording depends on: the trees of the arguments, dtypes, shapes, strides of what is not
// contiguous, numbers, and which tensors overlap. Refers to the arguments.
class JitKey final : public TreeVisitor {
 public:
  // signature: an address that no other function of other argument types has.
  explicit JitKey(const void* signature);
  void tensor(const Tensor& t) override;
  void number(uint64_t bits) override;
  void text(std::string_view text) override;
  void other(const void* value, const OpaqueType& type) override;
  void list(size_t size) override;
  void map(size_t size) override;
  void key(const std::string& key) override;
  void optional(bool has_value) override;
  void finish();  // after the walk: overlap, state of the host

  struct Other {
    const void* value;
    const OpaqueType* type;
  };
  std::span<const uint64_t> words() const { return words_.span(); }
  std::span<const Tensor* const> tensors() const { return tensors_.span(); }
  std::span<const Other> others() const { return others_.span(); }
  uint64_t hash() const { return hash_; }
  uint64_t structure() const;  // hash of all but the numbers

 private:
  void put(uint64_t word) { words_.push_back(word); }
  bool share_memory() const;
  void overlap();
  // A hundred parameters with their names take no memory of the heap.
  SmallArray<uint64_t, 1024> words_;
  SmallArray<const Tensor*, 128> tensors_;
  SmallArray<size_t, 8> numbers_;  // places in words_
  SmallArray<Other, 4> others_;
  uint64_t hash_ = 0;
};

// One recording: what it depends on, the program, and what the function returned, without its tensors.
struct JitEntry;
const Program& program_of(const JitEntry& entry);
const void* prototype_of(const JitEntry& entry);

class JitCache {
 public:
  explicit JitCache(Location at);
  ~JitCache();
  // Null on a miss. Counts.
  std::shared_ptr<const JitEntry> find(const JitKey& key);
  // Records fn, compiles it and keeps it. The prototype is asked for after fn has been called.
  std::shared_ptr<const JitEntry> record(const JitKey& key, Fn fn, std::span<const Tensor> args,
                                         std::shared_ptr<const void> (*prototype)(void* self));
  CacheInfo info() const;
  void clear();

  struct State;

 private:
  std::unique_ptr<State> state_;
};

template <class F>
class Jit {
 public:
  Jit(F f, Location at) : f_(std::move(f)), cache_(std::make_shared<JitCache>(at)), at_(at) {}

  template <class... A>
  typename CallResult<false, F, shown_t<A>...>::type operator()(const A&... a) const {
    check_keys<shown_t<A>...>(std::index_sequence_for<A...>());
    if constexpr ((Lent<A> || ...)) {
      OfLent<F, A...> f{f_};
      return run(f, lent(a)...);
    } else {
      return run(f_, a...);
    }
  }

  // Of all calls of this function and its copies.
  CacheInfo cache_info() const { return cache_->info(); }
  void clear_cache() const { cache_->clear(); }

 private:
  template <class G, class... A>
  typename CallResult<false, G, A...>::type run(G& f, const A&... a) const {
    using C = Call<false, G, A...>;
    using Result = typename C::Result;
    if constexpr (CallResult<false, G, A...>::right)
      if (tracing()) return call_with_lvalues(f, static_cast<const argument_t<A>&>(a)...);
    static constexpr char signature = 0;
    JitKey key(&signature);
    (walk(a, key), ...);
    key.finish();
    std::shared_ptr<const JitEntry> entry = cache_->find(key);
    if (!entry) {
      C call(f, a...);
      entry = cache_->record(key, call.fn(), call.leaves, &prototype<C>);
    }
    if constexpr (std::is_same_v<Result, Tensor>) {
      Tensor result;
      run_program(program_of(*entry), key.tensors(), {&result, 1});
      return result;
    } else {
      Result result = *static_cast<const Result*>(prototype_of(*entry));
      Leaves leaves(num_results(program_of(*entry)));
      run_program(program_of(*entry), key.tensors(), leaves);
      LeafCursor cursor{leaves.data()};
      replace_leaves(result, cursor);
      return result;
    }
  }
  template <class C>
  static std::shared_ptr<const void> prototype(void* self) {
    using Result = typename C::Result;
    return std::make_shared<const Result>(blank(static_cast<C*>(self)->result()));
  }
  mutable F f_;
  std::shared_ptr<JitCache> cache_;
  Location at_;
};

}  // namespace detail

// f, recorded and compiled once for each combination of argument trees, shapes, layouts, dtypes, numbers and overlap,
// and of what jit sees of the host (training flags, default dtype, NoGrad, StrongZeros). Tensors that f captures are
// inputs: updates of them in place are seen. Other variables of the host are frozen when f is recorded. Inside another
// transform f is simply called.
template <class F>
auto jit(F&& f, Location at = JOT_HERE) {
  return detail::Jit<std::decay_t<F>>(std::forward<F>(f), at);
}

}  // namespace jot
