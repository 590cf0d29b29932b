#pragma once
#include <stdexcept>
#include <string>
#include <string_view>

#include "jot/location.h"

namespace jot {

// Every error a user can cause. what(): "[op] what is wrong, expected, got, remedy\n  at file:line".
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message) {}
};
class ShapeError : public Error {
  using Error::Error;
};
class DTypeError : public Error {
  using Error::Error;
};
class IndexError : public Error {
  using Error::Error;
};
class TransformError : public Error {
  using Error::Error;
};  // a transform used wrongly
class TraceError : public Error {
  using Error::Error;
};  // a symbolic value was read, or outlived its transform
class LinalgError : public Error {
  using Error::Error;
};
class IrError : public Error {
  using Error::Error;
};  // parse, verify
class MemoryError : public Error {
  using Error::Error;
};  // there is no more memory
class CacheError : public Error {
  using Error::Error;
};

// A fault of jot itself: file, line and the broken condition.
class InternalError : public Error {
  using Error::Error;
};
[[noreturn]] void internal_error(std::string_view condition, std::string_view detail, Location at = JOT_HERE);

// "\n  at file:line", empty without a file.
std::string at(Location where);

}  // namespace jot
