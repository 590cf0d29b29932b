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
  uint8_t size;
};
template <class... K>
constexpr Schema make_schema(K... keys) {
  return {{keys...}, sizeof...(K)};
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
  size_t at = 0;
  auto skip_list = [&] { at += 1 + static_cast<size_t>(words_[at]); };
  for (Key k : schema(op_)) {
    if (k == key) return at;
    switch (kind_of(k)) {
      case AttrKind::integer:
      case AttrKind::dtype:
      case AttrKind::mode:
      case AttrKind::direction:
        ++at;
        break;
      case AttrKind::pair:
        skip_list();
        [[fallthrough]];
      case AttrKind::ints:
      case AttrKind::data:
        skip_list();
        break;
    }
  }
  internal_error("attribute in schema", std::string(name_of(op_)) + "." + std::string(name_of(key)));
}

}  // namespace jot::ir
