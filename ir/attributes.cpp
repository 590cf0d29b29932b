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
  Key keys[8];
  uint8_t lists[8];  // that the key's value is: 0 for a word
  uint8_t size;
};
constexpr uint8_t lists_in(Key key) {
  switch (kKeys[static_cast<size_t>(key)].kind) {
    case AttrKind::pair:
      return 2;
    case AttrKind::ints:
    case AttrKind::data:
      return 1;
    default:
      return 0;
  }
}
template <class... K>
constexpr Schema make_schema(K... keys) {
  return {{keys...}, {lists_in(keys)...}, sizeof...(K)};
}
constexpr Schema kSchemas[] = {
#define OP(name, family, op_class, operands, dtypes, ...) \
  [] {                                                    \
    using enum Key;                                       \
    return make_schema(__VA_ARGS__);                      \
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
std::string_view name_of(Mode mode) {
  constexpr std::string_view names[] = {"check", "clip", "fill", "wrap"};
  return names[static_cast<size_t>(mode)];
}

std::span<const Key> schema(Op op) {
  const Schema& s = kSchemas[static_cast<size_t>(op)];
  return {s.keys, s.size};
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
