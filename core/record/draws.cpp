#include "core/record/draws.h"

#include <algorithm>

#include "core/record/trace.h"
#include "ir/build.h"
#include "ir/ops/philox.h"

namespace jot {

using ir::Value;

Value Draws::input(Binding::Kind kind, const Shape& shape) {
  Binding binding{kind};
  binding.generator = generator_;
  return trace_.input(std::move(binding), {DType::i64, false, shape});
}

Value Draws::base_key() {
  if (key_ != ir::kNoValue) return key_;
  first_draw_ = generator_.offset;
  if (!trace_.options().region) offset_ = input(Binding::Kind::rng_offset, {});
  return key_ = input(Binding::Kind::rng_key, {2});
}

Value Draws::key() {
  Value key = base_key();
  if (trace_.lazy()) return key;
  for (size_t depth = 0; depth < streams_.size(); ++depth) {
    Stream& s = streams_[depth];
    if (s.key == ir::kNoValue) s.key = trace_.builder().emit(ir::Op::fold_in_op, {key, place(depth)});
    key = s.key;
  }
  return key;
}

Value Draws::offset() {
  base_key();
  return place(trace_.lazy() ? 0 : streams_.size());
}

// How far the stream at this depth has been drawn.
Value Draws::place(size_t depth) {
  auto number = [&](int64_t n) { return ir::build::constant_int(trace_.builder(), DType::i64, {}, n); };
  if (depth > 0) return number(streams_[depth - 1].draws);
  if (trace_.options().region) return number(total_);
  return ir::build::add(trace_.builder(), offset_, number(trace_.lazy() ? generator_.offset - first_draw_ : total_));
}

void Draws::drew(int64_t draws) {
  if (trace_.lazy())
    generator_.offset += draws;
  else
    (streams_.empty() ? total_ : streams_.back().draws) += draws;
}

int64_t Draws::lanes() const {
  int64_t lanes = 1;
  for (const Trace* t = &trace_; t; t = t->parent())
    if (t->options().randomness == Randomness::different) lanes *= t->options().lanes;  // 1 but in a vmap
  return lanes;
}

void Draws::seed(const Generator& g) {
  generator_ = g;
  key_ = offset_ = ir::kNoValue;
}

void Draws::enter_stream() {
  Stream& s = streams_.emplace_back();
  if (!trace_.lazy()) return;
  s.outside = s.own = generator_;
  s.key = key_;
  s.outside_offset = offset_;
  s.first_draw = first_draw_;
  auto key = ir::folded_key(static_cast<uint64_t>(generator_.key[0]), static_cast<uint64_t>(generator_.key[1]),
                            static_cast<uint64_t>(generator_.offset));
  std::ranges::copy(key, s.own.key);
  s.own.offset = 0;
  seed(s.own);
}

void Draws::leave_stream() {
  Stream s = streams_.back();
  streams_.pop_back();
  if (!trace_.lazy()) {
    if (s.draws > 0) drew(lanes());
    return;
  }
  if (!std::ranges::equal(generator_.key, s.own.key)) return;  // seeded meanwhile
  if (generator_.offset > 0) ++s.outside.offset;
  generator_ = s.outside;
  key_ = s.key;
  offset_ = s.outside_offset;
  first_draw_ = s.first_draw;
}

void Draws::start_graph() {
  key_ = offset_ = ir::kNoValue;
  for (Stream& s : streams_) s.key = ir::kNoValue;
  total_ = 0;
}

}  // namespace jot
