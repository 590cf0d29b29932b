// Where on the user's side this thread records.
#pragma once
#include <cstddef>
#include <string_view>

#include "jot/location.h"

namespace jot::detail {

// While alive, nodes recorded on this thread carry this scope name (nested with '/') and, where `at` is set, its line
// instead of their own: so composites and modules report the user's line.
class Scope {
 public:
  explicit Scope(std::string_view name, Location at = Location());
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  size_t name_size_;
  Location outer_;
};

// While alive, modules that are not told where they are called take it to be `at`, if that is known.
class CallSite {
 public:
  explicit CallSite(Location at);
  ~CallSite();
  CallSite(const CallSite&) = delete;
  CallSite& operator=(const CallSite&) = delete;
  static Location current();

 private:
  Location outer_;
};

// While alive, what this thread records is the work of one function of the library, which is made of others: errors
// carry its name and the line of its call. The outermost counts.
class Composite {
 public:
  Composite(std::string_view name, Location at);
  ~Composite();
  Composite(const Composite&) = delete;
  Composite& operator=(const Composite&) = delete;

 private:
  std::string_view outer_;
  Location outer_line_;
};

}  // namespace jot::detail
