#pragma once
#include <string>
#include <string_view>

#include "jot/ir.h"

namespace jot::test {

// What must hold for any text whatever: it parses to a graph that prints and parses to itself, or to an IrError that
// begins with a position or the node's line. Returns what does not hold; puts the error of a bad text into `error`.
inline std::string check_text(std::string_view text, std::string* error = nullptr) {
  if (error) error->clear();
  ir::Graph g;
  try {
    g = ir::parse(text);
  } catch (const IrError& e) {
    std::string what = e.what();
    if (error) *error = what;
    if (!what.starts_with("[parse] line ") && !what.starts_with("[verify] "))
      return "an error without a position: " + what;
    return "";
  } catch (const std::exception& e) {
    return std::string("another exception than an IrError: ") + e.what();
  }
  try {
    std::string printed = to_text(g);
    ir::Graph again = ir::parse(printed);
    if (!(again == g)) return "printing and parsing gives another graph:\n" + printed;
    if (to_text(again) != printed) return "the text changes when printed again:\n" + printed;
  } catch (const std::exception& e) {
    return std::string("what was printed does not parse: ") + e.what();
  }
  return "";
}

}  // namespace jot::test
