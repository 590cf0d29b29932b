#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "tests/functions/rows.h"

namespace jot::test {

namespace {

const Input kVector{{5}}, kMatrix{{3, 4}}, kCube{{2, 3, 2}}, kInts{{3, 4}, -3, 4, i64};

// Values and where they were: the indices as floats, of which no derivative passes.
Tensor both(const ValuesIndices& r) { return r.values + r.indices.to(r.values.dtype()); }

using Elements = std::span<const double>;
double total(Elements x) { return std::accumulate(x.begin(), x.end(), 0.0); }
double squares(Elements x) {
  const double mean = total(x) / static_cast<double>(x.size());
  return std::accumulate(x.begin(), x.end(), 0.0, [&](double s, double v) { return s + (v - mean) * (v - mean); });
}

void plain(FunctionRows& t) {
  t.reduction(
      "sum", -2, 2, [](const Tensor& x) { return sum(x); }, total);
  t.reduction(
      "prod", 0.5, 1.5, [](const Tensor& x) { return prod(x); },
      [](Elements x) { return std::accumulate(x.begin(), x.end(), 1.0, std::multiplies<>()); });
  t.reduction(
      "mean", -2, 2, [](const Tensor& x) { return mean(x); },
      [](Elements x) { return total(x) / static_cast<double>(x.size()); });
  t.reduction(
      "amax", -2, 2, [](const Tensor& x) { return amax(x); }, [](Elements x) { return std::ranges::max(x); }, 1);
  t.reduction(
      "amin", -2, 2, [](const Tensor& x) { return amin(x); }, [](Elements x) { return std::ranges::min(x); }, 1);
  t.reduction(
      "max", -2, 2, [](const Tensor& x) { return max(x); }, [](Elements x) { return std::ranges::max(x); }, 1);
  t.reduction(
      "min", -2, 2, [](const Tensor& x) { return min(x); }, [](Elements x) { return std::ranges::min(x); }, 1);
  t.reduction(
      "all", -0.1, 2, [](const Tensor& x) { return all(x > 0); },
      [](Elements x) { return double(std::ranges::all_of(x, [](double v) { return v > 0; })); }, 0, 0);
  t.reduction(
      "any", -0.1, 2, [](const Tensor& x) { return any(x < 0); },
      [](Elements x) { return double(std::ranges::any_of(x, [](double v) { return v < 0; })); }, 0, 0);
  t.reduction(
      "logsumexp", -2, 2, [](const Tensor& x) { return logsumexp(x); },
      [](Elements x) {
        return std::log(std::accumulate(x.begin(), x.end(), 0.0, [](double s, double v) { return s + std::exp(v); }));
      });
  t.reduction(
      "var", -2, 2, [](const Tensor& x) { return var(x, {}, 0); },
      [](Elements x) { return squares(x) / static_cast<double>(x.size()); });
  t.reduction(
      "std", -2, 2, [](const Tensor& x) { return jot::std(x); },
      [](Elements x) { return std::sqrt(squares(x) / static_cast<double>(x.size() - 1)); }, 2);
  t.reduction(
      "nansum", -2, 2, [](const Tensor& x) { return nansum(x); }, total);
  t.reduction(
      "count_nonzero", -2, 2, [](const Tensor& x) { return count_nonzero(x > 0); },
      [](Elements x) { return double(std::ranges::count_if(x, [](double v) { return v > 0; })); }, 0, 0);
  t.reduction(
      "argmax", -2, 2, [](const Tensor& x) { return argmax(x); },
      [](Elements x) { return double(std::ranges::max_element(x) - x.begin()); }, 1, 0);
  t.reduction(
      "median", -2, 2, [](const Tensor& x) { return median(x); },
      [](Elements x) {
        std::vector<double> sorted(x.begin(), x.end());
        std::ranges::sort(sorted);
        return sorted[(sorted.size() - 1) / 2];
      },
      1);
  for (bool keep : {false, true}) {
    const std::string label = keep ? "kept" : "";
    t.add("sum", label, {kCube}, [keep](Tensors x) { return sum(x[0], {0, 2}, keep); });
    t.add("prod", label, {kCube}, [keep](Tensors x) { return prod(x[0], {0, 2}, keep); });
    t.add("mean", label, {kCube}, [keep](Tensors x) { return mean(x[0], -2, keep); });
    t.add("amax", label, {kCube}, [keep](Tensors x) { return amax(x[0], {1, 0}, keep); });
    t.add("amin", label, {kCube}, [keep](Tensors x) { return amin(x[0], 2, keep); });
    t.add("logsumexp", label, {kCube}, [keep](Tensors x) { return logsumexp(x[0], {0, 1}, keep); });
    t.add("var", label, {kMatrix}, [keep](Tensors x) { return var(x[0], 0, 1, keep); });
    t.add("std", label, {kMatrix}, [keep](Tensors x) { return jot::std(x[0], 1, 0.5, keep); });
    t.add("all", label, {kInts}, [keep](Tensors x) { return all(x[0], 1, keep); }).order = 0;
    t.add("any", label, {kInts}, [keep](Tensors x) { return any(x[0], 0, keep); }).order = 0;
  }
  t.add("sum", "nothing", {{{0, 3}}}, [](Tensors x) { return sum(x[0], 0); });
  t.add("prod", "nothing", {{{3, 0}}}, [](Tensors x) { return prod(x[0], 1); });
  t.add("amax", "of nothing", {{{0, 3}}}, [](Tensors x) { return amax(x[0], 1); });
  t.add("sum", "0-d", {{{}}}, [](Tensors x) { return sum(x[0], 0); });
  for (const Shape& shape : {Shape{3, 4}, Shape{2, 17}, Shape{0, 3}, Shape{2, 1}}) {
    const std::string label = to_string(shape);
    t.add("softmax", label, {{shape}}, [](Tensors x) { return softmax(x[0], 1); });
    t.add("log_softmax", label, {{shape}}, [](Tensors x) { return log_softmax(x[0], -1); });
  }
  t.add("softmax", "dim 0", {kCube}, [](Tensors x) { return softmax(x[0], 0); });
  t.add("log_softmax", "dim 1", {kCube}, [](Tensors x) { return log_softmax(x[0], 1); });
}

void sorts(FunctionRows& t) {
  for (const Shape& shape : {Shape{3, 4}, Shape{17, 2}, Shape{0, 3}, Shape{1, 1}})
    for (bool descending : {false, true}) {
      const std::string label = to_string(shape) + (descending ? " descending" : "");
      t.add("sort", label, {{shape}}, [=](Tensors x) { return both(sort(x[0], 0, descending)); });
      t.add("argsort", label, {{shape}}, [=](Tensors x) { return argsort(x[0], -1, descending); }).order = 0;
      t.add("topk", label, {{shape}}, [=](Tensors x) { return both(topk(x[0], 1, 1, descending)); });
    }
  t.add("sort", "0-d", {{{}}}, [](Tensors x) { return both(sort(x[0])); });
  t.add("sort", "equal ones", {{{3, 17}, 0, 4, i64}}, [](Tensors x) { return both(sort(x[0], 1)); }).order = 0;
  t.add("argsort", "equal ones", {kInts}, [](Tensors x) { return argsort(x[0], 0); }).order = 0;
  t.add("msort", "", {kCube}, [](Tensors x) { return msort(x[0]); });
  t.add("topk", "dim 0", {kMatrix}, [](Tensors x) { return both(topk(x[0], 2, 0)); });
  t.add("topk", "none", {kMatrix}, [](Tensors x) { return both(topk(x[0], 0)); });
  t.add("topk", "least", {{{2, 33}}}, [](Tensors x) { return both(topk(x[0], 5, -1, false)); });
}

void orders(FunctionRows& t) {
  t.add("max", "dim", {kMatrix}, [](Tensors x) { return both(max(x[0], 1)); });
  t.add("max", "keepdim", {kCube}, [](Tensors x) { return both(max(x[0], -2, true)); });
  t.add("min", "dim", {kMatrix}, [](Tensors x) { return both(min(x[0], 0)); });
  t.add("min", "0-d", {{{}}}, [](Tensors x) { return both(min(x[0], 0)); });
  t.add("aminmax", "", {kMatrix}, [](Tensors x) {
    auto [low, high] = aminmax(x[0], 1);
    return low + 2 * high;
  });
  t.add("aminmax", "all", {kMatrix}, [](Tensors x) { return x[0].aminmax().max; });
  for (bool keep : {false, true}) {
    t.add("argmax", "", {kMatrix}, [keep](Tensors x) { return argmax(x[0], 1, keep); }).order = 0;
    t.add("argmax", "all", {kInts}, [keep](Tensors x) { return argmax(x[0], none, keep); }).order = 0;
    t.add("argmin", "", {kInts}, [keep](Tensors x) { return argmin(x[0], 0, keep); }).order = 0;
    t.add("argmin", "all", {kMatrix}, [keep](Tensors x) { return argmin(x[0], none, keep); }).order = 0;
    t.add("median", "dim", {kMatrix}, [keep](Tensors x) { return both(median(x[0], 1, keep)); });
    t.add("nanmedian", "dim", {kMatrix}, [keep](Tensors x) { return both(nanmedian(x[0], 0, keep)); });
    t.add("kthvalue", "", {kMatrix}, [keep](Tensors x) { return both(kthvalue(x[0], 3, 1, keep)); });
    t.add("quantile", "number", {kMatrix}, [keep](Tensors x) { return quantile(x[0], 0.3, 1, keep); });
    t.add("quantile", "all", {kMatrix}, [keep](Tensors x) { return quantile(x[0], 0.71, none, keep); });
    t.add("quantile", "vector", {kMatrix}, [keep](Tensors x) {
      return quantile(x[0], tensor({0.1, 0.55, 1.0}, x[0].dtype()), 0, keep);
    });
    t.add("nanquantile", "", {kMatrix}, [keep](Tensors x) { return nanquantile(x[0], 0.4, 1, keep); });
  }
  for (auto between : {Quantile::lower, Quantile::higher, Quantile::midpoint, Quantile::nearest}) {
    const std::string label = std::to_string(static_cast<int>(between));
    t.add("quantile", label, {kMatrix}, [between](Tensors x) { return quantile(x[0], 0.4, 1, false, between); });
    t.add("nanquantile", label, {kMatrix}, [between](Tensors x) { return nanquantile(x[0], 0.7, 0, true, between); });
  }
  t.add("quantile", "by q", {kVector, {{2}, 0.1, 0.2}}, [](Tensors x) { return quantile(x[0], x[1]); });
  t.add("median", "all", {kVector}, [](Tensors x) { return median(x[0]); });
  t.add("nanmedian", "all", {kMatrix}, [](Tensors x) { return nanmedian(x[0]); });
  t.add("count_nonzero", "", {kInts}, [](Tensors x) { return count_nonzero(x[0], 1); }).order = 0;
}

void moments(FunctionRows& t) {
  t.add("var_mean", "", {kMatrix}, [](Tensors x) {
    auto [v, m] = var_mean(x[0], 1);
    return v + 2 * m;
  });
  t.add("std_mean", "", {kMatrix}, [](Tensors x) {
    auto [s, m] = std_mean(x[0], 0, 0, true);
    return s + 2 * m;
  });
  t.add("var_mean", "a part of one", {kMatrix}, [](Tensors x) { return var_mean(x[0], 1, 1.5).var; });
  t.add("nansum", "", {kMatrix}, [](Tensors x) { return nansum(x[0], 1); });
  t.add("nanmean", "", {kMatrix}, [](Tensors x) { return nanmean(x[0], 1, true); });
  t.add("softmin", "", {kMatrix}, [](Tensors x) { return softmin(x[0], 1); });
  for (double p : {2.0, 1.0, 3.0, 2.5, 0.5, -1.0, inf, -inf}) {
    t.add("norm", std::to_string(p), {{{3, 4}, 0.3, 2}}, [p](Tensors x) { return norm(x[0], p, 1); }).tolerance = 2e-14;
    t.add("cdist", std::to_string(p), {{{3, 2}}, {{2, 4, 2}, 2, 4}}, [p](Tensors x) {
       return cdist(x[0], x[1], p);
     }).tolerance = 2e-14;
  }
  t.add("norm", "0", {kMatrix}, [](Tensors x) { return norm(x[0], 0); }).order = 0;
  t.add("norm", "all", {kMatrix}, [](Tensors x) { return norm(x[0], "fro", {}, true); });
  t.add("dist", "", {kMatrix, {{4}}}, [](Tensors x) { return dist(x[0], x[1]); });
  t.add("renorm", "", {kMatrix}, [](Tensors x) { return renorm(x[0], 2, 0, 1.5); });
  t.add("cov", "", {kMatrix}, [](Tensors x) { return cov(x[0]); });
  t.add("cov", "vector", {kVector}, [](Tensors x) { return cov(x[0], {.correction = 0}); });
  t.add("cov", "weights", {kMatrix, {{4}, 1, 5, i64}, {{4}, 0.5, 2}}, [](Tensors x) {
     return cov(x[0], {.fweights = x[1], .aweights = x[2]});
   }).takes = "rrr";
  t.add("cov", "row", {{{1, 4}}}, [](Tensors x) { return cov(x[0]); });
  t.add("corrcoef", "row", {{{1, 4}}}, [](Tensors x) { return cov(x[0]) + corrcoef(x[0]); }).tolerance = 2e-14;
  t.add("corrcoef", "", {kMatrix}, [](Tensors x) { return corrcoef(x[0]); }).tolerance = 2e-14;
}

void samples(FunctionRows& t) {
  t.add("diff", "", {kMatrix}, [](Tensors x) { return diff(x[0]); });
  t.add("diff", "twice", {kMatrix}, [](Tensors x) { return diff(x[0], 2, 0); }).takes = "kk2";
  t.add("diff", "nothing left", {kMatrix}, [](Tensors x) { return diff(x[0], 5, 0); });
  t.add("diff", "with more", {kMatrix, {{3, 1}}, {{3, 2}}}, [](Tensors x) {
     return diff(x[0], 2, 1, x[1], x[2]);
   }).takes = "kk2";
  t.add("trapz", "dx", {kMatrix}, [](Tensors x) { return trapz(x[0], 0.5, 0); });
  t.add("trapezoid", "dx", {kMatrix}, [](Tensors x) { return trapezoid(x[0], 0.5, 0); });
  t.add("trapezoid", "x", {kMatrix, {{4}}}, [](Tensors x) { return trapezoid(x[0], x[1]); });
  t.add("trapezoid", "xs", {kMatrix, kMatrix}, [](Tensors x) { return trapezoid(x[0], x[1], 0); });
  for (const Shape& shape : {Shape{3, 4}, Shape{2, 5, 2}, Shape{0, 2}}) {
    const std::string label = to_string(shape);
    t.add("cumsum", label, {{shape}}, [](Tensors x) { return cumsum(x[0], 1); });
    t.add("cumprod", label, {{shape}}, [](Tensors x) { return cumprod(x[0], 1); });
    t.add("logcumsumexp", label, {{shape}}, [](Tensors x) { return logcumsumexp(x[0], 1); }).tolerance = 2e-14;
    t.add("cummax", label, {{shape}}, [](Tensors x) { return both(cummax(x[0], -1)); });
    t.add("cummin", label, {{shape}}, [](Tensors x) { return both(cummin(x[0], 0)); });
  }
  t.add("cumprod", "0-d", {{{}}}, [](Tensors x) { return cumprod(x[0], 0); });
  for (bool keep : {false, true})
    t.add("mode", "", {{{3, 6}}}, [keep](Tensors x) { return both(mode(x[0], 1, keep)); });
  t.add("cumulative_trapezoid", "dx", {kMatrix}, [](Tensors x) { return cumulative_trapezoid(x[0], 0.5, 0); });
  t.add("cumulative_trapezoid", "x", {kMatrix, {{4}}}, [](Tensors x) { return cumulative_trapezoid(x[0], x[1]); });
  for (int64_t order : {1, 2}) {
    const std::string label = std::to_string(order);
    t.add("gradient", "even " + label, {kMatrix}, [order](Tensors x) {
      std::vector<Tensor> g = gradient(x[0], {0.5, 2.0}, {}, order);
      return g[0] + 2 * g[1];
    });
    t.add("gradient", "places " + label, {kMatrix, {{4}, 0, 1}}, [order](Tensors x) {
      Tensor places = cumsum(x[1] + 0.5, 0);
      return gradient(x[0], std::vector{places}, 1, order)[0];
    });
  }
  t.add("gradient", "", {kMatrix}, [](Tensors x) {
    std::vector<Tensor> g = gradient(x[0], 0.5);
    return g[0] + 2 * g[1];
  });
}

void products(FunctionRows& t) {
  struct Product {
    Shape a, b;
  };
  for (const Product& p : {Product{{3}, {3}}, Product{{2, 3}, {3}}, Product{{3}, {3, 2}}, Product{{2, 3}, {3, 4}},
                           Product{{2, 1, 2, 3}, {3, 3, 2}}, Product{{2, 3, 2}, {2}}, Product{{0, 3}, {3, 2}},
                           Product{{2, 0}, {0, 3}}, Product{{1, 17}, {17, 1}}})
    t.add("matmul", to_string(p.a) + to_string(p.b), {{p.a}, {p.b}}, [](Tensors x) { return matmul(x[0], x[1]); });
  t.add("matmul", "of transposes", {{{3, 2}}, {{4, 3}}}, [](Tensors x) { return matmul(x[0].t(), x[1].t()); });
  t.add("mm", "", {kMatrix, {{4, 2}}}, [](Tensors x) { return mm(x[0], x[1]); });
  t.add("mm", "one row", {{{1, 5}}, {{5, 3}}}, [](Tensors x) { return mm(x[0], x[1]); });
  t.add("mv", "", {kMatrix, {{4}}}, [](Tensors x) { return mv(x[0], x[1]); });
  t.add("mv", "nothing", {{{3, 0}}, {{0}}}, [](Tensors x) { return mv(x[0], x[1]); });
  t.add("bmm", "", {{{2, 3, 2}}, {{2, 2, 4}}}, [](Tensors x) { return bmm(x[0], x[1]); });
  for (int64_t n : {0, 1, 15, 16, 17, 33})
    t.add("dot", std::to_string(n), {{{n}}, {{n}}}, [](Tensors x) { return dot(x[0], x[1]); });
  t.add("outer", "", {{{3}}, {{4}}}, [](Tensors x) { return outer(x[0], x[1]); });
  t.add("outer", "nothing", {{{3}}, {{0}}}, [](Tensors x) { return outer(x[0], x[1]); });
  t.add("cross", "", {{{2, 3}}, {{2, 3}}}, [](Tensors x) { return cross(x[0], x[1]); });
  t.add("cross", "dim 0", {{{3, 2}}, {{3, 1}}}, [](Tensors x) { return cross(x[0], x[1], 0); });
  t.add("trace", "", {kMatrix}, [](Tensors x) { return trace(x[0]); });
  t.add("trace", "tall", {{{3, 1}}}, [](Tensors x) { return trace(x[0]); });
  t.add("vdot", "", {kVector, kVector}, [](Tensors x) { return vdot(x[0], x[1]); });
  t.add("inner", "", {kMatrix, {{2, 4}}}, [](Tensors x) { return inner(x[0], x[1]); });
  t.add("inner", "0-d", {kMatrix, {{}}}, [](Tensors x) { return inner(x[0], x[1]); }).takes = "kkk";
  t.add("addmm", "", {{{2}}, kMatrix, {{4, 2}}}, [](Tensors x) { return addmm(x[0], x[1], x[2], 0.5, 2); });
  t.add("addmv", "", {{{3}}, kMatrix, {{4}}}, [](Tensors x) { return addmv(x[0], x[1], x[2]); });
  t.add("addr", "", {{{}}, {{3}}, {{2}}}, [](Tensors x) { return addr(x[0], x[1], x[2], 2, 3); });
  t.add("baddbmm", "", {{{3, 1}}, {{2, 3, 2}}, {{2, 2, 2}}}, [](Tensors x) { return baddbmm(x[0], x[1], x[2], 0.5); });
  t.add("addbmm", "", {{{3, 2}}, {{2, 3, 2}}, {{2, 2, 2}}}, [](Tensors x) { return addbmm(x[0], x[1], x[2], 1, 0.5); });
  t.add("chain_matmul", "", {{{2, 4}}, {{4, 1}}, {{1, 3}}}, [](Tensors x) { return chain_matmul({x[0], x[1], x[2]}); });
  t.add("tensordot", "n", {kCube, {{3, 2, 2}}}, [](Tensors x) { return tensordot(x[0], x[1]); });
  t.add("tensordot", "outer", {{{2}}, {{3}}}, [](Tensors x) { return tensordot(x[0], x[1], 0); });
  t.add("tensordot", "lists", {kCube, {{2, 3}}}, [](Tensors x) { return tensordot(x[0], x[1], {1, 2}, {1, 0}); });
  struct Sum {
    std::string equation;
    std::vector<Input> inputs;
  };
  const std::vector<Sum> sums = {
      {"ij,jk->ik", {{{2, 3}}, {{3, 2}}}},
      {"ij,kj", {{{2, 3}}, {{2, 3}}}},
      {"ii->i", {{{3, 3}}}},
      {"ii", {{{3, 3}}}},
      {"ij->j", {{{2, 3}}}},
      {"ij->ji", {{{2, 3}}}},
      {" i j , k -> k i ", {{{2, 3}}, {{2}}}},
      {"i,j->ij", {{{2}}, {{3}}}},
      {"bij,bjk->bik", {{{2, 2, 3}}, {{2, 3, 2}}}},
      {"...ij,...jk->...ik", {{{2, 2, 3}}, {{1, 3, 2}}}},
      {"...i,i", {{{2, 3}}, {{3}}}},
      {"ij,j,jk->ik", {{{2, 3}}, {{3}}, {{3, 2}}}},
      {"i...->...", {{{2, 3}}}},
      {"ij,ij->ij", {{{2, 3}}, {{2, 1}}}},
      {"iij,jik->k", {{{2, 2, 3}}, {{3, 2, 2}}}},
      {"ij->ij", {{{2, 3}}}},
      {",ij->ij", {{{}}, {{2, 3}}}},
      {"aB,Bc->", {{{2, 3}}, {{3, 2}}}},
  };
  for (const Sum& s : sums)
    t.add("einsum", s.equation, s.inputs, [equation = s.equation](Tensors x) {
      return einsum(equation, {x.begin(), x.end()});
    });
}

}  // namespace

void reduction_rows(FunctionRows& t) {
  plain(t);
  sorts(t);
  orders(t);
  moments(t);
  samples(t);
  products(t);
}

}  // namespace jot::test
