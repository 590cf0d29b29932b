// Modules and parameters in order or by name. Copies share what is appended.
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "jot/module.h"

namespace jot::nn {

class Identity : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
};

// What a container is asked for, with the line that asks. By value: what is returned refers to no temporary.
class ModuleIndex {
 public:
  template <std::integral T>
  ModuleIndex(T i, Location line = JOT_HERE)
      : value(static_cast<int64_t>(i)), at(line) {}  // NOLINT: implicit by design
  int64_t value;
  Location at;
};
class ModuleKey {
 public:
  template <std::convertible_to<std::string> S>
  ModuleKey(const S& name, Location line = JOT_HERE) : value(name), at(line) {}  // NOLINT: implicit by design
  std::string value;
  Location at;
};

// What Sequential and ModuleList share: modules "0", "1", ...
class ModuleSequence : public Module {
 public:
  int64_t size() const;
  // Negative numbers count from the end. IndexError.
  const Module& operator[](ModuleIndex i) const;
  // The same as one of its class, for modules that are not called with one tensor. TransformError where it is another.
  template <std::derived_from<Module> M>
  const M& as(ModuleIndex i) const {
    const auto* m = dynamic_cast<const M*>(&(*this)[i]);
    if (!m) fail_class(i);
    return *m;
  }
  template <std::derived_from<Module> M>
  void append(M module, Location at = JOT_HERE) const {
    register_module(std::to_string(size()), std::move(module), at);
  }

  class Iterator {
   public:
    Iterator(const ModuleSequence& list, int64_t i) : list_(&list), i_(i) {}
    const Module& operator*() const { return (*list_)[i_]; }
    Iterator& operator++() {
      ++i_;
      return *this;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.i_ == b.i_; }

   private:
    const ModuleSequence* list_;
    int64_t i_;
  };
  Iterator begin() const { return {*this, 0}; }
  Iterator end() const { return {*this, size()}; }

 private:
  [[noreturn]] void fail_class(ModuleIndex i) const;
};

// One module after the other.
class Sequential : public ModuleSequence {
 public:
  template <std::derived_from<Module>... M>
  explicit Sequential(M... modules) {
    (append(std::move(modules)), ...);
  }
  Tensor forward(const Tensor& x) const override;
};

// To index and to go over.
class ModuleList : public ModuleSequence {
 public:
  template <std::derived_from<Module>... M>
  explicit ModuleList(M... modules) {
    (append(std::move(modules)), ...);
  }
  template <std::derived_from<Module> M>
  explicit ModuleList(const std::vector<M>& modules) {
    for (const M& m : modules) append(m);
  }
};

struct ModuleEntry {
  template <std::derived_from<Module> M>
  ModuleEntry(std::string name_in_dict, M entry)
      : name(std::move(name_in_dict)), module(std::make_shared<const M>(std::move(entry))) {}
  std::string name;
  std::shared_ptr<const Module> module;
};
// By name, in the order of insertion: ModuleDict({{"conv", Conv2d(1, 2, 3)}, {"pool", MaxPool2d(2)}}).
class ModuleDict : public Module {
 public:
  ModuleDict() = default;
  explicit ModuleDict(std::initializer_list<ModuleEntry> entries, Location at = JOT_HERE);
  int64_t size() const;
  bool contains(const std::string& name) const;
  std::vector<std::string> keys() const;
  // IndexError.
  const Module& operator[](ModuleKey name) const;
  // TransformError where it is of another class.
  template <std::derived_from<Module> M>
  const M& as(ModuleKey name) const {
    const auto* m = dynamic_cast<const M*>(&(*this)[name]);
    if (!m) fail_class(name);
    return *m;
  }
  // TransformError for a name that is taken, empty or has a '.'.
  template <std::derived_from<Module> M>
  void insert(std::string name, M module, Location at = JOT_HERE) const {
    register_module(std::move(name), std::move(module), at);
  }

 private:
  [[noreturn]] void fail_class(ModuleKey name) const;
};

// Parameters "0", "1", ...
class ParameterList : public Module {
 public:
  ParameterList() = default;
  explicit ParameterList(const std::vector<Tensor>& values, Location at = JOT_HERE);
  int64_t size() const;
  // Negative numbers count from the end. IndexError.
  Parameter operator[](ModuleIndex i) const;
  Parameter append(const Tensor& value, Location at = JOT_HERE) const;
};

}  // namespace jot::nn
