// jot::nn::functional: torch's values and gradients, kinks and tails, kernels, errors.
#include <doctest/doctest.h>
#include <jot/jot.h>

#include <cmath>
#include <functional>
#include <map>
#include <string>

#include "tests/functions/failures.h"

namespace jot::test {
namespace {

namespace F = nn::functional;
using List = std::vector<Tensor>;
constexpr double kInf = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();

Tensor d(const Nested& n) { return tensor(n, f64); }

// What tests/golden/nn.py makes, too.
double unit(size_t i, size_t k) {
  return std::fmod(static_cast<double>(i + 1) * 0.6180339887498949 + static_cast<double>(k) * 0.3141592653589793, 1.0);
}
struct Given {
  Shape shape;
  double lo, hi;
  bool integer = false;
};
Tensor made(const Given& g, size_t k) {
  std::vector<double> values(static_cast<size_t>(g.shape.numel()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = g.lo + (g.hi - g.lo) * unit(i, k);
  Tensor t = Tensor::from(values, g.shape);
  return g.integer ? floor(t).to(i64) : t;
}

struct Golden {
  const char* name;
  std::vector<double> value, gradient;
};
const std::vector<Golden>& golden() {
  static const auto* all = new std::vector<Golden>{
#include "tests/functions/nn_golden.inc"
  };
  return *all;
}

struct Case {
  std::string name;
  std::vector<Given> inputs;
  std::function<Tensor(const List&)> call;
};

const Given kX{{3, 4}, -4, 4}, kY{{3, 4}, -3, 5}, kP{{3, 4}, 0.05, 0.95}, kC{{3}, 0, 4, true}, kS{{3}, 0, 2, true},
    kLine{{17}, -9, 9}, kW{{4}, 0.5, 2}, kTable{{4, 3}, -1, 1}, kIndex{{2, 3}, 0, 4, true};

std::vector<Case> activations() {
  std::vector<Case> cases;
  auto line = [&](const std::string& name, auto f) {
    cases.push_back({name, {kLine}, [f](const List& x) { return f(x[0]); }});
  };
#define SAME(name) line(#name, [](const Tensor& x) { return F::name(x); })
  SAME(relu6), SAME(elu), SAME(selu), SAME(celu), SAME(gelu), SAME(silu), SAME(mish), SAME(softplus), SAME(softsign);
  SAME(softshrink), SAME(hardshrink), SAME(tanhshrink), SAME(hardtanh), SAME(hardsigmoid), SAME(hardswish);
  SAME(leaky_relu), SAME(logsigmoid), SAME(rrelu);
#undef SAME
  line("elu 2", [](const Tensor& x) { return F::elu(x, 2); });
  line("celu 2", [](const Tensor& x) { return F::celu(x, 2); });
  line("gelu tanh", [](const Tensor& x) { return F::gelu(x, Gelu::tanh); });
  line("softplus 2 3", [](const Tensor& x) { return F::softplus(x, 2, 3); });
  line("softshrink 1", [](const Tensor& x) { return F::softshrink(x, 1); });
  line("hardtanh -2 3", [](const Tensor& x) { return F::hardtanh(x, -2, 3); });
  line("threshold", [](const Tensor& x) { return F::threshold(x, 0.5, 7); });
  line("leaky_relu 0.3", [](const Tensor& x) { return F::leaky_relu(x, 0.3); });
  cases.push_back({"prelu", {kX, {{4}, -1, 1}}, [](const List& x) { return F::prelu(x[0], x[1]); }});
  cases.push_back({"glu", {kX}, [](const List& x) { return F::glu(x[0]); }});
  const Given wide{{2, 5}, -30, 30};
  cases.push_back({"softmax", {wide}, [](const List& x) { return F::softmax(x[0], 1); }});
  cases.push_back({"log_softmax", {wide}, [](const List& x) { return F::log_softmax(x[0], 1); }});
  cases.push_back({"logsumexp", {wide}, [](const List& x) { return logsumexp(x[0], 1); }});
  cases.push_back({"bilinear", {{{2, 3}, -1, 1}, {{2, 2}, -1, 1}, {{4, 3, 2}, -1, 1}, {{4}, -1, 1}}, [](const List& x) {
                     return F::bilinear(x[0], x[1], x[2], x[3]);
                   }});
  return cases;
}

void add_losses(std::vector<Case>& cases, const std::string& label, Reduction r) {
  auto add = [&](const std::string& name, std::vector<Given> inputs, std::function<Tensor(const List&)> call) {
    cases.push_back({name + " " + label, std::move(inputs), std::move(call)});
  };
  const Given signs{{3, 4}, 0, 2, true};
  add("mse_loss", {kX, kY}, [r](const List& x) { return F::mse_loss(x[0], x[1], r); });
  add("l1_loss", {kX, kY}, [r](const List& x) { return F::l1_loss(x[0], x[1], r); });
  add("smooth_l1_loss", {kX, kY},
      [r](const List& x) { return F::smooth_l1_loss(x[0], x[1], {.reduction = r, .beta = 0.8}); });
  add("huber_loss", {kX, kY}, [r](const List& x) { return F::huber_loss(x[0], x[1], {.reduction = r, .delta = 0.8}); });
  add("nll_loss", {kX, kC, kW}, [r](const List& x) {
    return F::nll_loss(x[0], x[1], {.weight = x[2].detach(), .ignore_index = 1, .reduction = r});
  });
  add("cross_entropy", {kX, kC, kW}, [r](const List& x) {
    return F::cross_entropy(x[0], x[1],
                            {.weight = x[2].detach(), .ignore_index = 1, .reduction = r, .label_smoothing = 0.3});
  });
  add("cross_entropy plain", {{{2, 3, 2}, -4, 4}, {{2, 2}, 0, 3, true}},
      [r](const List& x) { return F::cross_entropy(x[0], x[1], {.reduction = r, .label_smoothing = 0.1}); });
  add("cross_entropy probabilities", {kX, kP, kW}, [r](const List& x) {
    return F::cross_entropy(x[0], x[1], {.weight = x[2].detach(), .reduction = r, .label_smoothing = 0.3});
  });
  add("binary_cross_entropy", {kP, {{3, 4}, 0, 1}, kW},
      [r](const List& x) { return F::binary_cross_entropy(x[0], x[1], {.weight = x[2].detach(), .reduction = r}); });
  add("binary_cross_entropy_with_logits", {kX, kP, kW, kW}, [r](const List& x) {
    return F::binary_cross_entropy_with_logits(x[0], x[1],
                                               {.weight = x[2].detach(), .reduction = r, .pos_weight = x[3].detach()});
  });
  add("kl_div", {kX, kP}, [r](const List& x) { return F::kl_div(x[0], x[1], {.reduction = r}); });
  add("kl_div log", {kX, kY},
      [r](const List& x) { return F::kl_div(x[0], x[1], {.reduction = r, .log_target = true}); });
  add("poisson_nll_loss", {kX, {{3, 4}, 0, 5}},
      [r](const List& x) { return F::poisson_nll_loss(x[0], x[1], {.full = true, .reduction = r}); });
  add("gaussian_nll_loss", {kX, kY, {{3, 1}, -0.5, 2}}, [r](const List& x) {
    return F::gaussian_nll_loss(x[0], x[1], abs(x[2]), {.full = true, .eps = 0.6, .reduction = r});
  });
  add("hinge_embedding_loss", {kX, signs},
      [r](const List& x) { return F::hinge_embedding_loss(x[0], x[1] * 2 - 1, 1.5, r); });
  add("margin_ranking_loss", {{{3}, -1, 1}, {{3}, -1, 1}, kS},
      [r](const List& x) { return F::margin_ranking_loss(x[0], x[1], x[2] * 2 - 1, 0.5, r); });
  add("multi_margin_loss", {kX, kC, kW}, [r](const List& x) {
    return F::multi_margin_loss(x[0], x[1], {.p = 2, .margin = 0.7, .weight = x[2].detach(), .reduction = r});
  });
  add("multilabel_margin_loss", {kX, {{3, 4}, -1, 4, true}},
      [r](const List& x) { return F::multilabel_margin_loss(x[0], x[1], r); });
  add("multilabel_soft_margin_loss", {kX, kP, kW},
      [r](const List& x) { return F::multilabel_soft_margin_loss(x[0], x[1], x[2].detach(), r); });
  add("soft_margin_loss", {kX, signs}, [r](const List& x) { return F::soft_margin_loss(x[0], x[1] * 2 - 1, r); });
  add("triplet_margin_loss", {kX, kY, {{3, 4}, -2, 2}}, [r](const List& x) {
    return F::triplet_margin_loss(x[0], x[1], x[2], {.margin = 1.5, .swap = true, .reduction = r});
  });
  add("cosine_embedding_loss", {kX, kY, kS},
      [r](const List& x) { return F::cosine_embedding_loss(x[0], x[1], x[2] * 2 - 1, 0.1, r); });
  const Given logits{{6, 2, 4}, -2, 2};
  add("ctc_loss", {logits, {{2, 3}, 1, 4, true}}, [r](const List& x) {
    return F::ctc_loss(log_softmax(x[0], -1), x[1], tensor({6, 5}), tensor({3, 2}), {.reduction = r});
  });
  add("ctc_loss row", {logits, {{3}, 0, 3, true}}, [r](const List& x) {
    return F::ctc_loss(log_softmax(x[0], -1), x[1], tensor({6, 1}), tensor({1, 2}),
                       {.blank = 3, .reduction = r, .zero_infinity = true});
  });
}

std::vector<Case> cases() {
  std::vector<Case> all = activations();
  add_losses(all, "mean", Reduction::mean);
  add_losses(all, "sum", Reduction::sum);
  add_losses(all, "none", Reduction::none);
  all.push_back({"kl_div batchmean", {kX, kP}, [](const List& x) {
                   return F::kl_div(x[0], x[1], {.reduction = Reduction::batchmean});
                 }});
  all.push_back({"cosine_similarity", {kX, kY}, [](const List& x) { return F::cosine_similarity(x[0], x[1]); }});
  all.push_back(
      {"pairwise_distance", {kX, kY}, [](const List& x) { return F::pairwise_distance(x[0], x[1], {.p = 3}); }});
  all.push_back({"pdist", {kX}, [](const List& x) { return F::pdist(x[0]); }});
  all.push_back({"embedding", {kTable, kIndex}, [](const List& x) { return F::embedding(x[1], x[0], 1); }});
  for (auto [label, mode] : {std::pair{"mean", Reduce::mean}, {"sum", Reduce::sum}, {"max", Reduce::amax}}) {
    all.push_back({std::string("embedding_bag ") + label, {kTable, kIndex}, [mode = mode](const List& x) {
                     return F::embedding_bag(x[1], x[0], {.mode = mode, .padding_idx = 2});
                   }});
    all.push_back(
        {std::string("embedding_bag offsets ") + label, {kTable, {{7}, 0, 4, true}}, [mode = mode](const List& x) {
           return F::embedding_bag(x[1], x[0],
                                   {.offsets = tensor({0, 2, 2, 7}), .mode = mode, .include_last_offset = true});
         }});
  }
  all.push_back({"embedding_bag weighted", {kTable, kIndex, {{2, 3}, -1, 1}}, [](const List& x) {
                   return F::embedding_bag(x[1], x[0], {.mode = Reduce::sum, .per_sample_weights = x[2]});
                 }});
  return all;
}

std::string difference(const std::vector<double>& got, const std::vector<double>& want, double tolerance) {
  if (got.size() != want.size()) return std::to_string(got.size()) + " elements, want " + std::to_string(want.size());
  for (size_t i = 0; i < got.size(); ++i)
    if (!(got[i] == want[i] || std::abs(got[i] - want[i]) <= tolerance * std::max(1.0, std::abs(want[i]))))
      return "element " + std::to_string(i) + ": " + std::to_string(got[i]) + ", want " + std::to_string(want[i]);
  return {};
}

std::vector<double> gradient(const Case& c, const List& x) {
  List floats;
  std::vector<size_t> places;
  for (size_t i = 0; i < x.size(); ++i)
    if (is_floating(x[i].dtype())) places.push_back(i), floats.push_back(x[i]);
  auto f = [&](const List& v) {
    List all = x;
    for (size_t i = 0; i < v.size(); ++i) all[places[i]] = v[i];
    Tensor value = c.call(all), weights = made({{value.numel()}, 0, 1}, 9).reshape(value.shape());
    return sum(value * weights.to(value.dtype()));
  };
  std::vector<double> flat;
  for (const Tensor& g : grad(f)(floats)) {
    std::vector<double> each = g.to_vector<double>();
    flat.insert(flat.end(), each.begin(), each.end());
  }
  return flat;
}

}  // namespace

TEST_CASE("nn: torch's values and gradients") {
  std::map<std::string, const Golden*> known;
  for (const Golden& g : golden()) known[g.name] = &g;
  size_t found = 0;
  for (const Case& c : cases()) {
    CAPTURE(c.name);
    REQUIRE(known.contains(c.name));
    const Golden& want = *known[c.name];
    ++found;
    for (DType dtype : {f64, f32, bf16, f16}) {
      CAPTURE(to_string(dtype));
      List x;
      for (size_t k = 0; k < c.inputs.size(); ++k) {
        Tensor t = made(c.inputs[k], k);
        x.push_back(c.inputs[k].integer ? t : t.to(dtype));
      }
      Tensor value = c.call(x);
      CHECK_EQ(to_string(value.dtype()), to_string(dtype));
      if (dtype == f64 || dtype == f32) {
        CHECK_EQ(difference(value.to_vector<double>(), want.value, dtype == f64 ? 1e-13 : 3e-5), "");
        CHECK_EQ(difference(gradient(c, x), want.gradient, dtype == f64 ? 1e-12 : 3e-4), "");
        continue;
      }
      // As in f64 of the same rounded inputs, rounded.
      List wide = x;
      for (Tensor& t : wide) t = is_floating(t.dtype()) ? t.to(f64) : t;
      CHECK_EQ(
          difference(value.to_vector<double>(), c.call(wide).to_vector<double>(), dtype == bf16 ? 0x1p-8 : 0x1p-10),
          "");
    }
  }
  CHECK_EQ(found, golden().size());
}

namespace {
using Function = Tensor (*)(const Tensor&);
// At -inf, -3, -1, -0.5, 0, 0.5, 1, 3, 6, inf, NaN, as torch has them.
struct Kinks {
  const char* name;
  Function f;
  std::vector<double> value, slope;
};
#define F1(name) [](const Tensor& x) { return F::name(x); }
}  // namespace

TEST_CASE("nn: kinks, infinities and NaN as in torch") {
  Tensor x = d({-kInf, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0, kInf, kNan});
  const double selu = 1.7580993408473766, scale = 1.0507009873554805;
  const std::vector<Kinks> all = {
      {"relu6", F1(relu6), {0, 0, 0, 0, 0, .5, 1, 3, 6, 6, kNan}, {0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1}},
      {"hardtanh", F1(hardtanh), {-1, -1, -1, -.5, 0, .5, 1, 1, 1, 1, kNan}, {0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1}},
      {"hardshrink", F1(hardshrink), {-kInf, -3, -1, 0, 0, 0, 1, 3, 6, kInf, kNan}, {1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1}},
      {"softshrink",
       F1(softshrink),
       {-kInf, -2.5, -.5, 0, 0, 0, .5, 2.5, 5.5, kInf, kNan},
       {1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1}},
      {"leaky_relu",
       [](const Tensor& v) { return F::leaky_relu(v, 0.5); },
       {-kInf, -1.5, -.5, -.25, 0, .5, 1, 3, 6, kInf, kNan},
       {.5, .5, .5, .5, .5, 1, 1, 1, 1, 1, .5}},
      {"threshold",
       [](const Tensor& v) { return F::threshold(v, 0.5, 7); },
       {7, 7, 7, 7, 7, 7, 1, 3, 6, kInf, kNan},
       {0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1}},
      {"hardswish",
       F1(hardswish),
       {kNan, 0, -1. / 3, -5. / 24, 0, 7. / 24, 2. / 3, 3, 6, kInf, kNan},
       {0, 0, 1. / 6, 1. / 3, .5, 2. / 3, 5. / 6, 1, 1, 1, kNan}},
      {"hardsigmoid",
       F1(hardsigmoid),
       {0, 0, 1. / 3, 5. / 12, .5, 7. / 12, 2. / 3, 1, 1, 1, kNan},
       {0, 0, 1. / 6, 1. / 6, 1. / 6, 1. / 6, 1. / 6, 0, 0, 0, 1. / 6}},
      {"elu",
       [](const Tensor& v) { return F::elu(v, 2); },
       {-2, 2 * std::expm1(-3), 2 * std::expm1(-1), 2 * std::expm1(-.5), 0, .5, 1, 3, 6, kInf, kNan},
       {0, 2 * std::exp(-3), 2 * std::exp(-1), 2 * std::exp(-.5), 2, 1, 1, 1, 1, 1, kNan}},
      {"selu",
       F1(selu),
       {-selu, selu * std::expm1(-3), selu * std::expm1(-1), selu * std::expm1(-.5), 0, .5 * scale, scale, 3 * scale,
        6 * scale, kInf, kNan},
       {0, selu * std::exp(-3), selu * std::exp(-1), selu * std::exp(-.5), selu, scale, scale, scale, scale, scale,
        kNan}},
      {"softsign",
       F1(softsign),
       {kNan, -.75, -.5, -1. / 3, 0, 1. / 3, .5, .75, 6. / 7, kNan, kNan},
       {kNan, 1. / 16, .25, 4. / 9, 1, 4. / 9, .25, 1. / 16, 1. / 49, kNan, kNan}},
  };
  auto check = [&](const Tensor& got, const std::vector<double>& want) {
    std::vector<double> a = got.to_vector<double>();
    REQUIRE_EQ(a.size(), want.size());
    for (size_t i = 0; i < a.size(); ++i) {
      CAPTURE(i);
      CHECK((a[i] == want[i] || (std::isnan(a[i]) && std::isnan(want[i])) || std::abs(a[i] - want[i]) < 1e-15));
    }
  };
  for (const Kinks& k : all) {
    CAPTURE(std::string(k.name));
    check(k.f(x), k.value);
    check(grad([&](const Tensor& v) { return sum(k.f(v)); })(x), k.slope);
  }
}

TEST_CASE("nn: tails keep their digits, and so do derivatives of both orders") {
  auto near = [](double got, double want) {
    CAPTURE(got);
    CAPTURE(want);
    CHECK(std::abs(got - want) <= 1e-13 * std::abs(want));
  };
  struct Tail {
    const char* name;
    Function f;
    double x, value, slope, curvature;
  };
  const double e = std::exp(-37.43), s = std::exp(-40.0);
  auto phi = [](double x) { return std::exp(-x * x / 2) / std::sqrt(2 * M_PI); };
  auto upper = [](double x) { return std::erfc(x / std::sqrt(2)) / 2; };  // of the normal distribution beyond x
  const std::vector<Tail> tails = {
      {"softplus", F1(softplus), -37.43, e, e, e},
      {"logsigmoid", F1(logsigmoid), 37.43, -e, e, -e},
      {"silu", F1(silu), -40, -40 * s, -39 * s, -38 * s},
      {"mish", F1(mish), -40, -40 * s, -39 * s, -38 * s},
      {"gelu", F1(gelu), -20, -20 * upper(20), upper(20) - 20 * phi(20), 2 * phi(20) - 400 * phi(20)},
      {"elu", F1(elu), -40, -1, s, s},
  };
  for (const Tail& t : tails) {
    CAPTURE(std::string(t.name));
    auto f = [&](const Tensor& v) { return t.f(v); };
    near(f(d(t.x)).item<double>(), t.value);
    near(grad(f)(d(t.x)).item<double>(), t.slope);
    near(grad(grad(f))(d(t.x)).item<double>(), t.curvature);
  }
  near(F::softplus(d(-37.43)).item<double>(), 5.55082e-17 + (e - 5.55082e-17));
  // The second derivative is finite everywhere but at infinities.
  for (Function f : std::vector<Function>{F1(elu), F1(selu), F1(celu), F1(gelu), F1(silu), F1(mish), F1(softplus),
                                          F1(softsign), F1(logsigmoid), F1(tanhshrink)}) {
    for (double x : {-1e4, -800.0, -50.0, 0.0, 50.0, 800.0, 1e4}) {
      CAPTURE(x);
      CHECK(std::isfinite(grad(grad([&](const Tensor& v) { return f(v); }))(d(x)).item<double>()));
    }
  }
  auto tanh_gelu = [](const Tensor& v) { return F::gelu(v, Gelu::tanh); };
  for (double x : {-1e200, -50.0, 50.0, 1e200}) {
    CHECK_EQ(tanh_gelu(d(x)).item<double>(), x > 0 ? x : 0);
    CHECK_EQ(grad(tanh_gelu)(d(x)).item<double>(), x > 0 ? 1 : 0);
  }
}

TEST_CASE("nn: softmax, log_softmax and logsumexp keep their digits where one term dominates") {
  auto near = [](const Tensor& got, double want) {
    const double g = got.item<double>();
    CAPTURE(g);
    CAPTURE(want);
    CHECK(std::abs(g - want) <= 1e-14 * std::abs(want));
  };
  const double s = std::exp(-40.0), t = std::exp(-50.0);
  Tensor x = d({-40.0, 0.0, -50.0});
  near(log_softmax(x, 0)[1], -(s + t));
  near(logsumexp(x, 0), s + t);
  Tensor log_slope = grad([](const Tensor& v) { return log_softmax(v, 0)[1]; })(x);
  near(log_slope[1], s + t), near(log_slope[0], -s), near(log_slope[2], -t);
  Tensor slope = grad([](const Tensor& v) { return softmax(v, 0)[1]; })(x);
  near(slope[1], s + t), near(slope[0], -s), near(slope[2], -t);
  Tensor small = grad([](const Tensor& v) { return softmax(v, 0)[0]; })(x);
  near(small[0], s), near(small[1], -s), near(small[2], -s * t);
  Tensor parts = grad([](const Tensor& v) { return logsumexp(v, 0); })(x);
  near(parts[0], s), near(parts[1], 1), near(parts[2], t);
  Tensor curvature = jacfwd(jacrev([](const Tensor& v) { return log_softmax(v, 0); }))(x)[1];
  near(curvature[1][1], -(s + t)), near(curvature[0][0], -s), near(curvature[1][0], s), near(curvature[0][2], s * t);
  // The gradient of a classification that is all but certain.
  Tensor loss = F::cross_entropy(x, tensor(1));
  near(loss, s + t);
  near(grad([](const Tensor& v) { return F::cross_entropy(v, tensor(1)); })(x)[1], -(s + t));
  // Ties, one element, infinities.
  CHECK_EQ(softmax(d({3.0, 3.0}), 0).to_vector<double>(), std::vector<double>{0.5, 0.5});
  CHECK_EQ(log_softmax(d({7.0}), 0).item<double>(), 0);
  CHECK_EQ(logsumexp(d({-kInf, -kInf}), 0).item<double>(), -kInf);
  CHECK_EQ(logsumexp(d({kInf, 800.0}), 0).item<double>(), kInf);
  CHECK_EQ(logsumexp(d({-kInf, 2.0}), 0).item<double>(), 2);
  CHECK(std::isnan(logsumexp(d({kNan, 2.0}), 0).item<double>()));
  CHECK(std::isnan(softmax(d({-kInf, -kInf}), 0)[0].item<double>()));
  CHECK_EQ(softmax(d({-kInf, 2.0}), 0).to_vector<double>(), std::vector<double>{0, 1});
  CHECK_EQ(grad([](const Tensor& v) { return logsumexp(v, 0); })(d({-kInf, 2.0})).to_vector<double>(),
           std::vector<double>{0, 1});
  Tensor binary = F::binary_cross_entropy_with_logits(d({40.0, -40.0}), d({1.0, 0.0}), {.reduction = Reduction::none});
  near(binary[0], s), near(binary[1], s);
}

TEST_CASE("nn: forms in place") {
  Tensor x = d({-1.0, 2.0, 9.0});
  CHECK_EQ(F::relu6_(x).to_vector<double>(), std::vector<double>{0, 2, 6});
  CHECK_EQ(x.to_vector<double>(), std::vector<double>{0, 2, 6});
  F::hardtanh_(x, 1, 3), F::threshold_(x, 2, -1), F::leaky_relu_(x, 0.5), F::elu_(x), F::celu_(x), F::selu_(x);
  CHECK(x.to_vector<double>()[2] == doctest::Approx(3 * 1.0507009873554805));
  F::rrelu_(x.neg_(), {.lower = 0.5, .upper = 0.5});
  CHECK(x.to_vector<double>()[2] == doctest::Approx(-1.5 * 1.0507009873554805));
}

TEST_CASE("nn: embedding gives row padding_idx no derivative, ctc_loss without a path is infinite") {
  auto f = [](const Tensor& w) { return sum(F::embedding(tensor({0, 1, 1}), w, -2)); };
  CHECK_EQ(grad(f)(ones({3, 2}, f64)).to_vector<double>(), std::vector<double>{1, 1, 0, 0, 0, 0});
  Tensor logs = log_softmax(made({{2, 2, 3}, -1, 1}, 0), -1), labels = tensor({{1, 1}, {1, 2}});
  auto loss = [&](const Tensor& x, bool zero) {
    return F::ctc_loss(x, labels, tensor({2, 2}), tensor({2, 2}),
                       {.reduction = Reduction::none, .zero_infinity = zero});
  };
  CHECK_EQ(loss(logs, false)[0].item<double>(), kInf);
  CHECK_EQ(loss(logs, true)[0].item<double>(), 0);
  Tensor g = grad([&](const Tensor& x) { return sum(loss(x, true)); })(logs);
  CHECK_EQ(sum(abs(g.select(1, 0))).item<double>(), 0);
  CHECK(all(isfinite(g)).item<bool>());
  CHECK(std::abs(loss(logs, false)[1].item<double>() + logs[0][1][1].item<double>() + logs[1][1][2].item<double>()) <
        1e-14);
  // A target without labels: all blank. One step more than T, one lane without its batch dim.
  Tensor empty = F::ctc_loss(logs.select(1, 0), zeros({0}, i64), tensor(2), tensor(0), {.reduction = Reduction::none});
  CHECK_EQ(to_string(empty.shape()), "[]");
  CHECK(std::abs(empty.item<double>() + logs[0][0][0].item<double>() + logs[1][0][0].item<double>()) < 1e-14);
}

TEST_CASE("nn: few kernels") {
  auto kernels = [](auto f, auto... x) { return compile(f, x...).stats(); };
  Tensor x = zeros({64, 100}), y = zeros({64}, i64);
  auto loss = [](const Tensor& v, const Tensor& c) { return F::cross_entropy(v, c); };
  auto soft = [](const Tensor& v) { return softmax(v, 1); };
  auto logs = [](const Tensor& v) { return log_softmax(v, 1); };
  CHECK_LE(kernels(soft, x).kernels, 2);
  CHECK_LE(kernels(logs, x).kernels, 2);
  CHECK_LE(kernels(loss, x, y).kernels, 4);  // one narrows the classes
  CHECK_EQ(kernels(grad(loss), x, y).routines, 0);
  CHECK_LE(kernels(grad(loss), x, y).kernels, 4);
  for (Function f : std::vector<Function>{F1(gelu), F1(mish), F1(softplus), F1(hardswish), F1(selu)})
    CHECK_LE(kernels([&](const Tensor& v) { return f(v); }, x).kernels, 1);
}

namespace {
using test::Failure;
void check_errors(const std::vector<Failure>& failures) { test::check_errors(failures, "nn_test.cpp"); }
}  // namespace

TEST_CASE("nn: ctc_loss of no steps, lengths out of range; offsets that do not begin at 0") {
  const Tensor half = full({2, 1, 2}, std::log(0.5), f64), none = tensor({0});
  auto loss = [&](int64_t steps, int64_t labels) {
    return F::ctc_loss(half, tensor({{1}}), tensor({steps}), tensor({labels}), {.reduction = Reduction::none});
  };
  CHECK(loss(0, 0).item<double>() == 0);
  CHECK(loss(0, 1).item<double>() == inf);
  CHECK(loss(1, 0).item<double>() == doctest::Approx(std::log(2.0)));
  const Tensor w = ones({4, 2}, f64);
  check_errors({
      {"[ctc_loss] expected input_lengths from 0 to 2, got 5", [&] { loss(5, 1).eval(); }},
      {"[ctc_loss] expected input_lengths from 0 to 2, got -1", [&] { loss(-1, 1).eval(); }},
      {"[ctc_loss] expected target_lengths from 0 to 1, got -1", [&] { loss(1, -1).eval(); }},
      {"[embedding_bag] offsets must be integers, got f32[1]",
       [&] {
         F::embedding_bag(tensor({1, 2}), w, {.offsets = tensor({0.0}), .mode = Reduce::sum});
       }},
  });
  CHECK_THROWS_AS(F::embedding_bag(tensor({1, 2, 3}), w, {.offsets = tensor({1, 2}), .mode = Reduce::sum}).eval(),
                  IndexError);
}

TEST_CASE("nn: what is wrong with activations and dropout is said") {
  Tensor x = ones({3, 4}), i = tensor({1, 2}), none;
  check_errors({
      {"[hardtanh] min_val cannot be greater than max_val", [&] { F::hardtanh(x, 1, -1); }},
      {"[celu] alpha cannot be 0", [&] { F::celu(x, 0); }},
      {"[softplus] beta cannot be 0", [&] { F::softplus(x, 0); }},
      {"[softshrink] lambda must be greater or equal to 0, but found to be -1", [&] { F::softshrink(x, -1); }},
      {"[prelu] Mismatch of parameter numbers and input channel size. Found parameter numbers = 3 and channel size = 4",
       [&] { F::prelu(x, ones({3})); }},
      {"[prelu] Expected `weight` to be a scalar or 1D tensor, but got f32[1,4]",
       [&] {
         F::prelu(x, ones({1, 4}));
       }},
      {"[glu] Halving dimension must be even, but dimension 0 is size 3", [&] { F::glu(x, 0); }},
      {"[glu] Dimension out of range", [&] { F::glu(x, 2); }},
      {"[rrelu] Lower bound should be less than or equal to the upper bound",
       [&] { F::rrelu(x, {.lower = 1, .upper = 0}); }},
      {"[gumbel_softmax] expected a floating dtype, got i64[2]", [&] { F::gumbel_softmax(i); }},
      {"[dropout] dropout probability has to be between 0 and 1, but got 1.5", [&] { F::dropout(x, 1.5); }},
      {"[dropout] expected a floating dtype, got i64[2]", [&] { F::dropout(i); }},
      {"[dropout1d] Expected 2D or 3D input, but received f32[1,1,1,1]",
       [&] {
         F::dropout1d(ones({1, 1, 1, 1}));
       }},
      {"[dropout2d] Expected input of at least 2 dims, but received f32[2]", [&] { F::dropout2d(ones({2})); }},
      {"[dropout3d] Expected 4D or 5D input, but received f32[3,4]", [&] { F::dropout3d(x); }},
      {"[alpha_dropout] dropout probability", [&] { F::alpha_dropout(x, -1, true); }},
      {"[feature_alpha_dropout] Expected input of at least 2 dims",
       [&] { F::feature_alpha_dropout(ones({2}), 0.5, true); }},
      {"[linear] the last dim of the input must be the weight's 3",
       [&] {
         F::linear(x, ones({2, 3}));
       }},
      {"[bilinear] input sizes do not match weight size",
       [&] {
         F::bilinear(x, x, ones({2, 4, 5}));
       }},
      {"[bilinear] input batch dimensions do not match",
       [&] {
         F::bilinear(x, ones({2, 4}), ones({2, 4, 4}));
       }},
      {"[bilinear] bias size does not match weight size",
       [&] {
         F::bilinear(x, x, ones({2, 4, 4}), ones({3}));
       }},
      {"[elu_] result type f32 can't be cast to the desired output type i64", [&] { F::elu_(i); }},
      {"[gelu] ", [&] { F::gelu(none); }},
      {"[silu] ", [&] { F::silu(none); }},
      {"[mish] ", [&] { F::mish(none); }},
  });
}

TEST_CASE("nn: what is wrong with losses is said") {
  Tensor x = ones({3, 4}), y = tensor({0, 1, 2}), other = ones({3, 3});
  auto read = [](const Tensor& t) { t.eval(); };
  check_errors({
      {"[mse_loss] shapes [3,4] and [3,3] cannot be broadcast", [&] { F::mse_loss(x, other); }},
      {"[l1_loss] shapes [3,4] and [3,3] cannot be broadcast", [&] { F::l1_loss(x, other); }},
      {"[smooth_l1_loss] smooth_l1_loss does not support negative values for beta",
       [&] { F::smooth_l1_loss(x, x, {.beta = -1}); }},
      {"[huber_loss] huber_loss does not support non-positive values for delta",
       [&] { F::huber_loss(x, x, {.delta = 0}); }},
      {"[nll_loss] expected the target to be classes", [&] { F::nll_loss(x, ones({3})); }},
      {"[nll_loss] Expected input batch_size (3) to match target batch_size (2)",
       [&] {
         F::nll_loss(x, tensor({0, 1}));
       }},
      {"[nll_loss] Expected target size [2,4], got [2]",
       [&] {
         F::nll_loss(ones({2, 3, 4}), tensor({0, 1}));
       }},
      {"[cross_entropy] label_smoothing must be between 0.0 and 1.0",
       [&] { F::cross_entropy(x, y, {.label_smoothing = 2}); }},
      {"[cross_entropy] weight tensor should be defined either for all 4 classes or no classes",
       [&] { F::cross_entropy(x, y, {.weight = ones({3})}); }},
      {"[cross_entropy] expected probabilities of the input's shape", [&] { F::cross_entropy(x, other); }},
      {"[cross_entropy] Expected floating point type for target with class probabilities",
       [&] {
         F::cross_entropy(x, zeros({3, 4}, i64));
       }},
      {"[cross_entropy] ignore_index is not supported for floating point target",
       [&] { F::cross_entropy(x, x, {.ignore_index = 1}); }},
      {"[cross_entropy] ",
       [&] {
         read(F::cross_entropy(x, tensor({0, 1, 4})));
       }},
      {"[cross_entropy] ",
       [&] {
         read(F::cross_entropy(x, tensor({0, -1, 1})));
       }},
      {"[binary_cross_entropy] Target size ([3,3]) must be the same as input size ([3,4])",
       [&] { F::binary_cross_entropy(x, other); }},
      {"[binary_cross_entropy_with_logits] Target size", [&] { F::binary_cross_entropy_with_logits(x, other); }},
      {"[mse_loss] batchmean is a reduction of kl_div alone", [&] { F::mse_loss(x, x, Reduction::batchmean); }},
      {"[nll_loss] batchmean is a reduction", [&] { F::nll_loss(x, y, {.reduction = Reduction::batchmean}); }},
      {"[kl_div] shapes", [&] { F::kl_div(x, other); }},
      {"[poisson_nll_loss] shapes", [&] { F::poisson_nll_loss(x, other); }},
      {"[gaussian_nll_loss] var is of incorrect size", [&] { F::gaussian_nll_loss(x, x, ones({2})); }},
      {"[hinge_embedding_loss] shapes", [&] { F::hinge_embedding_loss(x, other); }},
      {"[margin_ranking_loss] All input tensors should have same dimension", [&] { F::margin_ranking_loss(x, y, y); }},
      {"[multi_margin_loss] only p == 1 and p == 2 supported", [&] { F::multi_margin_loss(x, y, {.p = 3}); }},
      {"[multilabel_margin_loss] inconsistent target size: [3] for input of size: [3,4]",
       [&] { F::multilabel_margin_loss(x, y); }},
      {"[multilabel_soft_margin_loss] shapes", [&] { F::multilabel_soft_margin_loss(x, other); }},
      {"[soft_margin_loss] shapes", [&] { F::soft_margin_loss(x, other); }},
      {"[triplet_margin_loss] margin must be greater than 0", [&] { F::triplet_margin_loss(x, x, x, {.margin = 0}); }},
      {"[triplet_margin_loss] The anchor, positive, and negative", [&] { F::triplet_margin_loss(x, x, ones({4})); }},
      {"[cosine_embedding_loss] expected inputs [N, D]", [&] { F::cosine_embedding_loss(x, x, tensor(1)); }},
      {"[cosine_similarity] shapes", [&] { F::cosine_similarity(x, other); }},
      {"[pairwise_distance] shapes", [&] { F::pairwise_distance(x, other); }},
      {"[pdist] pdist only supports 2D tensors, got f32[3]", [&] { F::pdist(ones({3})); }},
      {"[pdist] pdist only supports non-negative p values", [&] { F::pdist(x, -1); }},
  });
  Tensor logs = zeros({5, 2, 4}), labels = tensor({{1, 2}, {3, 1}}), five = tensor({5, 5}), two = tensor({2, 2});
  check_errors({
      {"[ctc_loss] blank must be in label range", [&] { F::ctc_loss(logs, labels, five, two, {.blank = 4}); }},
      {"[ctc_loss] input_lengths must be of size batch_size", [&] { F::ctc_loss(logs, labels, tensor({5}), two); }},
      {"[ctc_loss] targets and lengths must be integers", [&] { F::ctc_loss(logs, labels, ones({2}), two); }},
      {"[ctc_loss] expected targets [N, S]", [&] { F::ctc_loss(logs, tensor({{1}}), five, two); }},
      {"[ctc_loss] expected log_probs [T, N, C]", [&] { F::ctc_loss(ones({2}), labels, five, two); }},
      {"[ctc_loss] ",
       [&] {
         read(F::ctc_loss(logs, labels, five, tensor({2, 9})));
       }},
  });
}

TEST_CASE("nn: what is wrong with embeddings is said") {
  Tensor w = ones({3, 4}), y = tensor({0, 1, 2});
  check_errors({
      {"[embedding] expected the index to be i64 or i32, got f32[2]", [&] { F::embedding(ones({2}), w); }},
      {"[embedding] 'weight' must be 2-D", [&] { F::embedding(y, ones({3})); }},
      {"[embedding] Padding_idx must be within num_embeddings, 3: got 4", [&] { F::embedding(y, w, 4); }},
      {"[embedding] ", [&] { F::embedding(tensor({3}), w).eval(); }},
      {"[embedding] ", [&] { F::embedding(tensor({-1}), w).eval(); }},
      {"[embedding_bag] offsets has to be a 1D Tensor but got none", [&] { F::embedding_bag(y, w); }},
      {"[embedding_bag] if input is 2D, then offsets has to be none",
       [&] { F::embedding_bag(tensor({{0}}), w, {.offsets = y}); }},
      {"[embedding_bag] offsets has to be a 1D Tensor, got i64[1,1]",
       [&] { F::embedding_bag(y, w, {.offsets = tensor({{0}})}); }},
      {"[embedding_bag] per_sample_weights was not none",
       [&] { F::embedding_bag(y, w, {.offsets = y, .per_sample_weights = ones({3})}); }},
      {"[embedding_bag] If per_sample_weights ([2]) is not none",
       [&] { F::embedding_bag(y, w, {.offsets = y, .mode = Reduce::sum, .per_sample_weights = ones({2})}); }},
      {"[embedding_bag] mode has to be one of sum, mean or amax",
       [&] { F::embedding_bag(y, w, {.offsets = y, .mode = Reduce::prod}); }},
  });
}

}  // namespace jot::test
