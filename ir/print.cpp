#include "ir/print.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

namespace jot::ir {
namespace {

constexpr size_t kWhole = std::numeric_limits<size_t>::max();

template <class T>
void append_number(std::string& out, T x, int base = 10) {
  char buffer[32];
  if constexpr (std::is_floating_point_v<T>)
    out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, x).ptr);
  else
    out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, x, base).ptr);
}

bool is_identifier(std::string_view s) {
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  auto inside = [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '.'; };
  return !s.empty() && letter(s[0]) && std::ranges::all_of(s, inside);
}

void append_name(std::string& out, std::string_view name) {
  if (is_identifier(name))
    out += name;
  else
    append_quoted(out, name);
}

void append_ints(std::string& out, Ints list) {
  out += '[';
  for (size_t i = 0; i < list.size(); ++i) {
    if (i) out += ',';
    append_number(out, list[i]);
  }
  out += ']';
}

// Prints one graph.
class Printer {
 public:
  explicit Printer(const GraphData& g, size_t indent = 0) : g_(g), indent_(indent, ' ') {}

  std::string take() { return std::move(out_); }

  void value(Value v) {
    if (!names_) names_.emplace(g_);
    names_->append(out_, v);
  }

  void typed(Value v) {
    value(v);
    out_ += ": ";
    type(g_.type(v));
  }

  void node(Value v, size_t max_data) {
    if (g_.op(v) == Op::result_op) v = g_.operand(v, 0);
    for (Value i = 0; i < g_.results(v); ++i) {
      if (i) out_ += ", ";
      typed(v + i);
    }
    if (g_.op(v) == Op::param_op) return;
    out_ += " = ";
    out_ += name_of(g_.op(v));
    if (g_.in_place(v)) out_ += '_';
    out_ += '(';
    list(g_.operands(v));
    out_ += ')';
    if (schema(g_.op(v)).empty()) return;
    out_ += " {";
    attributes(v, max_data);
    out_ += '}';
  }

  void attributes(Value v, size_t max_data) {
    AttrView attrs = g_.attrs(v);
    const char* separator = "";
    for (Key key : schema(g_.op(v))) {
      out_ += separator;
      out_ += name_of(key);
      out_ += '=';
      attribute(attrs, key, g_.dtype(v), max_data);
      separator = ", ";
    }
  }

  void attribute_of(Value v, Key key, size_t max_data) { attribute(g_.attrs(v), key, g_.dtype(v), max_data); }

  void graph() {
    out_ += "func ";
    body();
    out_ += '\n';
  }

  // A graph without its first word and its last line end: a region.
  void body() {
    out_ += '@';
    append_name(out_, g_.name());
    out_ += '(';
    for (Value v : g_.inputs()) {
      if (v) out_ += ", ";
      typed(v);
      origin(v);
    }
    out_ += ") -> (";
    std::span<const Value> results = g_.outputs().first(g_.num_results());
    for (size_t i = 0; i < results.size(); ++i) {
      if (i) out_ += ", ";
      type(g_.type(results[i]));
    }
    out_ += ") {\n";
    for (Value v = static_cast<Value>(g_.inputs().size()); v < g_.size(); ++v) {
      if (g_.op(v) == Op::result_op) continue;
      line("");
      node(v, kWhole);
      origin(v);
      out_ += '\n';
    }
    for (size_t i = 0; i < g_.writebacks().size(); ++i) {
      line("writeback ");
      value(g_.inputs()[g_.writebacks()[i]]);
      out_ += " = ";
      value(g_.outputs()[results.size() + i]);
      out_ += '\n';
    }
    line(results.empty() ? "return" : "return ");
    list(results);
    out_ += '\n' + indent_ + '}';
  }

 private:
  void line(std::string_view begin) {
    out_ += indent_;
    out_ += "  ";
    out_ += begin;
  }

  // In full on lines of its own, or only its name and types.
  void region(const Graph& region, bool whole) {
    const GraphData& g = region.data();
    if (whole) {
      Printer p(g, indent_.size() + 4);
      p.body();
      out_ += '\n' + p.indent_ + p.take();
      return;
    }
    out_ += '@';
    append_name(out_, g.name());
    auto types = [&](std::span<const Value> values) {
      out_ += '(';
      for (size_t i = 0; i < values.size(); ++i) {
        if (i) out_ += ", ";
        type(g.type(values[i]));
      }
      out_ += ')';
    };
    types(g.inputs());
    out_ += " -> ";
    types(g.outputs());
  }

  void list(std::span<const Value> values) {
    for (size_t i = 0; i < values.size(); ++i) {
      if (i) out_ += ", ";
      value(values[i]);
    }
  }

  void type(const Type& t) {
    if (t.token) {
      out_ += "token";
      return;
    }
    out_ += to_string(t.dtype);
    append_ints(out_, t.shape);
  }

  void attribute(AttrView attrs, Key key, DType dtype, size_t max_data) {
    switch (kind_of(key)) {
      case AttrKind::integer:
        append_number(out_, attrs.integer(key));
        break;
      case AttrKind::ints:
        append_ints(out_, attrs.ints(key));
        break;
      case AttrKind::pair:
        out_ += '[';
        append_ints(out_, attrs.first(key));
        out_ += ',';
        append_ints(out_, attrs.second(key));
        out_ += ']';
        break;
      case AttrKind::dtype:
        out_ += to_string(static_cast<DType>(attrs.integer(key)));
        break;
      case AttrKind::mode:
        out_ += name_of(static_cast<IndexMode>(attrs.integer(key)));
        break;
      case AttrKind::direction:
        out_ += name_of(static_cast<Direction>(attrs.integer(key)));
        break;
      case AttrKind::data:
        data(attrs.ints(key), dtype, max_data);
        break;
      case AttrKind::region:
        region(attrs.region(key), max_data == kWhole);
        break;
      case AttrKind::regions:
        out_ += '[';
        for (size_t i = 0; i < attrs.num_regions(key); ++i) {
          if (i) out_ += max_data == kWhole ? "," : ", ";
          region(attrs.region(key, i), max_data == kWhole);
        }
        out_ += ']';
        break;
    }
  }

  void data(Ints words, DType dtype, size_t max_data) {
    out_ += '[';
    for (size_t i = 0; i < std::min(words.size(), max_data); ++i) {
      if (i) out_ += ',';
      append_element(out_, dtype, words[i]);
    }
    if (words.size() > max_data) out_ += ",...";
    out_ += ']';
  }

  void origin(Value v) {
    const Location& where = g_.location(v);
    if (where.file != nullptr && *where.file != '\0') {
      out_ += " loc(";
      for (uint32_t i = g_.node(v).origin;; i = g_.origin_at(i).also) {
        append_quoted(out_, g_.origin_at(i).location.file);
        out_ += ':';
        append_number(out_, g_.origin_at(i).location.line);
        if (g_.origin_at(i).also == 0) break;
        out_ += ", ";
      }
      out_ += ')';
    }
    if (!g_.scope(v).empty()) {
      out_ += " scope(";
      append_quoted(out_, g_.scope(v));
      out_ += ')';
    }
    if (const Call& call = g_.call(v); call != Call{}) {
      out_ += " call(";
      append_quoted(out_, call.function);
      out_ += ", ";
      append_ints(out_, call.dims);
      out_ += ", ";
      append_ints(out_, call.lanes);
      if (!call.demand.empty()) {
        out_ += ", ";
        append_quoted(out_, call.demand);
      }
      out_ += ')';
    }
  }

  const GraphData& g_;
  std::string indent_;
  std::optional<ValueNames> names_;
  std::string out_;
};

}  // namespace

void append_element(std::string& out, DType dtype, int64_t word) {
  if (!is_floating(dtype)) return append_number(out, word);
  double x = std::bit_cast<double>(word);
  auto same = [&](double y) { return std::bit_cast<int64_t>(y) == word; };
  if (word == kNanBits) {
    out += "nan";
  } else if (word == (kNanBits | std::numeric_limits<int64_t>::min())) {
    out += "-nan";
  } else if (dtype == DType::f64 && !std::isnan(x)) {
    append_number(out, x);
  } else if (dtype != DType::f64 && !std::isnan(x) && same(static_cast<float>(x))) {
    append_number(out, static_cast<float>(x));
  } else {
    out += "0x";
    append_number(out, static_cast<uint64_t>(word), 16);
  }
}

void append_quoted(std::string& out, std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  out += '"';
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\x";
      out += digits[byte >> 4];
      out += digits[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

ValueNames::ValueNames(const GraphData& g) : g_(g), named_(g.inputs().size() + 1, 0) {
  for (size_t i = 0; i < g.inputs().size(); ++i) named_[i + 1] = named_[i] + !g.input_name(i).empty();
}

void ValueNames::append(std::string& out, Value v) const {
  out += '%';
  size_t inputs = g_.inputs().size();
  if (v < inputs && !g_.input_name(v).empty())
    append_name(out, g_.input_name(v));
  else
    append_number(out, v - named_[std::min<size_t>(v, inputs)]);
}

std::string ValueNames::operator()(Value v) const {
  std::string out;
  append(out, v);
  return out;
}

std::string node_text(const GraphData& g, Value v, size_t max_data) {
  Printer p(g);
  p.node(v, max_data);
  return p.take();
}

std::string attributes_text(const GraphData& g, Value v, size_t max_data) {
  Printer p(g);
  p.attributes(v, max_data);
  return p.take();
}

std::string attribute_text(const GraphData& g, Value v, Key key, size_t max_data) {
  Printer p(g);
  p.attribute_of(v, key, max_data);
  return p.take();
}

std::vector<std::pair<std::string, const GraphData*>> labelled_regions(const GraphData& g, Value v) {
  std::vector<std::pair<std::string, const GraphData*>> result;
  AttrView attrs = g.attrs(v);
  for (Key key : schema(g.op(v))) {
    std::string name(name_of(key));
    if (kind_of(key) == AttrKind::region) result.emplace_back(name, &attrs.region(key).data());
    if (kind_of(key) == AttrKind::regions)
      for (size_t i = 0; i < attrs.num_regions(key); ++i)
        result.emplace_back(name + " " + std::to_string(i), &attrs.region(key, i).data());
  }
  return result;
}

}  // namespace jot::ir

namespace jot {

std::string to_text(const ir::Graph& graph) {
  ir::Printer p(graph.data());
  p.graph();
  return p.take();
}

}  // namespace jot
