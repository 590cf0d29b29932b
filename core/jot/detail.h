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
#include <vector>

#include "jot/tensor.h"

namespace jot {

enum class Randomness : uint8_t { error, different, same };
enum class Remove : uint8_t { mutations, mutations_and_views };

namespace detail {

using Leaves = std::vector<Tensor>;

// What a traced function gave: the leaves of its output tree, of aux, and (vmap) the out_dim of each output leaf.
struct Outputs {
  Leaves values;
  Leaves aux;
  std::vector<std::optional<int64_t>> out_dims;
};

// A user's function, its trees flattened away. Called once, with symbolic leaves for all tensor leaves of all arguments.
struct Fn {
  void (*call)(void* self, std::span<const Tensor> args, Outputs& out);
  void* self;
};

// Replays a linear function of leaves on the residuals that vjp / linearize kept. Immutable; callable many times, on any
// thread, under any transform.
class LinearMap {
 public:
  virtual ~LinearMap() = default;
  // Checks count, shape and dtype of the leaves; throws TransformError in the name of `api`.
  virtual Leaves operator()(std::span<const Tensor> leaves, std::string_view api) const = 0;
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
VjpResult vjp(Fn fn, std::span<const Tensor> args, Location at);

struct JvpResult {
  Leaves outputs, tangents, aux;
};
JvpResult jvp(Fn fn, std::span<const Tensor> primals, std::span<const Tensor> tangents, bool strict, Location at);

struct LinearizeResult {
  Leaves outputs;
  std::shared_ptr<const LinearMap> pushforward;  // tangents of args -> tangents of outputs
};
LinearizeResult linearize(Fn fn, std::span<const Tensor> args, Location at);

enum class Mode : uint8_t { reverse, forward, cheaper };
struct JacobianOptions {
  Mode mode;
  std::optional<int64_t> chunk_size;
  Randomness randomness = Randomness::error;
};
struct JacobianResult {
  Leaves blocks;  // block of output leaf o by differentiated leaf i at o * diff.size() + i, of shape out + in
  Leaves outputs, aux;
};
JacobianResult jacobian(Fn fn, std::span<const Tensor> args, std::span<const size_t> diff,
                        const JacobianOptions& options, Location at);

struct VmapCall {
  Randomness randomness = Randomness::error;
  std::optional<int64_t> chunk_size;
};
// in_dims: one for each leaf, none where it is not mapped; already checked against the leaf's rank and normalised.
Leaves vmap(Fn fn, std::span<const Tensor> args, std::span<const std::optional<int64_t>> in_dims, const VmapCall& options,
            Location at);

Leaves functionalize(Fn fn, std::span<const Tensor> args, Remove remove, Location at);

// A recorded and compiled function: what jit and compile keep. Immutable, thread-safe.
class Program;
// Records fn on arguments like args (their values are not read), literals baked.
std::shared_ptr<const Program> record_program(Fn fn, std::span<const Tensor> args, Location at);
// Runs it; results are fresh concrete tensors (in out.values), writebacks of arguments and captures are done. Fast path:
// allocates nothing but the results.
void run_program(const Program& program, std::span<const Tensor> args, Leaves& results);

// The host's state that a jit key contains: default dtype, NoGrad, enclosing randomness mode.
uint64_t host_state();
// Whether this thread is inside a transform or jit: there a jitted function is simply called.
bool tracing();

}  // namespace detail
}  // namespace jot
