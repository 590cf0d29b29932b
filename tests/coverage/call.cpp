#include "call.h"

#include <cmath>

namespace jot::coverage {

std::string described(const Value& v) {
  static constexpr const char* kNames[] = {"None",   "bool", "int",   "float", "str", "dtype",
                                           "tensor", "list", "slice", "...",   ""};
  std::string text = kNames[static_cast<size_t>(v.kind)];
  if (v.kind == Value::Kind::text || v.kind == Value::Kind::unknown) text += (text.empty() ? "" : " ") + v.text;
  if (v.kind == Value::Kind::list && !v.list.empty()) text += " of " + described(v.list[0]);
  return text;
}

std::optional<std::vector<int64_t>> integers(const Value& v) {
  if (v.kind == Value::Kind::integer) return std::vector{v.integer};
  if (v.kind != Value::Kind::list) return {};
  std::vector<int64_t> result;
  for (const Value& x : v.list) {
    if (x.kind != Value::Kind::integer) return {};
    result.push_back(x.integer);
  }
  return result;
}

std::optional<Index> index(const Value& v) {
  auto bound = [&](size_t i) {
    return v.list[i].kind == Value::Kind::none ? std::nullopt : std::optional(v.list[i].integer);
  };
  switch (v.kind) {
    case Value::Kind::none:
      return Index(none);
    case Value::Kind::integer:
      return Index(v.integer);
    case Value::Kind::ellipsis:
      return Index(Ellipsis);
    case Value::Kind::slice:
      return Index(Slice(bound(0), bound(1), bound(2).value_or(1)));
    case Value::Kind::tensor:
      return Index(v.tensor);
    case Value::Kind::list: {
      auto list = integers(v);
      return list ? std::optional(Index(Tensor::from(*list))) : std::nullopt;
    }
    default:
      return {};
  }
}

const Value* Call::find(size_t at, Names names) {
  if (at < sample_.positional.size() && !taken_[at]) {
    taken_[at] = true;
    return &sample_.positional[at];
  }
  for (size_t i = 0; i < sample_.named.size(); ++i)
    for (std::string_view name : names)
      if (sample_.named[i].first == name) {
        taken_[sample_.positional.size() + i] = true;
        return &sample_.named[i].second;
      }
  return nullptr;
}

bool Call::fits() {
  static constexpr std::string_view kNoMeaning[] = {"device",        "layout",  "memory_format", "pin_memory",
                                                    "requires_grad", "inplace", "non_blocking"};
  for (size_t i = 0; i < taken_.size(); ++i) {
    if (taken_[i]) continue;
    if (i < sample_.positional.size()) throw Unfit{"one argument more: " + described(sample_.positional[i])};
    const auto& [name, value] = sample_.named[i - sample_.positional.size()];
    if (value.kind == Value::Kind::none) continue;  // the default
    if (std::find(std::begin(kNoMeaning), std::end(kNoMeaning), name) == std::end(kNoMeaning))
      throw Unfit{name + ": " + described(value)};
  }
  return run_;
}

Tensor Call::target(const Arg& x) {
  if (!x.is_tensor()) throw Unfit{"in place of a number"};
  const Tensor& t = x.tensor();
  const auto category = [](DType d) { return is_floating(d) ? 2 : d == DType::boolean ? 0 : 1; };
  if (t.shape() != outs.at(0).shape()) throw Unfit{"in place of an operand of another shape"};
  if (category(t.dtype()) < category(outs[0].dtype())) throw Unfit{"in place of a lower dtype"};
  return t.clone();
}

Number number(const Arg& a) {
  if (!a.is_tensor()) return a.number();
  return is_floating(a.tensor().dtype()) ? Number(a.tensor().item<double>()) : Number(a.tensor().item<int64_t>());
}
Tensor own(const Tensor& t) { return t.defined() ? t.clone() : t; }
Tensor as_tensor(const Arg& a) { return a.is_tensor() ? a.tensor() : tensor(a.number().real); }
std::vector<Tensor> some(const ValuesInverseCounts& r, bool inverse, bool counts) {
  std::vector<Tensor> result = {r.values};
  if (inverse) result.push_back(r.inverse);
  if (counts) result.push_back(r.counts);
  return result;
}
std::vector<Tensor> some(const ValuesIndices& r, bool indices) {
  return indices ? std::vector{r.values, r.indices} : std::vector{r.values};
}
Tensor integers(const Axes& list) { return Tensor::from(list.values); }
Ints extents(const Tensor& x, const Indices& sizes, size_t dims) {
  Shape result;
  for (size_t i = 0; i < dims; ++i) {
    const Index& size = sizes.list()[sizes.list().size() == 1 ? 0 : i];
    result.push_back(size.kind == Index::Kind::integer ? size.integer
                                                       : x.size(static_cast<int64_t>(i) - static_cast<int64_t>(dims)));
  }
  return result;
}
Shape scaled(const Tensor& x, const std::vector<double>& factors) {
  Shape result;
  for (size_t d = 2; d < x.shape().size(); ++d)
    result.push_back(static_cast<int64_t>(
        std::floor(static_cast<double>(x.shape()[d]) * (factors.size() == 1 ? factors[0] : factors[d - 2]))));
  return result;
}

}  // namespace jot::coverage
