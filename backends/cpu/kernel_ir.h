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
// Calling convention of the emitted code: void(const int64_t* args, int64_t begin, int64_t end). `args` is the argument
// table (pointers, extents, strides); [begin, end) is the share of the `range` loop that this call runs.
//
// Vector loops (`vrange`, `vloop`) advance by `lanes`. The emitter writes their body twice: once for full vectors and
// once for the remainder with a tail mask, under which `load`, `gather`, `store`, ... touch only live lanes (dead lanes
// read as zero), `set` keeps the old value in dead lanes, and `fixup` / `check` ignore dead lanes. A vector loop holds
// no other loop. Outside a vector loop vector instructions work on all lanes, and memory ones may only be `load_bcast`,
// `load_one` and `store_one` (in a kernel with one lane all memory instructions are allowed everywhere).
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace jot::cpu {

enum class KType : uint8_t { none, scalar, mask, i32, i64, f32, f64 };

constexpr int bytes_of(KType t) { return t == KType::i32 || t == KType::f32 ? 4 : t == KType::mask ? 1 : 8; }

// Operand letters: a, b, c are value indices (kNone where unused); imm, aux as said.
enum class KOp : uint8_t {
  // ---- scalar class
  arg,      // args[imm]
  iconst,   // imm
  iadd,     // a + b
  isub,     // a - b
  imul,     // a * b
  imuli,    // a * imm
  range,    // loop over [begin, end) of the call, step 1; its value is the index
  vrange,   // the same, step `lanes`, as a vector loop
  loop,     // loop over [0, a), step 1; its value is the index
  vloop,    // loop over [0, a), step `lanes`, as a vector loop
  endloop,  // closes the loop that instruction a opened

  // ---- memory. Address: a (byte pointer, scalar) + b (scalar, in elements, optional) * size + imm (bytes).
  // Size is that of `type`; masks are bytes, 0 or 1 (any non-zero byte loads as true).
  load,          // lane l reads element l behind the address
  load_bcast,    // every lane reads the element at the address (uniform)
  load_strided,  // lane l reads element l * c behind the address (c scalar)
  gather,        // lane l reads element c[l] behind the address (c vector of i32 or i64; b unused)
  load_rows,     // lane l, value j reads element l * c + j (c scalar); values 0..aux-1 are this instruction and the
                 // aux - 1 `row` instructions that follow it. A transpose in registers.
  row,           // see load_rows
  load_one,      // lane 0 reads the element at the address, other lanes are zero (kernels with one lane use this)
  store,         // lane l writes; value is operand d
  store_strided,
  scatter,     // lane l writes element c[l]; lanes are written in ascending order
  store_rows,  // values list(d): lane l writes its aux values at elements l * c + j
  store_one,   // lane 0 of d

  // ---- vector class. `type` is the type of the result.
  constant,    // imm: the bits of one element, broadcast. Never materialised where a memory operand can serve.
  lane_index,  // lane l holds l (i32, i64)
  broadcast,   // a (scalar) in every lane (i64)
  add,
  sub,
  mul,
  div,   // IEEE; wrapping on integers (no integer div)
  fma,   // a * b + c
  fnma,  // c - a * b
  fms,   // a * b - c
  min,
  max,  // as the x86 instructions: b if either is NaN or both are zero
  sqrt,
  neg,
  abs,    // sign bit only on floats
  round,  // aux: 0 nearest even, 1 floor, 2 ceil, 3 trunc
  andv,
  orv,
  xorv,
  andnot,  // bitwise on any vector type; andnot is ~a & b
  shl,
  shr,
  sar,  // integers by imm bits, 0 <= imm < width
  shlv,
  shrv,
  sarv,     // integers by b bits per lane; counts past the width give 0 (sar: the sign)
  mulu32,   // i64: product of the low 32 bits of a and b, unsigned
  convert,  // a to `type`: i32 <-> i64 (truncates), int <-> float (float to int truncates; out of range as x86), f32
            // <-> f64
  bitcast,  // a's bits as `type` of the same size
  set_exponent,  // f32, f64: 2^a for a an integer-valued i32 / i64 vector of the same width, -1022 <= a <= 1023 (f64)
  cmp,           // mask: a `aux` b, aux a KCmp
  is_nan,        // mask
  select,        // a (mask) ? b : c; of masks too
  mand,
  mor,
  mxor,
  mnot,         // masks
  mask_const,   // mask: all lanes imm (0 or 1)
  mask_to_int,  // i32, i64: 1 where a (mask) is true, else 0
  reduce,       // all lanes of a into every lane, in a fixed tree; aux a KReduce

  // ---- variables (accumulators): the only values that change
  var,  // a new variable, initially a
  set,  // variable a becomes b (a vector loop's tail keeps dead lanes)

  // ---- exits
  fixup,  // a where mask c is false, else libm function aux (a KFn) of b, lane by lane; aux of two arguments takes d
  call,   // the routine for KFn aux applied to a: emitted once per kernel, out of line
  check,  // error imm is recorded (first wins, with the index of the lane's element) where mask a is true; b: i64
          // vector reported
};

enum class KCmp : uint8_t { eq, ne, lt, le, gt, ge };                    // ordered; ne is true for NaN
enum class KReduce : uint8_t { sum, min, max };                          // min / max propagate NaN
enum class KFn : uint8_t { exp, log, sin, cos, tanh, pow, idiv, irem };  // scalar C++ functions behind `fixup`

inline constexpr uint32_t kNone = 0xffffffff;

struct KInstr {
  KOp op;
  KType type = KType::none;
  uint16_t aux = 0;
  uint32_t a = kNone, b = kNone, c = kNone, d = kNone;
  int64_t imm = 0;
  friend bool operator==(const KInstr&, const KInstr&) = default;
};
static_assert(sizeof(KInstr) == 32);

// One kernel. Equality of two kernels is equality of all members: the code cache is keyed by it.
struct Kernel {
  int lanes = 1;
  int num_args = 0;
  std::vector<KInstr> instrs;
  std::vector<uint32_t> lists;  // operands of store_rows: operand d is the offset, aux the count
  friend bool operator==(const Kernel&, const Kernel&) = default;
  uint64_t hash() const;
};

// Checks types, dominance, loop nesting and the rules above; throws InternalError. Run before emission when verifying.
void verify(const Kernel&);

// One line an instruction: `%3 = f64 fma %1, %2, %0`. For dumps and tests.
std::string to_text(const Kernel&);

// Runs a kernel in plain C++: the oracle of the emitter's tests. Slow.
void interpret(const Kernel&, const int64_t* args, int64_t begin, int64_t end);

// Appends instructions; equal pure instructions in the same loop body, or an enclosing one, are shared (hash-consing),
// and constants fold only where IEEE arithmetic keeps the result bit for bit.
class KernelBuilder;

}  // namespace jot::cpu
