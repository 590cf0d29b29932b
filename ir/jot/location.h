#pragma once

namespace jot {

// A line of the user's program. Taken by default arguments (JOT_HERE) and by the implicit constructors of Arg and
// Index: std::source_location cannot be a default argument of an operator. `file` has static storage duration.
struct Location {
  const char* file = "";
  int line = 0;

  // Not from {}: so that an empty list is never taken for the line of a call.
  explicit constexpr Location() = default;
  constexpr Location(const char* f, int l) : file(f), line(l) {}
  friend bool operator==(const Location&, const Location&) = default;
};

// The line that calls. As a default argument: that of the function's caller (g++ 12 takes a Location written there with
// braces and its type for the line of the declaration).
constexpr Location here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) { return {file, line}; }
#define JOT_HERE ::jot::here()

}  // namespace jot
