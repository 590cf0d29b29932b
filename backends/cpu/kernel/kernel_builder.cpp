#include "backends/cpu/kernel/kernel_builder.h"

#include <cmath>
#include <limits>

#include "jot/error.h"

namespace jot::cpu {
namespace {

size_t hash_of(const KInstr& in) {
  uint64_t head = static_cast<uint64_t>(in.op) | static_cast<uint64_t>(in.type) << 8 |
                  static_cast<uint64_t>(in.aux) << 16 | static_cast<uint64_t>(in.a) << 32;
  uint64_t h = head * 0x9e3779b97f4a7c15u;
  h = (h ^ (h >> 29)) + (in.b | static_cast<uint64_t>(in.c) << 32);
  h *= 0xbf58476d1ce4e5b9u;
  h = (h ^ (h >> 32)) + (static_cast<uint64_t>(in.imm) ^ (static_cast<uint64_t>(in.d) << 17));
  h *= 0x94d049bb133111ebu;
  return static_cast<size_t>(h ^ (h >> 31));
}

// The table of shared instructions stays in the cache.
constexpr size_t kProbes = 8, kLargestTable = size_t{1} << 16;

uint64_t number_bits(KType t, double x) {
  switch (t) {
    case KType::f32:
      return std::bit_cast<uint32_t>(static_cast<float>(x));
    case KType::f64:
      return std::bit_cast<uint64_t>(x);
    case KType::i32:
      return static_cast<uint32_t>(static_cast<int32_t>(x));
    case KType::i64:
      return static_cast<uint64_t>(static_cast<int64_t>(x));
    case KType::none:
    case KType::scalar:
    case KType::mask:
      break;
  }
  internal_error("a number of a vector type", name(t));
}

}  // namespace

KernelBuilder::KernelBuilder(int lanes, bool out_of_line_math) : out_of_line_math_(out_of_line_math), table_(64) {
  kernel_.lanes = lanes;
  kernel_.num_args = 1;
}

// ---- the heart: push, share, fold

KernelBuilder::Value KernelBuilder::push(const KInstr& in) {
  kernel_.instrs.push_back(in);
  scope_of_.push_back(scopes_.back());
  if (keeps_origins_) kernel_.origins.push_back(origin_);
  return static_cast<Value>(kernel_.instrs.size() - 1);
}

KernelBuilder::Value KernelBuilder::append(KInstr in) {
  const KKind kind = info(in.op).kind;
  if (kind != KKind::pure && kind != KKind::load) return push(in);
  for (Value v : {in.a, in.b, in.c, in.d})
    if (is(v, KOp::var)) return push(in);
  if (in.type > KType::scalar)
    if (Value folded = fold(in); folded != kNone) return folded;
  const size_t hash = hash_of(in), mask = table_.size() - 1;
  const auto tag = static_cast<uint32_t>(hash >> 32);
  Shared* oldest = &table_[hash & mask];
  for (size_t i = 0; i < kProbes; ++i) {
    Shared& entry = table_[(hash + i) & mask];
    if (entry.value == kNone) {
      Value v = push(in);
      entry = {v, tag};
      if (2 * ++used_ > table_.size() && table_.size() < kLargestTable) grow();
      return v;
    }
    if (entry.tag == tag && kernel_.instrs[entry.value] == in) {
      // If it belongs to a loop that is closed, for good, the new one takes its place.
      if (!valid(entry.value))
        entry.value = push(in);
      else if (keeps_origins_)
        serve(entry.value);
      return entry.value;
    }
    if (entry.value < oldest->value) oldest = &entry;
  }
  *oldest = {push(in), tag};  // what is far back in a long program is forgotten
  return oldest->value;
}

// An instruction serves another node, too.
void KernelBuilder::serve(Value v) {
  const KOp op = kernel_.instrs[v].op;
  if (op == KOp::arg || op == KOp::iconst || op == KOp::constant || op == KOp::mask_const) return;
  auto& further = kernel_.further_origins;
  const std::pair<uint32_t, uint32_t> pair(v, origin_);
  if (kernel_.origins[v] != origin_ && (further.empty() || further.back() != pair)) further.push_back(pair);
}

void KernelBuilder::grow() {
  std::vector<Shared> old(4 * table_.size());
  old.swap(table_);
  used_ = 0;
  for (const Shared& entry : old) {
    if (entry.value == kNone || !valid(entry.value)) continue;
    size_t hash = hash_of(kernel_.instrs[entry.value]), mask = table_.size() - 1, i = 0;
    while (i < kProbes && table_[(hash + i) & mask].value != kNone) ++i;
    if (i == kProbes) continue;
    table_[(hash + i) & mask] = entry;
    ++used_;
  }
}

KernelBuilder::Value KernelBuilder::fold(const KInstr& in) {
  if (in.a == kNone || !known(in.a) || (in.b != kNone && !known(in.b)) || (in.c != kNone && !known(in.c))) return kNone;
  if (in.op == KOp::fixup || in.op == KOp::call || in.op == KOp::reduce) return kNone;
  auto bits = [&](Value v) { return v == kNone ? 0 : static_cast<uint64_t>(kernel_.instrs[v].imm); };
  uint64_t r = evaluate(in, type(in.a), bits(in.a), bits(in.b), bits(in.c));
  return in.type == KType::mask ? mask_const(r != 0) : constant(in.type, r);
}

bool KernelBuilder::is_number(Value v, double x) const { return is_bits(v, number_bits(type(v), x)); }

KernelBuilder::Value KernelBuilder::constant(KType t, uint64_t bits) {
  if (bytes_of(t) == 4) bits &= 0xffffffff;
  return append({.op = KOp::constant, .type = t, .imm = static_cast<int64_t>(bits)});
}

KernelBuilder::Value KernelBuilder::number(KType t, double x) { return constant(t, number_bits(t, x)); }

// Drops what nothing reads and renumbers.
Kernel KernelBuilder::finish() && {
  if (!loops_.empty()) internal_error("a loop is not closed", "KernelBuilder::finish");
  std::vector<KInstr>& code = kernel_.instrs;
  std::vector<uint32_t> live(code.size(), 0);
  for (size_t i = code.size(); i-- > 0;) {
    const KInstr& in = code[i];
    if (in.op == KOp::load_rows)  // its rows come and go together
      for (size_t j = 1; j < in.aux; ++j) live[i] |= live[i + j];
    const KKind kind = info(in.op).kind;
    if (kind == KKind::effect || kind == KKind::loop || in.op == KOp::input) live[i] = 1;
    if (!live[i]) continue;
    if (in.op == KOp::load_rows)
      for (size_t j = 1; j < in.aux; ++j) live[i + j] = 1;
    for_each_operand(kernel_, in, [&](Value v) { live[v] = 1; });
  }
  std::erase_if(kernel_.further_origins, [&](const auto& also) { return !live[also.first]; });
  uint32_t next = 0;
  auto renumber = [&](uint32_t& v) {
    if (v != kNone) v = live[v];
  };
  for (size_t i = 0; i < code.size(); ++i) {
    if (!live[i]) continue;
    live[i] = next;
    KInstr in = code[i];
    renumber(in.a), renumber(in.b), renumber(in.c);
    if (in.op != KOp::store_rows) renumber(in.d);
    if (keeps_origins_) kernel_.origins[next] = kernel_.origins[i];
    code[next++] = in;
  }
  for (uint32_t& v : kernel_.lists) v = live[v];
  code.resize(next);
  if (keeps_origins_) kernel_.origins.resize(next);
  for (auto& also : kernel_.further_origins) also.first = live[also.first];
  return std::move(kernel_);
}

// ---- scalars

KernelBuilder::Value KernelBuilder::arg(int64_t i) {
  kernel_.num_args = std::max(kernel_.num_args, static_cast<int>(i) + 1);
  return append({.op = KOp::arg, .type = KType::scalar, .imm = i});
}

KernelBuilder::Value KernelBuilder::iadd(Value a, Value b) {
  const KInstr x = instr(a), y = instr(b);
  if (x.op == KOp::iconst && y.op == KOp::iconst)
    return iconst(static_cast<int64_t>(static_cast<uint64_t>(x.imm) + static_cast<uint64_t>(y.imm)));
  if (x.op == KOp::iconst && x.imm == 0) return b;
  if (y.op == KOp::iconst && y.imm == 0) return a;
  return append({.op = KOp::iadd, .type = KType::scalar, .a = a, .b = b});
}

KernelBuilder::Value KernelBuilder::isub(Value a, Value b) {
  const KInstr x = instr(a), y = instr(b);
  if (x.op == KOp::iconst && y.op == KOp::iconst)
    return iconst(static_cast<int64_t>(static_cast<uint64_t>(x.imm) - static_cast<uint64_t>(y.imm)));
  if (y.op == KOp::iconst && y.imm == 0) return a;
  return append({.op = KOp::isub, .type = KType::scalar, .a = a, .b = b});
}

KernelBuilder::Value KernelBuilder::imul(Value a, Value b) {
  if (is(b, KOp::iconst)) return imuli(a, instr(b).imm);
  if (is(a, KOp::iconst)) return imuli(b, instr(a).imm);
  return append({.op = KOp::imul, .type = KType::scalar, .a = std::min(a, b), .b = std::max(a, b)});
}

KernelBuilder::Value KernelBuilder::imuli(Value a, int64_t factor) {
  if (factor == 1) return a;
  if (factor == 0) return iconst(0);
  if (is(a, KOp::iconst))
    return iconst(static_cast<int64_t>(static_cast<uint64_t>(instr(a).imm) * static_cast<uint64_t>(factor)));
  return append({.op = KOp::imuli, .type = KType::scalar, .a = a, .imm = factor});
}

KernelBuilder::Value KernelBuilder::imin(Value a, Value b) {
  if (a == b) return a;
  if (is(a, KOp::iconst) && is(b, KOp::iconst)) return iconst(std::min(instr(a).imm, instr(b).imm));
  return append({.op = KOp::imin, .type = KType::scalar, .a = std::min(a, b), .b = std::max(a, b)});
}

// ---- loops

KernelBuilder::Value KernelBuilder::open(const KInstr& in) {
  scopes_.push_back(static_cast<uint32_t>(open_.size()));
  open_.push_back(1);
  loops_.push_back(push(in));
  return loops_.back();
}

void KernelBuilder::endloop() {
  if (loops_.empty()) internal_error("no loop is open", "KernelBuilder::endloop");
  open_[scopes_.back()] = 0;
  scopes_.pop_back();
  push({.op = KOp::endloop, .a = loops_.back()});
  loops_.pop_back();
}

// ---- memory

// The argument that a pointer starts from.
KernelBuilder::Value KernelBuilder::root(Value pointer) const {
  while (!is(pointer, KOp::arg) && instr(pointer).a != kNone) pointer = instr(pointer).a;
  return pointer;
}

void KernelBuilder::read_write(Value pointer) {
  memory_.resize(std::max(memory_.size(), size() + 1), 0);
  memory_[root(pointer)] |= kReadWrite;
}

KernelBuilder::Value KernelBuilder::memory(KInstr in) {
  const Value base = root(in.a);
  if (memory_.size() <= base) memory_.resize(size() + 1, 0);
  uint8_t& use = memory_[base];
  use |= info(in.op).kind == KKind::effect ? kStored : kLoaded;
  if (use == (kLoaded | kStored)) internal_error("memory is read and written, undeclared", info(in.op).name);
  return use & kReadWrite ? push(in) : append(in);
}

KernelBuilder::Value KernelBuilder::load(KElement t, Value pointer, Value index, int64_t bytes) {
  return memory({.op = KOp::load, .type = t.type, .a = pointer, .b = index, .memory = t.memory, .imm = bytes});
}
KernelBuilder::Value KernelBuilder::load_bcast(KElement t, Value pointer, Value index, int64_t bytes) {
  return memory({.op = KOp::load_bcast, .type = t.type, .a = pointer, .b = index, .memory = t.memory, .imm = bytes});
}
KernelBuilder::Value KernelBuilder::load_one(KElement t, Value pointer, Value index, int64_t bytes) {
  return memory({.op = KOp::load_one, .type = t.type, .a = pointer, .b = index, .memory = t.memory, .imm = bytes});
}
KernelBuilder::Value KernelBuilder::load_strided(KElement t, Value pointer, Value index, Value stride, int64_t bytes) {
  return memory({.op = KOp::load_strided,
                 .type = t.type,
                 .a = pointer,
                 .b = index,
                 .c = stride,
                 .memory = t.memory,
                 .imm = bytes});
}
KernelBuilder::Value KernelBuilder::gather(KElement t, Value pointer, Value elements, int64_t bytes) {
  return memory({.op = KOp::gather, .type = t.type, .a = pointer, .c = elements, .memory = t.memory, .imm = bytes});
}
KernelBuilder::Value KernelBuilder::load_rows(KType t, uint16_t count, Value pointer, Value index, Value stride,
                                              int64_t bytes) {
  Value first =
      memory({.op = KOp::load_rows, .type = t, .aux = count, .a = pointer, .b = index, .c = stride, .imm = bytes});
  for (uint16_t j = 1; j < count; ++j) push({.op = KOp::row, .type = t, .a = first, .imm = j});
  return first;
}
void KernelBuilder::store(Value x, Value pointer, Value index, int64_t bytes, KMem memory_type, bool streams) {
  memory({.op = KOp::store,
          .type = type(x),
          .a = pointer,
          .b = index,
          .d = x,
          .memory = memory_type,
          .streams = streams,
          .imm = bytes});
}
void KernelBuilder::store_one(Value x, Value pointer, Value index, int64_t bytes, KMem memory_type) {
  memory(
      {.op = KOp::store_one, .type = type(x), .a = pointer, .b = index, .d = x, .memory = memory_type, .imm = bytes});
}
void KernelBuilder::store_strided(Value x, Value pointer, Value index, Value stride, int64_t bytes, KMem memory_type) {
  memory({.op = KOp::store_strided,
          .type = type(x),
          .a = pointer,
          .b = index,
          .c = stride,
          .d = x,
          .memory = memory_type,
          .imm = bytes});
}
void KernelBuilder::scatter(Value x, Value pointer, Value elements, int64_t bytes, KMem memory_type) {
  memory(
      {.op = KOp::scatter, .type = type(x), .a = pointer, .c = elements, .d = x, .memory = memory_type, .imm = bytes});
}
void KernelBuilder::store_rows(std::span<const Value> xs, Value pointer, Value index, Value stride, int64_t bytes) {
  const auto list = static_cast<uint32_t>(kernel_.lists.size());
  kernel_.lists.insert(kernel_.lists.end(), xs.begin(), xs.end());
  memory({.op = KOp::store_rows,
          .type = type(xs[0]),
          .aux = static_cast<uint16_t>(xs.size()),
          .a = pointer,
          .b = index,
          .c = stride,
          .d = list,
          .imm = bytes});
}
void KernelBuilder::copy(KType t, uint16_t count, Value from, Value pointer, Value index, int64_t bytes, bool streams) {
  memory({.op = KOp::copy,
          .type = t,
          .aux = count,
          .a = pointer,
          .b = index,
          .c = from,
          .streams = streams,
          .imm = bytes});
}

// ---- vectors

KernelBuilder::Value KernelBuilder::unary(KOp op, Value a) {
  const KInstr x = instr(a);
  if (op == KOp::neg && x.op == KOp::neg && !is(x.a, KOp::var)) return x.a;
  if (op == KOp::abs && is_float(x.type)) {
    if (x.op == KOp::abs) return a;
    if (x.op == KOp::neg && !is(x.a, KOp::var)) return abs(x.a);
  }
  return append({.op = op, .type = x.type, .a = a});
}

KernelBuilder::Value KernelBuilder::binary(KOp op, Value a, Value b) {
  const KType t = type(a);
  const bool commutes = op == KOp::add || op == KOp::mul || op == KOp::andv || op == KOp::orv || op == KOp::xorv ||
                        op == KOp::mulu32 || op == KOp::mand || op == KOp::mor || op == KOp::mxor;
  // A constant comes last: it can be a memory operand.
  if (commutes && (known(a) != known(b) ? known(a) : a > b)) std::swap(a, b);
  if (!is(a, KOp::var) && !is(b, KOp::var) && !(known(a) && known(b))) {
    Value simpler = t == KType::mask ? simplify_mask(op, a, b)
                    : is_float(t)    ? simplify_float(op, a, b)
                                     : simplify_integer(op, a, b);
    if (simpler != kNone) return simpler;
  }
  return append({.op = op, .type = t, .a = a, .b = b});
}

KernelBuilder::Value KernelBuilder::simplify_float(KOp op, Value a, Value b) {
  const KInstr x = instr(a), y = instr(b);
  const bool neg_a = x.op == KOp::neg && !is(x.a, KOp::var), neg_b = y.op == KOp::neg && !is(y.a, KOp::var);
  switch (op) {
    case KOp::add:
      if (is_number(b, -0.0)) return a;
      if (neg_b) return sub(a, y.a);
      if (neg_a) return sub(b, x.a);
      return kNone;
    case KOp::sub:
      if (is_number(b, 0.0)) return a;
      if (is_number(a, -0.0)) return neg(b);
      if (neg_b) return add(a, y.a);
      return kNone;
    case KOp::mul:
      if (is_number(b, 1)) return a;
      if (is_number(b, -1)) return neg(a);
      if (neg_a && neg_b) return mul(x.a, y.a);
      return kNone;
    case KOp::div: {
      if (is_number(b, 1)) return a;
      if (is_number(b, -1)) return neg(a);
      if (y.op != KOp::constant) return kNone;
      // By a power of two whose reciprocal is a normal number too: exact.
      const double d = x.type == KType::f64 ? std::bit_cast<double>(y.imm)
                                            : static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(y.imm)));
      int exponent = 0;
      const int limit = x.type == KType::f64 ? 1022 : 126;
      if (std::abs(std::frexp(d, &exponent)) == 0.5 && std::abs(exponent - 1) <= limit)
        return mul(a, number(x.type, 1 / d));
      return kNone;
    }
    case KOp::min:
    case KOp::max:
      return a == b ? a : kNone;
    case KOp::andv:
    case KOp::orv:
      return a == b ? a : kNone;
    default:
      return kNone;
  }
}

KernelBuilder::Value KernelBuilder::simplify_integer(KOp op, Value a, Value b) {
  const KInstr y = instr(b);
  const KType t = y.type;
  const bool zero = is_bits(b, 0), ones = is_bits(b, bytes_of(t) == 4 ? 0xffffffffu : ~uint64_t{0});
  switch (op) {
    case KOp::add:
    case KOp::sub:
    case KOp::xorv:
    case KOp::shlv:
    case KOp::shrv:
    case KOp::sarv:
      return zero ? a : kNone;
    case KOp::mul:
      if (zero) return b;
      if (ones) return neg(a);
      if (y.op == KOp::constant && std::has_single_bit(static_cast<uint64_t>(y.imm)))
        return shl(a, std::countr_zero(static_cast<uint64_t>(y.imm)));
      return kNone;
    case KOp::andv:
      return zero || a == b ? b : ones ? a : kNone;
    case KOp::orv:
      return zero || a == b ? a : ones ? b : kNone;
    case KOp::min:
    case KOp::max:
      return a == b ? a : kNone;
    default:
      return kNone;
  }
}

KernelBuilder::Value KernelBuilder::simplify_mask(KOp op, Value a, Value b) {
  const bool constant = is(b, KOp::mask_const), on = constant && instr(b).imm != 0;
  switch (op) {
    case KOp::mand:
      return a == b ? a : !constant ? in_range(a, b) : on ? a : b;
    case KOp::mor:
      return a == b ? a : !constant ? kNone : on ? b : a;
    case KOp::mxor:
      return a == b ? mask_const(false) : !constant ? kNone : on ? mnot(a) : a;
    default:
      return kNone;
  }
}

// low and high limit one float by constants: one comparison, with what the range leaves of it, instead of two and a
// mask of masks. Masks are registers of a small file, and bound how many turns of a loop are under way.
KernelBuilder::Value KernelBuilder::in_range(Value low, Value high) {
  KInstr least = instr(low), most = instr(high);
  const auto how = [](const KInstr& in) { return static_cast<KCmp>(in.aux); };
  if (least.op != KOp::cmp || most.op != KOp::cmp || least.a != most.a || !is_float(type(least.a)) ||
      is(least.a, KOp::var) || !is(least.b, KOp::constant) || !is(most.b, KOp::constant))
    return kNone;
  if (how(least) == KCmp::le || how(least) == KCmp::lt) std::swap(least, most);
  if ((how(least) != KCmp::ge && how(least) != KCmp::gt) || (how(most) != KCmp::le && how(most) != KCmp::lt))
    return kNone;
  const Value x = least.a;
  const KType t = type(x);
  // The limit itself, or its neighbour within; of none: NaN.
  auto inclusive = [&]<class T>(T, const KInstr& in, bool strict, double towards) {
    using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    const T limit = std::bit_cast<T>(static_cast<Bits>(instr(in.b).imm)),
            next = std::nextafter(limit, static_cast<T>(towards));
    return static_cast<double>(!strict ? limit : next == limit ? std::numeric_limits<T>::quiet_NaN() : next);
  };
  auto limits = [&]<class T>(T zero) {
    constexpr double inf = std::numeric_limits<double>::infinity();
    return std::pair(inclusive(zero, least, how(least) == KCmp::gt, inf),
                     inclusive(zero, most, how(most) == KCmp::lt, -inf));
  };
  const auto [from, to] = t == KType::f32 ? limits(0.0f) : limits(0.0);
  if (!(from <= to)) return kNone;
  return cmp(KCmp::eq, x, min(max(x, number(t, from)), number(t, to)));
}

KernelBuilder::Value KernelBuilder::shift(KOp op, Value a, int bits) {
  if (bits == 0 && !is(a, KOp::var)) return a;
  return append({.op = op, .type = type(a), .a = a, .imm = bits});
}

KernelBuilder::Value KernelBuilder::fma(Value a, Value b, Value c) {
  if (known(a) != known(b) ? known(a) : a > b) std::swap(a, b);
  if (!is(a, KOp::var) && !is(b, KOp::var) && !is(c, KOp::var) && !(known(a) && known(b) && known(c))) {
    const KInstr x = instr(a), y = instr(b), z = instr(c);
    if (is_number(b, 1)) return add(a, c);
    if (is_number(b, -1)) return sub(c, a);
    if (is_number(c, -0.0)) return mul(a, b);
    const bool neg_a = x.op == KOp::neg, neg_b = y.op == KOp::neg;
    if (neg_a && neg_b) return fma(x.a, y.a, c);
    if (neg_a) return fnma(x.a, b, c);
    if (neg_b) return fnma(a, y.a, c);
    if (z.op == KOp::neg) return fms(a, b, z.a);
  }
  return append({.op = KOp::fma, .type = type(a), .a = a, .b = b, .c = c});
}

KernelBuilder::Value KernelBuilder::fnma(Value a, Value b, Value c) {
  if (known(a) != known(b) ? known(a) : a > b) std::swap(a, b);
  if (!is(a, KOp::var) && !is(b, KOp::var) && !is(c, KOp::var) && !(known(a) && known(b) && known(c))) {
    if (is_number(b, 1)) return sub(c, a);
    if (is_number(b, -1)) return add(c, a);
    if (is(a, KOp::neg)) return fma(instr(a).a, b, c);
    if (is(b, KOp::neg)) return fma(a, instr(b).a, c);
  }
  return append({.op = KOp::fnma, .type = type(a), .a = a, .b = b, .c = c});
}

KernelBuilder::Value KernelBuilder::fms(Value a, Value b, Value c) {
  if (known(a) != known(b) ? known(a) : a > b) std::swap(a, b);
  if (!is(a, KOp::var) && !is(b, KOp::var) && !is(c, KOp::var) && !(known(a) && known(b) && known(c))) {
    if (is_number(b, 1)) return sub(a, c);
    if (is_number(c, 0.0)) return mul(a, b);
    if (is(c, KOp::neg)) return fma(a, b, instr(c).a);
  }
  return append({.op = KOp::fms, .type = type(a), .a = a, .b = b, .c = c});
}

KernelBuilder::Value KernelBuilder::convert(KType t, Value a) {
  if (type(a) == t) return a;
  return append({.op = KOp::convert, .type = t, .a = a});
}

KernelBuilder::Value KernelBuilder::bitcast(KType t, Value a) {
  if (type(a) == t) return a;
  if (is(a, KOp::bitcast) && !is(instr(a).a, KOp::var)) return bitcast(t, instr(a).a);
  return append({.op = KOp::bitcast, .type = t, .a = a});
}

KernelBuilder::Value KernelBuilder::reduce(KOp how, Value a) {
  if (lanes() == 1 && !is(a, KOp::var)) return a;
  if (how == KOp::max && is_float(type(a))) return neg(reduce(KOp::min, neg(a)));
  return append({.op = KOp::reduce, .type = type(a), .aux = static_cast<uint16_t>(how), .a = a});
}

// ---- masks

KernelBuilder::Value KernelBuilder::cmp(KCmp how, Value a, Value b) {
  if (known(a) && !known(b)) {
    constexpr KCmp mirrored[] = {KCmp::eq, KCmp::ne, KCmp::gt, KCmp::ge, KCmp::lt, KCmp::le};
    std::swap(a, b);
    how = mirrored[static_cast<size_t>(how)];
  }
  return append({.op = KOp::cmp, .type = KType::mask, .aux = static_cast<uint16_t>(how), .a = a, .b = b});
}

KernelBuilder::Value KernelBuilder::mnot(Value a) {
  const KInstr x = instr(a);
  if (x.op == KOp::mnot && !is(x.a, KOp::var)) return x.a;
  // Of the ordered comparisons only these two complement each other where an operand is NaN.
  if (x.op == KOp::cmp && !is(x.a, KOp::var) && !is(x.b, KOp::var) && x.aux <= static_cast<int>(KCmp::ne))
    return cmp(x.aux == static_cast<int>(KCmp::eq) ? KCmp::ne : KCmp::eq, x.a, x.b);
  return append({.op = KOp::mnot, .type = KType::mask, .a = a});
}

KernelBuilder::Value KernelBuilder::select(Value mask, Value a, Value b) {
  if (!is(mask, KOp::var) && !is(a, KOp::var) && !is(b, KOp::var)) {
    if (is(mask, KOp::mask_const)) return instr(mask).imm ? a : b;
    if (a == b) return a;
    if (is(mask, KOp::mnot)) return select(instr(mask).a, b, a);
    if (type(a) == KType::mask) {
      if (is(a, KOp::mask_const)) return instr(a).imm ? mor(mask, b) : mand(mnot(mask), b);
      if (is(b, KOp::mask_const)) return instr(b).imm ? mor(mnot(mask), a) : mand(mask, a);
    }
  }
  return append({.op = KOp::select, .type = type(a), .a = mask, .b = a, .c = b});
}

// ---- exits

KernelBuilder::Value KernelBuilder::fixup(KFn fn, Value fast, Value x, Value where, Value y) {
  if (is(where, KOp::mask_const) && instr(where).imm == 0) return fast;
  return append(
      {.op = KOp::fixup, .type = type(fast), .aux = static_cast<uint16_t>(fn), .a = fast, .b = x, .c = where, .d = y});
}

void KernelBuilder::check(int64_t error, Value where, Value reported, Value element, Value step) {
  if (is(where, KOp::mask_const) && instr(where).imm == 0) return;
  auto absent = [&](Value v, int64_t number) { return v != kNone && is(v, KOp::iconst) && instr(v).imm == number; };
  append({.op = KOp::check,
          .a = where,
          .b = reported,
          .c = absent(element, 0) ? kNone : element,
          .d = absent(step, 1) ? kNone : step,
          .imm = error});
}

}  // namespace jot::cpu
