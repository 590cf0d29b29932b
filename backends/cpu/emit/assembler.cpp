#include "backends/cpu/emit/assembler.h"

#include "jot/error.h"

namespace jot::cpu {
namespace {

constexpr std::string_view mnemonic(std::string_view name) { return name.substr(0, name.find('_')); }

constexpr IsaInfo kTable[] = {
#define ISA(name, id, forms, widths, operands, element) \
  {asmjit::x86::Inst::kId##id, IsaForms::forms, element, mnemonic(#name), widths, operands},
#include "backends/cpu/emit/isa.def"
#undef ISA
};

}  // namespace

const IsaInfo& info(Isa op) { return kTable[static_cast<size_t>(op)]; }
int isa_count() { return static_cast<int>(std::size(kTable)); }

Assembler::Assembler(Target target, bool log, bool validate) : target_(target) {
  code_.init(asmjit::Environment(asmjit::Arch::kX64));
  code_.setErrorHandler(&thrower_);
  if (log) code_.setLogger(&log_);
  code_.attach(&out_);
  if (validate) out_.addDiagnosticOptions(asmjit::DiagnosticOptions::kValidateAssembler);
}

void Assembler::Thrower::handleError(asmjit::Error, const char* message, asmjit::BaseEmitter*) {
  internal_error("assembler", message);
}

void Assembler::refuse(const IsaInfo& info, std::string_view why) {
  internal_error("emit " + std::string(info.name), why);
}

std::span<const std::byte> Assembler::finish() {
  if (code_.hasUnresolvedLinks()) internal_error("no unresolved links", "assembler");
  const asmjit::CodeBuffer& text = code_.textSection()->buffer();
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

}  // namespace jot::cpu
