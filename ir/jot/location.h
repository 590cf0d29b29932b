#pragma once

namespace jot {

// A line of the user's program. Taken by default arguments (JOT_HERE) and by the implicit constructors of Arg and
// Index: std::source_location cannot be a default argument of an operator. `file` has static storage duration.
struct Location {
  const char* file = "";
  int line = 0;
  friend bool operator==(const Location&, const Location&) = default;
};

#define JOT_HERE \
  ::jot::Location { __builtin_FILE(), __builtin_LINE() }

}  // namespace jot
