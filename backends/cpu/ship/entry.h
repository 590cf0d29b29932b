// Programs as machine code that stands alone: an entry routine that fills argument tables and calls kernels one after
// the other, the cold paths of these, and everything they read.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "backends/cpu/emit/assembler.h"
#include "backends/cpu/program.h"
#include "backends/cpu/ship/elf.h"

namespace jot::cpu {

// The code of one or several functions, and what they share.
class ShippedCode {
 public:
  ShippedCode();

  struct Function {
    asmjit::Label entry;
    int64_t work_bytes = 0;
  };
  // Of a program of kernels that was compiled for `target` without code, as int(in, out, work): 0, or the number of
  // what was at fault: `faults` has those of each step. fixed: of each input its contents, where they do not change;
  // null: the caller's.
  Function add(const Program& program, Target target, std::span<const std::span<const std::byte>> fixed,
               std::span<const std::vector<int64_t>> faults);

  // Calls one or the other by what the processor has; where it has not even AVX2, returns 2. An undefined label: none.
  asmjit::Label dispatch(const asmjit::Label& avx2, const asmjit::Label& avx512);

  // What else an interface is made of.
  Assembler as;
  asmjit::Label data(std::span<const std::byte> bytes, uint32_t alignment);  // read only; equal ones are shared
  asmjit::Label text(const std::string& text);                               // ends with a 0
  void load_zeros(const x86::Gp& to, int64_t bytes);                         // the address of so many
  // A global function from `label` to here.
  void name(const std::string& name, const asmjit::Label& label);

  Image finish();

 private:
  class Entry;
  struct CompiledKernel {
    asmjit::Label entry;
    int64_t spill_bytes;
  };
  struct KernelKey {
    const Kernel* kernel;
    Target target;
    friend bool operator==(const KernelKey& a, const KernelKey& b) {
      return a.target == b.target && *a.kernel == *b.kernel;
    }
  };
  struct KernelHash {
    size_t operator()(const KernelKey& k) const { return k.kernel->hash() + static_cast<size_t>(k.target); }
  };
  struct Cold {
    asmjit::Label entry;
    bool used = false;
    std::vector<std::pair<uint32_t, asmjit::Label>> functions;  // rare kernels by what a site holds
  };

  const CompiledKernel& kernel(const Kernel& kernel, Target target);
  void find_rare_kernels(const Kernel& kernel, Target target);
  void emit_cold(Target target);
  static constexpr int64_t kZeros = 64;  // in the state, behind what the processor has
  void refer_to_state(int64_t byte);
  void emit_detection();

  struct Pending {
    asmjit::Label label;
    std::vector<std::byte> bytes;
    uint32_t alignment;
  };
  std::vector<Pending> data_;
  std::unordered_map<std::string, size_t> known_data_;  // by alignment and contents
  std::unordered_map<KernelKey, CompiledKernel, KernelHash> kernels_;
  std::vector<std::unique_ptr<const Kernel>> kept_;
  Cold cold_[2];  // avx2, avx512
  asmjit::Label detect_;
  Image image_;
  struct Named {
    std::string name;
    asmjit::Label label;
    size_t end;
  };
  std::vector<Named> named_;
};

}  // namespace jot::cpu
