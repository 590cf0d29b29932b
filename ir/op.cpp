#include "ir/op.h"

#include <unordered_map>

namespace jot::ir {
namespace {

constexpr auto A = [](DType) { return true; };
constexpr auto N = [](DType d) { return d != DType::boolean; };
constexpr auto F = [](DType d) { return is_floating(d); };
constexpr auto I = [](DType d) { return is_integer(d); };
constexpr auto IB = [](DType d) { return is_integer(d) || d == DType::boolean; };
constexpr auto B = [](DType d) { return d == DType::boolean; };

}  // namespace

constexpr OpInfo kOpInfo[] = {
#define OP(name, family, op_class, operands, dtypes, traits, ...) \
  {#name, #family, OpClass::op_class, operands, dtypes, [] {      \
     using enum Trait;                                            \
     return traits;                                               \
   }()},
#include "ir/ops.def"
#undef OP
};

int num_ops() { return static_cast<int>(std::size(kOpInfo)); }

std::optional<Op> op_named(std::string_view name) {
  static const auto* names = [] {
    auto* map = new std::unordered_map<std::string_view, Op>;
    for (int i = 0; i < num_ops(); ++i) map->emplace(kOpInfo[i].name, static_cast<Op>(i));
    return map;
  }();
  auto it = names->find(name);
  if (it == names->end()) return {};
  return it->second;
}

}  // namespace jot::ir
