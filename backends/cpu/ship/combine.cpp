#include "backends/cpu/ship/combine.h"

#include "backends/cpu/kernel/lower_ops.h"

namespace jot::cpu {
namespace {

using Value = uint32_t;
using ir::Op;

// Calls add(x) for element j of each of `rows` shares from `first` on.
template <class Add>
void each_share(KernelBuilder& b, const Partial& p, Value j, Value first, int64_t rows, Add add) {
  Value c = b.loop(b.iconst(rows));
  Value at = b.iadd(b.imuli(b.iadd(first, c), p.count), j);
  add(b.load(kernel_type(p.dtype), b.arg(1), at));
  b.endloop();
}

// As ir::Total: f32 in f64, f64 with what rounding takes.
Value total(KernelBuilder& b, const Partial& p, Value j, int64_t chunks) {
  const KType t = kernel_type(p.dtype);
  Value sum = b.var(b.number(KType::f64, 0)), lost = b.var(b.number(KType::f64, 0));
  each_share(b, p, j, b.iconst(0), chunks, [&](Value x) {
    if (t == KType::f32) return b.set(sum, b.add(sum, b.convert(KType::f64, x)));
    Value next = b.add(sum, x), larger = b.cmp(KCmp::ge, b.abs(sum), b.abs(x));
    Value rest = b.select(larger, b.add(b.sub(sum, next), x), b.add(b.sub(x, next), sum));
    b.set(lost, b.add(lost, rest));
    b.set(sum, next);
  });
  if (t == KType::f32) return b.convert(t, sum);
  Value finite = b.cmp(KCmp::lt, b.abs(lost), b.number(t, std::numeric_limits<double>::infinity()));
  return b.select(finite, b.add(sum, lost), sum);
}

Value fold(KernelBuilder& b, const Partial& p, Value j, int64_t chunks) {
  Value all = b.var(reduction_start(b, p.op, p.dtype));
  each_share(b, p, j, b.iconst(0), chunks, [&](Value x) { b.set(all, reduction_step(b, p.op, all, x)); });
  return all;
}

// As ColumnFold: blocks of 32 shares apart, their sums with what is lost where there are several.
Value columns(KernelBuilder& b, const Partial& p, Value j, int64_t chunks) {
  constexpr int64_t kBlock = 32;
  const KType t = kernel_type(p.dtype);
  const ReductionForm form(p.op, p.dtype);
  const bool exact = keeps_losses(p.op, p.dtype) && chunks > kBlock;
  Value start = form.turned(b, reduction_start(b, p.op, p.dtype));
  Value all = b.var(start), lost = exact ? b.var(zero(b, t)) : kNone;
  auto add_block = [&](Value first, int64_t rows) {
    Value part = b.var(start);
    each_share(b, p, j, first, rows,
               [&](Value x) { b.set(part, reduction_step(b, form.op, part, form.turned(b, x))); });
    if (!exact) return b.set(all, reduction_step(b, form.op, all, part));
    auto [whole, rest] = two_sum(b, all, part);
    b.set(lost, b.add(lost, rest));
    b.set(all, whole);
  };
  if (chunks >= kBlock) {
    Value block = b.loop(b.iconst(chunks / kBlock));
    add_block(b.imuli(block, kBlock), kBlock);
    b.endloop();
  }
  if (const int64_t rest = chunks % kBlock; rest > 0) add_block(b.iconst(chunks - rest), rest);
  return form.turned(b, exact ? whole_sum(b, all, lost) : all);
}

}  // namespace

Kernel combine_kernel(const Partial& p, int64_t chunks, int vector_bytes) {
  const bool wide = p.columns && p.dtype != DType::boolean;
  KernelBuilder b(wide ? vector_bytes / size_of(p.dtype) : 1);
  Value j = wide ? b.vrange() : b.range();
  const bool sums = adds(p.op) && is_floating(p.dtype);
  b.store(wide ? columns(b, p, j, chunks) : sums ? total(b, p, j, chunks) : fold(b, p, j, chunks), b.arg(2), j);
  b.endloop();
  return std::move(b).finish();
}

}  // namespace jot::cpu
