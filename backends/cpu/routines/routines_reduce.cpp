// Reductions over any axes. The tree of combinations depends on sizes and the target only.
#include <algorithm>
#include <vector>

#include "backends/cpu/kernel/lower_ops.h"
#include "backends/cpu/routines/columns.h"
#include "backends/cpu/routines/routine_parts.h"
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

// All of x[0 .. 4 quarter + rest) into *y, quarter by quarter beside each other. Arguments: x, y, quarter, rest.
Kernel row_kernel(Op op, DType dtype, int lanes) {
  const KType t = kernel_type(dtype);
  KernelBuilder b(lanes);
  uint32_t y = b.arg(2), quarter = b.arg(3), rest = b.arg(4), bytes = b.imuli(quarter, bytes_of(t));
  uint32_t x[5] = {b.arg(1)}, total[4];
  for (size_t q = 1; q < 5; ++q) x[q] = b.iadd(x[q - 1], bytes);
  const ReductionForm form(op, dtype);
  for (uint32_t& v : total) v = b.var(reduction_start(b, form.op, dtype));
  uint32_t j = b.vloop(quarter);
  for (size_t q = 0; q < 4; ++q)
    b.set(total[q], reduction_step(b, form.op, total[q], form.turned(b, b.load(t, x[q], j))));
  b.endloop();
  j = b.vloop(rest);
  b.set(total[0], reduction_step(b, form.op, total[0], form.turned(b, b.load(t, x[4], j))));
  b.endloop();
  uint32_t left = reduction_step(b, form.op, total[0], total[1]);
  uint32_t right = reduction_step(b, form.op, total[2], total[3]);
  uint32_t all = b.reduce(reduction_of_lanes(form.op), reduction_step(b, form.op, left, right));
  b.store_one(form.turned(b, all), y);
  return std::move(b).finish();
}

// Result axes and reduced axes of the operand, each with its step.
class Reduce final : public Routine {
 public:
  Op op = Op::reduce_sum_op;
  DType dtype = DType::f32;
  StridedCopy kept, reduced;  // src: step in the operand; dst: in the result

  void make_kernels() {
    const KType t = kernel_type(dtype);
    lanes_ = InnerKernel::lanes(bytes_of(t));
    row_ = InnerKernel(row_kernel(op, dtype, lanes_));
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
  static constexpr int64_t kWidth = 512, kPieces = 256;

  template <class R, class T>
  void all(const T* x, T* y) const {
    const int64_t results = kept.count(), terms = reduced.count();
    if (results == 0) return;
    if (terms == 0) {
      std::fill_n(y, results, neutral<R, T>());
      return;
    }
    if (results == 1 && reduced.rank() == 1) return one<R>(x, y);
    const bool columns = lanes_ && kept.rank() > 0 && kept.axes.back().src == 1 && kept.axes.back().extent >= lanes_;
    const int64_t width = columns ? kept.axes.back().extent : 1, block = std::min<int64_t>(width, kWidth);
    const int64_t blocks = (width + block - 1) / block, tasks = results / width * blocks;
    std::span<const Axis> outer(kept.axes.data(), columns ? kept.rank() - 1 : kept.rank());
    const int64_t chunks = chunks_for(tasks, 0.1 * static_cast<double>(terms) * static_cast<double>(block));
    const int64_t piece = (tasks + chunks - 1) / chunks;
    auto body = [&](int64_t c, int) {
      for (int64_t t = c * piece; t < std::min((c + 1) * piece, tasks); ++t) {
        Offsets o = offsets_of(outer, t / blocks);
        int64_t first = t % blocks * block;
        if (columns)
          columns_(x + o.src + first, nullptr, std::span<const Axis>(reduced.axes), y + o.dst + first,
                   std::min(block, width - first));
        else
          y[o.dst] = fold_rows<R>(x + o.src);
      }
    };
    parallel_for(chunks, body);
  }

  // Everything to one element: partial results of fixed pieces, then those in order.
  template <class R, class T>
  void one(const T* x, T* y) const {
    constexpr int64_t kLeast = 16384;
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

  // One row: by the kernel, in blocks that bound the length of its sums.
  template <class R, class T>
  T fold_one(const T* x, int64_t n, int64_t step) const {
    const int64_t block = int64_t{32} * 4 * lanes_;
    if (step != 1 || lanes_ == 0 || n < 2 * lanes_) return fold_row<R>(x, n, step);
    Whole<R, T> whole;
    T part{};
    for (int64_t begin = 0; begin < n; begin += block) {
      const int64_t count = std::min(block, n - begin), quarter = count / (4 * lanes_) * lanes_;
      const int64_t args[] = {0, address(x + begin), address(&part), quarter, count - 4 * quarter};
      row_(args);
      whole.add(part);
    }
    return whole.value();
  }

  template <class R, class T>
  T fold_rows(const T* x) const {
    if (reduced.rank() == 0) return *x;
    const Axis& row = reduced.axes.back();
    std::span<const Axis> outer(reduced.axes.data(), reduced.rank() - 1);
    const int64_t rows = reduced.count() / row.extent;
    Whole<R, T> whole;
    for (int64_t r = 0; r < rows; ++r) whole.add(fold_one<R>(x + offsets_of(outer, r).src, row.extent, row.src));
    return whole.value();
  }

  int lanes_ = 0;  // 0: no kernels for this dtype
  InnerKernel row_;
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
  r->make_kernels();
  return r;
}

}  // namespace jot::cpu
