// Outputs of functions that make or draw tensors: what the function gives in the output's dtype, written as all other
// outputs are. (tests/coverage runs every form with an output; this is what the samples there do not say.)
#include <doctest/doctest.h>
#include <jot/jot.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/functions/failures.h"

namespace jot::test {
namespace {

const std::vector<DType> kFloats{f64, f32, f16, bf16}, kNumbers{f64, f32, f16, bf16, i64, i32, u8},
    kAll{f64, f32, f16, bf16, i64, i32, u8, boolean};

struct Form {
  const char* name;
  Shape shape;  // of the result
  std::vector<DType> dtypes;
  std::function<Tensor(DType)> plain;  // in that dtype
  std::function<Tensor(const Tensor&)> output;
};

const Tensor& weights() {
  static const Tensor w = tensor({1.0, 2.0, 0.5, 3.0}, f64);
  return w;
}

const std::vector<Form>& forms() {
  static const std::vector<Form> list = {
      {"zeros",
       {2, 3},
       kAll,
       [](DType d) {
         return zeros({2, 3}, d);
       },
       [](Tensor o) {
         return zeros_out(o, {2, 3});
       }},
      {"ones",
       {2, 3},
       kAll,
       [](DType d) {
         return ones({2, 3}, d);
       },
       [](Tensor o) {
         return ones_out(o, {2, 3});
       }},
      {"full", {3}, kAll, [](DType d) { return full({3}, 1.5, d); }, [](Tensor o) { return full_out(o, {3}, 1.5); }},
      {"full", {}, kAll, [](DType d) { return full({}, 2, d); }, [](Tensor o) { return full_out(o, {}, 2); }},
      {"eye", {3, 3}, kAll, [](DType d) { return eye(3, d); }, [](Tensor o) { return eye_out(o, 3); }},
      {"eye", {2, 3}, kAll, [](DType d) { return eye(2, 3, d); }, [](Tensor o) { return eye_out(o, 2, 3); }},
      {"arange", {4}, kNumbers, [](DType d) { return arange(4, d); }, [](Tensor o) { return arange_out(o, 4); }},
      {"arange", {4}, kNumbers, [](DType d) { return arange(1, 5, d); }, [](Tensor o) { return arange_out(o, 1, 5); }},
      {"arange",
       {4},
       kNumbers,
       [](DType d) { return arange(0.5, 4.5, 1.2, d); },
       [](Tensor o) { return arange_out(o, 0.5, 4.5, 1.2); }},
      {"linspace",
       {4},
       kNumbers,
       [](DType d) { return linspace(0, 3.5, 4, d); },
       [](Tensor o) { return linspace_out(o, 0, 3.5, 4); }},
      {"logspace",
       {3},
       kNumbers,
       [](DType d) { return logspace(0, 1.5, 3, 10, d); },
       [](Tensor o) { return logspace_out(o, 0, 1.5, 3); }},
      {"logspace",
       {3},
       kNumbers,
       [](DType d) { return logspace(0, 3, 3, 2, d); },
       [](Tensor o) { return logspace_out(o, 0, 3, 3, 2); }},
      {"rand",
       {3, 5},
       kFloats,
       [](DType d) {
         return rand({3, 5}, d);
       },
       [](Tensor o) {
         return rand_out(o, {3, 5});
       }},
      {"randn", {5}, kFloats, [](DType d) { return randn({5}, d); }, [](Tensor o) { return randn_out(o, {5}); }},
      {"randint",
       {3, 5},
       kNumbers,
       [](DType d) {
         return randint(3, 100, {3, 5}, d);
       },
       [](Tensor o) {
         return randint_out(o, 3, 100, {3, 5});
       }},
      {"randint",
       {9},
       kAll,
       [](DType d) { return randint(0, 2, {9}, d); },
       [](Tensor o) { return randint_out(o, 0, 2, {9}); }},
      {"randperm", {9}, kNumbers, [](DType d) { return randperm(9, d); }, [](Tensor o) { return randperm_out(o, 9); }},
      {"normal",
       {2, 5},
       kFloats,
       [](DType d) {
         return normal(1, 2, {2, 5}, d);
       },
       [](Tensor o) {
         return normal_out(o, 1, 2, {2, 5});
       }},
      {"normal",
       {4},
       kFloats,
       [](DType d) { return normal(weights(), 0.5).to(d); },
       [](Tensor o) { return normal_out(o, weights(), 0.5); }},
      {"bernoulli",
       {4},
       kFloats,
       [](DType d) { return bernoulli(weights() / 4).to(d); },
       [](Tensor o) { return bernoulli_out(o, weights() / 4); }},
      {"bernoulli",
       {4},
       kAll,
       [](DType d) { return bernoulli(weights().to(d), 0.5); },
       [](Tensor o) { return bernoulli_out(o, weights().to(o.dtype()), 0.5); }},
      {"multinomial",
       {6},
       kNumbers,
       [](DType d) { return multinomial(weights(), 6, true).to(d); },
       [](Tensor o) { return multinomial_out(o, weights(), 6, true); }},
  };
  return list;
}

// From the same state of the generator.
template <class F>
Tensor seeded(F f) {
  manual_seed(7);
  Tensor t = f();
  t.eval();
  return t;
}
// What holds something else, and is part of something larger: every other column.
Tensor part_of(Tensor& base, const Form& form, DType dtype) {
  base = full(form.shape + Shape{2}, 1, dtype);
  return base.select(-1, 1);
}
std::string same(const Tensor& got, const Tensor& want) {
  return got.dtype() == want.dtype() && equal(got, want) ? "" : to_string(got) + ", want " + to_string(want);
}
std::string text_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "nothing was thrown";
}

}  // namespace

TEST_CASE("outputs: what the function makes or draws in their dtype, also of views, in jit and in derivatives") {
  for (const Form& form : forms())
    for (DType dtype : form.dtypes) {
      CAPTURE(form.name);
      CAPTURE(to_string(dtype));
      const Tensor want = seeded([&] { return form.plain(dtype); });
      REQUIRE_EQ(want.shape(), form.shape);
      Tensor base, out = full(form.shape, 1, dtype);
      CHECK_EQ(same(seeded([&] { return form.output(out); }), want), "");
      CHECK_EQ(same(out, want), "");
      form.output(out).zero_();  // the tensor that was given
      CHECK_EQ(same(out, zeros(form.shape, dtype)), "");
      Tensor part = part_of(base, form, dtype);
      seeded([&] { return form.output(part); });
      CHECK_EQ(same(base.select(-1, 1), want), "");
      CHECK_EQ(same(base.select(-1, 0), ones(form.shape, dtype)), "");
      auto written = [&](const Tensor& x) {
        form.output(x.select(-1, 1));
        return x.clone();
      };
      part_of(base, form, dtype);
      CHECK_EQ(same(seeded([&] { return jit(written)(base); }).select(-1, 1), want), "");
      CHECK_EQ(same(base.select(-1, 1), want), "");
      if (!is_floating(dtype)) continue;
      // What was there is of no consequence any more.
      auto of_copy = [&](const Tensor& x) {
        Tensor y = x * 1;
        form.output(y.select(-1, 1));
        return sum(y);
      };
      Tensor derivative = zeros_like(base);
      derivative.select(-1, 0).fill_(1);
      CHECK_EQ(same(grad(of_copy)(base), derivative), "");
    }
}

TEST_CASE("outputs: of a value with a derivative") {
  auto f = [](const Tensor& v) {
    Tensor out = zeros({2, 3}, f64);
    full_out(out, {2, 3}, v);
    return sum(out * out);
  };
  CHECK_EQ(grad(f)(tensor(2.0, f64)).item<double>(), 24);
  auto g = [](const Tensor& mean) { return sum(normal_out(zeros({4}, f64), mean, 1)); };
  CHECK_EQ(same(grad(g)(weights()), ones({4}, f64)), "");
}

TEST_CASE("outputs: another shape, undefined, inside vmap") {
  for (const Form& form : forms()) {
    CAPTURE(form.name);
    const DType dtype = form.dtypes.front();
    const std::string name = std::string("[") + form.name + "_out] ";
    Tensor wrong = ones({7, 7}, dtype);
    CHECK_EQ(text_of([&] { form.output(wrong); })
                 .find(name + "the output is " + std::string(to_string(dtype)) + "[7,7], the result has shape " +
                       to_string(form.shape) + ": outputs are not resized"),
             0);
    CHECK_THROWS_AS(form.output(wrong), ShapeError);
    CHECK_EQ(same(wrong, ones({7, 7}, dtype)), "");
    auto lanes = [&] {
      vmap([&](const Tensor& x) { return form.output(x); },
           {.randomness = Randomness::different})(ones(Shape{2} + form.shape, dtype));
    };
    CHECK_EQ(text_of(lanes).find(name + "vmap: Batching rule not implemented for aten::" + form.name + ".out; "), 0);
    CHECK_THROWS_AS(lanes(), TransformError);
    CHECK_EQ(text_of([&] { zeros_out(Tensor(), {3}); }).find("[zeros_out] "), 0);
  }
}

TEST_CASE("outputs: a dtype that the function does not make") {
  Tensor integers = zeros({3}, i64), bytes = zeros({3}, u8), p = full({3}, 0.5);
  check_errors(
      {
          {"[rand] expected a floating dtype, got i64", [&] { rand_out(integers, {3}); }},
          {"[randn] expected a floating dtype, got i64", [&] { randn_out(integers, {3}); }},
          {"[normal] expected a floating dtype, got i64", [&] { normal_out(integers, 0, 1, {3}); }},
          {"[normal_out] result type f32 can't be cast to the desired output type i64",
           [&] { normal_out(integers, p, 1); }},
          {"[bernoulli_out] result type f32 can't be cast to the desired output type i64",
           [&] { bernoulli_out(integers, p); }},
          {"[randint] numbers from 0 to 999 do not fit u8", [&] { randint_out(bytes, 0, 1000, {3}); }},
          {"[multinomial_out] result type i64 can't be cast to the desired output type bool",
           [&] { multinomial_out(zeros({3}, boolean), p, 3); }},
          {"[normal] expected a std that is not negative, got -1", [&] { normal_out(p, 0, -1, {3}); }},
          {"[bernoulli_out] expects p to be in [0, 1], but got p=2", [&] { bernoulli_out(p, p, 2); }},
          {"[zeros_out] ", [&] { zeros_out(Tensor(), {3}); }},
          {"[full_out] ", [&] { full_out(Tensor(), {3}, 1); }},
          {"[arange] step must be nonzero", [&] { arange_out(p, 0, 3, 0); }},
      },
      "outputs_test.cpp");
  CHECK_EQ(same(integers, zeros({3}, i64)), "");
}

TEST_CASE("draws: members that draw, and normal of a shape") {
  Tensor p = weights() / 4;
  CHECK_EQ(same(seeded([&] { return p.bernoulli(); }), seeded([&] { return bernoulli(p); })), "");
  CHECK_EQ(same(seeded([&] { return p.multinomial(3); }), seeded([&] { return multinomial(p, 3); })), "");
  // With one p the elements are not read, and the dtype stays, as in place.
  for (DType dtype : kAll) {
    CAPTURE(to_string(dtype));
    Tensor x = full({1000}, 9, f64).to(dtype);
    const Tensor drawn = seeded([&] { return x.bernoulli(0.25); });
    CHECK_EQ(same(drawn, seeded([&] { return zeros({1000}, dtype).bernoulli_(0.25); })), "");
    CHECK_EQ(same(drawn, seeded([&] { return bernoulli(x, 0.25); })), "");
    const double share = drawn.to(f64).mean().item<double>();
    CHECK((share > 0.18 && share < 0.32));
    CHECK_EQ(same(x, full({1000}, 9, f64).to(dtype)), "");
  }
  CHECK_EQ(same(grad([](const Tensor& x) { return sum(x.bernoulli(0.5)); })(ones({9}, f64)), zeros({9}, f64)), "");
  for (DType dtype : kFloats) {
    CAPTURE(to_string(dtype));
    const Tensor drawn = seeded([&] { return normal(3, 2, {2, 9}, dtype); });
    CHECK_EQ(same(drawn, seeded([&] { return zeros({2, 9}, dtype).normal_(3, 2); })), "");
  }
  CHECK_EQ(to_string(normal(0, 1, {2}).dtype()), "f32");
  check_errors({{"[bernoulli] expects p to be in [0, 1], but got p=2", [&] { p.bernoulli(2); }},
                {"[bernoulli] expected a floating dtype, got i64", [&] { p.to(i64).bernoulli(); }},
                {"[normal] expected a std that is not negative, got -1", [&] { normal(0, -1, {3}); }},
                {"[normal] expected a floating dtype, got i64", [&] { normal(0, 1, {3}, i64); }}},
               "outputs_test.cpp");
}

}  // namespace jot::test
