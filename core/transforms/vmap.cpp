#include <algorithm>
#include <string>

#include "core/record/force.h"
#include "core/record/function.h"
#include "core/record/scope.h"
#include "core/record/splice.h"
#include "core/storage/overlap.h"
#include "core/transforms/argument_views.h"
#include "core/transforms/expand.h"
#include "core/transforms/merged_arguments.h"
#include "ir/dependence.h"
#include "jot/detail.h"
#include "passes/transforms.h"

namespace jot::detail {

namespace {

// The extent that all mapped arguments have at their in_dims, or that is given.
int64_t lanes_of(std::span<const Tensor> args, std::span<const std::optional<int64_t>> in_dims,
                 std::optional<int64_t> dim_size, Location at) {
  std::vector<int64_t> sizes;
  for (size_t i = 0; i < args.size(); ++i)
    if (in_dims[i]) sizes.push_back(args[i].impl()->shape[static_cast<size_t>(*in_dims[i])]);
  if (sizes.empty() && !dim_size)
    throw TransformError(
        "[vmap] Expected at least one Tensor to vmap over: in_dims maps no argument, and there is no dim_size" +
        jot::at(at));
  int64_t lanes = dim_size ? *dim_size : sizes[0];
  if (std::ranges::all_of(sizes, [&](int64_t n) { return n == lanes; })) return lanes;
  std::string list;
  for (int64_t n : sizes) list += (list.empty() ? "" : ", ") + std::to_string(n);
  throw TransformError("[vmap] Expected all tensors to have the same size in the mapped dimension, got sizes [" + list +
                       "] for the mapped dimension" +
                       (dim_size ? ", where dim_size is " + std::to_string(*dim_size) : "") + jot::at(at));
}

// Counts the dimension that the lanes add; negatives are of the batched result.
void normalise(std::vector<std::optional<int64_t>>& out_dims, const Leaves& values, const Fn& fn, Location at) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (!out_dims[i]) continue;
    int64_t rank = values[i].dim(), given = *out_dims[i];
    if (given < -(rank + 1) || given > rank)
      throw IndexError("[vmap] Dimension out of range (expected to be in range of [" + std::to_string(-(rank + 1)) +
                       ", " + std::to_string(rank) + "], but got " + std::to_string(given) + "): out_dim of " +
                       fn.name(Role::output, i) + jot::at(at));
    if (given < 0) *out_dims[i] += rank + 1;
  }
}

// Of a result that only shows elements of an argument: the view of the caller's tensor.
std::optional<Tensor> result_view(const WatchedArguments& watched, const Tensor& value, std::span<const Tensor> args,
                                  std::span<const std::optional<int64_t>> in_dims, std::optional<int64_t> out_dim) {
  std::optional<size_t> k = watched.shown_by(value);
  if (!k || in_dims[*k].has_value() != out_dim.has_value()) return {};
  if (!out_dim) return view_of_argument(value, args[*k], false);
  auto view = view_of_argument(value, args[*k].movedim(*in_dims[*k], 0), true);
  return view ? std::optional<Tensor>(view->movedim(0, *out_dim)) : view;
}

// Lanes of two views of one tensor have no common base that both could be a view of.
void check_overlap(const ir::GraphData& g, std::span<const Binding> bindings, std::span<const Tensor> args,
                   Location at) {
  for (uint32_t i : g.writebacks()) {
    if (bindings[i].kind != Binding::Kind::argument) continue;
    size_t k = bindings[i].argument;
    for (size_t m = 0; m < args.size(); ++m)
      if (m != k && elements_overlap(args[k], args[m]))
        throw TransformError("[vmap] an argument that f writes, of type " + ir::to_string(type_of(args[k])) +
                             ", shares memory with another, of type " + ir::to_string(type_of(args[m])) +
                             ": lanes of one would be seen through the other; pass a clone() of one" + jot::at(at));
  }
}

// The write that brings lanes to an input without: the first to it whose value depends on an input with lanes.
ir::Value write_of_lanes(const ir::GraphData& g, size_t input, std::span<const std::optional<int64_t>> in_dims) {
  ir::Value found = g.inputs()[input];
  std::vector<uint8_t> mapped;
  for (auto dim : in_dims) mapped.push_back(dim.has_value());
  std::vector<uint8_t> lanes = ir::dependents(g, mapped);
  for (ir::Value v = 0; v < g.size(); ++v) {
    if (!g.in_place(v) || root_of(g, g.operand(v, 0)) != g.inputs()[input]) continue;
    found = v;
    if (lanes[v]) break;
  }
  return found;
}

[[noreturn]] void no_place_for_lanes(const ir::GraphData& g, const Fn& fn, size_t input, const Binding& binding,
                                     std::span<const std::optional<int64_t>> in_dims) {
  ir::Value write = write_of_lanes(g, input, in_dims);
  bool captured = binding.kind == Binding::Kind::capture;
  if (const std::string& said = g.call(write).demand; !said.empty())  // by who updates what it is given
    throw TransformError("[vmap] " + said + jot::at(g.location(write)));
  throw TransformError(
      "[vmap] in-place " + std::string(ir::name_of(g.op(write))) +
      "_ is not possible: it writes a value with lanes to " +
      (captured ? "a captured tensor" : fn.name(Role::argument, binding.argument) + ", whose in_dim is none") + ", " +
      ir::to_string(g.type(g.inputs()[input])) + ", and all lanes would write to the same elements; " +
      (captured ? "pass it as an argument with an in_dim, or write to a clone() that f makes"
                : "give it an in_dim, or write to a clone() that f makes") +
      jot::at(g.location(write)));
}

Leaves mapped(Fn fn, std::span<const Tensor> args, std::span<const std::optional<int64_t>> in_dims,
              const VmapOptions& options, Location at) {
  int64_t lanes = lanes_of(args, in_dims, options.dim_size, at);
  std::vector<ir::Type> types;
  for (size_t i = 0; i < args.size(); ++i) {
    Shape shape = args[i].impl()->shape;
    if (in_dims[i]) shape.erase(static_cast<size_t>(*in_dims[i]));
    types.push_back({args[i].impl()->dtype(), false, shape});
  }
  int64_t chunk = std::min(lanes, options.chunk_size.value_or(lanes));
  WatchedArguments watched(fn);
  Recording recording = record_function(
      watched.fn(), args,
      {.kind = TraceKind::vmap, .randomness = options.randomness, .lanes = chunk, .scope = "vmap", .at = at}, in_dims,
      types);

  Expand what{.kind = TransformKind::vmap, .lanes = lanes, .randomness = options.randomness};
  what.out_dims = recording.outputs.out_dims;
  normalise(what.out_dims, recording.outputs.values, fn, at);
  int64_t draws = recording.random_draws;
  if (chunk < lanes) {
    what.chunk_size = chunk;
    what.random_draws = draws;
    if (options.randomness == Randomness::different) draws = draws / chunk * lanes;
  }
  for (size_t i = 0; i < recording.bindings.size(); ++i) {
    const Binding& b = recording.bindings[i];
    what.in_dims.push_back(b.kind == Binding::Kind::argument ? in_dims[b.argument] : std::nullopt);
    if (b.kind == Binding::Kind::rng_offset && chunk < lanes) what.random_offset = i;
  }
  std::shared_ptr<const Expansion> expansion;
  try {
    expansion = expand(recording.graph, what);
  } catch (const passes::LanesError& e) {
    no_place_for_lanes(recording.graph.data(), fn, e.input, recording.bindings[e.input], what.in_dims);
  }
  if (share_storage(args)) check_overlap(expansion->graph.data(), recording.bindings, args, at);
  Scope scope("vmap");
  Leaves results = splice(expansion->graph, recording.bindings, args, {}, draws, at);
  for (size_t i = 0; i < results.size(); ++i)
    if (auto view = result_view(watched, recording.outputs.values[i], args, in_dims, what.out_dims[i]))
      results[i] = *view;
  return results;
}

}  // namespace

void check_dim_size(std::optional<int64_t> dim_size, Location at) {
  if (dim_size && *dim_size < 0)
    throw TransformError("[vmap] vmap: dim_size should be None or at least 0. (got " + std::to_string(*dim_size) + ")" +
                         jot::at(at));
}

Leaves vmap(Fn fn, std::span<const Tensor> args, std::span<const std::optional<int64_t>> in_dims,
            const VmapOptions& options, Location at) {
  for (size_t i = 0; i < args.size(); ++i)
    if (!args[i].defined())
      throw TransformError("[vmap] " + fn.name(Role::argument, i) + " is an undefined Tensor" + jot::at(at));
  if (!share_storage(args)) return mapped(fn, args, in_dims, options, at);
  MergedArguments merged(fn, args, in_dims);
  std::vector<std::optional<int64_t>> dims;
  for (const MergedArguments::Source& s : merged.sources()) dims.push_back(in_dims[s.original]);
  return mapped(merged.fn(), merged.arguments(), dims, options, at);
}

}  // namespace jot::detail
