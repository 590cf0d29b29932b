// Random programs of tensors, views and writes, and what they mean: a model of arrays in plain C++ that shares nothing
// with the library. A program is data, so that it can be replayed, printed and made smaller.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace jot::test::mutation {

using Ints = std::vector<int64_t>;

// What a step does to its operands `in`; `n` are its integers, `x` its number.
enum class Do : uint8_t {
  // new tensors
  constant,  // of shape n, elements from x
  zeros,
  add,
  sub,
  mul,
  maximum,
  sin,
  scale,  // by x
  sum,    // n: dim, keepdim
  clone,
  concat,  // n: dim
  where,   // in[0] > x ? in[1] : in[2], one shape
  take,    // n: dim, then indices
  // views
  select,
  slice,  // n: dim, start, stop, step
  narrow,
  transpose,
  permute,
  movedim,
  t,
  view,
  reshape,  // a copy where it cannot be a view
  flatten,
  expand,
  squeeze,
  unsqueeze,
  diagonal,  // n: offset, dims
  detach,
  split,   // n: size, dim, which
  chunk,   // n: chunks, dim, which
  unbind,  // n: dim, which
  index,   // n: groups of four, see IndexKind
  contiguous,
  unflatten,   // n: dim, extents
  unfold,      // n: dim, size, step
  as_strided,  // n: rank, extents, strides, offset
  // writes to in[0]
  add_,
  sub_,
  mul_,
  maximum_,
  add_number_,
  scale_,
  divide_,  // by x
  neg_,
  sin_,
  square_,
  copy_,
  copy_number_,
  fill_,    // with x
  fill_0d,  // with in[1]
  zero_,
  clamp_,              // to [-x, x]
  masked_fill_,        // where in[1] > 0.3; with x
  masked_fill_tensor,  // with in[2], 0-d
  index_put_,          // n: dim, accumulate, then indices; values in[1]
  assign,              // in[0].index(n) = in[1]
  assign_number,
  assign_taken,  // in[0].index({..., indices}) = in[1]; n: dim, then indices
  index_add_,    // n: dim, indices; in[1] has the shape of what they show
  index_copy_,
  index_fill_,  // with x
  poke,         // through mutable_data: element n[0] becomes x
  // others
  read,
  drop,  // the handle
};
enum IndexKind : int64_t { kInteger, kSlice, kNewAxis, kEllipsis };  // then start, stop, step

struct Step {
  Do what;
  std::vector<int> in;
  Ints n{};
  double x = 0;
  int id = 0;           // of the value it makes, or of nothing
  bool worker = false;  // done by another thread
};

enum class Mode : uint8_t { jit, functionalize, functionalize_views, vmap, grad, jvp, vjp };

// A function called under transforms, outermost first.
struct Call {
  struct Level {
    Mode mode;
    std::vector<int64_t> in_dims{};  // vmap: of each argument, -1: none
    bool lanes_last = false;         // vmap: out_dims -1
    int64_t chunk = 0;               // vmap: 0: none
  };
  std::vector<Level> levels;
  std::vector<int> arguments;   // ids
  std::vector<int> parameters;  // ids inside
  std::vector<int> captured;    // ids of the caller that the body may use
  std::vector<Step> body;
  std::vector<int> returned;  // ids inside
  std::vector<int> results;   // ids of the caller, one for each tensor that the call gives
  int times = 1;              // it is called; the last results count
};

struct Program {
  uint64_t seed = 0;
  bool single = false;  // f32 instead of f64
  std::vector<Step> before;
  std::unique_ptr<Call> call;
  std::vector<Step> after;
  int num_values = 0;

  Program() = default;
  Program(const Program& o);
  Program(Program&&) = default;
  Program& operator=(Program o);
  size_t size() const { return before.size() + after.size() + (call ? call->body.size() + 1 : 0); }
  double tolerance() const { return single ? 1e-3 : 1e-8; }
};

// At least `steps` of them; the same for the same seed.
Program generate(uint64_t seed, int steps);
std::string to_text(const Program& p);

// What happened, in order: elements that were read, and writes or views that were refused.
struct Event {
  int id;  // of what was read, or of the refused step
  bool refused;
  Ints shape{};
  std::vector<double> elements{};
};
struct Outcome {
  std::vector<Event> events;
  std::vector<uint8_t> cloned;  // results of the call that may show an argument: cloned before they are used
};

// A program that the model cannot judge: a comparison too close to call, elements too large, or what the language
// leaves open.
struct Unclear {};

// Every value that is alive is read at the end. Throws Unclear.
Outcome run_model(const Program& p);

// The call alone, on arguments that the program makes: their shapes and elements, what the function returns, and what
// the arguments hold afterwards. For checks of the function's graph.
struct FunctionOutcome {
  std::vector<Event> arguments, captured, results, arguments_after, captured_after;
};
FunctionOutcome run_function(const Program& p);

// Empty if jot does what the model says; else where they differ.
std::string check(const Program& p);

// The program with as many steps taken out as can be, such that check() still complains.
Program shrink(Program p);

}  // namespace jot::test::mutation
