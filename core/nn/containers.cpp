#include "jot/nn_containers.h"

#include <algorithm>

#include "core/nn/module_state.h"
#include "core/storage/views.h"

namespace jot::nn {

using detail::fail;

namespace {

// Negatives count from the end.
size_t wrapped(std::string_view what, ModuleIndex index, size_t size) {
  const auto n = static_cast<int64_t>(size);
  const int64_t i = index.value;
  if (i < -n || i >= n)
    fail<IndexError>(what, "index " + std::to_string(i) + " is out of range: expected one of " + std::to_string(n),
                     index.at);
  return static_cast<size_t>(i < 0 ? i + n : i);
}

}  // namespace

Tensor Identity::forward(const Tensor& x) const { return x; }

int64_t ModuleSequence::size() const { return static_cast<int64_t>(state().children.size()); }
const Module& ModuleSequence::operator[](ModuleIndex i) const {
  const auto& children = state().children;
  return *children[wrapped(detail::class_name(typeid(*this)), i, children.size())].second;
}
void ModuleSequence::fail_class(ModuleIndex i) const {
  const Module& module = (*this)[i];
  fail<TransformError>(detail::class_name(typeid(*this)),
                       "module " + std::to_string(i.value) + " is a " + detail::class_name(typeid(module)) +
                           ", not of the class that is asked for",
                       i.at);
}

Tensor Sequential::forward(const Tensor& x) const {
  Tensor y = x;
  for (const auto& [name, m] : state().children) y = m->forward(y);
  return y;
}

ModuleDict::ModuleDict(std::initializer_list<ModuleEntry> entries, Location at) {
  for (const ModuleEntry& e : entries) add_module(e.name, e.module, at);
}
int64_t ModuleDict::size() const { return static_cast<int64_t>(state().children.size()); }
std::vector<std::string> ModuleDict::keys() const {
  std::vector<std::string> result;
  for (const auto& [name, m] : state().children) result.push_back(name);
  return result;
}
bool ModuleDict::contains(const std::string& name) const {
  return std::ranges::any_of(state().children, [&](const auto& child) { return child.first == name; });
}
const Module& ModuleDict::operator[](ModuleKey name) const {
  std::string names;
  for (const auto& [key, m] : state().children) {
    if (key == name.value) return *m;
    names += (names.empty() ? "'" : ", '") + key + "'";
  }
  fail<IndexError>("ModuleDict", "no module '" + name.value + "': it has " + (names.empty() ? "none" : names), name.at);
}
void ModuleDict::fail_class(ModuleKey name) const {
  const Module& module = (*this)[name];
  fail<TransformError>(
      "ModuleDict",
      "module '" + name.value + "' is a " + detail::class_name(typeid(module)) + ", not of the class that is asked for",
      name.at);
}

ParameterList::ParameterList(const std::vector<Tensor>& values, Location at) {
  for (const Tensor& v : values) append(v, at);
}
int64_t ParameterList::size() const { return static_cast<int64_t>(state().parameters.size()); }
Parameter ParameterList::operator[](ModuleIndex i) const {
  const auto& parameters = state().parameters;
  return Parameter(parameters[wrapped("ParameterList", i, parameters.size())].second);
}
Parameter ParameterList::append(const Tensor& value, Location at) const {
  return register_parameter(std::to_string(size()), value, at);
}

}  // namespace jot::nn
