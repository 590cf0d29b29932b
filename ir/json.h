#pragma once
#include <string>
#include <string_view>

namespace jot::ir {

// `text` as a JSON string, in quotes.
std::string json_quoted(std::string_view text);

}  // namespace jot::ir
