#include "jot/jit.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <mutex>
#include <unordered_map>

#include "core/cache/events.h"
#include "core/record/emitter.h"
#include "core/record/flags.h"
#include "core/record/thread.h"
#include "core/run/program.h"
#include "core/run/why.h"
#include "ir/fork.h"
#include "ir/hash.h"
#include "ir/log.h"
#include "ir/seen.h"
#include "jot/creation.h"

namespace jot::detail {

// ---- flags

namespace {
thread_local FlagObserver* observer = nullptr;
}

FlagObserver::FlagObserver() : outer_(observer) { observer = this; }
FlagObserver::~FlagObserver() { observer = outer_; }

bool observe(const Flag& flag) {
  bool value = flag->load(std::memory_order_relaxed);
  if (observer && std::ranges::none_of(observer->seen, [&](const auto& s) { return s.first == flag; }))
    observer->seen.emplace_back(flag, value);
  return value;
}

// ---- keys

JitKey::JitKey(const void* signature) { put(reinterpret_cast<uint64_t>(signature)); }

void JitKey::tensor(const Tensor& t) {
  tensors_.push_back(&t);
  if (!t.defined()) return put(kTensor);
  const TensorImpl& impl = *t.impl();
  uint64_t* words = words_.extend(1 + impl.shape.size());
  *words++ = kTensor | (static_cast<uint64_t>(impl.dtype()) + 1) << 8 | impl.shape.size() << 16;
  for (int64_t d : impl.shape) *words++ = static_cast<uint64_t>(d);
  if (impl.contiguous()) return;
  put(kStrides);
  for (int64_t s : impl.strides) put(static_cast<uint64_t>(s));
}

void JitKey::number(uint64_t bits) {
  put(kNumber);
  numbers_.push_back(words_.size());
  put(bits);
}
uint64_t JitKey::structure() const {
  std::vector<uint64_t> words(words_.span().begin(), words_.span().end());
  for (size_t place : numbers_.span()) words[place] = 0;
  return hash_words(words);
}

void JitKey::text(std::string_view text) {
  const size_t n = (text.size() + 7) / 8;
  uint64_t* words = words_.extend(1 + n);
  words[0] = kText | text.size() << 8;
  words[n] = n ? 0 : words[0];
  std::memcpy(words + 1, text.data(), text.size());
}

void JitKey::other(const void* value, const OpaqueType& type) {
  put(kOther);
  put(type.hash ? type.hash(value) : 0);
  others_.push_back({value, &type});
}

void JitKey::list(size_t size) { put(kList | size << 8); }
void JitKey::map(size_t size) { put(kMap | size << 8); }
void JitKey::key(const std::string& key) { text(key); }
void JitKey::optional(bool has_value) { put(has_value ? kPresent : kAbsent); }

// Which tensors show the same memory, and how.
void JitKey::overlap() {
  std::span<const Tensor* const> all = tensors_.span();
  std::unordered_map<const Storage*, size_t> first;
  for (size_t i = 0; i < all.size(); ++i) {
    if (!all[i]->defined()) continue;
    const TensorImpl& impl = *all[i]->impl();
    auto [where, fresh] = first.emplace(impl.storage, i);
    if (fresh) continue;
    for (size_t j : {where->second, i}) {
      const TensorImpl& t = *all[j]->impl();
      put(kOverlap | j << 8 | t.storage->type.shape.size() << 32);
      for (int64_t d : t.storage->type.shape) put(static_cast<uint64_t>(d));
      put(static_cast<uint64_t>(t.offset));
      for (int64_t s : t.layout()) put(static_cast<uint64_t>(s));
    }
  }
}

// Whether two tensors have one storage: by a table of storages where there are many, at most half full.
bool JitKey::share_memory() const {
  constexpr size_t kFew = 8;
  std::span<const Tensor* const> all = tensors_.span();
  if (all.size() <= kFew) {
    for (size_t i = 0; i < all.size(); ++i)
      for (size_t j = 0; j < i; ++j)
        if (all[i]->defined() && all[j]->defined() && all[i]->impl()->storage == all[j]->impl()->storage) return true;
    return false;
  }
  const size_t slots = std::bit_ceil(2 * all.size());
  SmallArray<const Storage*, 512> memory;
  const std::span<const Storage*> table(memory.extend(slots), slots);
  std::ranges::fill(table, nullptr);
  for (const Tensor* t : all) {
    if (!t->defined()) continue;
    const Storage* storage = t->impl()->storage;
    size_t at = hash_word(0, reinterpret_cast<uintptr_t>(storage)) >> (64 - std::countr_zero(slots));
    for (; table[at]; at = (at + 1) & (slots - 1))
      if (table[at] == storage) return true;
    table[at] = storage;
  }
  return false;
}

void JitKey::finish() {
  if (share_memory()) overlap();
  put(kHost | static_cast<uint64_t>(default_dtype()) << 8 |
      static_cast<uint64_t>(thread_state().strong_zeros_depth > 0) << 16 |
      static_cast<uint64_t>(thread_state().no_grad_depth > 0) << 17);
  hash_ = hash_words(words_.span());
}

// ---- the cache

struct JitEntry {
  struct Other {
    std::shared_ptr<const void> value;
    const OpaqueType* type;
  };
  uint64_t hash;
  std::vector<uint64_t> words;
  std::vector<Other> others;
  std::vector<std::pair<Flag, bool>> flags;
  std::vector<int64_t> overlap;  // with what is captured
  std::shared_ptr<const Program> program;
  std::shared_ptr<const void> prototype;
  uint64_t last_use = 0;

  bool matches(const JitKey& key) const {
    if (hash != key.hash() || !std::ranges::equal(words, key.words()) || others.size() != key.others().size())
      return false;
    for (size_t i = 0; i < others.size(); ++i)
      if (others[i].type != key.others()[i].type ||
          !others[i].type->equal(others[i].value.get(), key.others()[i].value))
        return false;
    return std::ranges::all_of(flags,
                               [](const auto& f) { return f.first->load(std::memory_order_relaxed) == f.second; }) &&
           program->overlap_with_captures(key.tensors()) == overlap;
  }
};

const Program& program_of(const JitEntry& entry) { return *entry.program; }
const void* prototype_of(const JitEntry& entry) { return entry.prototype.get(); }

namespace {
constexpr size_t kMaxEntries = 256;
constexpr int kNumbersBeforeAdvice = 8;
}  // namespace

struct JitCache::State {
  explicit State(Location location) : at(location) {}
  std::mutex mutex;
  std::vector<std::shared_ptr<JitEntry>> entries;
  CacheInfo info;
  uint64_t clock = 0;
  Location at{};
  std::unordered_map<uint64_t, int> misses_by_structure;
  bool advised = false;
};

namespace {

// What differs from the recording that is most like this one.
std::vector<Change> why_again(JitCache::State& s, const JitKey& key, Fn fn) {
  const auto name = [&](size_t leaf) { return fn.name(Role::argument, leaf); };
  const std::vector<KeyPart> now = parts_of(key.words(), name);
  std::vector<Change> least;
  bool any = false;
  ForkSafeLock lock(s.mutex);
  constexpr size_t kMost = 32;  // the last ones
  for (size_t k = s.entries.size() > kMost ? s.entries.size() - kMost : 0; k < s.entries.size(); ++k) {
    const std::shared_ptr<JitEntry>& e = s.entries[k];
    std::vector<Change> changes = changes_of(parts_of(e->words, name), now);
    for (size_t i = 0; i < std::min(e->others.size(), key.others().size()); ++i)
      if (e->others[i].type != key.others()[i].type ||
          !e->others[i].type->equal(e->others[i].value.get(), key.others()[i].value))
        changes.push_back({"argument that is neither tensor nor number, number " + std::to_string(i), "another value",
                           "a new value",
                           "its value is part of the key (== and std::hash): pass the same, or a tensor"});
    for (const auto& [flag, value] : e->flags)
      if (const bool present = flag->load(std::memory_order_relaxed); present != value)
        changes.push_back({"a training flag that the function reads", value ? "on" : "off", present ? "on" : "off",
                           "call train() or eval() once, before the loop"});
    if (e->program->overlap_with_captures(key.tensors()) != e->overlap)
      changes.push_back(
          {"arguments that share memory with captured tensors", "others", "these", "pass a clone() of them"});
    if (!any || changes.size() < least.size()) least = std::move(changes);
    any = true;
  }
  return least;
}

}  // namespace

JitCache::JitCache(Location at) : state_(std::make_unique<State>(at)) {}
JitCache::~JitCache() = default;

std::shared_ptr<const JitEntry> JitCache::find(const JitKey& key) {
  State& s = *state_;
  ForkSafeLock lock(s.mutex);
  auto found = std::ranges::find_if(s.entries, [&](const auto& e) { return e->matches(key); });
  bool hit = found != s.entries.end();
  if (env().log_cache)
    log("cache", "jit" + on_line(s.at) + (hit ? ": hit, " : ": miss, ") + std::to_string(s.entries.size()) +
                     " recordings are kept");
  if (!hit) {
    ++s.info.misses;
    return nullptr;
  }
  (*found)->last_use = ++s.clock;
  ++s.info.hits;
  return *found;
}

std::shared_ptr<const JitEntry> JitCache::record(const JitKey& key, Fn fn, std::span<const Tensor> args,
                                                 std::shared_ptr<const void> (*prototype)(void* self)) {
  State& s = *state_;
  auto entry = std::make_shared<JitEntry>();
  entry->hash = key.hash();
  entry->words.assign(key.words().begin(), key.words().end());
  for (const JitKey::Other& o : key.others()) entry->others.push_back({o.type->copy(o.value), o.type});
  std::vector<Change> why;
  if (seen::on() || env().log_record) why = why_again(s, key, fn);
  if (env().log_record)
    for (const Change& c : why)
      log("record", "jit" + on_line(s.at) + " again: " + c.part + ": " + c.before + " -> " + c.now + "; " + c.remedy);
  FlagObserver flags;
  entry->program = record_program(fn, args, Captures::shared, "jit", s.at, std::move(why));
  entry->prototype = prototype(fn.self);
  entry->flags = std::move(flags.seen);
  entry->overlap = entry->program->overlap_with_captures(key.tensors());

  ForkSafeLock lock(s.mutex);
  entry->last_use = ++s.clock;
  // Another thread may have recorded the same meanwhile.
  std::erase_if(s.entries, [&](const auto& e) { return e->matches(key); });
  if (s.entries.size() == kMaxEntries)
    s.entries.erase(std::ranges::min_element(s.entries, {}, [](const auto& e) { return e->last_use; }));
  s.entries.push_back(entry);
  if (++s.misses_by_structure[key.structure()] > kNumbersBeforeAdvice && !s.advised) {
    s.advised = true;
    log("jit", "the function has been recorded " + std::to_string(kNumbersBeforeAdvice + 1) +
                   " times for arguments that differ only in a number: pass a tensor instead of the number v, "
                   "tensor(v, f64) of a double (tensor(v) is f32), tensor(v) of an integer" +
                   on_line(s.at));
  }
  return entry;
}

CacheInfo JitCache::info() const {
  ForkSafeLock lock(state_->mutex);
  CacheInfo info = state_->info;
  info.entries = static_cast<int64_t>(state_->entries.size());
  return info;
}

void JitCache::clear() {
  ForkSafeLock lock(state_->mutex);
  state_->entries.clear();
  state_->info = {};
  state_->misses_by_structure.clear();
}

}  // namespace jot::detail
