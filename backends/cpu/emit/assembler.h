// asmjit behind isa.def: the only way to machine code.
#pragma once
#include <asmjit/x86.h>

#include <span>
#include <string>

#include "backends/cpu/emit/isa.h"
#include "backends/target.h"

namespace jot::cpu {

namespace x86 = asmjit::x86;

// The vector register `id` of a width of 16, 32 or 64 bytes; narrower ones are xmm.
inline x86::Vec vector_register(int id, int bytes) {
  auto n = static_cast<uint32_t>(id);
  if (bytes > 32) return x86::zmm(n);
  if (bytes > 16) return x86::ymm(n);
  return x86::xmm(n);
}

class Assembler {
 public:
  // `log` keeps the text of every instruction; `validate` checks operands against asmjit's tables.
  explicit Assembler(Target target, bool log = false, bool validate = false);
  Assembler(const Assembler&) = delete;
  Assembler& operator=(const Assembler&) = delete;

  Target target() const { return target_; }

  // Throws InternalError for an instruction or a register that the target does not have.
  template <class... Operands>
  void emit(Isa op, const Operands&... operands) {
    const IsaInfo& i = info(op);
    if (i.forms != IsaForms::G) {
      if (i.forms == (target_ == Target::avx512 ? IsaForms::V : IsaForms::E)) refuse(i, "the target lacks it");
      if (target_ != Target::avx512 && (is_high(operands) || ...)) refuse(i, "register above 15");
    }
    out_.emit(i.asmjit_id, operands...);
  }

  // The next instruction writes only the lanes of a mask register; the others keep their value, or become zero.
  Assembler& masked(x86::KReg mask, bool zero) {
    out_.setExtraReg(mask);
    if (zero) out_.addInstOptions(asmjit::InstOptions::kX86_ZMask);
    return *this;
  }

  asmjit::Label label() { return out_.newLabel(); }
  void bind(const asmjit::Label& label) { out_.bind(label); }
  bool logging() const { return code_.logger() != nullptr; }
  void comment(const std::string& text) { out_.comment(text.data(), text.size()); }
  void align(uint32_t bytes, bool data) {
    out_.align(data ? asmjit::AlignMode::kData : asmjit::AlignMode::kCode, bytes);
  }
  void data(std::span<const std::byte> bytes) { out_.embed(bytes.data(), bytes.size()); }

  size_t size() const { return out_.offset(); }
  size_t offset_of(const asmjit::Label& label) const { return code_.labelOffset(label); }

  // After the last instruction: links labels. Position independent. Valid while the assembler lives.
  std::span<const std::byte> finish();
  std::string log() const { return {log_.data(), log_.dataSize()}; }

 private:
  struct Thrower : asmjit::ErrorHandler {
    void handleError(asmjit::Error error, const char* message, asmjit::BaseEmitter* origin) override;
  };
  [[noreturn]] static void refuse(const IsaInfo& info, std::string_view why);
  template <class Operand>
  static bool is_high(const Operand& operand) {
    if constexpr (std::is_base_of_v<asmjit::Operand_, Operand>)
      return operand.isReg() && operand.id() > 15;
    else
      return false;
  }

  Target target_;
  Thrower thrower_;
  asmjit::StringLogger log_;
  asmjit::CodeHolder code_;
  x86::Assembler out_;
};

}  // namespace jot::cpu
