#include "backends/cpu/routines/routines.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "backends/cpu/routines/routine_parts.h"
#include "backends/cpu/runtime/pool.h"
#include "ir/movement.h"

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

void fill_with(void* out, int64_t count, const void* element, int size) {
  StridedCopy c;
  c.size = size;
  c.add(count, 0, 1);
  c.normalise();
  c.run(element, out);
}

class Copies final : public Routine {
 public:
  ir::Fill fill = ir::Fill::none;  // before the copies
  int64_t count = 0;
  int size = 4;
  std::vector<std::pair<size_t, StridedCopy>> parts;  // operand, copy

  void run(std::span<const void* const> operands, void* out, std::byte*, KernelError&) const override {
    constexpr uint64_t zero = 0;
    if (fill != ir::Fill::none) fill_with(out, count, fill == ir::Fill::zero ? &zero : operands[1], size);
    for (const auto& [operand, copy] : parts) copy.run(operands[operand], out);
  }
};

StridedCopy strided(const Shape& extents, Ints src, Ints dst, int size) {
  StridedCopy c;
  c.size = size;
  for (size_t d = 0; d < extents.size(); ++d) c.add(extents[d], src[d], dst[d]);
  return c;
}

std::unique_ptr<const Routine> make_movement(const RoutineContext& context) {
  const ir::GraphData& g = context.g;
  const ir::Value v = context.v;
  auto r = std::make_unique<Copies>();
  ir::MovementReader movement;
  const ir::Movement& m = movement(g, v);
  r->count = g.shape(v).numel();
  r->size = size_of(g.dtype(v));
  r->fill = m.fill;
  auto add = [&](size_t operand, const ir::Located& place) {
    StridedCopy c;
    c.size = r->size;
    c.src_offset = place.from;
    c.dst_offset = place.to;
    for (const ir::Located::Step& s : place.steps) c.add(s.extent, s.from, s.to);
    c.normalise();
    r->parts.emplace_back(operand, c);
  };
  if (m.moves == ir::Moves::regroup) add(0, {0, 0, {{r->count, 1, 1}}});
  const Shape to_steps = ir::row_major_steps(g.shape(v));
  for (const ir::Piece& p : m.pieces())
    add(p.operand, ir::located(m.runs(p), ir::row_major_steps(g.shape(g.operand(v, p.operand))), to_steps));
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
      fill_with(out, count, bytes.data(), size);
    }
  }
};

template <class T>
void append(std::vector<std::byte>& bytes, T x) {
  bytes.insert(bytes.end(), reinterpret_cast<std::byte*>(&x), reinterpret_cast<std::byte*>(&x) + sizeof x);
}

class Iota final : public Routine {
 public:
  int64_t outer = 1, extent = 1, inner = 1;
  DType dtype = DType::i64;
  void run(std::span<const void* const>, void* out, std::byte*, KernelError&) const override {
    visit_computing(dtype, [&](auto zero) {
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
    visit_computing(dtype, [&](auto zero) {
      using T = decltype(zero);
      T* p = static_cast<T*>(out);
      fill_with(p, n * n, &zero, sizeof(T));
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

}  // namespace

std::unique_ptr<const Routine> make_constant(const RoutineContext& c) {
  const ir::GraphData& g = c.g;
  const ir::Value v = c.v;
  auto r = std::make_unique<Stored>();
  r->count = g.shape(v).numel();
  r->size = size_of(g.dtype(v));
  if (r->count == 0) return r;
  ir::Ints words = g.attrs(v).ints(Key::data);
  for (int64_t word : words)
    visit_dtype(g.dtype(v), [&](auto zero) {
      using T = decltype(zero);
      if constexpr (is_floating_element<T>)
        append(r->bytes, static_cast<T>(std::bit_cast<double>(word)));
      else
        append(r->bytes, static_cast<T>(word));
    });
  return r;
}

std::unique_ptr<const Routine> make_dynamic_slice(const RoutineContext& c) {
  const ir::GraphData& g = c.g;
  const ir::Value v = c.v;
  auto r = std::make_unique<DynamicSlice>();
  r->update = g.op(v) == Op::dynamic_update_slice_op;
  const Shape& whole = g.shape(g.operand(v, 0));
  const Shape& part = r->update ? g.shape(g.operand(v, 1)) : g.shape(v);
  int size = size_of(g.dtype(v));
  r->steps = row_major(whole);
  if (!c.operand_steps.empty()) r->steps.assign(c.operand_steps.begin(), c.operand_steps.end());
  for (size_t d = 0; d < whole.size(); ++d) r->limit.push_back(whole[d] - part[d]);
  r->copy = r->update ? strided(part, row_major(part), r->steps, size) : strided(part, r->steps, row_major(part), size);
  r->copy.normalise();
  r->whole.size = 1;
  r->whole.add(whole.numel() * size, 1, 1);
  return r;
}

std::unique_ptr<const Routine> make_iota(const RoutineContext& c) {
  auto r = std::make_unique<Iota>();
  auto dim = static_cast<size_t>(c.g.attrs(c.v).integer(Key::dim));
  const Shape& shape = c.g.shape(c.v);
  r->outer = shape.slice(0, dim).numel();
  r->extent = shape[dim];
  r->inner = shape.slice(dim + 1, shape.size()).numel();
  r->dtype = c.g.dtype(c.v);
  return r;
}

std::unique_ptr<const Routine> make_identity(const RoutineContext& c) {
  auto r = std::make_unique<Identity>();
  r->n = c.g.attrs(c.v).shape().numel();
  r->dtype = c.g.dtype(c.v);
  return r;
}

void define_routines(CpuTable& table) {
  auto is_movement = [](Op op) { return ir::moves(op) != ir::Moves::nothing_known; };
  table.each(is_movement, [](CpuOp& op) { op.routine = make_movement; });
  table.each(ir::is_reduction, [](CpuOp& op) { op.routine = make_reduce, op.strided = true; });
#define ROUTINE(op, maker, file, why) table[Op::op##_op].routine = maker;
#include "backends/cpu/routines/routines.def"
#undef ROUTINE
  constexpr Op scatters[] = {Op::scatter_add_op, Op::scatter_set_op, Op::scatter_mul_op, Op::scatter_max_op,
                             Op::scatter_min_op};
  for (Op op : scatters) table[op].check = make_index_check, table[op].updates = true;
  table[Op::gather_op].check = make_index_check;
  table[Op::argmax_op].strided = table[Op::argmin_op].strided = true;
  table[Op::gather_op].strided = table[Op::dynamic_slice_op].strided = true;
  table[Op::dynamic_update_slice_op].updates = true;
  for (Op op : {Op::cholesky_op, Op::lu_op, Op::triangular_solve_op}) table[op].tiles = tile_lanes;
}

std::unique_ptr<const Routine> make_routine(const ir::GraphData& g, ir::Value v, int64_t error_code) {
  RoutineRule make = cpu_op(g.op(v)).routine;
  return make ? make({g, v, error_code}) : nullptr;
}

}  // namespace jot::cpu
