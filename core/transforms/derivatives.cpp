#include <algorithm>
#include <string>

#include "core/cache/events.h"
#include "core/record/emitter.h"
#include "core/record/function.h"
#include "core/record/scope.h"
#include "core/record/splice.h"
#include "core/record/thread.h"
#include "core/storage/overlap.h"
#include "core/transforms/argument_views.h"
#include "core/transforms/expand.h"
#include "core/transforms/merged_arguments.h"
#include "ir/extents.h"
#include "ir/log.h"
#include "jot/detail.h"
#include "jot/small_array.h"

namespace jot::detail {

using ir::to_string;

namespace {

// Every function ends here for every transform: the arguments are tensors with contents. `name` says which one is not.
template <class Name>
void check_defined(std::string_view api, std::span<const Tensor> args, Name name, Location at) {
  for (size_t i = 0; i < args.size(); ++i)
    if (!args[i].defined())
      throw TransformError("[" + std::string(api) + "] " + name(i) + " is an undefined Tensor" + jot::at(at));
}

auto names(const Fn& fn, Role role = Role::argument) {
  return [&fn, role](size_t i) { return fn.name(role, i); };
}

struct Recorded {
  Recording recording;
  std::vector<Tensor> arguments;  // of the recording: those that are not differentiated may be merged
  std::vector<uint8_t> active;    // one an input of the graph
  std::vector<size_t> places;     // of each active input, in order: where it is in `diff`
};

Recorded record_active(std::string_view api, Fn fn, std::span<const Tensor> args, std::span<const size_t> diff,
                       Randomness randomness, Location at) {
  check_defined(api, args, names(fn), at);
  Recorded r;
  r.arguments.assign(args.begin(), args.end());
  std::optional<MergedArguments> merged;
  if (share_storage(args)) {
    merged.emplace(fn, args, diff);
    fn = merged->fn();
    r.arguments = merged->arguments();
  }
  constexpr size_t kNotDifferentiated = static_cast<size_t>(-1);
  SmallArray<size_t, 8> places;
  SmallArray<uint8_t, 8> copied;
  for (size_t i = 0; i < r.arguments.size(); ++i) {
    places.push_back(kNotDifferentiated);
    copied.push_back(0);
  }
  size_t* place = places.data();
  for (size_t k = 0; k < diff.size(); ++k) place[merged ? merged->argument_of(diff[k]) : diff[k]] = k;
  for (size_t i = 0; i < copied.size(); ++i) copied.data()[i] = place[i] != kNotDifferentiated;
  r.recording = record_function(
      fn, r.arguments, {.kind = TraceKind::derivative, .randomness = randomness, .scope = std::string(api), .at = at},
      {}, {}, copied.span());
  r.active.reserve(r.recording.bindings.size());
  if (env().log_record)
    for (size_t i = 0; i < r.recording.outputs.values.size(); ++i)
      if (const Tensor& value = r.recording.outputs.values[i]; !is_floating(value.impl()->dtype()))
        log("record", std::string(api) + on_line(at) + ": output " + std::to_string(i) + " is " +
                          to_string(type_of(value)) + ", which has no derivative: it is taken to be zero");
  for (const Binding& b : r.recording.bindings) {
    r.active.push_back(b.kind == Binding::Kind::argument && place[b.argument] != kNotDifferentiated);
    if (r.active.back()) r.places.push_back(place[b.argument]);
  }
  return r;
}

// torch's texts for primals that have no derivative.
void check_reverse(std::string_view api, const Fn& fn, std::span<const Tensor> args, std::span<const size_t> diff,
                   Location at) {
  for (size_t i : diff)
    if (args[i].defined() && !is_floating(args[i].impl()->dtype()))
      throw DTypeError("[" + std::string(api) + "] only Tensors of floating point dtype can require gradients: " +
                       fn.name(Role::argument, i) + " is " + to_string(type_of(args[i])) + jot::at(at));
}
void check_forward(std::string_view api, const Fn& fn, std::span<const Tensor> args, std::span<const size_t> diff,
                   Location at) {
  for (size_t i : diff)
    if (args[i].defined() && !is_floating(args[i].impl()->dtype()))
      throw DTypeError("[" + std::string(api) + "] Expected primal to be floating point or complex, but got: " +
                       fn.name(Role::argument, i) + " is " + to_string(type_of(args[i])) + jot::at(at));
}

std::vector<size_t> all_of(std::span<const Tensor> args) {
  std::vector<size_t> all(args.size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = i;
  return all;
}

ir::Zeros zeros_of(bool option = false) {
  return option || thread_state().strong_zeros_depth > 0 ? ir::Zeros::strong : ir::Zeros::ieee;
}

// The results of a splice, taken off the front in the order of the graph.
class Results {
 public:
  explicit Results(Leaves all) : all_(std::move(all)) {}
  Leaves take(size_t n) {
    Leaves part(std::make_move_iterator(all_.begin() + next_),
                std::make_move_iterator(all_.begin() + next_ + static_cast<int64_t>(n)));
    next_ += static_cast<int64_t>(n);
    return part;
  }

 private:
  Leaves all_;
  int64_t next_ = 0;
};

Results spliced(const Expansion& expansion, const Recorded& r, std::span<const Tensor> extra, Location at) {
  return Results(splice(expansion.graph, r.recording.bindings, r.arguments, extra, r.recording.random_draws, at));
}

// Puts gradients, which come in the order of the graph's inputs, in that of the differentiated arguments.
Leaves placed(const Recorded& r, Leaves gradients) {
  Leaves result(gradients.size());
  for (size_t i = 0; i < gradients.size(); ++i) result[r.places[i]] = std::move(gradients[i]);
  return result;
}

// A linear function of leaves: a graph whose first inputs are residuals.
class GraphMap final : public LinearMap {
 public:
  GraphMap(std::shared_ptr<const Expansion> expansion, Leaves residuals, bool pullback)
      : expansion_(std::move(expansion)), residuals_(std::move(residuals)), pullback_(pullback) {}

  Leaves operator()(std::span<const Tensor> leaves, LeafNames names, Location at) const override {
    const ir::GraphData& g = expansion_->map.data();
    size_t expected = g.inputs().size() - residuals_.size();
    if (leaves.size() != expected)
      throw TransformError("[" + std::string(api()) + "] expected " + std::to_string(expected) + " tensors, got " +
                           std::to_string(leaves.size()) + jot::at(at));
    check_defined(api(), leaves, names, at);
    std::vector<Tensor> inputs = residuals_;
    for (size_t i = 0; i < leaves.size(); ++i)
      inputs.push_back(checked(leaves[i], g.type(g.inputs()[inputs.size()]), i, names, at));
    Scope scope(api());
    return splice(expansion_->map, {}, {}, inputs, 0, at);
  }

 private:
  std::string_view api() const { return pullback_ ? "vjp" : "linearize"; }

  Tensor checked(const Tensor& t, const ir::Type& type, size_t i, LeafNames names, Location at) const {
    ir::Type given = type_of(t);
    std::string n = std::to_string(i);
    if (given.shape != type.shape)
      throw ShapeError("[" + std::string(api()) + "] " +
                       (pullback_ ? "Mismatch in shape: grad_output[" + n + "] has a shape of " +
                                        jot::to_string(given.shape) + " and output[" + n + "] has a shape of " +
                                        jot::to_string(type.shape)
                                  : "tangent:" + n + " with shape " + jot::to_string(given.shape) +
                                        " in flattened pytree doesn't match the shape " + jot::to_string(type.shape) +
                                        " of the corresponding primal") +
                       ": " + names(i) + jot::at(at));
    if (given.dtype == type.dtype) return t;
    // As in torch a cotangent of another floating dtype is converted.
    if (pullback_ && is_floating(given.dtype)) return record(ir::Op::convert_op, {t}, ir::Attrs(type.dtype), at);
    throw DTypeError("[" + std::string(api()) + "] " + names(i) + " is " + to_string(given) + ": expected " +
                     std::string(jot::to_string(type.dtype)) + ", the dtype of the " +
                     (pullback_ ? "output" : "corresponding primal") + jot::at(at));
  }

  std::shared_ptr<const Expansion> expansion_;
  Leaves residuals_;
  bool pullback_;
};

struct Split {
  Leaves outputs, aux;
  std::shared_ptr<const LinearMap> map;
};
Split split(TransformKind kind, std::string_view api, Fn fn, std::span<const Tensor> args) {
  std::vector<size_t> diff = all_of(args);
  ir::Zeros zeros = zeros_of();
  Recorded r = record_active(api, fn, args, diff, Randomness::different, Location());
  size_t values = r.recording.outputs.values.size(), aux = r.recording.outputs.aux.size();
  if (values == 0)
    throw TransformError("[" + std::string(api) +
                         "] Expected f to be a function that has non-empty output: it returned no tensor");
  auto expansion = expand(r.recording.graph, {.kind = kind, .active = r.active, .num_values = values, .zeros = zeros});
  Scope scope(api);
  Results results = spliced(*expansion, r, {}, Location());
  Split s;
  s.outputs = results.take(values);
  s.aux = results.take(aux);
  s.map = std::make_shared<GraphMap>(expansion, results.take(expansion->num_residuals), kind == TransformKind::vjp);
  return s;
}

}  // namespace

std::vector<size_t> leaves_of(std::span<const size_t> starts, std::span<const size_t> which) {
  std::vector<size_t> result;
  for (size_t k : which)
    for (size_t i = starts[k]; i < starts[k + 1]; ++i) result.push_back(i);
  return result;
}

GradResult grad(Fn fn, std::span<const Tensor> args, std::span<const size_t> diff, Location at) {
  check_reverse("grad", fn, args, diff, at);
  ir::Zeros zeros = zeros_of();
  Recorded r = record_active("grad", fn, args, diff, Randomness::different, at);
  const Outputs& outputs = r.recording.outputs;
  if (int64_t rank = outputs.values[0].dim(); rank != 0)
    throw TransformError(
        "[grad] grad_and_value(f)(*args): Expected f(*args) to return a scalar Tensor, got tensor with " +
        std::to_string(rank) + " dims (" + to_string(type_of(outputs.values[0])) +
        "). Maybe you wanted to use the vjp or jacrev APIs instead?" + jot::at(at));
  auto expansion =
      expand(r.recording.graph, {.kind = TransformKind::grad, .active = r.active, .num_values = 1, .zeros = zeros});
  Scope scope("grad");
  Results results = spliced(*expansion, r, {}, at);
  GradResult result;
  result.value = results.take(1)[0];
  result.aux = results.take(outputs.aux.size());
  result.gradients = placed(r, results.take(diff.size()));
  return result;
}

VjpResult vjp(Fn fn, std::span<const Tensor> args) {
  check_reverse("vjp", fn, args, all_of(args), Location());
  Split s = split(TransformKind::vjp, "vjp", fn, args);
  return {std::move(s.outputs), std::move(s.aux), std::move(s.map)};
}

LinearizeResult linearize(Fn fn, std::span<const Tensor> args) {
  check_forward("linearize", fn, args, all_of(args), Location());
  Split s = split(TransformKind::linearize, "linearize", fn, args);
  return {std::move(s.outputs), std::move(s.map)};
}

void check_structure(const TreeSpec& expected, const TreeSpec& given, std::string_view api, Location at) {
  if (expected.same_structure(given)) return;
  if (api == "vjp")
    throw TransformError(
        "[vjp] Expected pytree structure of cotangents to be the same as pytree structure of outputs to the function. "
        "cotangents: " +
        given.text() + ", primal output: " + expected.text() + jot::at(at));
  if (api == "jvp")
    throw TransformError("[jvp] Expected primals and tangents to have the same python structure: primals: " +
                         expected.text() + ", tangents: " + given.text() + jot::at(at));
  throw TransformError("[linearize] Expected the tangents " + given.text() +
                       " to have the same argspec as the primals " + expected.text() + jot::at(at));
}

namespace {

void check_tangents(const Fn& fn, std::span<const Tensor> primals, std::span<const Tensor> tangents, Location at) {
  check_defined("jvp", tangents, names(fn, Role::tangent), at);
  for (size_t i = 0; i < primals.size(); ++i) {
    ir::Type primal = type_of(primals[i]), tangent = type_of(tangents[i]);
    if (primal.shape != tangent.shape)
      throw ShapeError(
          "[jvp] Trying to set a forward gradient that has a different size than that of the original "
          "Tensor: " +
          fn.name(Role::tangent, i) + " is " + to_string(tangent) + ", the primal " + to_string(primal) + jot::at(at));
    if (primal.dtype != tangent.dtype)
      throw DTypeError("[jvp] " + fn.name(Role::tangent, i) + " is " + to_string(tangent) + ": expected " +
                       std::string(jot::to_string(primal.dtype)) + ", the dtype of the primal" + jot::at(at));
  }
}

}  // namespace

JvpResult jvp(Fn fn, std::span<const Tensor> primals, std::span<const Tensor> tangents, JvpOptions options,
              Location at) {
  ir::Zeros zeros = zeros_of(options.strong_zeros);
  std::vector<size_t> diff = all_of(primals);
  if (primals.empty()) throw TransformError("[jvp] Expected primals to contain at least one Tensor." + jot::at(at));
  check_defined("jvp", primals, names(fn), at);
  check_forward("jvp", fn, primals, diff, at);
  check_tangents(fn, primals, tangents, at);
  Recorded r = record_active("jvp", fn, primals, diff, Randomness::different, at);
  const Outputs& outputs = r.recording.outputs;
  size_t values = outputs.values.size();
  if (values == 0)
    throw TransformError("[jvp] Expected f to be a function that has non-empty output: it returned no tensor" +
                         jot::at(at));
  auto expansion =
      expand(r.recording.graph, {.kind = TransformKind::jvp, .active = r.active, .num_values = values, .zeros = zeros});
  for (size_t i = 0; options.strict && i < values; ++i)
    if (expansion->independent[i])
      throw TransformError(
          "[jvp] jvp(f, primals, tangents, strict=True): The output of f is independent of the inputs "
          "(" +
          fn.name(Role::output, i) + "). This is not allowed with strict=True." + jot::at(at));
  Scope scope("jvp");
  Results results = spliced(*expansion, r, tangents, at);
  JvpResult result;
  result.outputs = results.take(values);
  result.aux = results.take(outputs.aux.size());
  result.tangents = results.take(values);
  return result;
}

void check_chunk_size(std::string_view api, std::optional<int64_t> chunk_size, Location at) {
  if (!chunk_size || *chunk_size > 0) return;
  if (api == "vmap")
    throw TransformError("[vmap] vmap: chunk_size should be None or greater than 0. (got " +
                         std::to_string(*chunk_size) + ")" + jot::at(at));
  throw TransformError("[" + std::string(api) + "] " + std::string(api) +
                       ": `chunk_size` should be greater than 0. (got " + std::to_string(*chunk_size) + ")" +
                       jot::at(at));
}

namespace {

void check_extents(std::string_view api, const Fn& fn, const Leaves& values, std::span<const Tensor> args,
                   std::span<const size_t> diff, Location at) {
  for (size_t o = 0; o < values.size(); ++o)
    for (size_t i : diff)
      if (std::string fault = ir::fault_of(values[o].impl()->shape + args[i].impl()->shape); !fault.empty())
        throw ShapeError("[" + std::string(api) + "] the jacobian of " + fn.name(Role::output, o) + ", " +
                         to_string(type_of(values[o])) + ", by " + fn.name(Role::argument, i) + ", " +
                         to_string(type_of(args[i])) + ": " + fault + jot::at(at));
}

// What the passes make that is too large gets the line of the transform.
std::shared_ptr<const Expansion> expand_jacobian(std::string_view api, const ir::Graph& recorded, const Expand& what,
                                                 Location at) {
  try {
    return expand(recorded, what);
  } catch (const ShapeError& e) {
    if (std::string_view(e.what()).find("\n  at ") != std::string_view::npos) throw;
    throw ShapeError("[" + std::string(api) + "] " + e.what() + jot::at(at));
  }
}

}  // namespace

JacobianResult jacobian(Fn fn, std::span<const Tensor> args, std::span<const size_t> diff, JacobianMode mode,
                        const JacobianOptions& options, Location at) {
  const char* api = mode == JacobianMode::reverse ? "jacrev" : mode == JacobianMode::forward ? "jacfwd" : "jacobian";
  mode == JacobianMode::forward ? check_forward(api, fn, args, diff, at) : check_reverse(api, fn, args, diff, at);
  ir::Zeros zeros = zeros_of(options.strong_zeros);
  Recorded r = record_active(api, fn, args, diff,
                             mode == JacobianMode::forward ? options.randomness : Randomness::different, at);
  const Outputs& outputs = r.recording.outputs;
  size_t values = outputs.values.size();
  check_extents(api, fn, outputs.values, args, diff, at);
  Expand what{.kind = TransformKind::jacobian,
              .active = r.active,
              .num_values = values,
              .mode = mode,
              .chunk_size = options.chunk_size,
              .zeros = zeros};
  auto expansion = expand_jacobian(api, r.recording.graph, what, at);
  Scope scope(api);
  Results results = spliced(*expansion, r, {}, at);
  results.take(values);
  JacobianResult result;
  result.aux = results.take(outputs.aux.size());
  for (size_t o = 0; o < values; ++o)
    for (Tensor& t : placed(r, results.take(diff.size()))) result.blocks.push_back(std::move(t));
  return result;
}

Leaves functionalize(Fn fn, std::span<const Tensor> args, Remove remove, Location at) {
  check_defined("functionalize", args, names(fn), at);
  MergedArguments merged(fn, args);
  WatchedArguments watched(merged.fn());
  Recording recording = record_function(watched.fn(), merged.arguments(),
                                        {.kind = TraceKind::functionalize, .scope = "functionalize", .at = at});
  auto expansion = expand(recording.graph, {.kind = TransformKind::functionalize});
  Scope scope("functionalize");
  const Leaves& values = recording.outputs.values;
  Leaves results = splice(expansion->graph, recording.bindings, merged.arguments(), {}, recording.random_draws, at);
  if (remove == Remove::mutations_and_views) return results;
  for (size_t i = 0; i < values.size(); ++i)
    if (std::optional<size_t> k = watched.shown_by(values[i]))
      if (auto view = view_of_argument(values[i], merged.arguments()[*k], false)) results[i] = *view;
  return results;
}

}  // namespace jot::detail
