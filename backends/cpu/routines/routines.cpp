#include "backends/cpu/routines/routines.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "backends/cpu/routines/routine_parts.h"
#include "backends/cpu/runtime/pool.h"

namespace jot::cpu {

using ir::Ints;
using ir::Key;
using ir::Op;

InnerKernel::InnerKernel(Kernel kernel) {
  verify(kernel);
  if (target() == Target::reference) {
    kernel_ = std::make_shared<const Kernel>(std::move(kernel));
    return;
  }
  code_ = kernel_code(kernel);
  if (code_->spill_bytes > kSpill) internal_error("an inner kernel spills little", std::to_string(code_->spill_bytes));
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

template <class T>
void append(std::vector<std::byte>& bytes, T x) {
  bytes.insert(bytes.end(), reinterpret_cast<std::byte*>(&x), reinterpret_cast<std::byte*>(&x) + sizeof x);
}

std::unique_ptr<Stored> make_constant(const ir::GraphData& g, ir::Value v) {
  auto r = std::make_unique<Stored>();
  r->count = g.shape(v).numel();
  r->size = size_of(g.dtype(v));
  if (r->count == 0) return r;
  ir::Ints words = g.attrs(v).ints(Key::data);
  for (int64_t word : words)
    visit_dtype(g.dtype(v), [&](auto zero) {
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
    visit_dtype(dtype, [&](auto zero) {
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
    visit_dtype(dtype, [&](auto zero) {
      using T = decltype(zero);
      T* p = static_cast<T*>(out);
      fill(p, n * n, &zero, sizeof(T));
      for (int64_t i = 0; i < n; ++i) p[i * (n + 1)] = T{1};
    });
  }
};

// ---- dynamic slices

// A slice of operand 0 at starts that are data; clamped.
class DynamicSlice final : public Routine {
 public:
  std::vector<int64_t> limit, steps;  // of each operand axis: the last start, the stride
  StridedCopy copy;                   // of the first place
  bool update = false;                // write operand 1 into operand 0 instead
  StridedCopy whole;                  // of operand 0

  void run(std::span<const void* const> operands, void* out, std::byte*, KernelError&) const override {
    int64_t offset = 0;
    for (size_t d = 0; d < limit.size(); ++d) {
      int64_t start = *static_cast<const int64_t*>(operands[d + (update ? 2 : 1)]);
      offset += std::clamp<int64_t>(start, 0, limit[d]) * steps[d];
    }
    offset *= copy.size;
    if (update) {
      if (out != operands[0]) whole.run(operands[0], out);
      copy.run(operands[1], static_cast<std::byte*>(out) + offset);
    } else {
      copy.run(static_cast<const std::byte*>(operands[0]) + offset, out);
    }
  }
};

std::unique_ptr<Routine> make_dynamic_slice(const ir::GraphData& g, ir::Value v, Ints operand_steps) {
  auto r = std::make_unique<DynamicSlice>();
  r->update = g.op(v) == Op::dynamic_update_slice_op;
  const Shape& whole = g.shape(g.operand(v, 0));
  const Shape& part = r->update ? g.shape(g.operand(v, 1)) : g.shape(v);
  int size = size_of(g.dtype(v));
  r->steps = row_major(whole);
  if (!operand_steps.empty()) r->steps.assign(operand_steps.begin(), operand_steps.end());
  for (size_t d = 0; d < whole.size(); ++d) r->limit.push_back(whole[d] - part[d]);
  r->copy = r->update ? strided(part, row_major(part), r->steps, size) : strided(part, r->steps, row_major(part), size);
  r->copy.normalise();
  r->whole.size = 1;
  r->whole.add(whole.numel() * size, 1, 1);
  return r;
}

}  // namespace

std::unique_ptr<const Routine> make_routine(const ir::GraphData& g, ir::Value v, int64_t error_code,
                                            Ints operand_steps) {
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
    case Op::random_bits_op:
      return make_random_bits(g, v);
    case Op::fold_in_op:
      return make_fold_in(g, v);
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
      return make_dynamic_slice(g, v, operand_steps);
    case Op::gather_op:
    case Op::scatter_add_op:
    case Op::scatter_set_op:
      return make_indexing(g, v, error_code, operand_steps);
    case Op::reduce_sum_op:
    case Op::reduce_max_op:
    case Op::reduce_min_op:
      return make_reduce(g, v);
    case Op::dot_op:
      return make_dot(g, v);
    case Op::sort_op:
      return make_sort(g, v);
    case Op::cond_op:
      return make_cond(g, v);
    default:
      return nullptr;
  }
}

}  // namespace jot::cpu
