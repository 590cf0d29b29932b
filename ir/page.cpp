#include "ir/page.h"

#include <algorithm>

#include "ir/json.h"
#include "ir/print.h"

namespace jot {

using namespace ir;

extern const char* const kPageStyle;  // ir/page/, by ir/page/embed.py
extern const char* const kPageScript;
extern const char* const kPageBody;

std::string page_head(std::string_view title) {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>" + html_escaped(title) +
         "</title>\n<style>\n" + kPageStyle + "</style>\n<body>\n" + kPageBody + "<script>\n" + kPageScript +
         "</script>\n";
}

std::string html_escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '&')
      out += "&amp;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

void append_script(std::string& out, std::string_view json) {
  for (size_t at = 0; at < json.size();) {
    const size_t tag = std::min(json.find('<', at), json.size());
    out += json.substr(at, tag - at);
    if (tag < json.size()) out += "\\u003c";
    at = tag + 1;
  }
}

uint32_t PageGraphs::Table::number(std::string_view key) {
  const auto next = static_cast<uint32_t>(keys_.size());
  const auto [at, fresh] = numbers_.try_emplace(std::string(key), next);
  if (fresh) keys_.emplace_back(key);
  return at->second;
}

void PageGraphs::Table::append(std::string& out, std::string_view name) const {
  out += '"';
  out += name;
  out += "\":[";
  for (size_t i = 0; i < keys_.size(); ++i) (out += i ? "," : "") += json_quoted(keys_[i]);
  out += ']';
}

uint32_t PageGraphs::add(const Graph& g) {
  const auto [at, fresh] = numbers_.try_emplace(&g.data(), static_cast<uint32_t>(graphs_.size()));
  if (fresh) graphs_.push_back(g);
  return at->second;
}

namespace {

constexpr uint32_t kNoOrigin = 0xffffffff;

// The origin of each node. One without a line has that of its first user, else of its first operand, which has one.
std::vector<uint32_t> origins_of(const GraphData& g) {
  std::vector<uint32_t> origins(g.size(), kNoOrigin);
  const auto own = [&](Value v) { return *g.location(v).file != '\0'; };
  for (Value v = g.size(); v-- > 0;) {
    if (own(v)) origins[v] = g.node(v).origin;
    if (origins[v] == kNoOrigin) continue;
    for (Value o : g.operands(v))
      if (!own(o)) origins[o] = origins[v];
  }
  for (Value v = 0; v < g.size(); ++v)
    for (Value o : g.operands(v))
      if (origins[v] == kNoOrigin) origins[v] = origins[o];
  // What is tied to nothing: as its neighbour.
  for (Value v = 1; v < g.size(); ++v)
    if (origins[v] == kNoOrigin) origins[v] = origins[v - 1];
  for (Value v = g.size(); v-- > 1;)
    if (origins[v - 1] == kNoOrigin) origins[v - 1] = origins[v];
  return origins;
}

}  // namespace

// "file,line,scope" for each.
std::string PageGraphs::lines_of(const GraphData& g, uint32_t origin) {
  std::string key;
  for (uint32_t i = origin;; i = g.origin_at(i).also) {
    const Origin& o = g.origin_at(i);
    append_integer(key, files_.number(o.location.file));
    key += ',';
    append_integer(key, o.location.line);
    key += ',';
    append_integer(key, scopes_.number(g.scope_at(o.scope)));
    if (o.also == 0) return key;
    key += ',';
  }
}

std::string PageGraphs::encode(const GraphData& g) {
  const uint32_t kNew = 0xffffffff;
  std::vector<uint32_t> types, origins;
  const auto at = [kNew](std::vector<uint32_t>& known, uint32_t i, auto make) {
    if (i >= known.size()) known.resize(i + 1, kNew);
    if (known[i] == kNew) known[i] = make();
    return known[i];
  };
  std::vector<uint32_t> ops(static_cast<size_t>(num_ops()), kNew);
  const std::vector<uint32_t> origin = origins_of(g);
  std::string nodes = "[", texts = "[", regions = "[";
  nodes.reserve(24 * size_t{g.size()});
  for (Value v = 0; v < g.size(); ++v) {
    const Node& n = g.node(v);
    if (v) nodes += ',';
    append_integer(nodes, at(ops, static_cast<uint32_t>(n.op), [&] { return ops_.number(name_of(n.op)); }) * 2 +
                              (n.in_place != 0));
    nodes += ',';
    append_integer(nodes, at(types, n.type, [&] { return types_.number(to_string(g.type(v))); }));
    nodes += ',';
    if (origin[v] != kNoOrigin)
      append_integer(nodes, at(origins, origin[v], [&] { return origins_.number(lines_of(g, origin[v])); }));
    else
      nodes += "-1";
    nodes += ',';
    append_integer(nodes, n.num_operands);
    for (Value o : g.operands(v)) {
      nodes += ',';
      append_integer(nodes, o);
    }
    if (n.attrs == 0 || n.op == Op::param_op) continue;
    const std::string attributes = attributes_text(g, v, 8);
    if (!attributes.empty()) {
      if (texts.size() > 1) texts += ',';
      append_integer(texts, v);
      texts += ',';
      append_integer(texts, attributes_.number(attributes));
    }
    if (!has_regions(n.op)) continue;
    const AttrView view = g.attrs(v);
    const std::vector<std::pair<std::string, const GraphData*>> labelled = labelled_regions(g, v);
    size_t i = 0;
    for (size_t word : view.region_words()) {
      const uint32_t number = add(g.regions()[static_cast<size_t>(view.words()[word])]);
      if (regions.size() > 1) regions += ',';
      regions += '[';
      append_integer(regions, v);
      regions += ',' + json_quoted(labelled[i++].first) + ',';
      append_integer(regions, number);
      regions += ']';
    }
  }
  std::string out = "{\"name\":" + json_quoted(g.name()) + ",\"size\":";
  append_integer(out, g.size());
  out += ",\"pure\":" + std::string(g.pure() ? "true" : "false") + ",\"inputs\":[";
  for (size_t i = 0; i < g.inputs().size(); ++i) (out += i ? "," : "") += json_quoted(g.input_name(i));
  out += "],\"results\":";
  append_integers(out, g.outputs().first(g.num_results()));
  out += ",\"writebacks\":[";
  for (size_t i = 0; i < g.writebacks().size(); ++i) {
    if (i) out += ',';
    append_integer(out, g.inputs()[g.writebacks()[i]]);
    out += ',';
    append_integer(out, g.outputs()[g.num_results() + i]);
  }
  return out + "],\"nodes\":" + nodes + "],\"texts\":" + texts + "],\"regions\":" + regions + "]}";
}

std::string PageGraphs::json() {
  std::string graphs = "\"graphs\":[";
  for (size_t i = 0; i < graphs_.size(); ++i) {  // regions are added meanwhile
    if (i) graphs += ',';
    graphs += encode(Graph(graphs_[i]).data());
  }
  std::string out;
  for (const auto& [table, name] : {std::pair<const Table*, const char*>{&ops_, "ops"},
                                    {&types_, "types"},
                                    {&files_, "files"},
                                    {&scopes_, "scopes"},
                                    {&attributes_, "attributes"},
                                    {&origins_, "origins"}}) {
    table->append(out, name);
    out += ',';
  }
  return out + graphs + "]";
}

}  // namespace jot
