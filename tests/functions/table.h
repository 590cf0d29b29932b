// The lines of the tables core/functions.def, core/nn.def and core/linalg.def.
#pragma once
#include <string>
#include <vector>

namespace jot::test {

struct TableLine {
  std::string name, body;  // "nn." or "linalg." in front of the names of these
};
inline const std::vector<TableLine> kTable = {
#define FUNCTION(name, forms, marks, body, ...) {#name, #body},
#define RESULT(...)
#define OPTIONS(...)
#define SECTION(...)
#define TEXT(...)
#define NAMESPACE(...)
#define USING(...)
#include "core/functions.def"
#undef FUNCTION
#define FUNCTION(name, forms, marks, body, ...) {"nn." #name, #body},
#include "core/nn.def"
#undef FUNCTION
#define FUNCTION(name, forms, marks, body, ...) {"linalg." #name, #body},
#include "core/linalg.def"
#undef FUNCTION
#undef RESULT
#undef OPTIONS
#undef SECTION
#undef TEXT
#undef NAMESPACE
#undef USING
};

}  // namespace jot::test
