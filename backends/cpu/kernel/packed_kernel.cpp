#include "backends/cpu/kernel/packed_kernel.h"

#include "ir/bytes.h"

namespace jot::cpu {

// Numbers of seven bits a byte, the lowest first. An instruction is its op; what of it is not usual, by bits; then
// that. Operands are distances back: most are made shortly before.
namespace {

constexpr unsigned kType = 7, kMemoryShift = 3, kMemory = 3 << kMemoryShift, kAux = 1 << 5, kImm = 1 << 6,
                   kStreams = 1 << 7;

constexpr uint64_t zigzag(int64_t x) { return static_cast<uint64_t>(x) << 1 ^ static_cast<uint64_t>(x >> 63); }
constexpr int64_t unzigzag(uint64_t x) { return static_cast<int64_t>(x >> 1 ^ (0 - (x & 1))); }

class Packer {
 public:
  explicit Packer(size_t expected) { bytes_.reserve(expected); }
  void byte(unsigned x) { bytes_.push_back(static_cast<std::byte>(x)); }
  void number(uint64_t x) {
    for (; x >= 0x80; x >>= 7) byte(static_cast<unsigned>(x & 0x7f) | 0x80);
    byte(static_cast<unsigned>(x));
  }
  std::vector<std::byte> finish() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

class Unpacker {
 public:
  explicit Unpacker(std::span<const std::byte> bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}
  unsigned byte() {
    if (at_ == end_) ByteReader::fail();
    return static_cast<unsigned>(*at_++);
  }
  uint64_t number() {
    uint64_t x = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const uint64_t low = byte();
      x |= (low & 0x7f) << shift;
      if (low < 0x80) return x;
    }
    ByteReader::fail();
  }
  // Of things of a byte at least each.
  size_t count() {
    const uint64_t n = number();
    if (n > static_cast<size_t>(end_ - at_)) ByteReader::fail();
    return n;
  }
  void done() const {
    if (at_ != end_) ByteReader::fail();
  }

 private:
  const std::byte *at_, *end_;
};

}  // namespace

std::vector<std::byte> pack(const Kernel& kernel) {
  Packer out(8 * kernel.instrs.size() + 4 * kernel.lists.size() + 32);
  out.number(static_cast<uint64_t>(kernel.lanes));
  out.number(static_cast<uint64_t>(kernel.num_args));
  out.number(kernel.instrs.size());
  for (uint32_t i = 0; i < kernel.instrs.size(); ++i) {
    const KInstr& in = kernel.instrs[i];
    const uint32_t operands[] = {in.a, in.b, in.c, in.d};
    unsigned there = 0;
    for (unsigned k = 0; k < 4; ++k) there |= unsigned{operands[k] != kNone} << k;
    out.byte(static_cast<unsigned>(in.op));
    out.byte(static_cast<unsigned>(in.type) | static_cast<unsigned>(in.memory) << kMemoryShift |
             (in.aux != 0 ? kAux : 0) | (in.imm != 0 ? kImm : 0) | (in.streams ? kStreams : 0));
    out.byte(there);
    for (uint32_t v : operands)
      if (v != kNone) out.number(i - v);
    if (in.aux != 0) out.number(in.aux);
    if (in.imm != 0) out.number(zigzag(in.imm));
  }
  out.number(kernel.lists.size());
  for (uint32_t v : kernel.lists) out.number(v);
  return out.finish();
}

Kernel unpack(std::span<const std::byte> packed) {
  Unpacker in(packed);
  Kernel kernel;
  kernel.lanes = static_cast<int>(in.number());
  kernel.num_args = static_cast<int>(in.number());
  kernel.instrs.resize(in.count());
  for (uint32_t i = 0; i < kernel.instrs.size(); ++i) {
    KInstr& out = kernel.instrs[i];
    out.op = static_cast<KOp>(in.byte());
    const unsigned bits = in.byte(), there = in.byte();
    out.type = static_cast<KType>(bits & kType);
    out.memory = static_cast<KMem>((bits & kMemory) >> kMemoryShift);
    out.streams = (bits & kStreams) != 0;
    uint32_t* const operands[] = {&out.a, &out.b, &out.c, &out.d};
    for (unsigned k = 0; k < 4; ++k)
      if (there >> k & 1) *operands[k] = i - static_cast<uint32_t>(in.number());
    if (bits & kAux) out.aux = static_cast<uint16_t>(in.number());
    if (bits & kImm) out.imm = unzigzag(in.number());
  }
  kernel.lists.resize(in.count());
  for (uint32_t& v : kernel.lists) v = static_cast<uint32_t>(in.number());
  in.done();
  return kernel;
}

}  // namespace jot::cpu
