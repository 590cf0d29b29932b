#include "backends/cpu/ship/c_source.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "backends/cpu/executable.h"
#include "backends/cpu/kernel/lower_ops.h"
#include "backends/cpu/ship/c_kernel.h"
#include "backends/cpu/ship/c_names.h"
#include "backends/cpu/ship/fault_numbers.h"
#include "backends/target.h"
#include "ir/graph.h"
#include "ir/print.h"
#include "jot/error.h"

namespace jot::cpu {

using namespace ir;

namespace {

constexpr std::string_view kPreamble =
    "#include <math.h>\n"
    "#include <stddef.h>\n"
    "#include <stdint.h>\n"
    "\n"
    "/* Each operation is rounded as written. */\n"
    "#if defined(__clang__)\n"
    "#pragma STDC FP_CONTRACT OFF\n"
    "#elif defined(__GNUC__)\n"
    "#pragma GCC optimize(\"fp-contract=off\")\n"
    "#endif\n";

[[noreturn]] void fail_name(const CSource& options, const char* expected) {
  throw Error("[c_source] expected a name that is " + std::string(expected) + ", got \"" + options.name + "\"");
}

std::string_view element_type(DType d) {
  switch (d) {
    case DType::f64:
      return "double";
    case DType::f32:
      return "float";
    case DType::i64:
      return "int64_t";
    case DType::i32:
      return "int32_t";
    case DType::u8:
      return "uint8_t";
    case DType::boolean:
      return "unsigned char";
    case DType::f16:
    case DType::bf16:
      return "uint16_t";
  }
  internal_error("a dtype", to_string(d));
}

// An element of a table; expressions that are constant.
std::string element_text(DType d, const std::byte* at) {
  uint64_t bits = 0;
  std::memcpy(&bits, at, static_cast<size_t>(size_of(d)));
  if (d != DType::f64 && d != DType::f32 && d != DType::i64 && d != DType::i32) return std::to_string(bits);
  const std::string text = c_literal(kernel_type(d), bits);
  return text.find("_of(") == std::string::npos ? text : "NAN";
}

class File {
 public:
  File(const Graph& optimised, const CSource& options)
      : options_(options),
        compiled_(compile(optimised, {.vector_bytes = target() == Target::avx2 ? 32 : 64,
                                      .self_contained = "c_source",
                                      .lanes_of_sums = true,
                                      .origins = true})),
        p_(compiled_.program),
        graph_(p_.graph.get()),
        g_(graph_.data()) {}

  std::string run() {
    find_interface();
    for (const Step& s : p_.steps) {
      if (auto* k = std::get_if<KernelStep>(&s.what))
        add_kernel(s, *k);
      else
        add_copy(std::get<CopyStep>(s.what));
    }
    if (!parts_.is_new(options_.name)) fail_name(options_, "none of the file's own helper functions");
    const std::string graph = jot::to_text(graph_);
    std::string text = head(graph);
    text += kPreamble;
    if (kernels_.find("NOINLINE ") != std::string::npos)
      text += "#if defined(__GNUC__)\n#define NOINLINE __attribute__((noinline))\n#else\n#define NOINLINE\n#endif\n";
    text += interface();
    if (!tables_.empty()) text += "\n/* ---- constants */\n\n" + tables_;
    if (!parts_.text().empty()) text += "\n/* ---- functions */\n\n" + parts_.text();
    text += "\n/* ---- kernels */\n" + kernels_;
    return text + driver() + "\n/* ---- the graph\n\n" + comment_lines(graph) + "\n*/\n";
  }

 private:
  // ---- what the caller gives and gets

  void find_interface() {
    for (size_t i = 0; i < options_.num_arguments; ++i) all_of(g_.dtype(g_.inputs()[i]));
    for (Value v : g_.outputs()) all_of(g_.dtype(v));
    type_ = one_type_ && *one_type_ == DType::f64 ? "double" : one_type_ && *one_type_ == DType::f32 ? "float" : "void";
  }
  void all_of(DType d) {
    if (one_type_ && *one_type_ != d) mixed_ = true;
    one_type_ = d;
    if (mixed_) one_type_ = DType::boolean;
  }
  std::string signature() const {
    return "int " + options_.name + "(const " + type_ + "* const* in, " + type_ + "* const* out, void* work)";
  }
  int64_t work_bytes() const { return uses("w") ? p_.arena_bytes : 0; }
  size_t num_outputs() const { return g_.outputs().size(); }
  std::string input_text(size_t i) const {
    const std::string& name = options_.inputs.empty() ? g_.input_name(i) : options_.inputs[i];
    return (name.empty() ? "" : name + ": ") + ir::to_string(g_.type(g_.inputs()[i]));
  }
  std::string output_text(size_t i) const {
    std::string text =
        (i < options_.outputs.size() ? options_.outputs[i] + ": " : "") + ir::to_string(g_.type(g_.outputs()[i]));
    if (i >= g_.num_results())
      text += ", the new contents of in[" + std::to_string(g_.writebacks()[i - g_.num_results()]) + "]";
    return text;
  }

  std::string head(const std::string& graph) const {
    const auto nodes = std::ranges::count(graph, '\n');
    std::string text = "/* " + options_.name + ": made by jot of a graph of " + std::to_string(nodes) +
                       " lines, which stands at the end.\n";
    for (size_t i = 0; i < options_.num_arguments; ++i)
      text += "\n   in[" + std::to_string(i) + "]   " + c_comment(input_text(i));
    for (size_t i = 0; i < num_outputs(); ++i) text += "\n   out[" + std::to_string(i) + "]  " + output_text(i);
    text += "\n\n   Arrays are row-major and overlap nothing. work: " + std::to_string(work_bytes()) +
            " bytes, aligned as a double" + (work_bytes() == 0 ? "; it may be null" : "") + ".\n   Returns 0" +
            (faults_.texts().empty() ? "." : ", or");
    for (const std::string& fault : faults_.texts()) text += "\n   " + fault;
    return text + " */\n";
  }
  std::string interface() const {
    const std::string& n = options_.name;
    auto texts = [&](const char* what, size_t count, auto text_of) {
      std::string text = "const char* " + n + "_" + what + "(int i) {\n  switch (i) {\n";
      for (size_t i = 0; i < count; ++i) {
        std::string quoted;
        append_quoted(quoted, text_of(i));
        text += "    case " + std::to_string(i) + ":\n      return " + quoted + ";\n";
      }
      return text + "    default:\n      return 0;\n  }\n}\n";
    };
    return "\n" + signature() + ";\nsize_t " + n + "_work_bytes(void);\nint " + n + "_n_in(void);\nint " + n +
           "_n_out(void);\nconst char* " + n + "_in(int i);  /* name and type */\nconst char* " + n +
           "_out(int i);\n\nsize_t " + n + "_work_bytes(void) { return " + std::to_string(work_bytes()) + "; }\nint " +
           n + "_n_in(void) { return " + std::to_string(options_.num_arguments) + "; }\nint " + n +
           "_n_out(void) { return " + std::to_string(num_outputs()) + "; }\n" +
           texts("in", options_.num_arguments, [&](size_t i) { return input_text(i); }) +
           texts("out", num_outputs(), [&](size_t i) { return output_text(i); });
  }
  static std::string comment_lines(const std::string& text) {
    std::string result, line;
    for (char c : text) {
      if (c != '\n') {
        line += c;
        continue;
      }
      result += c_comment(line) + "\n";
      line.clear();
    }
    return result;
  }

  // ---- places

  struct Base {
    std::string name, type;  // of its elements; void: not known
  };
  // What a place is behind.
  Base base_of(const Place& p, int64_t& offset) {
    offset = p.offset;
    switch (p.space) {
      case Space::input:
        if (p.index < options_.num_arguments) return {"in[" + std::to_string(p.index) + "]", type_};
        return captured(p.index);
      case Space::output:
        return {"out[" + std::to_string(p.index) + "]", type_};
      case Space::arena:
        return {"w", "char"};
      case Space::constant:
        return constant(p.offset, offset);
      case Space::pointer:
      case Space::slice:
        break;
    }
    internal_error("a place of a self-contained program", options_.name);
  }
  // As a pointer to elements of a type.
  std::string pointer(const Place& p, const std::string& type, bool written) {
    int64_t offset;
    const Base base = base_of(p, offset);
    const int64_t size = base.type == "double" || base.type == "int64_t"  ? 8
                         : base.type == "float" || base.type == "int32_t" ? 4
                         : base.type == "uint16_t"                        ? 2
                                                                          : 1;
    const std::string to = (written ? "" : "const ") + type + "*";
    if (base.type == type && offset % size == 0)
      return base.name + (offset == 0 ? "" : " + " + std::to_string(offset / size));
    if (offset == 0) return "(" + to + ")" + base.name;
    if (base.type == "char") return "(" + to + ")(" + base.name + " + " + std::to_string(offset) + ")";
    return "(" + to + ")((" + (written ? "" : "const ") + "char*)" + base.name + " + " + std::to_string(offset) + ")";
  }
  std::string parameter_name(const Place& p) const {
    switch (p.space) {
      case Space::input:
        return "in" + std::to_string(p.index);
      case Space::output:
        return "out" + std::to_string(p.index);
      case Space::arena:
        return "work" + std::to_string(p.offset);
      default:
        return "table" + std::to_string(p.offset);
    }
  }

  // ---- tables

  Base table(const std::string& name, const Type& type, const std::byte* data) {
    const std::string element(element_type(type.dtype));
    if (!made_.emplace(name).second) return {name, element};
    const int64_t n = type.shape.numel(), size = size_of(type.dtype);
    const bool zeros = std::all_of(data, data + n * size, [](std::byte b) { return b == std::byte{0}; });
    tables_ += "static const " + element + " " + name + "[" + std::to_string(std::max<int64_t>(n, 1)) + "] = {";
    constexpr int64_t kLine = 8;
    for (int64_t i = 0; i < n && !zeros; ++i)
      tables_ += (i == 0 ? "" : ",") +
                 std::string(n > kLine && i % kLine == 0 ? "\n    "
                             : i                         ? " "
                                                         : "") +
                 element_text(type.dtype, data + i * size);
    tables_ += zeros ? "0};" : "};";
    tables_ += "  /* " + ir::to_string(type) + " */\n";
    return {name, element};
  }
  Base constant(int64_t at, int64_t& offset) {
    auto after = std::ranges::upper_bound(p_.constant_places, at, {}, &Program::Constant::offset);
    const Program::Constant& c = *(after - 1);
    offset = at - c.offset;
    return table("table_" + std::to_string(after - p_.constant_places.begin() - 1), g_.type(c.value),
                 static_cast<const std::byte*>(p_.constants.data()) + c.offset);
  }
  Base captured(uint32_t input) {
    return table("captured_" + std::to_string(input - options_.num_arguments), g_.type(g_.inputs()[input]),
                 options_.captured[input - options_.num_arguments].data());
  }

  // ---- steps

  void add_kernel(const Step& step, const KernelStep& k) {
    std::vector<CArgument> args(k.num_args);
    std::vector<const Place*> places(k.num_args + 1, nullptr);
    for (size_t i = 1; i < k.num_args; ++i) args[i - 1] = {true, p_.args[k.first_arg + i], {}};
    auto first = std::ranges::lower_bound(p_.addresses, k.first_arg, {}, &Address::arg);
    std::set<std::string> names;
    for (; first != p_.addresses.end() && first->arg < k.first_arg + k.num_args; ++first) {
      const size_t arg = first->arg - k.first_arg;
      std::string name = parameter_name(first->place);
      while (!names.insert(name).second) name += "b";
      args[arg - 1] = {false, 0, name};
      places[arg] = &first->place;
    }
    const std::string name = options_.name + "_kernel" + std::to_string(num_kernels_++);
    const GraphData& g = k.loop ? k.loop->data() : g_;
    const CFunction f = c_function({name, *k.kernel, k.extent, args, faults_.of(p_, step), &g}, parts_);
    kernels_ += f.text;
    std::string call = name + "(";
    for (const CFunction::Parameter& p : f.parameters) {
      if (p.arg != f.parameters[0].arg) call += ", ";
      call += pointer(*places[p.arg], p.type, p.written);
    }
    call += ")";
    steps_ += f.fails ? "  fault = " + call + ";\n  if (fault != 0) return fault;\n" : "  " + call + ";\n";
    fails_ |= f.fails;
  }
  void add_copy(const CopyStep& c) {
    if (c.bytes == 0) return;
    parts_.helper("copy_bytes");
    steps_ += "  copy_bytes(" + pointer(c.to, "unsigned char", true) + ", " + pointer(c.from, "unsigned char", false) +
              ", " + std::to_string(c.bytes) + ");\n";
  }

  std::string driver() const {
    std::string text = "\n/* ---- the function */\n\n" + signature() + " {\n";
    if (uses("w")) text += "  char* const w = (char*)work;\n";
    if (fails_) text += "  int fault;\n";
    for (const char* name : {"in", "out"})
      if (!uses(name)) text += "  (void)" + std::string(name) + ";\n";
    if (!uses("w")) text += "  (void)work;\n";
    return text + steps_ + "  return 0;\n}\n";
  }
  // Whether the steps name what the function has: as a word.
  bool uses(std::string_view name) const {
    auto part = [](char c) {
      return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    };
    for (size_t at = steps_.find(name); at != std::string::npos; at = steps_.find(name, at + 1))
      if ((at == 0 || !part(steps_[at - 1])) && !part(steps_[at + name.size()])) return true;
    return false;
  }

  const CSource& options_;
  Compiled compiled_;
  const Program& p_;
  const Graph& graph_;
  const GraphData& g_;
  CParts parts_;
  std::string type_, tables_, kernels_, steps_;
  std::optional<DType> one_type_;
  bool mixed_ = false, fails_ = false;
  std::set<std::string> made_;
  FaultNumbers faults_;
  size_t num_kernels_ = 0;
};

}  // namespace

std::string c_source(const Graph& optimised, const CSource& options) {
  if (!is_free_c_name(options.name)) fail_name(options, "an identifier of C that is free beside its headers");
  return File(optimised, options).run();
}

}  // namespace jot::cpu
