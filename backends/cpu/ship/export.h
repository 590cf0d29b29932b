// Compiled graphs as files that need nothing of jot.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/cpu/ship/entry.h"
#include "backends/cpu/ship/fault_numbers.h"
#include "jot/export_options.h"
#include "jot/ir.h"

namespace jot::cpu {

// A function of such a file. Each name is an identifier.
struct ExportedFunction {
  std::string name;
  ir::Graph graph;                                // pure, optimised
  std::vector<std::span<const std::byte>> fixed;  // of each input its contents, where they do not change; null: it does
  std::vector<std::string> inputs, outputs;       // names, of those that the caller gives and of all
};

// Adds the function, as int(in, out, work); `api` is who asks. Throws Error that names each op which needs more
// than kernels.
struct ShippedFunction {
  asmjit::Label entry;
  int64_t work_bytes = 0;
  std::vector<std::string> faults;  // its numbers and what they stand for
};
ShippedFunction ship(ShippedCode& code, const ExportedFunction& f, bool avx512, std::string_view api);

struct ExportedCode {
  Image image;
  std::string header;  // C89
};
ExportedCode export_plain(const ExportedFunction& f, bool avx512, std::string_view api);

}  // namespace jot::cpu
