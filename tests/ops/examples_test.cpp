// What single ops mean, by example: special values, edge cases, derivatives at singular points.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "ir/build.h"
#include "passes/transforms.h"
#include "tests/support/host.h"

namespace jot::test {
namespace {

using namespace ir;
using I = std::vector<int64_t>;
using build::GatherDims;

constexpr double kInf = std::numeric_limits<double>::infinity();
const double kNan = std::nan("");

HostTensor f64s(const Shape& shape, std::vector<double> v) { return {DType::f64, shape, std::move(v)}; }
HostTensor f64s(std::vector<double> v) {
  Shape shape{v.size()};
  return {DType::f64, shape, std::move(v)};
}
HostTensor of(DType dtype, std::vector<double> v) {
  Shape shape{v.size()};
  return {dtype, shape, std::move(v)};
}
int64_t word(const HostTensor& x, size_t i) {
  int64_t w;
  std::memcpy(&w, x.bytes.data() + i * sizeof w, sizeof w);
  return w;
}
HostTensor number(double x) { return {DType::f64, {}, {x}}; }
HostTensor start(double x) { return {DType::i64, {}, {x}}; }

using Build = std::function<Value(Builder&, std::span<const Value>)>;
Graph graph(const std::vector<HostTensor>& x, const Build& build) {
  Builder b;
  std::vector<Value> inputs;
  for (const HostTensor& t : x) inputs.push_back(b.param(t.type));
  return b.finish({build(b, inputs)});
}
HostTensor run(const std::vector<HostTensor>& x, const Build& build) { return interpret(graph(x, build), x)[0]; }
HostTensor run(Op op, const std::vector<HostTensor>& x, const Attrs& attrs = {}) {
  return run(x, [&](Builder& b, std::span<const Value> v) { return b.emit(op, v, attrs); });
}
// The gradients of the sum of the op's result, by each floating input.
std::vector<HostTensor> gradients(const std::vector<HostTensor>& x, const Build& build) {
  Graph g = graph(x, build);
  std::vector<uint8_t> active;
  for (const HostTensor& t : x) active.push_back(t.floating());
  Graph reverse = passes::vjp(g, active, 1);
  std::vector<HostTensor> args = x;
  HostTensor ones(g.data().type(g.data().outputs()[0]));
  for (int64_t i = 0; i < ones.numel(); ++i) ones.set(i, 1);
  args.push_back(ones);
  std::vector<HostTensor> results = interpret(reverse, args);
  results.erase(results.begin());
  return results;
}
HostTensor gradient(Op op, const HostTensor& x, const Attrs& attrs = {}) {
  return gradients({x}, [&](Builder& b, std::span<const Value> v) { return b.emit(op, v, attrs); })[0];
}

void check(const HostTensor& actual, const HostTensor& expected) {
  CAPTURE(to_string(actual.type));
  CAPTURE(to_string(expected.type));
  CHECK(actual.numbers().size() == expected.numbers().size());
  CHECK(difference(actual, expected) == 0);
}

}  // namespace

TEST_CASE("Integers: overflow wraps, division truncates, by zero gives 0") {
  constexpr double kMin32 = -0x1p31, kMax32 = 0x1p31 - 1;
  HostTensor a = of(DType::i32, {kMax32, kMin32, 7, -7, 5, kMin32}), b = of(DType::i32, {1, -1, 2, 2, 0, -1});
  check(run(Op::add_op, {a, b}), of(DType::i32, {kMin32, kMax32, 9, -5, 5, kMax32}));
  check(run(Op::sub_op, {b, a}), of(DType::i32, {-kMax32 + 1, kMax32, -5, 9, -5, kMax32}));
  check(run(Op::mul_op, {a, b}), of(DType::i32, {kMax32, kMin32, 14, -14, 0, kMin32}));
  check(run(Op::div_op, {a, b}), of(DType::i32, {kMax32, kMin32, 3, -3, 0, kMin32}));
  check(run(Op::neg_op, {a}), of(DType::i32, {-kMax32, kMin32, -7, 7, -5, kMin32}));
  check(run(Op::abs_op, {a}), of(DType::i32, {kMax32, kMin32, 7, 7, 5, kMin32}));
  check(run(Op::sign_op, {a}), of(DType::i32, {1, -1, 1, -1, 1, -1}));
  HostTensor big(Type{DType::i64, false, {1}}), one = of(DType::i64, {1});
  big.set(0, -0x1p63);
  CHECK(word(run(Op::sub_op, {big, one}), 0) == std::numeric_limits<int64_t>::max());
}

TEST_CASE("mul_no_nan: a zero first factor stays") {
  HostTensor t = f64s({0, -0.0, 0, 2, kNan, kInf}), p = f64s({kInf, kNan, -kInf, kInf, 0, 0});
  check(run(Op::mul_no_nan_op, {t, p}), f64s({0, 0, 0, kInf, kNan, kNan}));
  CHECK(std::signbit(run(Op::mul_no_nan_op, {t, p}).number(1)));
  auto by = gradients({t, p}, [](Builder& g, auto v) { return build::mul_no_nan(g, v[0], v[1]); });
  check(by[0], p);
  check(by[1], t);
}

TEST_CASE("integer_pow: by squaring, negative exponents by division") {
  HostTensor x = f64s({2, -2, 0, 0.5});
  check(run(Op::integer_pow_op, {x}, Attrs(3)), f64s({8, -8, 0, 0.125}));
  check(run(Op::integer_pow_op, {x}, Attrs(0)), f64s({1, 1, 1, 1}));
  check(run(Op::integer_pow_op, {x}, Attrs(-2)), f64s({0.25, 0.25, kInf, 4}));
  HostTensor n = of(DType::i64, {2, -1, 1, 0});
  check(run(Op::integer_pow_op, {n}, Attrs(-3)), of(DType::i64, {0, -1, 1, 0}));
  check(run(Op::integer_pow_op, {n}, Attrs(std::numeric_limits<int64_t>::min())), of(DType::i64, {0, 1, 1, 0}));
  check(gradient(Op::integer_pow_op, f64s({0, 3}), Attrs(1)), f64s({1, 1}));
  check(gradient(Op::integer_pow_op, f64s({0, 3}), Attrs(0)), f64s({0, 0}));
  check(gradient(Op::integer_pow_op, f64s({0, 3}), Attrs(2)), f64s({0, 6}));
}

TEST_CASE("max and min: nan if either is; ties share the derivative") {
  HostTensor a = f64s({1, kNan, 2, kInf, 3}), b = f64s({2, 1, kNan, -kInf, 3});
  check(run(Op::max_op, {a, b}), f64s({2, kNan, kNan, kInf, 3}));
  check(run(Op::min_op, {a, b}), f64s({1, kNan, kNan, -kInf, 3}));
  HostTensor p = f64s({0, -0.0, 0, -0.0}), q = f64s({-0.0, 0, 0, -0.0});  // -0 is less than +0
  HostTensor most = run(Op::max_op, {p, q}), least = run(Op::min_op, {p, q});
  for (int64_t i = 0; i < 4; ++i) {
    CHECK(std::signbit(most.number(i)) == (i == 3));
    CHECK(std::signbit(least.number(i)) == (i != 2));
  }
  HostTensor x = f64s({1, 2, 3}), y = f64s({1, 3, 2});
  auto max = gradients({x, y}, [](Builder& g, auto v) { return build::binary(g, Op::max_op, v[0], v[1]); });
  check(max[0], f64s({0.5, 0, 1}));
  check(max[1], f64s({0.5, 1, 0}));
  auto min = gradients({x, y}, [](Builder& g, auto v) { return build::binary(g, Op::min_op, v[0], v[1]); });
  check(min[0], f64s({0.5, 1, 0}));
  check(min[1], f64s({0.5, 0, 1}));
}

TEST_CASE("convert: truncated, saturated, nan to 0; integers wrap; to bool: not zero") {
  HostTensor x = f64s({1.9, -1.9, kNan, 1e20, -1e20, kInf, -0.0, 0.1});
  check(run(Op::convert_op, {x}, Attrs(DType::i32)), of(DType::i32, {1, -1, 0, 0x1p31 - 1, -0x1p31, 0x1p31 - 1, 0, 0}));
  check(run(Op::convert_op, {x}, Attrs(DType::boolean)), of(DType::boolean, {1, 1, 1, 1, 1, 1, 0, 1}));
  HostTensor wide = run(Op::convert_op, {f64s({0x1p63, -0x1p63, -0x1.8p63})}, Attrs(DType::i64));
  CHECK(word(wide, 0) == std::numeric_limits<int64_t>::max());
  CHECK(word(wide, 1) == std::numeric_limits<int64_t>::min());
  CHECK(word(wide, 2) == std::numeric_limits<int64_t>::min());
  check(run(Op::convert_op, {of(DType::i64, {0x1p32 + 5, -1, 0x1p31})}, Attrs(DType::i32)),
        of(DType::i32, {5, -1, -0x1p31}));
  check(run(Op::convert_op, {of(DType::boolean, {0, 1})}, Attrs(DType::f32)), of(DType::f32, {0, 1}));
}

TEST_CASE("Pointwise functions at special values") {
  HostTensor x = f64s({0, -0.0, kInf, -kInf, kNan});
  auto at = [&](Op op) { return run(op, {x}); };
  check(at(Op::exp_op), f64s({1, 1, kInf, 0, kNan}));
  check(at(Op::log_op), f64s({-kInf, -kInf, kInf, kNan, kNan}));
  check(at(Op::sqrt_op), f64s({0, 0, kInf, kNan, kNan}));
  check(at(Op::rsqrt_op), f64s({kInf, -kInf, 0, kNan, kNan}));
  check(at(Op::sin_op), f64s({0, 0, kNan, kNan, kNan}));
  check(at(Op::cos_op), f64s({1, 1, kNan, kNan, kNan}));
  check(at(Op::tanh_op), f64s({0, 0, 1, -1, kNan}));
  check(at(Op::logistic_op), f64s({0.5, 0.5, 1, 0, kNan}));
  check(at(Op::abs_op), f64s({0, 0, kInf, kInf, kNan}));
  check(at(Op::sign_op), f64s({0, 0, 1, -1, 0}));
  HostTensor halves = f64s({-2.5, -1.5, -0.5, 0.5, 1.5, 2.5});
  check(run(Op::floor_op, {halves}), f64s({-3, -2, -1, 0, 1, 2}));
  check(run(Op::ceil_op, {halves}), f64s({-2, -1, 0, 1, 2, 3}));
  check(run(Op::trunc_op, {halves}), f64s({-2, -1, 0, 0, 1, 2}));
  check(run(Op::round_even_op, {halves}), f64s({-2, -2, 0, 0, 2, 2}));
}

TEST_CASE("Derivatives at singular points, as in torch") {
  check(gradient(Op::abs_op, f64s({0, -1, 2})), f64s({0, -1, 1}));
  check(gradient(Op::sqrt_op, f64s({0, 4})), f64s({kInf, 0.25}));
  check(gradient(Op::log_op, f64s({-1, 0, 2})), f64s({-1, kInf, 0.5}));
  for (Op op : {Op::sign_op, Op::floor_op, Op::ceil_op, Op::round_even_op, Op::trunc_op})
    check(gradient(op, f64s({0, 0.5, 2})), f64s({0, 0, 0}));
  check(gradient(Op::reduce_max_op, f64s({1, 3, 3, 2}), Attrs(I{0})), f64s({0, 0.5, 0.5, 0}));
  check(gradient(Op::reduce_min_op, f64s({1, 1, 1, 2, 1}), Attrs(I{0})), f64s({0.25, 0.25, 0.25, 0, 0.25}));
  auto trap = gradients({f64s({0, 4})}, [](Builder& b, auto x) {
    Value zero = build::zeros_like(b, x[0]);
    return build::where(b, build::compare(b, x[0], zero, Direction::gt), build::unary(b, Op::sqrt_op, x[0]), zero);
  });
  check(trap[0], f64s({kNan, 0.25}));
}

TEST_CASE("stop_gradient is zero in both modes") {
  auto half = [](Builder& b, std::span<const Value> x) {
    return build::sub(b, build::mul(b, x[0], x[0]), b.emit(Op::stop_gradient_op, {build::mul(b, x[0], x[0])}));
  };
  HostTensor x = f64s({3});
  check(gradients({x}, half)[0], f64s({6}));
  uint8_t active[] = {1};
  std::vector<HostTensor> forward = interpret(passes::jvp(graph({x}, half), active, 1), std::vector{x, f64s({1})});
  check(forward[0], f64s({0}));
  check(forward[1], f64s({6}));
}

TEST_CASE("Comparisons with nan; booleans; bits and shifts") {
  HostTensor a = f64s({1, kNan, -0.0, kNan}), b = f64s({2, 1, 0, kNan});
  auto compared = [&](Direction d) { return run(Op::compare_op, {a, b}, Attrs(d)); };
  check(compared(Direction::eq), of(DType::boolean, {0, 0, 1, 0}));
  check(compared(Direction::ne), of(DType::boolean, {1, 1, 0, 1}));
  check(compared(Direction::lt), of(DType::boolean, {1, 0, 0, 0}));
  check(compared(Direction::le), of(DType::boolean, {1, 0, 1, 0}));
  check(compared(Direction::gt), of(DType::boolean, {0, 0, 0, 0}));
  check(compared(Direction::ge), of(DType::boolean, {0, 0, 1, 0}));
  HostTensor p = of(DType::boolean, {0, 0, 1, 1}), q = of(DType::boolean, {0, 1, 0, 1});
  check(run(Op::and_op, {p, q}), of(DType::boolean, {0, 0, 0, 1}));
  check(run(Op::or_op, {p, q}), of(DType::boolean, {0, 1, 1, 1}));
  check(run(Op::xor_op, {p, q}), of(DType::boolean, {0, 1, 1, 0}));
  check(run(Op::not_op, {p}), of(DType::boolean, {1, 1, 0, 0}));
  check(run(Op::not_op, {of(DType::i32, {0, -1, 5})}), of(DType::i32, {-1, 0, -6}));
  HostTensor x = of(DType::i32, {-8, -8, -8, 1, 1, 3}), n = of(DType::i32, {1, 31, 32, 31, -1, 0});
  check(run(Op::shl_op, {x, n}), of(DType::i32, {-16, 0, 0, -0x1p31, 0, 3}));
  check(run(Op::shr_op, {x, n}), of(DType::i32, {0x7ffffffc, 1, 0, 0, 0, 3}));
  check(run(Op::sar_op, {x, n}), of(DType::i32, {-4, -1, -1, 0, 0, 3}));
  check(run(Op::popcnt_op, {of(DType::i32, {0, -1, 10})}), of(DType::i32, {0, 32, 2}));
  check(run(Op::popcnt_op, {of(DType::i64, {-1, 7})}), of(DType::i64, {64, 3}));
}

TEST_CASE("where keeps what it does not choose out of the value") {
  HostTensor pred = of(DType::boolean, {1, 0, 1});
  check(run(Op::where_op, {pred, f64s({1, kNan, 3}), f64s({kInf, 5, kNan})}), f64s({1, 5, 3}));
  HostTensor yes(DType::boolean, {}, {1});
  check(run(Op::where_op, {yes, f64s({1, 2, 3}), f64s({4, 5, 6})}), f64s({1, 2, 3}));
}

TEST_CASE("Movement") {
  HostTensor x = f64s({2, 3}, {1, 2, 3, 4, 5, 6});
  check(run(Op::broadcast_op, {f64s({2, 1}, {1, 2})}, Attrs(Shape{2, 2, 2}, I{0, 2})),
        f64s({2, 2, 2}, {1, 1, 1, 1, 2, 2, 2, 2}));
  check(run(Op::permute_op, {x}, Attrs(I{1, 0})), f64s({3, 2}, {1, 4, 2, 5, 3, 6}));
  check(run(Op::slice_op, {x}, Attrs(I{0, 0}, I{2, 3}, I{1, 2})), f64s({2, 2}, {1, 3, 4, 6}));
  check(run(Op::pad_op, {f64s({1, 2, 3}), number(9)}, Attrs(I{1}, I{-1}, I{1})), f64s({9, 1, 9, 2, 9}));
  check(run(Op::concat_op, {f64s({1, 2}), f64s(std::vector<double>{}), f64s({3})}, Attrs(0)), f64s({1, 2, 3}));
  check(run(Op::rev_op, {x}, Attrs(I{1})), f64s({2, 3}, {3, 2, 1, 6, 5, 4}));
  check(run(Op::diag_embed_op, {f64s({2, 2}, {1, 2, 3, 4})}, Attrs(1)), f64s({2, 2, 2}, {1, 0, 0, 2, 3, 0, 0, 4}));
  check(run(Op::diag_embed_op, {f64s({2})}, Attrs(0)), f64s({1, 1}, {2}));
  check(run({}, [](Builder& b, auto) { return build::identity(b, DType::f64, {2}); }), f64s({2, 2}, {1, 0, 0, 1}));
  check(run({},
            [](Builder& b, auto) {
              return build::iota(b, DType::i32, {2, 2}, 0);
            }),
        HostTensor(DType::i32, {2, 2}, {0, 0, 1, 1}));
}

TEST_CASE("Dynamic slices are clamped") {
  HostTensor x = f64s({0, 1, 2, 3, 4});
  auto slice = [&](double at) { return run(Op::dynamic_slice_op, {x, start(at)}, Attrs(I{2})); };
  check(slice(1), f64s({1, 2}));
  check(slice(9), f64s({3, 4}));
  check(slice(-9), f64s({0, 1}));
  check(run(Op::dynamic_update_slice_op, {x, f64s({7, 8}), start(4)}), f64s({0, 1, 2, 7, 8}));
}

TEST_CASE("gather and the scatters: modes, duplicates, negative indices") {
  HostTensor x = f64s({10, 11, 12}), at(DType::i64, {4, 1}, {-1, 0, 2, 5}), inside(DType::i64, {4, 1}, {-1, 0, 2, -3});
  GatherDims dims = {{}, {0}, {0}, {}, {}};
  auto gather = [&](const HostTensor& indices, IndexMode mode) {
    return run({x, indices}, [&](Builder& b, auto v) { return build::gather(b, v[0], v[1], dims, I{1}, mode); });
  };
  check(gather(at, IndexMode::clip), f64s({10, 10, 12, 12}));
  check(gather(at, IndexMode::fill), f64s({0, 10, 12, 0}));
  check(gather(at, IndexMode::wrap), f64s({12, 10, 12, 12}));
  check(gather(inside, IndexMode::check), f64s({12, 10, 12, 10}));
  auto scatter = [&](Op op, const HostTensor& indices, IndexMode mode) {
    return run({x, indices, f64s({1, 2, 3, 4})},
               [&](Builder& b, auto v) { return build::scatter(b, op, v[0], v[1], v[2], dims, mode, false); });
  };
  check(scatter(Op::scatter_add_op, inside, IndexMode::check), f64s({16, 11, 16}));
  check(scatter(Op::scatter_add_op, at, IndexMode::fill), f64s({12, 11, 15}));
  check(scatter(Op::scatter_set_op, inside, IndexMode::check), f64s({4, 11, 3}));
  check(scatter(Op::scatter_set_op, at, IndexMode::wrap), f64s({2, 11, 4}));
  auto set = gradients({x, inside, f64s({1, 2, 3, 4})}, [&](Builder& b, auto v) {
    return build::scatter_set(b, v[0], v[1], v[2], dims, IndexMode::check, false);
  });
  check(set[0], f64s({0, 1, 0}));
  check(set[1], f64s({0, 0, 1, 1}));
}

TEST_CASE("Reductions of nothing, and of nan") {
  HostTensor nothing = f64s({2, 0}, {});
  check(run(Op::reduce_sum_op, {nothing}, Attrs(I{1})), f64s({0, 0}));
  check(run(Op::reduce_max_op, {nothing}, Attrs(I{1})), f64s({-kInf, -kInf}));
  check(run(Op::reduce_min_op, {nothing}, Attrs(I{1})), f64s({kInf, kInf}));
  const double most = std::numeric_limits<double>::max();
  check(run(Op::reduce_sum_op, {f64s({most, most})}, Attrs(I{0})), number(kInf));
  check(run(Op::reduce_sum_op, {f64s({1, -most, -most, 1})}, Attrs(I{0})), number(-kInf));
  check(run(Op::reduce_sum_op, {f64s({kInf, 1, -kInf})}, Attrs(I{0})), number(kNan));
  check(run(Op::reduce_max_op, {f64s({1, kNan, 3})}, Attrs(I{0})), number(kNan));
  check(run(Op::reduce_min_op, {HostTensor(DType::i32, {2, 2}, {4, 1, 2, 3})}, Attrs(I{0})), of(DType::i32, {2, 1}));
  check(run(Op::dot_op, {f64s({2, 0}, {}), f64s({0, 1}, {})}, Attrs(I{1}, I{0}, I{}, I{})), f64s({2, 1}, {0, 0}));
  check(run(Op::dot_op, {f64s({2, 2}, {1, 2, 3, 4}), f64s({2, 2}, {5, 6, 7, 8})}, Attrs(I{1}, I{0}, I{}, I{})),
        f64s({2, 2}, {19, 22, 43, 50}));
}

}  // namespace jot::test
