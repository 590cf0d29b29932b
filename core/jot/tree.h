// Trees: what transforms take and return. A tree is a Tensor, a number, or a std::tuple, pair, array, vector, optional
// or map<string, T> of trees, or a struct announced with JOT_TREE, nested at will. Any other type is a leaf of its own,
// handed to the function untouched.
#pragma once
#include <array>
#include <concepts>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include "jot/detail.h"
#include "jot/members.h"
#include "jot/tensor.h"
#include "jot/tree_macro.h"

namespace jot {

using TensorDict = std::map<std::string, Tensor>;

namespace detail {

// ---- announced structs

struct TreeTag;
void jot_tree_members(TreeTag&);  // makes the name known; the real ones are found by argument-dependent lookup
struct IgnoreMembers {
  template <class... M>
  void operator()(M&...) const {}
};
// Hands on the members of a const struct.
template <class Fn>
struct ConstMembers {
  Fn& fn;
  template <class... M>
  decltype(auto) operator()(M&... m) const {
    return fn(std::as_const(m)...);
  }
};
template <class T>
concept Announced = requires(T& t) { jot_tree_members(t, IgnoreMembers{}); };

// Reads as a Tensor: nn::Parameter, nn::Buffer.
template <class T>
concept TensorHandle = requires(const T& t) { t.operator const Tensor&(); };

struct CountListed {
  template <class... M>
  std::integral_constant<size_t, sizeof...(M)> operator()(M&...) const {
    return {};
  }
};
template <class T>
inline constexpr bool lists_all_members = true;  // a mistake in the list is told as such
template <Announced T>
inline constexpr bool lists_all_members<T> =
    JotTreeOf<T, listed<decltype(jot_tree_members(std::declval<T&>(), CountListed{}))::value>,
              members<num_members<T>()>>::complete &&
    JotTreeNames<has_equal_names(jot_tree_names(static_cast<const T*>(nullptr)))>::distinct;

// ---- kinds of nodes

enum class NodeKind : uint8_t {
  nothing,
  tensor,
  handle,
  map,
  vector,
  array,
  optional,
  product,
  record,
  number,
  text,
  other
};
template <class T>
inline constexpr NodeKind node_kind = std::is_arithmetic_v<T> && !std::is_same_v<T, long double> ? NodeKind::number
                                      : std::is_enum_v<T>                                        ? NodeKind::number
                                      : std::is_convertible_v<const T&, std::string_view>        ? NodeKind::text
                                                                                                 : NodeKind::other;
template <>
inline constexpr NodeKind node_kind<none_t> = NodeKind::nothing;
template <>
inline constexpr NodeKind node_kind<Tensor> = NodeKind::tensor;
template <TensorHandle T>
inline constexpr NodeKind node_kind<T> = NodeKind::handle;
template <class V, class C, class A>
inline constexpr NodeKind node_kind<std::map<std::string, V, C, A>> = NodeKind::map;
template <class V, class A>
inline constexpr NodeKind node_kind<std::vector<V, A>> = NodeKind::vector;
template <class V, size_t N>
inline constexpr NodeKind node_kind<std::array<V, N>> = NodeKind::array;
template <class V>
inline constexpr NodeKind node_kind<std::optional<V>> = NodeKind::optional;
template <class... V>
inline constexpr NodeKind node_kind<std::tuple<V...>> = NodeKind::product;
template <class A, class B>
inline constexpr NodeKind node_kind<std::pair<A, B>> = NodeKind::product;
template <Announced T>
inline constexpr NodeKind node_kind<T> = NodeKind::record;

// What leaves a type can have: tensors, others, and of these some without == or std::hash; and whether its structure is
// left open by the type.
struct Leafage {
  bool tensors = false, others = false, keyless = false, dynamic = false;
};
constexpr Leafage operator|(Leafage a, Leafage b) {
  return {a.tensors || b.tensors, a.others || b.others, a.keyless || b.keyless, a.dynamic || b.dynamic};
}
template <class T>
concept Keyable = std::is_copy_constructible_v<T> && requires(const T& t) {
  { t == t } -> std::convertible_to<bool>;
  std::hash<T>{}(t);
};
template <class T>
constexpr Leafage leafage();
template <Leafage L>
struct LeafageConstant {
  static constexpr Leafage value = L;
};
struct MembersLeafage {
  template <class... M>
  LeafageConstant<(Leafage{} | ... | leafage<std::remove_const_t<M>>())> operator()(M&...) const {
    return {};
  }
};
template <class T, size_t... I>
constexpr Leafage product_leafage(std::index_sequence<I...>) {
  return (Leafage{} | ... | leafage<std::remove_const_t<std::tuple_element_t<I, T>>>());
}
template <class T>
constexpr Leafage leafage() {
  constexpr NodeKind kind = node_kind<T>;
  if constexpr (kind == NodeKind::nothing)
    return {};
  else if constexpr (kind == NodeKind::tensor || kind == NodeKind::handle)
    return {.tensors = true};
  else if constexpr (kind == NodeKind::map)
    return leafage<typename T::mapped_type>() | Leafage{.dynamic = true};
  else if constexpr (kind == NodeKind::vector || kind == NodeKind::optional)
    return leafage<typename T::value_type>() | Leafage{.dynamic = true};
  else if constexpr (kind == NodeKind::array)
    return leafage<typename T::value_type>();
  else if constexpr (kind == NodeKind::product)
    return product_leafage<T>(std::make_index_sequence<std::tuple_size_v<T>>());
  else if constexpr (kind == NodeKind::record)
    return decltype(jot_tree_members(std::declval<T&>(), MembersLeafage{}))::value;
  else
    return {.others = true, .keyless = kind == NodeKind::other && !Keyable<T>};
}
template <class T>
inline constexpr bool has_tensors = leafage<T>().tensors;
template <class T>
inline constexpr bool differentiable = !leafage<T>().others;

// ---- walking

template <class T>
constexpr OpaqueType make_opaque_type() {
  OpaqueType type{.type = &typeid(T)};
  if constexpr (Keyable<T>) {
    type.hash = [](const void* p) -> size_t { return std::hash<T>{}(*static_cast<const T*>(p)); };
    type.equal = [](const void* a, const void* b) -> bool {
      return *static_cast<const T*>(a) == *static_cast<const T*>(b);
    };
    type.copy = [](const void* p) -> std::shared_ptr<const void> {
      return std::make_shared<const T>(*static_cast<const T*>(p));
    };
  }
  return type;
}
template <class T>
inline constexpr OpaqueType opaque_type = make_opaque_type<T>();

template <class T>
uint64_t number_bits(T x) {
  if constexpr (std::is_floating_point_v<T>)
    return __builtin_bit_cast(uint64_t, static_cast<double>(x));
  else
    return static_cast<uint64_t>(x);
}

template <class T>
void walk(const T& t, TreeVisitor& v);

struct MembersVisitor {
  TreeVisitor& v;
  std::string_view names = {};  // of an announced struct
  template <class... M>
  void operator()(const M&... m) const {
    if (names.empty())
      v.list(sizeof...(M));
    else
      v.record(sizeof...(M), names);
    (walk(m, v), ...);
  }
};

// Shows v every node of t, parents before children, in order.
template <class T>
void walk(const T& t, TreeVisitor& v) {
  constexpr NodeKind kind = node_kind<T>;
  if constexpr (kind == NodeKind::nothing) {
    v.optional(false);
  } else if constexpr (kind == NodeKind::tensor) {
    v.tensor(t);
  } else if constexpr (kind == NodeKind::handle) {
    v.tensor(t.operator const Tensor&());
  } else if constexpr (kind == NodeKind::map) {
    v.map(t.size());
    for (const auto& [key, x] : t) {
      v.key(key);
      walk(x, v);
    }
  } else if constexpr (kind == NodeKind::vector || kind == NodeKind::array) {
    v.list(t.size());
    for (const typename T::value_type& x : t) walk(x, v);
  } else if constexpr (kind == NodeKind::optional) {
    v.optional(t.has_value());
    if (t) walk(*t, v);
  } else if constexpr (kind == NodeKind::product) {
    std::apply(MembersVisitor{v}, t);
  } else if constexpr (kind == NodeKind::record) {
    jot_tree_members(t, MembersVisitor{v, jot_tree_names(&t)});
  } else if constexpr (kind == NodeKind::number) {
    v.number(number_bits(t));
  } else if constexpr (kind == NodeKind::text) {
    v.text(t);
  } else {
    v.other(&t, opaque_type<T>);
  }
}

template <class T>
void replace_leaves(T& t, LeafCursor& leaves);

struct MembersReplacer {
  LeafCursor& leaves;
  template <class... M>
  void operator()(M&... m) const {
    (replace_leaves(m, leaves), ...);
  }
};

// Puts the next tensors in the place of t's, in order.
template <class T>
void replace_leaves(T& t, LeafCursor& leaves) {
  constexpr NodeKind kind = node_kind<T>;
  if constexpr (!has_tensors<T>)
    return;
  else if constexpr (kind == NodeKind::tensor)
    t = *leaves.next++;
  else if constexpr (kind == NodeKind::map)
    for (auto& entry : t) replace_leaves(entry.second, leaves);
  else if constexpr (kind == NodeKind::vector || kind == NodeKind::array)
    for (auto& x : t) replace_leaves(x, leaves);
  else if constexpr (kind == NodeKind::optional) {
    if (t) replace_leaves(*t, leaves);
  } else if constexpr (kind == NodeKind::product)
    std::apply(MembersReplacer{leaves}, t);
  else if constexpr (kind == NodeKind::record)
    jot_tree_members(t, MembersReplacer{leaves});
  else
    static_assert(
        kind == NodeKind::tensor,
        "a struct that is announced with JOT_TREE holds a Parameter or Buffer: transforms need a Tensor there");
}

// ---- trees with other leaves: each tensor of O replaced by a tree L

template <class O, class L>
struct Rebind {
  using type = O;
};
template <class L>
struct Rebind<Tensor, L> {
  using type = L;
};
template <class O, class L>
using rebind_t = typename Rebind<O, L>::type;
template <class V, class C, class A, class L>
struct Rebind<std::map<std::string, V, C, A>, L> {
  using type = std::map<std::string, rebind_t<V, L>>;
};
template <class V, class A, class L>
struct Rebind<std::vector<V, A>, L> {
  using type = std::vector<rebind_t<V, L>>;
};
template <class V, size_t N, class L>
struct Rebind<std::array<V, N>, L> {
  using type = std::array<rebind_t<V, L>, N>;
};
template <class V, class L>
struct Rebind<std::optional<V>, L> {
  using type = std::optional<rebind_t<V, L>>;
};
template <class... V, class L>
struct Rebind<std::tuple<V...>, L> {
  using type = std::tuple<rebind_t<V, L>...>;
};
template <class A, class B, class L>
struct Rebind<std::pair<A, B>, L> {
  using type = std::pair<rebind_t<A, L>, rebind_t<B, L>>;
};
template <class L>
struct RebindMembers {
  template <class... M>
  std::tuple<rebind_t<std::remove_const_t<M>, L>...> operator()(M&...) const {
    __builtin_unreachable();  // never called, but defined: clang warns where M has internal linkage
  }
};
// A struct cannot hold other leaves: it becomes the tuple of its members.
template <Announced T, class L>
struct Rebind<T, L> {
  using type = decltype(jot_tree_members(std::declval<T&>(), RebindMembers<L>{}));
};
template <Announced T>
struct Rebind<T, Tensor> {
  using type = T;
};

template <class L, class O>
rebind_t<O, L> rebuild(const O& o, const L& leaf, LeafCursor& leaves);

template <class L>
struct MembersRebuilder {
  const L& leaf;
  LeafCursor& leaves;
  template <class... M>
  auto operator()(const M&... m) const {
    return std::tuple<rebind_t<M, L>...>{rebuild<L>(m, leaf, leaves)...};  // braces: in order
  }
};

// The tree o with a copy of `leaf` for each tensor, the tensors of the copies taken from `leaves`.
template <class L, class O>
rebind_t<O, L> rebuild(const O& o, const L& leaf, LeafCursor& leaves) {
  constexpr NodeKind kind = node_kind<O>;
  if constexpr (kind == NodeKind::tensor) {
    L copy = leaf;
    replace_leaves(copy, leaves);
    return copy;
  } else if constexpr (std::is_same_v<L, Tensor>) {
    O copy = o;
    replace_leaves(copy, leaves);
    return copy;
  } else if constexpr (kind == NodeKind::map) {
    rebind_t<O, L> result;
    for (const auto& [key, x] : o) result.emplace(key, rebuild<L>(x, leaf, leaves));
    return result;
  } else if constexpr (kind == NodeKind::vector) {
    rebind_t<O, L> result;
    for (const auto& x : o) result.push_back(rebuild<L>(x, leaf, leaves));
    return result;
  } else if constexpr (kind == NodeKind::array) {
    rebind_t<O, L> result;
    for (size_t i = 0; i < o.size(); ++i) result[i] = rebuild<L>(o[i], leaf, leaves);
    return result;
  } else if constexpr (kind == NodeKind::optional) {
    rebind_t<O, L> result;
    if (o) result.emplace(rebuild<L>(*o, leaf, leaves));
    return result;
  } else if constexpr (kind == NodeKind::product) {
    return std::apply([&](const auto&... m) { return rebind_t<O, L>{rebuild<L>(m, leaf, leaves)...}; }, o);
  } else if constexpr (kind == NodeKind::record) {
    return jot_tree_members(o, MembersRebuilder<L>{leaf, leaves});
  } else {
    return o;  // no tree of tensors, which is an error elsewhere
  }
}

}  // namespace detail
}  // namespace jot
