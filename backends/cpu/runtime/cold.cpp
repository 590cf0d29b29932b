// Cold paths of kernels: fixups by kernels of their own, checks.
#include "backends/cpu/emit/cold.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <vector>

#include "backends/cpu/kernel/math.h"
#include "backends/cpu/runtime/cold.h"
#include "ir/op.h"
#include "jot/error.h"

namespace jot::cpu {
namespace {

// By function and type; compiled when the first kernel leaves for it, and kept.
const KernelCode& rare_code(KFn fn, KType type) {
  static auto* const all = new std::vector<std::atomic<const KernelCode*>>(static_cast<size_t>(2 * ir::num_ops()));
  std::atomic<const KernelCode*>& at = (*all)[2 * static_cast<size_t>(fn) + (type == KType::f64)];
  if (const KernelCode* code = at.load(std::memory_order_acquire)) return *code;
  auto made = std::make_unique<const KernelCode>(*compile(rare_kernel(fn, type, rare_lanes(target())), target()));
  if (made->spill_bytes > kRareSpillBytes) internal_error("a rare kernel spills little", name(fn));
  const KernelCode* none = nullptr;
  if (at.compare_exchange_strong(none, made.get(), std::memory_order_acq_rel)) return *made.release();
  return *none;
}

class ColdPath {
 public:
  ColdPath(SavedRegisters& saved, const ColdSite& site)
      : saved_(saved), site_(site), spill_(reinterpret_cast<std::byte*>(saved.gpr[15])) {}

  void run() {
    if (!site_.check && has_rare_kernel(site_.fn)) return run_rare_kernel();
    for (int l = 0; l < site_.lanes; ++l)
      if (live(l)) site_.check ? check(l) : fixup(l);
  }

 private:
  std::byte* vector(Location at) { return at.code >= 0 ? saved_.vector[at.code].data() : spill_ + ~at.code; }
  uint64_t read(const std::byte* from, int bytes) {
    uint64_t bits = 0;
    std::memcpy(&bits, from, static_cast<size_t>(bytes));
    return bits;
  }
  int64_t scalar(Location at) {
    return static_cast<int64_t>(at.code >= 0 ? saved_.gpr[at.code] : read(spill_ + ~at.code, 8));
  }
  uint64_t lane(Location at, int l) {
    const int bytes = bytes_of(site_.type);
    return read(vector(at) + l * bytes, bytes);
  }
  bool live(int l) {
    if (site_.tail && l >= static_cast<int64_t>(read(spill_ + site_.live, 8))) return false;
    const Location m = site_.mask;
    if (!site_.mask_registers) return read(vector(m) + l * site_.mask_bytes, site_.mask_bytes) != 0;
    const uint64_t bits = m.code >= 0 ? saved_.mask[m.code] : read(spill_ + ~m.code, 8);
    return (bits >> l & 1) != 0;
  }
  void set_result(int l, const void* bits) {
    const auto bytes = static_cast<size_t>(bytes_of(site_.type));
    std::memcpy(vector(site_.result) + static_cast<size_t>(l) * bytes, bits, bytes);
  }
  // Of all lanes; what it makes of those that are not live is dropped.
  void run_rare_kernel() {
    const KernelCode& code = rare_code(site_.fn, site_.type);
    alignas(64) std::byte results[64], spill[kRareSpillBytes];
    auto address = [](const void* p) { return static_cast<int64_t>(reinterpret_cast<intptr_t>(p)); };
    const int64_t args[] = {0, address(vector(site_.x)), site_.operands > 1 ? address(vector(site_.y)) : 0,
                            address(results)};
    code.fn(args, 0, site_.lanes, spill);
    for (int l = 0; l < site_.lanes; ++l)
      if (live(l)) set_result(l, results + l * bytes_of(site_.type));
  }
  void fixup(int l) {
    const uint64_t y = site_.operands > 1 ? lane(site_.y, l) : 0;
    const uint64_t bits = by_rule(site_.fn, site_.type, lane(site_.x, l), y);
    set_result(l, &bits);
  }
  void check(int l) {
    const uint64_t bits = lane(site_.x, l);
    const int64_t value = site_.type == KType::i32 ? static_cast<int32_t>(bits) : static_cast<int64_t>(bits);
    int64_t index = l;
    if (site_.operands & 4) index *= scalar(site_.step);
    if (site_.operands & 2) index += scalar(site_.y);
    const auto* args = reinterpret_cast<const int64_t*>(saved_.gpr[14]);
    reinterpret_cast<KernelError*>(args[0])->record(site_.error, index, value);
  }

  SavedRegisters& saved_;
  const ColdSite& site_;
  std::byte* spill_;
};

}  // namespace

// Nothing may unwind through kernels.
void run_cold(void* saved_registers, const void* site) noexcept {
  ColdPath(*static_cast<SavedRegisters*>(saved_registers), *static_cast<const ColdSite*>(site)).run();
}

}  // namespace jot::cpu
