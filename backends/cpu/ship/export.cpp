#include "backends/cpu/ship/export.h"

#include <algorithm>
#include <cctype>

#include "backends/cpu/executable.h"
#include "backends/cpu/kernel/math.h"
#include "backends/cpu/ship/fault_numbers.h"
#include "ir/graph.h"
#include "jot/error.h"

namespace jot::cpu {
namespace {

using namespace ir;

// Whether all of it are kernels with instructions of their own.
bool stands_alone(const Program& program) {
  for (const Step& s : program.steps) {
    if (std::holds_alternative<RoutineStep>(s.what)) return false;
    if (auto* k = std::get_if<KernelStep>(&s.what))
      for (const KInstr& in : k->kernel->instrs)
        if (in.op == KOp::fixup || in.op == KOp::call)
          if (is_out_of_line(static_cast<KFn>(in.aux))) return false;
  }
  return true;
}

// As an engine runs it, where these are kernels alone; else in kernels of other forms.
Compiled compiled_for(const Graph& graph, Target target, std::string_view api) {
  CompileOptions options;
  options.vector_bytes = target == Target::avx512 ? 64 : 32;
  options.one_thread = true;
  if (Compiled c = compile(graph, options); stands_alone(c.program)) return c;
  options.self_contained = api;
  return compile(graph, options);
}

// The same program for every target: only kernels with loops have lanes.
bool of_one_lane(const Program& program) {
  return std::ranges::all_of(program.steps, [](const Step& s) {
    auto* k = std::get_if<KernelStep>(&s.what);
    return !k || k->kernel->lanes == 1;
  });
}

std::string type_of(const Type& t) {
  std::string text(to_string(t.dtype));
  for (int64_t extent : t.shape) text += "[" + std::to_string(extent) + "]";
  return text;
}

// "double", "float", or where types differ "void".
std::string common_type(const GraphData& g, const ExportedFunction& f) {
  std::vector<DType> all;
  for (size_t i = 0; i < f.inputs.size(); ++i) all.push_back(g.dtype(g.inputs()[i]));
  for (Value v : g.outputs()) all.push_back(g.dtype(v));
  const bool same = std::ranges::all_of(all, [&](DType t) { return t == all[0]; });
  if (all.empty() || !same) return "void";
  return all[0] == DType::f64 ? "double" : all[0] == DType::f32 ? "float" : "void";
}

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

std::string plain_header(const ExportedFunction& f, const ShippedFunction& s, bool avx512) {
  const GraphData& g = f.graph.data();
  const std::string type = common_type(g, f), macro = upper(f.name);
  std::string t =
      "/* " + f.name + ", made by jot. Link " + f.name + ".o, or the library that was made with this file.\n *\n";
  std::string sizes;
  auto list = [&](const char* array, size_t i, const std::string& name, const Type& of) {
    t += " *   " + std::string(array) + "[" + std::to_string(i) + "]  " + name + "  " + type_of(of) + "\n";
    sizes += "#define " + macro + "_" + upper(array) + std::to_string(i) + "_SIZE " + std::to_string(of.shape.numel()) +
             "\n";
  };
  for (size_t i = 0; i < f.inputs.size(); ++i) list("in", i, f.inputs[i], g.type(g.inputs()[i]));
  for (size_t i = 0; i < f.outputs.size(); ++i) list("out", i, f.outputs[i], g.type(g.outputs()[i]));
  t += " *\n * Elements lie row by row. An output overlaps no other array. work: " + macro +
       "_WORK_BYTES bytes,\n * for this call alone; what is in them does not matter. f64 is double, f32 float, i64 and "
       "i32 integers of "
       "8 and 4\n * bytes, bool and u8 bytes, f16 and bf16 two bytes.\n *\n * Returns 0, or\n *   " +
       std::to_string(kNoProcessor) + ": the processor has no AVX2, FMA, F16C or BMI2" +
       (avx512 ? " (AVX-512 F, DQ, BW and VL are used where they are)" : "") + "\n";
  for (const std::string& fault : s.faults) t += " *   " + fault + "\n";
  t += " */\n#ifndef " + macro + "_H\n#define " + macro + "_H\n\n#include <stddef.h>\n\n#define " + macro + "_INPUTS " +
       std::to_string(f.inputs.size()) + "\n#define " + macro + "_OUTPUTS " + std::to_string(f.outputs.size()) + "\n" +
       sizes + "#define " + macro + "_WORK_BYTES " + std::to_string(s.work_bytes) +
       "\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\nint " + f.name + "(const " + type + "* const* in, " + type +
       "* const* out, void* work);\nsize_t " + f.name +
       "_work_bytes(void);\n\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n";
  return t;
}

}  // namespace

ShippedFunction ship(ShippedCode& code, const ExportedFunction& f, bool avx512, std::string_view api) {
  ShippedFunction s;
  asmjit::Label entries[2];
  Compiled c;
  FaultNumbers faults;
  for (const Target t : {Target::avx2, Target::avx512}) {
    if (t == Target::avx512 && !avx512) continue;
    if (t == Target::avx2 || !of_one_lane(c.program)) c = compiled_for(f.graph, t, api);
    std::vector<std::vector<int64_t>> numbers;
    for (const Step& step : c.program.steps) numbers.push_back(faults.of(c.program, step));
    const ShippedCode::Function made = code.add(c.program, t, f.fixed, numbers);
    entries[t == Target::avx512] = made.entry;
    s.work_bytes = std::max(s.work_bytes, made.work_bytes);
  }
  s.faults = faults.texts();
  s.entry = code.dispatch(entries[0], entries[1]);
  return s;
}

ExportedCode export_plain(const ExportedFunction& f, bool avx512, std::string_view api) {
  ShippedCode code;
  const ShippedFunction s = ship(code, f, avx512, api);
  code.name(f.name, s.entry);
  const asmjit::Label bytes = code.as.label();
  code.as.align(16, false);
  code.as.bind(bytes);
  code.as.emit(Isa::mov, x86::rax, asmjit::Imm(s.work_bytes));
  code.as.emit(Isa::ret);
  code.name(f.name + "_work_bytes", bytes);
  return {code.finish(), plain_header(f, s, avx512)};
}

}  // namespace jot::cpu
