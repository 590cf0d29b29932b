#include "backends/cpu/runtime/debug_info.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <map>
#include <mutex>
#include <string_view>

#include "backends/cpu/emit/emit.h"
#include "backends/cpu/runtime/elf_header.h"
#include "ir/fork.h"

// The interface of gdb ("JIT Compilation Interface" in its manual): it stops in the function, and reads the list.
extern "C" {
struct jit_code_entry {
  jit_code_entry* next_entry;
  jit_code_entry* prev_entry;
  const char* symfile_addr;
  uint64_t symfile_size;
};
struct jit_descriptor {
  uint32_t version, action_flag;
  jit_code_entry* relevant_entry;
  jit_code_entry* first_entry;
};
[[gnu::noinline, gnu::used, gnu::visibility("default")]] void __jit_debug_register_code() {
  asm volatile("" ::: "memory");
}
[[gnu::used, gnu::visibility("default")]] jit_descriptor __jit_debug_descriptor = {1, 0, nullptr, nullptr};
}

namespace jot::cpu {

using ir::GraphData;
using ir::Value;

namespace {

// Bytes as debug formats want them.
class Bytes {
 public:
  template <class T>
  void fixed(T x) {
    bytes_.append(reinterpret_cast<const char*>(&x), sizeof x);
  }
  void byte(int x) { bytes_ += static_cast<char>(x); }
  void text(std::string_view s) {
    bytes_ += s;
    byte(0);
  }
  void raw(const void* from, size_t n) { bytes_.append(static_cast<const char*>(from), n); }
  void unsigned_leb(uint64_t x) {
    do {
      const int low = x & 0x7f;
      x >>= 7;
      byte(x ? low | 0x80 : low);
    } while (x);
  }
  void signed_leb(int64_t x) {
    for (bool more = true; more;) {
      const int low = x & 0x7f;
      x >>= 7;
      more = !((x == 0 && !(low & 0x40)) || (x == -1 && (low & 0x40)));
      byte(more ? low | 0x80 : low);
    }
  }
  void align(size_t n, char with = 0) {
    while (bytes_.size() % n) bytes_ += with;
  }
  // A length of four bytes in front of what `fill` appends, padded to `unit`.
  template <class Fill>
  void sized(Fill fill, size_t unit = 1) {
    const size_t at = bytes_.size();
    fixed(uint32_t{0});
    fill();
    while ((bytes_.size() - at - 4) % unit) byte(0);
    const auto n = static_cast<uint32_t>(bytes_.size() - at - 4);
    std::memcpy(bytes_.data() + at, &n, sizeof n);
  }
  size_t size() const { return bytes_.size(); }
  const std::string& get() const { return bytes_; }

 private:
  std::string bytes_;
};

// What is known of one kernel's code.
struct Described {
  std::string name;
  uintptr_t begin = 0;  // of the code, functions that it calls first
  size_t size = 0, entry = 0;
  struct Line {
    uint32_t offset;
    const char* file;
    int line;
  };
  std::vector<Line> lines;               // ascending
  size_t exit = 0, cold = 0, thunk = 0;  // where these begin; `size` where there are none
};

// "jot_kernel_3_sin_mul": ops that it stores.
std::string name_of(const Kernel& kernel, const GraphData& g) {
  static constinit std::atomic<int> last = 0;
  std::string name = "jot_kernel_" + std::to_string(last++);
  std::vector<Value> told;
  for (size_t i = 0; i < kernel.instrs.size() && told.size() < 3; ++i) {
    const KOp op = kernel.instrs[i].op;
    if (op < KOp::store || op > KOp::store_one || i >= kernel.origins.size() || kernel.origins[i] >= g.size()) continue;
    const Value v = kernel.origins[i];
    if (std::ranges::find(told, v) != told.end()) continue;
    told.push_back(v);
    name += "_" + std::string(ir::name_of(g.op(v)));
  }
  return name;
}

Described describe(const Kernel& kernel, const KernelCode& code, const GraphData& g) {
  const EmittedCode emitted = emit(kernel, target(), true);
  Described d;
  d.name = name_of(kernel, g);
  d.entry = emitted.entry;
  d.begin = reinterpret_cast<uintptr_t>(code.fn) - emitted.entry;
  d.size = d.exit = d.cold = d.thunk = emitted.bytes.size();
  const auto line_of = [&](uint32_t instruction) {
    const Value v = instruction < kernel.origins.size() ? kernel.origins[instruction] : ir::kNoValue;
    return v < g.size() ? g.location(v) : Location();
  };
  Location some;  // of what has none: that of the last that has one, the first the kernel's last
  for (uint32_t i = 0; i < kernel.instrs.size(); ++i)
    if (const Location l = line_of(i); *l.file) some = l;
  for (const CodeMark& m : emitted.marks) {
    if (m.what == "exit") d.exit = m.offset;
    if (m.what == "cold" && d.cold == d.size) d.cold = m.offset;
    if (m.what == "cold paths of all") d.thunk = m.offset;
    if (m.what == "constants")
      d.cold = std::min<size_t>(d.cold, m.offset), d.thunk = std::min<size_t>(d.thunk, m.offset);
    if (const Location l = line_of(m.instruction); *l.file) some = l;
    if (!*some.file) continue;
    if (!d.lines.empty() && d.lines.back().offset == m.offset) d.lines.pop_back();
    d.lines.push_back({m.offset, some.file, some.line});
  }
  return d;
}

// ---- perf: tools/perf/Documentation/jitdump-specification.txt

class Jitdump {
 public:
  Jitdump() {
    const std::string folder = env().trace_dir.empty() ? "." : env().trace_dir;
    const std::string path = folder + "/jit-" + std::to_string(getpid()) + ".dump";
    file_ = ::open(path.c_str(), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0666);
    if (file_ < 0) throw Error("[perf] cannot write " + path + "; JOT_TRACE_DIR must name a folder that is there");
    Bytes b;
    for (uint32_t x : {0x4A695444u, 1u, 40u, static_cast<uint32_t>(EM_X86_64), 0u, static_cast<uint32_t>(getpid())})
      b.fixed(x);
    b.fixed(now());
    b.fixed(uint64_t{0});
    write(b);
    // By this mapping perf finds the file.
    mmap(nullptr, static_cast<size_t>(sysconf(_SC_PAGESIZE)), PROT_READ | PROT_EXEC, MAP_PRIVATE, file_, 0);
  }

  void add(const Described& d, const std::byte* code) {
    const uint64_t entry = d.begin;
    Bytes lines;
    header(
        lines, 2, 32 + [&] {
          size_t n = 0;
          for (const Described::Line& l : d.lines) n += 16 + std::strlen(l.file) + 1;
          return n;
        }());
    lines.fixed(entry);
    lines.fixed(static_cast<uint64_t>(d.lines.size()));
    for (const Described::Line& l : d.lines) {
      lines.fixed(static_cast<uint64_t>(d.begin + l.offset));
      lines.fixed(static_cast<uint32_t>(l.line));
      lines.fixed(uint32_t{0});
      lines.text(l.file);
    }
    Bytes load;
    header(load, 0, 16 + 40 + d.name.size() + 1 + d.size);
    load.fixed(static_cast<uint32_t>(getpid()));
    load.fixed(static_cast<uint32_t>(syscall(SYS_gettid)));
    for (uint64_t x : {entry, entry, static_cast<uint64_t>(d.size), next_++}) load.fixed(x);
    load.text(d.name);
    load.raw(code, d.size);
    if (!d.lines.empty()) write(lines);
    write(load);
  }

 private:
  static uint64_t now() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t.tv_nsec);
  }
  static void header(Bytes& b, uint32_t kind, size_t size) {
    b.fixed(kind);
    b.fixed(static_cast<uint32_t>(size));
    b.fixed(now());
  }
  void write(const Bytes& b) const {
    if (::write(file_, b.get().data(), b.size()) != static_cast<ssize_t>(b.size()))
      throw Error("[perf] cannot write the jitdump");
  }
  int file_ = -1;
  uint64_t next_ = 0;
};

// ---- gdb: an object file in memory

constexpr int kTagUnit = 0x11, kTagFunction = 0x2e, kName = 0x03, kStatements = 0x10, kLow = 0x11, kHigh = 0x12,
              kExternal = 0x3f, kString = 0x08, kAddress = 0x01, kData4 = 0x06, kFlag = 0x0c;

std::string abbreviations() {
  Bytes b;
  for (int x : {1, kTagUnit, 1, kName, kString, kLow, kAddress, kHigh, kAddress, kStatements, kData4, 0, 0})
    b.unsigned_leb(static_cast<uint64_t>(x));
  for (int x : {2, kTagFunction, 0, kName, kString, kLow, kAddress, kHigh, kAddress, kExternal, kFlag, 0, 0})
    b.unsigned_leb(static_cast<uint64_t>(x));
  b.byte(0);
  return b.get();
}

std::string unit(const Described& d) {
  Bytes b;
  b.sized([&] {
    b.fixed(uint16_t{2});
    b.fixed(uint32_t{0});
    b.byte(8);
    b.unsigned_leb(1);
    b.text(d.lines.empty() ? "jot" : d.lines[0].file);
    b.fixed(static_cast<uint64_t>(d.begin));
    b.fixed(static_cast<uint64_t>(d.begin + d.size));
    b.fixed(uint32_t{0});
    b.unsigned_leb(2);
    b.text(d.name);
    b.fixed(static_cast<uint64_t>(d.begin + d.entry));
    b.fixed(static_cast<uint64_t>(d.begin + d.size));
    b.byte(1);
    b.byte(0);
  });
  return b.get();
}

std::string line_program(const Described& d) {
  std::map<std::string_view, uint64_t> files;
  std::vector<std::string_view> names;
  for (const Described::Line& l : d.lines)
    if (files.try_emplace(l.file, names.size() + 1).second) names.push_back(l.file);
  Bytes b;
  b.sized([&] {
    b.fixed(uint16_t{2});
    b.sized([&] {
      for (int x : {1, 1, 0, 1, 10}) b.byte(x);             // of instructions, statements, lines, opcodes
      for (int x : {0, 1, 1, 1, 1, 0, 0, 0, 1}) b.byte(x);  // operands of the standard opcodes
      b.byte(0);                                            // no folders
      for (std::string_view name : names) {
        b.text(name);
        for (int i = 0; i < 3; ++i) b.byte(0);
      }
      b.byte(0);
    });
    constexpr int kCopy = 1, kAdvancePc = 2, kAdvanceLine = 3, kSetFile = 4, kEnd = 1, kSetAddress = 2;
    b.byte(0), b.unsigned_leb(9), b.byte(kSetAddress), b.fixed(static_cast<uint64_t>(d.begin));
    uint64_t at = 0;
    int64_t line = 1;
    for (const Described::Line& l : d.lines) {
      b.byte(kAdvancePc), b.unsigned_leb(l.offset - at);
      b.byte(kAdvanceLine), b.signed_leb(l.line - line);
      b.byte(kSetFile), b.unsigned_leb(files.at(l.file));
      b.byte(kCopy);
      at = l.offset;
      line = l.line;
    }
    b.byte(kAdvancePc), b.unsigned_leb(d.size - at);
    b.byte(0), b.unsigned_leb(1), b.byte(kEnd);
  });
  return b.get();
}

// How to leave each function: the routines in front, the kernel, which saves six registers, and the thunk of the cold
// paths, which keeps its frame in rbx.
std::string frames(const Described& d) {
  constexpr int kAdvance = 0x40, kOffset = 0x80, kAdvance4 = 4, kRemember = 10, kRestore = 11, kCfa = 12,
                kCfaOffset = 14;
  constexpr int kRbx = 3, kRbp = 6, kRsp = 7, kReturn = 16;
  Bytes b;
  b.sized(
      [&] {
        b.fixed(uint32_t{0});
        b.byte(1);
        b.byte(0);
        b.unsigned_leb(1), b.signed_leb(-8), b.byte(kReturn);
        b.byte(kCfa), b.unsigned_leb(kRsp), b.unsigned_leb(8);
        b.byte(kOffset | kReturn), b.unsigned_leb(1);
      },
      8);
  const auto frame = [&](size_t from, size_t to, auto fill) {
    if (from >= to) return;
    b.sized(
        [&] {
          b.fixed(static_cast<uint32_t>(b.size()));  // back to the first, at 0
          b.fixed(static_cast<uint64_t>(d.begin + from));
          b.fixed(static_cast<uint64_t>(to - from));
          fill();
        },
        8);
  };
  const auto advance = [&](size_t n) { b.byte(kAdvance4), b.fixed(static_cast<uint32_t>(n)); };
  const auto offset = [&](int n) { b.byte(kCfaOffset), b.unsigned_leb(static_cast<uint64_t>(n)); };
  frame(0, d.entry, [] {});
  frame(d.entry, d.thunk, [&] {
    constexpr int kSaved[] = {kRbx, kRbp, 12, 13, 14, 15}, kBytes[] = {1, 1, 2, 2, 2, 2};  // push takes one or two
    size_t at = d.entry;
    int depth = 8;
    for (size_t i = 0; i < 6; ++i) {
      b.byte(kAdvance | kBytes[i]);
      at += static_cast<size_t>(kBytes[i]);
      offset(depth += 8);
      b.byte(kOffset | kSaved[i]), b.unsigned_leb(static_cast<uint64_t>(depth / 8));
    }
    if (d.exit >= d.thunk) return;
    b.byte(kRemember);
    advance(d.exit - at);
    size_t pop = 3;  // vzeroupper
    for (size_t i = 6; i-- > 0;) {
      pop += static_cast<size_t>(kBytes[i]);
      b.byte(kAdvance | static_cast<int>(i == 5 ? pop : static_cast<size_t>(kBytes[i])));
      offset(depth -= 8);
    }
    at = d.exit + pop;
    if (d.cold >= d.thunk) return;
    b.byte(kRestore);
    advance(d.cold - at);
    offset(64);  // rax is on the stack
  });
  frame(d.thunk, d.size, [&] {
    b.byte(kAdvance | 1), offset(16);
    b.byte(kOffset | kRbx), b.unsigned_leb(2);
    b.byte(kAdvance | 3), b.byte(kCfa), b.unsigned_leb(kRbx), b.unsigned_leb(16);
  });
  b.fixed(uint32_t{0});
  return b.get();
}

// .text has no bytes: the code is where it is.
std::vector<std::byte> object_file(const Described& d) {
  Elf64_Ehdr h = elf::header(ET_REL);
  elf::File file;
  elf::Sections sections;
  file.add(&h, sizeof h);
  const uint16_t text = sections.add(".text", {.sh_type = SHT_NOBITS,
                                               .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
                                               .sh_addr = d.begin,
                                               .sh_offset = file.size(),
                                               .sh_size = d.size,
                                               .sh_addralign = 16});
  const auto section = [&](const char* name, uint64_t flags, const std::string& contents) {
    file.align(8);
    sections.add(name, {.sh_type = SHT_PROGBITS,
                        .sh_flags = flags,
                        .sh_offset = file.add(contents),
                        .sh_size = contents.size(),
                        .sh_addralign = 8});
  };
  section(".eh_frame", SHF_ALLOC, frames(d));
  section(".debug_info", 0, unit(d));
  section(".debug_abbrev", 0, abbreviations());
  section(".debug_line", 0, line_program(d));
  elf::Strings strings;
  const std::vector<Elf64_Sym> symbols = {{}, elf::function(strings.add(d.name), text, d.entry, d.size - d.entry)};
  const uint64_t strings_at = file.add(strings.bytes());
  const uint16_t names = sections.add(
      ".strtab",
      {.sh_type = SHT_STRTAB, .sh_offset = strings_at, .sh_size = strings.bytes().size(), .sh_addralign = 1});
  file.align(8);
  sections.add(".symtab", {.sh_type = SHT_SYMTAB,
                           .sh_offset = file.add(symbols),
                           .sh_size = symbols.size() * sizeof(Elf64_Sym),
                           .sh_link = names,
                           .sh_info = 1,
                           .sh_addralign = 8,
                           .sh_entsize = sizeof(Elf64_Sym)});
  sections.finish(file, h);
  file.put(0, &h, sizeof h);
  return file.finish();
}

constinit std::mutex telling;

void tell_gdb(const std::vector<std::byte>* file) {
  auto* entry = new jit_code_entry{__jit_debug_descriptor.first_entry, nullptr,
                                   reinterpret_cast<const char*>(file->data()), file->size()};
  if (entry->next_entry) entry->next_entry->prev_entry = entry;
  __jit_debug_descriptor.first_entry = __jit_debug_descriptor.relevant_entry = entry;
  __jit_debug_descriptor.action_flag = 1;  // JIT_REGISTER_FN
  __jit_debug_register_code();
}

}  // namespace

void tell_debuggers(const Kernel& kernel, const std::shared_ptr<const KernelCode>& code, const GraphData& g) {
  const Described d = describe(kernel, *code, g);
  ForkSafeLock lock(telling);
  static auto* kept = new std::vector<std::shared_ptr<const KernelCode>>;
  kept->push_back(code);
  if (env().gdb) tell_gdb(new std::vector<std::byte>(object_file(d)));
  if (!env().perf) return;
  static auto* dump = new Jitdump;
  dump->add(d, reinterpret_cast<const std::byte*>(d.begin));
}

}  // namespace jot::cpu
