// Functions, loops, scalars, variables, exits.
#include "backends/cpu/emit/emit.h"

#include <algorithm>
#include <optional>

#include "backends/cpu/emit/emitter.h"
#include "backends/cpu/kernel/combine_gathers.h"
#include "backends/cpu/kernel/math.h"
#include "ir/env.h"
#include "jot/error.h"

namespace jot::cpu {
namespace {

constexpr uint32_t kAllGprs = 0x3fef;  // all but rsp, r14 and r15
constexpr uint32_t kCalleeSaved[] = {3, 5, 12, 13, 14, 15};

// Routines use few registers: all others survive a call.
constexpr uint32_t kRoutineGprs = 0x7, kRoutineVectors = 0xff, kRoutineMasks = 0x0e;

RegisterModel model(const CodeUnit& unit, const Kernel& kernel, bool routine) {
  RegisterModel m;
  m.lanes = kernel.lanes;
  m.mask_registers = unit.avx512;
  m.allowed = {kAllGprs, unit.avx512 ? 0xffffffff : 0xffff, unit.avx512 ? 0xfe & ~(1u << kTailMask) : 0};
  if (routine) {
    m.allowed[kGpr] &= kRoutineGprs;
    m.allowed[kVector] &= kRoutineVectors;
    m.allowed[kMask] &= kRoutineMasks;
  }
  m.preferred = m.allowed;
  if (!routine)
    for (const CodeUnit::Routine& r : unit.routines)
      for (size_t f = 0; f < kFiles; ++f) m.preferred[f] &= ~r.clobbers[f];
  return m;
}

void emit_routines(CodeUnit& unit, const Kernel& kernel) {
  for (const KInstr& in : kernel.instrs) {
    if (in.op != KOp::call) continue;
    const auto fn = static_cast<KFn>(in.aux);
    if (std::ranges::any_of(unit.routines, [&](const auto& r) { return r.fn == fn && r.type == in.type; })) continue;
    CodeUnit::Routine routine{fn, in.type, unit.as.label(), {}};
    unit.as.align(16, false);
    unit.mark(kNone, name(fn));
    unit.as.bind(routine.label);
    Emitter emitter(unit, routine_body(fn, in.type), true);
    emitter.run();
    for (RegisterFile f : {kGpr, kVector, kMask}) routine.clobbers[f] = emitter.touched(f);
    unit.routines.push_back(routine);
  }
}

}  // namespace

EmittedCode emit(const Kernel& given, Target target, bool log, PlantedBug bug) {
  std::vector<uint32_t> numbers;
  const std::optional<Kernel> combined = combine_gathers(given, numbers);
  const Kernel& kernel = combined ? *combined : given;
  const int widest = target == Target::avx512 ? 16 : 8;
  if (kernel.lanes != 1 && kernel.lanes != widest && kernel.lanes != widest / 2)
    internal_error("a kernel has as many lanes as the target", std::to_string(kernel.lanes));
  CodeUnit unit(target, log, log || env().verify, bug);
  if (combined) unit.numbers = std::move(numbers);
  emit_routines(unit, kernel);
  unit.frame.keep();
  unit.as.align(16, false);
  EmittedCode out;
  out.entry = unit.as.size();
  Emitter(unit, kernel, false).run();
  unit.finish();
  std::span<const std::byte> code = unit.as.finish();
  out.bytes.assign(code.begin(), code.end());
  out.spill_bytes = unit.frame.size();
  if (log) out.log = unit.as.log();
  out.marks = std::move(unit.marks);
  return out;
}

Emitter::Emitter(CodeUnit& unit, const Kernel& kernel, bool routine)
    : unit_(unit),
      as_(unit.as),
      k_(kernel),
      routine_(routine),
      avx512_(unit.avx512),
      lanes_(kernel.lanes),
      model_(model(unit, kernel, routine)),
      al_(kernel, model_, unit.frame, *this) {}

void Emitter::run() {
  if (!routine_) {
    unit_.mark(kNone, "entry");
    for (uint32_t r : kCalleeSaved) as_.emit(Isa::push, x86::gpq(r));
    as_.emit(Isa::mov, kArgs, x86::rdi);
    as_.emit(Isa::mov, kSpill, x86::rcx);
    as_.emit(Isa::mov, spill(unit_.begin_slot), x86::rsi);
    as_.emit(Isa::mov, spill(unit_.end_slot), x86::rdx);
  }
  const auto n = static_cast<uint32_t>(k_.instrs.size());
  for (uint32_t i = 0; i < n;) {
    if (!routine_) unit_.mark(unit_.numbers.empty() ? i : unit_.numbers[i], info(in(i).op).name);
    if (is_loop(in(i).op)) {
      open_loop(i++);
    } else if (in(i).op == KOp::endloop) {
      i = close_loop(i);
    } else {
      instruction(i++);
    }
  }
  if (!routine_) {
    unit_.mark(kNone, "exit");
    if (std::ranges::any_of(k_.instrs, &KInstr::streams)) as_.emit(Isa::sfence);
    as_.emit(Isa::vzeroupper);
    for (auto r = std::rbegin(kCalleeSaved); r != std::rend(kCalleeSaved); ++r) as_.emit(Isa::pop, x86::gpq(*r));
  }
  as_.emit(Isa::ret);
}

void Emitter::instruction(uint32_t i) {
  const KOp op = in(i).op;
  if (al_.liveness().dead(i) || op == KOp::row || al_.rematerialised(i)) return;
  al_.begin(i);
  dispatch(i);
  al_.end();
}

void Emitter::dispatch(uint32_t i) {
  switch (in(i).op) {
    case KOp::iadd:
    case KOp::isub:
    case KOp::imul:
    case KOp::imuli:
    case KOp::imin:
      return scalar(i);
    case KOp::load:
    case KOp::load_one:
      return load_op(i);
    case KOp::load_bcast:
      return load_bcast(i);
    case KOp::load_strided:
      return load_strided(i);
    case KOp::gather:
      return gather(i);
    case KOp::load_rows:
      return load_rows(i);
    case KOp::store:
    case KOp::store_one:
      return store_op(i);
    case KOp::store_strided:
      return store_strided(i);
    case KOp::scatter:
      return scatter(i);
    case KOp::store_rows:
      return store_rows(i);
    case KOp::copy:
      return copy(i);
    case KOp::broadcast:
      return broadcast(i);
    case KOp::add:
    case KOp::sub:
    case KOp::mul:
    case KOp::div:
    case KOp::min:
    case KOp::max:
    case KOp::andv:
    case KOp::orv:
    case KOp::xorv:
    case KOp::andnot:
    case KOp::mulu32:
      return binary(i);
    case KOp::fma:
    case KOp::fnma:
    case KOp::fms:
      return fma(i);
    case KOp::sqrt:
    case KOp::neg:
    case KOp::abs:
    case KOp::round:
      return unary(i);
    case KOp::round_half:
      return round_half(i);
    case KOp::shl:
    case KOp::shr:
    case KOp::sar:
    case KOp::shlv:
    case KOp::shrv:
    case KOp::sarv:
      return shift(i);
    case KOp::table_index:
      return table_index(i);
    case KOp::lookup:
      return lookup(i);
    case KOp::popcnt:
      return popcnt(i);
    case KOp::convert:
      return convert(i);
    case KOp::bitcast:  // of a variable
    case KOp::var:
      al_.define_from(i, al_.root(in(i).a));
      return;
    case KOp::cmp:
    case KOp::is_nan:
      return compare(i);
    case KOp::select:
      return select(i);
    case KOp::mand:
    case KOp::mor:
    case KOp::mxor:
    case KOp::mnot:
      return mask_logic(i);
    case KOp::any:
      return any(i);
    case KOp::mask_to_int:
      return mask_to_int(i);
    case KOp::reduce:
      return reduce(i);
    case KOp::set:
      return set(i);
    case KOp::fixup:
      return fixup(i);
    case KOp::call:
      return call(i);
    case KOp::check:
      return check(i);
    case KOp::input:
      return al_.define_at(i, 0);
    case KOp::output:
      if (const uint32_t result = al_.root(in(i).a); al_.reg(result) != 0) al_.copy(result, 0);
      return;
    default:
      internal_error("an instruction of the kernel IR", info(in(i).op).name);
  }
}

// ---- loops

void Emitter::open_loop(uint32_t i) {
  const KInstr& d = in(i);
  OpenLoop loop{.begin = i, .head = as_.label(), .tail = as_.label(), .done = as_.label()};
  const bool of_call = d.op == KOp::range || d.op == KOp::vrange;
  loop.vector = is_vector_loop(d.op) && d.op != KOp::gloop && lanes_ > 1;
  const int back = loop.vector ? lanes_ : 0;  // a full turn starts at most `back` before the end
  if (!of_call && in(d.a).op == KOp::iconst && in(d.a).imm == static_cast<int32_t>(in(d.a).imm))
    loop.count = std::max<int64_t>(in(d.a).imm, 0);
  al_.begin(i);
  if (loop.count < 0) {
    loop.end_slot = of_call ? unit_.end_slot : unit_.frame.allocate(8);
    int end = -1;
    if (!of_call) {
      end = use(d.a);
      as_.emit(Isa::mov, spill(loop.end_slot), G(end));
    }
    if (back > 0) {
      loop.limit_slot = unit_.frame.allocate(8);
      const int t = temp_gpr();
      if (of_call) {
        as_.emit(Isa::mov, G(t), spill(unit_.end_slot));
        end = t;
      }
      as_.emit(Isa::lea, G(t), x86::ptr(G(end), -back));
      as_.emit(Isa::mov, spill(loop.limit_slot), G(t));
    } else {
      loop.limit_slot = loop.end_slot;
    }
  }
  al_.end();
  al_.enter_loop(i);
  const int index = al_.reg(i);
  if (of_call)
    as_.emit(Isa::mov, G(index), spill(unit_.begin_slot));
  else
    as_.emit(Isa::xor_, E(index), E(index));
  if (loop.count < 0) {
    as_.emit(Isa::cmp, G(index), spill(loop.limit_slot));
    as_.emit(back > 0 ? Isa::jg : Isa::jge, back > 0 ? loop.tail : loop.done);
  } else if (loop.count < std::max(back, 1)) {
    as_.emit(Isa::jmp, back > 0 ? loop.tail : loop.done);
  }
  if (d.op == KOp::wloop) {
    test_scalar(d.b);
    as_.emit(Isa::je, loop.done);
  }
  if (is_vector_loop(d.op) && lanes_ > 1) as_.align(16, false);
  as_.bind(loop.head);
  loops_.push_back(loop);
}

// Behind the end of a body: the next position to emit.
uint32_t Emitter::close_loop(uint32_t i) {
  const OpenLoop loop = loops_.back();
  const bool again = loop.vector && !tail_, last = loop.vector && tail_;
  al_.end_body(again);
  if (!last) {
    const x86::Gp index = G(al_.reg(loop.begin));
    as_.emit(Isa::add, index, asmjit::Imm(k_.step(in(loop.begin))));
    if (loop.count >= 0)
      as_.emit(Isa::cmp, index, asmjit::Imm(loop.vector ? loop.count - lanes_ : loop.count));
    else
      as_.emit(Isa::cmp, index, spill(loop.limit_slot));
    if (in(loop.begin).op == KOp::wloop) {
      as_.emit(Isa::jge, loop.done);
      test_scalar(in(loop.begin).b);
      as_.emit(Isa::jne, loop.head);
    } else {
      as_.emit(loop.vector ? Isa::jle : Isa::jl, loop.head);
    }
  }
  if (again) {
    begin_tail(loop.begin);
    return loop.begin + 1;
  }
  if (last) {
    tail_ = false;
    al_.set_tail(false);
  }
  as_.bind(loop.done);
  al_.leave_loop();
  loops_.pop_back();
  if (loop.limit_slot >= 0 && loop.limit_slot != loop.end_slot) unit_.frame.release(loop.limit_slot, 8);
  if (loop.end_slot >= 0 && loop.end_slot != unit_.end_slot) unit_.frame.release(loop.end_slot, 8);
  return i + 1;
}

void Emitter::begin_tail(uint32_t begin) {
  const OpenLoop& loop = loops_.back();
  as_.bind(loop.tail);
  tail_ = true;
  al_.set_tail(true);
  const int index = al_.reg(begin);
  if (loop.count >= 0)
    as_.emit(Isa::cmp, G(index), asmjit::Imm(loop.count));
  else
    as_.emit(Isa::cmp, G(index), spill(loop.end_slot));
  as_.emit(Isa::jge, loop.done);
  // From here on registers may be evicted: `done` wants the state of the loop's head, which end_body restores.
  const int live = temp_gpr();
  if (loop.count >= 0)
    as_.emit(Isa::mov, G(live), asmjit::Imm(loop.count));
  else
    as_.emit(Isa::mov, G(live), spill(loop.end_slot));
  as_.emit(Isa::sub, G(live), G(index));
  as_.emit(Isa::mov, spill(unit_.live_slot), G(live));
  if (unit_.bug == PlantedBug::lost_tail_mask) as_.emit(Isa::mov, G(live), asmjit::Imm(lanes_));
  if (avx512_) {
    const int bits = temp_gpr();
    as_.emit(Isa::mov, G(bits), asmjit::Imm(-1));
    as_.emit(Isa::bzhi, E(bits), E(bits), E(live));
    as_.emit(Isa::kmovw, K(kTailMask), E(bits));
  } else {
    if (unit_.tail_slot < 0) {
      unit_.tail_slot = unit_.frame.allocate(32);
      unit_.narrow_tail_slot = unit_.frame.allocate(16);
    }
    const bool wide = mask_bytes() == 8;
    const std::string lanes = packed(lanes_, mask_bytes(), [](int l) { return l; });
    const int t = temp();
    as_.emit(Isa::vmovq, X(t), G(live));
    as_.emit(wide ? Isa::vpbroadcastq : Isa::vpbroadcastd, Y(t), X(t));
    as_.emit(wide ? Isa::vpcmpgtq : Isa::vpcmpgtd, Y(t), Y(t), unit_.data(lanes, 32));
    as_.emit(Isa::vmovups, spill(unit_.tail_slot), Y(t));
    if (wide) {
      const int high = temp();
      as_.emit(Isa::vextractf128, X(high), Y(t), asmjit::Imm(1));
      as_.emit(Isa::vshufps, X(t), X(t), X(high), asmjit::Imm(0x88));
      as_.emit(Isa::vmovups, spill(unit_.narrow_tail_slot), X(t));
    }
  }
  al_.end();
}

// ---- scalars

void Emitter::scalar(uint32_t i) {
  const KInstr& d = in(i);
  const uint32_t a = al_.root(d.a);
  if (d.op == KOp::imuli) {
    const int r = use(a);
    if (d.imm == static_cast<int32_t>(d.imm)) {
      al_.release_operands();
      return as_.emit(Isa::imul, G(al_.define(i)), G(r), asmjit::Imm(d.imm));
    }
    const int t = temp_gpr();
    as_.emit(Isa::mov, G(t), asmjit::Imm(d.imm));
    as_.emit(Isa::imul, G(t), G(r));
    return al_.adopt(i, t);
  }
  if (d.op == KOp::iadd) {
    // Sums need not overwrite an operand.
    uint32_t x = a, y = al_.root(d.b);
    if (in(x).op == KOp::iconst) std::swap(x, y);
    const int rx = use(x);
    const asmjit::Operand source = scalar_source(y);
    if (!source.isMem()) {
      al_.release_operands();
      const int r = al_.define(i);
      const x86::Mem sum = source.isImm() ? x86::ptr(G(rx), source.as<asmjit::Imm>().valueAs<int32_t>())
                                          : x86::ptr(G(rx), source.as<x86::Gp>());
      return as_.emit(Isa::lea, G(r), sum);
    }
    const int r = al_.define_from(i, x);
    return as_.emit(Isa::add, G(r), source);
  }
  asmjit::Operand source = scalar_source(d.b);
  if (source.isImm() && d.op != KOp::isub) source = G(use(d.b));
  const int r = al_.define_from(i, a);
  switch (d.op) {
    case KOp::isub:
      return as_.emit(Isa::sub, G(r), source);
    case KOp::imul:
      return as_.emit(Isa::imul, G(r), source);
    case KOp::imin:
      as_.emit(Isa::cmp, G(r), source);
      return as_.emit(Isa::cmovg, G(r), source);
    default:
      internal_error("a scalar instruction", info(d.op).name);
  }
}

// ---- variables

void Emitter::set(uint32_t i) {
  const KInstr& d = in(i);
  const KType t = type(d.a);
  if (!tail_ || t == KType::scalar) return al_.set(d.a, al_.root(d.b));
  if (al_.root(d.b) == d.a) return;
  const int from = use(d.b), to = al_.use_for_update(d.a);
  if (t == KType::mask && avx512_) {
    const int old = al_.temporary(kMask);
    as_.emit(Isa::kandnw, K(old), K(kTailMask), K(to));
    as_.emit(Isa::kandw, K(to), K(kTailMask), K(from));
    as_.emit(Isa::korw, K(to), K(to), K(old));
  } else if (avx512_) {
    as_.masked(K(kTailMask), false).emit(pick(t, Isa::vmovapd, Isa::vmovaps), V(to, t), V(from, t));
  } else {
    as_.emit(Isa::vblendvps, V(to, t), V(to, t), V(from, t), V(tail_mask(t), t));
  }
}

// ---- exits

Location Emitter::location(uint32_t v) {
  v = al_.root(v);
  if (al_.reg(v) < 0 && al_.stored(v)) return Location::slot(al_.slot(v));
  return Location::reg(al_.use(v));
}

// Compares a variable with 0, where it is.
void Emitter::test_scalar(uint32_t v) {
  if (const int r = al_.reg(v); r >= 0) return as_.emit(Isa::test, G(r), G(r));
  x86::Mem m = spill(al_.slot(v));
  m.setSize(8);
  as_.emit(Isa::cmp, m, asmjit::Imm(0));
}

// Not zero: the mask holds in some live lane.
void Emitter::test_any(uint32_t mask) {
  const int m = use(mask);
  if (avx512_) {
    if (tail_) {
      as_.emit(lanes_ > 8 ? Isa::ktestw : Isa::ktestb, K(m), K(kTailMask));
    } else if (single()) {
      const int t = temp_gpr();
      as_.emit(Isa::kmovw, E(t), K(m));
      as_.emit(Isa::test, E(t), asmjit::Imm(1));
    } else {
      as_.emit(lanes_ > 8 ? Isa::kortestw : Isa::kortestb, K(m), K(m));
    }
  } else if (single()) {
    as_.emit(Isa::vptest, X(m), unit_.data(std::string(8, '\xff') + std::string(8, '\0'), 16));
  } else if (tail_) {
    as_.emit(Isa::vptest, Y(m), spill(unit_.tail_slot));
  } else {
    as_.emit(Isa::vptest, Y(m), Y(m));
  }
}

void Emitter::any(uint32_t i) {
  test_any(in(i).a);
  const int r = al_.define(i);
  as_.emit(Isa::setne, B(r));
  as_.emit(Isa::movzx, E(r), B(r));
}

void Emitter::branch_if_any(uint32_t mask, const ColdSite& site) {
  test_any(mask);
  unit_.branch_to_cold(Isa::jne, site);
}

void Emitter::fixup(uint32_t i) {
  const KInstr& d = in(i);
  ColdSite site{};
  site.fn = static_cast<KFn>(d.aux);
  site.type = d.type;
  site.tail = tail_;
  site.live = unit_.live_slot;
  site.mask_registers = avx512_;
  site.lanes = static_cast<uint8_t>(lanes_);
  site.mask_bytes = static_cast<uint8_t>(mask_bytes());
  site.operands = d.d == kNone ? 1 : 2;
  site.x = location(d.b);
  if (d.d != kNone) site.y = location(d.d);
  site.mask = Location::reg(use(d.c));
  site.result = Location::reg(al_.define_from(i, al_.root(d.a)));
  branch_if_any(d.c, site);
}

void Emitter::check(uint32_t i) {
  const KInstr& d = in(i);
  ColdSite site{};
  site.check = true;
  site.error = d.imm;
  site.type = type(d.b);
  site.tail = tail_;
  site.live = unit_.live_slot;
  site.mask_registers = avx512_;
  site.lanes = static_cast<uint8_t>(lanes_);
  site.mask_bytes = static_cast<uint8_t>(mask_bytes());
  site.operands = static_cast<uint8_t>(1 | (d.c != kNone ? 2 : 0) | (d.d != kNone ? 4 : 0));
  site.x = location(d.b);
  if (d.c != kNone) site.y = location(d.c);
  if (d.d != kNone) site.step = location(d.d);
  site.mask = Location::reg(use(d.a));
  branch_if_any(d.a, site);
}

void Emitter::call(uint32_t i) {
  if (k_.lanes != 1) internal_error("a call has one lane", cpu::name(static_cast<KFn>(in(i).aux)));
  const KInstr& d = in(i);
  const uint32_t a = al_.root(d.a);
  const CodeUnit::Routine& routine = unit_.routine(static_cast<KFn>(d.aux), d.type);
  use(a);
  for (RegisterFile f : {kGpr, kVector, kMask}) al_.clobber(f, routine.clobbers[f]);
  if (al_.reg(a) != 0) al_.copy(a, 0);
  al_.release_operands();
  as_.emit(Isa::call, routine.label);
  al_.define_at(i, 0);
}

}  // namespace jot::cpu
