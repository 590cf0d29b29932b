// The meaning of kernel IR, in plain C++.
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "backends/cpu/kernel/kernel_ir.h"
#include "backends/cpu/kernel/math.h"
#include "backends/cpu/kernel/math_rows.h"
#include "ir/ops/total.h"
#include "jot/error.h"
#include "jot/half.h"

namespace jot::cpu {
namespace {

template <class T>
using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
template <class T>
T from_bits(uint64_t bits) {
  return std::bit_cast<T>(static_cast<Bits<T>>(bits));
}
template <class T>
uint64_t to_bits(T value) {
  return std::bit_cast<Bits<T>>(value);
}

// Calls fn with a value of the C++ type of a vector element.
template <class Fn>
uint64_t with_type(KType type, Fn fn) {
  switch (type) {
    case KType::i32:
      return fn(int32_t{});
    case KType::i64:
      return fn(int64_t{});
    case KType::f32:
      return fn(float{});
    case KType::f64:
      return fn(double{});
    case KType::none:
    case KType::scalar:
    case KType::mask:
      break;
  }
  internal_error("not a vector type", name(type));
}

// As the x86 conversions: what does not fit gives the least integer.
template <class Int, class Float>
Int truncate(Float x) {
  constexpr Float limit = -static_cast<Float>(std::numeric_limits<Int>::min());
  // Between -limit - 1 and -limit a truncated value still fits.
  if (!(std::trunc(x) >= -limit && x < limit)) return std::numeric_limits<Int>::min();
  return static_cast<Int>(x);
}

template <class To, class From>
To convert(From x) {
  if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>)
    return truncate<To>(x);
  else
    return static_cast<To>(x);
}

template <class T>
bool compare(KCmp how, T a, T b) {
  switch (how) {
    case KCmp::eq:
      return a == b;
    case KCmp::ne:
      return a != b;
    case KCmp::lt:
      return a < b;
    case KCmp::le:
      return a <= b;
    case KCmp::gt:
      return a > b;
    case KCmp::ge:
      return a >= b;
  }
  return false;
}

template <class T>
uint64_t evaluate_float(const KInstr& in, T a, T b, T c) {
  constexpr uint64_t sign = uint64_t{1} << (8 * sizeof(T) - 1);
  switch (in.op) {
    case KOp::add:
      return to_bits<T>(a + b);
    case KOp::sub:
      return to_bits<T>(a - b);
    case KOp::mul:
      return to_bits<T>(a * b);
    case KOp::div:
      return to_bits<T>(a / b);
    case KOp::fma:
      return to_bits<T>(std::fma(a, b, c));
    case KOp::fnma:
      return to_bits<T>(std::fma(-a, b, c));
    case KOp::fms:
      return to_bits<T>(std::fma(a, b, -c));
    case KOp::min:
      return to_bits<T>(a < b ? a : b);
    case KOp::max:
      return to_bits<T>(a > b ? a : b);
    case KOp::sqrt:
      return to_bits<T>(std::sqrt(a));
    case KOp::neg:
      return to_bits<T>(a) ^ sign;
    case KOp::abs:
      return to_bits<T>(a) & ~sign;
    case KOp::round:
      return to_bits<T>(in.aux == 0   ? std::nearbyint(a)
                        : in.aux == 1 ? std::floor(a)
                        : in.aux == 2 ? std::ceil(a)
                                      : std::trunc(a));
    case KOp::round_half:
      return to_bits<T>(static_cast<T>(ir::f32_from_f16(ir::f16_from_f32(static_cast<float>(a)))));
    case KOp::is_nan:
      return a != a;
    default:
      internal_error("not an op on floats", info(in.op).name);
  }
}

template <class T>
uint64_t evaluate_int(const KInstr& in, T sa, T sb) {
  using U = std::make_unsigned_t<T>;
  const U a = static_cast<U>(sa), b = static_cast<U>(sb);
  constexpr U width = 8 * sizeof(T);
  switch (in.op) {
    case KOp::add:
      return static_cast<U>(a + b);
    case KOp::sub:
      return static_cast<U>(a - b);
    case KOp::mul:
      return static_cast<U>(a * b);
    case KOp::min:
      return sa < sb ? a : b;
    case KOp::max:
      return sa > sb ? a : b;
    case KOp::neg:
      return static_cast<U>(-a);
    case KOp::abs:
      return sa < 0 ? static_cast<U>(-a) : a;
    case KOp::shl:
      return static_cast<U>(a << in.imm);
    case KOp::shr:
      return a >> in.imm;
    case KOp::sar:
      return static_cast<U>(sa >> in.imm);
    case KOp::shlv:
      return b < width ? static_cast<U>(a << b) : U{0};
    case KOp::shrv:
      return b < width ? a >> b : U{0};
    case KOp::sarv:
      return static_cast<U>(sa >> (b < width ? b : width - 1));
    case KOp::mulu32:
      return (uint64_t{a} & 0xffffffff) * (uint64_t{b} & 0xffffffff);
    case KOp::popcnt:
      return static_cast<uint64_t>(std::popcount(a));
    default:
      internal_error("not an op on integers", info(in.op).name);
  }
}

uint64_t combine_lanes(const KInstr& in, uint64_t x, uint64_t y) {
  const auto how = static_cast<KOp>(in.aux);
  if (how != KOp::min && how != KOp::max) return evaluate({.op = how, .type = in.type}, in.type, x, y, 0);
  return with_type(in.type, [&]<class T>(T) {
    const T a = from_bits<T>(x), b = from_bits<T>(y);
    return to_bits<T>(how == KOp::min ? ir::extremum<false>(a, b) : ir::extremum<true>(a, b));
  });
}

uint64_t reduce(const KInstr& in, std::vector<uint64_t> x) {
  for (size_t n = x.size() / 2; n > 0; n /= 2)
    for (size_t i = 0; i < n; ++i) x[i] = combine_lanes(in, x[i], x[i + n]);
  return x[0];
}

uint64_t read(const KInstr& in, const std::byte* at) {
  if (in.type == KType::mask) return *at != std::byte{0};
  uint64_t bits = 0;
  std::memcpy(&bits, at, static_cast<size_t>(bytes_in_memory(in)));
  return in.memory == KMem::half ? to_bits(ir::f32_from_f16(static_cast<uint16_t>(bits))) : bits;
}
void write(const KInstr& in, std::byte* at, uint64_t bits) {
  if (in.memory == KMem::half) bits = ir::f16_from_f32(from_bits<float>(bits));
  std::memcpy(at, &bits, static_cast<size_t>(bytes_in_memory(in)));
}

int64_t signed_lane(KType type, uint64_t bits) {
  return type == KType::i32 ? static_cast<int32_t>(bits) : static_cast<int64_t>(bits);
}

class Interpreter {
 public:
  Interpreter(const Kernel& kernel, const int64_t* args, int64_t begin, int64_t end)
      : k_(kernel), lanes_(static_cast<size_t>(kernel.lanes)), args_(args), begin_(begin), end_(end) {
    values_.resize(k_.instrs.size() * lanes_);
    close_.resize(k_.instrs.size());
    for (uint32_t i = 0; i < k_.instrs.size(); ++i)
      if (k_.instrs[i].op == KOp::endloop) close_[k_.instrs[i].a] = i;
  }

  uint64_t run(uint64_t input = 0) {
    live_ = lanes_;
    for (uint32_t pc = 0; pc < k_.instrs.size();) {
      const KInstr& in = k_.instrs[pc];
      if (is_loop(in.op)) {
        pc = enter(pc, in.op == KOp::range || in.op == KOp::vrange ? begin_ : 0);
      } else if (in.op == KOp::endloop) {
        pc = enter(in.a, scalar(in.a) + k_.step(k_.instrs[in.a]));
      } else if (in.op == KOp::input) {
        lane(pc++, 0) = input;
      } else if (in.op == KOp::output) {
        return lane(in.a, 0);
      } else {
        step(pc++);
      }
    }
    return 0;
  }

 private:
  uint64_t& lane(uint32_t v, size_t l) { return values_[v * lanes_ + l]; }
  int64_t scalar(uint32_t v) { return static_cast<int64_t>(values_[v * lanes_]); }
  KType type(uint32_t v) const { return k_.instrs[v].type; }

  // The next instruction when the loop at `pc` is to start the turn with index `index`.
  uint32_t enter(uint32_t pc, int64_t index) {
    const KInstr& in = k_.instrs[pc];
    const int64_t limit = in.op == KOp::range || in.op == KOp::vrange ? end_ : scalar(in.a);
    lane(pc, 0) = static_cast<uint64_t>(index);
    if (is_vector_loop(in.op)) live_ = lanes_;
    if (index >= limit || (in.op == KOp::wloop && scalar(in.b) == 0)) return close_[pc] + 1;
    if (is_vector_loop(in.op) && limit - index < k_.lanes) live_ = static_cast<size_t>(limit - index);
    return pc + 1;
  }

  // Address of element `lane_offset` behind the instruction's address.
  std::byte* address(const KInstr& in, int64_t lane_offset) {
    int64_t elements = (in.b == kNone ? 0 : scalar(in.b)) + lane_offset;
    return reinterpret_cast<std::byte*>(scalar(in.a) + elements * bytes_in_memory(in) + in.imm);
  }
  int64_t lane_offset(const KInstr& in, size_t l) {
    switch (in.op) {
      case KOp::load:
      case KOp::store:
        return static_cast<int64_t>(l);
      case KOp::gather:
      case KOp::scatter:
        return signed_lane(type(in.c), lane(in.c, l));
      case KOp::load_strided:
      case KOp::store_strided:
      case KOp::load_rows:
      case KOp::store_rows:
        return static_cast<int64_t>(l) * scalar(in.c);
      default:
        return 0;
    }
  }

  void memory(uint32_t pc) {
    const KInstr& in = k_.instrs[pc];
    const size_t lanes = in.op == KOp::load_one || in.op == KOp::store_one ? 1
                         : in.op == KOp::load_bcast                        ? lanes_
                                                                           : live_;
    const uint32_t rows = in.op == KOp::load_rows || in.op == KOp::store_rows ? in.aux : 1;
    for (uint32_t j = 0; j < rows; ++j)
      for (size_t l = 0; l < lanes_; ++l) {
        const bool live = l < lanes;
        if (info(in.op).kind != KKind::effect)
          lane(pc + j, l) = live ? read(in, address(in, lane_offset(in, l) + j)) : 0;
        else if (live)
          write(in, address(in, lane_offset(in, l) + j), lane(in.op == KOp::store_rows ? k_.lists[in.d + j] : in.d, l));
      }
  }

  void scalar_op(uint32_t pc) {
    const KInstr& in = k_.instrs[pc];
    auto value = [&](uint32_t v) { return static_cast<uint64_t>(scalar(v)); };
    uint64_t& out = lane(pc, 0);
    switch (in.op) {
      case KOp::arg:
        out = static_cast<uint64_t>(args_[in.imm]);
        return;
      case KOp::iconst:
        out = static_cast<uint64_t>(in.imm);
        return;
      case KOp::iadd:
        out = value(in.a) + value(in.b);
        return;
      case KOp::isub:
        out = value(in.a) - value(in.b);
        return;
      case KOp::imul:
        out = value(in.a) * value(in.b);
        return;
      case KOp::imuli:
        out = value(in.a) * static_cast<uint64_t>(in.imm);
        return;
      case KOp::imin:
        out = static_cast<uint64_t>(std::min(scalar(in.a), scalar(in.b)));
        return;
      default:
        internal_error("not a scalar op", info(in.op).name);
    }
  }

  void check(const KInstr& in) {
    auto* error = reinterpret_cast<KernelError*>(args_[0]);
    for (size_t l = 0; l < live_; ++l)
      if (lane(in.a, l))
        error->record(in.imm,
                      (in.c == kNone ? 0 : scalar(in.c)) + (in.d == kNone ? 1 : scalar(in.d)) * static_cast<int64_t>(l),
                      signed_lane(type(in.b), lane(in.b, l)));
  }

  void fixup(uint32_t pc) {
    const KInstr& in = k_.instrs[pc];
    const auto fn = static_cast<KFn>(in.aux);
    const auto bytes = static_cast<size_t>(bytes_of(in.type));
    std::optional<Kernel> rare;
    for (size_t l = 0; l < lanes_; ++l) {
      uint64_t &result = lane(pc, l), x = lane(in.b, l), y = in.d == kNone ? 0 : lane(in.d, l);
      if (!lane(in.c, l) || l >= live_) {
        result = lane(in.a, l);
      } else if (!has_rare_kernel(fn)) {
        result = by_rule(fn, in.type, x, y);
      } else {
        if (!rare) rare = rare_kernel(fn, in.type, 1);
        uint64_t made = 0;
        auto address = [](const void* p) { return static_cast<int64_t>(reinterpret_cast<intptr_t>(p)); };
        const int64_t args[] = {0, address(&x), address(&y), address(&made)};
        Interpreter(*rare, args, 0, 1).run();
        std::memcpy(&(result = 0), &made, bytes);
      }
    }
  }

  void step(uint32_t pc) {
    const KInstr& in = k_.instrs[pc];
    const size_t n = lanes_;
    switch (in.op) {
      case KOp::load:
      case KOp::load_bcast:
      case KOp::load_strided:
      case KOp::load_one:
      case KOp::load_rows:
      case KOp::gather:
      case KOp::store:
      case KOp::store_strided:
      case KOp::store_rows:
      case KOp::store_one:
      case KOp::scatter:
        return memory(pc);
      case KOp::copy:
        std::memcpy(address(in, 0), reinterpret_cast<const void*>(scalar(in.c)),
                    live_ * in.aux * static_cast<size_t>(bytes_of(in.type)));
        return;
      case KOp::row:
        return;  // written by its load
      case KOp::lane_index:
        for (size_t l = 0; l < n; ++l) lane(pc, l) = l;
        return;
      case KOp::broadcast:
        for (size_t l = 0; l < n; ++l) lane(pc, l) = in.type == KType::i32 ? lane(in.a, 0) & 0xffffffff : lane(in.a, 0);
        return;
      case KOp::reduce: {
        auto* first = &lane(in.a, 0);
        uint64_t r = reduce(in, std::vector<uint64_t>(first, first + n));
        for (size_t l = 0; l < n; ++l) lane(pc, l) = r;
        return;
      }
      case KOp::var:
        for (size_t l = 0; l < n; ++l) lane(pc, l) = lane(in.a, l);
        return;
      case KOp::set:
        for (size_t l = 0; l < live_; ++l) lane(in.a, l) = lane(in.b, l);
        return;
      case KOp::fixup:
        return fixup(pc);
      case KOp::call:
        for (size_t l = 0; l < n; ++l)
          lane(pc, l) = Interpreter(routine_body(static_cast<KFn>(in.aux), in.type), nullptr, 0, 0).run(lane(in.a, l));
        return;
      case KOp::check:
        return check(in);
      case KOp::any:
        lane(pc, 0) = 0;
        for (size_t l = 0; l < live_; ++l) lane(pc, 0) |= lane(in.a, l);
        return;
      default:
        if (in.type == KType::scalar) return scalar_op(pc);
        for (size_t l = 0; l < n; ++l)
          lane(pc, l) = evaluate(in, in.a == kNone ? KType::none : type(in.a), in.a == kNone ? 0 : lane(in.a, l),
                                 in.b == kNone ? 0 : lane(in.b, l), in.c == kNone ? 0 : lane(in.c, l));
    }
  }

  const Kernel& k_;
  size_t lanes_, live_ = 1;
  const int64_t* args_;
  int64_t begin_, end_;
  std::vector<uint64_t> values_;  // lanes of each value, as bits; scalars in lane 0
  std::vector<uint32_t> close_;   // of each loop
};

}  // namespace

uint64_t evaluate(const KInstr& in, KType from, uint64_t a, uint64_t b, uint64_t c) {
  switch (in.op) {
    case KOp::constant:
    case KOp::mask_const:
      return static_cast<uint64_t>(in.imm);
    case KOp::andv:
    case KOp::mand:
      return a & b;
    case KOp::orv:
    case KOp::mor:
      return a | b;
    case KOp::xorv:
    case KOp::mxor:
      return a ^ b;
    case KOp::andnot:
      return ~a & b;
    case KOp::mnot:
      return a ^ 1;
    case KOp::bitcast:
    case KOp::mask_to_int:
      return a;
    case KOp::select:
      return a ? b : c;
    case KOp::table_index:
      return a % kRowEntries;
    case KOp::lookup:
      return row_bits(in.type, in.imm, a);
    case KOp::cmp:
      return with_type(from, [&]<class T>(T) -> uint64_t {
        return compare(static_cast<KCmp>(in.aux), from_bits<T>(a), from_bits<T>(b));
      });
    case KOp::convert:
      return with_type(from, [&]<class From>(From) {
        return with_type(in.type, [&]<class To>(To) { return to_bits<To>(convert<To>(from_bits<From>(a))); });
      });
    default:
      break;
  }
  return with_type(from, [&]<class T>(T) -> uint64_t {
    if constexpr (std::is_integral_v<T>)
      return evaluate_int<T>(in, from_bits<T>(a), from_bits<T>(b));
    else
      return evaluate_float<T>(in, from_bits<T>(a), from_bits<T>(b), from_bits<T>(c));
  });
}

void interpret(const Kernel& kernel, const int64_t* args, int64_t begin, int64_t end) {
  Interpreter(kernel, args, begin, end).run();
}

}  // namespace jot::cpu
