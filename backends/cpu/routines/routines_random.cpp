// Philox draws.
#include <algorithm>
#include <bit>

#include "backends/cpu/kernel/kernel_builder.h"
#include "backends/cpu/routines/routine_parts.h"
#include "backends/cpu/runtime/pool.h"
#include "ir/ops/philox.h"

namespace jot::cpu {
namespace {

// Whole blocks of philox4x32-10 (ir/ops/philox.h), a block in a lane of i64. Arguments: where the first block goes, its
// number, how many; the low and high words of the seed and of the stream. Bits above the low 32 of a word are rubbish
// until the end.
Kernel blocks_kernel(int lanes) {
  KernelBuilder b(lanes);
  constexpr KType t = KType::i64;
  auto word = [&](uint64_t x) { return b.constant(t, x); };
  uint32_t out = b.arg(1), count = b.arg(3), first = b.broadcast(t, b.arg(2));
  uint32_t seed[2] = {b.broadcast(t, b.arg(4)), b.broadcast(t, b.arg(5))};
  uint32_t stream[2] = {b.broadcast(t, b.arg(6)), b.broadcast(t, b.arg(7))};
  uint32_t keys[10][2];
  for (uint64_t round = 0; round < 10; ++round) {
    keys[round][0] = b.add(seed[0], word(round * 0x9e3779b9));
    keys[round][1] = b.add(seed[1], word(round * 0xbb67ae85));
  }
  uint32_t i = b.vloop(count);
  uint32_t block = b.add(first, b.add(b.broadcast(t, i), b.lane_index(t)));
  uint32_t c[4] = {block, b.shr(block, 32), stream[0], stream[1]};
  for (auto& key : keys) {
    uint32_t p = b.mulu32(c[0], word(0xd2511f53)), q = b.mulu32(c[2], word(0xcd9e8d57));
    uint32_t next[4] = {b.bit_xor(b.bit_xor(b.shr(q, 32), c[1]), key[0]), q,
                        b.bit_xor(b.bit_xor(b.shr(p, 32), c[3]), key[1]), p};
    std::copy_n(next, 4, c);
  }
  uint32_t low = word(0xffffffff);
  uint32_t pair[2] = {b.bit_or(b.bit_and(c[0], low), b.shl(c[1], 32)), b.bit_or(b.bit_and(c[2], low), b.shl(c[3], 32))};
  b.store_rows(pair, out, b.imuli(i, 2), b.iconst(2));
  b.endloop();
  return std::move(b).finish();
}

// A draw for each element; operands may be stacks of keys and offsets, one for each lane of the result.
template <class T>
class RandomBits final : public Routine {
 public:
  int64_t lanes = 1, draws = 0;  // draws: of a lane
  InnerKernel blocks{blocks_kernel(InnerKernel::lanes(8))};

  void run(std::span<const void* const> operands, void* out, std::byte*, KernelError&) const override {
    auto key = static_cast<const int64_t*>(operands[0]), offset = static_cast<const int64_t*>(operands[1]);
    const int64_t count = lanes * draws, chunks = chunks_for(count, 1), piece = (count + chunks - 1) / chunks;
    auto body = [&](int64_t c, int) {
      const int64_t end = std::min((c + 1) * piece, count);
      for (int64_t i = c * piece; i < end;) {
        const int64_t lane = i / draws, at = i % draws, n = std::min(end - i, draws - at);
        draw(key + 2 * lane, static_cast<uint64_t>(offset[lane]) + static_cast<uint64_t>(at), n,
             static_cast<T*>(out) + i);
        i += n;
      }
    };
    parallel_for(chunks, body);
  }

 private:
  static constexpr int kWidth = 8 * sizeof(T);
  static constexpr uint64_t kPerBlock = 16 / sizeof(T);

  // Draws position .. position + n - 1, modulo 2^64: whole blocks by the kernel, the ends one by one.
  void draw(const int64_t* key, uint64_t position, int64_t n, T* out) const {
    if (const uint64_t before_zero = -position; before_zero != 0 && static_cast<uint64_t>(n) > before_zero) {
      const auto first = static_cast<int64_t>(before_zero);
      draw(key, position, first, out);
      return draw(key, 0, n - first, out + first);
    }
    const auto seed = static_cast<uint64_t>(key[0]), stream = static_cast<uint64_t>(key[1]);
    auto single = [&](int64_t count) {
      for (; count > 0; --count, --n) *out++ = static_cast<T>(ir::random_draw(seed, stream, position++, kWidth));
    };
    single(std::min(n, static_cast<int64_t>((kPerBlock - position % kPerBlock) % kPerBlock)));
    if (const auto whole = n / static_cast<int64_t>(kPerBlock); whole > 0) {
      const uint64_t block = position / kPerBlock | (kWidth == 64 ? uint64_t{1} << 63 : 0);
      auto low = [](uint64_t x) { return static_cast<int64_t>(x & 0xffffffff); };
      auto high = [](uint64_t x) { return static_cast<int64_t>(x >> 32); };
      const int64_t args[] = {0,           address(out), std::bit_cast<int64_t>(block), whole, low(seed), high(seed),
                              low(stream), high(stream)};
      blocks(args);
      const int64_t done = whole * static_cast<int64_t>(kPerBlock);
      out += done, n -= done, position += static_cast<uint64_t>(done);
    }
    single(n);
  }
};

// A key for each number.
class FoldIn final : public Routine {
 public:
  int64_t keys = 1;

  void run(std::span<const void* const> operands, void* out, std::byte*, KernelError&) const override {
    auto key = static_cast<const uint64_t*>(operands[0]), number = static_cast<const uint64_t*>(operands[1]);
    auto to = static_cast<uint64_t*>(out);
    for (int64_t k = 0; k < keys; ++k)
      std::ranges::copy(ir::folded_key(key[2 * k], key[2 * k + 1], number[k]), to + 2 * k);
  }
};

}  // namespace

std::unique_ptr<const Routine> make_random_bits(const RoutineContext& c) {
  const ir::GraphData& g = c.g;
  const ir::Value v = c.v;
  auto made = [&](auto r) -> std::unique_ptr<const Routine> {
    r->lanes = g.shape(g.operand(v, 1)).numel();
    r->draws = r->lanes ? g.shape(v).numel() / r->lanes : 0;
    return r;
  };
  if (g.attrs(v).integer(ir::Key::width) == 32) return made(std::make_unique<RandomBits<int32_t>>());
  return made(std::make_unique<RandomBits<int64_t>>());
}

std::unique_ptr<const Routine> make_fold_in(const RoutineContext& c) {
  const ir::GraphData& g = c.g;
  const ir::Value v = c.v;
  auto r = std::make_unique<FoldIn>();
  r->keys = g.shape(g.operand(v, 1)).numel();
  return r;
}

}  // namespace jot::cpu
