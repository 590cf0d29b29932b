#include <cxxabi.h>
#include <cstdlib>

#include "jot/tree.h"

namespace jot::detail {

void Flattener::tensor(const Tensor& t) { out_.push_back(t); }

void TreeSpec::tensor(const Tensor& t) {
  nodes.push_back({Node::Kind::tensor, 0});
  tensors.push_back(t);
}

void LeafPath::tensor(const Tensor&) {
  if (leaf_-- == 0)
    for (const Open& node : open_) text_ += node.child();
  close();
}

void LeafPath::open(Open node) {
  open_.push_back(std::move(node));
  if (open_.back().size == 0) {
    open_.pop_back();
    close();
  }
}

// A node is complete, and with it those that it completes.
void LeafPath::close() {
  while (!open_.empty() && ++open_.back().done == open_.back().size) open_.pop_back();
}

std::string LeafPath::Open::child() const {
  std::string n = std::to_string(done);
  switch (kind) {
    case Kind::arguments:
      return " " + n;
    case Kind::list:
      return "[" + n + "]";
    case Kind::map:
      return "[\"" + names + "\"]";
    case Kind::record:
      break;
  }
  return "." + std::string(listed_name(names, done));
}

std::string Fn::name(Role role, size_t leaf) const {
  constexpr std::string_view kRoles[] = {"argument", "tangent", "output", "aux"};
  return std::string(kRoles[static_cast<size_t>(role)]) + path(self, role, leaf);
}

namespace {

std::string type_name(const std::type_info& type) {
  int status = 0;
  std::unique_ptr<char, void (*)(void*)> name(abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), std::free);
  return name ? name.get() : type.name();
}

// A tree under a walk that needs no recursion: lists and maps that are open, with the children they still miss.
struct Open {
  size_t missing;
  bool map;
};

}  // namespace

std::string TreeSpec::text() const {
  std::string out;
  std::vector<Open> open;
  size_t next_key = 0;
  for (const Node& n : nodes) {
    if (!open.empty()) {
      if (out.back() != '(' && out.back() != '{') out += ", ";
      if (open.back().map) out += keys[next_key++] + ": ";
      --open.back().missing;
    }
    switch (n.kind) {
      case Node::Kind::tensor:
        out += '*';
        break;
      case Node::Kind::other:
        out += type_name(*n.type);
        break;
      case Node::Kind::absent:
        out += "none";
        break;
      case Node::Kind::list:
        out += '(';
        open.push_back({n.size, false});
        break;
      case Node::Kind::map:
        out += '{';
        open.push_back({n.size, true});
        break;
    }
    while (!open.empty() && open.back().missing == 0) {
      out += open.back().map ? '}' : ')';
      open.pop_back();
    }
  }
  return out;
}

// ---- in_dims and out_dims

namespace {

std::string text_of(const DimTree& d) {
  switch (d.kind) {
    case DimTree::Kind::dim:
      return std::to_string(d.dim);
    case DimTree::Kind::unmapped:
      return "none";
    case DimTree::Kind::list:
    case DimTree::Kind::map: {
      bool map = d.kind == DimTree::Kind::map;
      std::string out(1, map ? '{' : '(');
      for (size_t i = 0; i < d.children.size(); ++i) {
        if (i) out += ", ";
        if (map) out += d.keys[i] + ": ";
        out += text_of(d.children[i]);
      }
      return out + (map ? '}' : ')');
    }
  }
  return {};
}

// Walks a tree beside a DimTree that covers its structure or the beginning of it.
class Matcher {
 public:
  Matcher(const TreeSpec& spec, bool inputs, Location at) : spec_(spec), inputs_(inputs), at_(at) {}

  std::vector<std::optional<int64_t>> run(const DimTree& dims) {
    dims_ = &dims;
    node(dims);
    return std::move(result_);
  }

 private:
  void node(const DimTree& d) {
    const TreeSpec::Node& n = spec_.nodes[next_++];
    switch (n.kind) {
      case TreeSpec::Node::Kind::tensor:
        if (d.kind == DimTree::Kind::list || d.kind == DimTree::Kind::map) mismatch();
        result_.push_back(d.kind == DimTree::Kind::unmapped ? std::optional<int64_t>() : d.dim);
        break;
      case TreeSpec::Node::Kind::other:
        if (d.kind == DimTree::Kind::dim) not_a_tensor(d, *n.type);
        if (d.kind != DimTree::Kind::unmapped) mismatch();
        break;
      case TreeSpec::Node::Kind::absent:
        break;
      case TreeSpec::Node::Kind::list:
        list(d, n.size);
        break;
      case TreeSpec::Node::Kind::map:
        map(d, n.size);
        break;
    }
  }

  void list(const DimTree& d, size_t size) {
    bool prefix = d.kind == DimTree::Kind::dim || d.kind == DimTree::Kind::unmapped;
    if (!prefix && (d.kind != DimTree::Kind::list || d.children.size() != size)) mismatch();
    for (size_t i = 0; i < size; ++i) node(prefix ? d : d.children[i]);
  }

  void map(const DimTree& d, size_t size) {
    bool prefix = d.kind == DimTree::Kind::dim || d.kind == DimTree::Kind::unmapped;
    // {} is an empty list and an empty map.
    bool empty = d.kind == DimTree::Kind::list && d.children.empty();
    if (!prefix && ((d.kind != DimTree::Kind::map && !empty) || d.children.size() != size)) mismatch();
    for (size_t i = 0; i < size; ++i) {
      const std::string& key = spec_.keys[next_key_++];
      if (prefix) {
        node(d);
        continue;
      }
      size_t k = 0;
      while (k < d.keys.size() && d.keys[k] != key) ++k;
      if (k == d.keys.size()) mismatch();
      node(d.children[k]);
    }
  }

  [[noreturn]] void mismatch() const {
    std::string given = text_of(*dims_), got = spec_.text();
    if (inputs_)
      throw TransformError("[vmap] in_dims is not compatible with the structure of `inputs`. in_dims has structure " +
                           given + " but inputs has structure " + got + jot::at(at_));
    throw TransformError("[vmap] out_dims is not compatible with the structure of `outputs`. out_dims has structure " +
                         given + " but outputs has structure " + got + jot::at(at_));
  }

  // A struct may have tensors in it.
  static std::string announce(const std::type_info& type) {
    if (type == typeid(double) || type == typeid(std::string)) return "";
    return " (a struct of tensors has to be announced: JOT_TREE(" + type_name(type) + ", member...))";
  }

  [[noreturn]] void not_a_tensor(const DimTree& d, const std::type_info& type) const {
    std::string name = type_name(type);
    if (inputs_)
      throw TransformError("[vmap] Got in_dim=" + std::to_string(d.dim) + " for an input but the input is of type " +
                           name +
                           ". We cannot vmap over non-Tensor arguments, please use none as the respective in_dim" +
                           announce(type) + jot::at(at_));
    throw TransformError("[vmap] `f` must only return Tensors, got type " + name +
                         ". Did you mean to set out_dims= to none for output?" + announce(type) + jot::at(at_));
  }

  const TreeSpec& spec_;
  bool inputs_;
  Location at_;
  const DimTree* dims_ = nullptr;
  size_t next_ = 0, next_key_ = 0;
  std::vector<std::optional<int64_t>> result_;
};

}  // namespace

namespace {

// in_dims as they are written, with none for the tensor `unmapped`; a tree whose leaves have one in_dim has it for all.
std::string written_in_dims(const TreeSpec& args, std::span<const std::optional<int64_t>> dims, size_t unmapped) {
  struct Part {
    size_t missing;
    bool map, uniform = true;
    std::string key = {}, text = {}, first = {};
  };
  std::vector<Part> open;
  size_t next_key = 0, next_tensor = 0;
  for (const TreeSpec::Node& n : args.nodes) {
    std::string text = "none";
    if (!open.empty() && open.back().map) open.back().key = args.keys[next_key++];
    if (n.kind == TreeSpec::Node::Kind::list || n.kind == TreeSpec::Node::Kind::map) {
      open.push_back({n.size, n.kind == TreeSpec::Node::Kind::map});
      if (n.size) continue;
      open.pop_back();
    } else if (n.kind == TreeSpec::Node::Kind::tensor) {
      if (next_tensor != unmapped && dims[next_tensor]) text = std::to_string(*dims[next_tensor]);
      ++next_tensor;
    }
    // Adds the part to the one around it, which may end with it.
    while (!open.empty()) {
      Part& around = open.back();
      if (around.text.empty()) around.first = text;
      around.uniform &= text == around.first && text[0] != '{';
      around.text += around.text.empty() ? "" : ", ";
      around.text += around.map ? "{\"" + around.key + "\", " + text + "}" : text;
      if (--around.missing) break;
      text = around.uniform && open.size() > 1 ? around.first : "{" + around.text + "}";
      open.pop_back();
    }
    if (open.empty()) return "{.in_dims = " + text + "}";
  }
  return {};
}

}  // namespace

std::vector<std::optional<int64_t>> match_in_dims(const VmapOptions& options, const TreeSpec& args, Fn fn,
                                                  Location at) {
  if (args.nodes.front().size == 0 && !options.dim_size)
    throw TransformError(
        "[vmap] got no inputs. Maybe you forgot to add inputs, or you are trying to vmap over a "
        "function with no inputs. The latter needs a dim_size." +
        jot::at(at));
  std::vector<std::optional<int64_t>> dims = Matcher(args, true, at).run(options.in_dims);
  for (size_t i = 0; i < dims.size(); ++i) {
    if (!dims[i] || !args.tensors[i].defined()) continue;
    int64_t rank = args.tensors[i].dim(), given = *dims[i];
    if (given < -rank || given >= rank)
      throw TransformError(
          "[vmap] Got in_dim=" + std::to_string(given) + " for some input (" + fn.name(Role::argument, i) +
          "), but that input is a Tensor of dimensionality " + std::to_string(rank) +
          (rank ? " so expected in_dim to satisfy -" + std::to_string(rank) + " <= in_dim < " + std::to_string(rank) +
                      "."
                : ": it has no dim for lanes; where it is the same in all, write " + written_in_dims(args, dims, i)) +
          jot::at(at));
    if (given < 0) *dims[i] += rank;
  }
  return dims;
}

std::vector<std::optional<int64_t>> match_out_dims(const DimTree& out_dims, const TreeSpec& outputs, Location at) {
  // A single Tensor takes a list of one, too.
  bool one = outputs.nodes.size() == 1 && out_dims.kind == DimTree::Kind::list && out_dims.children.size() == 1;
  return Matcher(outputs, false, at).run(one ? out_dims.children[0] : out_dims);
}

}  // namespace jot::detail
