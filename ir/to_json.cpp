#include <limits>
#include <numeric>
#include <vector>

#include "ir/json.h"
#include "ir/print.h"

namespace jot {

namespace ir {

std::string json_quoted(std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out = "\"";
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += digits[byte >> 4];
      out += digits[byte & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

}  // namespace ir

namespace {

using namespace ir;

constexpr size_t kWhole = std::numeric_limits<size_t>::max();

template <class Range, class Text>
std::string list(const Range& items, Text text) {
  std::string out = "[", separator;
  for (const auto& item : items) {
    out += separator + text(item);
    separator = ", ";
  }
  return out + "]";
}

std::string values(std::span<const Value> list_of) {
  return list(list_of, [](Value v) { return std::to_string(v); });
}

std::string element(DType dtype, int64_t word) {
  std::string text;
  append_element(text, dtype, word);
  bool number = text.find_first_not_of("+-.0123456789e") == std::string::npos;
  return number ? text : json_quoted(text);
}

std::string graph_json(const GraphData& g);

std::string attribute(const GraphData& g, Value v, Key key) {
  AttrView attrs = g.attrs(v);
  switch (kind_of(key)) {
    case AttrKind::region:
      return graph_json(attrs.region(key).data());
    case AttrKind::regions: {
      std::vector<size_t> positions(attrs.num_regions(key));
      std::iota(positions.begin(), positions.end(), size_t{0});
      return list(positions, [&](size_t i) { return graph_json(attrs.region(key, i).data()); });
    }
    case AttrKind::data:
      return list(g.attrs(v).ints(key), [&](int64_t word) { return element(g.dtype(v), word); });
    case AttrKind::dtype:
    case AttrKind::mode:
    case AttrKind::direction:
      return json_quoted(attribute_text(g, v, key, kWhole));
    case AttrKind::integer:
    case AttrKind::ints:
    case AttrKind::pair:
      return attribute_text(g, v, key, kWhole);
  }
  return {};
}

std::string node(const GraphData& g, const ValueNames& names, Value v) {
  bool parameter = g.op(v) == Op::param_op;
  std::string out = "{\"name\": " + json_quoted(names(v).substr(1)) + ", \"op\": " + json_quoted(name_of(g.op(v)));
  if (g.in_place(v)) out += ", \"in_place\": true";
  out += ", \"type\": " + json_quoted(to_string(g.type(v))) + ", \"operands\": " + values(g.operands(v));
  std::string separator = ", \"attributes\": {";
  for (Key key : schema(g.op(v))) {
    if (parameter) break;
    out += separator + json_quoted(name_of(key)) + ": " + attribute(g, v, key);
    separator = ", ";
  }
  if (separator == ", ") out += "}";
  const Location& where = g.location(v);
  if (*where.file != '\0')
    out += ", \"file\": " + json_quoted(where.file) + ", \"line\": " + std::to_string(where.line);
  if (!g.scope(v).empty()) out += ", \"scope\": " + json_quoted(g.scope(v));
  return out + "}";
}

std::string graph_json(const GraphData& g) {
  ValueNames names(g);
  std::string out = "{\"name\": " + json_quoted(g.name()) + ",\n \"pure\": " + (g.pure() ? "true" : "false") +
                    ",\n \"inputs\": " + values(g.inputs()) +
                    ",\n \"results\": " + values(g.outputs().first(g.num_results())) + ",\n \"writebacks\": [";
  for (size_t i = 0; i < g.writebacks().size(); ++i)
    out += std::string(i ? ", " : "") + "{\"input\": " + std::to_string(g.inputs()[g.writebacks()[i]]) +
           ", \"value\": " + std::to_string(g.outputs()[g.num_results() + i]) + "}";
  out += "],\n \"nodes\": [";
  for (Value v = 0; v < g.size(); ++v) out += (v ? ",\n  " : "\n  ") + node(g, names, v);
  return out + "\n]}";
}

}  // namespace

std::string to_json(const Graph& graph) { return graph_json(graph.data()) + "\n"; }

}  // namespace jot
