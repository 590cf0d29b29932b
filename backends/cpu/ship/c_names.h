// Names that files of C can give what they define.
#pragma once
#include <string_view>

namespace jot::cpu {

bool is_c_identifier(std::string_view name);  // no keyword
// An identifier of C99 that is free beside <stddef.h>, <stdint.h> and <math.h>: nothing of theirs, not main.
bool is_free_c_name(std::string_view name);

}  // namespace jot::cpu
