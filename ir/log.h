#pragma once
#include <string_view>

namespace jot {

// Writes "[jot] topic: text" as one line to stderr: lines of several threads never mix.
void log(std::string_view topic, std::string_view text);

}  // namespace jot
