// Pieces of the text form (docs/ir.md), for errors and drawings.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ir/graph.h"

namespace jot::ir {

// "%x" of a named parameter; values without a name are numbered in order: "%0", "%1". Making it is O(inputs).
class ValueNames {
 public:
  explicit ValueNames(const GraphData& g);
  std::string operator()(Value v) const;
  void append(std::string& out, Value v) const;

 private:
  const GraphData& g_;
  std::vector<uint32_t> named_;  // how many of the first i inputs have a name
};
inline std::string value_name(const GraphData& g, Value v) { return ValueNames(g)(v); }

// One op without its location: "%0: f32[3] = dot(%w, %x) {contract=[[1],[0]]}"; of a parameter "%x: f32[3]"; of several
// results "%0: f32[3], %1: i64[3] = ...". Constants of more than `max_data` elements, and regions, are cut short.
std::string node_text(const GraphData& g, Value v, size_t max_data = 8);

// "contract=[[1],[0]], batch=[[],[]]".
std::string attributes_text(const GraphData& g, Value v, size_t max_data);

// One of them: "[[1],[0]]".
std::string attribute_text(const GraphData& g, Value v, Key key, size_t max_data);

// The regions of a node with their names: "body", "branches 0", "branches 1".
std::vector<std::pair<std::string, const GraphData*>> labelled_regions(const GraphData& g, Value v);

// The NaN that prints as "nan"; with the sign bit set as "-nan".
inline constexpr int64_t kNanBits = 0x7ff8000000000000;

// An element of a constant of this dtype (Key::data): the shortest decimal that reads back exactly; where there is none
// (NaN with a payload) its bits as 0x...
void append_element(std::string& out, DType dtype, int64_t word);

// `text` in quotes, with escapes.
void append_quoted(std::string& out, std::string_view text);

}  // namespace jot::ir
