#include "ir/digest.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "ir/host.h"

namespace jot {

using namespace ir;

namespace {

uint64_t word_of(std::string_view name) { return XXH3_64bits(name.data(), name.size()); }

// By their numbers, the words of their names.
template <class Name>
std::vector<uint64_t> words_of(int count, Name name) {
  std::vector<uint64_t> words;
  for (int i = 0; i < count; ++i) words.push_back(word_of(name(i)));
  return words;
}
uint64_t word_of(Op op) {
  static const auto& words = *new auto(words_of(num_ops(), [](int i) { return name_of(static_cast<Op>(i)); }));
  return words[static_cast<size_t>(op)];
}
uint64_t word_of(DType dtype) { return word_of(to_string(dtype)); }

class Stream {
 public:
  Stream() { XXH3_128bits_reset(&state_); }
  void put(uint64_t word) {
    buffer_[used_++] = word;
    if (used_ == buffer_.size()) flush();
  }
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
    XXH3_128bits_update(&state_, buffer_.data(), used_ * sizeof(uint64_t));
    used_ = 0;
  }
  XXH3_state_t state_;
  std::array<uint64_t, 512> buffer_;
  size_t used_ = 0;
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
        out.put(word_of(static_cast<DType>(words[at++])));
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

Digest digest_of(const Graph& graph) {
  const GraphData& g = graph.data();
  Stream out;
  out.put(g.size());
  out.put(g.pure());
  for (Value v = 0; v < g.size(); ++v) {
    out.put(word_of(g.op(v)) + g.in_place(v));
    out.put(g.operands(v).size());
    for (Value o : g.operands(v)) out.put(o);
    const Type& t = g.type(v);
    out.put(word_of(t.dtype) + t.token);
    out.put(Ints(t.shape));
    put_attributes(out, g.op(v), g.words(v));
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
