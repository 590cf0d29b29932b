// ELF files for x86-64: what an exported function needs of them, and nothing that differs from run to run.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace jot::cpu {

// Position-independent code with its constants, which starts on 64 bytes, and memory that is zero when it is loaded.
struct Image {
  struct Symbol {  // a global function
    std::string name;
    uint64_t offset, bytes;
  };
  struct Reference {  // the four bytes at `at` become the distance from their end to byte `state` of that memory
    uint64_t at;
    int64_t state;
  };
  std::vector<std::byte> code;
  std::vector<Symbol> symbols;  // other names are not seen
  std::vector<Reference> references;
  uint64_t state_bytes = 64;
};

// A relocatable object: .text, .bss, their relocations and symbols.
std::vector<std::byte> object_file(const Image& image);
// A shared object without dependencies or relocations, found by dlopen, dlsym and linkers. soname: its file name.
std::vector<std::byte> shared_object(const Image& image, const std::string& soname);

}  // namespace jot::cpu
