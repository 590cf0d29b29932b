// Every entry of isa.def, encoded with registers 0, 15, 16 and 31, against what objdump reads.
#include <doctest/doctest.h>
#include <unistd.h>

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "backends/cpu/emit/assembler.h"
#include "jot/error.h"

namespace {

using namespace jot;
using namespace jot::cpu;

struct Case {
  std::string expected;  // normalised
  size_t offset;
};

// Lower case, no spaces, no "xxx ptr", hexadecimal immediates as objdump writes them.
std::string normalise(std::string s) {
  if (size_t hash = s.find('#'); hash != std::string::npos) s.resize(hash);
  for (const char* size : {"BYTE", "QWORD", "DWORD", "WORD", "XMMWORD", "YMMWORD", "ZMMWORD"})
    for (auto [word, mark] : {std::pair(" PTR ", ""), std::pair(" BCST ", "bcst")}) {
      std::string key = std::string(size) + word;
      for (size_t at; (at = s.find(key)) != std::string::npos;) s.replace(at, key.size(), mark);
    }
  for (const char* key : {"XMM", "YMM", "ZMM"})
    for (size_t at; (at = s.find(key)) != std::string::npos;) s.erase(at, 3);
  std::erase_if(s, [](char c) { return std::isspace(static_cast<unsigned char>(c)); });
  return s;
}

constexpr const char* kGpr64[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                  "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
constexpr const char* kGpr32[] = {"eax", "ecx", "edx",  "ebx",  "esp",  "ebp",  "esi",  "edi",
                                  "r8d", "r9d", "r10d", "r11d", "r12d", "r13d", "r14d", "r15d"};

std::string vector_name(int bytes, int id) {
  return (bytes > 32 ? "zmm" : bytes > 16 ? "ymm" : "xmm") + std::to_string(id);
}

class Encoder {
 public:
  Encoder(Assembler& out, Target target) : out_(out), target_(target) {}

  std::vector<Case> cases;
  std::set<std::string> refused;

  void all() {
    for (int i = 0; i < isa_count(); ++i) {
      auto op = static_cast<Isa>(i);
      const IsaInfo& in = info(op);
      if (in.forms == (target_ == Target::avx512 ? IsaForms::V : IsaForms::E)) {
        refused.insert(std::string(in.name));
        CHECK_THROWS_AS(out_.emit(op), InternalError);
        continue;
      }
      for (char w : in.widths) {
        if (w == 'z' && target_ != Target::avx512) continue;
        entry(op, w == 'z' ? 64 : w == 'y' ? 32 : 16);
      }
    }
  }

 private:
  void entry(Isa op, int width) {
    std::string_view rest = info(op).operands;
    while (true) {
      size_t bar = rest.find('|');
      std::string_view pattern = rest.substr(0, bar);
      const bool vectors = pattern.find_first_of("vhxyzVHXYZ") != std::string_view::npos;
      const int ids = !vectors ? 2 : target_ == Target::avx512 ? 4 : 2;
      for (int shift = 0; shift < ids; ++shift)
        for (int use_memory = 0; use_memory < 2; ++use_memory)
          for (int broadcast = 0; broadcast < 2; ++broadcast) {
            const bool can = pattern.find_first_of("VHXYZRE") != std::string_view::npos;
            if (use_memory && !can) continue;
            if (broadcast && !(use_memory && info(op).element && target_ == Target::avx512)) continue;
            one(op, width, pattern, shift, use_memory, broadcast);
          }
      if (bar == std::string_view::npos) return;
      rest = rest.substr(bar + 1);
    }
  }

  void one(Isa op, int width, std::string_view pattern, int shift, bool use_memory, bool broadcast) {
    constexpr int vector_ids[] = {0, 15, 16, 31};
    std::vector<asmjit::Operand> operands;
    std::string text;
    auto add = [&](const asmjit::Operand& operand, const std::string& name) {
      operands.push_back(operand);
      text += (text.empty() ? "" : ",") + name;
    };
    int index = shift;
    auto vector = [&](int bytes) {
      int id = target_ == Target::avx512 ? vector_ids[index % 4] : vector_ids[index % 2];
      ++index;
      add(vector_register(id, bytes), vector_name(bytes, id));
    };
    const int n = width / std::max<int>(info(op).element, 1);
    auto memory = [&](uint32_t size) {
      x86::Mem m = x86::ptr(x86::r15, x86::r12, 3, 0x40);
      std::string name = "[r15+r12*8+0x40]";
      if (broadcast) {
        m.setBroadcast(n == 2   ? x86::Mem::Broadcast::k1To2
                       : n == 4 ? x86::Mem::Broadcast::k1To4
                       : n == 8 ? x86::Mem::Broadcast::k1To8
                                : x86::Mem::Broadcast::k1To16);
        name.insert(0, "bcst");
      } else {
        m.setSize(size);
      }
      add(m, name);
    };
    auto gathered = [&](int bytes) {
      int id = target_ == Target::avx512 ? vector_ids[(index + 2) % 4] : 7;
      add(x86::ptr(x86::rax, vector_register(id, bytes), 3, 0x40), "[rax+" + vector_name(bytes, id) + "*8+0x40]");
    };
    auto general = [&](const char* const* names, bool wide) {
      int id = index++ % 2 ? 13 : 0;
      add(wide ? asmjit::Operand(x86::gpq(static_cast<uint32_t>(id))) : x86::gpd(static_cast<uint32_t>(id)), names[id]);
    };
    const bool gather = pattern.find_first_of("gd") != std::string_view::npos;
    const bool bytes = pattern.find('b') != std::string_view::npos;
    for (char letter : pattern) {
      const bool memory_here = use_memory && std::isupper(static_cast<unsigned char>(letter)) && letter != 'I';
      const int half = std::max(width / 2, 16);
      switch (letter) {
        case 'v':
        case 'V':
          memory_here ? memory(0) : gather && !operands.empty() ? gather_mask(add, width) : vector(width);
          break;
        case 'h':
        case 'H':
          memory_here ? memory(0) : gather && !operands.empty() ? gather_mask(add, half) : vector(half);
          break;
        case 'x':
        case 'X':
          memory_here ? memory(0) : vector(16);
          break;
        case 'y':
        case 'Y':
          memory_here ? memory(0) : vector(32);
          break;
        case 'z':
        case 'Z':
          memory_here ? memory(0) : vector(64);
          break;
        case 'r':
        case 'R':
          memory_here ? memory(8) : general(kGpr64, true);
          break;
        case 'e':
        case 'E':
          memory_here ? memory(4) : general(kGpr32, false);
          break;
        case 'b':
          add(x86::gpb_lo(1), "cl");
          break;
        case 'k': {
          auto id = static_cast<uint32_t>(1 + index++ % 7);
          add(x86::k(id), "k" + std::to_string(id));
          break;
        }
        case 'm':
          memory(bytes || info(op).name == "movzx" ? 1
                 : info(op).widths == "-" && pattern.find('x') == pattern.npos && pattern.find('e') == pattern.npos &&
                         pattern.find('k') == pattern.npos
                     ? 8
                     : 0);
          break;
        case 'g':
          gathered(width);
          break;
        case 'd':
          gathered(std::max(width / 2, 16));
          break;
        case 'i':
          add(asmjit::imm(0x1), op == Isa::shr ? "1" : "0x1");  // a shift by 1 is a form of its own
          break;
        case 'I':
          add(asmjit::imm(0x12345), "0x12345");
          break;
        case 'L': {
          asmjit::Label l = out_.label();
          out_.bind(l);
          add(l, "label");
          break;
        }
        default:
          FAIL("unknown operand letter " << letter);
      }
    }
    std::string name(info(op).name);
    if (name.find("cmp") != std::string::npos && pattern.find('i') != std::string_view::npos) {
      name.insert(name.find("cmp") + 3, "lt");  // predicate 1, which objdump writes into the name
      text.resize(text.rfind(','));
    }
    bool masked = info(op).forms == IsaForms::E && gather;
    if (masked || (name.starts_with("vblendm"))) {
      out_.masked(x86::k3, false);
      text.insert(std::min(text.find(','), text.size()), "{k3}");
    }
    cases.push_back({normalise(name + text), out_.size()});
    switch (operands.size()) {
      case 0:
        return out_.emit(op);
      case 1:
        return out_.emit(op, operands[0]);
      case 2:
        return out_.emit(op, operands[0], operands[1]);
      case 3:
        return out_.emit(op, operands[0], operands[1], operands[2]);
      default:
        return out_.emit(op, operands[0], operands[1], operands[2], operands[3]);
    }
  }

  template <class Add>
  void gather_mask(Add add, int bytes) {
    add(vector_register(11, bytes), vector_name(bytes, 11));
  }

  Assembler& out_;
  Target target_;
};

std::vector<std::string> disassemble(std::span<const std::byte> code) {
  char path[] = "/tmp/jot-isa-XXXXXX";
  int file = mkstemp(path);
  REQUIRE(file >= 0);
  REQUIRE(write(file, code.data(), code.size()) == static_cast<ssize_t>(code.size()));
  close(file);
  std::string command =
      std::string("objdump -D -w -b binary -m i386:x86-64 -M intel --no-show-raw-insn ") + path + " 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::vector<std::string> lines(code.size());
  char buffer[512];
  while (std::fgets(buffer, sizeof buffer, pipe)) {
    char* end = nullptr;
    size_t offset = std::strtoul(buffer, &end, 16);
    if (end && *end == ':' && offset < lines.size()) lines[offset] = end + 1;
  }
  CHECK(pclose(pipe) == 0);
  unlink(path);
  return lines;
}

void check_target(Target target) {
  Assembler out(target, false, true);
  Encoder encoder(out, target);
  encoder.all();
  CHECK(encoder.cases.size() > 700);
  auto code = out.finish();
  auto lines = disassemble(code);
  int wrong = 0;
  for (const Case& c : encoder.cases) {
    std::string got = normalise(lines[c.offset]);
    std::string expected = c.expected;
    if (size_t label = expected.find("label"); label != std::string::npos) {
      expected.resize(label);
      got.resize(std::min(got.size(), label));
    }
    if (got != expected && ++wrong < 20) CHECK_MESSAGE(got == expected, lines[c.offset]);
  }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("isa: avx512 encodings are what objdump reads") { check_target(Target::avx512); }
TEST_CASE("isa: avx2 encodings are what objdump reads") { check_target(Target::avx2); }

TEST_CASE("isa: what the target lacks is refused") {
  Assembler avx2(Target::avx2);
  CHECK_THROWS_WITH_AS(avx2.emit(Isa::vaddpd, x86::ymm16, x86::ymm0, x86::ymm0), doctest::Contains("register above 15"),
                       InternalError);
  CHECK_THROWS_WITH_AS(avx2.emit(Isa::vpmullq, x86::ymm1, x86::ymm0, x86::ymm0), doctest::Contains("the target lacks"),
                       InternalError);
  Assembler avx512(Target::avx512, false, true);
  CHECK_THROWS_WITH_AS(avx512.emit(Isa::vmaskmovps, x86::ymm17, x86::ymm0, x86::ptr(x86::rax)),
                       doctest::Contains("the target lacks"), InternalError);
  CHECK_THROWS_AS(avx512.emit(Isa::vaddpd, x86::ymm1, x86::rax, x86::ymm0), InternalError);  // asmjit itself
}
