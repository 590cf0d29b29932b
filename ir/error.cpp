#include "jot/error.h"

namespace jot {

std::string at(Location where) {
  if (where.file == nullptr || *where.file == '\0') return "";
  return std::string("\n  at ") + where.file + ":" + std::to_string(where.line);
}

void internal_error(std::string_view condition, std::string_view detail, Location where) {
  throw InternalError("[jot] internal error: " + std::string(condition) + (detail.empty() ? "" : ": ") +
                      std::string(detail) + at(where));
}

}  // namespace jot
