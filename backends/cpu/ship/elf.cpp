#include "backends/cpu/ship/elf.h"

#include <algorithm>

#include "backends/cpu/runtime/elf_header.h"

namespace jot::cpu {
namespace {

using elf::File;
using elf::Sections;
using elf::Strings;

constexpr uint64_t kPage = 4096;
constexpr uint64_t round_up(uint64_t x, uint64_t unit) { return (x + unit - 1) / unit * unit; }

uint32_t hash_of(const std::string& name) {
  uint32_t h = 0;
  for (const char c : name) {
    h = (h << 4) + static_cast<unsigned char>(c);
    const uint32_t high = h & 0xf0000000;
    h = (h ^ (high >> 24)) & ~high;
  }
  return h;
}

// SHT_HASH of symbols 1, 2, ...
std::vector<uint32_t> hash_table(const std::vector<Image::Symbol>& symbols) {
  const auto n = static_cast<uint32_t>(symbols.size()), buckets = std::max<uint32_t>(n, 1);
  std::vector<uint32_t> table(2 + buckets + n + 1, 0);
  table[0] = buckets;
  table[1] = n + 1;
  for (uint32_t i = 0; i < n; ++i) {
    uint32_t* at = &table[2 + hash_of(symbols[i].name) % buckets];
    while (*at != 0) at = &table[2 + buckets + *at];
    *at = i + 1;
  }
  return table;
}

}  // namespace

std::vector<std::byte> object_file(const Image& image) {
  Elf64_Ehdr h = elf::header(ET_REL);
  File file;
  Sections sections;
  file.add(&h, sizeof h);
  file.align(64);
  const uint64_t code = file.add(image.code);
  const uint16_t text = sections.add(".text", {.sh_type = SHT_PROGBITS,
                                               .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
                                               .sh_offset = code,
                                               .sh_size = image.code.size(),
                                               .sh_addralign = 64});
  const uint16_t state = sections.add(".bss", {.sh_type = SHT_NOBITS,
                                               .sh_flags = SHF_ALLOC | SHF_WRITE,
                                               .sh_offset = file.size(),
                                               .sh_size = image.state_bytes,
                                               .sh_addralign = 64});
  Strings strings;
  constexpr uint32_t kState = 1;  // symbol
  std::vector<Elf64_Sym> symbols = {{}, {.st_info = ELF64_ST_INFO(STB_LOCAL, STT_SECTION), .st_shndx = state}};
  const auto first_global = static_cast<uint32_t>(symbols.size());
  for (const Image::Symbol& s : image.symbols)
    symbols.push_back(elf::function(strings.add(s.name), text, s.offset, s.bytes));
  std::vector<Elf64_Rela> moves;
  for (const auto& [at, byte] : image.references)
    moves.push_back({.r_offset = at, .r_info = ELF64_R_INFO(uint64_t{kState}, R_X86_64_PC32), .r_addend = byte - 4});
  file.align(8);
  const uint64_t moves_at = file.add(moves), symbols_at = file.add(symbols), strings_at = file.add(strings.bytes());
  const uint16_t table = 4;  // as added below
  sections.add(".rela.text", {.sh_type = SHT_RELA,
                              .sh_flags = SHF_INFO_LINK,
                              .sh_offset = moves_at,
                              .sh_size = moves.size() * sizeof(Elf64_Rela),
                              .sh_link = table,
                              .sh_info = text,
                              .sh_addralign = 8,
                              .sh_entsize = sizeof(Elf64_Rela)});
  sections.add(".symtab", {.sh_type = SHT_SYMTAB,
                           .sh_offset = symbols_at,
                           .sh_size = symbols.size() * sizeof(Elf64_Sym),
                           .sh_link = table + 1,
                           .sh_info = first_global,
                           .sh_addralign = 8,
                           .sh_entsize = sizeof(Elf64_Sym)});
  sections.add(".strtab",
               {.sh_type = SHT_STRTAB, .sh_offset = strings_at, .sh_size = strings.bytes().size(), .sh_addralign = 1});
  sections.add(".note.GNU-stack", {.sh_type = SHT_PROGBITS, .sh_offset = file.size(), .sh_addralign = 1});
  sections.finish(file, h);
  file.put(0, &h, sizeof h);
  return file.finish();
}

std::vector<std::byte> shared_object(const Image& image, const std::string& soname) {
  // Three segments: tables, code, what is written. Addresses are offsets in the file.
  Elf64_Ehdr h = elf::header(ET_DYN);
  constexpr uint16_t kSegments = 5;
  h.e_phoff = sizeof h;
  h.e_phnum = kSegments;
  Strings strings;
  const uint32_t name = strings.add(soname);
  constexpr uint16_t kText = 4;  // section, as added below
  std::vector<Elf64_Sym> symbols(1);
  for (const Image::Symbol& s : image.symbols)
    symbols.push_back(elf::function(strings.add(s.name), kText, s.offset, s.bytes));
  const std::vector<uint32_t> hash = hash_table(image.symbols);

  File file;
  file.add(&h, sizeof h);
  Elf64_Phdr segments[kSegments] = {};
  file.add(segments, sizeof segments);
  const uint64_t hash_at = file.add(hash);
  file.align(8);
  const uint64_t symbols_at = file.add(symbols), strings_at = file.add(strings.bytes()), tables_end = file.size();
  file.align(kPage);
  const uint64_t code_at = file.add(image.code);
  for (size_t i = 1; i < symbols.size(); ++i) symbols[i].st_value += code_at;
  file.put(symbols_at, symbols.data(), symbols.size() * sizeof(Elf64_Sym));
  const uint64_t code_end = file.size();
  file.align(kPage);
  const std::vector<Elf64_Dyn> dynamic = {
      {.d_tag = DT_SONAME, .d_un = {.d_val = name}},
      {.d_tag = DT_HASH, .d_un = {.d_ptr = hash_at}},
      {.d_tag = DT_STRTAB, .d_un = {.d_ptr = strings_at}},
      {.d_tag = DT_SYMTAB, .d_un = {.d_ptr = symbols_at}},
      {.d_tag = DT_STRSZ, .d_un = {.d_val = strings.bytes().size()}},
      {.d_tag = DT_SYMENT, .d_un = {.d_val = sizeof(Elf64_Sym)}},
      {.d_tag = DT_NULL, .d_un = {.d_val = 0}},
  };
  const uint64_t dynamic_at = file.add(dynamic), written_end = file.size();
  const uint64_t state_at = round_up(written_end, 64);
  for (const auto& [at, byte] : image.references) {
    const auto distance = static_cast<int32_t>(static_cast<int64_t>(state_at - (code_at + at + 4)) + byte);
    file.put(code_at + at, &distance, sizeof distance);
  }
  auto load = [](uint32_t flags, uint64_t at, uint64_t end, uint64_t in_memory) {
    return Elf64_Phdr{.p_type = PT_LOAD,
                      .p_flags = flags,
                      .p_offset = at,
                      .p_vaddr = at,
                      .p_paddr = at,
                      .p_filesz = end - at,
                      .p_memsz = in_memory - at,
                      .p_align = kPage};
  };
  segments[0] = load(PF_R, 0, tables_end, tables_end);
  segments[1] = load(PF_R | PF_X, code_at, code_end, code_end);
  segments[2] = load(PF_R | PF_W, dynamic_at, written_end, state_at + image.state_bytes);
  segments[3] = load(PF_R | PF_W, dynamic_at, written_end, written_end);
  segments[3].p_type = PT_DYNAMIC;
  segments[3].p_align = 8;
  segments[4] = {.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W, .p_align = 16};
  file.put(sizeof h, segments, sizeof segments);

  Sections sections;
  sections.add(".hash", {.sh_type = SHT_HASH,
                         .sh_flags = SHF_ALLOC,
                         .sh_addr = hash_at,
                         .sh_offset = hash_at,
                         .sh_size = hash.size() * sizeof(uint32_t),
                         .sh_link = 2,
                         .sh_addralign = 8,
                         .sh_entsize = sizeof(uint32_t)});
  sections.add(".dynsym", {.sh_type = SHT_DYNSYM,
                           .sh_flags = SHF_ALLOC,
                           .sh_addr = symbols_at,
                           .sh_offset = symbols_at,
                           .sh_size = symbols.size() * sizeof(Elf64_Sym),
                           .sh_link = 3,
                           .sh_info = 1,
                           .sh_addralign = 8,
                           .sh_entsize = sizeof(Elf64_Sym)});
  sections.add(".dynstr", {.sh_type = SHT_STRTAB,
                           .sh_flags = SHF_ALLOC,
                           .sh_addr = strings_at,
                           .sh_offset = strings_at,
                           .sh_size = strings.bytes().size(),
                           .sh_addralign = 1});
  sections.add(".text", {.sh_type = SHT_PROGBITS,
                         .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
                         .sh_addr = code_at,
                         .sh_offset = code_at,
                         .sh_size = code_end - code_at,
                         .sh_addralign = 64});
  sections.add(".dynamic", {.sh_type = SHT_DYNAMIC,
                            .sh_flags = SHF_ALLOC | SHF_WRITE,
                            .sh_addr = dynamic_at,
                            .sh_offset = dynamic_at,
                            .sh_size = written_end - dynamic_at,
                            .sh_link = 3,
                            .sh_addralign = 8,
                            .sh_entsize = sizeof(Elf64_Dyn)});
  sections.add(".bss", {.sh_type = SHT_NOBITS,
                        .sh_flags = SHF_ALLOC | SHF_WRITE,
                        .sh_addr = state_at,
                        .sh_offset = written_end,
                        .sh_size = image.state_bytes,
                        .sh_addralign = 64});
  sections.finish(file, h);
  file.put(0, &h, sizeof h);
  return file.finish();
}

}  // namespace jot::cpu
