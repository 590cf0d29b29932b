// Kernel IR: what clustering produces and the emitter turns into machine code.
//
// A kernel is one flat list of instructions: straight-line SSA with properly nested loops. The value of an
// instruction is named by the instruction's index. There are three register classes:
//
//   scalar   64-bit integers and byte pointers, one per kernel call (general purpose registers)
//   vector   `lanes` elements of one dtype (zmm / ymm / xmm, never two registers)
//   mask     `lanes` booleans (k register on AVX-512, a full-width vector on AVX2)
//
// Lanes are fixed for a kernel: vector bytes / widest dtype in it, or 1 for a scalar program.
//
// Calling convention: void(const int64_t* args, int64_t begin, int64_t end, std::byte* spill). `args` is the argument
// table (pointers, extents, strides), args[0] always the call's KernelError; [begin, end) is the share of the `range`
// loop that this call runs. That loop is outermost and there is at most one.
//
// Vector loops (`vrange`, `vloop`) advance by `lanes`, or by a few times as many (`gloop`, whose body takes vectors at
// the index, behind it, ...; it has no remainder). The emitter writes the body of the others twice: once for full
// vectors and once for the remainder with a tail mask, under which `load`, `gather`, `store`, ... touch only live lanes
// (dead lanes read as zero), `set` keeps the old value in dead lanes, and `fixup` / `check` ignore dead lanes. A vector
// loop holds no other vector loop and no `reduce`; loops in it run for all its lanes together. Outside a vector loop
// vector instructions work on all lanes, and memory ones may only be `load`, `store`, `load_bcast`, `load_one` and
// `store_one` (in a kernel with one lane all memory instructions are allowed everywhere).
//
// An operand that names a `var` reads what the variable holds when the instruction runs.
#pragma once
#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ir/op.h"

namespace jot::cpu {

enum class KType : uint8_t { none, scalar, mask, i32, i64, f32, f64 };

constexpr int bytes_of(KType t) { return t == KType::i32 || t == KType::f32 ? 4 : t == KType::mask ? 1 : 8; }
constexpr bool is_float(KType t) { return t == KType::f32 || t == KType::f64; }

// Operand letters: a, b, c, d are value indices (kNone where unused); imm and aux as said in the table.
enum class KOp : uint8_t {
#define KOP(name, type, operands, kind) name,
#include "backends/cpu/kernel/kernel_ops.def"
#undef KOP
};

enum class KCmp : uint8_t { eq, ne, lt, le, gt, ge };  // ordered; ne is true for NaN
// What `reduce` combines lanes with: add, mul, min or max, the latter as the IR's (a NaN if any is).
constexpr bool reduces(KOp op) { return op == KOp::add || op == KOp::mul || op == KOp::min || op == KOp::max; }
// Scalar functions behind `fixup` and `call`: those of the IR's ops (kernel/math.h).
enum class KFn : uint16_t {};
constexpr KFn function(ir::Op op) { return static_cast<KFn>(op); }

// What an element of a memory instruction is in memory, apart from the type that is computed with: as that type is, an
// unsigned byte or word (i32: loads extend by zeros, stores drop the upper bits), or an f16 (f32: loads widen, stores
// round to nearest even).
enum class KMem : uint8_t { own, byte, word, half };

inline constexpr uint32_t kNone = 0xffffffff;

struct KInstr {
  KOp op;
  KType type = KType::none;
  uint16_t aux = 0;
  uint32_t a = kNone, b = kNone, c = kNone, d = kNone;
  KMem memory = KMem::own;
  bool streams = false;      // store, copy: past the caches, where the address is a multiple of a vector
  uint8_t reserved[2] = {};  // no gap: instructions are stored as they lie
  int64_t imm = 0;
  friend bool operator==(const KInstr&, const KInstr&) = default;
};
static_assert(sizeof(KInstr) == 32);

// Repairs the lanes of a function's cold range, or records what a check found. `site` is data behind the code.
void run_cold(void* saved_registers, const void* site) noexcept;

constexpr int bytes_in_memory(const KInstr& in) {
  return in.memory == KMem::own ? bytes_of(in.type) : in.memory == KMem::byte ? 1 : 2;
}

// What a `check` found. Lies behind args[0] and is zero when a kernel starts. Code holds no address: it finds here the
// one function that it calls.
struct KernelError {
  void (*cold)(void* saved_registers, const void* site) noexcept = run_cold;
  std::atomic<int64_t> code{0};
  int64_t index = 0, value = 0;
  // Of all that are recorded the least element stays, and of it the least code: whichever thread or lane comes first.
  void record(int64_t error, int64_t at, int64_t offending) noexcept;
};

constexpr bool is_loop(KOp op) { return op >= KOp::range && op <= KOp::wloop; }
constexpr bool is_vector_loop(KOp op) { return op == KOp::vrange || op == KOp::vloop || op == KOp::gloop; }

// One kernel. Kernels are equal where they do the same: the code cache is keyed by it.
struct Kernel {
  int lanes = 1;
  int num_args = 0;
  std::vector<KInstr> instrs;
  std::vector<uint32_t> lists;  // operands of store_rows: operand d is the offset, aux the count
  // Of each instruction the node that it was made for, kNone for none; empty unless they were asked for.
  std::vector<uint32_t> origins;
  // And of instructions that serve equal ones of other nodes: instruction, node.
  std::vector<std::pair<uint32_t, uint32_t>> further_origins;
  friend bool operator==(const Kernel& a, const Kernel& b) {
    return a.lanes == b.lanes && a.num_args == b.num_args && a.instrs == b.instrs && a.lists == b.lists;
  }
  uint64_t hash() const;
  int64_t step(const KInstr& loop) const {  // from turn to turn
    return is_vector_loop(loop.op) ? lanes * (loop.op == KOp::gloop ? loop.imm : 1) : 1;
  }
};

// A line of the table.
enum class KKind : uint8_t { pure, load, value, effect, loop };
struct KOpInfo {
  std::string_view name;
  char type;
  std::string_view operands;
  KKind kind;
};
const KOpInfo& info(KOp op);
inline bool has_value(KOp op) { return info(op).kind != KKind::effect; }

std::string_view name(KFn fn);
std::string_view name(KType type);
std::string_view name(KMem memory);  // empty: own

// Calls fn(value index) for every value that an instruction reads.
template <class Fn>
void for_each_operand(const Kernel& kernel, const KInstr& in, Fn fn) {
  if (in.op == KOp::endloop) return;
  if (in.a != kNone) fn(in.a);
  if (in.b != kNone) fn(in.b);
  if (in.c != kNone) fn(in.c);
  if (in.op == KOp::store_rows)
    for (uint32_t i = 0; i < in.aux; ++i) fn(kernel.lists[in.d + i]);
  else if (in.d != kNone)
    fn(in.d);
}

// Checks types, dominance, loop nesting and the rules above; throws InternalError. Run before emission when verifying.
void verify(const Kernel& kernel);

// One line an instruction: `%3 = f64 fma %1, %2, %0`. For dumps and tests.
std::string to_text(const Kernel& kernel);

// Runs a kernel in plain C++: the oracle of the emitter's tests. Slow.
void interpret(const Kernel& kernel, const int64_t* args, int64_t begin, int64_t end);

// One lane of a pure vector instruction, on the bits of its operands' lanes (masks: 0 or 1); `from` is the type of
// operand a. The meaning of every such op.
uint64_t evaluate(const KInstr& in, KType from, uint64_t a, uint64_t b, uint64_t c);

}  // namespace jot::cpu
