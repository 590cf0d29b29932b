// Rows and strided accesses: lane l works on memory of its own, c elements behind that of lane l - 1.
//
// Rows move in blocks of 16 bytes: n lanes of n values (2 of 8 bytes, 4 of 4 bytes) are n blocks, which are transposed
// within registers for all groups of n lanes at once.
#include <algorithm>
#include <array>

#include "backends/cpu/emitter.h"

namespace jot::cpu {

// Addresses of the first element of every lane.
struct Emitter::Rows {
  KType type;
  std::array<x86::Mem, 16> lane;
  x86::Mem at(int l, int column) const {
    return lane[static_cast<size_t>(l)].cloneAdjusted(int64_t{column} * bytes_of(type));
  }
};

void Emitter::rows_init(Rows& rows, const KInstr& d) {
  const int bytes = bytes_of(d.type);
  rows.type = d.type;
  const x86::Mem first = address(d);
  rows.lane[0] = first;
  if (single()) return;
  const uint32_t c = al_.root(d.c);
  const int64_t last = in(c).imm * bytes * (lanes_ - 1);
  if (in(c).op == KOp::iconst && in(c).imm >= 0 && first.offset() + last < (int64_t{1} << 30)) {
    for (int l = 1; l < lanes_; ++l) rows.lane[static_cast<size_t>(l)] = first.cloneAdjusted(in(c).imm * bytes * l);
    return;
  }
  const x86::Gp step = G(temp_gpr()), step3 = G(temp_gpr());
  as_.emit(Isa::imul, step, G(al_.use(c)), asmjit::Imm(bytes));
  as_.emit(Isa::lea, step3, x86::ptr(step, step, 1));
  x86::Gp base = first.baseReg().as<x86::Gp>();
  auto offset = static_cast<int32_t>(first.offset());
  if (first.hasIndex()) {
    base = G(temp_gpr());
    as_.emit(Isa::lea, base, first);
    offset = 0;
  }
  for (int l = 0; l < lanes_; l += 4) {
    if (l > 0) {
      const x86::Gp next = G(temp_gpr());
      as_.emit(Isa::lea, next, x86::ptr(base, step, 2));
      base = next;
    }
    auto* lane = &rows.lane[static_cast<size_t>(l)];
    lane[0] = x86::ptr(base, offset);
    lane[1] = x86::ptr(base, step, 0, offset);
    lane[2] = x86::ptr(base, step, 1, offset);
    lane[3] = x86::ptr(base, step3, 0, offset);
  }
}

// Block b of a vector of `bytes`; block 0 of a load zeroes the others.
void Emitter::insert_block(int to, const asmjit::Operand& from, int block, int bytes) {
  if (block == 0) return as_.emit(Isa::vmovups, X(to), from);
  const x86::Vec r = vector_register(to, bytes);
  as_.emit(avx512_ ? Isa::vinsertf64x2 : Isa::vinsertf128, r, r, from, asmjit::Imm(block));
}
void Emitter::extract_block(const asmjit::Operand& to, int from, int block, int bytes) {
  if (block == 0) return as_.emit(Isa::vmovups, to, X(from));
  as_.emit(avx512_ ? Isa::vextractf64x2 : Isa::vextractf128, to, vector_register(from, bytes), asmjit::Imm(block));
}

// to[i] gets element i of every from[j], in each block: its own inverse. `to` are temporaries.
void Emitter::transpose_blocks(std::span<const int> from, std::span<int> to, KType t) {
  auto R = [&](int r) { return V(r, t); };
  auto emit = [&](Isa op, int r, int a, int b) { as_.emit(op, R(r), R(a), R(b)); };
  if (is_wide(t)) {
    to[0] = temp(), to[1] = temp();
    emit(Isa::vunpcklpd, to[0], from[0], from[1]);
    emit(Isa::vunpckhpd, to[1], from[0], from[1]);
    return;
  }
  const int low01 = temp(), high01 = temp(), low23 = temp(), high23 = temp(), extra = temp();
  emit(Isa::vunpcklps, low01, from[0], from[1]);
  emit(Isa::vunpckhps, high01, from[0], from[1]);
  emit(Isa::vunpcklps, low23, from[2], from[3]);
  emit(Isa::vunpckhps, high23, from[2], from[3]);
  emit(Isa::vunpcklpd, extra, low01, low23);
  emit(Isa::vunpckhpd, low01, low01, low23);
  emit(Isa::vunpcklpd, low23, high01, high23);
  emit(Isa::vunpckhpd, high01, high01, high23);
  to[0] = extra, to[1] = low01, to[2] = low23, to[3] = high01;
}

// ---- rows

void Emitter::load_rows(uint32_t i) {
  const KInstr& d = in(i);
  const int count = d.aux, n = 16 / bytes_of(d.type);
  Rows rows;
  rows_init(rows, d);
  int j = 0;
  if (!single() && count >= n) {
    for (; j + n <= count; j += n) load_chunk(i, rows, j, 0);
    if (j < count) load_chunk(i, rows, count - n, n - (count - j));  // overlaps the one before
    return;
  }
  for (; j < count; ++j) {
    const uint32_t v = i + static_cast<uint32_t>(j);
    if (al_.liveness().first(v) == Liveness::kNever) continue;
    al_.begin_entries(i, 0, 0);
    load_strided_value(v, rows, j);
    al_.end_entries();
  }
}

// Defines values first + skip... of a chunk of n.
void Emitter::load_chunk(uint32_t i, const Rows& rows, int first, int skip) {
  const KType t = rows.type;
  const int bytes = width(t), n = 16 / bytes_of(t);
  auto needed = [&](int j) {
    return j >= skip && al_.liveness().first(i + static_cast<uint32_t>(first + j)) != Liveness::kNever;
  };
  bool any = false;
  for (int j = 0; j < n; ++j) any |= needed(j);
  if (!any) return;
  al_.begin_entries(i, 0, 0);
  std::array<int, 4> block{}, value{};
  for (int j = 0; j < n; ++j) {
    block[static_cast<size_t>(j)] = temp();
    if (tail_) zero(block[static_cast<size_t>(j)], bytes);
  }
  const asmjit::Label done = as_.label();
  for (int l = 0; l < lanes_; ++l) {
    stop_at_tail(l, done);
    insert_block(block[static_cast<size_t>(l % n)], rows.at(l, first), l / n, bytes);
  }
  as_.bind(done);
  const auto size = static_cast<size_t>(n);
  transpose_blocks(std::span(block).first(size), std::span(value).first(size), t);
  for (int j = 0; j < n; ++j)
    if (needed(j)) al_.adopt(i + static_cast<uint32_t>(first + j), value[static_cast<size_t>(j)]);
  al_.end_entries();
}

void Emitter::store_rows(uint32_t i) {
  const KInstr& d = in(i);
  const int count = d.aux, n = single() ? 1 : 16 / bytes_of(d.type);
  Rows rows;
  rows_init(rows, d);
  auto value = [&](int j) { return k_.lists[d.d + static_cast<uint32_t>(j)]; };
  for (int j = 0; j < count;) {
    // The last chunk overlaps the one before it.
    const int left = count - j, take = left < n ? 1 : left < 2 * n ? left : n;
    al_.begin_entries(i, static_cast<uint32_t>(j), static_cast<uint32_t>(take));
    if (take < n || n == 1) {
      store_strided_value(use(value(j)), rows, j);
    } else {
      std::array<int, 8> x{};
      for (int k = 0; k < take; ++k) x[static_cast<size_t>(k)] = use(value(j + k));
      const auto size = static_cast<size_t>(n);
      store_chunk(rows, std::span(x).first(size), j);
      if (take > n) store_chunk(rows, std::span(x).subspan(static_cast<size_t>(take - n), size), j + take - n);
    }
    al_.end_entries();
    j += take;
  }
}

void Emitter::store_chunk(const Rows& rows, std::span<const int> values, int first) {
  std::array<int, 4> block{};
  const int n = static_cast<int>(values.size());
  transpose_blocks(values, std::span(block).first(values.size()), rows.type);
  const asmjit::Label done = as_.label();
  for (int l = 0; l < lanes_; ++l) {
    stop_at_tail(l, done);
    extract_block(rows.at(l, first), block[static_cast<size_t>(l % n)], l / n, width(rows.type));
  }
  as_.bind(done);
  for (int b : std::span(block).first(values.size())) al_.drop(kVector, b);
}

// ---- strided

void Emitter::load_strided(uint32_t i) {
  if (type(i) == KType::mask) return load_mask_lanes(i);
  Rows rows;
  rows_init(rows, in(i));
  load_strided_value(i, rows, 0);
}

void Emitter::load_strided_value(uint32_t v, const Rows& rows, int column) {
  const KType t = rows.type;
  const int bytes = bytes_of(t), n = 16 / bytes;
  if (single()) return load_vector(al_.define(v), rows.at(0, column), bytes);
  if (tail_) {
    const int x = temp_gpr(), r = al_.define(v);
    zero(r, width(t));
    as_.emit(Isa::vmovups, spill(unit_.scratch(0)), V(r, t));
    const asmjit::Label done = as_.label();
    for (int l = 0; l < lanes_; ++l) {
      stop_at_tail(l, done);
      as_.emit(Isa::mov, bytes == 8 ? G(x) : E(x), rows.at(l, column));
      as_.emit(Isa::mov, in_scratch(0, l, bytes), bytes == 8 ? G(x) : E(x));
    }
    as_.bind(done);
    return as_.emit(Isa::vmovups, V(r, t), spill(unit_.scratch(0)));
  }
  const int r = al_.define(v), block = temp();
  for (int l = 0; l < lanes_; ++l) {
    const int x = l < n ? r : block;
    const x86::Mem m = rows.at(l, column);
    if (l % n == 0)
      load_vector(x, m, bytes);
    else if (bytes == 8)
      as_.emit(Isa::vmovhpd, X(x), X(x), m);
    else
      as_.emit(Isa::vinsertps, X(x), X(x), m, asmjit::Imm(l % n << 4));
    if (l >= n && l % n == n - 1) insert_block(r, X(block), l / n, width(t));
  }
}

void Emitter::store_strided(uint32_t i) {
  if (type(in(i).d) == KType::mask) return store_mask_lanes(i);
  Rows rows;
  rows_init(rows, in(i));
  store_strided_value(use(in(i).d), rows, 0);
}

void Emitter::store_strided_value(int x, const Rows& rows, int column) {
  const KType t = rows.type;
  const int bytes = bytes_of(t), n = 16 / bytes;
  if (single()) return store_vector(rows.at(0, column), x, bytes);
  const int block = temp();
  const asmjit::Label done = as_.label();
  for (int l = 0; l < lanes_; ++l) {
    stop_at_tail(l, done);
    if (l >= n && l % n == 0) extract_block(X(block), x, l / n, width(t));
    const x86::Vec from = X(l < n ? x : block);
    const x86::Mem m = rows.at(l, column);
    if (l % n == 0)
      store_vector(m, static_cast<int>(from.id()), bytes);
    else if (bytes == 8)
      as_.emit(Isa::vmovhpd, m, from);
    else
      as_.emit(Isa::vextractps, m, from, asmjit::Imm(l % n));
  }
  as_.bind(done);
}

// ---- masks, byte by byte: strided and indexed ones, and tails on AVX2

void Emitter::load_mask_lanes(uint32_t i) {
  const KInstr& d = in(i);
  Rows rows;
  const int z = temp();
  zero(z, 16);
  as_.emit(Isa::vmovups, spill(unit_.scratch(0)), X(z));
  if (d.op == KOp::gather)
    as_.emit(Isa::vmovups, spill(unit_.scratch(1)), V(use(d.c), type(d.c)));
  else if (d.op == KOp::load_strided)
    rows_init(rows, d);
  const x86::Mem first = address(d);
  const int byte = temp_gpr(), index = temp_gpr();
  const asmjit::Label done = as_.label();
  for (int l = 0; l < lanes_; ++l) {
    stop_at_tail(l, done);
    x86::Mem m = first.cloneAdjusted(l);
    if (d.op == KOp::gather) {
      index_of_lane(type(d.c), l, index);
      m = x86::ptr(first.baseReg().as<x86::Gp>(), G(index), 0, static_cast<int32_t>(first.offset()));
    } else if (d.op == KOp::load_strided) {
      m = rows.at(l, 0);
    }
    m.setSize(1);
    as_.emit(Isa::movzx, E(byte), m);
    as_.emit(Isa::mov, in_scratch(0, l, 1), B(byte));
  }
  as_.bind(done);
  x86::Mem bytes = spill(unit_.scratch(0));
  bytes.setSize(static_cast<uint32_t>(std::max(lanes_, 2)));
  if (single()) {
    as_.emit(Isa::vmovups, X(z), bytes);
    return define_mask(i, X(z));
  }
  define_mask(i, bytes);
}

void Emitter::store_mask_lanes(uint32_t i) {
  const KInstr& d = in(i);
  Rows rows;
  const int x = bytes_from_mask(use(d.d));
  as_.emit(Isa::vmovups, spill(unit_.scratch(0)), X(x));
  if (d.op == KOp::scatter)
    as_.emit(Isa::vmovups, spill(unit_.scratch(1)), V(use(d.c), type(d.c)));
  else if (d.op == KOp::store_strided)
    rows_init(rows, d);
  const x86::Mem first = address(d);
  const int byte = temp_gpr(), index = temp_gpr();
  const asmjit::Label done = as_.label();
  for (int l = 0; l < lanes_; ++l) {
    stop_at_tail(l, done);
    x86::Mem m = first.cloneAdjusted(l);
    if (d.op == KOp::scatter) {
      index_of_lane(type(d.c), l, index);
      m = x86::ptr(first.baseReg().as<x86::Gp>(), G(index), 0, static_cast<int32_t>(first.offset()));
    } else if (d.op == KOp::store_strided) {
      m = rows.at(l, 0);
    }
    m.setSize(1);
    as_.emit(Isa::movzx, E(byte), in_scratch(0, l, 1));
    as_.emit(Isa::mov, m, B(byte));
  }
  as_.bind(done);
}

}  // namespace jot::cpu
