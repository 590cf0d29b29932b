// JOT_TREE. A system header, so that compilers show the user's line of a mistake in it and not every macro inside.
#pragma once
#pragma GCC system_header

#define JOT_TREE_PARENS ()
#define JOT_TREE_EXPAND(...) JOT_TREE_EXPAND3(JOT_TREE_EXPAND3(JOT_TREE_EXPAND3(JOT_TREE_EXPAND3(__VA_ARGS__))))
#define JOT_TREE_EXPAND3(...) JOT_TREE_EXPAND2(JOT_TREE_EXPAND2(JOT_TREE_EXPAND2(JOT_TREE_EXPAND2(__VA_ARGS__))))
#define JOT_TREE_EXPAND2(...) JOT_TREE_EXPAND1(JOT_TREE_EXPAND1(JOT_TREE_EXPAND1(JOT_TREE_EXPAND1(__VA_ARGS__))))
#define JOT_TREE_EXPAND1(...) __VA_ARGS__
#define JOT_TREE_MEMBERS(...) __VA_OPT__(JOT_TREE_EXPAND(JOT_TREE_MEMBER(__VA_ARGS__)))
#define JOT_TREE_MEMBER(m, ...) jot_t_.m __VA_OPT__(, JOT_TREE_MEMBER_AGAIN JOT_TREE_PARENS(__VA_ARGS__))
#define JOT_TREE_MEMBER_AGAIN() JOT_TREE_MEMBER
// Announces a struct as a tree of the members named, which must be all it has. At namespace scope, in the struct's
// namespace; a semicolon may follow.
#define JOT_TREE(Type, ...)                                                                           \
  template <class JotFn>                                                                              \
  decltype(auto) jot_tree_members([[maybe_unused]] Type& jot_t_, JotFn&& fn) {                        \
    return fn(JOT_TREE_MEMBERS(__VA_ARGS__));                                                         \
  }                                                                                                   \
  template <class JotFn>                                                                              \
  decltype(auto) jot_tree_members(const Type& jot_t_, JotFn&& fn) {                                   \
    return jot_tree_members(const_cast<Type&>(jot_t_), ::jot::detail::ConstMembers<const JotFn>{fn}); \
  }                                                                                                   \
  [[maybe_unused]] constexpr ::std::string_view jot_tree_names(const Type*) { return #__VA_ARGS__; }  \
  static_assert(::jot::detail::lists_all_members<Type>);
