// Graphs: recorded without being run, looked at, run, compiled ahead of time.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "jot/export_options.h"
#include "jot/ir.h"
#include "jot/jit.h"
#include "jot/stats.h"

namespace jot {

namespace detail {

ir::Graph trace(Fn fn, std::span<const Tensor> args, bool functionalized);

}  // namespace detail

// f recorded on arguments like these; nothing is run. Its inputs are the tensors of the arguments, then the captures
// (ir::Graph::captures); its outputs the tensors of the result. Of functionalize(f) the graph is pure.
template <class F, class... A>
  requires(!std::is_same_v<std::remove_cvref_t<F>, Tensor>)
ir::Graph trace(F&& f, const A&... a) {
  detail::Call<false, std::remove_reference_t<F>, A...> call(f, a...);
  return detail::trace(
      call.fn(), call.leaves, requires { std::remove_cvref_t<F>::is_functionalized; });
}

// Prints to stderr, for a debugger's prompt and for looking at something in passing: a graph's text, a tensor, the
// graph of f on arguments like these.
void dump(const ir::Graph& graph);
void dump(const Tensor& t);
template <class F, class... A>
  requires(!std::is_same_v<std::remove_cvref_t<F>, Tensor> && !std::is_same_v<std::remove_cvref_t<F>, ir::Graph>)
void dump(F&& f, const A&... a) {
  dump(trace(f, a...));
}

// What the passes make of it: functionalized, simplified.
ir::Graph optimize(const ir::Graph& graph);
// The same; the observer sees the graph after every pass.
ir::Graph optimize(const ir::Graph& graph,
                   const std::function<void(std::string_view pass, const ir::Graph& after)>& observer);

// Compiled and run; written inputs are updated. The captures may be left out of `inputs`.
std::vector<Tensor> run(const ir::Graph& graph, const std::vector<Tensor>& inputs, Location at = JOT_HERE);
// The same by the reference interpreter, not optimised.
std::vector<Tensor> interpret(const ir::Graph& graph, const std::vector<Tensor>& inputs, Location at = JOT_HERE);

// A compiled function of tensors. Immutable, thread-safe; copies share it.
class Executable {
 public:
  explicit Executable(std::shared_ptr<const detail::Program> program) : program_(std::move(program)) {}
  // The tensors of the arguments in order; checks their types.
  std::vector<Tensor> run(const std::vector<Tensor>& inputs, Location at = JOT_HERE) const;
  // Raw contiguous memory, one pointer a tensor of the arguments (results). An argument that the function writes has
  // one more output after the results, for its new contents. Outputs overlap nothing. Allocates nothing once warm,
  // takes no lock. Another number of pointers is a TransformError, a null one an Error; what they point to is not
  // checked.
  void run_into(std::span<const void* const> inputs, std::span<void* const> outputs, Location at = JOT_HERE) const;
  // Into a file, whole or not at all: the graph's text, machine code for this processor, what f captured. A process
  // that loads it runs the code: load only what you trust. CacheError: the file cannot be written, or the program calls
  // the host's code (host_call).
  void save(const std::string& path) const;
  // What save() wrote. Code of another version of jot, for another processor or another number of threads is compiled
  // anew from the graph, which is told on stderr. CacheError names the file and what is wrong with it.
  static Executable load(const std::string& path);
  // The function as portable C99, one file: int name(in, out, work) with the pointers of run_into (docs/shipping.md).
  // It needs no more of the C library than math.h, and the text is the same each time. Error: `name` is no identifier,
  // or the function needs more than kernels: a library, a routine, the host; each op that does is named.
  // inputs, outputs: their names, which its comments and name_in, name_out tell.
  std::string c_source(const std::string& name = "function", const std::vector<std::string>& inputs = {},
                       const std::vector<std::string>& outputs = {}) const;
  // Machine code for any program, which needs neither jot nor another library: path.o and a header path.h of C, that of
  // a library in its folder, named by the function. The code allocates nothing, makes no system call, runs on the
  // thread that calls it, any number at the same time, and has the kernels of this function: for AVX2 and, chosen when
  // it runs, AVX-512. Error: an op has no kernel, all of them named; a name is none of C's; FileError.
  void export_object(const std::string& path, const ExportOptions& options = {}, Location at = JOT_HERE) const;
  void export_library(const std::string& path, const ExportOptions& options = {}, Location at = JOT_HERE) const;
  ExecutableStats stats() const;
  std::string disassembly() const;

 protected:
  std::shared_ptr<const detail::Program> program_;
};

namespace detail {

// The arguments of a compiled function must be like those it was compiled for.
class ArgumentTypes {
 public:
  explicit ArgumentTypes(const JitKey& key);
  void check(const JitKey& key, LeafNames names, Location at) const;

 private:
  std::vector<uint64_t> words_;
  std::vector<std::string> types_;
};

template <class Out, class... A>
class Compiled : public Executable {
 public:
  Compiled(std::shared_ptr<const Program> program, Out prototype, ArgumentTypes types)
      : Executable(std::move(program)), prototype_(std::move(prototype)), types_(std::move(types)) {}
  Out operator()(const A&... a, Location at = JOT_HERE) const {
    JitKey key(nullptr);
    (walk(a, key), ...);
    std::tuple<const A&...> args(a...);
    types_.check(key, names_of<Role::argument>(args), at);
    Leaves leaves(num_results(*program_));
    run_program(*program_, key.tensors(), leaves);
    Out out = prototype_;
    LeafCursor cursor{leaves.data()};
    replace_leaves(out, cursor);
    return out;
  }

 private:
  Out prototype_;
  ArgumentTypes types_;
};

}  // namespace detail

// f compiled for arguments like these: exe(a...) has f's result type. What f captures is copied; numbers among the
// arguments are part of the program.
template <class F, class... A>
auto compile(F&& f, const A&... a) {
  using namespace detail;
  using C = Call<false, std::remove_reference_t<F>, A...>;
  C call(f, a...);
  std::shared_ptr<const Program> program =
      record_program(call.fn(), call.leaves, Captures::copied, "compile", Location());
  JitKey key(nullptr);
  (walk(a, key), ...);
  return Compiled<typename C::Result, argument_t<A>...>(std::move(program), blank(call.result()), ArgumentTypes(key));
}

}  // namespace jot
