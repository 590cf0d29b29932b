// The page of a run, or of one graph: a text that stands alone, in which blocks of JSON follow a head (ir/page/page.js
// reads them, on demand).
#pragma once
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ir/graph.h"

namespace jot {

// All that stands before the first block.
std::string page_head(std::string_view title);

std::string html_escaped(std::string_view text);
// JSON within a <script>: no end tag in it.
void append_script(std::string& out, std::string_view json);

template <class T>
void append_integer(std::string& out, T x) {
  char digits[24];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, x).ptr);
}

// "[1,2,3]"
template <class Range>
void append_integers(std::string& out, const Range& numbers) {
  out += '[';
  bool first = true;
  for (const auto& x : numbers) {
    if (!first) out += ',';
    first = false;
    append_integer(out, x);
  }
  out += ']';
}

// The graphs of one block, each once, with the regions of their ops, and the tables that they share: names of ops,
// types, files, lines, attributes.
class PageGraphs {
 public:
  // The number of a graph. Handles are kept.
  uint32_t add(const ir::Graph& g);
  // `"ops":[...],...,"graphs":[...]`: members of an object.
  std::string json();
  // Files that lines name; after json().
  const std::vector<std::string>& files() const { return files_.keys(); }

 private:
  // Distinct strings, numbered.
  class Table {
   public:
    uint32_t number(std::string_view key);
    const std::vector<std::string>& keys() const { return keys_; }
    void append(std::string& out, std::string_view name) const;

   private:
    std::vector<std::string> keys_;
    std::unordered_map<std::string, uint32_t> numbers_;
  };
  std::string encode(const ir::GraphData& g);
  std::string lines_of(const ir::GraphData& g, uint32_t origin);

  std::vector<ir::Graph> graphs_;
  std::unordered_map<const ir::GraphData*, uint32_t> numbers_;
  Table ops_, types_, files_, scopes_, attributes_, origins_;
};

}  // namespace jot
