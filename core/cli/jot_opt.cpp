// jot-opt: reads a graph in text form, runs passes on it, prints, runs or reduces the result (docs/jot-opt.1).
#include <charconv>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/cpu/ship/c_source.h"
#include "backends/engine.h"
#include "core/cli/made_up_run.h"
#include "core/cli/reduce.h"
#include "ir/graph.h"
#include "passes/dump.h"
#include "passes/functionalize.h"
#include "passes/pipeline.h"
#include "passes/registry.h"

namespace {

using namespace jot;

// A wrong command line.
struct UsageError {
  std::string what;
};

enum class Emit { none, text, dot, json, html, assembly, kernels, c };
enum class Run { no, engine, interpreter };

struct Options {
  std::string file, passes, reduce;
  std::optional<Emit> emit;
  Run run = Run::no;
  bool verify = false, time = false, help = false;
  int64_t seed = 0;
  passes::PassOptions pass_options;
};

void print_help() {
  std::cout
      << "Usage: jot-opt FILE [OPTION...]\n"
         "\n"
         "Reads a graph (docs/ir.md) from FILE, or from the standard input if FILE is -, and verifies it.\n"
         "\n"
         "  --pass=NAME,...    passes to run, in this order, with arguments in brackets: vmap(lanes=8,in_dims=0:none)\n"
         "  --lanes=N          lanes of vmap where it is not told (4)\n"
         "  --verify-each      verify after every pass; --verify is the same\n"
         "  --time-passes      print nodes and time of every pass to the standard error\n"
         "  --emit=FORMAT      what to print: text (unless it runs), dot, json, html; of the compiled graph kernels,\n"
         "                     asm and c; none\n"
         "  --run              optimise, compile and run it on made-up inputs; print inputs and results\n"
         "  --interpret        the same by the interpreter, without optimising\n"
         "  --seed=N           of the inputs (0)\n"
         "  --reduce=COMMAND   print a smallest graph on which `COMMAND FILE` ends as on this one: not with 0\n"
         "  --help             this text\n"
         "\n"
         "Exit code: 0, 1 if something is wrong with the graph, 2 with the command line, 3 if the command of\n"
         "--reduce does not fail. Passes and their arguments; lists have colons (inputs=0:2):\n\n";
  for (const passes::NamedPass& p : passes::all_passes()) {
    std::cout << "  " << p.name << std::string(19 - p.name.size(), ' ') << p.summary;
    if (!p.arguments.empty()) std::cout << "  (" << p.arguments << ")";
    std::cout << "\n";
  }
}

int64_t number(std::string_view option, std::string_view value, int64_t least) {
  int64_t n = 0;
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), n);
  if (error != std::errc() || end != value.data() + value.size() || n < least)
    throw UsageError{std::string(option) + std::string(value) + ": expected a number of at least " +
                     std::to_string(least)};
  return n;
}

Emit emit_format(std::string_view value) {
  constexpr std::pair<std::string_view, Emit> formats[] = {
      {"text", Emit::text},    {"dot", Emit::dot},         {"json", Emit::json}, {"html", Emit::html},
      {"asm", Emit::assembly}, {"kernels", Emit::kernels}, {"c", Emit::c},       {"none", Emit::none}};
  std::string expected;
  for (const auto& [name, format] : formats) {
    if (value == name) return format;
    expected += (expected.empty() ? "" : ", ") + std::string(name);
  }
  throw UsageError{"--emit=" + std::string(value) + ": expected one of " + expected};
}

Options read_options(std::span<char*> arguments) {
  Options o;
  for (std::string_view a : arguments) {
    auto value = [&](std::string_view name) -> std::optional<std::string_view> {
      return a.starts_with(name) ? std::optional(a.substr(name.size())) : std::nullopt;
    };
    if (a == "--help" || a == "-h") {
      o.help = true;
    } else if (a == "--verify" || a == "--verify-each") {
      o.verify = true;
    } else if (a == "--time-passes") {
      o.time = true;
    } else if (a == "--run") {
      o.run = Run::engine;
    } else if (a == "--interpret") {
      o.run = Run::interpreter;
    } else if (auto names = value("--pass=")) {
      o.passes += (o.passes.empty() ? "" : ",") + std::string(*names);
    } else if (auto lanes = value("--lanes=")) {
      o.pass_options.lanes = number("--lanes=", *lanes, 0);
    } else if (auto seed = value("--seed=")) {
      o.seed = number("--seed=", *seed, 0);
    } else if (auto format = value("--emit=")) {
      o.emit = emit_format(*format);
    } else if (auto command = value("--reduce=")) {
      o.reduce = *command;
      if (o.reduce.empty()) throw UsageError{"--reduce= needs a command, which is given a file"};
    } else if (a.starts_with("-") && a != "-") {
      throw UsageError{"unknown option " + std::string(a)};
    } else if (o.file.empty()) {
      o.file = a;
    } else {
      throw UsageError{"more than one file: " + o.file + ", " + std::string(a)};
    }
  }
  if (o.file.empty() && !o.help) throw UsageError{"no file; - is the standard input"};
  return o;
}

std::string read_text(const std::string& file) {
  auto contents = [](std::istream& in) { return std::string(std::istreambuf_iterator<char>(in), {}); };
  if (file == "-") return contents(std::cin);
  std::ifstream in(file, std::ios::binary);
  if (!in) throw UsageError{"cannot read " + file};
  return contents(in);
}

ir::Graph run_passes(ir::Graph graph, const Options& options) {
  for (const passes::PassCall& call : passes::parse_passes(options.passes, options.pass_options)) {
    const int64_t before = graph.num_nodes();
    const auto start = std::chrono::steady_clock::now();
    graph = call.pass->run(graph, call.options);
    const std::chrono::duration<double, std::milli> ms = std::chrono::steady_clock::now() - start;
    if (options.time)
      std::fprintf(stderr, "%-19s %8lld -> %8lld nodes %10.3f ms\n", std::string(call.pass->name).c_str(),
                   static_cast<long long>(before), static_cast<long long>(graph.num_nodes()), ms.count());
    if (options.verify) passes::verify_after(call.pass->name, graph);
  }
  return graph;
}

// The exit code.
int reduce(const ir::Graph& graph, const Options& options) {
  const int code = cli::run_command(options.reduce, graph);
  if (code == 0) {
    std::cerr << "jot-opt: --reduce: the command does not fail on this graph: expected an exit code that is not 0\n";
    return 3;
  }
  std::cout << to_text(
      cli::reduce(graph, [&](const ir::Graph& g) { return cli::run_command(options.reduce, g) == code; }));
  return 0;
}

int process(const Options& options) {
  const ir::Graph graph = run_passes(ir::parse(read_text(options.file)), options);
  if (!options.reduce.empty()) return reduce(graph, options);
  Emit emit = options.emit.value_or(options.run == Run::no ? Emit::text : Emit::none);
  if (emit == Emit::text) std::cout << to_text(graph);
  if (emit == Emit::dot) std::cout << to_dot(graph);
  if (emit == Emit::json) std::cout << to_json(graph);
  if (emit == Emit::html) std::cout << to_html(graph);
  if (options.run == Run::interpreter) cli::run_on_made_up_inputs(passes::functionalize(graph), options.seed, nullptr);
  if (options.run != Run::engine && emit != Emit::assembly && emit != Emit::kernels && emit != Emit::c) return 0;
  passes::dump_graph("recorded", graph);
  ir::Graph optimised = passes::optimize(graph);
  if (emit == Emit::kernels) std::cout << program_listing(optimised);
  if (emit == Emit::c) std::cout << cpu::c_source(optimised, {.num_arguments = optimised.data().inputs().size()});
  if (emit != Emit::assembly && options.run != Run::engine) return 0;
  std::shared_ptr<const Engine> engine = make_engine(optimised);
  if (emit == Emit::assembly) std::cout << engine->disassembly();
  if (options.run == Run::engine) cli::run_on_made_up_inputs(optimised, options.seed, engine.get());
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    Options options = read_options({arguments + 1, static_cast<size_t>(count - 1)});
    int code = 0;
    if (options.help)
      print_help();
    else
      code = process(options);
    if (std::cout.flush()) return code;
    std::cerr << "jot-opt: cannot write to the standard output\n";
    return 1;
  } catch (const UsageError& e) {
    std::cerr << "jot-opt: " << e.what << "\njot-opt --help tells how to use it\n";
    return 2;
  } catch (const std::exception& e) {
    std::cerr << "jot-opt: " << e.what() << "\n";
    return 1;
  }
}
