#include "backends/cpu/ship/entry.h"

#include <algorithm>
#include <cstring>

#include "backends/cpu/emit/cold.h"
#include "backends/cpu/emit/emit.h"
#include "backends/cpu/kernel/math.h"
#include "backends/cpu/runtime/cold.h"
#include "backends/cpu/runtime/plan.h"
#include "backends/cpu/ship/combine.h"
#include "jot/error.h"

namespace jot::cpu {
namespace {

using asmjit::Imm;
using asmjit::Label;

// Of the functions that fixups name; `site` + 8 holds them as one word.
uint32_t site_key(KFn fn, KType type) { return static_cast<uint32_t>(fn) | static_cast<uint32_t>(type) << 16; }
constexpr uint32_t kCheckBit = 1u << 24;
static_assert(offsetof(ColdSite, fn) == 8 && offsetof(ColdSite, type) == 10 && offsetof(ColdSite, check) == 11);

constexpr int32_t at(size_t offset) { return static_cast<int32_t>(offset); }

void each_fixup(const Kernel& kernel, const auto& f) {
  for (const KInstr& in : kernel.instrs)
    if (in.op == KOp::fixup)
      f(static_cast<KFn>(in.aux), in.type);
    else if (in.op == KOp::call)
      each_fixup(routine_body(static_cast<KFn>(in.aux), in.type), f);
}

}  // namespace

// ---- what holds the pieces together

ShippedCode::ShippedCode() : as(Target::avx512) {
  for (Cold& c : cold_) c.entry = as.label();
}

Label ShippedCode::data(std::span<const std::byte> bytes, uint32_t alignment) {
  std::string key(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  key += std::to_string(alignment);
  auto [it, fresh] = known_data_.try_emplace(std::move(key), data_.size());
  if (fresh) data_.push_back({as.label(), {bytes.begin(), bytes.end()}, alignment});
  return data_[it->second].label;
}

Label ShippedCode::text(const std::string& text) {
  return data(std::as_bytes(std::span(text.c_str(), text.size() + 1)), 1);
}

void ShippedCode::name(const std::string& name, const Label& label) { named_.push_back({name, label, as.size()}); }

void ShippedCode::refer_to_state(int64_t byte) { image_.references.push_back({as.size() - 4, byte}); }

void ShippedCode::load_zeros(const x86::Gp& to, int64_t bytes) {
  image_.state_bytes = std::max(image_.state_bytes, static_cast<uint64_t>(kZeros + bytes));
  as.emit(Isa::lea, to, x86::ptr(x86::rip, 0));
  refer_to_state(kZeros);
}

Image ShippedCode::finish() {
  for (const Target t : {Target::avx2, Target::avx512})
    if (cold_[t == Target::avx512].used) emit_cold(t);
  for (const Pending& d : data_) {
    as.align(d.alignment, true);
    as.bind(d.label);
    as.data(d.bytes);
  }
  for (const Named& n : named_) {
    const uint64_t begin = as.offset_of(n.label);
    image_.symbols.push_back({n.name, begin, n.end - begin});
  }
  const std::span<const std::byte> code = as.finish();
  image_.code.assign(code.begin(), code.end());
  return std::move(image_);
}

// ---- kernels

const ShippedCode::CompiledKernel& ShippedCode::kernel(const Kernel& kernel, Target target) {
  if (auto found = kernels_.find({&kernel, target}); found != kernels_.end()) return found->second;
  const EmittedCode code = emit(kernel, target, false);
  const std::span<const std::byte> bytes = code.bytes;
  const Label entry = as.label();
  as.align(64, false);
  as.data(bytes.first(code.entry));
  as.bind(entry);
  as.data(bytes.subspan(code.entry));
  const Kernel* kept = kept_.emplace_back(std::make_unique<const Kernel>(kernel)).get();
  find_rare_kernels(*kept, target);
  return kernels_.emplace(KernelKey{kept, target}, CompiledKernel{entry, code.spill_bytes}).first->second;
}

void ShippedCode::find_rare_kernels(const Kernel& kernel, Target target) {
  Cold& cold = cold_[target == Target::avx512];
  each_fixup(kernel, [&](KFn fn, KType type) {
    const uint32_t key = site_key(fn, type);
    if (std::ranges::find(cold.functions, key, &std::pair<uint32_t, Label>::first) != cold.functions.end()) return;
    if (!has_rare_kernel(fn)) internal_error("a function that kernels compute", cpu::name(fn));
    cold.functions.emplace_back(key, Label());
    const CompiledKernel& rare = this->kernel(rare_kernel(fn, type, rare_lanes(target)), target);
    if (rare.spill_bytes > kRareSpillBytes) internal_error("a rare kernel spills little", cpu::name(fn));
    const Label entry = rare.entry;
    std::ranges::find(cold.functions, key, &std::pair<uint32_t, Label>::first)->second = entry;
  });
}

// void(SavedRegisters*, const ColdSite*): run_cold, lane by lane where results are taken.
void ShippedCode::emit_cold(Target target) {
  using namespace x86;
  const Cold& cold = cold_[target == Target::avx512];
  const bool mask_registers = target == Target::avx512;
  const int doubles = mask_registers ? 8 : 4;  // in a vector
  const Gp saved = r12, site = r13, spill = r15, mask = r14, result = rbx, error = rbp;
  // On the stack: results of all lanes, arguments of the rare kernel, what it spills.
  constexpr int32_t kArguments = 64, kSpills = 128;
  auto field = [&](size_t offset) { return ptr(site, at(offset)); };
  auto gpr_of = [&](uint32_t r) { return ptr(saved, at(offsetof(SavedRegisters, gpr) + 8 * r)); };
  // Where a location is: of a register at saved + register * bytes + `registers`.
  auto locate = [&](const Gp& to, size_t location, size_t registers, int bytes) {
    const Label in_spill = as.label(), done = as.label();
    as.emit(Isa::movsxd, to, ptr(site, at(location), 4));
    as.emit(Isa::test, to, to);
    as.emit(Isa::jl, in_spill);
    as.emit(Isa::imul, to, to, Imm(bytes));
    as.emit(Isa::lea, to, ptr(to, saved, 0, at(registers)));
    as.emit(Isa::jmp, done);
    as.bind(in_spill);
    as.emit(Isa::xor_, to, Imm(-1));
    as.emit(Isa::add, to, spill);
    as.bind(done);
  };
  // Jumps there unless lane l is one that the mask holds in; eax is free.
  auto skip_unless_live = [&](int l, const Label& skip, const Label& end) {
    as.emit(Isa::cmp, ecx, Imm(l));  // lanes that there are
    as.emit(Isa::jle, end);
    if (mask_registers) {
      as.emit(Isa::test, r14d, Imm(1 << l));
    } else {
      as.emit(Isa::movzx, eax, ptr(mask, 0, 1));
      as.emit(Isa::add, mask, rdx);  // bytes of a lane of the mask
      as.emit(Isa::test, rax, rax);
    }
    as.emit(Isa::je, skip);
  };

  as.align(16, false);
  as.bind(cold.entry);
  constexpr uint32_t kKept[] = {3, 5, 12, 13, 14, 15};
  for (uint32_t r : kKept) as.emit(Isa::push, gpq(r));
  as.emit(Isa::push, rax);  // room for what rsp was
  as.emit(Isa::mov, rax, rsp);
  as.emit(Isa::sub, rsp, Imm(kSpills + kRareSpillBytes + 64));
  as.emit(Isa::and_, rsp, Imm(-64));
  as.emit(Isa::mov, ptr(rsp, kArguments + 32), rax);
  as.emit(Isa::mov, saved, rdi);
  as.emit(Isa::mov, site, rsi);
  as.emit(Isa::mov, spill, gpr_of(Gp::kIdR15));
  const Label check = as.label(), take = as.label(), out = as.label();
  as.emit(Isa::mov, eax, ptr(site, at(offsetof(ColdSite, fn)), 4));
  as.emit(Isa::test, eax, Imm(kCheckBit));
  as.emit(Isa::jne, check);

  // ---- a fixup
  locate(rcx, offsetof(ColdSite, x), 0, 64);
  as.emit(Isa::mov, ptr(rsp, kArguments + 8), rcx);
  locate(rcx, offsetof(ColdSite, y), 0, 64);
  as.emit(Isa::mov, ptr(rsp, kArguments + 16), rcx);
  as.emit(Isa::mov, ptr(rsp, kArguments + 24), rsp);
  as.emit(Isa::lea, rdi, ptr(rsp, kArguments));
  as.emit(Isa::xor_, esi, esi);
  as.emit(Isa::movzx, edx, ptr(site, at(offsetof(ColdSite, lanes)), 1));
  as.emit(Isa::lea, rcx, ptr(rsp, kSpills));
  for (const auto& [key, kernel] : cold.functions) {
    const Label other = as.label();
    as.emit(Isa::cmp, eax, Imm(key));
    as.emit(Isa::jne, other);
    as.emit(Isa::call, kernel);
    as.emit(Isa::jmp, take);
    as.bind(other);
  }
  as.emit(Isa::jmp, out);  // there is no other

  // The number of lanes in ecx, the mask: its bits, or where it is and how many bytes a lane has.
  auto find_mask = [&] {
    const Label whole = as.label();
    locate(mask, offsetof(ColdSite, mask), mask_registers ? offsetof(SavedRegisters, mask) : 0,
           mask_registers ? 8 : 64);
    if (mask_registers)
      as.emit(Isa::mov, mask, ptr(mask));
    else
      as.emit(Isa::movzx, edx, ptr(site, at(offsetof(ColdSite, mask_bytes)), 1));
    as.emit(Isa::movzx, ecx, ptr(site, at(offsetof(ColdSite, lanes)), 1));
    as.emit(Isa::movzx, eax, ptr(site, at(offsetof(ColdSite, tail)), 1));
    as.emit(Isa::test, rax, rax);
    as.emit(Isa::je, whole);
    as.emit(Isa::movsxd, rax, ptr(site, at(offsetof(ColdSite, live)), 4));
    as.emit(Isa::mov, rcx, ptr(spill, rax, 0, 0));
    as.bind(whole);
  };
  as.bind(take);
  find_mask();
  locate(result, offsetof(ColdSite, result), 0, 64);
  for (const bool wide : {true, false}) {
    const Label narrow = as.label();
    if (wide) {
      as.emit(Isa::movzx, eax, ptr(site, at(offsetof(ColdSite, type)), 1));
      as.emit(Isa::cmp, eax, Imm(static_cast<int>(KType::f64)));
      as.emit(Isa::jne, narrow);
    }
    for (int l = 0; l < (wide ? doubles : 2 * doubles); ++l) {
      const Label skip = as.label();
      skip_unless_live(l, skip, out);
      if (wide) {
        as.emit(Isa::mov, rax, ptr(rsp, 8 * l));
        as.emit(Isa::mov, ptr(result, 8 * l), rax);
      } else {
        as.emit(Isa::mov, eax, ptr(rsp, 4 * l, 4));
        as.emit(Isa::mov, ptr(result, 4 * l, 4), eax);
      }
      as.bind(skip);
    }
    as.emit(Isa::jmp, out);
    if (wide) as.bind(narrow);
  }

  // ---- a check: the first lane, if nothing was found before
  as.bind(check);
  as.emit(Isa::mov, error, gpr_of(Gp::kIdR14));
  as.emit(Isa::mov, error, ptr(error));
  as.emit(Isa::mov, rax, ptr(error, at(offsetof(KernelError, code))));
  as.emit(Isa::test, rax, rax);
  as.emit(Isa::jne, out);
  find_mask();
  const Label found = as.label();
  for (int l = 0; l < 2 * doubles; ++l) {
    const Label skip = as.label();
    skip_unless_live(l, skip, out);
    as.emit(Isa::jmp, found);
    as.bind(skip);
  }
  as.emit(Isa::jmp, out);
  as.bind(found);
  as.emit(Isa::mov, rax, field(offsetof(ColdSite, error)));
  as.emit(Isa::mov, ptr(error, at(offsetof(KernelError, code))), rax);

  as.bind(out);
  as.emit(Isa::mov, rsp, ptr(rsp, kArguments + 32));
  as.emit(Isa::pop, rax);
  for (auto r = std::rbegin(kKept); r != std::rend(kKept); ++r) as.emit(Isa::pop, gpq(*r));
  as.emit(Isa::ret);
}

// ---- the processor

// eax: 1 AVX2 with FMA, F16C and BMI2, 2 AVX-512 F, DQ, BW and VL as well, 3 neither; kept in the state.
void ShippedCode::emit_detection() {
  using namespace x86;
  const Label none = as.label(), avx2 = as.label(), done = as.label();
  auto leaf = [&](int number) {
    as.emit(Isa::mov, rax, Imm(number));
    as.emit(Isa::xor_, ecx, ecx);
    as.emit(Isa::cpuid);
  };
  auto require = [&](const Gp& word, uint64_t bits, const Label& otherwise) {
    as.emit(Isa::mov, r8, Imm(static_cast<int64_t>(bits)));
    as.emit(Isa::and_, word, r8);
    as.emit(Isa::cmp, word, r8);
    as.emit(Isa::jne, otherwise);
  };
  as.align(16, false);
  as.bind(detect_);
  as.emit(Isa::push, rbx);
  leaf(0);
  as.emit(Isa::cmp, eax, Imm(7));
  as.emit(Isa::jl, none);
  leaf(1);
  require(rcx, 1u << 12 | 1u << 27 | 1u << 28 | 1u << 29, none);  // FMA OSXSAVE AVX F16C
  leaf(7);
  as.emit(Isa::mov, r9, rbx);
  require(rbx, 1u << 5 | 1u << 8, none);  // AVX2 BMI2
  as.emit(Isa::xor_, ecx, ecx);
  as.emit(Isa::xgetbv);  // what the system saves: xmm and ymm; mask registers and zmm
  as.emit(Isa::mov, r10, rax);
  require(rax, 0x06, none);
  require(r10, 0xe6, avx2);
  require(r9, 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31, avx2);  // F DQ BW VL
  as.emit(Isa::mov, rax, Imm(2));
  as.emit(Isa::jmp, done);
  as.bind(avx2);
  as.emit(Isa::mov, rax, Imm(1));
  as.emit(Isa::jmp, done);
  as.bind(none);
  as.emit(Isa::mov, rax, Imm(3));
  as.bind(done);
  as.emit(Isa::mov, ptr(rip, 0, 4), eax);
  refer_to_state(0);
  as.emit(Isa::pop, rbx);
  as.emit(Isa::ret);
}

Label ShippedCode::dispatch(const Label& avx2, const Label& avx512) {
  using namespace x86;
  if (!detect_.isValid()) {
    detect_ = as.label();
    emit_detection();
  }
  const Label entry = as.label(), known = as.label(), narrow = as.label(), none = as.label();
  as.align(16, false);
  as.bind(entry);
  as.emit(Isa::mov, eax, ptr(rip, 0, 4));
  refer_to_state(0);
  as.emit(Isa::test, rax, rax);
  as.emit(Isa::jne, known);
  for (const Gp& r : {rdi, rsi, rdx}) as.emit(Isa::push, r);
  as.emit(Isa::call, detect_);
  for (const Gp& r : {rdx, rsi, rdi}) as.emit(Isa::pop, r);
  as.bind(known);
  as.emit(Isa::cmp, eax, Imm(2));
  as.emit(Isa::jg, none);
  if (avx512.isValid()) {
    as.emit(Isa::jne, narrow);
    as.emit(Isa::jmp, avx512);
    as.bind(narrow);
  }
  as.emit(Isa::jmp, avx2);
  as.bind(none);
  as.emit(Isa::mov, rax, Imm(2));
  as.emit(Isa::ret);
  return entry;
}

// ---- the entry routine of a program

// Memory at work: the KernelError, the argument tables, what pointer steps point to, spilled registers of the kernel
// that runs, the arena.
class ShippedCode::Entry {
 public:
  Entry(ShippedCode& code, const Program& program, Target target, std::span<const std::span<const std::byte>> fixed,
        std::span<const std::vector<int64_t>> faults)
      : code_(code), as_(code.as), p_(program), target_(target), faults_(faults) {
    code_.cold_[target == Target::avx512].used = true;
    address_of_.resize(p_.args.size());
    const auto* bytes = static_cast<const std::byte*>(p_.constants.data());
    if (p_.constants.size() > 0) constants_ = code_.data({bytes, static_cast<size_t>(p_.constants.size())}, 64);
    for (std::span<const std::byte> f : fixed) fixed_.push_back(f.data() ? code_.data(f, 64) : Label());
    for (const Address& a : p_.addresses) address_of_[a.arg] = &a;
    int64_t spill = 0;
    for (const Step& s : p_.steps)  // their code comes before this one
      if (auto* k = std::get_if<KernelStep>(&s.what)) {
        code_of_.push_back(&code_.kernel(*k->kernel, target));
        spill = std::max(spill, code_of_.back()->spill_bytes);
        if (k->chunks > 1)
          for (const Partial& p : k->partials) spill = std::max(spill, combine_code(*k, p).spill_bytes);
      }
    auto room = [](size_t n) { return aligned(static_cast<int64_t>(n)); };
    pointers_ = kTables + room(8 * p_.args.size());
    spill_ = pointers_ + room(8 * p_.pointers);
    arena_ = spill_ + aligned(spill);
    combined_ = arena_ + p_.arena_bytes;
  }

  Function run() {
    using namespace x86;
    const Label entry = as_.label();
    as_.align(16, false);
    as_.bind(entry);
    constexpr uint32_t kKept[] = {3, 5, 12, 13, 14};
    for (uint32_t r : kKept) as_.emit(Isa::push, gpq(r));
    as_.emit(Isa::mov, kIn, rdi);
    as_.emit(Isa::mov, kOut, rsi);
    as_.emit(Isa::lea, kWork, ptr(rdx, 63));
    as_.emit(Isa::and_, kWork, Imm(-64));
    as_.emit(Isa::lea, rax, ptr(code_.cold_[target_ == Target::avx512].entry));
    as_.emit(Isa::mov, work(offsetof(KernelError, cold)), rax);
    set_word(offsetof(KernelError, code), 0);
    for (size_t i = 0; i < p_.steps.size(); ++i) {
      const Step& s = p_.steps[i];
      if (auto* k = std::get_if<KernelStep>(&s.what)) {
        kernel(*k);
      } else if (auto* p = std::get_if<PointerStep>(&s.what)) {
        pointer(*p);
      } else if (auto* c = std::get_if<CopyStep>(&s.what)) {
        copy(*c);
      } else {
        internal_error("a program of kernels", "a routine");
      }
      report(faults_[i]);
    }
    as_.emit(Isa::xor_, eax, eax);
    as_.bind(out_);
    for (auto r = std::rbegin(kKept); r != std::rend(kKept); ++r) as_.emit(Isa::pop, gpq(*r));
    as_.emit(Isa::ret);
    return {entry, combined_ + 64 + 63};
  }

 private:
  static inline const x86::Gp kIn = x86::r12, kOut = x86::r13, kWork = x86::rbx, kIndex = x86::rbp;
  static constexpr int64_t kTables = 64;

  const CompiledKernel& combine_code(const KernelStep& k, const Partial& p) {
    return code_.kernel(combine_kernel(p, k.chunks, target_ == Target::avx512 ? 64 : 32), target_);
  }

  // ---- addresses

  x86::Mem work(int64_t offset) {
    if (offset != static_cast<int32_t>(offset)) throw Error("[export] more than 2 GiB of intermediate values");
    return x86::ptr(kWork, static_cast<int32_t>(offset));
  }
  int64_t table(uint32_t arg) const { return kTables + 8 * int64_t{arg}; }
  void set_word(int64_t offset, int64_t value) {
    as_.emit(Isa::mov, x86::rax, asmjit::Imm(value));
    as_.emit(Isa::mov, work(offset), x86::rax);
  }
  void add_to(const x86::Gp& r, int64_t offset) {
    if (offset == 0) return;
    if (offset == static_cast<int32_t>(offset)) return as_.emit(Isa::add, r, asmjit::Imm(offset));
    as_.emit(Isa::mov, x86::r11, asmjit::Imm(offset));
    as_.emit(Isa::add, r, x86::r11);
  }
  void load_address(const x86::Gp& to, const Place& p) {
    auto pointer_at = [&](const x86::Gp& table) {
      as_.emit(Isa::mov, to, x86::ptr(table, static_cast<int32_t>(8 * p.index)));
    };
    switch (p.space) {
      case Space::input:
        if (fixed_[p.index].isValid())
          as_.emit(Isa::lea, to, x86::ptr(fixed_[p.index]));
        else
          pointer_at(kIn);
        break;
      case Space::output:
        pointer_at(kOut);
        break;
      case Space::arena:
        return as_.emit(Isa::lea, to, work(arena_ + p.offset));
      case Space::pointer:
        as_.emit(Isa::mov, to, work(pointers_ + 8 * int64_t{p.index}));
        break;
      case Space::constant:
        if (!constants_.isValid()) return as_.emit(Isa::mov, to, kWork);  // constants without elements alone
        as_.emit(Isa::lea, to, x86::ptr(constants_));
        break;
      case Space::slice:
        internal_error("a program without groups", "a slice");
    }
    add_to(to, p.offset);
  }

  // ---- steps

  void call(const CompiledKernel& kernel, int64_t table) {
    as_.emit(Isa::lea, x86::rdi, work(table));
    as_.emit(Isa::lea, x86::rcx, work(spill_));
    as_.emit(Isa::call, kernel.entry);
  }

  void kernel(const KernelStep& k) {
    using namespace x86;
    as_.emit(Isa::mov, work(table(k.first_arg)), kWork);
    for (uint32_t a = k.first_arg + 1; a < k.first_arg + k.num_args; ++a) {
      if (!address_of_[a]) {
        set_word(table(a), p_.args[a]);
        continue;
      }
      load_address(rax, address_of_[a]->place);
      as_.emit(Isa::mov, work(table(a)), rax);
    }
    const CompiledKernel& code = *code_of_[kernels_++];
    if (k.chunks == 1) {
      as_.emit(Isa::xor_, esi, esi);
      as_.emit(Isa::mov, rdx, Imm(k.extent));
      return call(code, table(k.first_arg));
    }
    const Label next = as_.label();
    as_.emit(Isa::xor_, ebp, ebp);
    as_.bind(next);
    as_.emit(Isa::mov, rsi, kIndex);
    as_.emit(Isa::mov, rdx, kIndex);
    add_to(rdx, k.chunk);
    as_.emit(Isa::mov, rax, Imm(k.extent));
    as_.emit(Isa::cmp, rdx, rax);
    as_.emit(Isa::cmovg, rdx, rax);
    call(code, table(k.first_arg));
    for (const Partial& p : k.partials) {
      as_.emit(Isa::mov, rax, work(table(k.first_arg + p.arg)));
      add_to(rax, p.bytes());
      as_.emit(Isa::mov, work(table(k.first_arg + p.arg)), rax);
    }
    add_to(kIndex, k.chunk);
    as_.emit(Isa::mov, rax, Imm(k.extent));
    as_.emit(Isa::cmp, kIndex, rax);
    as_.emit(Isa::jl, next);
    for (const Partial& p : k.partials) combine(k, p);
  }

  void combine(const KernelStep& k, const Partial& p) {
    using namespace x86;
    load_address(rax, p.chunks);
    as_.emit(Isa::mov, work(combined_ + 8), rax);
    load_address(rax, p.result);
    as_.emit(Isa::mov, work(combined_ + 16), rax);
    as_.emit(Isa::xor_, esi, esi);
    as_.emit(Isa::mov, rdx, Imm(p.count));
    call(combine_code(k, p), combined_);
  }

  void pointer(const PointerStep& p) {
    using namespace x86;
    load_address(rdi, p.whole);
    for (const PointerStep::Start& s : p.starts) {
      load_address(rax, s.place);
      as_.emit(Isa::mov, rax, ptr(rax));
      as_.emit(Isa::xor_, ecx, ecx);
      as_.emit(Isa::cmp, rax, rcx);
      as_.emit(Isa::cmovg, rcx, rax);
      as_.emit(Isa::mov, rax, Imm(s.limit));
      as_.emit(Isa::cmp, rcx, rax);
      as_.emit(Isa::cmovg, rcx, rax);
      as_.emit(Isa::mov, rax, Imm(s.stride));
      as_.emit(Isa::imul, rcx, rax);
      as_.emit(Isa::add, rdi, rcx);
    }
    as_.emit(Isa::mov, work(pointers_ + 8 * int64_t{p.index}), rdi);
  }

  void copy(const CopyStep& c) {
    using namespace x86;
    load_address(rsi, c.from);
    load_address(rdi, c.to);
    auto loop = [&](int64_t begin, int64_t end, int step) {
      if (begin == end) return;
      const Label next = as_.label();
      as_.emit(Isa::mov, rdx, Imm(begin));
      as_.emit(Isa::mov, rax, Imm(end));
      as_.bind(next);
      if (step == 8) {
        as_.emit(Isa::mov, rcx, ptr(rsi, rdx, 0, 0));
        as_.emit(Isa::mov, ptr(rdi, rdx, 0, 0), rcx);
      } else {
        as_.emit(Isa::mov, cl, ptr(rsi, rdx, 0, 0, 1));
        as_.emit(Isa::mov, ptr(rdi, rdx, 0, 0, 1), cl);
      }
      as_.emit(Isa::add, rdx, Imm(step));
      as_.emit(Isa::cmp, rdx, rax);
      as_.emit(Isa::jl, next);
    };
    loop(0, c.bytes / 8 * 8, 8);
    loop(c.bytes / 8 * 8, c.bytes, 1);
  }

  // Code i + 1 of a step is its fault i.
  void report(const std::vector<int64_t>& numbers) {
    using namespace x86;
    if (numbers.empty()) return;
    const Label none = as_.label();
    as_.emit(Isa::mov, rax, work(offsetof(KernelError, code)));
    as_.emit(Isa::test, rax, rax);
    as_.emit(Isa::je, none);
    as_.emit(Isa::lea, rcx, ptr(code_.data(std::as_bytes(std::span(numbers)), 8)));
    as_.emit(Isa::mov, rax, ptr(rcx, rax, 3, -8));
    as_.emit(Isa::jmp, out_);
    as_.bind(none);
  }

  ShippedCode& code_;
  Assembler& as_;
  const Program& p_;
  Target target_;
  Label constants_;
  std::vector<Label> fixed_;
  std::span<const std::vector<int64_t>> faults_;  // of each step
  std::vector<const Address*> address_of_;
  std::vector<const CompiledKernel*> code_of_;  // of kernel steps, in their order
  size_t kernels_ = 0;                          // that were called so far
  int64_t pointers_ = 0, spill_ = 0, arena_ = 0, combined_ = 0;
  asmjit::Label out_ = code_.as.label();
};

ShippedCode::Function ShippedCode::add(const Program& program, Target target,
                                       std::span<const std::span<const std::byte>> fixed,
                                       std::span<const std::vector<int64_t>> faults) {
  return Entry(*this, program, target, fixed, faults).run();
}

}  // namespace jot::cpu
