// How a compiled function becomes a file that needs nothing of jot.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace jot {

// What calls it: C; CasADi's external(); acados, which is CasADi's interface with int for its integers.
enum class Abi : uint8_t { plain, casadi, acados };

struct ExportOptions {
  std::string name = {};  // of the function, in C; empty: the name of the file
  Abi abi = Abi::plain;
  std::vector<std::string> inputs = {}, outputs = {};  // their names, in C; empty: in0, in1, ... and out0, out1, ...
  bool avx512 = true;                                  // code for AVX-512 beside that for AVX2
};

}  // namespace jot
