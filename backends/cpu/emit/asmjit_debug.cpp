// asmjit's DebugUtils. Those of Debian's static library reach stderr in a way that no shared library may contain; as
// they are defined here, the linker leaves that object out.
#include <asmjit/core.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "ir/log.h"

ASMJIT_BEGIN_NAMESPACE
namespace DebugUtils {

const char* errorAsString(Error error) noexcept {
  static const auto* names = [] {
    auto* list = new std::vector<std::string>;
    for (Error e = 0; e <= kErrorCount; ++e) list->push_back("asmjit error " + std::to_string(e));
    return list;
  }();
  return (*names)[error < kErrorCount ? error : kErrorCount].c_str();
}

void debugOutput(const char* text) noexcept { jot::log("asmjit", text); }

void assertionFailed(const char* file, int line, const char* message) noexcept {
  jot::log("asmjit", std::string(file) + ":" + std::to_string(line) + ": " + message);
  std::abort();
}

}  // namespace DebugUtils
ASMJIT_END_NAMESPACE
