// jot-opt: reads a graph in text form, runs passes on it, prints or runs the result.
#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "backends/buffer.h"
#include "backends/cpu/ship/c_source.h"
#include "backends/engine.h"
#include "backends/reference/interpret.h"
#include "backends/target.h"
#include "ir/hash.h"
#include "ir/print.h"
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

enum class Emit { none, text, dot, json, html, assembly, c };
enum class Run { no, engine, interpreter };

struct Options {
  std::string file;
  std::vector<std::string> passes;
  std::optional<Emit> emit;
  Run run = Run::no;
  bool verify = false, help = false;
  int64_t seed = 0;
  passes::PassOptions pass_options;
};

void print_help() {
  std::cout << "Usage: jot-opt FILE [OPTION...]\n"
               "\n"
               "Reads a graph (docs/ir.md) from FILE, or from the standard input if FILE is -, and verifies it.\n"
               "\n"
               "  --pass=NAME,...    passes to run, in this order\n"
               "  --lanes=N          lanes of vmap (4)\n"
               "  --verify           verify after every pass\n"
               "  --emit=FORMAT      what to print: text (unless it runs), dot, json, html, asm or c (of the compiled "
               "graph), none\n"
               "  --run              optimise, compile and run it on made-up inputs; print inputs and results\n"
               "  --interpret        the same by the interpreter, without optimising\n"
               "  --seed=N           of the inputs (0)\n"
               "\n"
               "Exit code: 0, 1 if something is wrong with the graph, 2 with the command line. Passes:\n\n";
  for (const passes::NamedPass& p : passes::all_passes())
    std::cout << "  " << p.name << std::string(19 - p.name.size(), ' ') << p.summary << "\n";
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
  if (value == "text") return Emit::text;
  if (value == "dot") return Emit::dot;
  if (value == "json") return Emit::json;
  if (value == "html") return Emit::html;
  if (value == "asm") return Emit::assembly;
  if (value == "c") return Emit::c;
  if (value == "none") return Emit::none;
  throw UsageError{"--emit=" + std::string(value) + ": expected text, dot, json, html, asm, c or none"};
}

Options read_options(std::span<char*> arguments) {
  Options o;
  for (std::string_view a : arguments) {
    auto value = [&](std::string_view name) -> std::optional<std::string_view> {
      return a.starts_with(name) ? std::optional(a.substr(name.size())) : std::nullopt;
    };
    if (a == "--help" || a == "-h") {
      o.help = true;
    } else if (a == "--verify") {
      o.verify = true;
    } else if (a == "--run") {
      o.run = Run::engine;
    } else if (a == "--interpret") {
      o.run = Run::interpreter;
    } else if (auto names = value("--pass=")) {
      std::stringstream list{std::string(*names)};
      for (std::string name; std::getline(list, name, ',');) o.passes.push_back(name);
    } else if (auto lanes = value("--lanes=")) {
      o.pass_options.lanes = number("--lanes=", *lanes, 0);
    } else if (auto seed = value("--seed=")) {
      o.seed = number("--seed=", *seed, 0);
    } else if (auto format = value("--emit=")) {
      o.emit = emit_format(*format);
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

// ---- running

// Made-up elements: floats in [-1, 1) with few digits, small integers.
template <class T>
void fill(std::byte* out, int64_t n, uint64_t& state) {
  for (int64_t i = 0; i < n; ++i) {
    state = hash_mix(state, static_cast<uint64_t>(i));
    T x;
    if constexpr (is_floating_element<T>)
      x = static_cast<T>(static_cast<double>(static_cast<int64_t>((state >> 33) % 2000) - 1000) / 1000);
    else
      x = static_cast<T>((state >> 33) % (sizeof(T) == 1 ? 2 : 8));
    std::memcpy(out + i * static_cast<int64_t>(sizeof(T)), &x, sizeof(T));
  }
}

template <class T>
void append_elements(std::string& out, DType dtype, const std::byte* data, int64_t n) {
  constexpr int64_t kPrinted = 100;
  for (int64_t i = 0; i < std::min(n, kPrinted); ++i) {
    T x;
    std::memcpy(&x, data + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
    if (i) out += ',';
    if constexpr (is_floating_element<T>)
      ir::append_element(out, dtype, std::bit_cast<int64_t>(static_cast<double>(x)));
    else
      ir::append_element(out, dtype, static_cast<int64_t>(x));
  }
  if (n > kPrinted) out += ",...";
}

Buffer allocate(const ir::Type& t) { return Buffer::allocate(t.shape.numel() * size_of(t.dtype), size_of(t.dtype)); }

void print_tensor(const std::string& name, const ir::Type& t, const Buffer& buffer) {
  std::string text;
  visit_dtype(t.dtype, [&](auto zero) {
    append_elements<decltype(zero)>(text, t.dtype, static_cast<const std::byte*>(buffer.data()), t.shape.numel());
  });
  std::cout << name << ": " << to_string(t) << " = [" << text << "]\n";
}

void run(const ir::Graph& graph, const Options& options, const std::shared_ptr<const Engine>& engine) {
  const ir::GraphData& g = graph.data();
  std::vector<Buffer> buffers;
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  uint64_t state = static_cast<uint64_t>(options.seed);
  for (ir::Value v : g.inputs()) {
    const ir::Type& t = g.type(v);
    buffers.push_back(allocate(t));
    visit_dtype(t.dtype, [&](auto zero) {
      fill<decltype(zero)>(static_cast<std::byte*>(buffers.back().data()), t.shape.numel(), state);
    });
    inputs.push_back(buffers.back().data());
    print_tensor(ir::value_name(g, v), t, buffers.back());
  }
  size_t first = buffers.size();
  for (ir::Value v : g.outputs()) {
    buffers.push_back(allocate(g.type(v)));
    outputs.push_back(buffers.back().data());
  }
  engine ? engine->run(inputs, outputs) : reference::interpret(graph, inputs, outputs);
  for (size_t i = 0; i < outputs.size(); ++i) {
    bool result = i < g.num_results();
    std::string name = result ? "result " + std::to_string(i)
                              : "writeback " + ir::value_name(g, g.inputs()[g.writebacks()[i - g.num_results()]]);
    print_tensor(name, g.type(g.outputs()[i]), buffers[first + i]);
  }
}

void process(const Options& options) {
  ir::Graph graph = ir::parse(read_text(options.file));
  for (const std::string& name : options.passes) {
    const passes::NamedPass& pass = passes::pass_named(name);
    graph = pass.run(graph, options.pass_options);
    if (options.verify) ir::verify(graph);
  }
  Emit emit = options.emit.value_or(options.run == Run::no ? Emit::text : Emit::none);
  if (emit == Emit::text) std::cout << to_text(graph);
  if (emit == Emit::dot) std::cout << to_dot(graph);
  if (emit == Emit::json) std::cout << to_json(graph);
  if (emit == Emit::html) std::cout << to_html(graph);
  if (options.run == Run::interpreter) run(passes::functionalize(graph), options, nullptr);
  if (options.run != Run::engine && emit != Emit::assembly && emit != Emit::c) return;
  passes::dump_graph("recorded", graph);
  ir::Graph optimised = passes::optimize(graph);
  if (emit == Emit::c) std::cout << cpu::c_source(optimised, {.num_arguments = optimised.data().inputs().size()});
  if (options.run != Run::engine && emit != Emit::assembly) return;
  std::shared_ptr<const Engine> engine = make_engine(optimised);
  if (emit == Emit::assembly) std::cout << engine->disassembly();
  if (options.run == Run::engine) run(optimised, options, engine);
}

}  // namespace

int main(int count, char** arguments) {
  try {
    Options options = read_options({arguments + 1, static_cast<size_t>(count - 1)});
    if (options.help)
      print_help();
    else
      process(options);
    if (std::cout.flush()) return 0;
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
