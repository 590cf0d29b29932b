// Reductions over any axes. The tree of combinations depends on sizes and the target only.
#include <algorithm>
#include <cmath>
#include <vector>

#include "backends/cpu/kernel/lower_ops.h"
#include "backends/cpu/routines/columns.h"
#include "backends/cpu/routines/routine_parts.h"
#include "backends/cpu/routines/truth.h"
#include "backends/cpu/runtime/pool.h"
#include "ir/ops/total.h"

namespace jot::cpu {

using ir::Ints;
using ir::Key;
using ir::Op;

namespace {

using Axis = StridedCopy::Axis;

// Many parts, by the description R of the reduction (ir/ops/total.h).
template <class R, class T>
using Whole = typename R::template Fold<T>;

template <class T>
constexpr bool kTruth = sizeof(T) == 1;  // of the types that are computed with: bytes that are true or not

template <class R, class T>
T neutral() {
  return Whole<R, T>().value();
}

// A row in blocks of 512, each in 16 lanes.
template <class R, class T>
T fold_row(const T* x, int64_t n, int64_t step) {
  constexpr int64_t kLanes = 16, kBlock = 512;
  Whole<R, T> whole;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = std::min(n, begin + kBlock);
    T lanes[kLanes];
    std::fill_n(lanes, kLanes, neutral<R, T>());
    for (int64_t i = begin, l = 0; i < end; ++i, l = (l + 1) % kLanes)
      lanes[l] = Whole<R, T>::combine(lanes[l], x[i * step]);
    for (int64_t width = kLanes / 2; width > 0; width /= 2)
      for (int64_t l = 0; l < width; ++l) lanes[l] = Whole<R, T>::combine(lanes[l], lanes[l + width]);
    whole.add(lanes[0]);
  }
  return whole.value();
}

constexpr int64_t kBeside = 4;  // vectors of a row, each with a sum of its own

// Of each of some rows the elements [0, whole + rest), `whole` a multiple of kBeside vectors. Arguments: x, y, whole,
// rest, rows, bytes from row to row of x, from result to result of y. Extremes of floats are found in one instruction
// an element, and a sum tells whether one may have been NaN. If so, or if the extreme is a zero, whose sign counts, the
// row is read again.
Kernel rows_kernel(Op op, DType dtype, int lanes) {
  const KType t = kernel_type(dtype);
  const bool extreme = is_floating(dtype) && (op == Op::reduce_max_op || op == Op::reduce_min_op);
  KernelBuilder b(lanes);
  const uint32_t first = b.arg(1), y = b.arg(2), whole = b.arg(3), rest = b.arg(4), rows = b.arg(5);
  const uint32_t from_row = b.arg(6), from_result = b.arg(7);
  const uint32_t row = b.loop(rows);
  const uint32_t x = b.iadd(first, b.imul(row, from_row)), last = b.iadd(x, b.imuli(whole, bytes_of(t)));
  // step(sum, which, element) over the row, or over nothing of it, into sums, which are then joined.
  auto fold = [&](uint32_t start, uint32_t of_whole, uint32_t of_rest, auto step, auto join) {
    uint32_t total[kBeside];
    for (uint32_t& v : total) v = b.var(start);
    uint32_t j = b.gloop(of_whole, kBeside);
    for (int64_t k = 0; k < kBeside; ++k) step(total[k], k, b.load(t, x, j, k * lanes * bytes_of(t)));
    b.endloop();
    j = b.vloop(of_rest);
    step(total[0], 0, b.load(t, last, j));
    b.endloop();
    return join(join(total[0], total[1]), join(total[2], total[3]));
  };
  const ReductionForm form(op, dtype);
  auto joined = [&](uint32_t u, uint32_t v) { return reduction_step(b, form.op, u, v); };
  auto carefully = [&](uint32_t of_whole, uint32_t of_rest) {
    const uint32_t start = form.turned(b, reduction_start(b, op, dtype));
    auto step = [&](uint32_t total, int64_t, uint32_t v) { b.set(total, joined(total, form.turned(b, v))); };
    return form.turned(b, reduction_of_lanes(b, form.op, fold(start, of_whole, of_rest, step, joined)));
  };
  uint32_t result = kNone;
  if (!extreme) {
    result = carefully(whole, rest);
  } else {
    auto larger = [&](uint32_t u, uint32_t v) { return op == Op::reduce_max_op ? b.max(u, v) : b.min(u, v); };
    auto added = [&](uint32_t u, uint32_t v) { return b.add(u, v); };
    uint32_t seen[kBeside];
    for (uint32_t& v : seen) v = b.var(zero(b, t));
    auto step = [&](uint32_t total, int64_t k, uint32_t v) {
      b.set(total, larger(v, total));
      b.set(seen[k], b.add(seen[k], v));
    };
    const uint32_t lanes_of = fold(reduction_start(b, op, dtype), whole, rest, step, larger);
    const uint32_t most = reduction_of_lanes(b, op, lanes_of);
    const uint32_t nan = b.is_nan(added(added(seen[0], seen[1]), added(seen[2], seen[3])));
    const uint32_t again = b.imin(b.any(b.mor(nan, b.cmp(KCmp::eq, most, zero(b, t)))), b.iconst(1));
    const uint32_t exact = carefully(b.imul(whole, again), b.imul(rest, again));
    const KType integer = bytes_of(t) == 8 ? KType::i64 : KType::i32;
    result = b.select(b.cmp(KCmp::ne, b.broadcast(integer, again), zero(b, integer)), exact, most);
  }
  b.store_one(result, b.iadd(y, b.imul(row, from_result)));
  b.endloop();
  return std::move(b).finish();
}

// Result axes and reduced axes of the operand, each with its step.
class Reduce final : public Routine {
 public:
  Op op = Op::reduce_sum_op;
  DType dtype = DType::f32;
  StridedCopy kept, reduced;  // src: step in the operand; dst: in the result

  // Neighbours, or so near to each other that what lies between costs less than steps.
  static bool is_column(const Axis& a) { return a.src >= 1 && a.src <= 4; }

  void make_kernels() {
    if (dtype == DType::boolean) {
      columns_ = ColumnFold(op, dtype, false);
      return;
    }
    const KType t = kernel_type(dtype);
    lanes_ = InnerKernel::lanes(bytes_of(t));
    rows_ = InnerKernel(rows_kernel(op, dtype, lanes_));
    columns_ = ColumnFold(op, dtype, false);
  }

  void run(std::span<const void* const> operands, void* out, std::byte*, KernelError&) const override {
    ir::visit_reduction(op, [&](auto reduction) {
      visit_computing(dtype, [&](auto zero) {
        using T = decltype(zero);
        all<decltype(reduction)>(static_cast<const T*>(operands[0]), static_cast<T*>(out));
      });
    });
  }

 private:
  static constexpr int64_t kWidth = 1024, kPieces = 256;

  template <class R, class T>
  void all(const T* x, T* y) const {
    const int64_t results = kept.count(), terms = reduced.count();
    if (results == 0) return;
    if (terms == 0) {
      std::fill_n(y, results, neutral<R, T>());
      return;
    }
    if (results == 1 && reduced.rank() == 1) return one<R>(x, y);
    const int64_t least = kTruth<T> ? 16 : lanes_;  // columns
    const bool columns = least && kept.rank() > 0 && is_column(kept.axes.back()) && kept.axes.back().extent >= least;
    const Axis column = columns ? kept.axes.back() : Axis{1, 1, 1};
    // Whole rows follow each other in memory: they are cut where threads need it. Results do not depend on the cut.
    const int64_t width = column.extent, share = width * (results / width) / num_threads();
    const int64_t block = std::clamp((share + 15) / 16 * 16, int64_t{1}, std::min(width, kWidth / column.src));
    const int64_t blocks = (width + block - 1) / block, tasks = results / width * blocks;
    std::span<const Axis> outer(kept.axes.data(), columns ? kept.rank() - 1 : kept.rank());
    const double cost = 0.025 * sizeof(T) * static_cast<double>(terms) * static_cast<double>(block * column.src);
    const int64_t chunks = chunks_for(tasks, cost), piece = (tasks + chunks - 1) / chunks;
    const bool lines = blocks == 1 && outer.size() == 1;
    const bool rows = lines && !columns && reduced.rank() == 1 && reduced.axes[0].src == 1;
    const bool many = rows && by_kernel(terms, 1) && terms <= most_terms();
    auto body = [&](int64_t c, int) {
      const int64_t begin = c * piece, end = std::min(begin + piece, tasks);
      const Axis& axis = outer[0];
      if constexpr (kTruth<T>)
        if (rows)
          return quantify_rows(op == Op::reduce_and_op, x + begin * axis.src, terms, axis.src, y + begin * axis.dst,
                               end - begin, axis.dst);
      if (many) return run_rows(x + begin * axis.src, y + begin * axis.dst, terms, end - begin, axis);
      for (int64_t t = begin; t < end; ++t) {
        const Offsets o = lines ? Offsets{t * outer[0].src, t * outer[0].dst} : offsets_of(outer, t / blocks);
        const int64_t first = blocks == 1 ? 0 : t % blocks * block, count = std::min(block, width - first);
        const T* from = x + o.src + first * column.src;
        T* to = y + o.dst + first * column.dst;
        if (!columns)
          *to = fold_rows<R>(from);
        else if (column.src == 1 && column.dst == 1)
          columns_(from, nullptr, std::span<const Axis>(reduced.axes), to, count);
        else
          fold_apart(from, to, column, count);
      }
    };
    parallel_for(chunks, body);
  }

  // Columns that are apart, or whose results are: with what lies between.
  template <class T>
  void fold_apart(const T* x, T* y, const Axis& column, int64_t count) const {
    alignas(64) T all[kWidth];
    columns_(x, nullptr, std::span<const Axis>(reduced.axes), all, (count - 1) * column.src + 1);
    for (int64_t j = 0; j < count; ++j) y[j * column.dst] = all[j * column.src];
  }

  // Everything to one element: partial results of fixed pieces, then those in order.
  template <class R, class T>
  void one(const T* x, T* y) const {
    constexpr int64_t kLeast = 65536 / sizeof(T);
    const Axis& row = reduced.axes[0];
    const int64_t piece = std::max(kLeast, (row.extent + kPieces - 1) / kPieces);
    const int64_t pieces = (row.extent + piece - 1) / piece;
    T partial[kPieces];
    auto body = [&](int64_t c, int) {
      partial[c] = fold_one<R>(x + c * piece * row.src, std::min(piece, row.extent - c * piece), row.src);
    };
    parallel_for(pieces, body);
    *y = fold_row<R>(partial, pieces, 1);
  }

  // So many terms of a row are folded at once: of sums, parts that bound what is lost.
  int64_t most_terms() const { return keeps_losses(op, dtype) ? 32 * kBeside * lanes_ : INT64_MAX; }
  bool by_kernel(int64_t n, int64_t step) const { return step == 1 && lanes_ != 0 && n >= 2 * lanes_; }

  // One row: by the kernel, in blocks.
  template <class R, class T>
  T fold_one(const T* x, int64_t n, int64_t step) const {
    if constexpr (kTruth<T>) return quantified(op == Op::reduce_and_op, x, n, step);
    if (!by_kernel(n, step)) return fold_row<R>(x, n, step);
    Whole<R, T> whole;
    T part{};
    const int64_t block = std::min(n, most_terms());
    for (int64_t begin = 0; begin < n; begin += block) {
      run_rows(x + begin, &part, std::min(block, n - begin), 1, Axis{});
      whole.add(part);
    }
    return whole.value();
  }

  // n terms of each of some rows.
  template <class T>
  void run_rows(const T* x, T* y, int64_t n, int64_t rows, const Axis& axis) const {
    constexpr int64_t kSize = sizeof(T);
    const int64_t whole = n / (kBeside * lanes_) * (kBeside * lanes_);
    const int64_t args[] = {0, address(x), address(y), whole, n - whole, rows, axis.src * kSize, axis.dst * kSize};
    rows_(args);
  }

  template <class R, class T>
  T fold_rows(const T* x) const {
    if (reduced.rank() == 0) return kTruth<T> ? fold_one<R>(x, 1, 1) : *x;
    const Axis& row = reduced.axes.back();
    if (reduced.rank() == 1) return fold_one<R>(x, row.extent, row.src);
    std::span<const Axis> outer(reduced.axes.data(), reduced.rank() - 1);
    const int64_t rows = reduced.count() / row.extent;
    Whole<R, T> whole;
    for (int64_t r = 0; r < rows; ++r) whole.add(fold_one<R>(x + offsets_of(outer, r).src, row.extent, row.src));
    return whole.value();
  }

  int lanes_ = 0;  // 0: no kernels for this dtype
  InnerKernel rows_;
  ColumnFold columns_;
};

}  // namespace

std::unique_ptr<const Routine> make_reduce(const RoutineContext& c) {
  const ir::GraphData& g = c.g;
  const ir::Value v = c.v;
  auto r = std::make_unique<Reduce>();
  r->op = g.op(v);
  r->dtype = g.dtype(v);
  const Shape& x = g.shape(g.operand(v, 0));
  std::vector<int64_t> src = row_major(x), dst = row_major(g.shape(v));
  if (!c.operand_steps.empty()) src.assign(c.operand_steps.begin(), c.operand_steps.end());
  Ints dims = g.attrs(v).ints(Key::dims);
  size_t next = 0;
  for (size_t d = 0; d < x.size(); ++d)
    if (contains(dims, static_cast<int64_t>(d)))
      r->reduced.add(x[d], src[d], std::abs(src[d]));  // ordered and merged by its own step
    else
      r->kept.add(x[d], src[d], dst[next++]);
  r->kept.normalise();
  r->reduced.normalise();
  std::ranges::stable_partition(r->kept.axes, [](const Axis& a) { return !Reduce::is_column(a); });
  r->make_kernels();
  return r;
}

}  // namespace jot::cpu
