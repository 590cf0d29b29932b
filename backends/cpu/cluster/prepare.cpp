#include "backends/cpu/cluster/prepare.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "backends/cpu/cluster/selections.h"
#include "ir/build.h"
#include "ir/movement.h"
#include "passes/rewrite.h"

namespace jot::cpu {

using namespace ir;

namespace {

using Dims = std::vector<int64_t>;

Dims copy(Ints list) { return {list.begin(), list.end()}; }

bool is_argument_of_extremum(Op op) { return op == Op::argmax_op || op == Op::argmin_op; }

struct Operand {
  Value value;
  Dims contract, batch;
};

bool is_counting_from(const Dims& dims, int64_t first) {
  for (size_t i = 0; i < dims.size(); ++i)
    if (dims[i] != first + static_cast<int64_t>(i)) return false;
  return true;
}

class Preparation {
 public:
  Preparation(const GraphData& g, Ways ways, std::vector<uint8_t> apart = {})
      : g_(g),
        kernels_(ways == Ways::kernels),
        apart_(std::move(apart)),
        b_(g.name()),
        map_(b_, g),
        uses_(g.size(), 0) {
    for (Value v = 0; v < g.size(); ++v)
      for (Value o : g.operands(v)) ++uses_[o];
    for (Value v : g.outputs()) ++uses_[v];
    find_any_layout();
  }

  Graph run() {
    map_.take_params();
    b_.reserve(g_.size());
    map_.for_each_op([&](Value v) {
      b_.set_origin_of(g_, v);
      if (g_.op(v) == Op::dot_op) map_.set(v, rewritten_dot(v));
      if (is_apart(v)) set_apart(v);
      if (places_extremum(v)) map_.set(v, place_by_reductions(v));
      if (g_.op(v) == Op::permute_op) map_.set(v, exchanged(v));
      if (g_.op(v) == Op::permute_op && map_[v] == kNoValue) map_.set(v, grown_in_order(v));
      if (any_layout_[v]) map_.set(v, in_layout_of_operand(v));
      if (map_[v] == kNoValue) map_.copy(v);
    });
    return map_.finish();
  }

 private:
  Operand operand(Value dot, size_t i) const {
    AttrView a = g_.attrs(dot);
    return {map_[g_.operand(dot, i)], copy(i == 0 ? a.first(Key::contract) : a.second(Key::contract)),
            copy(i == 0 ? a.first(Key::batch) : a.second(Key::batch))};
  }
  bool is_free(const Operand& x, int64_t d) const {
    return std::ranges::find(x.contract, d) == x.contract.end() && std::ranges::find(x.batch, d) == x.batch.end();
  }

  // Elementwise values that only products read, perhaps through others: these contract any axes.
  void find_any_layout() {
    any_layout_.assign(g_.size(), 1);
    for (Value v : g_.outputs()) any_layout_[v] = 0;
    for (Value v = g_.size(); v-- > 0;) {
      any_layout_[v] &= is_elementwise(g_.op(v)) && g_.attrs(v).words().empty();
      for (Value o : g_.operands(v)) any_layout_[o] &= any_layout_[v] || g_.op(v) == Op::dot_op;
    }
  }

  // Where a transposed operand meets others that are transposed alike or broadcast: the transposition of what is
  // computed in its source's layout.
  Value in_layout_of_operand(Value v) {
    Dims perm;
    for (Value o : g_.operands(v))
      if (perm.empty() && b_.op(map_[o]) == Op::permute_op) perm = copy(b_.attrs(map_[o]).ints(Key::perm));
    if (perm.empty()) return kNoValue;
    const Dims back = build::inverse(perm);
    Shape shape = g_.shape(v);
    for (size_t d = 0; d < perm.size(); ++d) shape[static_cast<size_t>(perm[d])] = g_.shape(v)[d];
    std::vector<Value> operands;
    for (Value o : g_.operands(v)) {
      const Value x = map_[o];
      if (b_.op(x) == Op::permute_op && std::ranges::equal(b_.attrs(x).ints(Key::perm), perm)) {
        operands.push_back(b_.operand(x, 0));
      } else if (b_.op(x) == Op::broadcast_op) {
        Dims dims = copy(b_.attrs(x).ints(Key::dims));
        for (int64_t& d : dims) d = perm[static_cast<size_t>(d)];
        if (!std::ranges::is_sorted(dims)) return kNoValue;
        operands.push_back(build::broadcast(b_, b_.operand(x, 0), shape, dims));
      } else if (is_splat(b_.graph(), x)) {
        operands.push_back(build::permute(b_, x, back));
      } else {
        return kNoValue;
      }
    }
    return build::permute(b_, b_.emit(g_.op(v), operands), perm);
  }

  // Contracts over the source of a permutation, if that leaves the free axes in order.
  void absorb_permutation(Operand& x) const {
    while (b_.op(x.value) == Op::permute_op) {
      Ints perm = b_.attrs(x.value).ints(Key::perm);
      Dims free;
      for (size_t d = 0; d < perm.size(); ++d)
        if (is_free(x, static_cast<int64_t>(d))) free.push_back(perm[d]);
      if (!std::ranges::is_sorted(free)) return;
      for (Dims* dims : {&x.contract, &x.batch})
        for (int64_t& d : *dims) d = perm[static_cast<size_t>(d)];
      x.value = b_.operand(x.value, 0);
    }
  }

  // identity contracted over one of its halves.
  bool is_unit(const Operand& x) const {
    if (b_.op(x.value) != Op::identity_op || !x.batch.empty()) return false;
    auto half = static_cast<int64_t>(b_.shape(x.value).size() / 2);
    Dims sorted = x.contract;
    std::ranges::sort(sorted);
    return static_cast<int64_t>(sorted.size()) == half &&
           (is_counting_from(sorted, 0) || is_counting_from(sorted, half));
  }

  Value rewritten_dot(Value v) {
    Operand x[2] = {operand(v, 0), operand(v, 1)};
    for (Operand& o : x) absorb_permutation(o);
    for (size_t i = 0; i < 2; ++i)
      if (is_unit(x[i])) return times_unit(x[1 - i], x[i], i == 0);
    for (size_t i = 0; i < 2; ++i)
      if (is_sum_of_rows(v, x[i], x[1 - i])) return sum_of_rows(v, x[i], x[1 - i]);
    if (is_apart(v))
      for (Operand& o : x) o.value = copied(o.value);
    if (kernels_ && is_product_of_kernels(v, x)) return sum_of_products(v, x);
    if (x[0].value == map_[g_.operand(v, 0)] && x[1].value == map_[g_.operand(v, 1)]) return kNoValue;
    return build::dot(b_, x[0].value, x[1].value, x[0].contract, x[1].contract, x[0].batch, x[1].batch);
  }

  // Whether kernels find it: along short lines, which they unroll, and of what they make for nobody else.
  bool places_extremum(Value v) const {
    constexpr int64_t kShort = 32;
    if (!is_argument_of_extremum(g_.op(v))) return false;
    const Value x = g_.operand(v, 0);
    return kernels_ || g_.shape(x)[static_cast<size_t>(g_.attrs(v).integer(Key::dim))] <= kShort ||
           (is_elementwise(g_.op(x)) && uses_[x] == 1);
  }

  // The least place of those where the extremum is, or a NaN.
  Value place_by_reductions(Value v) {
    const Value x = map_[g_.operand(v, 0)];
    const int64_t dim = g_.attrs(v).integer(Key::dim);
    const Shape shape = b_.shape(x);
    const Op extremum = g_.op(v) == Op::argmax_op ? Op::reduce_max_op : Op::reduce_min_op;
    Dims kept = build::all_axes(shape.size());
    std::erase(kept, dim);
    Value best = build::broadcast(b_, build::reduce(b_, extremum, x, Dims{dim}), shape, kept);
    Value found = build::compare(b_, x, best, Direction::eq);
    if (is_floating(b_.dtype(x))) found = build::binary(b_, Op::or_op, found, build::compare(b_, x, x, Direction::ne));
    const int64_t extent = shape[static_cast<size_t>(dim)];
    const DType dtype = extent > std::numeric_limits<int32_t>::max() ? DType::i64 : DType::i32;
    Value places =
        build::where(b_, found, build::iota(b_, dtype, shape, dim), build::constant_int(b_, dtype, shape, extent));
    return build::convert(b_, build::reduce(b_, Op::reduce_min_op, places, Dims{dim}), DType::i64);
  }

  Dims free_of(const Operand& x) const {
    Dims free;
    for (int64_t d = 0; d < static_cast<int64_t>(b_.shape(x.value).size()); ++d)
      if (is_free(x, d)) free.push_back(d);
    return free;
  }

  // A product with a vector is bound by memory: a sum that kernels fuse with what makes its terms. Only matrices whose
  // columns lie side by side, [batch, contracted, free], remain products (columns.h).
  bool is_sum_of_rows(Value v, const Operand& matrix, const Operand& vector) const {
    const Shape &x = b_.shape(matrix.value), &y = b_.shape(vector.value);
    for (int64_t d : free_of(vector))
      if (y[static_cast<size_t>(d)] != 1) return false;
    if (is_small_dot(g_, v)) return false;
    Dims order;
    const Dims free = free_of(matrix);
    for (const Dims* dims : {&matrix.batch, &matrix.contract, &free})
      for (int64_t d : *dims)
        if (x[static_cast<size_t>(d)] != 1) order.push_back(d);
    const bool wide = !order.empty() && is_free(matrix, order.back());
    return kernels_ || !(wide && std::ranges::is_sorted(order) && is_floating(g_.dtype(v)));
  }

  void set_apart(Value v) {
    const Op op = g_.op(v);
    if (moves(op) == Moves::assembled) return map_.set(v, as_selections(b_, g_, v, map_.operands(v)));
    if (op == Op::dot_op || !can_set_apart(g_, v)) return;  // rewritten_dot
    std::vector<Value> operands(map_.operands(v).begin(), map_.operands(v).end());
    for (size_t i = op == Op::gather_op; i < operands.size(); ++i) operands[i] = copied(operands[i]);
    map_.copy(v, operands);
  }
  bool is_apart(Value v) const { return !apart_.empty() && apart_[v]; }
  // The same elements, along dims that are tied to no other.
  Value copied(Value x) {
    const Shape shape = b_.shape(x), flat({shape.numel()});
    return b_.emit(Op::reshape_op, {b_.emit(Op::reshape_op, {x}, Attrs(flat))}, Attrs(shape));
  }

  int64_t extent_of(Value x, const Dims& dims) const {
    int64_t n = 1;
    for (int64_t d : dims) n *= b_.shape(x)[static_cast<size_t>(d)];
    return n;
  }
  bool is_product_of_kernels(Value v, const Operand (&x)[2]) const {
    if (is_small_dot(g_, v) && !is_apart(v)) return false;
    int64_t least = extent_of(x[0].value, x[0].contract);
    for (const Operand& o : x) least = std::min(least, extent_of(o.value, free_of(o)));
    return least <= kProduct;
  }
  // Over [batch, free of the first, free of the second, contracted]; where neighbours in memory are columns of the
  // second, these come last, and are summed side by side.
  Value sum_of_products(Value v, const Operand (&x)[2]) {
    const Dims free[] = {free_of(x[0]), free_of(x[1])};
    const auto rank = static_cast<int64_t>(b_.shape(x[1].value).size());
    const bool columns = std::ranges::find(free[1], rank - 1) != free[1].end();
    const auto batch = static_cast<int64_t>(x[0].batch.size()), terms = static_cast<int64_t>(x[0].contract.size());
    const int64_t first = batch, second = first + static_cast<int64_t>(free[0].size()) + (columns ? terms : 0);
    const int64_t contracted =
        columns ? first + static_cast<int64_t>(free[0].size()) : second + static_cast<int64_t>(free[1].size());
    std::vector<int64_t> extents(static_cast<size_t>(batch + terms) + free[0].size() + free[1].size());
    std::vector<std::pair<int64_t, int64_t>> places[2];  // of the product, of the operand
    for (size_t i = 0; i < 2; ++i) {
      auto put = [&](const Dims& dims, int64_t at) {
        for (int64_t d : dims) {
          extents[static_cast<size_t>(at)] = b_.shape(x[i].value)[static_cast<size_t>(d)];
          places[i].emplace_back(at++, d);
        }
      };
      put(x[i].batch, 0);
      put(free[i], i == 0 ? first : second);
      put(x[i].contract, contracted);
      std::ranges::sort(places[i]);
    }
    const Shape shape(extents);
    Value factor[2];
    for (size_t i = 0; i < 2; ++i) {
      Dims perm, dims;
      for (auto [to, from] : places[i]) perm.push_back(from), dims.push_back(to);
      factor[i] = build::broadcast(b_, build::permute(b_, x[i].value, perm), shape, dims);
    }
    Dims sums(static_cast<size_t>(terms));
    for (size_t k = 0; k < sums.size(); ++k) sums[k] = contracted + static_cast<int64_t>(k);
    return build::reshape(b_, build::reduce_sum(b_, build::mul(b_, factor[0], factor[1]), sums), g_.shape(v));
  }

  // [batch, contracted] of the vector, in the order of the matrix's axes, times the matrix.
  Value sum_of_rows(Value v, const Operand& matrix, const Operand& vector) {
    const Shape shape = b_.shape(matrix.value);
    std::vector<std::pair<int64_t, int64_t>> axes;  // of the matrix, of the vector
    for (size_t k = 0; k < matrix.batch.size(); ++k) axes.emplace_back(matrix.batch[k], vector.batch[k]);
    for (size_t k = 0; k < matrix.contract.size(); ++k) axes.emplace_back(matrix.contract[k], vector.contract[k]);
    std::ranges::sort(axes);
    Dims perm, dims;
    Shape factors;
    for (auto [to, from] : axes) {
      dims.push_back(to);
      perm.push_back(from);
      factors.push_back(shape[static_cast<size_t>(to)]);
    }
    for (int64_t d : free_of(vector)) perm.push_back(d);
    Value factor =
        build::broadcast(b_, build::reshape(b_, build::permute(b_, vector.value, perm), factors), shape, dims);
    Dims contract = matrix.contract;
    std::ranges::sort(contract);
    Value sum = build::reduce_sum(b_, build::mul(b_, matrix.value, factor), contract);
    Dims order = matrix.batch;
    for (int64_t d : free_of(matrix)) order.push_back(d);
    for (int64_t& d : order) {
      const int64_t place = d;
      for (int64_t c : matrix.contract) d -= c < place;
    }
    return build::reshape(b_, build::permute(b_, sum, order), g_.shape(v));
  }

  // The operand, its contracted axes at the back (front), in the order of the identity's.
  Value times_unit(const Operand& x, const Operand& unit, bool front) {
    Dims order(x.contract.size()), perm;
    for (size_t k = 0; k < order.size(); ++k) order[k] = static_cast<int64_t>(k);
    std::ranges::sort(order, {}, [&](int64_t k) { return unit.contract[static_cast<size_t>(k)]; });
    Dims contracted, free = free_of(x);
    for (int64_t k : order) contracted.push_back(x.contract[static_cast<size_t>(k)]);
    perm = front ? contracted : free;
    const Dims& rest = front ? free : contracted;
    perm.insert(perm.end(), rest.begin(), rest.end());
    return build::permute(b_, x.value, perm);
  }

  // permute(dot(x, y)) that is dot(y, x).
  Value exchanged(Value v) {
    Value dot = g_.operand(v, 0);
    if (g_.op(dot) != Op::dot_op || uses_[dot] != 1 || b_.op(map_[dot]) != Op::dot_op) return kNoValue;
    const GraphData& made = b_.graph();
    AttrView a = made.attrs(map_[dot]);
    auto batch = static_cast<int64_t>(a.first(Key::batch).size());
    auto first = static_cast<int64_t>(free_dims(made, map_[dot], 0).size());
    Ints perm = g_.attrs(v).ints(Key::perm);
    for (int64_t d = 0; d < static_cast<int64_t>(perm.size()); ++d) {
      int64_t second = static_cast<int64_t>(perm.size()) - batch - first;
      int64_t wanted = d < batch ? d : d < batch + second ? d + first : d - second;
      if (perm[static_cast<size_t>(d)] != wanted) return kNoValue;
    }
    Dims contract[] = {copy(a.first(Key::contract)), copy(a.second(Key::contract))};
    Dims batched[] = {copy(a.first(Key::batch)), copy(a.second(Key::batch))};
    Value x = made.operand(map_[dot], 0), y = made.operand(map_[dot], 1);
    return build::dot(b_, y, x, contract[1], contract[0], batched[1], batched[0]);
  }

  // permute(f(x, y)) of broadcasts x, y that repeat their elements: f of what they repeat, permuted, in the order
  // wanted.
  Value grown_in_order(Value v) {
    const Value grown = g_.operand(v, 0);
    if (uses_[grown] != 1 || !is_elementwise(g_.op(grown)) || !g_.attrs(grown).words().empty()) return kNoValue;
    const Dims perm = copy(g_.attrs(v).ints(Key::perm)), to = build::inverse(perm);
    std::vector<Value> operands;
    for (Value o : g_.operands(grown)) {
      const Value x = map_[o];
      if (is_splat(b_.graph(), x)) {
        operands.push_back(build::permute(b_, x, perm));
        continue;
      }
      if (b_.op(x) != Op::broadcast_op) return kNoValue;
      const Value source = b_.operand(x, 0);
      if (2 * b_.shape(source).numel() > g_.shape(v).numel()) return kNoValue;
      Dims dims = copy(b_.attrs(x).ints(Key::dims)), order(dims.size());
      for (size_t k = 0; k < dims.size(); ++k) {
        dims[k] = to[static_cast<size_t>(dims[k])];
        order[k] = static_cast<int64_t>(k);
      }
      std::ranges::sort(order, {}, [&](int64_t k) { return dims[static_cast<size_t>(k)]; });
      std::ranges::sort(dims);
      operands.push_back(build::broadcast(b_, build::permute(b_, source, order), g_.shape(v), dims));
    }
    return b_.emit(g_.op(grown), operands);
  }

  const GraphData& g_;
  bool kernels_;  // alone
  std::vector<uint8_t> apart_;
  Builder b_;
  passes::Rewriter map_;
  std::vector<uint32_t> uses_;
  std::vector<uint8_t> any_layout_;  // of each value: whether nobody minds the order of its axes in memory
};

}  // namespace

Graph prepare(const Graph& graph, Ways ways) {
  const GraphData& g = graph.data();
  for (Value v = 0; v < g.size(); ++v)
    if (g.op(v) == Op::dot_op || is_argument_of_extremum(g.op(v))) return Preparation(g, ways).run();
  return graph;
}

bool can_set_apart(const GraphData& g, Value v) {
  switch (cpu_op(g.op(v)).kernel) {
    case InKernel::moved:
      return moves(g.op(v)) == Moves::assembled;
    case InKernel::terms:
    case InKernel::gathered:
      return true;
    case InKernel::matrix:
      return is_small_matrix_op(g, v, unrolled_matrix(Ways::kernels));
    case InKernel::element:
    case InKernel::no:
      return false;
  }
  return false;
}

Graph set_apart(const Graph& graph, std::vector<uint8_t> nodes) {
  return Preparation(graph.data(), Ways::kernels, std::move(nodes)).run();
}

}  // namespace jot::cpu
