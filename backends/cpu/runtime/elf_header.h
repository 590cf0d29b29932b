// Parts of ELF files for x86-64: of those that debuggers are given, and of exported code.
#pragma once
#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace jot::cpu::elf {

inline Elf64_Ehdr header(uint16_t type) {
  Elf64_Ehdr h{};
  std::memcpy(h.e_ident, ELFMAG, SELFMAG);
  h.e_ident[EI_CLASS] = ELFCLASS64;
  h.e_ident[EI_DATA] = ELFDATA2LSB;
  h.e_ident[EI_VERSION] = EV_CURRENT;
  h.e_type = type;
  h.e_machine = EM_X86_64;
  h.e_version = EV_CURRENT;
  h.e_ehsize = sizeof h;
  h.e_shentsize = sizeof(Elf64_Shdr);
  h.e_phentsize = type == ET_REL ? 0 : sizeof(Elf64_Phdr);
  return h;
}

// The symbol of a global function: so many bytes, from byte `value` of a section on.
inline Elf64_Sym function(uint32_t name, uint16_t section, uint64_t value, uint64_t bytes) {
  return {.st_name = name,
          .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
          .st_other = STV_DEFAULT,
          .st_shndx = section,
          .st_value = value,
          .st_size = bytes};
}

// Strings one after the other; the first is empty.
class Strings {
 public:
  uint32_t add(const std::string& text) {
    const auto at = static_cast<uint32_t>(bytes_.size());
    bytes_.append(text).push_back('\0');
    return at;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_ = std::string(1, '\0');
};

class File {
 public:
  uint64_t size() const { return bytes_.size(); }
  void align(uint64_t unit) { bytes_.resize((bytes_.size() + unit - 1) / unit * unit); }
  // Returns where it begins.
  uint64_t add(const void* data, uint64_t bytes) {
    const uint64_t at = size();
    bytes_.resize(at + bytes);
    if (bytes > 0) std::memcpy(bytes_.data() + at, data, bytes);
    return at;
  }
  template <class T>
  uint64_t add(const std::vector<T>& items) {
    return add(items.data(), items.size() * sizeof(T));
  }
  uint64_t add(const std::string& text) { return add(text.data(), text.size()); }
  void put(uint64_t at, const void* data, uint64_t bytes) { std::memcpy(bytes_.data() + at, data, bytes); }
  std::vector<std::byte> finish() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

// Sections in the order of their numbers, from 1 on. The table, with its names, ends the file.
class Sections {
 public:
  // Returns its number.
  uint16_t add(const char* name, Elf64_Shdr section) {
    section.sh_name = names_.add(name);
    all_.push_back(section);
    return static_cast<uint16_t>(all_.size() - 1);
  }
  void finish(File& file, Elf64_Ehdr& h) {
    Elf64_Shdr names{};
    names.sh_type = SHT_STRTAB;
    names.sh_addralign = 1;
    h.e_shstrndx = add(".shstrtab", names);
    all_.back().sh_offset = file.add(names_.bytes());
    all_.back().sh_size = names_.bytes().size();
    h.e_shnum = static_cast<uint16_t>(all_.size());
    file.align(8);
    h.e_shoff = file.add(all_);
  }

 private:
  Strings names_;
  std::vector<Elf64_Shdr> all_ = std::vector<Elf64_Shdr>(1);
};

}  // namespace jot::cpu::elf
