// Loads and stores. Contiguous ones, gathers and transposes of 8-byte elements have instructions; the rest goes lane by
// lane through the spill area.
#include <algorithm>

#include "backends/cpu/emit.h"
#include "jot/error.h"

namespace jot::cpu {

namespace {

const x86::Gp kSpill = x86::rcx;
bool is_wide(KType t) { return bytes_of(t) == 8; }
x86::Mem byte(x86::Mem m) {
  m.setSize(1);
  return m;
}

}  // namespace

// The instruction's address; b, if any, is in rax or a register.
x86::Mem BodyEmitter::address(uint32_t i, int64_t extra) {
  const KInstr& d = in(i);
  int64_t displacement = d.imm + extra;
  int a = use(d.a);
  if (displacement != static_cast<int32_t>(displacement)) {
    uint64_t bits = static_cast<uint64_t>(displacement);
    as_.emit(Isa::mov, x86::rax, unit_.data(std::string(reinterpret_cast<const char*>(&bits), 8)));
    as_.emit(Isa::add, x86::rax, G(a));
    if (d.b == kNone) return x86::ptr(x86::rax);
    return x86::ptr(x86::rax, G(use(d.b)),
                    static_cast<uint32_t>(bytes_of(d.type) == 8   ? 3
                                          : bytes_of(d.type) == 4 ? 2
                                                                  : 0));
  }
  if (d.b == kNone) return x86::ptr(G(a), static_cast<int32_t>(displacement));
  uint32_t shift = bytes_of(d.type) == 8 ? 3 : bytes_of(d.type) == 4 ? 2 : 0;
  return x86::ptr(G(a), G(use(d.b)), shift, static_cast<int32_t>(displacement));
}

// ---- contiguous

void BodyEmitter::load(uint32_t i) {
  const KInstr& d = in(i);
  if (d.type == KType::mask) return load_mask(i);
  advance(i);
  x86::Mem m = address(i);
  release(i);
  int r = define(i);
  bool wide = is_wide(d.type);
  if (lanes_ == 1) return as_.emit(wide ? Isa::vmovsd : Isa::vmovss, V(r, 16), m);
  if (!tail_) return as_.emit(Isa::vmovups, V(r, d.type), m);
  if (unit_.avx512)
    return static_cast<void>(as_.masked(x86::k7, true).emit(wide ? Isa::vmovupd : Isa::vmovups, V(r, d.type), m));
  int t = temp(vec);
  as_.emit(Isa::vmovups, V(t, vector_bytes()), spill(tail_mask_slot_));
  narrow_mask(t, t, d.type);
  as_.emit(wide ? Isa::vmaskmovpd : Isa::vmaskmovps, V(r, d.type), V(t, d.type), m);
}

void BodyEmitter::store(uint32_t i) {
  const KInstr& d = in(i);
  if (d.type == KType::mask) return store_mask(i);
  advance(i);
  int x = use(d.d);
  x86::Mem m = address(i);
  bool wide = is_wide(d.type);
  if (lanes_ == 1) {
    as_.emit(wide ? Isa::vmovsd : Isa::vmovss, m, V(x, 16));
  } else if (!tail_) {
    as_.emit(Isa::vmovups, m, V(x, d.type));
  } else if (unit_.avx512) {
    as_.masked(x86::k7, false).emit(wide ? Isa::vmovupd : Isa::vmovups, m, V(x, d.type));
  } else {
    int t = temp(vec);
    as_.emit(Isa::vmovups, V(t, vector_bytes()), spill(tail_mask_slot_));
    narrow_mask(t, t, d.type);
    as_.emit(wide ? Isa::vmaskmovpd : Isa::vmaskmovps, m, V(t, d.type), V(x, d.type));
  }
  release(i);
}

// Masks are bytes in memory; any that is not zero is true.
void BodyEmitter::load_mask(uint32_t i) {
  if (!unit_.avx512 && (tail_ || lanes_ == 1)) return by_lane(i);
  advance(i);
  x86::Mem m = address(i);
  int t = temp(vec);
  if (unit_.avx512) {
    if (lanes_ == 1) {
      as_.emit(Isa::movzx, x86::eax, byte(m));
      as_.emit(Isa::vmovd, V(t, 16), x86::eax);
    } else if (tail_) {
      as_.masked(x86::k7, true).emit(Isa::vmovdqu8, V(t, 16), m);
    } else if (lanes_ == 8) {
      as_.emit(Isa::vmovsd, V(t, 16), m);
    } else {
      as_.emit(Isa::vmovups, V(t, 16), m);
    }
    release(i);
    return as_.emit(Isa::vptestmb_k, K(define(i)), V(t, 16), V(t, 16));
  }
  int z = temp(vec), bytes = vector_bytes();
  as_.emit(lane_bytes() == 8 ? Isa::vpmovzxbq : Isa::vpmovzxbd, V(t, bytes), m);
  zero(z, bytes);
  as_.emit(lane_bytes() == 8 ? Isa::vpcmpeqq : Isa::vpcmpeqd, V(t, bytes), V(t, bytes), V(z, bytes));
  as_.emit(Isa::vpcmpeqd, V(z, bytes), V(z, bytes), V(z, bytes));
  release(i);
  as_.emit(Isa::vxorps, V(define(i), bytes), V(t, bytes), V(z, bytes));
}

void BodyEmitter::store_mask(uint32_t i) {
  if (!unit_.avx512) return by_lane(i);
  const KInstr& d = in(i);
  advance(i);
  int x = use(d.d);
  x86::Mem m = address(i);
  if (lanes_ == 1) {
    as_.emit(Isa::kmovw, x86::edx, K(x));
    as_.emit(Isa::and_, x86::edx, asmjit::Imm(1));
    as_.emit(Isa::mov, m, x86::dl);
  } else {
    int t = temp(vec);
    as_.masked(K(x), true).emit(Isa::vmovdqu8, V(t, 16), unit_.data(std::string(16, '\1')));
    if (tail_)
      as_.masked(x86::k7, false).emit(Isa::vmovdqu8, m, V(t, 16));
    else if (lanes_ == 8)
      as_.emit(Isa::vmovsd, m, V(t, 16));
    else
      as_.emit(Isa::vmovups, m, V(t, 16));
  }
  release(i);
}

// ---- one element

void BodyEmitter::load_bcast(uint32_t i) {
  const KInstr& d = in(i);
  advance(i);
  x86::Mem m = address(i);
  bool wide = is_wide(d.type);
  if (d.type != KType::mask) {
    release(i);
    int r = define(i);
    if (lanes_ == 1) return as_.emit(wide ? Isa::vmovsd : Isa::vmovss, V(r, 16), m);
    return as_.emit(wide ? Isa::vbroadcastsd : Isa::vbroadcastss, V(r, d.type), m);
  }
  int t = temp(vec);
  if (unit_.avx512) {
    as_.emit(Isa::vpbroadcastb, V(t, 16), m);
    release(i);
    return as_.emit(Isa::vptestmb_k, K(define(i)), V(t, 16), V(t, 16));
  }
  int z = temp(vec), bytes = vector_bytes();
  as_.emit(Isa::vpbroadcastb, V(t, bytes), m);
  zero(z, bytes);
  as_.emit(Isa::vpcmpeqd, V(t, bytes), V(t, bytes), V(z, bytes));
  as_.emit(Isa::vpcmpeqd, V(z, bytes), V(z, bytes), V(z, bytes));
  release(i);
  as_.emit(Isa::vxorps, V(define(i), bytes), V(t, bytes), V(z, bytes));
}

void BodyEmitter::load_one(uint32_t i) {
  const KInstr& d = in(i);
  advance(i);
  x86::Mem m = address(i);
  if (d.type != KType::mask) {
    release(i);
    return as_.emit(is_wide(d.type) ? Isa::vmovsd : Isa::vmovss, V(define(i), 16), m);
  }
  int t = temp(vec);
  as_.emit(Isa::movzx, x86::eax, byte(m));
  as_.emit(Isa::vmovd, V(t, 16), x86::eax);
  if (unit_.avx512) {
    release(i);
    return as_.emit(Isa::vptestmb_k, K(define(i)), V(t, 16), V(t, 16));
  }
  int z = temp(vec), bytes = vector_bytes();
  zero(z, bytes);
  as_.emit(Isa::vpcmpeqq, V(t, bytes), V(t, bytes), V(z, bytes));
  as_.emit(Isa::vpcmpeqd, V(z, bytes), V(z, bytes), V(z, bytes));
  release(i);
  as_.emit(Isa::vxorps, V(define(i), bytes), V(t, bytes), V(z, bytes));
}

void BodyEmitter::store_one(uint32_t i) {
  const KInstr& d = in(i);
  advance(i);
  int x = use(d.d);
  x86::Mem m = address(i);
  if (d.type != KType::mask) {
    as_.emit(is_wide(d.type) ? Isa::vmovsd : Isa::vmovss, m, V(x, 16));
  } else {
    if (unit_.avx512)
      as_.emit(Isa::kmovw, x86::edx, K(x));
    else
      as_.emit(Isa::vmovd, x86::edx, V(x, 16));
    as_.emit(Isa::and_, x86::edx, asmjit::Imm(1));
    as_.emit(Isa::mov, m, x86::dl);
  }
  release(i);
}

// ---- gathers

void BodyEmitter::gather(uint32_t i) {
  const KInstr& d = in(i);
  if (d.type == KType::mask || !unit_.avx512 || lanes_ == 1 || d.imm != static_cast<int32_t>(d.imm)) return by_lane(i);
  advance(i);
  int a = use(d.a), c = use(d.c), r = temp(vec);
  KType index = type(d.c);
  bool wide = is_wide(d.type), wide_index = is_wide(index);
  if (tail_) {
    zero(r, lanes_ * bytes_of(d.type));
    as_.emit(Isa::kmovw, x86::k6, x86::k7);
  } else {
    as_.emit(Isa::kxnorw, x86::k6, x86::k6, x86::k6);
  }
  x86::Mem m = x86::ptr(G(a), V(c, index), wide ? 3u : 2u, static_cast<int32_t>(d.imm));
  Isa op = wide         ? (wide_index ? Isa::vgatherqpd_k : Isa::vgatherdpd_k)
           : wide_index ? Isa::vgatherqps_k
                        : Isa::vgatherdps_k;
  as_.masked(x86::k6, false).emit(op, V(r, d.type), m);
  release(i);
  where_[i] = {-1, -1, false, uses_.first[i]};
  bind(i, r);
}

// ---- rows: transposes of 8 x 8 (AVX-512) or 4 x 4 (AVX2) elements of 8 bytes

bool BodyEmitter::fast_rows(uint32_t i) const { return lanes_ > 1 && is_wide(type(i)); }

// Where the rows of lanes begin, as memory operands; uses up to five registers.
void BodyEmitter::row_pointers(uint32_t i, std::array<x86::Mem, 8>& rows) {
  const KInstr& d = in(i);
  x86::Mem first = address(i);
  as_.emit(Isa::lea, x86::rax, first);
  files_[gpr].locked = 0;  // the address is done
  int base = temp(gpr), step = temp(gpr), step3 = temp(gpr);
  as_.emit(Isa::mov, G(base), x86::rax);
  as_.emit(Isa::imul, G(step), G(use(d.c)), asmjit::Imm(8));
  as_.emit(Isa::lea, G(step3), x86::ptr(G(step), G(step), 1));
  auto four = [&](int at, size_t from) {
    rows[from] = x86::ptr(G(at));
    rows[from + 1] = x86::ptr(G(at), G(step));
    rows[from + 2] = x86::ptr(G(at), G(step), 1);
    rows[from + 3] = x86::ptr(G(at), G(step3));
  };
  four(base, 0);
  if (lanes_ == 4) return;
  int second = temp(gpr);
  as_.emit(Isa::lea, G(second), x86::ptr(G(base), G(step), 2));
  four(second, 4);
}

// Registers r[j] hold element l of value j in lane l; afterwards r[l] holds value j of lane l in lane j. Values from n
// on do not matter. All registers are temporary.
void BodyEmitter::transpose(std::array<int, 8>& r, int n) {
  if (!unit_.avx512) {
    auto Y = [&](int x) { return V(x, 32); };
    int t = temp(vec), u = temp(vec);
    as_.emit(Isa::vunpckhpd, Y(t), Y(r[0]), Y(r[1]));
    as_.emit(Isa::vunpcklpd, Y(r[0]), Y(r[0]), Y(r[1]));
    as_.emit(Isa::vunpckhpd, Y(u), Y(r[2]), Y(r[3]));
    as_.emit(Isa::vunpcklpd, Y(r[2]), Y(r[2]), Y(r[3]));
    // r0: lanes 0 2, t: lanes 1 3 of values 0 1; r2, u: of values 2 3.
    as_.emit(Isa::vperm2f128, Y(r[1]), Y(t), Y(u), asmjit::Imm(0x20));
    as_.emit(Isa::vperm2f128, Y(r[3]), Y(t), Y(u), asmjit::Imm(0x31));
    as_.emit(Isa::vperm2f128, Y(t), Y(r[0]), Y(r[2]), asmjit::Imm(0x31));
    as_.emit(Isa::vperm2f128, Y(r[0]), Y(r[0]), Y(r[2]), asmjit::Imm(0x20));
    std::swap(r[2], t);
    return;
  }
  auto Z = [&](int x) { return V(x, 64); };
  int spare = temp(vec);
  // Pairs: even[p] has lanes 0 2 4 6 of values 2p, 2p + 1 as blocks of 16 bytes, odd[p] lanes 1 3 5 7.
  std::array<int, 4> even{}, odd{};
  for (size_t p = 0; p < 4; ++p) {
    int a = r[2 * p], b = r[2 * p + 1];
    if (2 * static_cast<int>(p) < n) {
      as_.emit(Isa::vunpckhpd, Z(spare), Z(a), Z(b));
      as_.emit(Isa::vunpcklpd, Z(a), Z(a), Z(b));
    }
    even[p] = a;
    odd[p] = spare;
    spare = b;
  }
  // 4 x 4 blocks in each half.
  auto blocks = [&](std::array<int, 4>& t) {
    auto shuffle = [&](int to, int a, int b, int imm) {
      as_.emit(Isa::vshuff64x2, Z(to), Z(a), Z(b), asmjit::Imm(imm));
    };
    shuffle(spare, t[0], t[1], 0xee);
    shuffle(t[0], t[0], t[1], 0x44);
    std::swap(spare, t[1]);  // t0: B0 B1 of both, t1: B2 B3
    shuffle(spare, t[2], t[3], 0xee);
    shuffle(t[2], t[2], t[3], 0x44);
    std::swap(spare, t[3]);
    shuffle(spare, t[0], t[2], 0xdd);
    shuffle(t[0], t[0], t[2], 0x88);
    std::swap(spare, t[2]);  // t0: B0 of all, t2: B1
    shuffle(spare, t[1], t[3], 0xdd);
    shuffle(t[1], t[1], t[3], 0x88);
    std::swap(spare, t[3]);  // t1: B2, t3: B3
  };
  blocks(even);
  blocks(odd);
  r = {even[0], odd[0], even[2], odd[2], even[1], odd[1], even[3], odd[3]};
}

void BodyEmitter::store_rows(uint32_t i) {
  if (!fast_rows(i)) return by_lane(i);
  const KInstr& d = in(i);
  advance(i);
  std::array<x86::Mem, 8> rows;
  row_pointers(i, rows);
  int bytes = vector_bytes();
  if (tail_) as_.emit(Isa::mov, x86::rdx, spill(live_slot_));
  for (int j = 0; j < d.aux; j += lanes_) {
    int n = std::min<int>(lanes_, d.aux - j);
    uint32_t before = files_[vec].locked;
    std::array<int, 8> r{};
    for (int k = 0; k < lanes_; ++k) r[static_cast<size_t>(k)] = temp(vec);
    for (int k = 0; k < n; ++k) {
      uint32_t v = k_.lists[d.d + static_cast<uint32_t>(j + k)];
      if (where_[v].reg >= 0)
        as_.emit(Isa::vmovaps, V(r[static_cast<size_t>(k)], bytes), V(where_[v].reg, bytes));
      else
        move_in(v, r[static_cast<size_t>(k)]);
    }
    transpose(r, n);
    int mask = -1;
    if (n < lanes_) {
      if (unit_.avx512) {
        as_.emit(Isa::mov, x86::eax, asmjit::Imm((1 << n) - 1));
        as_.emit(Isa::kmovw, x86::k6, x86::eax);
      } else {
        mask = temp(vec);
        std::string lanes;
        for (int l = 0; l < lanes_; ++l) lanes.append(8, l < n ? '\xff' : '\0');
        as_.emit(Isa::vmovups, V(mask, 32), unit_.data(lanes));
      }
    }
    asmjit::Label done = as_.label();
    for (int l = 0; l < lanes_; ++l) {
      if (tail_) {
        as_.emit(Isa::cmp, x86::rdx, asmjit::Imm(l));
        as_.emit(Isa::jle, done);
      }
      x86::Mem m = rows[static_cast<size_t>(l)].cloneAdjusted(8 * j);
      x86::Vec x = V(r[static_cast<size_t>(l)], bytes);
      if (n == lanes_)
        as_.emit(Isa::vmovups, m, x);
      else if (unit_.avx512)
        as_.masked(x86::k6, false).emit(Isa::vmovupd, m, x);
      else
        as_.emit(Isa::vmaskmovpd, m, V(mask, 32), x);
    }
    as_.bind(done);
    // The temporaries of this group are free for the next.
    for (uint32_t rest = files_[vec].locked & ~before; rest; rest &= rest - 1) {
      int x = std::countr_zero(rest);
      if (files_[vec].value[static_cast<size_t>(x)] == kTemp) files_[vec].value[static_cast<size_t>(x)] = kFree;
    }
    files_[vec].locked = before;
  }
  release(i);
}

void BodyEmitter::load_rows(uint32_t i) {
  if (!fast_rows(i)) return by_lane(i);
  const KInstr& d = in(i);
  advance(i);
  std::array<x86::Mem, 8> rows;
  row_pointers(i, rows);
  int bytes = vector_bytes();
  if (tail_) as_.emit(Isa::mov, x86::rdx, spill(live_slot_));
  for (int j = 0; j < d.aux; j += lanes_) {
    int n = std::min<int>(lanes_, d.aux - j), mask = -1;
    uint32_t before = files_[vec].locked;
    std::array<int, 8> r{};
    for (int k = 0; k < lanes_; ++k) r[static_cast<size_t>(k)] = temp(vec);
    if (n < lanes_) {
      if (unit_.avx512) {
        as_.emit(Isa::mov, x86::eax, asmjit::Imm((1 << n) - 1));
        as_.emit(Isa::kmovw, x86::k6, x86::eax);
      } else {
        mask = temp(vec);
        std::string lanes;
        for (int l = 0; l < lanes_; ++l) lanes.append(8, l < n ? '\xff' : '\0');
        as_.emit(Isa::vmovups, V(mask, 32), unit_.data(lanes));
      }
    }
    if (tail_)
      for (int l = 0; l < lanes_; ++l) zero(r[static_cast<size_t>(l)], bytes);
    asmjit::Label done = as_.label();
    for (int l = 0; l < lanes_; ++l) {
      if (tail_) {
        as_.emit(Isa::cmp, x86::rdx, asmjit::Imm(l));
        as_.emit(Isa::jle, done);
      }
      x86::Mem m = rows[static_cast<size_t>(l)].cloneAdjusted(8 * j);
      x86::Vec x = V(r[static_cast<size_t>(l)], bytes);
      if (n == lanes_)
        as_.emit(Isa::vmovups, x, m);
      else if (unit_.avx512)
        as_.masked(x86::k6, true).emit(Isa::vmovupd, x, m);
      else
        as_.emit(Isa::vmaskmovpd, x, V(mask, 32), m);
    }
    as_.bind(done);
    transpose(r, lanes_);
    for (int k = 0; k < n; ++k) {
      uint32_t v = i + static_cast<uint32_t>(j + k);
      where_[v] = {-1, -1, false, uses_.first[v]};
      bind(v, r[static_cast<size_t>(k)]);
      if (uses_.first[v] == Uses::kNever) kill(v);
    }
    for (int x = 0; x < 32; ++x)
      if (files_[vec].value[static_cast<size_t>(x)] == kTemp && !(before >> x & 1))
        files_[vec].value[static_cast<size_t>(x)] = kFree;
    files_[vec].locked = before;
  }
  release(i);
}

// ---- lane by lane

// Strided and indexed accesses, rows of 4-byte elements, masks on AVX2: element by element between memory and a copy of
// the vectors in the spill area, a loop over the live lanes.
void BodyEmitter::by_lane(uint32_t i) {
  const KInstr& d = in(i);
  const bool storing = info(d.op).kind == KKind::effect, indexed = d.op == KOp::gather || d.op == KOp::scatter;
  const bool rows = d.op == KOp::load_rows || d.op == KOp::store_rows;
  const int count = rows ? d.aux : 1, size = bytes_of(d.type);
  // In the spill area masks are bytes on AVX-512 and full lanes on AVX2.
  const bool mask = d.type == KType::mask;
  const int element = mask ? (unit_.avx512 ? 1 : lane_bytes()) : size, width = std::max(16, vector_bytes());
  advance(i);
  int32_t area = slot(width * (count + 1));
  auto vector_at = [&](int j) { return spill(area + width * (j + 1)); };
  if (indexed) as_.emit(Isa::vmovups, spill(area), V(use(d.c), std::max(16, lanes_ * bytes_of(type(d.c)))));
  for (int j = 0; j < count; ++j) {
    if (!storing) {
      int z = temp(vec);
      zero(z, width);
      as_.emit(Isa::vmovups, vector_at(j), V(z, width));
      files_[vec].value[static_cast<size_t>(z)] = kFree;
      files_[vec].locked &= ~(1u << z);
      continue;
    }
    uint32_t v = rows ? k_.lists[d.d + static_cast<uint32_t>(j)] : d.d;
    bool was = where_[v].reg >= 0 && (files_[class_of(v)].locked >> where_[v].reg & 1);
    int x = use(v);
    if (mask && unit_.avx512) {
      int t = temp(vec);
      as_.masked(K(x), true).emit(Isa::vmovdqu8, V(t, 16), unit_.data(std::string(16, '\1')));
      as_.emit(Isa::vmovups, vector_at(j), V(t, 16));
    } else {
      as_.emit(Isa::vmovups, vector_at(j), V(x, mask ? vector_bytes() : std::max(16, lanes_ * size)));
      if (!was) files_[vec].locked &= ~(1u << x);
    }
  }

  x86::Mem first = indexed ? x86::ptr(G(use(d.a)), 0) : address(i);
  as_.emit(Isa::lea, x86::rax, first);
  files_[gpr].locked = 0;  // the address is done
  int pointer = temp(gpr), lane = temp(gpr);
  as_.emit(Isa::mov, G(pointer), x86::rax);
  as_.emit(Isa::xor_, G(lane), G(lane));
  int step = -1;
  if (!indexed && d.c != kNone) {
    step = temp(gpr);
    as_.emit(Isa::imul, G(step), G(use(d.c)), asmjit::Imm(size));
  }
  asmjit::Label head = as_.label(), done = as_.label();
  as_.bind(head);
  if (indexed) {
    if (is_wide(type(d.c)))
      as_.emit(Isa::mov, x86::rdx, x86::ptr(kSpill, G(lane), 3, area));
    else
      as_.emit(Isa::movsxd, x86::rdx, x86::dword_ptr(kSpill, G(lane), 2, area));
  }
  uint32_t shift = element == 8 ? 3 : element == 4 ? 2 : 0;
  for (int j = 0; j < count; ++j) {
    int64_t offset = (indexed ? d.imm : 0) + int64_t{size} * j;
    x86::Mem far = indexed ? x86::ptr(G(pointer), x86::rdx,
                                      size == 8   ? 3
                                      : size == 4 ? 2
                                                  : 0,
                                      static_cast<int32_t>(offset))
                           : x86::ptr(G(pointer), static_cast<int32_t>(offset));
    x86::Mem near = x86::ptr(kSpill, G(lane), shift, area + width * (j + 1));
    const x86::Mem &from = storing ? near : far, &to = storing ? far : near;
    if (mask) {
      as_.emit(Isa::movzx, x86::eax, byte(from));
      if (storing) {
        as_.emit(Isa::and_, x86::eax, asmjit::Imm(1));
        as_.emit(Isa::mov, to, x86::al);
      } else {  // not zero: all bits
        as_.emit(Isa::neg, x86::rax);
        as_.emit(Isa::sbb, x86::rax, x86::rax);
        if (element == 8)
          as_.emit(Isa::mov, to, x86::rax);
        else if (element == 4)
          as_.emit(Isa::mov, to, x86::eax);
        else
          as_.emit(Isa::mov, to, x86::al);
      }
    } else if (size == 8) {
      as_.emit(Isa::mov, x86::rax, from);
      as_.emit(Isa::mov, to, x86::rax);
    } else {
      as_.emit(Isa::mov, x86::eax, from);
      as_.emit(Isa::mov, to, x86::eax);
    }
  }
  if (step >= 0)
    as_.emit(Isa::add, G(pointer), G(step));
  else if (!indexed)
    as_.emit(Isa::add, G(pointer), asmjit::Imm(size));
  if (lanes_ > 1) {
    as_.emit(Isa::add, G(lane), asmjit::Imm(1));
    if (tail_)
      as_.emit(Isa::cmp, G(lane), spill(live_slot_));
    else
      as_.emit(Isa::cmp, G(lane), asmjit::Imm(lanes_));
    as_.emit(Isa::jl, head);
  }
  as_.bind(done);
  release(i);
  for (int j = 0; !storing && j < count; ++j) {
    uint32_t v = i + static_cast<uint32_t>(j);
    int r = define(v);
    if (mask && unit_.avx512) {
      int t = temp(vec);
      as_.emit(Isa::vmovups, V(t, 16), vector_at(j));
      as_.emit(Isa::vptestmb_k, K(r), V(t, 16), V(t, 16));
    } else {
      as_.emit(Isa::vmovups, V(r, mask ? vector_bytes() : std::max(16, lanes_ * size)), vector_at(j));
    }
    files_[class_of(v)].locked &= ~(1u << r);
    if (uses_.first[v] == Uses::kNever) kill(v);
  }
  free_slots_[width * (count + 1)].push_back(area);
}

}  // namespace jot::cpu
