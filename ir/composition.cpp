// Half floats inside a function that is composed of several ops. Each op on them rounds; what a function makes of them
// is rounded once, where it leaves. So while a function is composed, an op whose operands were made by it is emitted in
// f32, on what they were before they were rounded, and its result rounded; nobody needs the roundings in between. An op
// of given values alone stays as it is, until another asks for it in f32. What is moved, rather than computed, follows:
// given elements are widened first and then moved, so that in a derivative (call 0) all that is made of them comes
// together in f32.
//
// Bits, storages and regions are of half floats: bitcasts, copies, writes, what control ops take and return.
#include <algorithm>

#include "ir/builder_state.h"
#include "jot/small_array.h"

namespace jot::ir {
namespace {

bool takes_halves(Op op) {
  const OpClass c = info(op).op_class;
  return c == OpClass::control || c == OpClass::effect || op == Op::copy_op || op == Op::after_op ||
         op == Op::bitcast_op;
}

// Of a part of a tensor only that is widened, but in derivatives, to which the rest belongs; not where it is found by
// index, in a table that may be large.
bool moves_all(Op op, uint64_t call) {
  if (op == Op::slice_op || op == Op::dynamic_slice_op) return call == 0;
  return op == Op::where_op || (info(op).op_class == OpClass::movement && op != Op::gather_op);
}

// A list that may lie in the graph, which grows.
template <class T>
class Kept {
 public:
  explicit Kept(std::span<const T> list) { std::ranges::copy(list, kept_.extend(list.size())); }
  std::span<const T> span() const { return kept_.span(); }

 private:
  jot::detail::SmallArray<T, 8> kept_;
};

}  // namespace

void Builder::compose(uint64_t call) {
  Composition& c = state_->composition;
  if (call == 0 || call != c.of) c.begin();
  c.of = call;
  c.active = true;
}
void Builder::composed() { state_->composition.active = false; }
bool Builder::composing() const { return state_->composition.active; }

void Builder::rounded_from(Value v, Value wide) { state_->composition.set(v, wide, Composition::rounded); }
bool Builder::is_rounded(Value v) const { return composing() && state_->composition.kind(v) == Composition::rounded; }

void Builder::unround(Value v) {
  Composition& known = state_->composition;
  if (!known.active || !known.has_halves || !computes(op(v)) || takes_halves(op(v))) return;
  for (Value r = v; r < v + view_->results(v); ++r)
    if (is_half(dtype(r))) known.set(r, kNoValue, Composition::made);
}
void Builder::round(Value v) {
  Composition& known = state_->composition;
  if (known.active && known.kind(v) != Composition::given) known.set(v, kNoValue, Composition::given);
}

bool Builder::concerns_halves(Op op, std::span<const Value> operands, const AttrSource& attrs) const {
  if ((op == Op::convert_op || op == Op::iota_op) && is_half(AttrView(op, attrs.words).dtype())) return true;
  const Composition& known = state_->composition;
  if (!known.has_halves) return false;
  return std::ranges::any_of(operands, [&](Value o) { return is_half(dtype(o)) || known.knows(o); });
}

Value Builder::emit_composed(Op op, std::span<const Value> given, const AttrSource& attrs) {
  if (takes_halves(op)) return emit_narrow(op, given, attrs, false);
  Composition& known = state_->composition;
  auto convert = [&](Value v, DType to) { return emit_narrow(Op::convert_op, {&v, 1}, Attrs(to), false); };
  auto rounded = [&](Value wide, DType to) {
    const Value v = convert(wide, to);
    known.set(v, wide, Composition::rounded);
    return v;
  };
  // Of an equal node that was there already what is known stays.
  auto note = [&](Value v, Composition::Kind kind) {
    for (Value r = v; r < v + view_->results(v); ++r)
      if (is_half(dtype(r)) && !known.knows(r)) known.set(r, kNoValue, kind);
    return v;
  };
  bool made = op == Op::iota_op, wide = false;
  for (Value o : given) {
    const Composition::Kind kind = known.kind(o);
    made |= kind == Composition::made;
    wide |= kind == Composition::rounded || kind == Composition::beside;
  }
  if (op == Op::convert_op) {
    const DType to = AttrView(op, attrs.words).dtype();
    if (to == DType::f32) return widened(given[0]);
    const Value x = made || wide ? widened(given[0]) : given[0];
    return is_half(to) && dtype(x) == DType::f32 ? rounded(x, to) : note(convert(x, to), Composition::made);
  }
  const bool computing = computes(op) && op != Op::iota_op;
  if (!wide && !(made && computing)) {
    const Value v = emit_narrow(op, given, attrs, false);
    if (made || computing) return note(v, Composition::made);
    return moves_all(op, known.of) ? note(v, Composition::moved) : v;
  }
  auto half = std::ranges::find_if(given, [&](Value o) { return is_half(dtype(o)); });
  if (half == given.end()) return emit_wide(op, given, attrs);
  const Kept<Value> operands(given);
  const Kept<int64_t> words(attrs.words);
  const DType narrow = dtype(*half);
  const Value w = emit_wide(op, operands.span(), words.span());
  const uint32_t results = view_->results(w);
  if (results == 1) return dtype(w) == DType::f32 ? rounded(w, narrow) : w;
  const Value v = emit_narrow(op, operands.span(), words.span(), false);
  for (Value i = 0; i < results; ++i) known.set(v + i, w + i, Composition::beside);
  return v;
}

Value Builder::emit_wide(Op op, std::span<const Value> operands, const AttrSource& attrs) {
  const Kept<Value> narrow(operands);
  const Kept<int64_t> words(attrs.words);
  jot::detail::SmallArray<Value, 4> wide;
  for (Value o : narrow.span()) wide.push_back(widened(o));
  return emit_narrow(op, wide.span(), words.span(), false);
}

// v before it was rounded.
Value Builder::widened(Value v) {
  Composition& known = state_->composition;
  if (const Composition::Entry* e = known.find(v); e && e->wide != kNoValue) return e->wide;
  if (!is_half(dtype(v))) return v;
  auto convert = [&](Value x) { return emit_narrow(Op::convert_op, {&x, 1}, Attrs(DType::f32), false); };
  if (known.kind(v) == Composition::given) {
    // Words of constants, of whichever floats, are doubles.
    const Value w = op(v) == Op::const_op
                        ? emit_narrow(Op::const_op, {}, Attrs(shape(v), DType::f32, attrs(v).ints(Key::data)), false)
                        : convert(v);
    known.set(v, w, Composition::given);
    return w;
  }
  const Value first = op(v) == Op::result_op ? operand(v, 0) : v;
  const Op made_by = op(first);
  const AttrView a = attrs(first);
  Value w;
  if (made_by == Op::convert_op)
    w = is_half(dtype(operand(first, 0))) ? widened(operand(first, 0)) : convert(operand(first, 0));
  else if (made_by == Op::iota_op)
    w = emit_narrow(made_by, {}, Attrs(a.shape(), a.integer(Key::dim), DType::f32), false);
  else
    w = emit_wide(made_by, view_->operands(first), a);
  for (Value r = first; r < first + view_->results(first); ++r)
    if (is_half(dtype(r))) known.set(r, w + (r - first), known.kind(r));
  return known.find(v)->wide;
}

Value Builder::leaving(Value v) {
  if (!composing() || state_->composition.kind(v) != Composition::beside) return v;
  const Value wide = state_->composition.find(v)->wide;
  if (dtype(wide) == dtype(v)) return wide;
  const Value r = emit_narrow(Op::convert_op, {&wide, 1}, Attrs(dtype(v)), false);
  state_->composition.set(r, wide, Composition::rounded);
  return r;
}

}  // namespace jot::ir
