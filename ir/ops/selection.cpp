#include "ir/ops/selection.h"

#include <algorithm>
#include <bit>

namespace jot::ir {
namespace {

constexpr size_t kFresh = static_cast<size_t>(-1);  // an axis of extent 1 that values do not have yet

std::optional<int64_t> splat(const Builder& b, Value v) {
  while (b.op(v) == Op::broadcast_op || b.op(v) == Op::reshape_op) v = b.operand(v, 0);
  if (b.op(v) != Op::const_op) return {};
  Ints data = b.attrs(v).ints(Key::data);
  if (data.size() != 1) return {};
  return data[0];
}

// One axis of the chain before its reshape.
struct PhysicalAxis {
  size_t source;  // axis of values
  Padding padding;
  int64_t extent;
};
struct Chain {
  Value values = kNoValue;
  Shape values_shape;
  std::vector<PhysicalAxis> axes;
};

// Peels pad, permute and the core off x.
std::optional<Chain> peel(Builder& b, Value x) {
  const GraphData& g = b.graph();
  const Shape padded = b.shape(x);
  size_t rank = padded.size();
  std::vector<Padding> paddings(rank);
  if (g.op(x) == Op::pad_op) {
    if (!is_zero_constant(b, g.operand(x, 1))) return {};
    AttrView a = g.attrs(x);
    Ints lo = a.ints(Key::lo), hi = a.ints(Key::hi), interior = a.ints(Key::interior);
    for (size_t p = 0; p < rank; ++p) {
      if (lo[p] < 0 || hi[p] < 0) return {};
      paddings[p] = {lo[p], hi[p], interior[p]};
    }
    x = g.operand(x, 0);
  }
  std::vector<int64_t> perm = build::all_axes(rank);
  if (g.op(x) == Op::permute_op) {
    Ints inner = g.attrs(x).ints(Key::perm);
    perm.assign(inner.begin(), inner.end());
    x = g.operand(x, 0);
  }
  Chain chain;
  size_t first = rank, diagonal = 0;  // the core's axes from `first` on repeat those of values from `diagonal` on
  if (g.op(x) == Op::identity_op) {
    first = rank / 2;
    chain.values_shape = g.attrs(x).shape();
  } else if (g.op(x) == Op::diag_embed_op) {
    diagonal = static_cast<size_t>(g.attrs(x).integer(Key::batch_dims));
    chain.values = g.operand(x, 0);
    chain.values_shape = b.shape(chain.values);
    first = chain.values_shape.size();
  } else {
    chain.values = x;
    chain.values_shape = b.shape(x);
  }
  for (size_t p = 0; p < rank; ++p) {
    auto core = static_cast<size_t>(perm[p]);
    chain.axes.push_back({core < first ? core : diagonal + core - first, paddings[p], padded[p]});
  }
  return chain;
}

// Splits the axes into seeds and lanes: shape is [n] + lane, up to axes of extent 1.
struct Split {
  std::vector<PhysicalAxis> seeds, lanes;
};
std::optional<Split> split(const Chain& chain, const Shape& shape) {
  Split result;
  size_t p = 0;
  int64_t n = 1;
  for (; p < chain.axes.size() && n < shape[0]; ++p) {
    n *= chain.axes[p].extent;
    if (chain.axes[p].extent != 1) result.seeds.push_back(chain.axes[p]);
  }
  if (n != shape[0]) return {};
  for (size_t d = 1; d < shape.size(); ++d) {
    if (shape[d] == 1) {
      result.lanes.push_back({kFresh, {}, 1});
      continue;
    }
    while (p < chain.axes.size() && chain.axes[p].extent == 1) ++p;
    if (p == chain.axes.size() || chain.axes[p].extent != shape[d]) return {};
    result.lanes.push_back(chain.axes[p++]);
  }
  for (; p < chain.axes.size(); ++p)
    if (chain.axes[p].extent != 1) return {};
  return result;
}

// The selection that a chain is, its values reordered: lanes first, then what only seeds have.
std::optional<Selection> assemble(Builder& b, DType dtype, const Chain& chain, const Split& parts) {
  Selection s{dtype, chain.values, {}, {}, {}, {}, {}};
  std::vector<size_t> order;
  auto used = [&](size_t source, size_t from) {
    return source != kFresh &&
           std::find(order.begin() + static_cast<std::ptrdiff_t>(from), order.end(), source) != order.end();
  };
  auto extent = [&](size_t source) { return source == kFresh ? 1 : chain.values_shape[source]; };
  for (const PhysicalAxis& lane : parts.lanes) {
    if (used(lane.source, 0)) return {};
    order.push_back(lane.source);
    s.lanes.push_back(lane.padding);
  }
  bool structured = false;
  for (const PhysicalAxis& seed : parts.seeds) {
    structured |= !seed.padding.none();
    if (used(seed.source, s.rank())) return {};
    bool diagonal = used(seed.source, 0) && extent(seed.source) != 1;
    structured |= diagonal;
    if (diagonal) {
      auto lane = static_cast<size_t>(std::ranges::find(order, seed.source) - order.begin());
      if (s.seed_of(lane)) return {};
      s.seeds.push_back({lane, seed.padding});
    } else {
      s.seeds.push_back({order.size(), seed.padding});
      order.push_back(used(seed.source, 0) ? kFresh : seed.source);
    }
  }
  if (!structured) return {};
  for (size_t source : order) s.shape.push_back(extent(source));
  if (s.values == kNoValue) return s;
  if (splat(b, s.values) == std::bit_cast<int64_t>(1.0)) {
    s.values = kNoValue;
    return s;
  }
  std::vector<int64_t> perm;
  for (size_t source : order)
    if (source != kFresh) perm.push_back(static_cast<int64_t>(source));
  for (size_t d = 0; d < chain.values_shape.size(); ++d)  // of extent 1: dropped
    if (std::ranges::find(order, d) == order.end()) perm.push_back(static_cast<int64_t>(d));
  s.values = build::reshape(b, build::permute(b, s.values, perm), s.shape);
  return s;
}

// The last link of the chain: a permutation of the batch dim's factors. Undone: the value below it.
struct Rows {
  Value below;
  Shape factors;
  std::vector<int64_t> perm;
};
std::optional<Rows> rows_of(Builder& b, Value x, const Shape& shape) {
  const GraphData& g = b.graph();
  if (g.op(x) != Op::permute_op || g.op(g.operand(x, 0)) != Op::reshape_op) return {};
  Ints perm = g.attrs(x).ints(Key::perm);
  size_t lanes = shape.size() - 1, rank = perm.size();
  if (rank <= lanes) return {};
  size_t factors = rank - lanes;
  for (size_t d = factors; d < rank; ++d)
    if (perm[d] != static_cast<int64_t>(d) || b.shape(x)[d] != shape[1 + d - factors]) return {};
  return Rows{g.operand(g.operand(x, 0), 0),
              b.shape(g.operand(x, 0)).slice(0, factors),
              {perm.begin(), perm.begin() + static_cast<std::ptrdiff_t>(factors)}};
}

// Cheap: false for most values. Seeds are padded, or share an axis with a lane.
bool may_select(const GraphData& g, Value x, int64_t n) {
  bool padded = false;
  if (g.op(x) == Op::pad_op) {
    AttrView a = g.attrs(x);
    padded = g.shape(x).empty() || g.shape(x)[0] != n || a.ints(Key::lo)[0] != 0 || a.ints(Key::hi)[0] != 0 ||
             a.ints(Key::interior)[0] != 0;
    x = g.operand(x, 0);
  }
  if (g.op(x) == Op::permute_op) x = g.operand(x, 0);
  return padded || g.op(x) == Op::diag_embed_op || g.op(x) == Op::identity_op;
}

}  // namespace

Selection::Seed* Selection::seed_of(size_t axis) {
  for (Seed& seed : seeds)
    if (seed.axis == axis) return &seed;
  return nullptr;
}

Shape Selection::lane_shape() const {
  Shape result;
  for (size_t d = 0; d < lanes.size(); ++d) result.push_back(lanes[d].padded(shape[d]));
  return result;
}

int64_t Selection::size() const {
  int64_t n = 1;
  for (const Seed& seed : seeds) n *= seed.padding.padded(shape[seed.axis]);
  return n;
}

bool is_zero_constant(const Builder& b, Value v) { return splat(b, v) == 0; }

std::optional<Selection> recognise(Builder& b, Value v) {
  const GraphData& g = b.graph();
  const Shape shape = b.shape(v);
  if (shape.empty() || shape.numel() == 0 || !is_floating(b.dtype(v))) return {};
  Value x = g.op(v) == Op::reshape_op ? g.operand(v, 0) : v;
  std::optional<Rows> rows = x == v ? std::nullopt : rows_of(b, x, shape);
  if (rows) x = rows->below;
  if (!may_select(g, x, shape[0])) return {};
  std::optional<Chain> chain = peel(b, x);
  if (!chain) return {};
  std::optional<Split> parts = split(*chain, shape);
  if (!parts) return {};
  std::optional<Selection> s = assemble(b, b.dtype(v), *chain, *parts);
  if (s && rows) {
    s->row_factors = rows->factors;
    s->row_perm = rows->perm;
  }
  return s;
}

Value dense_values(Builder& b, const Selection& s) {
  return s.values == kNoValue ? build::constant(b, s.dtype, s.shape, 1) : s.values;
}

Value emit(Builder& b, Selection s) {
  const Shape shape = Shape{s.size()} + s.lane_shape();
  for (Selection::Seed& seed : s.seeds) {  // a diagonal of one element is none
    if (seed.axis >= s.rank() || s.shape[seed.axis] != 1) continue;
    seed.axis = s.shape.size();
    s.shape.push_back(1);
    if (s.values != kNoValue) s.values = build::reshape(b, s.values, s.shape);
  }
  // The core: plain axes, then diagonals, then diagonals again; at[d]: where axis d of values went.
  std::vector<int64_t> plain, diagonals;
  for (size_t d = 0; d < s.shape.size(); ++d) (s.diagonal(d) ? diagonals : plain).push_back(static_cast<int64_t>(d));
  std::vector<int64_t> order = plain;
  order.insert(order.end(), diagonals.begin(), diagonals.end());
  std::vector<int64_t> at = build::inverse(order);
  Value x;
  if (s.values == kNoValue && plain.empty()) {
    Shape diagonal;
    for (int64_t d : diagonals) diagonal.push_back(s.shape[static_cast<size_t>(d)]);
    x = build::identity(b, s.dtype, diagonal);
  } else {
    x = build::permute(b, dense_values(b, s), order);
    if (!diagonals.empty()) x = build::diag_embed(b, x, static_cast<int64_t>(plain.size()));
  }
  // Seeds, then lanes.
  std::vector<int64_t> perm, lo, hi, interior;
  auto axis = [&](int64_t core, const Padding& p) {
    perm.push_back(core);
    lo.push_back(p.lo);
    hi.push_back(p.hi);
    interior.push_back(p.interior);
  };
  for (const Selection::Seed& seed : s.seeds) {
    int64_t copy = s.diagonal(seed.axis) ? static_cast<int64_t>(diagonals.size()) : 0;
    axis(at[seed.axis] + copy, seed.padding);
  }
  for (size_t d = 0; d < s.rank(); ++d) axis(at[d], s.lanes[d]);
  x = build::pad_zero(b, build::permute(b, x, perm), lo, hi, interior);
  if (!s.row_perm.empty()) {
    std::vector<int64_t> order = s.row_perm;
    for (size_t d = 1; d < shape.size(); ++d) order.push_back(static_cast<int64_t>(order.size()));
    x = build::permute(b, build::reshape(b, x, s.row_factors + s.lane_shape()), order);
  }
  return build::reshape(b, x, shape);
}

Value spread(Builder& b, Value x, const Shape& shape, const std::vector<int64_t>& positions) {
  std::vector<int64_t> perm = build::all_axes(positions.size()), sorted = positions;
  std::ranges::sort(perm, {}, [&](int64_t d) { return positions[static_cast<size_t>(d)]; });
  std::ranges::sort(sorted);
  return build::broadcast(b, build::permute(b, x, perm), shape, sorted);
}

}  // namespace jot::ir
