// The untyped core behind the transform templates: trees are flattened to lists of leaves before they get here, so a
// transform costs a user's compiler a few plain function pointers.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <typeinfo>
#include <vector>

#include "jot/options.h"
#include "jot/tensor.h"

namespace jot::detail {

using Leaves = std::vector<Tensor>;

// ---- trees

// How to hash, compare and keep a leaf of any type; null where the type cannot do it.
struct OpaqueType {
  const std::type_info* type;
  size_t (*hash)(const void*) = nullptr;
  bool (*equal)(const void*, const void*) = nullptr;
  std::shared_ptr<const void> (*copy)(const void*) = nullptr;
};

// What a walk over a tree meets, parents before children.
class TreeVisitor {
 public:
  virtual void tensor(const Tensor& t) = 0;
  virtual void number(uint64_t bits) = 0;
  virtual void text(std::string_view text) = 0;
  virtual void other(const void* value, const OpaqueType& type) = 0;
  virtual void list(size_t size) = 0;  // tuples, pairs, arrays, vectors: the children follow
  // An announced struct, and its members as JOT_TREE lists them.
  virtual void record(size_t size, std::string_view /*members*/) { list(size); }
  virtual void map(size_t size) = 0;  // for each child a key, then it
  virtual void key(const std::string& key) = 0;
  virtual void optional(bool has_value) = 0;

 protected:
  ~TreeVisitor() = default;
};

// Collects the tensors.
class Flattener final : public TreeVisitor {
 public:
  explicit Flattener(Leaves& out) : out_(out) {}
  void tensor(const Tensor& t) override;
  void number(uint64_t) override {}
  void text(std::string_view) override {}
  void other(const void*, const OpaqueType&) override {}
  void list(size_t) override {}
  void map(size_t) override {}
  void key(const std::string&) override {}
  void optional(bool) override {}

 private:
  Leaves& out_;
};

// The structure of a tree, and its tensors.
class TreeSpec final : public TreeVisitor {
 public:
  struct Node {
    enum class Kind : uint8_t { tensor, other, absent, list, map };
    Kind kind;
    size_t size;                           // children
    const std::type_info* type = nullptr;  // of an `other`
    friend bool operator==(const Node&, const Node&) = default;
  };
  std::vector<Node> nodes;
  std::vector<std::string> keys;  // of all maps, in order
  Leaves tensors;
  bool same_structure(const TreeSpec& other) const { return nodes == other.nodes && keys == other.keys; }
  std::string text() const;  // "(*, {w: *})"

  void tensor(const Tensor& t) override;
  void number(uint64_t) override { nodes.push_back({Node::Kind::other, 0, &typeid(double)}); }
  void text(std::string_view) override { nodes.push_back({Node::Kind::other, 0, &typeid(std::string)}); }
  void other(const void*, const OpaqueType& type) override { nodes.push_back({Node::Kind::other, 0, type.type}); }
  void list(size_t size) override { nodes.push_back({Node::Kind::list, size}); }
  void map(size_t size) override { nodes.push_back({Node::Kind::map, size}); }
  void key(const std::string& key) override { keys.push_back(key); }
  void optional(bool has_value) override {
    if (!has_value) nodes.push_back({Node::Kind::absent, 0});
  }
};

// The i-th of names with commas between them.
constexpr std::string_view listed_name(std::string_view names, size_t i) {
  for (; i > 0; --i) names.remove_prefix(names.find(',') + 1);
  names.remove_prefix(names.find_first_not_of(' '));
  return names.substr(0, names.find_first_of(", "));
}

constexpr bool has_equal_names(std::string_view names) {
  size_t count = 1;
  for (char c : names) count += c == ',';
  for (size_t i = 0; i < count; ++i)
    for (size_t j = 0; j < i; ++j)
      if (listed_name(names, i) == listed_name(names, j)) return true;
  return false;
}

// What the user calls a leaf of a tree: `.vel`, `["w"]`, `[2]`, of arguments ` 0.vel`.
class LeafPath final : public TreeVisitor {
 public:
  explicit LeafPath(size_t leaf) : leaf_(leaf) {}
  void arguments(size_t count) { open({.size = count, .kind = Open::Kind::arguments}); }
  const std::string& text() const { return text_; }

  void tensor(const Tensor&) override;
  void number(uint64_t) override { close(); }
  void text(std::string_view) override { close(); }
  void other(const void*, const OpaqueType&) override { close(); }
  void list(size_t size) override { open({.size = size, .kind = Open::Kind::list}); }
  void record(size_t size, std::string_view members) override {
    open({.size = size, .kind = Open::Kind::record, .names = std::string(members)});
  }
  void map(size_t size) override { open({.size = size, .kind = Open::Kind::map}); }
  void key(const std::string& key) override { open_.back().names = key; }
  void optional(bool has_value) override {
    if (!has_value) close();
  }

 private:
  // A node some of whose children are still to come.
  struct Open {
    enum class Kind : uint8_t { arguments, list, record, map };
    size_t size;
    Kind kind;
    std::string names = {};  // of the members; of the present child of a map
    size_t done = 0;
    std::string child() const;
  };
  void open(Open node);
  void close();
  size_t leaf_;
  std::vector<Open> open_;
  std::string text_;
};

// Names the leaves of a tree in errors: "cotangent.vel".
struct LeafNames {
  std::string (*name)(const void* tree, size_t leaf);
  const void* tree;
  std::string operator()(size_t leaf) const { return name(tree, leaf); }
};

// Hands out tensors in order.
struct LeafCursor {
  const Tensor* next;
};

// ---- functions

// What a traced function gave: the leaves of its output tree, of aux, and (vmap) the out_dim of each output leaf.
struct Outputs {
  Leaves values;
  Leaves aux;
  std::vector<std::optional<int64_t>> out_dims;
};

// The trees of a call, as its errors name them; tangents have the structure of the arguments.
enum class Role : uint8_t { argument, tangent, output, aux };
// A user's function, its trees flattened away. Called once, with symbolic leaves for all tensor leaves of all
// arguments.
struct Fn {
  void (*call)(void* self, std::span<const Tensor> args, Outputs& out);
  void* self;
  std::string (*path)(const void* self, Role role, size_t leaf);
  // "argument 0.vel", "output[\"w\"]"; of outputs when f has been called.
  std::string name(Role role, size_t leaf) const;
};

// The positions of the leaves of the arguments `which`; leaves of argument k are [starts[k], starts[k + 1]).
std::vector<size_t> leaves_of(std::span<const size_t> starts, std::span<const size_t> which);

// ---- derivatives

// Replays a linear function of leaves on the residuals that vjp / linearize kept. Immutable; callable many times, on
// any thread, under any transform.
class LinearMap {
 public:
  virtual ~LinearMap() = default;
  // Checks count, shape and dtype of the leaves; throws TransformError.
  virtual Leaves operator()(std::span<const Tensor> leaves, LeafNames names, Location at) const = 0;
};

struct GradResult {
  Leaves gradients;  // one for each differentiated leaf
  Tensor value;
  Leaves aux;
};
// `diff` are the positions of the differentiated leaves among args; the output must be one 0-d tensor.
GradResult grad(Fn fn, std::span<const Tensor> args, std::span<const size_t> diff, Location at);

struct VjpResult {
  Leaves outputs, aux;
  std::shared_ptr<const LinearMap> pullback;  // cotangents of outputs -> cotangents of args
};
VjpResult vjp(Fn fn, std::span<const Tensor> args);

// Throws the error for cotangents, or tangents, of another structure than the outputs, or primals.
void check_structure(const TreeSpec& expected, const TreeSpec& given, std::string_view api, Location at);

struct JvpResult {
  Leaves outputs, tangents, aux;
};
JvpResult jvp(Fn fn, std::span<const Tensor> primals, std::span<const Tensor> tangents, JvpOptions options,
              Location at);

struct LinearizeResult {
  Leaves outputs;
  std::shared_ptr<const LinearMap> pushforward;  // tangents of args -> tangents of outputs
};
LinearizeResult linearize(Fn fn, std::span<const Tensor> args);

struct JacobianResult {
  Leaves blocks;  // block of output leaf o by differentiated leaf i at o * diff.size() + i, of shape out + in
  Leaves aux;
};
JacobianResult jacobian(Fn fn, std::span<const Tensor> args, std::span<const size_t> diff, JacobianMode mode,
                        const JacobianOptions& options, Location at);
void check_chunk_size(std::string_view api, std::optional<int64_t> chunk_size, Location at);

// ---- vmap

void check_dim_size(std::optional<int64_t> dim_size, Location at);
// The in_dim of each tensor leaf, checked against the arguments of fn and normalised; `args` is the list of all.
std::vector<std::optional<int64_t>> match_in_dims(const VmapOptions& options, const TreeSpec& args, Fn fn, Location at);
// The out_dim of each tensor leaf.
std::vector<std::optional<int64_t>> match_out_dims(const DimTree& out_dims, const TreeSpec& outputs, Location at);
Leaves vmap(Fn fn, std::span<const Tensor> args, std::span<const std::optional<int64_t>> in_dims,
            const VmapOptions& options, Location at);

Leaves functionalize(Fn fn, std::span<const Tensor> args, Remove remove, Location at);

// ---- recorded programs: what jit and compile keep

// A recorded and compiled function. Immutable, thread-safe.
class Program;
enum class Captures : uint8_t {
  shared,  // inputs of every run: in-place updates are seen
  copied,  // their present contents, for ever
};
// Records fn on arguments like args (their values are not read), literals baked, and compiles it. `api` names the
// caller.
std::shared_ptr<const Program> record_program(Fn fn, std::span<const Tensor> args, Captures captures,
                                              std::string_view api, Location at);
size_t num_results(const Program& program);
// Runs it: results are fresh concrete tensors; writes to arguments and captures are done. Allocates nothing else.
void run_program(const Program& program, std::span<const Tensor* const> args, std::span<Tensor> results);

// Whether this thread is inside a transform or jit: there a jitted function is simply called.
bool tracing();

}  // namespace jot::detail
