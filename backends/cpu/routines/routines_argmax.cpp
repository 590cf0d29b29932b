// Where the extremum of each line is: lanes keep the extremum so far and its place; in the end the least place of equal
// ones is taken.
#include <algorithm>
#include <limits>
#include <vector>

#include "backends/cpu/kernel/lower_ops.h"
#include "backends/cpu/routines/routine_parts.h"
#include "backends/cpu/runtime/pool.h"
#include "ir/ops/total.h"

namespace jot::cpu {

using ir::Key;
using ir::Op;

namespace {

using Axis = StridedCopy::Axis;

constexpr int kRegister = 64;  // bytes

KType place_type(KType t) { return bytes_of(t) == 4 ? KType::i32 : KType::i64; }
uint64_t start_of(bool max, DType dtype) {
  KernelBuilder b(1);
  return static_cast<uint64_t>(b.instr(reduction_start(b, max ? Op::reduce_max_op : Op::reduce_min_op, dtype)).imm);
}

// The extremum so far and its place.
struct Pair {
  uint32_t value, place;
};
// What follows the elements that `before` is of: it stays unless x is beyond it, or the first NaN.
Pair later_of(KernelBuilder& b, bool max, Pair before, Pair x) {
  uint32_t stays = b.cmp(max ? KCmp::le : KCmp::ge, x.value, before.value);
  if (b.type(x.value) == KType::f32 || b.type(x.value) == KType::f64) stays = b.mor(stays, b.is_nan(before.value));
  return {b.select(stays, before.value, x.value), b.select(stays, before.place, x.place)};
}

// Of x[0 .. 4 quarter + rest), quarter by quarter beside each other: of each lane. Arguments: x, values, places,
// quarter, rest.
Kernel line_kernel(bool max, DType dtype, int lanes) {
  const KType t = kernel_type(dtype), p = place_type(t);
  KernelBuilder b(lanes);
  uint32_t values = b.arg(2), places = b.arg(3), quarter = b.arg(4), rest = b.arg(5);
  const uint32_t bytes = b.imuli(quarter, bytes_of(t));
  uint32_t x[5] = {b.arg(1)}, first[5] = {b.iconst(0)};
  for (size_t q = 1; q < 5; ++q) x[q] = b.iadd(x[q - 1], bytes), first[q] = b.iadd(first[q - 1], quarter);
  Pair best[4];
  for (size_t q = 0; q < 4; ++q)
    best[q] = {b.var(b.constant(t, start_of(max, dtype))), b.var(b.broadcast(p, first[q]))};
  auto see = [&](Pair& at, uint32_t from, uint32_t begin, uint32_t j) {
    const Pair now = later_of(b, max, at, {b.load(t, from, j), b.broadcast(p, b.iadd(begin, j))});
    b.set(at.value, now.value), b.set(at.place, now.place);
  };
  uint32_t j = b.vloop(quarter);
  for (size_t q = 0; q < 4; ++q) see(best[q], x[q], first[q], j);
  b.endloop();
  j = b.vloop(rest);
  see(best[3], x[4], first[4], j);
  b.endloop();
  const Pair all = later_of(b, max, later_of(b, max, best[0], best[1]), later_of(b, max, best[2], best[3]));
  b.store(all.value, values);
  b.store(b.add(all.place, b.lane_index(p)), places);
  return std::move(b).finish();
}

// Of `rows` rows of n columns. Arguments: x, n, bytes from row to row, values, places, the first row.
Kernel rows_kernel(bool max, DType dtype, int rows) {
  const KType t = kernel_type(dtype), p = place_type(t);
  KernelBuilder b(InnerKernel::lanes(bytes_of(t)));
  uint32_t x = b.arg(1), n = b.arg(2), step = b.arg(3), values = b.arg(4), places = b.arg(5), row = b.arg(6);
  b.read_write(values), b.read_write(places);
  const uint32_t j = b.vloop(n);
  Pair best = {b.load(t, values, j), b.load(p, places, j)};
  for (int r = 0; r < rows; ++r) {
    best = later_of(b, max, best, {b.load(t, x, j), b.broadcast(p, row)});
    if (r + 1 < rows) x = b.iadd(x, step), row = b.iadd(row, b.iconst(1));
  }
  b.store(best.value, values, j);
  b.store(best.place, places, j);
  b.endloop();
  return std::move(b).finish();
}

class Argmax final : public Routine {
 public:
  bool max = true;
  DType dtype = DType::f32;
  StridedCopy kept;         // src: step in the operand; dst: in the result
  int64_t n = 1, step = 1;  // of a line

  void make_kernels() {
    lanes_ = InnerKernel::lanes(bytes_of(kernel_type(dtype)));
    line_ = InnerKernel(line_kernel(max, dtype, lanes_));
    row_ = InnerKernel(rows_kernel(max, dtype, 1));
    rows_ = InnerKernel(rows_kernel(max, dtype, kRows));
  }

  void run(std::span<const void* const> operands, void* out, std::byte*, KernelError&) const override {
    visit_computing(dtype, [&](auto zero) {
      using T = decltype(zero);
      const auto* x = static_cast<const T*>(operands[0]);
      auto* y = static_cast<int64_t*>(out);
      max ? all<true>(x, y) : all<false>(x, y);
    });
  }

 private:
  static constexpr int64_t kRows = 8, kWidth = 512, kPart = 16384;

  template <bool kMax, class T>
  void all(const T* x, int64_t* y) const {
    const int64_t lines = kept.count();
    if (lines == 0) return;
    if (lines < 8 && n >= 2 * kPart) return in_parts<kMax>(x, y, lines);
    const bool columns = kept.rank() > 0 && kept.axes.back().src == 1 && kept.axes.back().extent >= lanes_ &&
                         n <= std::numeric_limits<int32_t>::max();
    const int64_t width = columns ? kept.axes.back().extent : 1, block = std::min(width, kWidth);
    const int64_t blocks = (width + block - 1) / block, tasks = lines / width * blocks;
    const std::span<const Axis> outer(kept.axes.data(), columns ? kept.rank() - 1 : kept.rank());
    const int64_t chunks = chunks_for(tasks, 0.05 * sizeof(T) * static_cast<double>(n * block));
    const int64_t piece = (tasks + chunks - 1) / chunks;
    auto body = [&](int64_t c, int) {
      for (int64_t t = c * piece; t < std::min((c + 1) * piece, tasks); ++t) {
        const Offsets o = offsets_of(outer, t / blocks);
        const int64_t first = t % blocks * block;
        if (columns)
          of_columns(x + o.src + first, y + o.dst + first * kept.axes.back().dst, std::min(block, width - first));
        else
          y[o.dst] = place_in<kMax>(x + o.src, 0, n).place;
      }
    };
    parallel_for(chunks, body);
  }

  template <class T>
  struct Found {
    T value;
    int64_t place;
  };
  // Of elements [first, last) of a line.
  template <bool kMax, class T>
  Found<T> place_in(const T* x, int64_t first, int64_t last) const {
    constexpr int64_t kMost = int64_t{1} << 30;  // places within are 32 bits
    Found<T> best{x[first * step], first};
    if (step != 1 || last - first < 4 * lanes_) {
      for (int64_t i = first + 1; i < last; ++i)
        if (ir::takes_over<kMax>(x[i * step], best.value)) best = {x[i * step], i};
      return best;
    }
    for (int64_t begin = first; begin < last; begin += kMost) {
      const int64_t count = std::min(kMost, last - begin), quarter = count / (4 * lanes_) * lanes_;
      alignas(kRegister) T values[kRegister / sizeof(T)];
      using Place = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
      alignas(kRegister) Place places[kRegister / sizeof(T)];
      const int64_t args[] = {0, address(x + begin), address(values), address(places), quarter, count - 4 * quarter};
      line_(args);
      Found<T> here{values[0], places[0]};
      for (int64_t l = 1; l < lanes_; ++l)  // of equal ones the least place
        if (ir::takes_over<kMax>(values[l], here.value) ||
            (places[l] < here.place && !ir::takes_over<kMax>(here.value, values[l])))
          here = {values[l], places[l]};
      if (begin == first || ir::takes_over<kMax>(here.value, best.value)) best = {here.value, begin + here.place};
    }
    return best;
  }

  template <bool kMax, class T>
  void in_parts(const T* x, int64_t* y, int64_t lines) const {
    const int64_t parts = n / kPart;
    std::vector<Found<T>> found(static_cast<size_t>(lines * parts));
    auto line = [&](int64_t l) { return offsets_of(kept.axes, l); };
    auto body = [&](int64_t c, int) {
      const int64_t p = c % parts;
      found[static_cast<size_t>(c)] =
          place_in<kMax>(x + line(c / parts).src, p * kPart, p + 1 == parts ? n : (p + 1) * kPart);
    };
    parallel_for(lines * parts, body);
    for (int64_t l = 0; l < lines; ++l) {
      Found<T> best = found[static_cast<size_t>(l * parts)];
      for (int64_t p = 1; p < parts; ++p)
        if (const Found<T> f = found[static_cast<size_t>(l * parts + p)]; ir::takes_over<kMax>(f.value, best.value))
          best = f;
      y[line(l).dst] = best.place;
    }
  }

  template <class T>
  void of_columns(const T* x, int64_t* y, int64_t columns) const {
    using Place = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
    alignas(kRegister) T values[kWidth];
    alignas(kRegister) Place places[kWidth] = {};
    for (int64_t j = 0; j < columns; ++j) values[j] = x[j];
    for (int64_t r = 1; r < n;) {
      const bool many = r + kRows <= n;
      const int64_t args[] = {
          0, address(x + r * step), columns, step * static_cast<int64_t>(sizeof(T)), address(values), address(places),
          r};
      (many ? rows_ : row_)(args);
      r += many ? kRows : 1;
    }
    const int64_t dst = kept.axes.back().dst;
    for (int64_t j = 0; j < columns; ++j) y[j * dst] = places[j];
  }

  int lanes_ = 0;
  InnerKernel line_, row_, rows_;
};

}  // namespace

std::unique_ptr<const Routine> make_argmax(const RoutineContext& c) {
  const ir::GraphData& g = c.g;
  const ir::Value x = g.operand(c.v, 0);
  auto r = std::make_unique<Argmax>();
  r->max = g.op(c.v) == Op::argmax_op;
  r->dtype = g.dtype(x);
  const Shape& shape = g.shape(x);
  std::vector<int64_t> src = row_major(shape), dst = row_major(g.shape(c.v));
  if (!c.operand_steps.empty()) src.assign(c.operand_steps.begin(), c.operand_steps.end());
  const auto dim = static_cast<size_t>(g.attrs(c.v).integer(Key::dim));
  for (size_t d = 0, next = 0; d < shape.size(); ++d)
    if (d != dim) r->kept.add(shape[d], src[d], dst[next++]);
  // Columns beside each other in memory go last.
  r->kept.normalise();
  std::ranges::stable_partition(r->kept.axes, [](const Axis& a) { return a.src != 1; });
  r->n = shape[dim];
  r->step = src[dim];
  r->make_kernels();
  return r;
}

}  // namespace jot::cpu
