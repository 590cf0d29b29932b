// Builds kernels. Equal pure instructions in the same loop body, or an enclosing one, are shared (hash-consing); what
// is known folds where IEEE arithmetic keeps the result bit for bit (NaN payloads aside).
#pragma once
#include <bit>
#include <initializer_list>

#include "backends/cpu/kernel/kernel_ir.h"

namespace jot::cpu {

// The type of a value that is loaded, and what it is in memory.
struct KElement {
  KType type;
  KMem memory = KMem::own;
  KElement(KType t, KMem m = KMem::own) : type(t), memory(m) {}  // NOLINT: implicit by design
};

class KernelBuilder {
 public:
  using Value = uint32_t;

  // With `out_of_line_math` (scalar programs: one lane) a transcendental function is a call of a routine.
  explicit KernelBuilder(int lanes, bool out_of_line_math = false);

  int lanes() const { return kernel_.lanes; }
  bool out_of_line_math() const { return out_of_line_math_; }
  // From now on what a function's fixup would repair is computed with all lanes (f64).
  void repair_within() { repairs_within_ = true; }
  bool repairs_within() const { return repairs_within_; }
  KType type(Value v) const { return kernel_.instrs[v].type; }
  const KInstr& instr(Value v) const { return kernel_.instrs[v]; }
  size_t size() const { return kernel_.instrs.size(); }
  void reserve(size_t instrs) {  // about so many will come
    kernel_.instrs.reserve(instrs);
    scope_of_.reserve(instrs);
  }
  Kernel finish() &&;  // every loop closed

  // What the instructions from here on are made for, if the kernel is to tell.
  void keep_origins() { keeps_origins_ = true; }
  void origin(uint32_t node) { origin_ = node; }

  // ---- scalars. args[0] is the KernelError; arguments of the caller's begin at 1.
  Value arg(int64_t i);
  Value iconst(int64_t value) { return append({.op = KOp::iconst, .type = KType::scalar, .imm = value}); }
  Value iadd(Value a, Value b);
  Value isub(Value a, Value b);
  Value imul(Value a, Value b);
  Value imuli(Value a, int64_t factor);
  Value imin(Value a, Value b);

  // ---- loops: the value is the index.
  Value range() { return open({.op = KOp::range, .type = KType::scalar}); }
  Value vrange() { return open({.op = KOp::vrange, .type = KType::scalar}); }
  Value loop(Value count) { return open({.op = KOp::loop, .type = KType::scalar, .a = count}); }
  Value vloop(Value count) { return open({.op = KOp::vloop, .type = KType::scalar, .a = count}); }
  Value gloop(Value count, int64_t vectors) {
    return open({.op = KOp::gloop, .type = KType::scalar, .a = count, .imm = vectors});
  }
  Value wloop(Value count, Value variable) {
    return open({.op = KOp::wloop, .type = KType::scalar, .a = count, .b = variable});
  }
  void endloop();  // the innermost

  // ---- memory: pointer + index (elements; kNone: 0) * size + bytes. Loads are shared, so memory that the kernel both
  // reads and writes is declared before its first load. Memory is known by the argument that its pointer starts from.
  void read_write(Value pointer);
  Value load(KElement t, Value pointer, Value index = kNone, int64_t bytes = 0);
  Value load_bcast(KElement t, Value pointer, Value index = kNone, int64_t bytes = 0);
  Value load_one(KElement t, Value pointer, Value index = kNone, int64_t bytes = 0);
  Value load_strided(KElement t, Value pointer, Value index, Value stride, int64_t bytes = 0);
  Value gather(KElement t, Value pointer, Value elements, int64_t bytes = 0);
  // `count` values; the first is returned, the others follow it.
  Value load_rows(KType t, uint16_t count, Value pointer, Value index, Value stride, int64_t bytes = 0);
  void store(Value x, Value pointer, Value index = kNone, int64_t bytes = 0, KMem memory = KMem::own,
             bool streams = false);
  void store_one(Value x, Value pointer, Value index = kNone, int64_t bytes = 0, KMem memory = KMem::own);
  void store_strided(Value x, Value pointer, Value index, Value stride, int64_t bytes = 0, KMem memory = KMem::own);
  void scatter(Value x, Value pointer, Value elements, int64_t bytes = 0, KMem memory = KMem::own);
  void store_rows(std::span<const Value> xs, Value pointer, Value index, Value stride, int64_t bytes = 0);
  // `count` elements a lane, which lie lane after lane.
  void copy(KType t, uint16_t count, Value from, Value pointer, Value index = kNone, int64_t bytes = 0,
            bool streams = false);

  // ---- vectors
  Value constant(KType t, uint64_t bits);  // of one element
  Value number(KType t, double x);         // converted to t
  Value lane_index(KType t) { return append({.op = KOp::lane_index, .type = t}); }
  Value broadcast(KType t, Value scalar) { return append({.op = KOp::broadcast, .type = t, .a = scalar}); }
  Value add(Value a, Value b) { return binary(KOp::add, a, b); }
  Value sub(Value a, Value b) { return binary(KOp::sub, a, b); }
  Value mul(Value a, Value b) { return binary(KOp::mul, a, b); }
  Value div(Value a, Value b) { return binary(KOp::div, a, b); }
  Value fma(Value a, Value b, Value c);                           // a * b + c
  Value fnma(Value a, Value b, Value c);                          // c - a * b
  Value fms(Value a, Value b, Value c);                           // a * b - c
  Value min(Value a, Value b) { return binary(KOp::min, a, b); }  // as x86: b if either is NaN or both are zero
  Value max(Value a, Value b) { return binary(KOp::max, a, b); }
  Value sqrt(Value a) { return unary(KOp::sqrt, a); }
  Value neg(Value a) { return unary(KOp::neg, a); }
  Value abs(Value a) { return unary(KOp::abs, a); }
  enum Rounding : uint16_t { even, floor, ceil, trunc };
  Value round(Value a, Rounding mode) { return append({.op = KOp::round, .type = type(a), .aux = mode, .a = a}); }
  Value round_half(Value a) { return unary(KOp::round_half, a); }
  Value bit_and(Value a, Value b) { return binary(KOp::andv, a, b); }
  Value bit_or(Value a, Value b) { return binary(KOp::orv, a, b); }
  Value bit_xor(Value a, Value b) { return binary(KOp::xorv, a, b); }
  Value and_not(Value a, Value b) { return binary(KOp::andnot, a, b); }  // ~a & b
  Value shl(Value a, int bits) { return shift(KOp::shl, a, bits); }
  Value shr(Value a, int bits) { return shift(KOp::shr, a, bits); }
  Value sar(Value a, int bits) { return shift(KOp::sar, a, bits); }
  Value shlv(Value a, Value bits) { return binary(KOp::shlv, a, bits); }
  Value shrv(Value a, Value bits) { return binary(KOp::shrv, a, bits); }
  Value sarv(Value a, Value bits) { return binary(KOp::sarv, a, bits); }
  Value mulu32(Value a, Value b) { return binary(KOp::mulu32, a, b); }
  Value table_index(Value a) { return unary(KOp::table_index, a); }
  Value lookup(KType t, int row, Value index) { return append({.op = KOp::lookup, .type = t, .a = index, .imm = row}); }
  Value popcnt(Value a) { return unary(KOp::popcnt, a); }
  Value convert(KType t, Value a);
  Value bitcast(KType t, Value a);
  Value reduce(KOp how, Value a);  // add, mul, min or max

  // ---- masks
  Value cmp(KCmp how, Value a, Value b);
  Value is_nan(Value a) { return append({.op = KOp::is_nan, .type = KType::mask, .a = a}); }
  Value select(Value mask, Value a, Value b);
  Value mand(Value a, Value b) { return binary(KOp::mand, a, b); }
  Value mor(Value a, Value b) { return binary(KOp::mor, a, b); }
  Value mxor(Value a, Value b) { return binary(KOp::mxor, a, b); }
  Value mnot(Value a);
  Value mask_const(bool on) { return append({.op = KOp::mask_const, .type = KType::mask, .imm = on}); }
  Value any(Value a) { return append({.op = KOp::any, .type = KType::scalar, .a = a}); }
  Value mask_to_int(KType t, Value a) { return append({.op = KOp::mask_to_int, .type = t, .a = a}); }

  // ---- variables and exits
  Value var(Value initial) { return append({.op = KOp::var, .type = type(initial), .a = initial}); }
  void set(Value variable, Value x) { append({.op = KOp::set, .type = type(variable), .a = variable, .b = x}); }
  Value fixup(KFn fn, Value fast, Value x, Value where, Value y = kNone);
  Value call(KFn fn, Value x) {
    return append({.op = KOp::call, .type = type(x), .aux = static_cast<uint16_t>(fn), .a = x});
  }
  void check(int64_t error, Value where, Value reported, Value element = kNone, Value step = kNone);

  // ---- routine bodies
  Value input(KType t) { return append({.op = KOp::input, .type = t}); }
  void output(Value x) { append({.op = KOp::output, .type = type(x), .a = x}); }

 private:
  Value append(KInstr in);  // shares, else pushes
  Value push(const KInstr& in);
  Value open(const KInstr& in);
  Value unary(KOp op, Value a);
  Value binary(KOp op, Value a, Value b);
  Value shift(KOp op, Value a, int bits);
  Value memory(KInstr in);
  void grow();

  bool is(Value v, KOp op) const { return v != kNone && kernel_.instrs[v].op == op; }
  bool is_bits(Value v, uint64_t bits) const {
    return is(v, KOp::constant) && kernel_.instrs[v].imm == static_cast<int64_t>(bits);
  }
  bool is_number(Value v, double x) const;  // the constant x, with its sign
  bool known(Value v) const { return is(v, KOp::constant) || is(v, KOp::mask_const); }
  Value fold(const KInstr& in);  // kNone if some operand is not known
  Value simplify_integer(KOp op, Value a, Value b);
  Value simplify_float(KOp op, Value a, Value b);
  Value simplify_mask(KOp op, Value a, Value b);
  Value in_range(Value low, Value high);
  Value root(Value pointer) const;
  bool valid(Value earlier) const { return open_[scope_of_[earlier]]; }

  void serve(Value v);

  enum : uint8_t { kLoaded = 1, kStored = 2, kReadWrite = 4 };

  Kernel kernel_;
  bool out_of_line_math_, keeps_origins_ = false, repairs_within_ = false;
  uint32_t origin_ = kNone;
  std::vector<uint32_t> scope_of_;  // of each instruction; 0: outside loops
  std::vector<uint8_t> memory_;     // of each argument instruction: what is done behind it
  std::vector<char> open_ = {1};    // by scope
  std::vector<uint32_t> loops_;     // open ones, by instruction
  std::vector<uint32_t> scopes_ = {0};
  struct Shared {
    Value value = kNone;
    uint32_t tag = 0;  // of its hash
  };
  std::vector<Shared> table_;  // open addressing; kNone: free. Bounded: what is far back may be forgotten
  size_t used_ = 0;
};

}  // namespace jot::cpu
