#include "backends/cpu/ship/casadi.h"

#include <algorithm>
#include <cstring>

#include "backends/cpu/ship/sparsity.h"
#include "ir/build.h"
#include "jot/error.h"
#include "passes/inline.h"
#include "passes/jacobian.h"
#include "passes/pipeline.h"
#include "passes/transforms.h"

namespace jot::cpu {

using namespace ir;

namespace {

// ---- matrices

struct Extents {
  int64_t rows, columns;
};
Extents extents(const Shape& s) {
  if (s.size() == 2) return {s[0], s[1]};
  return {s.numel(), 1};
}
// The row-major shape of the same memory.
Shape stored_shape(const Shape& s) { return s.size() == 2 ? Shape{s[1], s[0]} : s; }
Value transposed(Builder& b, Value x) {
  constexpr int64_t kSwap[] = {1, 0};
  return b.shape(x).size() == 2 ? build::permute(b, x, kSwap) : x;
}
// Where element i of the stored one is in the tensor.
int64_t from_stored(const Shape& s, int64_t i) {
  if (s.size() != 2) return i;
  return i % s[0] * s[1] + i / s[0];
}

// Compressed columns: rows, columns, where each column begins, rows of its elements; of a full one 1 behind the first.
using Sparsity = std::vector<int64_t>;
Sparsity full(Extents e) { return {e.rows, e.columns, 1}; }
Sparsity none(Extents e) {
  Sparsity s(static_cast<size_t>(e.columns) + 3, 0);
  s[0] = e.rows, s[1] = e.columns;
  return s;
}
int64_t elements(const Sparsity& s) {
  return s[2] == 1 && s.size() == 3 ? s[0] * s[1] : s[static_cast<size_t>(s[1]) + 2];
}

struct Port {
  std::string name;
  Sparsity sparsity;
  bool used = true;  // it is the next input, or result, of the graph
};

struct CasadiFunction {
  ExportedFunction f;
  std::vector<Port> in, out;
};

// ---- the graphs

// A function, and what CasADi counts among its inputs behind the first `own` of them though nothing depends on it.
struct Source {
  const ExportedFunction& f;
  const GraphData& g;
  size_t own;
  std::vector<Port> unused;
  const Shape& input(size_t i) const { return g.shape(g.inputs()[i]); }
  const Shape& output(size_t o) const { return g.shape(g.outputs()[o]); }
  size_t inputs() const { return f.inputs.size(); }
  size_t outputs() const { return f.outputs.size(); }
};

// Builds a graph of CasADi's matrices, and what is fixed.
struct Wrapped {
  Builder b;
  std::vector<Value> args;
  std::vector<std::span<const std::byte>> contents;
  size_t given;

  explicit Wrapped(const Source& s) : b(s.g.name()), contents(s.f.fixed), given(s.inputs()) {
    for (size_t i = 0; i < s.g.inputs().size(); ++i) {
      const Type& type = s.g.type(s.g.inputs()[i]);
      args.push_back(i < given ? transposed(b, b.param({type.dtype, false, stored_shape(type.shape)})) : b.param(type));
    }
  }
  std::vector<Value> inlined(const Graph& graph) { return passes::inline_graph(b, graph.data(), args); }
  ExportedFunction finish(std::string name, std::span<const Value> outputs) {
    ExportedFunction f;
    f.name = std::move(name);
    f.graph = passes::optimize(b.finish(outputs));
    f.fixed = contents;
    f.inputs.resize(given);
    f.outputs.resize(outputs.size());
    return f;
  }
};

std::vector<uint8_t> active(const Source& s) {
  std::vector<uint8_t> flags(s.g.inputs().size(), 0);
  std::fill_n(flags.begin(), s.inputs(), 1);
  return flags;
}

std::vector<Port> inputs_of(const Source& s) {
  std::vector<Port> all;
  for (size_t i = 0; i < s.inputs(); ++i) {
    if (i == s.own) all.insert(all.end(), s.unused.begin(), s.unused.end());
    all.push_back({s.f.inputs[i], full(extents(s.input(i)))});
  }
  return all;
}
// The results, of which derivatives are not asked to know.
std::vector<Port> results_of(const Source& s) {
  std::vector<Port> all;
  for (size_t o = 0; o < s.outputs(); ++o) all.push_back({"out_" + s.f.outputs[o], none(extents(s.output(o))), false});
  return all;
}

CasadiFunction plain(const Source& s) {
  Wrapped w(s);
  std::vector<Value> outputs = w.inlined(s.f.graph);
  for (Value& o : outputs) o = transposed(w.b, o);
  CasadiFunction c{w.finish(s.f.name, outputs), inputs_of(s), {}};
  for (size_t o = 0; o < s.outputs(); ++o) c.out.push_back({s.f.outputs[o], full(extents(s.output(o)))});
  return c;
}

// Inputs: those of f, cotangents of its results, what is fixed. Results: cotangents of the inputs.
ExportedFunction reverse(const Source& s) {
  ExportedFunction f{"adj1_" + s.f.name, {}, {}, s.f.inputs, {}};
  Builder b(s.g.name());
  std::vector<Value> given, seeds;
  for (size_t i = 0; i < s.inputs(); ++i) given.push_back(b.param(s.g.type(s.g.inputs()[i])));
  for (size_t o = 0; o < s.outputs(); ++o) seeds.push_back(b.param(s.g.type(s.g.outputs()[o])));
  f.fixed.resize(given.size() + seeds.size());
  for (size_t i = s.inputs(); i < s.g.inputs().size(); ++i) {
    given.push_back(b.param(s.g.type(s.g.inputs()[i])));
    f.fixed.push_back(s.f.fixed[i]);
  }
  given.insert(given.end(), seeds.begin(), seeds.end());
  const Graph vjp = passes::vjp(s.f.graph, active(s), s.outputs());
  const std::vector<Value> all = passes::inline_graph(b, vjp.data(), given);
  f.graph = passes::optimize(b.finish(std::span(all).subspan(s.outputs())));
  for (const std::string& o : s.f.outputs) f.inputs.push_back("adj_" + o);
  for (const std::string& i : s.f.inputs) f.outputs.push_back("adj_" + i);
  return f;
}

// Elements of a flat value, runs of them at a time.
Value chosen(Builder& b, Value flat, std::span<const int64_t> at) {
  std::vector<Value> parts;
  for (size_t i = 0; i < at.size();) {
    size_t end = i + 1;
    while (end < at.size() && at[end] == at[end - 1] + 1) ++end;
    parts.push_back(build::slice_axis(b, flat, 0, at[i], at[end - 1] + 1));
    i = end;
  }
  if (parts.empty()) return build::zeros(b, {b.dtype(flat), false, Shape{0}});
  return parts.size() == 1 ? parts[0] : build::concat(b, parts, 0);
}

// Blocks of results by inputs: a row for each element of the result, a column for each of the input.
CasadiFunction jacobian(const Source& s) {
  const std::optional<Dependence> known = dependence(s.f.graph, s.inputs());
  int64_t ins = 0, outs = 0;
  for (size_t i = 0; i < s.inputs(); ++i) ins += s.input(i).numel();
  for (size_t o = 0; o < s.outputs(); ++o) outs += s.output(o).numel();
  const auto mode = outs <= ins ? passes::JacobianMode::reverse : passes::JacobianMode::forward;
  Wrapped w(s);
  const std::vector<Value> all = w.inlined(passes::jacobian(s.f.graph, active(s), s.outputs(), mode));
  std::vector<Value> outputs;
  CasadiFunction c{{}, inputs_of(s), {}};
  const std::vector<Port> results = results_of(s);
  c.in.insert(c.in.end(), results.begin(), results.end());
  int64_t first_result = 0;
  for (size_t o = 0; o < s.outputs(); ++o) {
    int64_t first_input = 0;
    for (size_t i = 0; i < s.inputs(); ++i) {
      const Shape &y = s.output(o), &x = s.input(i);
      for (const Port& p : i == s.own ? s.unused : std::vector<Port>())
        c.out.push_back(
            {"jac_" + s.f.outputs[o] + "_" + p.name, none({y.numel(), p.sparsity[0] * p.sparsity[1]}), false});
      const int64_t rows = y.numel(), columns = x.numel();
      Value block = build::reshape(w.b, all[s.outputs() + o * s.inputs() + i], {rows, columns});
      block = build::reshape(w.b, transposed(w.b, block), {rows * columns});  // column after column, both row-major
      Sparsity sparsity = {rows, columns, 0};
      std::vector<int64_t> at, row_of;
      for (int64_t column = 0; column < columns; ++column) {
        const int64_t element = from_stored(x, column);
        for (int64_t row = 0; row < rows; ++row) {
          const int64_t result = from_stored(y, row);
          if (known &&
              !known->uses[static_cast<size_t>(first_input + element)][static_cast<size_t>(first_result + result)])
            continue;
          at.push_back(element * rows + result);
          row_of.push_back(row);
        }
        sparsity.push_back(static_cast<int64_t>(at.size()));
      }
      if (static_cast<int64_t>(at.size()) == rows * columns)
        sparsity = full({rows, columns});
      else
        sparsity.insert(sparsity.end(), row_of.begin(), row_of.end());
      c.out.push_back({"jac_" + s.f.outputs[o] + "_" + s.f.inputs[i], std::move(sparsity)});
      outputs.push_back(chosen(w.b, block, at));
      first_input += columns;
    }
    first_result += s.output(o).numel();
  }
  c.f = w.finish("jac_" + s.f.name, outputs);
  return c;
}

// ---- the interface

class Interface {
 public:
  Interface(ShippedCode& code, bool narrow) : code_(code), as_(code.as), narrow_(narrow) {}

  void add(const CasadiFunction& c, bool avx512, std::string_view api) {
    const ShippedFunction shipped = ship(code_, c.f, avx512, api);
    call(c, shipped);
    const std::string& name = c.f.name;
    constant(name + "_n_in", static_cast<int64_t>(c.in.size()));
    constant(name + "_n_out", static_cast<int64_t>(c.out.size()));
    strings(name + "_name_in", c.in), strings(name + "_name_out", c.out);
    sparsities(name + "_sparsity_in", c.in), sparsities(name + "_sparsity_out", c.out);
    work(name + "_work", {static_cast<int64_t>(c.in.size()), static_cast<int64_t>(c.out.size()), 0, words_});
    for (const char* nothing : {"_checkout", "_alloc_mem", "_init_mem", "_release", "_incref", "_decref", "_free_mem"})
      constant(name + nothing, 0);
    declare(name);
  }
  const std::string& header() const { return header_; }

 private:
  asmjit::Label begin(const std::string& name) {
    const asmjit::Label label = as_.label();
    as_.align(16, false);
    as_.bind(label);
    name_ = name;
    return label;
  }
  void end(const asmjit::Label& label) {
    as_.emit(Isa::ret);
    code_.name(name_, label);
  }

  // int(arg, res, iw, w, mem): null arguments are zeros, null results are dropped. In w: tables of addresses, memory of
  // dropped results, the work memory.
  void call(const CasadiFunction& c, const ShippedFunction& shipped) {
    using namespace x86;
    const auto used = static_cast<int64_t>(std::ranges::count(c.in, true, &Port::used));
    const int64_t results = 8 * used;
    int64_t dropped = results + 8 * static_cast<int64_t>(c.out.size());
    const asmjit::Label label = begin(c.f.name);
    int32_t next = 0;
    for (size_t i = 0; i < c.in.size(); ++i) {
      if (!c.in[i].used) continue;
      const asmjit::Label given = as_.label();
      as_.emit(Isa::mov, rax, ptr(rdi, static_cast<int32_t>(8 * i)));
      as_.emit(Isa::test, rax, rax);
      as_.emit(Isa::jne, given);
      code_.load_zeros(rax, 8 * elements(c.in[i].sparsity));
      as_.bind(given);
      as_.emit(Isa::mov, ptr(rcx, 8 * next++), rax);
    }
    next = 0;
    for (size_t o = 0; o < c.out.size(); ++o) {
      if (!c.out[o].used) continue;
      const asmjit::Label given = as_.label();
      as_.emit(Isa::mov, rax, ptr(rsi, static_cast<int32_t>(8 * o)));
      as_.emit(Isa::test, rax, rax);
      as_.emit(Isa::jne, given);
      as_.emit(Isa::lea, rax, ptr(rcx, static_cast<int32_t>(dropped)));
      as_.bind(given);
      as_.emit(Isa::mov, ptr(rcx, static_cast<int32_t>(results) + 8 * next++), rax);
      dropped += 8 * elements(c.out[o].sparsity);
    }
    if (dropped != static_cast<int32_t>(dropped)) throw Error("[export] more than 2 GiB of results");
    as_.emit(Isa::mov, rdi, rcx);
    as_.emit(Isa::lea, rsi, ptr(rcx, static_cast<int32_t>(results)));
    as_.emit(Isa::lea, rdx, ptr(rcx, static_cast<int32_t>(dropped)));
    as_.emit(Isa::jmp, shipped.entry);
    end(label);
    words_ = (dropped + shipped.work_bytes + 7) / 8;
  }

  void constant(const std::string& name, int64_t value) {
    const asmjit::Label label = begin(name);
    as_.emit(Isa::mov, x86::rax, asmjit::Imm(value));
    end(label);
  }

  // Item i, or null: each lies behind the table of where it is from there.
  void items(const std::string& name, std::span<const std::string> bytes, uint32_t alignment) {
    using namespace x86;
    std::vector<int32_t> table;
    std::string all(((4 * bytes.size() + alignment - 1) / alignment) * alignment, '\0');
    for (const std::string& item : bytes) {
      table.push_back(static_cast<int32_t>(all.size()));
      all += item;
    }
    if (!table.empty()) std::memcpy(all.data(), table.data(), 4 * table.size());
    const asmjit::Label data = code_.data(std::as_bytes(std::span(all)), std::max(alignment, 4u));
    const asmjit::Label label = begin(name), none = as_.label(), out = as_.label();
    as_.emit(Isa::movsxd, rdi, edi);
    as_.emit(Isa::test, rdi, rdi);
    as_.emit(Isa::jl, none);
    as_.emit(Isa::cmp, rdi, asmjit::Imm(static_cast<int64_t>(bytes.size())));
    as_.emit(Isa::jge, none);
    as_.emit(Isa::lea, rax, ptr(data));
    as_.emit(Isa::movsxd, rcx, ptr(rax, rdi, 2, 0, 4));
    as_.emit(Isa::add, rax, rcx);
    as_.emit(Isa::jmp, out);
    as_.bind(none);
    as_.emit(Isa::xor_, eax, eax);
    as_.bind(out);
    end(label);
  }
  void strings(const std::string& name, std::span<const Port> ports) {
    std::vector<std::string> all;
    for (const Port& p : ports) all.emplace_back(p.name.c_str(), p.name.size() + 1);
    items(name, all, 1);
  }
  void sparsities(const std::string& name, std::span<const Port> ports) {
    std::vector<std::string> all;
    for (const Port& p : ports) {
      std::string& bytes = all.emplace_back();
      for (int64_t word : p.sparsity)
        bytes.append(reinterpret_cast<const char*>(&word), narrow_ ? 4 : 8);  // little endian
    }
    items(name, all, narrow_ ? 4 : 8);
  }

  // int(sz_arg, sz_res, sz_iw, sz_w), each where it is wanted.
  void work(const std::string& name, std::initializer_list<int64_t> sizes) {
    using namespace x86;
    const asmjit::Label label = begin(name);
    const Gp where[] = {rdi, rsi, rdx, rcx};
    const auto* to = where;
    for (int64_t size : sizes) {
      const asmjit::Label unwanted = as_.label();
      as_.emit(Isa::test, *to, *to);
      as_.emit(Isa::je, unwanted);
      as_.emit(Isa::mov, rax, asmjit::Imm(size));
      if (narrow_)
        as_.emit(Isa::mov, ptr(*to, 0, 4), eax);
      else
        as_.emit(Isa::mov, ptr(*to, 0, 8), rax);
      as_.bind(unwanted);
      ++to;
    }
    as_.emit(Isa::xor_, eax, eax);
    end(label);
  }

  void declare(const std::string& n) {
    const std::string i = narrow_ ? "int" : "casadi_int", mem = narrow_ ? "void*" : "int";
    header_ += "int " + n + "(const double** arg, double** res, " + i + "* iw, double* w, " + mem + " mem);\n" + i +
               " " + n + "_n_in(void);\n" + i + " " + n + "_n_out(void);\nconst char* " + n + "_name_in(" + i +
               " i);\nconst char* " + n + "_name_out(" + i + " i);\nconst " + i + "* " + n + "_sparsity_in(" + i +
               " i);\nconst " + i + "* " + n + "_sparsity_out(" + i + " i);\nint " + n + "_work(" + i + "* sz_arg, " +
               i + "* sz_res, " + i + "* sz_iw, " + i + "* sz_w);\nint " + n + "_checkout(void);\nvoid " + n +
               "_release(int mem);\nvoid " + n + "_incref(void);\nvoid " + n + "_decref(void);\nint " + n +
               "_alloc_mem(void);\nint " + n + "_init_mem(int mem);\nvoid " + n + "_free_mem(int mem);\n\n";
  }

  ShippedCode& code_;
  Assembler& as_;
  bool narrow_;
  int64_t words_ = 0;
  std::string header_, name_;
};

void check(const Source& s, std::string_view api) {
  auto refuse = [&](const std::string& what) { throw Error("[" + std::string(api) + "] " + s.f.name + ": " + what); };
  if (!s.g.writebacks().empty())
    refuse("the function writes to an argument, which CasADi's functions do not; return the new value");
  auto check_type = [&](const Type& t, const std::string& name) {
    if (t.dtype != DType::f64)
      refuse(name + " is " + to_string(t) + ": CasADi's functions are of doubles; convert to f64");
  };
  for (size_t i = 0; i < s.inputs(); ++i) check_type(s.g.type(s.g.inputs()[i]), s.f.inputs[i]);
  for (size_t o = 0; o < s.outputs(); ++o) check_type(s.g.type(s.g.outputs()[o]), s.f.outputs[o]);
}

}  // namespace

ExportedCode export_casadi(const ExportedFunction& f, bool narrow, bool avx512, std::string_view api) {
  const Source source{f, f.graph.data(), f.inputs.size(), {}};
  check(source, api);
  ShippedCode code;
  Interface all(code, narrow);
  all.add(plain(source), avx512, api);
  all.add(jacobian(source), avx512, api);
  const ExportedFunction backward = reverse(source);
  Source of_backward{backward, backward.graph.data(), source.inputs(), results_of(source)};
  all.add(plain(of_backward), avx512, api);
  all.add(jacobian(of_backward), avx512, api);  // what second derivatives take
  std::string guard = f.name;
  for (char& c : guard) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  const std::string header =
      "/* " + f.name + " and its derivatives, made by jot: " +
      (narrow ? "external functions as acados calls them. */\n" : "external functions of CasADi. */\n") + "#ifndef " +
      guard + "_H\n#define " + guard + "_H\n\n" +
      (narrow ? "" : "#ifndef casadi_int\n#define casadi_int long long int\n#endif\n\n") +
      "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n" + all.header() + "#ifdef __cplusplus\n}\n#endif\n\n#endif\n";
  return {code.finish(), header};
}

}  // namespace jot::cpu
