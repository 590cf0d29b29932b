// Storage dtypes: bf16, f16 and u8 are what elements are in memory; they are computed in f32 and i32.
#include <doctest/doctest.h>
#include <jot/jot.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

using namespace jot;

namespace {

float rounded(float x, DType d) { return d == bf16 ? static_cast<float>(bfloat16(x)) : static_cast<float>(float16(x)); }
std::vector<float> floats(const Tensor& x) { return x.to_vector<float>(); }
std::vector<uint16_t> bits(const Tensor& x) {
  const uint16_t* p = x.data<uint16_t>();
  return {p, p + x.numel()};
}
using Floats = std::vector<float>;
using Bytes = std::vector<int>;

constexpr DType kHalves[] = {bf16, f16};

}  // namespace

TEST_CASE("dtypes: tensors of half floats are made, read and printed") {
  CHECK(bits(tensor({1.0, -2.5, 0.1}, bf16)) == std::vector<uint16_t>{0x3f80, 0xc020, 0x3dcd});
  CHECK(bits(tensor({1.0, -2.5, 0.1}, f16)) == std::vector<uint16_t>{0x3c00, 0xc100, 0x2e66});
  for (DType d : kHalves) {
    CAPTURE(d);
    CHECK(tensor(0.1, d).item<double>() == rounded(0.1f, d));
    CHECK(floats(zeros({2}, d)) == Floats{0, 0});
    CHECK(floats(full({2}, 0.3, d)) == Floats(2, rounded(0.3f, d)));
    CHECK(floats(full({2}, tensor(0.3), d)) == Floats(2, rounded(0.3f, d)));
    CHECK(floats(eye(2, d)) == Floats{1, 0, 0, 1});
    CHECK(floats(arange(4, d)) == Floats{0, 1, 2, 3});
    CHECK(floats(linspace(0, 1, 3, d)) == Floats{0, 0.5, 1});
    CHECK(ones_like(zeros({2}, d)).dtype() == d);
    CHECK(tensor({3, 4}, d).to_vector<int64_t>() == std::vector<int64_t>{3, 4});
    CHECK(static_cast<bool>(tensor(2, d)));
    CHECK(size_of(d) == 2);
    // In recordings.
    Tensor made = jit([d](const Tensor& x) { return x * full({2}, 0.3, d) + tensor({0.1, 1.0}, d); })(ones({2}, d));
    CHECK(floats(made) == Floats{rounded(rounded(0.3f, d) + rounded(0.1f, d), d), rounded(rounded(0.3f, d) + 1, d)});
  }
  CHECK(to_string(tensor({1.5, 0.1}, bf16)) == "[1.5000, 0.1001] bf16[2]");
  CHECK(to_string(tensor({1.5, 0.1}, f16)) == "[1.5000, 0.1000] f16[2]");
  CHECK(to_string(tensor(3, bf16)) == "3. bf16[]");
  const uint16_t raw[] = {0x3f80, 0x4000, 0x7f80};
  CHECK(floats(from_blob(static_cast<const void*>(raw), {3}, bf16)) == Floats{1, 2, HUGE_VALF});
  CHECK(floats(Tensor::from(std::vector<bfloat16>{bfloat16(1.5), bfloat16(3)})) == Floats{1.5, 3});
  CHECK(Tensor::from(std::vector<float16>{float16(1.5)}).dtype() == f16);
  CHECK(tensor(std::vector<float16>{float16(1.5)}).dtype() == f16);
  CHECK(tensor({2.0}, f16).data<float16>()->bits == 0x4000);
  Tensor t = zeros({2}, bf16);
  t.mutable_data<uint16_t>()[1] = 0x3f80;
  t.mutable_data<bfloat16>()[0] = bfloat16(7);
  CHECK(floats(t) == Floats{7, 1});
}

// Every bit pattern there and back; to the nearest, ties to even; overflow, NaN, denormals.
TEST_CASE("dtypes: conversions of half floats") {
  std::vector<uint16_t> all(0x10000);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint16_t>(i);
  for (DType d : kHalves) {
    CAPTURE(d);
    const Tensor x = from_blob(static_cast<const void*>(all.data()), {0x10000}, d);
    for (DType wide : {f32, f64}) {
      const std::vector<uint16_t> back = bits(x.to(wide).to(d));
      const std::vector<float> values = floats(x);
      int wrong = 0;
      for (size_t i = 0; i < all.size(); ++i)
        wrong += std::isnan(values[i]) ? back[i] != (all[i] | (d == bf16 ? 0x40 : 0x200)) : back[i] != all[i];
      CHECK(wrong == 0);
    }
    // Between neighbours: the nearer, of ties the even one.
    std::vector<float> between, wanted;
    const std::vector<float> values = floats(x);
    const size_t infinity = d == bf16 ? 0x7f80 : 0x7c00;
    for (size_t i = 0; i + 1 < infinity; ++i) {
      const float lo = values[i], hi = values[i + 1], middle = lo + (hi - lo) / 2;
      between.insert(between.end(), {middle, std::nextafter(middle, lo), std::nextafter(middle, hi), -middle});
      wanted.insert(wanted.end(), {i % 2 ? hi : lo, lo, hi, i % 2 ? -hi : -lo});
    }
    CHECK(floats(tensor(between).to(d)) == wanted);
  }
  CHECK(floats(tensor({65504.0, 65519.0, 65520.0, -1e6, 0x1p-25, 0x1.8p-25}).to(f16)) ==
        Floats{65504, 65504, HUGE_VALF, -HUGE_VALF, 0, 0x1p-24f});
  CHECK(floats(tensor({3.39e38, 0x1.ffp127, 1e-45}).to(bf16)) == Floats{0x1.fep127f, HUGE_VALF, 0});
  for (DType d : kHalves) {
    CHECK(std::isnan(tensor(std::nan("")).to(d).item<float>()));
    CHECK(floats(tensor({2049, -3, 4097}).to(d)) == Floats{2048, -3, 4096});
    CHECK(floats(tensor({true, false}).to(d)) == Floats{1, 0});
    CHECK(tensor({2.7, -2.7}, d).to(i32).to_vector<int>() == std::vector<int>{2, -2});
    CHECK(tensor({0.5, 0.0}, d).to(boolean).to_vector<bool>() == std::vector<bool>{true, false});
  }
  CHECK(floats(tensor({1e30, 1.0}, bf16).to(f16)) == Floats{HUGE_VALF, 1});
}

TEST_CASE("dtypes: u8 is made, converted, printed, and wraps") {
  CHECK(tensor({300, -1, 256, 7}).to(u8).to_vector<int>() == Bytes{44, 255, 0, 7});
  CHECK(tensor({300, -1, 256, 7}, i32).to(u8).to_vector<int>() == Bytes{44, 255, 0, 7});
  CHECK(tensor({300.7, -1.5, 255.99, 3000000094.0, std::nan("")}, f64).to(u8).to_vector<int>() ==
        Bytes{44, 255, 255, 94, 0});
  CHECK(tensor({300.7, -1.5, 255.99}, bf16).to(u8).to_vector<int>() == Bytes{44, 255, 0});
  CHECK(tensor({300, -1}, u8).to_vector<int>() == Bytes{44, 255});
  CHECK(full({1}, -1, u8).to_vector<int>() == Bytes{255});
  CHECK(tensor({0, 3}, u8).to(boolean).to_vector<bool>() == std::vector<bool>{false, true});
  CHECK(tensor({true, false}).to(u8).to_vector<int>() == Bytes{1, 0});
  CHECK(floats(tensor({200, 3}, u8).to(f16)) == Floats{200, 3});
  CHECK(to_string(tensor({1, 255}, u8)) == "[  1, 255] u8[2]");
  CHECK(Tensor::from(std::vector<uint8_t>{1, 255}).dtype() == u8);
  CHECK(*tensor({9}, u8).data<uint8_t>() == 9);
  const Tensor a = tensor({200, 5, 0, 255}, u8), b = tensor({100, 7, 3, 2}, u8);
  CHECK((a + b).to_vector<int>() == Bytes{44, 12, 3, 1});
  CHECK((a - b).to_vector<int>() == Bytes{100, 254, 253, 253});
  CHECK((a * b).to_vector<int>() == Bytes{32, 35, 0, 254});
  CHECK((-a).to_vector<int>() == Bytes{56, 251, 0, 1});
  CHECK((~a).to_vector<int>() == Bytes{55, 250, 255, 0});
  CHECK((a & b).to_vector<int>() == Bytes{64, 5, 0, 2});
  CHECK((a - 201).to_vector<int>() == Bytes{255, 60, 55, 54});
  CHECK((a < b).to_vector<bool>() == std::vector<bool>{false, true, true, false});
  CHECK(maximum(a, b).to_vector<int>() == Bytes{200, 7, 3, 255});
  CHECK(pow(a, 2).to_vector<int>() == Bytes{64, 25, 0, 1});
  CHECK((a / b).dtype() == f32);
  CHECK(floats(a / b)[0] == 2);
  CHECK(sin(a).dtype() == f32);
  CHECK(sum(a).dtype() == i64);
  CHECK(sum(a).item<int>() == 460);
  CHECK(amax(a).item<int>() == 255);
  CHECK(amax(a).dtype() == u8);
  CHECK(amin(a).item<int>() == 0);
  CHECK(sort(a).values.to_vector<int>() == Bytes{0, 5, 200, 255});
  Tensor c = a.clone();
  c += 100;
  c[1] = 258;
  CHECK(c.to_vector<int>() == Bytes{44, 2, 100, 99});
  CHECK(matmul(a.view({1, 4}), b.view({4, 1})).item<int>() == (200 * 100 + 35 + 510) % 256);
  const auto f = [](const Tensor& x) { return where(x > 100, x + x, x); };
  CHECK(jit(f)(a).to_vector<int>() == Bytes{144, 5, 0, 254});
  CHECK(vmap([](const Tensor& x) { return x * x; })(a).to_vector<int>() == Bytes{64, 25, 0, 1});
  const Tensor drawn = randint(0, 256, {4000}, u8);
  CHECK(amax(drawn).item<int>() > 250);
}

// torch.promote_types.
TEST_CASE("dtypes: promotion") {
  const DType all[] = {boolean, u8, i32, i64, bf16, f16, f32, f64};
  const DType table[8][8] = {
      {boolean, u8, i32, i64, bf16, f16, f32, f64},  {u8, u8, i32, i64, bf16, f16, f32, f64},
      {i32, i32, i32, i64, bf16, f16, f32, f64},     {i64, i64, i64, i64, bf16, f16, f32, f64},
      {bf16, bf16, bf16, bf16, bf16, f32, f32, f64}, {f16, f16, f16, f16, f32, f16, f32, f64},
      {f32, f32, f32, f32, f32, f32, f32, f64},      {f64, f64, f64, f64, f64, f64, f64, f64},
  };
  for (size_t i = 0; i < 8; ++i)
    for (size_t j = 0; j < 8; ++j) {
      CAPTURE(all[i]);
      CAPTURE(all[j]);
      CHECK((ones({2}, all[i]) * ones({2}, all[j])).dtype() == table[i][j]);
    }
  for (DType d : kHalves) {
    CHECK((ones({2}, d) * 2.5).dtype() == d);
    CHECK((ones({2}, d) + 1).dtype() == d);
    CHECK((ones({2}, d) * tensor(2.5, f64)).dtype() == d);
    // A number is not rounded to the dtype before it is used.
    const Tensor x = arange(1, 100).to(d);
    CHECK(floats(x * 0.1) == floats((x.to(f32) * 0.1).to(d)));
    CHECK(floats(x * 0.1) != floats(x * full({99}, 0.1, d)));
    CHECK(floats(x.clone().mul_(0.1)) == floats(x * 0.1));
    CHECK((ones({2}, d) == ones({2}, d)).dtype() == boolean);
  }
  CHECK((ones({2}, u8) + 1).dtype() == u8);
  CHECK((ones({2}, u8) + 1.5).dtype() == f32);
  CHECK_THROWS_AS(ones({2}, u8).add_(1.5), DTypeError);
}

// Each op rounds, fused or not.
TEST_CASE("dtypes: half floats are computed in f32 and rounded by each op") {
  for (DType d : kHalves)
    for (int64_t n : {1, 3, 8, 17, 100}) {
      CAPTURE(d);
      CAPTURE(n);
      const Tensor x = linspace(-3, 3, n, f32).to(d), y = linspace(1, 2, n, f32).to(d);
      const auto f = [](const Tensor& a, const Tensor& b) { return (a * b + a) / b - sqrt(abs(a)); };
      Floats wanted;
      const Floats xs = floats(x), ys = floats(y);
      for (size_t i = 0; i < xs.size(); ++i) {
        const float sum = rounded(rounded(xs[i] * ys[i], d) + xs[i], d);
        wanted.push_back(rounded(rounded(sum / ys[i], d) - rounded(std::sqrt(std::abs(xs[i])), d), d));
      }
      CHECK(floats(f(x, y)) == wanted);
      CHECK(floats(jit(f)(x, y)) == wanted);
      CHECK(floats(interpret(trace(f, x, y), {x, y})[0]) == wanted);
      CHECK(f(x, y).dtype() == d);
    }
  CHECK(tensor({60000.0}, f16).mul(2).item<float>() == HUGE_VALF);
}

TEST_CASE("dtypes: sums of half floats are accumulated in f32, means and their kin computed in it") {
  CHECK(sum(ones({10000}, bf16)).item<float>() == rounded(10000, bf16));
  CHECK(sum(full({1000}, 100, f16)).item<float>() == HUGE_VALF);
  for (DType d : kHalves) {
    CAPTURE(d);
    CHECK(mean(full({1000}, 100, d)).item<float>() == 100);
    CHECK(mean(full({1000}, 100, d)).dtype() == d);
    const Tensor x = linspace(-4, 4, 300, f32).to(d).view({3, 100}), wide = x.to(f32);
    auto same = [&](const Tensor& got, const Tensor& exact) {
      CHECK(got.dtype() == d);
      CHECK(floats(got) == floats(exact.to(d)));
    };
    same(sum(x, 0), sum(wide, 0));
    same(var(x, 1), var(wide, 1));
    same(x.std(1), wide.std(1));
    same(softmax(x, 1), softmax(wide, 1));
    same(log_softmax(x, 0), log_softmax(wide, 0));
    same(logsumexp(x, 1), logsumexp(wide, 1));
    same(amax(x, 1), amax(wide, 1));
    same(prod(x, 0), prod(wide, 0));
    same(sort(x, 1, true).values, sort(wide, 1, true).values);
    same(matmul(x, x.t()), matmul(wide, wide.t()));
    same(matmul(x, x[0]), matmul(wide, wide[0]));
    CHECK(floats(topk(x, 2, 1).indices) == floats(topk(wide, 2, 1).indices));
  }
}

TEST_CASE("dtypes: views, writes, indices of half floats") {
  for (DType d : kHalves)
    for (bool compiled : {false, true}) {
      CAPTURE(d);
      const auto f = [](const Tensor& x, const Tensor& i) {
        Tensor y = x.clone();
        y.t()[1] = 7;
        y.slice(1, 0, 5, 2).add_(0.5);
        y.index_put_({i}, y[0] * 2);
        y.diagonal().fill_(-1);
        Tensor z = y.index({i}), w = cat({y, z}, 0);
        w.masked_fill_(w > 10, 10);
        return w.index_add(0, i, ones({2, 5}, x.dtype()));
      };
      const Tensor x = arange(20, f32).view({4, 5}), i = tensor({3, 1});
      const Tensor got = compiled ? jit(f)(x.to(d), i) : f(x.to(d), i);
      CHECK(got.dtype() == d);
      CHECK(floats(got) == floats(f(x, i)));  // small numbers, exact in both
      CHECK(floats(x.to(d).t()) == floats(x.t()));
      CHECK(floats(gather(x.to(d), 1, tensor({{4, 0}, {1, 1}}))) == floats(gather(x, 1, tensor({{4, 0}, {1, 1}}))));
      CHECK(floats(where(x.to(d) > 3, x.to(d), -1)) == floats(where(x > 3, x, -1)));
    }
}

TEST_CASE("dtypes: gradients, lanes and compiled functions of half floats") {
  for (DType d : kHalves) {
    CAPTURE(d);
    const auto f = [](const Tensor& x) { return sum(x * x * x); };
    const Tensor x = tensor({1.0, -2.0, 0.5}, d);
    CHECK(grad(f)(x).dtype() == d);
    CHECK(floats(grad(f)(x)) == Floats{3, 12, 0.75});
    CHECK(floats(jit(grad(f))(x)) == Floats{3, 12, 0.75});
    CHECK(jacrev([](const Tensor& v) { return v * v; })(x).dtype() == d);
    CHECK(hessian(f)(x).dtype() == d);
    CHECK(floats(vmap(grad(f))(stack({x, x * 2}))) == Floats{3, 12, 0.75, 12, 48, 3});
    auto [value, tangent] = jvp(f, primals(x), tangents(ones({3}, d)));
    CHECK(tangent.dtype() == d);
    // The cotangent has the dtype of what it belongs to.
    CHECK(grad([](const Tensor& v) { return sum(v.to(f32) * 0.1); })(x).dtype() == d);
    const auto exe = compile([](const Tensor& v) { return v * v; }, x);
    const std::vector<uint16_t> in = bits(x);
    std::vector<uint16_t> out(3);
    exe.run_into(std::vector<const void*>{in.data()}, std::vector<void*>{out.data()});
    CHECK(out == bits(x * x));
  }
}

TEST_CASE("dtypes: branches and loops of storage dtypes") {
  for (DType d : {bf16, f16, u8}) {
    CAPTURE(d);
    const auto chosen = [](const Tensor& x) {
      return cond(
          sum(x) > 3, [](const Tensor& y) { return y * 2; }, [](const Tensor& y) { return y + 1; }, x);
    };
    const auto looped = [](const Tensor& x) {
      auto [total, all] = scan(
          [](const Tensor& carry, const Tensor& y) {
            return std::pair{carry + y, carry * y};
          },
          zeros_like(x[0]), x);
      return total + sum(all.to(f32)).to(x.dtype());
    };
    const Tensor x = tensor({1, 2, 3}, d);
    CHECK(chosen(x).to_vector<int>() == Bytes{2, 4, 6});
    CHECK(jit(chosen)(x).to_vector<int>() == Bytes{2, 4, 6});
    CHECK(jit(chosen)(x).dtype() == d);
    CHECK(looped(x).item<int>() == 6 + 0 + 2 + 9);
    CHECK(jit(looped)(x).item<int>() == 17);
    CHECK(interpret(trace(looped, x), {x})[0].item<int>() == 17);
    if (is_floating(d)) CHECK(grad(looped)(x).dtype() == d);
    if (is_floating(d)) CHECK(jit(grad(looped))(x).to_vector<int>() == grad(looped)(x).to_vector<int>());
  }
}

TEST_CASE("dtypes: random half floats") {
  manual_seed(3);
  for (DType d : kHalves) {
    CAPTURE(d);
    const Tensor u = rand({20000}, d), n = randn({20000}, d);
    CHECK(u.dtype() == d);
    CHECK(amax(u).item<float>() < 1);
    CHECK(amin(u).item<float>() == 0);
    CHECK(mean(u).item<float>() == doctest::Approx(0.5).epsilon(0.02));
    CHECK(n.dtype() == d);
    CHECK(std::abs(mean(n).item<float>()) < 0.03);
    CHECK(n.std().item<float>() == doctest::Approx(1).epsilon(0.03));
    CHECK(bernoulli(full({1000}, 0.25, d)).dtype() == d);
    CHECK(mean(bernoulli(full({20000}, 0.25, d))).item<float>() == doctest::Approx(0.25).epsilon(0.05));
  }
}

TEST_CASE("dtypes: text and JSON of graphs with storage dtypes") {
  for (DType d : {bf16, f16, u8}) {
    const auto f = [d](const Tensor& x) { return x * full({2}, 3, d) + tensor({1, 2}, d); };
    const ir::Graph g = trace(f, ones({2}, d));
    CHECK(ir::parse(to_text(g)) == g);
    CHECK(to_text(g).find(std::string(to_string(d)) + "[2]") != std::string::npos);
    CHECK(to_json(g).find(to_string(d)) != std::string::npos);
    CHECK(run(g, {ones({2}, d)})[0].to_vector<int>() == Bytes{4, 5});
  }
  const ir::Graph g = trace([](const Tensor& x) { return x * 0.1; }, ones({2}, bf16));
  CHECK(ir::parse(to_text(g)) == g);
}

TEST_CASE("dtypes: what is refused says what to do") {
  const Tensor h = ones({2}, bf16);
  CHECK_THROWS_WITH_AS(h.data<float>(),
                       doctest::Contains("[data] the elements are bf16, asked for f32: convert with to()"), DTypeError);
  CHECK_THROWS_WITH_AS(ones({2}).data<uint16_t>(),
                       doctest::Contains("the elements are f32, asked for the bits of bf16 or f16: convert with to()"),
                       DTypeError);
  CHECK_THROWS_WITH_AS(arange(4).index({tensor({1, 0}, u8)}),
                       doctest::Contains("tensors used as indices must be i32 or i64, and masks boolean, got u8[2]: "
                                         "convert with to(i64) or to(boolean)"),
                       DTypeError);
  CHECK_THROWS_WITH_AS(matmul(ones({2, 2}, bf16), ones({2, 2}, f16)),
                       doctest::Contains("expected both operands to have the same dtype, got bf16[2,2] and f16[2,2]"),
                       DTypeError);
  CHECK_THROWS_WITH_AS(randint(0, 257, {1}, u8), doctest::Contains("do not fit u8: expected 0 to 255"), IndexError);
  CHECK_THROWS_WITH_AS(mean(ones({2}, u8)), doctest::Contains("convert with to(f32)"), DTypeError);
}
