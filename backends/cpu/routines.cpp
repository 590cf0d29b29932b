#include "backends/cpu/routines.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

#include "backends/cpu/pool.h"
#include "ir/ops/philox.h"

namespace jot::cpu {

using ir::Ints;
using ir::Key;
using ir::Mode;
using ir::Op;

// ---- strided copies

void StridedCopy::add(int64_t extent, int64_t src, int64_t dst) {
  if (rank == kMaxAxes) internal_error("at most 16 axes", std::to_string(rank + 1));
  axes[rank++] = {extent, src, dst};
}

void StridedCopy::normalise() {
  size_t n = 0;
  for (size_t i = 0; i < rank; ++i)
    if (axes[i].extent != 1) axes[n++] = axes[i];
  rank = n;
  std::stable_sort(axes, axes + rank, [](const Axis& a, const Axis& b) { return std::abs(a.dst) > std::abs(b.dst); });
  n = 0;
  for (size_t i = 0; i < rank; ++i) {
    const Axis& inner = axes[i];
    if (n > 0 && axes[n - 1].src == inner.src * inner.extent && axes[n - 1].dst == inner.dst * inner.extent)
      axes[n - 1] = {axes[n - 1].extent * inner.extent, inner.src, inner.dst};
    else
      axes[n++] = inner;
  }
  rank = n;
}

int64_t StridedCopy::count() const {
  int64_t n = 1;
  for (size_t i = 0; i < rank; ++i) n *= axes[i].extent;
  return n;
}

namespace {

using Axis = StridedCopy::Axis;

template <class T>
void copy_row(const T* src, T* dst, const Axis& a) {
  if (a.src == 1 && a.dst == 1)
    std::memcpy(dst, src, static_cast<size_t>(a.extent) * sizeof(T));
  else if (a.src == 0 && a.dst == 1)
    std::fill_n(dst, a.extent, *src);
  else
    for (int64_t i = 0; i < a.extent; ++i) dst[i * a.dst] = src[i * a.src];
}

// Two axes in tiles, so that a transpose touches each cache line once.
template <class T>
void copy_plane(const T* src, T* dst, const Axis& outer, const Axis& inner) {
  constexpr int64_t kTile = 16;
  if (inner.src == 1 || inner.src == 0 || outer.extent < 4) {
    for (int64_t i = 0; i < outer.extent; ++i) copy_row(src + i * outer.src, dst + i * outer.dst, inner);
    return;
  }
  for (int64_t i = 0; i < outer.extent; i += kTile)
    for (int64_t j = 0; j < inner.extent; j += kTile) {
      int64_t rows = std::min(kTile, outer.extent - i), columns = std::min(kTile, inner.extent - j);
      const T* s = src + i * outer.src + j * inner.src;
      T* d = dst + i * outer.dst + j * inner.dst;
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < columns; ++c) d[r * outer.dst + c * inner.dst] = s[r * outer.src + c * inner.src];
    }
}

// Where element `i` of the axes (row-major) begins.
struct Offsets {
  int64_t src, dst;
};
Offsets offsets_of(std::span<const Axis> axes, int64_t i) {
  Offsets o{0, 0};
  for (size_t d = axes.size(); d-- > 0;) {
    int64_t k = i % axes[d].extent;
    i /= axes[d].extent;
    o.src += k * axes[d].src;
    o.dst += k * axes[d].dst;
  }
  return o;
}

template <class T>
void copy_all(const StridedCopy& c, const T* src, T* dst) {
  src += c.src_offset;
  dst += c.dst_offset;
  if (c.rank == 0) {
    *dst = *src;
    return;
  }
  // The last two axes form a plane; where there is but one, it is cut in pieces.
  Axis row = c.axes[c.rank - 1];
  if (c.rank == 1) {
    int64_t chunks = chunks_for(row.extent, 0.3 * sizeof(T) / 4);
    int64_t piece = (row.extent + chunks - 1) / chunks;
    auto body = [&](int64_t i, int) {
      int64_t begin = i * piece, n = std::min(piece, row.extent - begin);
      if (n > 0) copy_row(src + begin * row.src, dst + begin * row.dst, {n, row.src, row.dst});
    };
    return parallel_for(chunks, body);
  }
  Axis plane = c.axes[c.rank - 2];
  std::span<const Axis> outer(c.axes, c.rank - 2);
  int64_t planes = 1;
  for (const Axis& a : outer) planes *= a.extent;
  int64_t rows = planes * plane.extent;
  int64_t chunks = chunks_for(rows, 0.3 * static_cast<double>(row.extent) * sizeof(T) / 4);
  int64_t piece = (rows + chunks - 1) / chunks;
  auto body = [&](int64_t i, int) {
    int64_t end = std::min((i + 1) * piece, rows);
    for (int64_t r = i * piece; r < end;) {
      int64_t p = r / plane.extent, first = r % plane.extent, n = std::min(end - r, plane.extent - first);
      Offsets o = offsets_of(outer, p);
      copy_plane(src + o.src + first * plane.src, dst + o.dst + first * plane.dst, {n, plane.src, plane.dst}, row);
      r += n;
    }
  };
  parallel_for(chunks, body);
}

std::vector<int64_t> row_major(const Shape& shape) {
  std::vector<int64_t> strides(shape.size());
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

}  // namespace

void StridedCopy::run(const void* src, void* dst) const {
  if (count() == 0) return;
  switch (size) {
    case 1:
      return copy_all(*this, static_cast<const uint8_t*>(src), static_cast<uint8_t*>(dst));
    case 4:
      return copy_all(*this, static_cast<const uint32_t*>(src), static_cast<uint32_t*>(dst));
    default:
      return copy_all(*this, static_cast<const uint64_t*>(src), static_cast<uint64_t*>(dst));
  }
}

namespace {

// ---- sources and movement

void fill(void* out, int64_t count, const void* element, int size) {
  StridedCopy c;
  c.size = size;
  c.add(count, 0, 1);
  c.normalise();
  c.run(element, out);
}

class Copies final : public Routine {
 public:
  // Before the copies the result is filled with operand `fill_operand`'s element, or zero bytes.
  enum class Background : uint8_t { none, zeros, operand1 };
  Background background = Background::none;
  int64_t count = 0;
  int size = 4;
  std::vector<std::pair<size_t, StridedCopy>> parts;  // operand, copy

  void run(std::span<const void* const> operands, void* out, std::byte*, KernelError&) const override {
    constexpr uint64_t zero = 0;
    if (background == Background::zeros) fill(out, count, &zero, size);
    if (background == Background::operand1) fill(out, count, operands[1], size);
    for (const auto& [operand, copy] : parts) copy.run(operands[operand], out);
  }
};

StridedCopy strided(const Shape& extents, Ints src, Ints dst, int size) {
  StridedCopy c;
  c.size = size;
  for (size_t d = 0; d < extents.size(); ++d) c.add(extents[d], src[d], dst[d]);
  return c;
}

// The part of a padded result that the operand covers: crops what negative padding takes away.
StridedCopy padded(const Shape& x, const Shape& result, Ints lo, Ints interior, int size) {
  StridedCopy c;
  c.size = size;
  std::vector<int64_t> src = row_major(x), dst = row_major(result);
  for (size_t d = 0; d < x.size(); ++d) {
    int64_t step = interior[d] + 1;
    int64_t first = lo[d] < 0 ? (-lo[d] + step - 1) / step : 0;
    int64_t last = result[d] - 1 < lo[d] ? -1 : std::min(x[d] - 1, (result[d] - 1 - lo[d]) / step);
    c.add(std::max<int64_t>(0, last - first + 1), src[d], dst[d] * step);
    c.src_offset += first * src[d];
    c.dst_offset += (lo[d] + first * step) * dst[d];
  }
  return c;
}

std::unique_ptr<Copies> make_movement(const ir::GraphData& g, ir::Value v) {
  auto r = std::make_unique<Copies>();
  const Shape& shape = g.shape(v);
  int size = r->size = size_of(g.dtype(v));
  r->count = shape.numel();
  ir::AttrView a = g.attrs(v);
  std::vector<int64_t> dst = row_major(shape), src;
  if (!g.operands(v).empty()) src = row_major(g.shape(g.operand(v, 0)));
  auto add = [&](size_t operand, StridedCopy c) {
    c.normalise();
    r->parts.emplace_back(operand, c);
  };
  switch (g.op(v)) {
    case Op::reshape_op:
    case Op::copy_op:
    case Op::stop_gradient_op: {
      StridedCopy c;
      c.size = size;
      c.add(r->count, 1, 1);
      add(0, c);
      break;
    }
    case Op::broadcast_op: {
      std::vector<int64_t> steps(shape.size(), 0);
      const Shape& x = g.shape(g.operand(v, 0));
      Ints dims = a.ints(Key::dims);
      for (size_t i = 0; i < dims.size(); ++i) steps[static_cast<size_t>(dims[i])] = x[i] == 1 ? 0 : src[i];
      add(0, strided(shape, steps, dst, size));
      break;
    }
    case Op::permute_op: {
      std::vector<int64_t> steps;
      for (int64_t d : a.ints(Key::perm)) steps.push_back(src[static_cast<size_t>(d)]);
      add(0, strided(shape, steps, dst, size));
      break;
    }
    case Op::slice_op: {
      std::vector<int64_t> steps;
      int64_t offset = 0;
      for (size_t d = 0; d < shape.size(); ++d) {
        steps.push_back(src[d] * a.ints(Key::stride)[d]);
        offset += src[d] * a.ints(Key::start)[d];
      }
      StridedCopy c = strided(shape, steps, dst, size);
      c.src_offset = offset;
      add(0, c);
      break;
    }
    case Op::rev_op: {
      StridedCopy c = strided(shape, src, dst, size);
      for (int64_t d : a.ints(Key::dims)) {
        auto i = static_cast<size_t>(d);
        c.src_offset += (shape[i] - 1) * src[i];
        c.axes[i].src = -src[i];
      }
      add(0, c);
      break;
    }
    case Op::pad_op:
      r->background = Copies::Background::operand1;
      add(0, padded(g.shape(g.operand(v, 0)), shape, a.ints(Key::lo), a.ints(Key::interior), size));
      break;
    case Op::concat_op: {
      auto dim = static_cast<size_t>(a.integer(Key::dim));
      int64_t offset = 0;
      for (size_t i = 0; i < g.operands(v).size(); ++i) {
        const Shape& x = g.shape(g.operand(v, i));
        StridedCopy c = strided(x, row_major(x), dst, size);
        c.dst_offset = offset * dst[dim];
        offset += x[dim];
        add(i, c);
      }
      break;
    }
    case Op::diag_embed_op: {
      r->background = Copies::Background::zeros;
      const Shape& x = g.shape(g.operand(v, 0));
      auto batch = static_cast<size_t>(a.integer(Key::batch_dims));
      StridedCopy c;
      c.size = size;
      for (size_t d = 0; d < x.size(); ++d)
        c.add(x[d], src[d], d < batch ? dst[d] : dst[d] + dst[d + x.size() - batch]);
      add(0, c);
      break;
    }
    default:
      internal_error("movement op", name_of(g.op(v)));
  }
  return r;
}

// Constant contents, kept as bytes.
class Stored final : public Routine {
 public:
  std::vector<std::byte> bytes;
  int64_t count = 0;  // of elements; where larger than what is stored, the one element is repeated
  int size = 4;
  void run(std::span<const void* const>, void* out, std::byte*, KernelError&) const override {
    if (static_cast<int64_t>(bytes.size()) == count * size) {
      if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
    } else {
      fill(out, count, bytes.data(), size);
    }
  }
};

template <class F>
decltype(auto) visit(DType dtype, F f) {
  switch (dtype) {
    case DType::boolean:
    case DType::u8:
      return f(uint8_t{});
    case DType::i32:
      return f(int32_t{});
    case DType::i64:
      return f(int64_t{});
    case DType::f32:
      return f(float{});
    case DType::f64:
      return f(double{});
    default:
      internal_error("dtype with arithmetic", to_string(dtype));
  }
}

template <class T>
void append(std::vector<std::byte>& bytes, T x) {
  bytes.insert(bytes.end(), reinterpret_cast<std::byte*>(&x), reinterpret_cast<std::byte*>(&x) + sizeof x);
}

std::unique_ptr<Stored> make_constant(const ir::GraphData& g, ir::Value v) {
  auto r = std::make_unique<Stored>();
  r->count = g.shape(v).numel();
  r->size = size_of(g.dtype(v));
  if (r->count == 0) return r;
  for (int64_t word : g.attrs(v).ints(Key::data))
    visit(g.dtype(v), [&](auto zero) {
      using T = decltype(zero);
      if constexpr (std::is_floating_point_v<T>)
        append(r->bytes, static_cast<T>(std::bit_cast<double>(word)));
      else
        append(r->bytes, static_cast<T>(word));
    });
  return r;
}

class Iota final : public Routine {
 public:
  int64_t outer = 1, extent = 1, inner = 1;
  DType dtype = DType::i64;
  void run(std::span<const void* const>, void* out, std::byte*, KernelError&) const override {
    visit(dtype, [&](auto zero) {
      using T = decltype(zero);
      T* p = static_cast<T*>(out);
      for (int64_t o = 0; o < outer; ++o)
        for (int64_t i = 0; i < extent; ++i, p += inner) std::fill_n(p, inner, static_cast<T>(i));
    });
  }
};

class Identity final : public Routine {
 public:
  int64_t n = 0;
  DType dtype = DType::f32;
  void run(std::span<const void* const>, void* out, std::byte*, KernelError&) const override {
    visit(dtype, [&](auto zero) {
      using T = decltype(zero);
      T* p = static_cast<T*>(out);
      fill(p, n * n, &zero, sizeof(T));
      for (int64_t i = 0; i < n; ++i) p[i * (n + 1)] = T{1};
    });
  }
};

// A draw for each element; operands may be stacks of keys and offsets, one for each lane of the result.
class RandomBits final : public Routine {
 public:
  int64_t lanes = 1, draws = 0;  // draws: of a lane
  int width = 32;
  void run(std::span<const void* const> operands, void* out, std::byte*, KernelError&) const override {
    auto key = static_cast<const int64_t*>(operands[0]), offset = static_cast<const int64_t*>(operands[1]);
    int64_t count = lanes * draws, chunks = chunks_for(count, 5), piece = (count + chunks - 1) / chunks;
    auto body = [&](int64_t c, int) {
      for (int64_t i = c * piece; i < std::min((c + 1) * piece, count); ++i) {
        int64_t lane = i / draws;
        auto seed = static_cast<uint64_t>(key[2 * lane]), stream = static_cast<uint64_t>(key[2 * lane + 1]);
        uint64_t position = static_cast<uint64_t>(offset[lane]) + static_cast<uint64_t>(i % draws);
        uint64_t bits = ir::random_draw(seed, stream, position, width);
        if (width == 32)
          static_cast<int32_t*>(out)[i] = static_cast<int32_t>(bits);
        else
          static_cast<int64_t*>(out)[i] = static_cast<int64_t>(bits);
      }
    };
    parallel_for(chunks, body);
  }
};

// ---- dynamic slices

// A slice of operand 0 at starts that are data; clamped.
class DynamicSlice final : public Routine {
 public:
  std::vector<int64_t> limit, steps;  // of each operand axis: the last start, the stride
  StridedCopy copy;                   // offsets are added
  bool update = false;                // write operand 1 into operand 0 instead
  int64_t whole_bytes = 0;

  void run(std::span<const void* const> operands, void* out, std::byte*, KernelError&) const override {
    int64_t offset = 0;
    for (size_t d = 0; d < limit.size(); ++d) {
      int64_t start = *static_cast<const int64_t*>(operands[d + (update ? 2 : 1)]);
      offset += std::clamp<int64_t>(start, 0, limit[d]) * steps[d];
    }
    StridedCopy c = copy;
    if (update) {
      if (out != operands[0] && whole_bytes > 0) {
        StridedCopy all;
        all.size = 1;
        all.add(whole_bytes, 1, 1);
        all.run(operands[0], out);
      }
      c.dst_offset += offset;
      c.run(operands[1], out);
    } else {
      c.src_offset += offset;
      c.run(operands[0], out);
    }
  }
};

std::unique_ptr<Routine> make_dynamic_slice(const ir::GraphData& g, ir::Value v) {
  auto r = std::make_unique<DynamicSlice>();
  r->update = g.op(v) == Op::dynamic_update_slice_op;
  const Shape& whole = g.shape(g.operand(v, 0));
  const Shape& part = r->update ? g.shape(g.operand(v, 1)) : g.shape(v);
  int size = size_of(g.dtype(v));
  r->steps = row_major(whole);
  for (size_t d = 0; d < whole.size(); ++d) r->limit.push_back(whole[d] - part[d]);
  r->copy = r->update ? strided(part, row_major(part), r->steps, size) : strided(part, r->steps, row_major(part), size);
  r->copy.normalise();
  r->whole_bytes = whole.numel() * size;
  return r;
}

// ---- gather and scatter

// Windows of the operand at positions that are data. The windows of one batch element lie at `window` in the result
// (updates), the batch elements at `batch`.
class Indexing final : public Routine {
 public:
  enum class Kind : uint8_t { gather, add, set };
  Kind kind = Kind::gather;
  Mode mode = Mode::check;
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

  int64_t index_at(const void* indices, int64_t i) const {
    return index_dtype == DType::i64 ? static_cast<const int64_t*>(indices)[i]
                                     : static_cast<const int32_t*>(indices)[i];
  }

  // Where the window begins in the operand; -1: dropped.
  int64_t start(const void* indices, int64_t at, const int64_t* shift, int64_t element, KernelError& error) const {
    int64_t offset = 0;
    for (size_t k = 0; k < entries.size(); ++k) {
      const Entry& e = entries[k];
      int64_t raw = index_at(indices, at + static_cast<int64_t>(k)), i = raw, last = e.extent - e.window;
      switch (mode) {
        case Mode::check:
          if (i < 0) i += e.extent;
          if (i < 0 || i > last) {
            error.record(error_code + static_cast<int64_t>(k), element, raw);
            return -1;
          }
          break;
        case Mode::clip:
          i = std::clamp<int64_t>(i, 0, last);
          break;
        case Mode::fill:
          if (i < 0 || i > last) return -1;
          break;
        case Mode::wrap:
          i %= e.extent;
          if (i < 0) i += e.extent;
          i = (i + shift[k]) % e.extent;
          break;
      }
      offset += i * e.step;
    }
    return offset;
  }

  void run(std::span<const void* const> operands, void* out, std::byte*, KernelError& error) const override {
    if (kind != Kind::gather && out != operands[0] && operand_bytes > 0)
      std::memcpy(out, operands[0], static_cast<size_t>(operand_bytes));
    visit(dtype, [&](auto zero) { move<decltype(zero)>(operands, out, error); });
  }

 private:
  template <class T>
  void move(std::span<const void* const> operands, void* out, KernelError& error) const {
    int64_t n = window.count();
    if (n == 0 || elements == 0) return;
    int64_t chunks = kind == Kind::gather ? chunks_for(elements, 3 + 0.5 * static_cast<double>(n)) : 1;
    int64_t piece = (elements + chunks - 1) / chunks;
    auto body = [&](int64_t c, int) {
      for (int64_t i = c * piece; i < std::min((c + 1) * piece, elements); ++i) {
        int64_t at = 0, operand_offset = 0, result_offset = 0, rest = i, shift[StridedCopy::kMaxAxes] = {};
        for (size_t d = batch.size(); d-- > 0;) {
          int64_t k = rest % batch[d].extent;
          rest /= batch[d].extent;
          at += k * batch[d].index_step;
          operand_offset += k * batch[d].operand_step;
          result_offset += k * batch[d].result_step;
          if (batch[d].entry >= 0) shift[batch[d].entry] = k;
        }
        int64_t from = start(operands[1], at, shift, i, error);
        if (kind == Kind::gather)
          read(static_cast<const T*>(operands[0]) + operand_offset + from, static_cast<T*>(out) + result_offset,
               from < 0);
        else if (from >= 0)
          write(static_cast<const T*>(operands[2]) + result_offset, static_cast<T*>(out) + operand_offset + from);
      }
    };
    parallel_for(chunks, body);
  }

  template <class T>
  void read(const T* src, T* dst, bool outside) const {
    each([&](int64_t s, int64_t d) { dst[d] = outside ? T{} : src[s]; });
  }
  template <class T>
  void write(const T* src, T* dst) const {
    if (kind == Kind::set) return each([&](int64_t s, int64_t d) { dst[d] = src[s]; });
    each([&](int64_t s, int64_t d) {
      if constexpr (std::is_integral_v<T>)
        dst[d] = static_cast<T>(static_cast<uint64_t>(dst[d]) + static_cast<uint64_t>(src[s]));
      else
        dst[d] += src[s];
    });
  }
  template <class F>
  void each(F f) const {
    if (window.rank == 0) return f(0, 0);
    const Axis& row = window.axes[window.rank - 1];
    std::span<const Axis> outer(window.axes, window.rank - 1);
    int64_t rows = window.count() / row.extent;
    for (int64_t r = 0; r < rows; ++r) {
      Offsets o = rows == 1 ? Offsets{0, 0} : offsets_of(outer, r);
      for (int64_t i = 0; i < row.extent; ++i) f(o.src + i * row.src, o.dst + i * row.dst);
    }
  }
};

bool contains(Ints list, int64_t x) { return std::ranges::find(list, x) != list.end(); }

std::unique_ptr<Routine> make_indexing(const ir::GraphData& g, ir::Value v, int64_t error_code) {
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
    r->batch.push_back(axis);
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
    if (r->mode == Mode::wrap && entry != index_map.end() && result[to] > 1) {
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

// ---- reductions

enum class Fold : uint8_t { sum, max, min };

template <Fold fold, class T>
T combine(T a, T b) {
  if constexpr (fold == Fold::sum) {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
    else
      return a + b;
  } else {
    if constexpr (std::is_floating_point_v<T>)
      if (b != b) return b;  // NaN stays: no comparison with it is true
    return (fold == Fold::max ? b > a : b < a) ? b : a;
  }
}

template <Fold fold, class T>
constexpr T neutral() {
  if constexpr (fold == Fold::sum) return T{};
  using L = std::numeric_limits<T>;
  if constexpr (std::is_floating_point_v<T>) return fold == Fold::max ? -L::infinity() : L::infinity();
  return fold == Fold::max ? L::lowest() : L::max();
}

// A row in blocks of 512, each in 16 lanes: the tree depends on the length alone.
template <Fold fold, class T>
T fold_row(const T* x, int64_t n, int64_t step) {
  constexpr int64_t kLanes = 16, kBlock = 512;
  T total = neutral<fold, T>();
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    int64_t end = std::min(n, begin + kBlock), i = begin;
    T lanes[kLanes];
    std::fill_n(lanes, kLanes, neutral<fold, T>());
    if (step == 1)
      for (; i + kLanes <= end; i += kLanes)
        for (int64_t l = 0; l < kLanes; ++l) lanes[l] = combine<fold>(lanes[l], x[i + l]);
    for (int64_t l = 0; i < end; ++i, l = (l + 1) % kLanes) lanes[l] = combine<fold>(lanes[l], x[i * step]);
    for (int64_t width = kLanes / 2; width > 0; width /= 2)
      for (int64_t l = 0; l < width; ++l) lanes[l] = combine<fold>(lanes[l], lanes[l + width]);
    total = combine<fold>(total, lanes[0]);
  }
  return total;
}

// Result axes and reduced axes of the operand, each with its step.
class Reduce final : public Routine {
 public:
  Fold fold = Fold::sum;
  DType dtype = DType::f32;
  StridedCopy kept, reduced;  // src: step in the operand; dst: in the result

  void run(std::span<const void* const> operands, void* out, std::byte*, KernelError&) const override {
    visit(dtype, [&](auto zero) {
      using T = decltype(zero);
      auto x = static_cast<const T*>(operands[0]);
      auto y = static_cast<T*>(out);
      switch (fold) {
        case Fold::sum:
          return all<Fold::sum>(x, y);
        case Fold::max:
          return all<Fold::max>(x, y);
        case Fold::min:
          return all<Fold::min>(x, y);
      }
    });
  }

 private:
  template <Fold f, class T>
  void all(const T* x, T* y) const {
    int64_t results = kept.count(), terms = reduced.count();
    if (results == 0) return;
    if (terms == 0) {
      std::fill_n(y, results, neutral<f, T>());
      return;
    }
    if (results == 1 && reduced.rank == 1) return one<f>(x, y);
    bool columns = kept.rank > 0 && kept.axes[kept.rank - 1].src == 1 && kept.axes[kept.rank - 1].extent >= 8;
    int64_t width = columns ? kept.axes[kept.rank - 1].extent : 1;
    int64_t block = columns ? std::min<int64_t>(width, 256) : 1;
    int64_t blocks = (width + block - 1) / block, tasks = results / width * blocks;
    std::span<const Axis> outer(kept.axes, columns ? kept.rank - 1 : kept.rank);
    int64_t chunks = chunks_for(tasks, 0.5 * static_cast<double>(terms) * static_cast<double>(block));
    int64_t piece = (tasks + chunks - 1) / chunks;
    auto body = [&](int64_t c, int) {
      for (int64_t t = c * piece; t < std::min((c + 1) * piece, tasks); ++t) {
        Offsets o = offsets_of(outer, t / blocks);
        int64_t first = t % blocks * block;
        if (columns)
          fold_columns<f>(x + o.src + first, y + o.dst + first, std::min(block, width - first));
        else
          y[o.dst] = fold_strided<f>(x + o.src);
      }
    };
    parallel_for(chunks, body);
  }

  // Everything to one element: partial results of fixed pieces, then those in order.
  template <Fold f, class T>
  void one(const T* x, T* y) const {
    constexpr int64_t kPieces = 256, kLeast = 4096;
    const Axis& row = reduced.axes[0];
    int64_t piece = std::max(kLeast, (row.extent + kPieces - 1) / kPieces), pieces = (row.extent + piece - 1) / piece;
    T partial[kPieces];
    auto body = [&](int64_t c, int) {
      partial[c] = fold_row<f>(x + c * piece * row.src, std::min(piece, row.extent - c * piece), row.src);
    };
    parallel_for(pieces, body);
    *y = fold_row<f>(partial, pieces, 1);
  }

  template <Fold f, class T>
  T fold_strided(const T* x) const {
    if (reduced.rank == 0) return *x;
    const Axis& row = reduced.axes[reduced.rank - 1];
    std::span<const Axis> outer(reduced.axes, reduced.rank - 1);
    int64_t rows = reduced.count() / row.extent;
    if (rows == 1) return fold_row<f>(x, row.extent, row.src);
    T total = neutral<f, T>();
    for (int64_t r = 0; r < rows; ++r)
      total = combine<f>(total, fold_row<f>(x + offsets_of(outer, r).src, row.extent, row.src));
    return total;
  }

  // `n` neighbouring results at once; rows in blocks of 64 that are added up apart.
  template <Fold f, class T>
  void fold_columns(const T* x, T* y, int64_t n) const {
    std::span<const Axis> axes(reduced.axes, reduced.rank);
    int64_t terms = reduced.count();
    T block[256];
    std::fill_n(y, n, neutral<f, T>());
    for (int64_t begin = 0; begin < terms; begin += 64) {
      std::fill_n(block, n, neutral<f, T>());
      for (int64_t r = begin; r < std::min(begin + 64, terms); ++r) {
        const T* row = x + (axes.size() == 1 ? r * axes[0].src : offsets_of(axes, r).src);
        for (int64_t i = 0; i < n; ++i) block[i] = combine<f>(block[i], row[i]);
      }
      for (int64_t i = 0; i < n; ++i) y[i] = combine<f>(y[i], block[i]);
    }
  }
};

std::unique_ptr<Routine> make_reduce(const ir::GraphData& g, ir::Value v) {
  auto r = std::make_unique<Reduce>();
  r->fold = g.op(v) == Op::reduce_sum_op ? Fold::sum : g.op(v) == Op::reduce_max_op ? Fold::max : Fold::min;
  r->dtype = g.dtype(v);
  const Shape& x = g.shape(g.operand(v, 0));
  std::vector<int64_t> src = row_major(x), dst = row_major(g.shape(v));
  Ints dims = g.attrs(v).ints(Key::dims);
  size_t next = 0;
  for (size_t d = 0; d < x.size(); ++d)
    if (contains(dims, static_cast<int64_t>(d)))
      r->reduced.add(x[d], src[d], src[d]);  // ordered and merged by its own step
    else
      r->kept.add(x[d], src[d], dst[next++]);
  r->kept.normalise();
  r->reduced.normalise();
  return r;
}

class Convert final : public Routine {
 public:
  DType from = DType::f32, to = DType::f32;
  int64_t count = 0;
  void run(std::span<const void* const> operands, void* out, std::byte*, KernelError&) const override {
    visit(from, [&](auto a) {
      visit(to, [&](auto b) {
        using A = decltype(a);
        using B = decltype(b);
        auto x = static_cast<const A*>(operands[0]);
        auto y = static_cast<B*>(out);
        for (int64_t i = 0; i < count; ++i) y[i] = one<A, B>(x[i]);
      });
    });
  }

 private:
  template <class A, class B>
  B one(A x) const {
    if (to == DType::boolean) return static_cast<B>(x != A{});
    if constexpr (std::is_floating_point_v<A> && std::is_integral_v<B>) {  // saturates; NaN is 0
      if (x != x) return 0;
      if (x >= static_cast<A>(std::numeric_limits<B>::max())) return std::numeric_limits<B>::max();
      if (x <= static_cast<A>(std::numeric_limits<B>::min())) return std::numeric_limits<B>::min();
    }
    return static_cast<B>(x);
  }
};

}  // namespace

std::unique_ptr<const Routine> make_routine(const ir::GraphData& g, ir::Value v, int64_t error_code) {
  switch (g.op(v)) {
    case Op::const_op:
      return make_constant(g, v);
    case Op::iota_op: {
      auto r = std::make_unique<Iota>();
      auto dim = static_cast<size_t>(g.attrs(v).integer(Key::dim));
      const Shape& shape = g.shape(v);
      r->outer = shape.slice(0, dim).numel();
      r->extent = shape[dim];
      r->inner = shape.slice(dim + 1, shape.size()).numel();
      r->dtype = g.dtype(v);
      return r;
    }
    case Op::identity_op: {
      auto r = std::make_unique<Identity>();
      r->n = g.attrs(v).shape().numel();
      r->dtype = g.dtype(v);
      return r;
    }
    case Op::random_bits_op: {
      auto r = std::make_unique<RandomBits>();
      r->lanes = g.shape(g.operand(v, 1)).numel();
      r->draws = r->lanes ? g.shape(v).numel() / r->lanes : 0;
      r->width = static_cast<int>(g.attrs(v).integer(Key::width));
      return r;
    }
    case Op::reshape_op:
    case Op::copy_op:
    case Op::stop_gradient_op:
    case Op::broadcast_op:
    case Op::permute_op:
    case Op::slice_op:
    case Op::rev_op:
    case Op::pad_op:
    case Op::concat_op:
    case Op::diag_embed_op:
      return make_movement(g, v);
    case Op::dynamic_slice_op:
    case Op::dynamic_update_slice_op:
      return make_dynamic_slice(g, v);
    case Op::gather_op:
    case Op::scatter_add_op:
    case Op::scatter_set_op:
      return make_indexing(g, v, error_code);
    case Op::reduce_sum_op:
    case Op::reduce_max_op:
    case Op::reduce_min_op:
      return make_reduce(g, v);
    case Op::dot_op:
      return make_dot(g, v);
    case Op::convert_op: {
      auto r = std::make_unique<Convert>();
      r->from = g.dtype(g.operand(v, 0));
      r->to = g.dtype(v);
      r->count = g.shape(v).numel();
      return r;
    }
    default:
      return nullptr;
  }
}

}  // namespace jot::cpu
