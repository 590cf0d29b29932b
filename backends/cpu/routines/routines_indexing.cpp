// Gather and the scatters.
#include <algorithm>
#include <cstring>
#include <vector>

#include "backends/cpu/routines/routine_parts.h"
#include "backends/cpu/runtime/pool.h"

namespace jot::cpu {

using ir::IndexMode;
using ir::Ints;
using ir::Key;
using ir::Op;

namespace {

using Axis = StridedCopy::Axis;

// Windows of the operand at positions that are data. The windows of one batch element lie at `window` in the result
// (updates), the batch elements at `batch`.
class Indexing final : public Routine {
 public:
  enum class Kind : uint8_t { gather, add, set };
  Kind kind = Kind::gather;
  IndexMode mode = IndexMode::check;
  DType dtype = DType::f32, index_dtype = DType::i64;
  struct BatchAxis {
    int64_t extent, index_step, operand_step, result_step;
    int64_t entry = -1;  // mode wrap: an axis of the window, whose elements wrap one by one: added to this index
  };
  std::vector<BatchAxis> batch;
  struct Entry {
    int64_t extent, window, step;  // of the operand axis
  };
  std::vector<Entry> entries;  // of an index vector
  StridedCopy window;          // operand -> result for gather, result (updates) -> operand for scatter
  int64_t elements = 0, operand_bytes = 0, error_code = 0;
  bool only_checks = false;

  void run(std::span<const void* const> operands, void* out, std::byte*, KernelError& error) const override {
    if (only_checks) {
      check_all(operands[1], error);
      return;
    }
    const int64_t n = window.count();
    const bool in_place = kind != Kind::gather && out == operands[0];
    if (kind != Kind::gather && !in_place && operand_bytes > 0)
      std::memcpy(out, operands[0], static_cast<size_t>(operand_bytes));
    if (n == 0 || elements == 0) return;
    if (in_place && mode == IndexMode::check && !check_all(operands[1], error)) return;
    // Scatters stay in order: sums and the last writer do not depend on threads.
    const int64_t chunks = kind == Kind::gather ? chunks_for(elements, 2 + 0.5 * static_cast<double>(n)) : 1;
    const int64_t piece = (elements + chunks - 1) / chunks;
    auto body = [&](int64_t c, int) {
      constexpr int64_t kBlock = 128;
      Place places[kBlock];
      const int64_t end = std::min((c + 1) * piece, elements);
      if (c * piece >= end) return;
      Cursor cursor = seek(c * piece);
      for (int64_t i = c * piece; i < end; i += kBlock) {
        const std::span<Place> block(places, static_cast<size_t>(std::min(kBlock, end - i)));
        locate(operands[1], cursor, i, block, error);
        visit_dtype(dtype, [&](auto zero) {
          using T = decltype(zero);
          if (kind == Kind::gather)
            read(static_cast<const T*>(operands[0]), static_cast<T*>(out), block);
          else
            write(static_cast<const T*>(operands[2]), static_cast<T*>(out), block);
        });
      }
    };
    parallel_for(chunks, body);
  }

 private:
  // False if an index is out of range.
  bool check_all(const void* indices, KernelError& error) const {
    Place places[128];
    Cursor cursor = seek(0);
    for (int64_t i = 0; i < elements && error.code.load(std::memory_order_relaxed) == 0; i += std::ssize(places))
      locate(indices, cursor, i, std::span(places, static_cast<size_t>(std::min(std::ssize(places), elements - i))),
             error);
    return error.code.load(std::memory_order_relaxed) == 0;
  }

  // Where the window of a batch element begins. Steps of the operand may be negative, and so may its places.
  struct Place {
    int64_t operand, result;
    bool outside() const { return operand == kOutside; }
  };
  static constexpr int64_t kOutside = INT64_MIN;

  // Numbers, of which a few need no memory of their own.
  class Counters {
   public:
    explicit Counters(size_t n) : many_(n > std::size(few_) ? n : 0) {}
    int64_t& operator[](size_t i) { return many_.empty() ? few_[i] : many_[i]; }

   private:
    int64_t few_[16] = {};
    std::vector<int64_t> many_;
  };
  // An element of the batch: its counters and the offsets that follow from them.
  struct Cursor {
    int64_t index = 0, operand = 0, result = 0;
    Counters at, shift;
  };
  void step(Cursor& c, size_t axis, int64_t by) const {
    const BatchAxis& a = batch[axis];
    c.at[axis] += by;
    c.index += by * a.index_step;
    c.operand += by * a.operand_step;
    c.result += by * a.result_step;
    if (a.entry >= 0) c.shift[static_cast<size_t>(a.entry)] = c.at[axis];
  }
  Cursor seek(int64_t i) const {
    Cursor c{0, 0, 0, Counters(batch.size()), Counters(entries.size())};
    for (size_t d = batch.size(); d-- > 0; i /= batch[d].extent) step(c, d, i % batch[d].extent);
    return c;
  }
  void advance(Cursor& c) const {
    for (size_t d = batch.size(); d-- > 0;) {
      step(c, d, 1);
      if (c.at[d] < batch[d].extent) return;
      step(c, d, -batch[d].extent);
    }
  }

  // The places of the batch elements from number `first` on.
  void locate(const void* indices, Cursor& c, int64_t first, std::span<Place> places, KernelError& error) const {
    if (index_dtype == DType::i64)
      locate(static_cast<const int64_t*>(indices), c, first, places, error);
    else
      locate(static_cast<const int32_t*>(indices), c, first, places, error);
  }
  template <class Index>
  void locate(const Index* indices, Cursor& c, int64_t first, std::span<Place> places, KernelError& error) const {
    for (Place& p : places) {
      p = {c.operand, c.result};
      for (size_t k = 0; k < entries.size(); ++k) {
        const Entry& e = entries[k];
        const int64_t raw = indices[c.index + static_cast<int64_t>(k)], last = e.extent - e.window;
        int64_t i = raw;
        if (mode == IndexMode::check && i < 0) i += e.extent;
        if (mode == IndexMode::wrap) {
          i %= e.extent;
          i = (i + (i < 0 ? e.extent : 0) + c.shift[k]) % e.extent;
        } else if (i < 0 || i > last) {
          if (mode == IndexMode::check)
            error.record(error_code + static_cast<int64_t>(k), first + (&p - places.data()), raw);
          if (mode != IndexMode::clip) {
            p.operand = kOutside;
            break;
          }
          i = std::clamp<int64_t>(i, 0, last);
        }
        p.operand += i * e.step;
      }
      advance(c);
    }
  }

  template <class T>
  void read(const T* src, T* dst, std::span<const Place> places) const {
    const bool row = window.rank() == 1 && window.axes[0].src == 1 && window.axes[0].dst == 1;
    for (const Place& p : places) {
      T* to = dst + p.result;
      if (p.outside())
        each([&](int64_t, int64_t d) { to[d] = T{}; });
      else if (row)
        std::memcpy(to, src + p.operand, static_cast<size_t>(window.axes[0].extent) * sizeof(T));
      else
        each([&, from = src + p.operand](int64_t s, int64_t d) { to[d] = from[s]; });
    }
  }
  template <class T>
  void write(const T* src, T* dst, std::span<const Place> places) const {
    for (const Place& p : places) {
      if (p.outside()) continue;
      const T* from = src + p.result;
      T* to = dst + p.operand;
      if (kind == Kind::set)
        each([&](int64_t s, int64_t d) { to[d] = from[s]; });
      else if constexpr (std::is_integral_v<T>)
        each([&](int64_t s, int64_t d) {
          to[d] = static_cast<T>(static_cast<uint64_t>(to[d]) + static_cast<uint64_t>(from[s]));
        });
      else if constexpr (std::is_arithmetic_v<T>)
        each([&](int64_t s, int64_t d) { to[d] += from[s]; });
      else
        internal_error("sums are computed in a computing type", to_string(dtype));
    }
  }
  template <class F>
  void each(F f) const {
    if (window.rank() == 0) return f(0, 0);
    const Axis& row = window.axes.back();
    std::span<const Axis> outer(window.axes.data(), window.rank() - 1);
    const int64_t rows = outer.empty() ? 1 : window.count() / row.extent;
    for (int64_t r = 0; r < rows; ++r) {
      Offsets o = rows == 1 ? Offsets{} : offsets_of(outer, r);
      for (int64_t i = 0; i < row.extent; ++i) f(o.src + i * row.src, o.dst + i * row.dst);
    }
  }
};

std::unique_ptr<Indexing> indexing(const ir::GraphData& g, ir::Value v, int64_t error_code, Ints steps) {
  auto r = std::make_unique<Indexing>();
  ir::AttrView a = g.attrs(v);
  bool gather = g.op(v) == Op::gather_op;
  r->kind = gather ? Indexing::Kind::gather : g.op(v) == Op::scatter_add_op ? Indexing::Kind::add : Indexing::Kind::set;
  r->mode = a.mode();
  r->dtype = g.dtype(v);
  r->index_dtype = g.dtype(g.operand(v, 1));
  r->error_code = error_code;
  const Shape &x = g.shape(g.operand(v, 0)), &indices = g.shape(g.operand(v, 1));
  const Shape& result = gather ? g.shape(v) : g.shape(g.operand(v, 2));
  std::vector<int64_t> operand_steps = row_major(x), index_steps = row_major(indices), result_steps = row_major(result);
  if (!steps.empty()) operand_steps.assign(steps.begin(), steps.end());
  Ints offset_dims = a.ints(Key::offset_dims), operand_batch = a.ints(Key::operand_batch);
  Ints index_map = a.ints(Key::index_map);

  size_t index_axis = 0;
  for (size_t d = 0; d < result.size(); ++d) {
    if (contains(offset_dims, static_cast<int64_t>(d))) continue;
    Indexing::BatchAxis axis{result[d], index_steps[index_axis], 0, result_steps[d]};
    Ints index_batch = a.ints(Key::index_batch);
    for (size_t k = 0; k < index_batch.size(); ++k)
      if (index_batch[k] == static_cast<int64_t>(index_axis))
        axis.operand_step = operand_steps[static_cast<size_t>(operand_batch[k])];
    if (axis.extent != 1) r->batch.push_back(axis);
    ++index_axis;
  }
  std::vector<int64_t> extent(x.size(), 1);
  size_t next = 0;
  r->window.size = size_of(r->dtype);
  for (size_t d = 0; d < x.size(); ++d) {
    auto axis = static_cast<int64_t>(d);
    if (contains(a.ints(Key::collapsed), axis) || contains(operand_batch, axis)) continue;
    auto to = static_cast<size_t>(offset_dims[next++]);
    auto entry = std::ranges::find(index_map, axis);
    if (r->mode == IndexMode::wrap && entry != index_map.end() && result[to] > 1) {
      r->batch.push_back({result[to], 0, 0, result_steps[to], entry - index_map.begin()});
      continue;
    }
    extent[d] = result[to];
    if (gather)
      r->window.add(result[to], operand_steps[d], result_steps[to]);
    else
      r->window.add(result[to], result_steps[to], operand_steps[d]);
  }
  r->window.normalise();
  r->elements = 1;
  for (const auto& batch_axis : r->batch) r->elements *= batch_axis.extent;
  for (int64_t d : index_map) {
    auto i = static_cast<size_t>(d);
    r->entries.push_back({x[i], extent[i], operand_steps[i]});
  }
  r->operand_bytes = x.numel() * size_of(r->dtype);
  return r;
}

}  // namespace

std::unique_ptr<const Routine> make_indexing(const RoutineContext& c) {
  return indexing(c.g, c.v, c.error_code, c.operand_steps);
}

std::unique_ptr<const Routine> make_index_check(const RoutineContext& c) {
  std::unique_ptr<Indexing> r = indexing(c.g, c.v, c.error_code, {});
  r->only_checks = true;
  return r;
}

}  // namespace jot::cpu
