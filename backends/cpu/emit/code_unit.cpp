#include "backends/cpu/emit/code_unit.h"

#include <bit>
#include <cstring>

#include "backends/cpu/kernel/math.h"
#include "jot/error.h"

namespace jot::cpu {
namespace {

constexpr int32_t kGprs = offsetof(SavedRegisters, gpr), kMasks = offsetof(SavedRegisters, mask);

}  // namespace

CodeUnit::CodeUnit(Target target, bool log, bool validate, PlantedBug planted)
    : as(target, log, validate), avx512(target == Target::avx512), bug(planted) {
  pool_label_ = as.label();
  thunk_ = as.label();
  begin_slot = frame.allocate(8);
  end_slot = frame.allocate(8);
  live_slot = frame.allocate(8);
}

const CodeUnit::Routine& CodeUnit::routine(KFn fn, KType type) const {
  for (const Routine& r : routines)
    if (r.fn == fn && r.type == type) return r;
  internal_error("the routine is emitted", name(fn));
}

int32_t CodeUnit::scratch(int i) {
  if (scratch_[i] < 0) scratch_[i] = frame.allocate(64);
  return scratch_[i];
}

// ---- constants

int32_t CodeUnit::reserve(size_t bytes, int alignment) {
  const auto unit = static_cast<size_t>(alignment);
  pool_.resize((pool_.size() + unit - 1) / unit * unit);
  const auto at = static_cast<int32_t>(pool_.size());
  pool_.resize(pool_.size() + bytes);
  return at;
}

x86::Mem CodeUnit::element(uint64_t bits, int bytes) {
  auto [it, fresh] = elements_[bytes == 8].try_emplace(bits, 0);
  if (fresh) {
    it->second = reserve(static_cast<size_t>(bytes), bytes);
    std::memcpy(pool_.data() + it->second, &bits, static_cast<size_t>(bytes));
  }
  return x86::ptr(pool_label_, it->second);
}

x86::Mem CodeUnit::repeated(uint64_t bits, int element, int bytes) {
  return data(packed(bytes / element, element, [&](int) { return bits; }), bytes);
}

x86::Mem CodeUnit::data(std::string_view bytes, int alignment) {
  auto [it, fresh] = others_.try_emplace(std::string(bytes), 0);
  if (fresh) {
    it->second = reserve(bytes.size(), alignment);
    std::memcpy(pool_.data() + it->second, bytes.data(), bytes.size());
  }
  return x86::ptr(pool_label_, it->second);
}

// ---- cold paths

void CodeUnit::branch_to_cold(Isa jump, const ColdSite& site) {
  Cold cold{as.label(), as.label(), site, marks.empty() ? kNone : marks.back().instruction};
  as.emit(jump, cold.label);
  as.bind(cold.back);
  cold_.push_back(cold);
}

// Saves all registers and calls cold(registers, site) of the error. On entry rax is the site and [rsp + 8] what rax
// was.
void CodeUnit::emit_thunk() {
  const int vectors = avx512 ? 32 : 16, bytes = avx512 ? 64 : 32;
  as.bind(thunk_);
  as.emit(Isa::push, x86::rbx);
  as.emit(Isa::mov, x86::rbx, x86::rsp);
  as.emit(Isa::sub, x86::rsp, asmjit::Imm(sizeof(SavedRegisters)));
  as.emit(Isa::and_, x86::rsp, asmjit::Imm(-64));
  for (uint32_t r = 0; r < 16; ++r)
    if (r != x86::Gp::kIdAx && r != x86::Gp::kIdBx && r != x86::Gp::kIdSp)
      as.emit(Isa::mov, x86::ptr(x86::rsp, kGprs + 8 * static_cast<int>(r)), x86::gpq(r));
  as.emit(Isa::mov, x86::rsi, x86::rax);
  as.emit(Isa::mov, x86::rax, x86::ptr(x86::rbx, 16));
  as.emit(Isa::mov, x86::ptr(x86::rsp, kGprs + 8 * x86::Gp::kIdAx), x86::rax);
  as.emit(Isa::mov, x86::rax, x86::ptr(x86::rbx));
  as.emit(Isa::mov, x86::ptr(x86::rsp, kGprs + 8 * x86::Gp::kIdBx), x86::rax);
  for (int r = 0; r < vectors; ++r) as.emit(Isa::vmovups, x86::ptr(x86::rsp, 64 * r), vector_register(r, bytes));
  for (uint32_t r = 1; avx512 && r < 8; ++r)
    as.emit(Isa::kmovq, x86::ptr(x86::rsp, kMasks + 8 * static_cast<int>(r)), x86::k(r));
  as.emit(Isa::mov, x86::rdi, x86::rsp);
  as.emit(Isa::vzeroupper);
  as.emit(Isa::mov, x86::rax, x86::ptr(kArgs));
  as.emit(Isa::call, x86::ptr(x86::rax, static_cast<int32_t>(offsetof(KernelError, cold))));
  for (int r = 0; r < vectors; ++r) as.emit(Isa::vmovups, vector_register(r, bytes), x86::ptr(x86::rsp, 64 * r));
  for (uint32_t r = 1; avx512 && r < 8; ++r)
    as.emit(Isa::kmovq, x86::k(r), x86::ptr(x86::rsp, kMasks + 8 * static_cast<int>(r)));
  for (uint32_t r : {1u, 2u, 6u, 7u, 8u, 9u, 10u, 11u})
    as.emit(Isa::mov, x86::gpq(r), x86::ptr(x86::rsp, kGprs + 8 * static_cast<int>(r)));
  as.emit(Isa::mov, x86::rsp, x86::rbx);
  as.emit(Isa::pop, x86::rbx);
  as.emit(Isa::ret);
}

void CodeUnit::add_mark(uint32_t instruction, std::string_view what) {
  as.comment("; " + (instruction == kNone ? "" : "%" + std::to_string(instruction) + " ") + std::string(what));
  marks.push_back({static_cast<uint32_t>(as.size()), instruction, what});
}

void CodeUnit::finish() {
  for (const Cold& cold : cold_) {
    mark(cold.instruction, "cold");
    as.bind(cold.label);
    as.emit(Isa::push, x86::rax);
    std::string_view site(reinterpret_cast<const char*>(&cold.site), sizeof(ColdSite));
    as.emit(Isa::lea, x86::rax, data(site, 8));
    as.emit(Isa::call, thunk_);
    as.emit(Isa::pop, x86::rax);
    as.emit(Isa::jmp, cold.back);
  }
  if (!cold_.empty()) {
    mark(kNone, "cold paths of all");
    emit_thunk();
  }
  mark(kNone, "constants");
  as.align(64, true);
  as.bind(pool_label_);
  as.data(std::as_bytes(std::span(pool_)));
}

}  // namespace jot::cpu
