#include "backends/cpu/kernel/kernel_ir.h"

#include <array>

#include "backends/cpu/kernel/math.h"
#include "backends/cpu/kernel/math_rows.h"
#include "ir/hash.h"
#include "jot/error.h"

namespace jot::cpu {

void KernelError::record(int64_t error, int64_t at, int64_t offending) noexcept {
  constexpr int64_t kTaken = -1;
  int64_t seen = code.load(std::memory_order_relaxed);
  do {
    if (seen == kTaken) seen = 0;
  } while (!code.compare_exchange_weak(seen, kTaken, std::memory_order_acquire, std::memory_order_relaxed));
  if (seen == 0 || at < index || (at == index && error < seen)) index = at, value = offending, seen = error;
  code.store(seen, std::memory_order_release);
}

namespace {

constexpr char n = 'n', s = 's', m = 'm', i = 'i', f = 'f', v = 'v', x = 'x', y = 'y';
constexpr KOpInfo kTable[] = {
#define KOP(name, type, operands, kind) {#name, type, operands, KKind::kind},
#include "backends/cpu/kernel/kernel_ops.def"
#undef KOP
};

bool matches(char role, KType t) {
  switch (role) {
    case n:
      return t == KType::none;
    case s:
      return t == KType::scalar;
    case m:
      return t == KType::mask;
    case i:
      return t == KType::i32 || t == KType::i64;
    case f:
      return t == KType::f32 || t == KType::f64;
    case v:
      return t >= KType::i32;
    case x:
      return t >= KType::mask;
    case y:
      return t >= KType::scalar;
    default:
      return false;
  }
}

class Verifier {
 public:
  explicit Verifier(const Kernel& kernel) : k_(kernel), scope_(kernel.instrs.size(), 0) {}

  void run() {
    require(k_.lanes >= 1 && k_.lanes <= 16 && (k_.lanes & (k_.lanes - 1)) == 0, "lanes are not 1, 2, 4, 8 or 16");
    require(k_.num_args >= 0, "negative number of arguments");
    for (at_ = 0; at_ < k_.instrs.size(); ++at_) {
      const KInstr& in = k_.instrs[at_];
      require(static_cast<size_t>(in.op) < std::size(kTable), "unknown op");
      types(in);
      fields(in);
      structure(in);
    }
    at_ = kNone;
    require(loops_.empty(), "a loop is not closed");
  }

 private:
  void require(bool ok, std::string_view what) const {
    if (ok) return;
    std::string where = "kernel";
    if (at_ != kNone && at_ < k_.instrs.size()) {
      const KInstr& in = k_.instrs[at_];
      where += " %" + std::to_string(at_);
      if (static_cast<size_t>(in.op) < std::size(kTable)) where += " (" + std::string(info(in.op).name) + ")";
    }
    internal_error(what, where);
  }
  bool in_vector_loop() const { return vector_loops_ > 0; }

  // The operand is a value, computed before, in a loop that is still open.
  KType use(uint32_t value) const {
    require(value < at_, "an operand does not precede its user");
    require(has_value(k_.instrs[value].op), "an operand has no value");
    uint32_t scope = scope_[value];
    require(scope == 0 || open_[scope], "an operand belongs to a loop that is closed");
    return k_.instrs[value].type;
  }

  void types(const KInstr& in) const {
    const KOpInfo& op = info(in.op);
    require(matches(op.type, in.type), "the type is not one of the op's");
    const bool rows = in.op == KOp::load_rows || in.op == KOp::store_rows || in.op == KOp::copy;
    require(!in.streams ||
                ((in.op == KOp::store || in.op == KOp::copy) && in.type != KType::mask && in.memory == KMem::own),
            "nothing that streams");
    require(in.memory == KMem::own || (in.type == (in.memory == KMem::half ? KType::f32 : KType::i32) && !rows &&
                                       (op.kind == KKind::load || (in.op >= KOp::store && in.op <= KOp::store_one))),
            "no such memory");
    require(in.type < KType::mask || in.type == KType::mask || bytes_of(in.type) * k_.lanes <= 64,
            "the value takes more than one register");
    const uint32_t operands[4] = {in.a, in.b, in.c, in.d};
    KType first = KType::none;
    size_t at = 0;
    for (uint32_t operand : operands) {
      char role = at < op.operands.size() ? op.operands[at++] : '-';
      bool optional = role == '?';
      if (optional) role = op.operands[at++];
      if (role == 'l') {
        require(in.aux > 0 && operand <= k_.lists.size() && in.aux <= k_.lists.size() - operand, "bad operand list");
        for (uint32_t j = 0; j < in.aux; ++j)
          require(use(k_.lists[operand + j]) == in.type, "an operand has the wrong type");
      } else if (role == 'L') {
        require(!loops_.empty() && loops_.back() == operand, "does not close the innermost loop");
      } else if (role == '-') {
        require(operand == kNone, "too many operands");
      } else if (operand == kNone) {
        require(optional, "an operand is missing");
      } else {
        KType type = use(operand);
        require(role == '='   ? type == in.type
                : role == '^' ? type == first
                              : matches(role, type),
                "an operand has the wrong type");
        if (at == 1) first = type;
      }
    }
  }

  void fields(const KInstr& in) const {
    switch (in.op) {
      case KOp::arg:
        return require(in.imm >= 0 && in.imm < k_.num_args, "argument out of range");
      case KOp::shl:
      case KOp::shr:
      case KOp::sar:
        return require(in.imm >= 0 && in.imm < 8 * bytes_of(in.type), "bad shift");
      case KOp::round:
        return require(in.aux < 4, "bad rounding mode");
      case KOp::cmp:
        return require(in.aux <= static_cast<int>(KCmp::ge), "bad comparison");
      case KOp::reduce:
        return require(reduces(static_cast<KOp>(in.aux)), "bad reduction");
      case KOp::mask_const:
        return require(in.imm == 0 || in.imm == 1, "bad constant");
      case KOp::round_half:
        return require(in.type == KType::f32, "the type is not one of the op's");
      case KOp::lookup:
        require(in.imm >= 0 && in.imm < num_rows(), "no such row");
        return require(k_.instrs[in.a].op == KOp::table_index && bytes_of(k_.instrs[in.a].type) == bytes_of(in.type),
                       "not an index of a table");
      case KOp::mulu32:
        return require(in.type == KType::i64, "the type is not one of the op's");
      case KOp::constant:
        return require(bytes_of(in.type) == 8 || static_cast<uint64_t>(in.imm) >> 32 == 0, "bad constant");
      case KOp::bitcast:
        return require(bytes_of(in.type) == bytes_of(k_.instrs[in.a].type), "an operand has the wrong type");
      case KOp::check:
        return require(in.imm != 0, "error code 0");
      case KOp::load_rows:
        require(in.aux >= 1 && at_ + in.aux <= k_.instrs.size(), "bad number of rows");
        for (uint32_t j = 1; j < in.aux; ++j) {
          const KInstr& row = k_.instrs[at_ + j];
          require(row.op == KOp::row && row.a == at_ && row.imm == j, "rows do not follow");
        }
        return;
      case KOp::copy:
        return require(in.aux >= 1, "bad number of elements");
      case KOp::row:
        return require(k_.instrs[in.a].op == KOp::load_rows && in.imm == at_ - in.a && in.imm < k_.instrs[in.a].aux,
                       "not a row of its load");
      case KOp::fixup:
      case KOp::call: {
        const auto fn = static_cast<KFn>(in.aux);
        const bool two = operands_of(fn) == 2;
        return require(
            operands_of(fn) > 0 && matches(f, in.type) && (in.op == KOp::call ? !two : two == (in.d != kNone)),
            "bad function");
      }
      case KOp::set:
        return require(k_.instrs[in.a].op == KOp::var, "not a variable");
      case KOp::gloop:
        return require(in.imm >= 1 && in.imm <= 16, "bad number of vectors");
      case KOp::wloop:
        return require(k_.instrs[in.b].op == KOp::var, "not a variable");
      case KOp::output:
        return require(at_ + 1 == k_.instrs.size() && k_.lanes == 1, "not the last instruction");
      default:
        return;
    }
  }

  void structure(const KInstr& in) {
    const bool vector_memory = in.op == KOp::load_strided || in.op == KOp::gather || in.op == KOp::load_rows ||
                               in.op == KOp::store_strided || in.op == KOp::scatter || in.op == KOp::store_rows ||
                               in.op == KOp::copy;
    if (vector_memory) require(k_.lanes == 1 || in_vector_loop(), "outside a vector loop");
    if (in.op == KOp::reduce) require(k_.lanes == 1 || !in_vector_loop(), "inside a vector loop");
    scope_[at_] = loops_.empty() ? 0 : current();
    if (is_loop(in.op)) {
      require(!in_vector_loop() || in.op == KOp::loop || in.op == KOp::wloop, "inside a vector loop");
      vector_loops_ += is_vector_loop(in.op);
      if (in.op == KOp::range || in.op == KOp::vrange) {
        require(loops_.empty() && !ranged_, "not the only outermost range");
        ranged_ = true;
      }
      loops_.push_back(at_);
      scopes_.push_back(static_cast<uint32_t>(open_.size()));
      open_.push_back(true);
      scope_[at_] = current();
    } else if (in.op == KOp::endloop) {
      open_[current()] = false;
      vector_loops_ -= is_vector_loop(k_.instrs[in.a].op);
      loops_.pop_back();
      scopes_.pop_back();
    }
  }
  uint32_t current() const { return scopes_.back(); }

  const Kernel& k_;
  uint32_t at_ = 0;
  std::vector<uint32_t> scope_;      // of each value: 0 outside loops
  std::vector<bool> open_ = {true};  // by scope
  std::vector<uint32_t> loops_, scopes_;
  int vector_loops_ = 0;
  bool ranged_ = false;
};

}  // namespace

const KOpInfo& info(KOp op) { return kTable[static_cast<size_t>(op)]; }

std::string_view name(KFn fn) { return ir::name_of(static_cast<ir::Op>(fn)); }

std::string_view name(KType type) {
  constexpr std::string_view names[] = {"none", "scalar", "mask", "i32", "i64", "f32", "f64"};
  return names[static_cast<size_t>(type)];
}

std::string_view name(KMem memory) {
  constexpr std::string_view names[] = {"", "byte", "word", "half"};
  return names[static_cast<size_t>(memory)];
}

uint64_t Kernel::hash() const {
  uint64_t h = hash_mix(static_cast<uint64_t>(lanes), static_cast<uint64_t>(num_args));
  for (const KInstr& in : instrs) {
    uint64_t words[4] = {static_cast<uint64_t>(in.op) | static_cast<uint64_t>(in.type) << 8 |
                             static_cast<uint64_t>(in.aux) << 16 | static_cast<uint64_t>(in.a) << 32,
                         in.b | static_cast<uint64_t>(in.c) << 32,
                         in.d | static_cast<uint64_t>(in.memory) << 32 | static_cast<uint64_t>(in.streams) << 40,
                         static_cast<uint64_t>(in.imm)};
    for (uint64_t w : words) h = hash_word(h, w);
  }
  for (uint32_t v : lists) h = hash_word(h, v);
  return hash_mix(h, 0);
}

void verify(const Kernel& kernel) { Verifier(kernel).run(); }

}  // namespace jot::cpu
