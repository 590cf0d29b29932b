#include "backends/cpu/store.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "backends/cpu/loops/loop_kernel.h"
#include "backends/cpu/ops/cpu_ops.h"
#include "ir/ops/total.h"

namespace jot::cpu {

namespace {

// What io of a KernelStep needs beside the bytes: the kernels of the file, by number.
class Kernels {
 public:
  uint32_t number(const KernelCode* code) const { return numbers_.at(code); }
  void add(LazyKernel kernel, std::shared_ptr<const KernelCode> code) {
    if (numbers_.emplace(code.get(), static_cast<uint32_t>(all_.size())).second)
      all_.push_back({std::move(kernel), std::move(code)});
  }
  const KernelLog::Entry& operator[](uint32_t number) const {
    if (number >= all_.size()) ByteReader::fail();
    return all_[number];
  }
  std::span<const KernelLog::Entry> all() const { return all_; }

 private:
  std::vector<KernelLog::Entry> all_;
  std::unordered_map<const KernelCode*, uint32_t> numbers_;
};

struct Writer : ByteWriter {
  explicit Writer(const Kernels& k) : kernels(k) {}
  const Kernels& kernels;
};

}  // namespace

// ---- one description of each struct, for both ways

static void fields(auto& io, Is<Place> auto& p) { io(p.space), io(p.index), io(p.offset); }
static void fields(auto& io, Is<Address> auto& a) { io(a.arg), io(a.place); }
static void fields(auto& io, Is<WorkerMemory> auto& m) { io(m.arg), io(m.place), io(m.bytes); }
static void fields(auto& io, Is<Fault> auto& f) { io(f.node), io(f.code); }
static void fields(auto& io, Is<PointerStep::Start> auto& s) { io(s.place), io(s.limit), io(s.stride); }
static void fields(auto& io, Is<CopyStep> auto& s) { io(s.from), io(s.to), io(s.bytes); }
static void fields(auto& io, Is<Group::Part> auto& p) { io(p.offset), io(p.bytes), io(p.step); }
static void fields(auto& io, Is<Group> auto& g) {
  io(g.first), io(g.count), io(g.items), io(g.each), io(g.split), io(g.tiles), io(g.chunks), io(g.parts), io(g.bytes),
      io(g.memory);
}
static void fields(auto& io, Is<PointerStep> auto& s) {
  io(s.node), io(s.index), io(s.whole), io(s.starts), io(s.uses);
}
static void fields(auto& io, Is<RoutineStep> auto& s) {
  io(s.node), io(s.operand_steps), io(s.checks), io(s.operands), io(s.outs), io(s.scratch), io(s.in_lanes);
}
static void fields(auto& io, Is<Partial> auto& p) {
  io(p.arg), io(p.chunks), io(p.result), io(p.op), io(p.dtype), io(p.count);
  bool columns = p.columns != nullptr;
  io(columns);
  if constexpr (std::remove_reference_t<decltype(io)>::reads)
    if (columns) p.columns = std::make_shared<ColumnFold>(p.op, p.dtype, false);
}
// The kernel comes before: by number.
static void fields(auto& io, Is<KernelStep> auto& s) {
  io(s.first_arg), io(s.num_args), io(s.extent), io(s.chunks), io(s.chunk), io(s.spill), io(s.partials), io(s.scratch),
      io(s.of_slice);
}

namespace {

// The arena has room for the scratch that the routine asked for when it was planned: stored beside it, and compared
// with what the routine made anew asks for, as libraries of another version may want more.
std::unique_ptr<const Routine> make_routine(const RoutineStep& s, const ir::GraphData& g) {
  if (s.node >= g.size()) ByteReader::fail();
  const CpuOp& op = cpu_op(g.op(s.node));
  RoutineRule rule = s.checks ? op.check : op.routine;
  if (!rule) ByteReader::fail();
  return rule({g, s.node, 1, s.operand_steps});
}

void write_kernels(std::span<const KernelLog::Entry> kernels, ByteWriter& out) {
  const uint64_t n = kernels.size();
  out(n);
  for (const auto& [kernel, code] : kernels) {
    const uint64_t hash = kernel->hash();
    const std::vector<std::byte> packed = pack(*kernel);
    out(hash);
    out.sized(packed.data(), packed.size());
    const auto* begin = static_cast<const std::byte*>(code->memory.get());
    const uint64_t entry = reinterpret_cast<uintptr_t>(code->fn) - reinterpret_cast<uintptr_t>(begin);
    out(entry);
    out(code->spill_bytes);
    out.sized(begin, static_cast<size_t>(code->code_bytes));
  }
}

Kernels read_kernels(ByteReader& in) {
  Kernels kernels;
  uint64_t n, hash, entry;
  in(n);
  for (uint64_t i = 0; i < n; ++i) {
    int64_t spill_bytes;
    in(hash);
    const std::span<const std::byte> packed = in.sized();
    in(entry);
    in(spill_bytes);
    const std::span<const std::byte> code = in.sized();
    if (entry >= code.size() || spill_bytes < 0) ByteReader::fail();
    LazyKernel kernel(std::vector<std::byte>(packed.begin(), packed.end()));
    auto kept = keep_code(kernel, hash, packed.size(), code, entry, spill_bytes);
    kernels.add(std::move(kernel), std::move(kept));
  }
  return kernels;
}

// Every kernel that the program needs: its own, and those that making its routines asks for.
Kernels kernels_of(const Program& program) {
  Kernels kernels;
  KernelLog log;
  for (const Step& s : program.steps)
    if (auto* k = std::get_if<KernelStep>(&s.what)) {
      kernels.add(k->kernel, k->code);
      for (const Partial& p : k->partials)
        if (p.columns) ColumnFold(p.op, p.dtype, false);
    } else if (auto* r = std::get_if<RoutineStep>(&s.what)) {
      make_routine(*r, program.graph.get().data());
    }
  for (const auto& [kernel, code] : log.entries()) kernels.add(kernel, code);
  return kernels;
}

enum class StepKind : uint8_t { kernel, routine, pointer, copy };

void write_step(const Step& step, Writer& out) {
  out(step.faults);
  out(step.may_fail);
  const auto kind = static_cast<StepKind>(step.what.index());
  out(kind);
  if (auto* k = std::get_if<KernelStep>(&step.what)) {
    const uint32_t number = out.kernels.number(k->code.get());
    out(number);
  }
  std::visit([&](const auto& what) { fields(out, what); }, step.what);
  if (auto* r = std::get_if<RoutineStep>(&step.what)) out(r->routine->scratch_bytes);
}

void read_step(Step& step, const Kernels& kernels, const LazyGraph& graph, ByteReader& in) {
  StepKind kind;
  in(step.faults);
  in(step.may_fail);
  in(kind);
  switch (kind) {
    case StepKind::kernel: {
      auto& k = step.what.emplace<KernelStep>();
      uint32_t number;
      in(number);
      k.kernel = kernels[number].kernel;
      k.code = kernels[number].code;
      return fields(in, k);
    }
    case StepKind::routine: {
      auto& r = step.what.emplace<RoutineStep>();
      fields(in, r);
      r.routine = make_routine(r, graph.get().data());
      int64_t planned;
      in(planned);
      if (planned != r.routine->scratch_bytes)
        throw CacheError("[load] a routine of " + std::string(ir::name_of(graph.get().data().op(r.node))) + " wants " +
                         std::to_string(r.routine->scratch_bytes) + " bytes of scratch, and was planned with " +
                         std::to_string(planned));
      return;
    }
    case StepKind::pointer:
      return fields(in, step.what.emplace<PointerStep>());
    case StepKind::copy:
      return fields(in, step.what.emplace<CopyStep>());
  }
  ByteReader::fail();
}

// Constants hold bytes of their own.
void fields(auto& io, auto& program, auto& stats) {
  io(program.groups), io(program.args), io(program.addresses), io(program.arena_bytes), io(program.pointers),
      io(program.in_place);
  io(stats.kernels), io(stats.routines), io(stats.library_calls), io(stats.code_bytes), io(stats.arena_bytes);
}

}  // namespace

void store(const Compiled& compiled, ByteWriter& bytes) {
  const Program& program = compiled.program;
  const Kernels kernels = kernels_of(program);
  Writer out(kernels);
  write_kernels(kernels.all(), out);
  const uint64_t n = program.steps.size();
  out(n);
  for (const Step& s : program.steps) write_step(s, out);
  fields(out, program, compiled.stats);
  out.sized(program.constants.data(), static_cast<size_t>(program.constants.size()));
  bytes.raw(out.bytes().data(), out.bytes().size());
}

Compiled load(const LazyGraph& graph, ByteReader& in) {
  Compiled compiled;
  compiled.stats.loaded = true;
  Program& program = compiled.program;
  program.graph = graph;
  const Kernels kernels = read_kernels(in);
  uint64_t n;
  in(n);
  for (uint64_t i = 0; i < n; ++i) read_step(program.steps.emplace_back(), kernels, graph, in);
  fields(in, program, compiled.stats);
  if (std::span<const std::byte> constants = in.sized(); !constants.empty()) {
    program.constants = Buffer::allocate(static_cast<int64_t>(constants.size()));
    std::ranges::copy(constants, static_cast<std::byte*>(program.constants.data()));
  }
  for (const Step& s : program.steps)
    if (auto* r = std::get_if<RoutineStep>(&s.what); r && !r->routine->library.empty())
      compiled.stats.libraries.insert(r->routine->library);
  return compiled;
}

}  // namespace jot::cpu
