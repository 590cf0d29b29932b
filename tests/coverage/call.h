// A sample's arguments as those of a function of jot: each parameter takes the one of its place or of one of its names
// and converts it; what does not convert, or is left, makes the overload one that does not fit.
#pragma once
#include <concepts>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <type_traits>

#include "sample.h"

namespace jot::coverage {

struct Unfit {
  std::string why;
};

std::string described(const Value& v);

// By the names of the enumerators, of which `none` is None too: generated.
template <class E>
std::optional<E> enumerator(const std::string& name);

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class T>
std::optional<T> converted(const Value& v);

std::optional<std::vector<int64_t>> integers(const Value& v);
std::optional<Index> index(const Value& v);

template <class T>
std::optional<T> of_number(const Value& v) {
  if (v.kind == Value::Kind::boolean) return T(v.integer != 0);
  if (v.kind == Value::Kind::integer) return T(v.integer);
  if (v.kind == Value::Kind::real) return T(v.real);
  return {};
}
template <class T>
std::optional<T> of_integers(const Value& v) {
  auto list = integers(v);
  if (!list) return {};
  if constexpr (std::constructible_from<T, int64_t>)
    if (v.kind == Value::Kind::integer) return T(v.integer);
  return T(Shape(*list));
}
// A tensor is a list of one.
template <class T>
std::optional<T> of_list(const Value& v) {
  if (v.kind != Value::Kind::list && v.kind != Value::Kind::tensor) return {};
  T result;
  for (const Value& x : v.kind == Value::Kind::list ? v.list : std::vector<Value>{v}) {
    auto one = converted<typename T::value_type>(x);
    if (!one) return {};
    result.push_back(*one);
  }
  return result;
}
template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;

template <class T>
std::optional<T> converted(const Value& v) {
  using Kind = Value::Kind;
  if constexpr (is_optional<T>) {
    if (v.kind == Kind::none) return std::optional<T>(std::in_place, std::nullopt);
    auto inner = converted<typename T::value_type>(v);
    return inner ? std::optional<T>(T(*inner)) : std::nullopt;
  } else if constexpr (std::is_same_v<T, Tensor>) {
    return v.kind == Kind::tensor ? std::optional(v.tensor) : std::nullopt;
  } else if constexpr (std::is_same_v<T, Arg> || std::is_same_v<T, Bound>) {
    if (v.kind == Kind::tensor) return T(v.tensor);
    if constexpr (std::is_same_v<T, Bound>)
      if (v.kind == Kind::none) return T(none);
    return of_number<T>(v);
  } else if constexpr (std::is_same_v<T, Number>) {
    return of_number<T>(v);
  } else if constexpr (std::is_same_v<T, bool>) {
    return v.kind == Kind::boolean || v.kind == Kind::integer ? std::optional(v.integer != 0) : std::nullopt;
  } else if constexpr (std::is_same_v<T, double>) {
    return of_number<double>(v);
  } else if constexpr (std::is_same_v<T, int64_t> || std::is_same_v<T, Dim>) {
    return v.kind == Kind::integer ? std::optional(T(v.integer)) : std::nullopt;
  } else if constexpr (std::is_same_v<T, DType>) {
    return v.kind == Kind::dtype ? std::optional(v.dtype) : std::nullopt;
  } else if constexpr (std::is_same_v<T, std::string>) {
    return v.kind == Kind::text ? std::optional(v.text) : std::nullopt;
  } else if constexpr (std::is_same_v<T, Ord>) {
    return v.kind == Kind::text ? std::optional(Ord(v.text.c_str())) : of_number<Ord>(v);
  } else if constexpr (std::is_same_v<T, Indices>) {
    std::vector<Index> list;
    for (const Value& x : v.kind == Kind::list ? v.list : std::vector<Value>{v}) {
      auto one = index(x);
      if (!one) return {};
      list.push_back(*one);
    }
    return Indices(std::move(list));
  } else if constexpr (std::is_enum_v<T>) {
    if (v.kind == Kind::none) return enumerator<T>("none");
    return v.kind == Kind::text ? enumerator<T>(v.text) : std::nullopt;
  } else if constexpr (is_vector<T>) {
    return of_list<T>(v);
  } else if constexpr (std::is_same_v<T, Axes>) {
    auto list = integers(v);
    return list ? std::optional(Axes(*list)) : std::nullopt;
  } else {
    // Integers, a choice by name, or a number or list of numbers: classes that take several.
    if constexpr (std::constructible_from<T, Padding>)
      if (v.kind == Kind::text)
        if (auto choice = enumerator<Padding>(v.text)) return T(*choice);
    if constexpr (std::constructible_from<T, double>)
      if (auto number = of_number<double>(v)) return T(*number);
    if constexpr (std::constructible_from<T, std::vector<double>>)
      if (auto list = converted<std::vector<double>>(v)) return T(*list);
    if constexpr (std::constructible_from<T, Shape>) return of_integers<T>(v);
    return {};
  }
}

// How a function is called: with tensors to write to, or writing to its operand.
enum class Form : uint8_t { plain, output, in_place };

// What takes the arguments that are left: x.repeat(2, 3), cartesian_prod(a, b).
template <class T>
inline constexpr bool takes_rest = std::is_same_v<T, Shape> || std::is_same_v<T, std::vector<Tensor>>;

class Call {
 public:
  using Names = std::initializer_list<std::string_view>;
  // `run`: whether the function is to be called.
  Call(const Sample& s, bool run) : sample_(s), run_(run), taken_(s.positional.size() + s.named.size()) {}

  template <class T>
  T get(size_t at, Names names) {
    const Value* v = find(at, names);
    if (!v) throw Unfit{"no " + std::string(*names.begin())};
    return convert<T>(*v, at, names);
  }
  template <class T, class D>
  T get(size_t at, Names names, D otherwise) {
    const Value* v = find(at, names);
    if (!v) return otherwise();
    if (v->kind == Value::Kind::none && !is_optional<T> && !std::is_enum_v<T> && !std::is_same_v<T, Bound>)
      return otherwise();
    return convert<T>(*v, at, names);
  }
  // A member of options: keeps its default where it is not given.
  template <class T>
  void member(T& m, size_t at, Names names) {
    m = get<T>(at, names, [&] { return m; });
  }
  // Whether to call. Unfit where an argument is left.
  bool fits();
  template <class R>
  void result(const R& r) {
    if constexpr (std::is_convertible_v<const R&, Tensor>)
      results.push_back(r);
    else if constexpr (std::is_arithmetic_v<R>)
      results.push_back(tensor(r));
    else if constexpr (requires { r.begin(); })
      for (const auto& x : r) result(x);
    else if constexpr (requires { std::tuple_size<R>::value; })
      std::apply([&](const auto&... x) { (result(x), ...); }, r);
    else
      jot_tree_members(const_cast<R&>(r), [&](const auto&... x) { (result(x), ...); });
  }
  // A copy of the operand, to be written. Unfit where it is no tensor, or cannot be what the plain form returned
  // (`outs`).
  Tensor target(const Arg& x);
  std::vector<Tensor> results;
  Form form = Form::plain;
  std::vector<Tensor> outs{};

 private:
  const Value* find(size_t at, Names names);
  template <class T>
  T convert(const Value& v, size_t at, Names names) {
    auto value = converted<T>(v);
    if constexpr (takes_rest<T>)
      if (at < sample_.positional.size() && at + 1 < sample_.positional.size() && v.kind != Value::Kind::list) {
        Value rest{Value::Kind::list};
        for (size_t i = at; i < sample_.positional.size(); ++i)
          rest.list.push_back(sample_.positional[i]), taken_[i] = true;
        value = converted<T>(rest);
      }
    if (!value) throw Unfit{std::string(*names.begin()) + ": " + described(v)};
    return *value;
  }

  const Sample& sample_;
  bool run_;
  std::vector<bool> taken_;
};

// What programs write around a function, for the lines of extra.def.
Number number(const Arg& a);  // of a 0-d tensor its element
Tensor own(const Tensor& t);  // a copy, which a transform may write
Tensor as_tensor(const Arg& a);
std::vector<Tensor> some(const ValuesInverseCounts& r, bool inverse, bool counts);
std::vector<Tensor> some(const ValuesIndices& r, bool indices);
Tensor integers(const Axes& list);
// The last `dims` extents of a result: all by one number, or a list in which None is that of x.
Ints extents(const Tensor& x, const Indices& sizes, size_t dims);
Shape scaled(const Tensor& x, const std::vector<double>& factors);  // the dims after two, rounded down

// A way to call what torch names so.
struct Overload {
  const char* name;      // torch's
  const char* function;  // as the table has it
  void (*call)(Call& c);
  const char* forms = "";    // others than the plain one: o, i
  const char* samples = "";  // the name whose samples it takes: of an alias that of the other
};
std::vector<Overload> overloads();

}  // namespace jot::coverage
