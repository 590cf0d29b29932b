// Rows and strided accesses: lane l works on memory of its own, c elements behind that of lane l - 1.
//
// Rows move in blocks of 16 bytes: n lanes of n values (2 of 8 bytes, 4 of 4 bytes) are n blocks, which are transposed
// within registers for all groups of n lanes at once. Where there are 2 n values, two blocks make a part of 32 bytes.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <string_view>

#include "backends/cpu/emit/emitter.h"

namespace jot::cpu {

// Addresses of the first element of every lane.
struct Emitter::Rows {
  KType type;
  std::array<x86::Mem, 16> lane;
  // Of indexed rows: their indices are in scratch area 1 and come to a register one at a time.
  KType index_type = KType::none;
  int index = -1;
};

x86::Mem Emitter::row(const Rows& rows, int lane, int column) {
  if (rows.index >= 0) index_of_lane(rows.index_type, lane, rows.index);
  return rows.lane[static_cast<size_t>(lane)].cloneAdjusted(int64_t{column} * bytes_of(rows.type));
}

void Emitter::rows_init(Rows& rows, const KInstr& d) {
  const int bytes = bytes_in_memory(d);
  rows.type = d.type;
  const x86::Mem first = address(d);
  rows.lane[0] = first;
  if (single()) return;
  if (type(d.c) != KType::scalar) {  // made by combine_gathers
    rows.index_type = type(d.c);
    as_.emit(Isa::vmovups, spill(unit_.scratch(1)), V(use(d.c), rows.index_type));
    rows.index = temp_gpr();
    rows.lane.fill(x86::ptr(first.baseReg().as<x86::Gp>(), G(rows.index), bytes == 8 ? 3 : 2,
                            static_cast<int32_t>(first.offset())));
    return;
  }
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

// The part of a lane in a vector of `bytes`: `unit` bytes, 16 or 32, at `position`. Loading part 0 zeroes the others.
void Emitter::load_part(int to, const asmjit::Operand& from, int position, int unit, int bytes) {
  if (position == 0) return as_.emit(Isa::vmovups, vector_register(to, unit), from);
  const x86::Vec r = vector_register(to, bytes);
  const Isa op = unit == 32 ? Isa::vinsertf64x4 : avx512_ ? Isa::vinsertf64x2 : Isa::vinsertf128;
  as_.emit(op, r, r, from, asmjit::Imm(position));
}
void Emitter::store_part(const asmjit::Operand& to, int from, int position, int unit, int bytes) {
  if (position == 0) return as_.emit(Isa::vmovups, to, vector_register(from, unit));
  const Isa op = unit == 32 ? Isa::vextractf64x4 : avx512_ ? Isa::vextractf64x2 : Isa::vextractf128;
  as_.emit(op, to, vector_register(from, bytes), asmjit::Imm(position));
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

// Columns that move together; the last chunk may overlap the one before it.
std::vector<Emitter::Chunk> Emitter::chunks(KType t, int count) const {
  const int n = 16 / bytes_of(t);
  // Two blocks of 4-byte elements need more registers than AVX2 has.
  const bool wide = count >= 2 * n && width(t) > 16 && (avx512_ || is_wide(t));
  std::vector<Chunk> all;
  int j = 0;
  auto take = [&](int size) {
    all.push_back({j, size});
    j += size;
  };
  if (single() || count < n) {
    while (j < count) take(1);
    return all;
  }
  while (wide && count - j >= 2 * n) take(2 * n);
  if (wide && count - j > n) j = count - 2 * n, take(2 * n);
  while (count - j >= n) take(n);
  if (j < count) j = count - n, take(n);
  return all;
}

// Where the lanes of a chunk are in registers: n for parts of 16 bytes, 2 n for parts of 32.
Emitter::Part Emitter::part(std::span<const int> registers, int lane, KType t) const {
  const int n = 16 / bytes_of(t), block = lane / n, i = lane % n;
  if (static_cast<int>(registers.size()) == n) return {registers[static_cast<size_t>(i)], block, 16};
  const int per_register = width(t) / 32;
  return {registers[static_cast<size_t>(block / per_register * n + i)], block % per_register, 32};
}

void Emitter::load_rows(uint32_t i) {
  const KInstr& d = in(i);
  Rows rows;
  rows_init(rows, d);
  int next = 0;
  for (const Chunk& c : chunks(d.type, d.aux)) {
    al_.begin_entries(i, 0, 0);
    const int skip = next - c.first;
    next = c.first + c.size;
    bool needed = false;
    for (int j = skip; j < c.size; ++j)
      needed |= al_.liveness().first(i + static_cast<uint32_t>(c.first + j)) != Liveness::kNever;
    if (needed && c.size == 1) load_strided_value(i + static_cast<uint32_t>(c.first), rows, c.first);
    if (needed && c.size > 1) load_chunk(i, rows, c, skip);
    al_.end_entries();
  }
}

// Defines the values of a chunk, but for the first `skip`.
void Emitter::load_chunk(uint32_t i, const Rows& rows, const Chunk& chunk, int skip) {
  const KType t = rows.type;
  const int bytes = width(t);
  const auto n = static_cast<size_t>(16 / bytes_of(t)), size = static_cast<size_t>(chunk.size);
  std::array<int, 8> blocks{}, values{};
  for (int& r : std::span(blocks).first(size)) {
    r = temp();
    if (tail_) zero(r, bytes);
  }
  const asmjit::Label done = as_.label();
  for (int l = 0; l < lanes_; ++l) {
    stop_at_tail(l, done);
    const Part p = part(std::span(blocks).first(size), l, t);
    load_part(p.reg, row(rows, l, chunk.first), p.position, p.unit, bytes);
  }
  as_.bind(done);
  if (size > n) split_parts(std::span(blocks).first(size), t);
  for (size_t k = 0; k < size; k += n) {
    transpose_blocks(std::span(blocks).subspan(k, n), std::span(values).subspan(k, n), t);
    for (int r : std::span(blocks).subspan(k, n)) al_.drop(kVector, r);
  }
  for (size_t j = static_cast<size_t>(skip); j < size; ++j) {
    const uint32_t v = i + static_cast<uint32_t>(chunk.first) + static_cast<uint32_t>(j);
    if (al_.liveness().first(v) != Liveness::kNever) al_.adopt(v, values[j]);
  }
}

void Emitter::store_rows(uint32_t i) {
  const KInstr& d = in(i);
  Rows rows;
  rows_init(rows, d);
  const std::vector<Chunk> all = chunks(d.type, d.aux);
  for (size_t c = 0; c < all.size(); ++c) {
    const int first = all[c].first, size = all[c].size, keep = c + 1 < all.size() ? all[c + 1].first : first + size;
    al_.begin_entries(i, static_cast<uint32_t>(first), static_cast<uint32_t>(size), static_cast<uint32_t>(keep));
    std::array<uint32_t, 8> values{};
    for (int j = 0; j < size; ++j) values[static_cast<size_t>(j)] = k_.lists[d.d + static_cast<uint32_t>(first + j)];
    if (size == 1)
      store_strided_value(use(values[0]), rows, first);
    else
      store_chunk(rows, std::span(values).first(static_cast<size_t>(size)), first);
    al_.end_entries();
  }
}

void Emitter::store_chunk(const Rows& rows, std::span<const uint32_t> values, int first) {
  const KType t = rows.type;
  const auto n = static_cast<size_t>(16 / bytes_of(t));
  std::array<int, 8> blocks{}, x{};
  for (size_t k = 0; k < values.size(); k += n) {
    for (size_t j = k; j < k + n; ++j) x[j] = use(values[j]);
    transpose_blocks(std::span(x).subspan(k, n), std::span(blocks).subspan(k, n), t);
  }
  if (values.size() > n) join_blocks(std::span(blocks).first(values.size()), t);
  const asmjit::Label done = as_.label();
  for (int l = 0; l < lanes_; ++l) {
    stop_at_tail(l, done);
    const Part p = part(std::span(blocks).first(values.size()), l, t);
    store_part(row(rows, l, first), p.reg, p.position, p.unit, width(t));
  }
  as_.bind(done);
}

// Blocks a of n values and b of the n behind them become parts [a b], in the order of part().
void Emitter::join_blocks(std::span<int> r, KType t) {
  const size_t n = r.size() / 2;
  auto R = [&](int x) { return V(x, t); };
  int spare = temp(), other = width(t) == 64 ? temp() : -1;
  for (size_t i = 0; i < n; ++i) {
    const int a = r[i], b = r[n + i];
    if (width(t) == 64) {
      constexpr int64_t low[] = {0, 1, 8, 9, 2, 3, 10, 11}, high[] = {4, 5, 12, 13, 6, 7, 14, 15};
      auto indices = [](const int64_t* x) { return std::string_view(reinterpret_cast<const char*>(x), 64); };
      as_.emit(Isa::vmovups, R(spare), unit_.data(indices(low), 64));
      as_.emit(Isa::vmovups, R(other), unit_.data(indices(high), 64));
      as_.emit(Isa::vpermi2pd, R(spare), R(a), R(b));
      as_.emit(Isa::vpermi2pd, R(other), R(a), R(b));
      r[i] = spare, r[n + i] = other;
      spare = a, other = b;
      continue;
    }
    if (avx512_) {
      as_.emit(Isa::vshuff64x2, R(spare), R(a), R(b), asmjit::Imm(0));
      as_.emit(Isa::vshuff64x2, R(a), R(a), R(b), asmjit::Imm(3));
    } else {
      as_.emit(Isa::vperm2f128, R(spare), R(a), R(b), asmjit::Imm(0x20));
      as_.emit(Isa::vperm2f128, R(a), R(a), R(b), asmjit::Imm(0x31));
    }
    r[i] = spare, r[n + i] = a;
    spare = b;
  }
}

// The inverse.
void Emitter::split_parts(std::span<int> r, KType t) {
  const size_t n = r.size() / 2;
  auto R = [&](int x) { return V(x, t); };
  const Isa op = avx512_ ? Isa::vshuff64x2 : Isa::vperm2f128;
  const int even = !avx512_ ? 0x20 : width(t) == 64 ? 0x88 : 0, odd = !avx512_ ? 0x31 : width(t) == 64 ? 0xdd : 3;
  int spare = temp();
  for (size_t i = 0; i < n; ++i) {
    const int low = r[i], high = r[n + i];
    as_.emit(op, R(spare), R(low), R(high), asmjit::Imm(even));
    as_.emit(op, R(low), R(low), R(high), asmjit::Imm(odd));
    r[i] = spare, r[n + i] = low;
    spare = high;
  }
  al_.drop(kVector, spare);
}

// ---- strided

namespace {

// Of elements `step` apart the first in memory, in elements of lane 0's, and where the others are behind it.
struct Apart {
  int step, span, low;
  Apart(int64_t of, int lanes)
      : step(static_cast<int>(of)), span((lanes - 1) * std::abs(step)), low(step < 0 ? -span : 0) {}
  int count() const { return std::abs(step); }
  int position(int lane) const { return lane * step - low; }
};

}  // namespace

void Emitter::load_strided(uint32_t i) {
  if (type(i) == KType::mask) return load_mask_lanes(i);
  if (in(i).memory != KMem::own) return load_narrow(i);
  const KInstr& step = in(al_.root(in(i).c));
  constexpr int64_t kNear = 4, kFar = 1 << 24;
  if (step.op == KOp::iconst && step.imm != 0 && std::abs(step.imm) < kFar && !single()) {
    // A few elements apart, forward or backward: less than inserts cost vectors of what lies between.
    const bool near = std::abs(step.imm) <= kNear && width(in(i).type) > 16;
    if (near && avx512_ && (tail_ ? step.imm > 1 : std::abs(step.imm) > 1)) return load_between(i);
    if (tail_) return load_constant_steps(i);
    if (near) return load_near(i);
  }
  Rows rows;
  rows_init(rows, in(i));
  load_strided_value(i, rows, 0);
}

// The live lanes of a tail.
void Emitter::load_constant_steps(uint32_t i) {
  const KInstr& d = in(i);
  const KType t = d.type;
  const int64_t step = in(al_.root(d.c)).imm;
  const x86::Gp base = G(temp_gpr());
  as_.emit(Isa::lea, base, address(d));
  const int index = temp();
  const std::string indices = packed(lanes_, bytes_of(t), [&](int l) { return l * step; });
  as_.emit(Isa::vmovups, V(index, t), unit_.data(indices, width(t)));
  gather_from(i, x86::ptr(base, V(index, t), is_wide(t) ? 3 : 2), is_wide(t));
}

// AVX-512: as many vectors as the step, one behind the other. No element behind the last that is wanted is read (a
// tail's step is positive). What is wanted of each vector is moved to its lane, those of the vectors before it kept.
void Emitter::load_between(uint32_t i) {
  const KInstr& d = in(i);
  const KType t = d.type;
  const Apart apart(in(al_.root(d.c)).imm, lanes_);
  const int bytes = bytes_of(t), last = apart.count() - 1;
  const x86::Mem first = address(d);
  const int some = al_.temporary(kMask), wanted = temp_gpr();  // a bit an element, from that of the next vector on
  if (tail_) {
    const int ones = temp_gpr();
    as_.emit(Isa::imul, G(wanted), spill(unit_.live_slot), asmjit::Imm(apart.count()));
    as_.emit(Isa::sub, G(wanted), asmjit::Imm(last));
    as_.emit(Isa::mov, G(ones), asmjit::Imm(-1));
    as_.emit(Isa::bzhi, G(wanted), G(ones), G(wanted));
  } else {
    as_.emit(Isa::mov, E(wanted), asmjit::Imm((1 << (apart.span + 1 - last * lanes_)) - 1));
  }
  int before = -1;
  for (int k = 0; k <= last; ++k) {
    const int x = temp();
    if (tail_ || k == last) {
      as_.emit(Isa::kmovw, K(some), E(wanted));
      as_.masked(K(some), true);
    }
    as_.emit(pick(t, Isa::vmovupd, Isa::vmovups), V(x, t),
             first.cloneAdjusted(int64_t{apart.low + k * lanes_} * bytes));
    if (tail_ && k < last) as_.emit(Isa::shr, G(wanted), asmjit::Imm(lanes_));
    if (k > 0) {
      const int r = k == last ? al_.define(i) : temp();
      const std::string indices = packed(lanes_, bytes, [&](int l) {
        const int at = apart.position(l), source = at / lanes_;
        return source == k ? lanes_ + at % lanes_ : k == 1 ? at : l;
      });
      as_.emit(Isa::vmovups, V(r, t), unit_.data(indices, width(t)));
      as_.emit(pick(t, Isa::vpermi2pd, Isa::vpermi2ps), V(r, t), V(before, t), V(x, t));
      before = r;
    } else {
      before = x;
    }
  }
}

// As many vectors as the step: one behind the other, but the last, which ends with the last element that is wanted.
void Emitter::load_near(uint32_t i) {
  const KInstr& d = in(i);
  const KType t = d.type;
  const Apart apart(in(al_.root(d.c)).imm, lanes_);
  const int bytes = bytes_of(t), parts = bytes / 4, count = apart.count();
  const x86::Mem address_of_first = address(d);
  auto first = [&](int k) { return k + 1 < count ? k * lanes_ : apart.span - (lanes_ - 1); };
  auto source = [&](int lane) {
    int k = 0;
    while (apart.position(lane) >= first(k) + lanes_) ++k;
    return k;
  };
  const int index = temp(), other = count > 1 ? temp() : -1, r = al_.define(i);
  for (int k = 0; k < count; ++k) {
    int own = 0;  // of this vector, in 4 bytes
    for (int l = 0; l < lanes_; ++l)
      if (source(l) == k) own |= ((1 << parts) - 1) << (l * parts);
    const std::string indices = packed(lanes_ * parts, 4, [&](int l) {
      const int lane = l / parts;
      return source(lane) == k ? (apart.position(lane) - first(k)) * parts + l % parts : l % parts;
    });
    as_.emit(Isa::vmovups, V(index, t), unit_.data(indices, width(t)));
    const x86::Mem vector = address_of_first.cloneAdjusted(int64_t{apart.low + first(k)} * bytes);
    as_.emit(Isa::vpermps, V(k == 0 ? r : other, t), V(index, t), vector);
    if (k > 0) as_.emit(Isa::vblendps, V(r, t), V(r, t), V(other, t), asmjit::Imm(own));
  }
}

void Emitter::load_strided_value(uint32_t v, const Rows& rows, int column) {
  const KType t = rows.type;
  const int bytes = bytes_of(t), n = 16 / bytes;
  if (single()) return load_vector(al_.define(v), row(rows, 0, column), bytes);
  if (tail_) {
    const int x = temp_gpr(), r = al_.define(v);
    zero(r, width(t));
    as_.emit(Isa::vmovups, spill(unit_.scratch(0)), V(r, t));
    const asmjit::Label done = as_.label();
    for (int l = 0; l < lanes_; ++l) {
      stop_at_tail(l, done);
      as_.emit(Isa::mov, bytes == 8 ? G(x) : E(x), row(rows, l, column));
      as_.emit(Isa::mov, in_scratch(0, l, bytes), bytes == 8 ? G(x) : E(x));
    }
    as_.bind(done);
    return as_.emit(Isa::vmovups, V(r, t), spill(unit_.scratch(0)));
  }
  const int r = al_.define(v), block = temp();
  for (int l = 0; l < lanes_; ++l) {
    const int x = l < n ? r : block;
    const x86::Mem m = row(rows, l, column);
    if (l % n == 0)
      load_vector(x, m, bytes);
    else if (bytes == 8)
      as_.emit(Isa::vmovhpd, X(x), X(x), m);
    else
      as_.emit(Isa::vinsertps, X(x), X(x), m, asmjit::Imm(l % n << 4));
    if (l >= n && l % n == n - 1) load_part(r, X(block), l / n, 16, width(t));
  }
}

void Emitter::store_strided(uint32_t i) {
  if (type(in(i).d) == KType::mask) return store_mask_lanes(i);
  if (in(i).memory != KMem::own) return store_narrow(i);
  Rows rows;
  rows_init(rows, in(i));
  store_strided_value(use(in(i).d), rows, 0);
}

void Emitter::store_strided_value(int x, const Rows& rows, int column) {
  const KType t = rows.type;
  const int bytes = bytes_of(t), n = 16 / bytes;
  if (single()) return store_vector(row(rows, 0, column), x, bytes);
  const int block = temp();
  const asmjit::Label done = as_.label();
  for (int l = 0; l < lanes_; ++l) {
    stop_at_tail(l, done);
    if (l >= n && l % n == 0) store_part(X(block), x, l / n, 16, width(t));
    const x86::Vec from = X(l < n ? x : block);
    const x86::Mem m = row(rows, l, column);
    if (l % n == 0)
      store_vector(m, static_cast<int>(from.id()), bytes);
    else if (bytes == 8)
      as_.emit(Isa::vmovhpd, m, from);
    else
      as_.emit(Isa::vextractps, m, from, asmjit::Imm(l % n));
  }
  as_.bind(done);
}

// ---- elements of one or two bytes, lane by lane: strided and indexed ones, and tails on AVX2

// Moves the elements of the lanes between memory and scratch 0, where masks are bytes and others have four bytes.
void Emitter::move_narrow_lanes(const KInstr& d, bool load) {
  const bool indexed = d.op == KOp::gather || d.op == KOp::scatter, mask = d.type == KType::mask;
  const bool strided = d.op == KOp::load_strided || d.op == KOp::store_strided;
  const int bytes = bytes_in_memory(d);
  Rows rows;
  if (indexed) as_.emit(Isa::vmovups, spill(unit_.scratch(1)), V(use(d.c), type(d.c)));
  if (strided) rows_init(rows, d);
  const x86::Mem first = address(d);
  const int element = temp_gpr(), index = temp_gpr(), x = mask ? -1 : temp();
  const asmjit::Label done = as_.label();
  for (int l = 0; l < lanes_; ++l) {
    stop_at_tail(l, done);
    x86::Mem m = first.cloneAdjusted(int64_t{l} * bytes);
    if (indexed) {
      index_of_lane(type(d.c), l, index);
      m = x86::ptr(first.baseReg().as<x86::Gp>(), G(index), bytes == 2 ? 1 : 0, static_cast<int32_t>(first.offset()));
    } else if (strided) {
      m = row(rows, l, 0);
    }
    m.setSize(static_cast<uint32_t>(bytes));
    const x86::Mem lane = in_scratch(0, l, mask ? 1 : 4);
    if (mask) {
      as_.emit(Isa::movzx, E(element), load ? m : lane);
      as_.emit(Isa::mov, load ? lane : m, B(element));
    } else if (load) {
      load_narrow_one(d, x, element, m);
      store_vector(lane, x, 4);
    } else {
      load_vector(x, lane, 4);
      store_narrow_one(d, m, x);
    }
  }
  as_.bind(done);
}

}  // namespace jot::cpu
