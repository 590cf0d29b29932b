#include "ir/attributes.h"

#include "jot/error.h"

namespace jot::ir {
namespace {

struct KeyInfo {
  std::string_view name;
  AttrKind kind;
};
constexpr KeyInfo kKeys[] = {
#define KEY(name, kind) {#name, AttrKind::kind},
#include "ir/attributes.def"
#undef KEY
};

struct Schema {
  Key keys[12];
  uint8_t lists[12];  // that the key's value is: 0 for a word
  uint8_t size;
  bool regions;
};
constexpr uint8_t lists_in(Key key) {
  switch (kKeys[static_cast<size_t>(key)].kind) {
    case AttrKind::pair:
      return 2;
    case AttrKind::ints:
    case AttrKind::data:
    case AttrKind::regions:
      return 1;
    case AttrKind::integer:
    case AttrKind::dtype:
    case AttrKind::mode:
    case AttrKind::direction:
    case AttrKind::region:
      return 0;
  }
  return 0;
}
constexpr bool holds_regions(Key key) {
  AttrKind kind = kKeys[static_cast<size_t>(key)].kind;
  return kind == AttrKind::region || kind == AttrKind::regions;
}
template <class... K>
constexpr Schema make_schema(K... keys) {
  return {{keys...}, {lists_in(keys)...}, sizeof...(K), (holds_regions(keys) || ...)};
}
constexpr Schema kSchemas[] = {
#define OP(name, family, op_class, operands, dtypes, traits, ...) \
  [] {                                                            \
    using enum Key;                                               \
    return make_schema(__VA_ARGS__);                              \
  }(),
#include "ir/ops.def"
#undef OP
};

}  // namespace

AttrKind kind_of(Key key) { return kKeys[static_cast<size_t>(key)].kind; }
std::string_view name_of(Key key) { return kKeys[static_cast<size_t>(key)].name; }

std::string_view name_of(Direction direction) {
  constexpr std::string_view names[] = {"eq", "ne", "lt", "le", "gt", "ge"};
  return names[static_cast<size_t>(direction)];
}
std::string_view name_of(IndexMode mode) {
  constexpr std::string_view names[] = {"check", "clip", "fill", "wrap"};
  return names[static_cast<size_t>(mode)];
}

std::span<const Key> schema(Op op) {
  const Schema& s = kSchemas[static_cast<size_t>(op)];
  return {s.keys, s.size};
}

bool has_regions(Op op) { return kSchemas[static_cast<size_t>(op)].regions; }

const Graph& AttrView::region_at(int64_t at) const {
  if (at < 0 || static_cast<size_t>(at) >= regions_.size())
    internal_error("a region comes with its table", name_of(op_));
  return regions_[static_cast<size_t>(at)];
}

std::vector<size_t> AttrView::region_words() const {
  const Schema& s = kSchemas[static_cast<size_t>(op_)];
  std::vector<size_t> positions;
  size_t at = 0;
  for (size_t i = 0; i < s.size; ++i) {
    bool regions = holds_regions(s.keys[i]);
    if (s.lists[i] == 0) {
      if (regions) positions.push_back(at);
      ++at;
    }
    for (uint8_t n = 0; n < s.lists[i]; ++n) {
      auto length = static_cast<size_t>(words_[at++]);
      for (size_t k = 0; regions && k < length; ++k) positions.push_back(at + k);
      at += length;
    }
  }
  return positions;
}

Attrs& Attrs::add(const Graph& region) {
  regions_.push_back(region);
  return add(static_cast<int64_t>(regions_.size() - 1));
}
Attrs& Attrs::add(std::span<const Graph> regions) {
  add(static_cast<int64_t>(regions.size()));
  for (const Graph& region : regions) add(region);
  return *this;
}

size_t AttrView::find(Key key) const {
  const Schema& s = kSchemas[static_cast<size_t>(op_)];
  size_t at = 0;
  for (size_t i = 0; i < s.size; ++i) {
    if (s.keys[i] == key) return at;
    if (s.lists[i] == 0) ++at;
    for (uint8_t n = 0; n < s.lists[i]; ++n) at += 1 + static_cast<size_t>(words_[at]);
  }
  internal_error("attribute in schema", std::string(name_of(op_)) + "." + std::string(name_of(key)));
}

}  // namespace jot::ir
