// Movement ops against a walk over indices that knows nothing of their maps (ir/movement.h).
#include "ir/movement.h"

#include <doctest/doctest.h>

#include <numeric>
#include <random>

#include "backends/cpu/executable.h"
#include "backends/target.h"
#include "ir/build.h"
#include "passes/jacobian.h"
#include "passes/pipeline.h"
#include "tests/backends/run.h"
#include "tests/support/host.h"

using namespace jot;
using namespace jot::ir;
using jot::test::HostTensor;
using Numbers = std::vector<double>;
using List = std::vector<int64_t>;

namespace {

// ---- the walk: each element of a node from those of its operands, straight from the definition of the op

Shape index_of(const Shape& shape, int64_t at) {
  Shape index = shape;
  for (size_t d = shape.size(); d-- > 0; at /= shape[d]) index[d] = at % shape[d];
  return index;
}
double element(const Shape& shape, const Numbers& x, const Shape& index) {
  int64_t at = 0;
  for (size_t d = 0; d < shape.size(); ++d) at = at * shape[d] + index[d];
  return x.at(static_cast<size_t>(at));
}

double walked(const GraphData& g, Value v, const Shape& i, int64_t at, const std::vector<Numbers>& values) {
  AttrView a = g.attrs(v);
  Value o = g.operand(v, 0);
  const Shape& from = g.shape(o);
  Shape source = from;
  auto here = [&] { return element(from, values[o], source); };
  switch (g.op(v)) {
    case Op::reshape_op:
    case Op::copy_op:
    case Op::stop_gradient_op:
      return values[o][static_cast<size_t>(at)];
    case Op::neg_op:
      return -values[o][static_cast<size_t>(at)];
    case Op::broadcast_op:
      for (size_t d = 0; d < from.size(); ++d)
        source[d] = from[d] == 1 ? 0 : i[static_cast<size_t>(a.ints(Key::dims)[d])];
      return here();
    case Op::permute_op:
      for (size_t d = 0; d < i.size(); ++d) source[static_cast<size_t>(a.ints(Key::perm)[d])] = i[d];
      return here();
    case Op::slice_op:
      for (size_t d = 0; d < i.size(); ++d) source[d] = a.ints(Key::start)[d] + i[d] * a.ints(Key::stride)[d];
      return here();
    case Op::rev_op:
      source = i;
      for (int64_t d : a.ints(Key::dims))
        source[static_cast<size_t>(d)] = from[static_cast<size_t>(d)] - 1 - i[static_cast<size_t>(d)];
      return here();
    case Op::pad_op:
      for (size_t d = 0; d < i.size(); ++d) {
        int64_t step = a.ints(Key::interior)[d] + 1, inside = i[d] - a.ints(Key::lo)[d];
        if (inside < 0 || inside % step != 0 || inside / step >= from[d]) return values[g.operand(v, 1)][0];
        source[d] = inside / step;
      }
      return here();
    case Op::concat_op: {
      auto dim = static_cast<size_t>(a.integer(Key::dim));
      source = i;
      for (Value part : g.operands(v)) {
        if (source[dim] < g.shape(part)[dim]) return element(g.shape(part), values[part], source);
        source[dim] -= g.shape(part)[dim];
      }
      return HUGE_VAL;
    }
    case Op::diag_embed_op: {
      size_t batch = static_cast<size_t>(a.integer(Key::batch_dims)), n = from.size() - batch;
      for (size_t d = 0; d < from.size(); ++d) source[d] = i[d];
      for (size_t d = batch; d < from.size(); ++d)
        if (i[d] != i[d + n]) return 0;
      return here();
    }
    default:
      FAIL("no definition of ", name_of(g.op(v)));
      return 0;
  }
}

Numbers walk(const Graph& graph, const Numbers& input) {
  const GraphData& g = graph.data();
  std::vector<Numbers> values(g.size());
  for (Value v = 0; v < g.size(); ++v) {
    if (g.op(v) == Op::param_op) {
      values[v] = input;
    } else if (g.op(v) == Op::const_op) {
      const ir::Ints data = g.attrs(v).ints(Key::data);
      for (int64_t word : data) values[v].push_back(std::bit_cast<double>(word));
    } else {
      for (int64_t at = 0; at < g.shape(v).numel(); ++at)
        values[v].push_back(walked(g, v, index_of(g.shape(v), at), at, values));
    }
  }
  return values[g.outputs()[0]];
}

// ---- chains of every movement op, emitted as they are

class Chain {
 public:
  // few: small enough for a jacobian; padding is 0 then.
  Chain(uint64_t seed, bool few) : random_(seed), few_(few) {}

  Graph make() {
    Shape shape;
    for (int64_t rank = between(1, 3); rank > 0; --rank)
      if (int64_t n = extent(); fits(shape, n)) shape.push_back(n);
    Value x = b_.param({f64, false, shape});
    made_ = {x};
    for (int64_t steps = between(2, 7); steps > 0; --steps) {
      Value next = step(x);
      if (!fits(b_.shape(next))) continue;
      x = next;
      made_.push_back(x);
    }
    return b_.finish({x});
  }

 private:
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(random_() % static_cast<uint64_t>(high - low + 1));
  }
  bool fits(const Shape& shape, int64_t times = 1) const {  // what is empty may become a value with elements
    for (int64_t n : shape) times *= std::max<int64_t>(n, 1);
    return times <= (few_ ? 60 : 8000);
  }
  bool coin() { return random_() % 2 == 0; }
  int64_t extent() {
    if (few_) return between(1, 4);
    static const int64_t extents[] = {0, 1, 2, 3, 5, 17, 40, 130, 600};
    return extents[random_() % 20 == 0 ? 0 : between(1, 8)];
  }

  Value step(Value x) {
    const Shape s = b_.shape(x);
    size_t rank = s.size();
    List perm = build::all_axes(rank), lo, hi, stride;
    std::shuffle(perm.begin(), perm.end(), random_);
    switch (between(0, 9)) {
      case 0: {
        Shape to = s;
        List dims = build::all_axes(rank);
        for (size_t d = 0; d < rank; ++d)
          if (s[d] == 1 && coin()) to[d] = between(1, 5);
        size_t at = static_cast<size_t>(between(0, static_cast<int64_t>(rank)));
        to.insert(at, extent());
        for (size_t d = at; d < rank; ++d) ++dims[d];
        return fits(to) ? b_.emit(Op::broadcast_op, {x}, Attrs(to, dims)) : x;
      }
      case 1:
        return b_.emit(Op::reshape_op, {x}, Attrs(reshaped(s)));
      case 2:
        return b_.emit(Op::permute_op, {x}, Attrs(perm));
      case 3:
        for (size_t d = 0; d < rank; ++d) {
          lo.push_back(coin() ? 0 : between(0, s[d]));
          hi.push_back(coin() ? s[d] : between(lo[d], s[d]));
          stride.push_back(between(1, 3));
        }
        return b_.emit(Op::slice_op, {x}, Attrs(lo, hi, stride));
      case 4:
      case 5:
        for (size_t d = 0; d < rank; ++d) {
          stride.push_back(coin() ? 0 : between(0, 2));
          int64_t whole = s[d] + std::max<int64_t>(s[d] - 1, 0) * stride[d];
          lo.push_back(coin() ? 0 : between(-std::min<int64_t>(whole, 3), 3));
          hi.push_back(coin() ? 0 : between(-std::min<int64_t>(whole + std::min<int64_t>(lo[d], 0), 3), 3));
        }
        return b_.emit(Op::pad_op, {x, build::constant(b_, f64, {}, few_ ? 0 : 0.5)}, Attrs(lo, hi, stride));
      case 6: {
        if (rank == 0) return x;
        auto dim = static_cast<size_t>(perm[0]);
        std::vector<Value> parts;
        for (int64_t n = between(1, 3); n > 0; --n) {
          Value part = x;
          for (Value other : made_) {
            Shape wanted = b_.shape(other);
            if (wanted.size() == rank) wanted[dim] = s[dim];
            if (wanted == s && coin()) part = other;
          }
          parts.push_back(part);
        }
        return b_.emit(Op::concat_op, parts, Attrs(perm[0]));
      }
      case 7:
        perm.resize(static_cast<size_t>(between(0, static_cast<int64_t>(rank))));
        return b_.emit(Op::rev_op, {x}, Attrs(perm));
      case 8:
        if (!fits(s + s)) return x;
        return b_.emit(Op::diag_embed_op, {x}, Attrs(between(0, static_cast<int64_t>(rank))));
      default:
        return b_.emit(few_ || coin() ? Op::copy_op : Op::neg_op, {x});
    }
  }
  Shape reshaped(const Shape& s) {
    Shape to;
    for (size_t d = 0; d < s.size(); ++d) {
      if (!to.empty() && coin())
        to[to.size() - 1] *= s[d];
      else if (int64_t factor = between(2, 3); s[d] % factor == 0 && coin())
        to = to + Shape{factor, s[d] / factor};
      else
        to.push_back(s[d]);
      if (coin()) to.push_back(1);
    }
    return to;
  }

  std::mt19937_64 random_;
  bool few_;
  Builder b_;
  std::vector<Value> made_;
};

HostTensor counted(const Type& type) {
  Numbers x(static_cast<size_t>(type.shape.numel()));
  std::iota(x.begin(), x.end(), 1.0);
  return {type.dtype, type.shape, x};
}

constexpr uint64_t kChains = 400;

}  // namespace

TEST_CASE("movement: derived evaluation is the walk over indices") {
  for (uint64_t seed = 0; seed < kChains; ++seed) {
    Graph g = Chain(seed, false).make();
    HostTensor x = counted(g.data().type(g.data().inputs()[0]));
    CAPTURE(to_text(g));
    REQUIRE(test::interpret(g, {&x, 1})[0].numbers() == walk(g, x.numbers()));
  }
}

TEST_CASE("movement: kernels, views and routines are the walk over indices") {
  std::vector<cpu::CompileOptions> all = {{.vector_bytes = 64}, {.vector_bytes = 32}};
  if (target() != Target::reference)
    all.push_back({.vector_bytes = target() == Target::avx512 ? 64 : 32, .code = cpu::kernel_code});
  for (uint64_t seed = 0; seed < kChains; ++seed) {
    Graph g = Chain(seed, false).make();
    HostTensor x = counted(g.data().type(g.data().inputs()[0]));
    CAPTURE(to_text(g));
    Numbers wanted = walk(g, x.numbers());
    for (const cpu::CompileOptions& options : all) {
      CAPTURE(options.vector_bytes);
      CAPTURE(options.code != nullptr);
      REQUIRE(test::run_cpu(g, {x}, options)[0].numbers() == wanted);
      REQUIRE(test::run_cpu(passes::optimize(g), {x}, options)[0].numbers() == wanted);
    }
  }
}

// An element of the chain is an element of the input or a zero: the number of the one whose derivative is 1.
TEST_CASE("movement: structural zeros of a jacobian stand where the walk finds another element") {
  for (uint64_t seed = 0; seed < kChains; ++seed) {
    Graph g = Chain(seed, true).make();
    HostTensor x = counted(g.data().type(g.data().inputs()[0]));
    Numbers source = walk(g, x.numbers());
    CAPTURE(to_text(g));
    for (passes::JacobianMode mode : {passes::JacobianMode::reverse, passes::JacobianMode::forward}) {
      const uint8_t active[] = {1};
      Graph j = passes::optimize(passes::jacobian(g, active, 1, mode));
      Numbers got = test::interpret(j, {&x, 1})[1].numbers();
      REQUIRE(got.size() == source.size() * static_cast<size_t>(x.numel()));
      for (size_t i = 0; i < got.size(); ++i) {
        auto row = i / static_cast<size_t>(x.numel()), column = i % static_cast<size_t>(x.numel());
        REQUIRE(got[i] == (source[row] == static_cast<double>(column + 1) ? 1.0 : 0.0));
      }
    }
  }
}
