// Deflated data: Deutsch, "DEFLATE compressed data format specification", RFC 1951.
#include <array>

#include "core/io/file.h"

namespace jot::detail {

namespace {

constexpr int kMaxBits = 15;

// Bits of a stream, the least significant first. Past the end they are 0; `overrun` tells.
class Bits {
 public:
  explicit Bits(const std::string& bytes) : bytes_(bytes) {}
  uint32_t peek(int n) {
    while (count_ < n) {
      const uint64_t next = at_ < bytes_.size() ? static_cast<unsigned char>(bytes_[at_]) : 0;
      ++at_;
      held_ |= next << count_;
      count_ += 8;
    }
    return static_cast<uint32_t>(held_ & ((uint64_t{1} << n) - 1));
  }
  void skip(int n) {
    held_ >>= n;
    count_ -= n;
  }
  uint32_t take(int n) {
    const uint32_t value = peek(n);
    skip(n);
    return value;
  }
  void to_byte() { skip(count_ % 8); }
  // More was taken than there is.
  bool overrun() const { return at_ - static_cast<size_t>(count_ / 8) > bytes_.size(); }
  bool at_end() const { return at_ - static_cast<size_t>(count_ / 8) == bytes_.size(); }

 private:
  const std::string& bytes_;
  size_t at_ = 0;
  uint64_t held_ = 0;
  int count_ = 0;
};

// A canonical Huffman code: for each 15 bits of input the symbol that they begin with, and its length; 0: none.
class Code {
 public:
  // False where the lengths are no code: over-subscribed, or incomplete (but for one symbol alone, or none).
  bool make(const uint8_t* lengths, size_t n) {
    std::array<int, kMaxBits + 1> count{}, next{};
    for (size_t i = 0; i < n; ++i) ++count[lengths[i]];
    const int used = static_cast<int>(n) - count[0];
    count[0] = 0;
    int left = 1;
    for (int bits = 1; bits <= kMaxBits; ++bits) {
      left = 2 * left - count[static_cast<size_t>(bits)];
      if (left < 0) return false;
      next[static_cast<size_t>(bits)] =
          2 * (next[static_cast<size_t>(bits) - 1] + count[static_cast<size_t>(bits) - 1]);
    }
    if (left > 0 && used > 1) return false;
    table_.assign(size_t{1} << kMaxBits, {0, 0});
    for (size_t i = 0; i < n; ++i) {
      const int bits = lengths[i];
      if (bits == 0) continue;
      uint32_t code = static_cast<uint32_t>(next[static_cast<size_t>(bits)]++), reversed = 0;
      for (int b = 0; b < bits; ++b, code >>= 1) reversed = reversed << 1 | (code & 1);
      for (size_t entry = reversed; entry < table_.size(); entry += size_t{1} << bits)
        table_[entry] = {static_cast<uint16_t>(i), static_cast<uint8_t>(bits)};
    }
    return true;
  }
  // The next symbol; -1 where there is none.
  int decode(Bits& in) const {
    const Entry e = table_[in.peek(kMaxBits)];
    if (e.bits == 0) return -1;
    in.skip(e.bits);
    return e.symbol;
  }

 private:
  struct Entry {
    uint16_t symbol;
    uint8_t bits;
  };
  std::vector<Entry> table_;
};

// What lengths and distances begin at, and how many more bits they have.
constexpr int kLengthBase[] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                               31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
constexpr int kLengthBits[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
constexpr int kDistanceBase[] = {1,    2,    3,    4,    5,    7,    9,    13,    17,    25,
                                 33,   49,   65,   97,   129,  193,  257,  385,   513,   769,
                                 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
constexpr int kDistanceBits[] = {0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
                                 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};

class Inflater {
 public:
  Inflater(const FileContext& context, const std::string& deflated, uint64_t size)
      : context_(context), in_(deflated), size_(size) {}

  std::vector<unsigned char> run() {
    for (bool last = false; !last;) {
      last = in_.take(1);
      switch (in_.take(2)) {
        case 0:
          stored();
          break;
        case 1:
          fixed();
          break;
        case 2:
          dynamic();
          break;
        default:
          damaged();
      }
    }
    in_.to_byte();
    if (in_.overrun() || !in_.at_end() || out_.size() != size_) damaged();
    return std::move(out_);
  }

 private:
  [[noreturn]] void damaged() const {
    context_.fail("its compressed bytes are damaged: expected a deflated stream of " + std::to_string(size_) +
                  " bytes, which it is up to byte " + std::to_string(out_.size()));
  }
  void put(unsigned char byte) {
    if (out_.size() == size_) damaged();
    out_.push_back(byte);
  }
  void stored() {
    in_.to_byte();
    const uint32_t length = in_.take(16), complement = in_.take(16);
    if (length != (~complement & 0xffff)) damaged();
    for (uint32_t i = 0; i < length; ++i) {
      put(static_cast<unsigned char>(in_.take(8)));
      if (in_.overrun()) damaged();
    }
  }
  void fixed() {
    std::array<uint8_t, 288> literals;
    for (size_t i = 0; i < literals.size(); ++i) literals[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    std::array<uint8_t, 32> distances;
    distances.fill(5);
    literals_.make(literals.data(), literals.size());
    distances_.make(distances.data(), distances.size());
    codes();
  }
  void dynamic() {
    constexpr uint8_t order[] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    const size_t num_literals = in_.take(5) + 257, num_distances = in_.take(5) + 1, num_lengths = in_.take(4) + 4;
    if (num_literals > 286 || num_distances > 30) damaged();
    std::array<uint8_t, 320> lengths{};
    for (size_t i = 0; i < num_lengths; ++i) lengths[order[i]] = static_cast<uint8_t>(in_.take(3));
    if (!literals_.make(lengths.data(), 19)) damaged();
    lengths.fill(0);
    for (size_t i = 0; i < num_literals + num_distances;) {
      const int symbol = literals_.decode(in_);
      if (symbol < 0 || in_.overrun()) damaged();
      if (symbol < 16) {
        lengths[i++] = static_cast<uint8_t>(symbol);
        continue;
      }
      if (symbol == 16 && i == 0) damaged();
      const uint8_t value = symbol == 16 ? lengths[i - 1] : 0;
      size_t times = symbol == 16 ? 3 + in_.take(2) : symbol == 17 ? 3 + in_.take(3) : 11 + in_.take(7);
      if (i + times > num_literals + num_distances) damaged();
      while (times-- > 0) lengths[i++] = value;
    }
    if (lengths[256] == 0) damaged();  // no end of the block
    if (!literals_.make(lengths.data(), num_literals) || !distances_.make(lengths.data() + num_literals, num_distances))
      damaged();
    codes();
  }
  // Literals and copies up to the end of the block.
  void codes() {
    for (;;) {
      const int symbol = literals_.decode(in_);
      if (symbol < 0 || in_.overrun()) damaged();
      if (symbol == 256) return;
      if (symbol < 256) {
        put(static_cast<unsigned char>(symbol));
        continue;
      }
      if (symbol > 285) damaged();
      const auto l = static_cast<size_t>(symbol - 257);
      size_t length = static_cast<size_t>(kLengthBase[l]) + in_.take(kLengthBits[l]);
      const int code = distances_.decode(in_);
      if (code < 0 || code > 29) damaged();
      const auto d = static_cast<size_t>(code);
      const size_t distance = static_cast<size_t>(kDistanceBase[d]) + in_.take(kDistanceBits[d]);
      if (distance > out_.size()) damaged();
      while (length-- > 0) put(out_[out_.size() - distance]);
    }
  }
  const FileContext& context_;
  Bits in_;
  uint64_t size_;
  std::vector<unsigned char> out_;  // grows with what there is
  Code literals_, distances_;
};

}  // namespace

std::vector<unsigned char> inflated(const FileContext& context, const Source& deflated, uint64_t size) {
  const std::string bytes = deflated.text(0, deflated.size());
  return Inflater(context, bytes, size).run();
}

}  // namespace jot::detail
