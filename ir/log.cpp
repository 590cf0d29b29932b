#include "ir/log.h"

#include <cstdio>
#include <string>

namespace jot {

void log(std::string_view topic, std::string_view text) {
  std::string line = "[jot] " + std::string(topic) + ": " + std::string(text) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);  // one call: the stream's lock covers it
}

}  // namespace jot
