// Rows of the functions that make tensors, and of those that draw them: draws that are certain, and what is true of
// every draw.
#include "tests/functions/rows.h"

namespace jot::test {

namespace {

const Input kMatrix{{2, 3}}, kScalar{{}};

// Of no argument.
template <class F>
void constant(FunctionRows& t, const char* name, const char* label, F call) {
  t.add(name, label, {}, [call](Tensors) { return call(); }).order = 0;
}

void making(FunctionRows& t) {
  auto add = [&](const char* name, const char* label, auto call) { constant(t, name, label, call); };
  add("zeros", "", [] { return zeros({2, 3}, f64); });
  add("zeros", "0-d", [] { return zeros({}); });
  add("ones", "", [] { return ones({2, 3}, f64); });
  add("ones", "nothing", [] { return ones({2, 0}, i64); });
  add("empty", "", [] { return empty({3}, f64) * 0; });
  add("full", "a number", [] { return full({2, 3}, 2.5, f64); });
  t.add("full", "a tensor", {kScalar}, [](Tensors x) { return full({2, 3}, x[0]); }).takes = "kkk";
  add("eye", "", [] { return eye(3, f64); });
  add("eye", "columns", [] { return eye(2, 4, i64); });
  add("arange", "end", [] { return arange(5); });
  add("arange", "start", [] { return arange(-2, 5, f64); });
  add("arange", "step", [] { return arange(4, 0.5, -0.5, f64); });
  add("linspace", "", [] { return linspace(-1, 2, 7, f64); });
  add("linspace", "one", [] { return linspace(-1, 2, 1, f64); });
  add("logspace", "", [] { return logspace(-1, 2, 5, 10, f64); });
  add("logspace", "base", [] { return logspace(0, 4, 5, 2, f64); });
  add("hann_window", "", [] { return hann_window(7, true, f64); });
  add("hamming_window", "", [] { return hamming_window(7, false, 0.5, 0.5, f64); });
  add("blackman_window", "", [] { return blackman_window(7, true, f64); });
  add("bartlett_window", "", [] { return bartlett_window(7, false, f64); });
  add("kaiser_window", "", [] { return kaiser_window(7, true, 8, f64); });
  t.add("zeros_like", "", {kMatrix}, [](Tensors x) { return zeros_like(x[0]); }).takes = "kkk";
  t.add("ones_like", "", {kMatrix}, [](Tensors x) { return ones_like(x[0]); }).takes = "kkk";
  t.add("empty_like", "", {kMatrix}, [](Tensors x) { return empty_like(x[0]) * 0; }).takes = "kkk";
  t.add("full_like", "", {kMatrix, kScalar}, [](Tensors x) { return full_like(x[0], x[1]); }).takes = "kkk";
}

void draws(FunctionRows& t) {
  auto add = [&](const char* name, const char* label, auto call) { constant(t, name, label, call); };
  // Of floats alone, without a derivative.
  auto of = [&](const char* name, const char* label, std::vector<Input> inputs, auto call) {
    FunctionRow& row = t.add(name, label, std::move(inputs), call);
    row.order = 0, row.takes = "rrr";
  };
  auto between = [](const Tensor& x, double low, double high) {
    return logical_and(x >= low, x <= high).to(x.dtype());
  };
  add("rand", "", [=] { return between(rand({3, 7}, f64), 0, 1); });
  add("randn", "", [=] { return between(randn({3, 7}, f64), -10, 10); });
  add("randint", "one", [] { return randint(7, 8, {3, 7}); });
  add("randint", "floats", [=] { return between(randint(-2, 3, {3, 7}, f64), -2, 2); });
  of("rand_like", "", {kMatrix}, [=](Tensors x) { return between(rand_like(x[0]), 0, 1); });
  of("randn_like", "", {kMatrix}, [=](Tensors x) { return between(randn_like(x[0]), -10, 10); });
  add("normal", "of a shape", [] { return normal(2.5, 0, {3, 7}, f64); });
  add("normal", "of a shape, range", [=] { return between(normal(2, 3, {3, 7}, f64), -30, 30); });
  t.add("normal", "mean", {kMatrix}, [](Tensors x) { return normal(x[0], 0); }).takes = "ccc";
  of("normal", "mean and std", {kMatrix, {{3}, 0, 2}}, [=](Tensors x) { return between(normal(x[0], x[1]), -30, 30); });
  t.rows.back().takes = "cc-";
  add("randperm", "", [] { return sort(randperm(9)).values; });
  add("randperm", "floats", [] { return sort(randperm(9, f64)).values; });
  of("multinomial", "", {{{2, 5}, 1, 2}}, [](Tensors x) { return sort(multinomial(x[0], 5)).values; });
  of("multinomial", "replacement", {{{5}, 1, 2}},
     [=](Tensors x) { return between(x[0].multinomial(9, true), 0, 4).to(x[0].dtype()); });
  of("bernoulli", "certain", {{{2, 3}, 1, 1}}, [](Tensors x) { return bernoulli(x[0]); });
  of("bernoulli", "of itself", {{{2, 3}, 0, 1}}, [=](Tensors x) { return between(x[0].bernoulli(), 0, 1); });
  for (double p : {0.0, 1.0})
    t.add("bernoulli", p == 0 ? "never" : "always", {kMatrix}, [p](Tensors x) { return bernoulli(x[0], p); }).takes =
        "kkk";
  of("poisson", "", {{{2, 3}, 0, 20}}, [=](Tensors x) { return between(poisson(x[0]), 0, 200); });
  of("binomial", "", {{{2, 3}, 0, 30}, {{3}, 0, 1}}, [=](Tensors x) { return between(binomial(x[0], x[1]), 0, 30); });
  for (const char* name : {"random_gamma", "gamma"})
    of(name, "", {{{2, 3}, 0.5, 5}}, [=](Tensors x) {
      return between(std::string_view(name) == "gamma" ? gamma(x[0]) : random_gamma(x[0]), 0, 100);
    });
  of("dirichlet", "", {{{2, 3}, 0.5, 5}}, [=](Tensors x) { return between(sum(dirichlet(x[0]), -1), 0.9, 1.1); });
}

}  // namespace

void creation_rows(FunctionRows& t) {
  making(t);
  draws(t);
}

}  // namespace jot::test
