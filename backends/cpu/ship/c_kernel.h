// A kernel as a function of C: an instruction a statement, so that nothing is contracted that was not.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "backends/cpu/program.h"
#include "backends/cpu/ship/c_parts.h"

namespace jot::cpu {

// An entry of the argument table: a number, or what the function is called with.
struct CArgument {
  bool is_number;
  int64_t number = 0;
  std::string name = {};
};

struct CFunction {
  struct Parameter {
    uint32_t arg;      // of the kernel
    std::string type;  // of its elements; several: char
    bool written;
  };
  std::string text;
  std::vector<Parameter> parameters;  // in the order of the call
  bool fails = false;                 // it returns 0, or what a fault is
};

struct CKernel {
  std::string name;
  const Kernel& kernel;
  int64_t extent;                    // of the range
  std::span<const CArgument> args;   // of the table behind its first entry
  std::span<const int64_t> faults;   // what it returns for its errors 1, 2, ...
  const ir::GraphData* g = nullptr;  // that the origins of instructions are of
};
// Large kernels become several functions. Linear in instructions.
CFunction c_function(const CKernel& kernel, CParts& parts);

}  // namespace jot::cpu
