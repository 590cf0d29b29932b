#include "ir/digest.h"

#define XXH_INLINE_ALL
#ifndef NDEBUG  // -Og does not inline what xxhash says always must be
#define XXH_NO_INLINE_HINTS 1
#endif
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "ir/host.h"

namespace jot {

using namespace ir;

namespace {

uint64_t word_of(std::string_view name) { return XXH3_64bits(name.data(), name.size()); }

class Stream {
 public:
  Stream() { XXH3_128bits_reset(&state_); }
  // So many halves of words, for the caller to fill in.
  uint32_t* take(size_t n) {
    if (used_ + n > buffer_.size()) flush();
    return &buffer_[std::exchange(used_, used_ + n)];
  }
  void put(uint64_t word) { std::memcpy(take(2), &word, sizeof word); }
  void put(Ints list) {
    put(list.size());
    for (int64_t x : list) put(static_cast<uint64_t>(x));
  }
  Digest finish() {
    flush();
    XXH128_hash_t h = XXH3_128bits_digest(&state_);
    return {h.high64, h.low64};
  }

 private:
  void flush() {
    XXH3_128bits_update(&state_, buffer_.data(), used_ * sizeof(uint32_t));
    used_ = 0;
  }
  XXH3_state_t state_;
  std::array<uint32_t, 2048> buffer_;
  size_t used_ = 0;
};

// Numbers in the order in which things come first: the same whatever their numbers are in this process.
class Numbers {
 public:
  // *fresh: it has come for the first time.
  uint32_t of(size_t i, bool* fresh) {
    if (i >= numbers_.size()) numbers_.resize(2 * i + 64, 0);
    if ((*fresh = numbers_[i] == 0)) numbers_[i] = ++last_;
    return numbers_[i];
  }

 private:
  std::vector<uint32_t> numbers_;
  uint32_t last_ = 0;
};

void put_attributes(Stream& out, Op op, Ints words) {
  size_t at = 0;
  auto list = [&] {
    const auto n = static_cast<size_t>(words[at]);
    out.put(words.subspan(at + 1, n));
    at += n + 1;
  };
  for (Key key : schema(op)) switch (kind_of(key)) {
      case AttrKind::integer:
      case AttrKind::region:
        out.put(static_cast<uint64_t>(words[at++]));
        break;
      case AttrKind::ints:
      case AttrKind::data:
      case AttrKind::regions:
        list();
        break;
      case AttrKind::pair:
        list();
        list();
        break;
      case AttrKind::dtype:
        out.put(word_of(to_string(static_cast<DType>(words[at++]))));
        break;
      case AttrKind::mode:
        out.put(word_of(name_of(static_cast<IndexMode>(words[at++]))));
        break;
      case AttrKind::direction:
        out.put(word_of(name_of(static_cast<Direction>(words[at++]))));
        break;
    }
}

}  // namespace

std::string to_hex(const Digest& digest) {
  std::string text;
  for (uint64_t word : {digest.high, digest.low})
    for (int shift = 60; shift >= 0; shift -= 4) text += "0123456789abcdef"[word >> shift & 15];
  return text;
}

Digest digest_of(std::span<const std::byte> bytes) {
  XXH128_hash_t h = XXH3_128bits(bytes.data(), bytes.size());
  return {h.high64, h.low64};
}

// A node is told by its op, its type and its operands, in 20 bytes where it has two; ops and types are spelled out
// where they come first.
Digest digest_of(const Graph& graph) {
  const GraphData& g = graph.data();
  Stream out;
  Numbers ops, types;
  out.put(g.size());
  out.put(g.pure());
  for (Value v = 0; v < g.size(); ++v) {
    const Node& n = g.node(v);
    bool fresh_op, fresh_type;
    uint32_t* head = out.take(3);
    head[0] = ops.of(static_cast<size_t>(n.op), &fresh_op) | uint32_t{n.in_place} << 31;
    head[1] = types.of(n.type, &fresh_type);
    head[2] = n.num_operands;
    for (Value o : g.operands(v)) *out.take(1) = o;
    if (fresh_op) out.put(word_of(name_of(n.op)));
    if (fresh_type) {
      const Type& t = g.type(v);
      out.put(word_of(to_string(t.dtype)) + t.token);
      out.put(Ints(t.shape));
    }
    if (n.attrs != 0) put_attributes(out, n.op, g.words(v));
  }
  for (Value o : g.outputs()) out.put(o);
  out.put(g.writebacks().size());
  for (uint32_t w : g.writebacks()) out.put(w);
  for (const Graph& region : g.regions()) {
    const Digest inner = digest_of(region);
    out.put(inner.high);
    out.put(inner.low);
  }
  return out.finish();
}

bool calls_host(const Graph& graph) {
  return graph.data().host() || std::ranges::any_of(graph.data().regions(), calls_host);
}

}  // namespace jot
