// Functions of jot::nn::functional and nn::init.
#include <cmath>

#include "tests/functions/rows.h"

namespace jot::test {

namespace {

namespace F = nn::functional;

const Input kMatrix{{3, 4}}, kPositive{{3, 4}, 0.2, 2}, kUnit{{3, 4}, 0.1, 0.9}, kClasses{{3}, 0, 4, i64},
    kSigns{{3}, 0, 2, i64};

double gauss(double x) { return x * std::erfc(-x / std::sqrt(2)) / 2; }

void activation_rows(FunctionRows& t) {
#define ACTIVATION(name, lo, hi, ...) \
  t.unary(                            \
      "nn." #name, lo, hi, [](const Tensor& x) { return F::name(x); }, [](double x) { return __VA_ARGS__; })
  ACTIVATION(relu6, 0.1, 5.9, x);
  ACTIVATION(elu, -3, -0.1, std::expm1(x));
  ACTIVATION(selu, -3, -0.1, 1.7580993408473766 * std::expm1(x));
  ACTIVATION(celu, -3, -0.1, std::expm1(x));
  ACTIVATION(gelu, -3, 3, gauss(x));
  ACTIVATION(silu, -3, 3, x / (1 + std::exp(-x)));
  ACTIVATION(mish, -3, 3, x * std::tanh(std::log1p(std::exp(x))));
  ACTIVATION(softplus, -3, 3, std::log1p(std::exp(x)));
  ACTIVATION(softsign, 0.1, 0.9, x / (1 + x));
  ACTIVATION(softshrink, 0.6, 2, x - 0.5);
  ACTIVATION(hardshrink, 0.6, 2, x);
  ACTIVATION(tanhshrink, -2, 2, x - std::tanh(x));
  ACTIVATION(hardtanh, -0.9, 0.9, x);
  ACTIVATION(hardsigmoid, -2.8, 2.8, (x + 3) / 6);
  ACTIVATION(hardswish, -2.8, 2.8, x * (x + 3) / 6);
  ACTIVATION(leaky_relu, -2, -0.1, 0.01 * x);
  ACTIVATION(logsigmoid, -3, 3, -std::log1p(std::exp(-x)));
  ACTIVATION(rrelu, -2, -0.1, x * (1.0 / 8 + 1.0 / 3) / 2);
#undef ACTIVATION
  t.add("nn.elu", "alpha", {kMatrix}, [](Tensors x) { return F::elu(x[0], 1); });
  t.add("nn.gelu", "tanh", {kMatrix}, [](Tensors x) { return F::gelu(x[0], Gelu::tanh); });
  t.add("nn.softplus", "beta", {kMatrix}, [](Tensors x) { return F::softplus(x[0], 2, 1.5); });
  t.add("nn.softsign", "far", {{{4}, -9, -1.1}}, [](Tensors x) { return F::softsign(x[0]); });
  t.add("nn.prelu", "channels", {{{2, 3, 2}, -2, -0.1}, {{3}}}, [](Tensors x) { return F::prelu(x[0], x[1]); });
  t.add("nn.prelu", "one", {{{2, 3}, -2, -0.1}, {{1}}}, [](Tensors x) { return F::prelu(x[0], x[1]); });
  t.add("nn.threshold", "", {{{5}, 0.6, 2}}, [](Tensors x) { return F::threshold(x[0], 0.5, 3); });
  t.add("nn.glu", "", {kMatrix}, [](Tensors x) { return F::glu(x[0]); });
  t.add("nn.glu", "dim 0", {{{4, 3}}}, [](Tensors x) { return F::glu(x[0], 0); });
}

void linear_rows(FunctionRows& t) {
  t.add("nn.linear", "", {{{2, 3}}, {{4, 3}}}, [](Tensors x) { return F::linear(x[0], x[1]); });
  t.add("nn.linear", "bias", {{{2, 2, 3}}, {{4, 3}}, {{4}}}, [](Tensors x) { return F::linear(x[0], x[1], x[2]); });
  t.add("nn.bilinear", "", {{{2, 3}}, {{2, 2}}, {{4, 3, 2}}, {{4}}}, [](Tensors x) {
     return F::bilinear(x[0], x[1], x[2], x[3]);
   }).tolerance = 1e-14;
}

void loss_rows(FunctionRows& t) {
  for (Reduction r : {Reduction::mean, Reduction::sum, Reduction::none}) {
    const std::string label = r == Reduction::mean ? "mean" : r == Reduction::sum ? "sum" : "none";
    auto add = [&](const std::string& name, std::vector<Input> inputs, std::function<Tensor(Tensors)> call) {
      t.add("nn." + name, label, std::move(inputs), std::move(call)).tolerance = 2e-14;
    };
    const Input apart{{3, 4}, 3, 5};
    add("mse_loss", {kMatrix, kMatrix}, [r](Tensors x) { return F::mse_loss(x[0], x[1], r); });
    add("l1_loss", {kMatrix, apart}, [r](Tensors x) { return F::l1_loss(x[0], x[1], r); });
    add("smooth_l1_loss", {kUnit, kUnit},
        [r](Tensors x) { return F::smooth_l1_loss(x[0], x[1], {.reduction = r, .beta = 2}); });
    add("huber_loss", {kMatrix, apart},
        [r](Tensors x) { return F::huber_loss(x[0], x[1], {.reduction = r, .delta = 0.7}); });
    add("nll_loss", {kMatrix, kClasses, {{4}, 0.5, 2}},
        [r](Tensors x) { return F::nll_loss(x[0], x[1], {.weight = x[2], .ignore_index = 2, .reduction = r}); });
    add("cross_entropy", {kMatrix, kClasses},
        [r](Tensors x) { return F::cross_entropy(x[0], x[1], {.reduction = r}); });
    add("cross_entropy", {{{2, 3, 2}}, {{2, 2}, 0, 3, i64}, {{3}, 0.5, 2}}, [r](Tensors x) {
      return F::cross_entropy(x[0], x[1], {.weight = x[2], .reduction = r, .label_smoothing = 0.2});
    });
    add("cross_entropy", {kMatrix, kUnit},
        [r](Tensors x) { return F::cross_entropy(x[0], x[1], {.reduction = r, .label_smoothing = 0.1}); });
    t.rows.back().takes = "rrr";
    add("binary_cross_entropy", {kUnit, kUnit, {{4}, 0.5, 2}},
        [r](Tensors x) { return F::binary_cross_entropy(x[0], x[1], {.weight = x[2], .reduction = r}); });
    t.rows.back().takes = "--c";  // whole numbers are no probabilities
    add("binary_cross_entropy_with_logits", {kMatrix, kUnit, {{4}, 0.5, 2}, {{4}, 0.5, 2}}, [r](Tensors x) {
      return F::binary_cross_entropy_with_logits(x[0], x[1], {.weight = x[2], .reduction = r, .pos_weight = x[3]});
    });
    add("kl_div", {kMatrix, kUnit}, [r](Tensors x) { return F::kl_div(x[0], x[1], {.reduction = r}); });
    add("kl_div", {kMatrix, kMatrix},
        [r](Tensors x) { return F::kl_div(x[0], x[1], {.reduction = r, .log_target = true}); });
    add("poisson_nll_loss", {kMatrix, {{3, 4}, 1.1, 4}},
        [r](Tensors x) { return F::poisson_nll_loss(x[0], x[1], {.full = true, .reduction = r}); });
    add("poisson_nll_loss", {kPositive, kUnit},
        [r](Tensors x) { return F::poisson_nll_loss(x[0], x[1], {.log_input = false, .reduction = r}); });
    add("gaussian_nll_loss", {kMatrix, kMatrix, {{3}, 0.3, 2}},
        [r](Tensors x) { return F::gaussian_nll_loss(x[0], x[1], x[2], {.full = true, .reduction = r}); });
    add("hinge_embedding_loss", {{{4}, 0.1, 0.9}, {{4}, 0, 2, i64}},
        [r](Tensors x) { return F::hinge_embedding_loss(x[0], x[1] * 2 - 1, 1, r); });
    add("margin_ranking_loss", {{{3}, 0.1, 0.9}, {{3}, 1, 2}, kSigns},
        [r](Tensors x) { return F::margin_ranking_loss(x[0], x[1], x[2] * 2 - 1, 0.05, r); });
    add("multi_margin_loss", {{{3, 4}, 0.1, 0.9}, kClasses, {{4}, 0.5, 2}},
        [r](Tensors x) { return F::multi_margin_loss(x[0], x[1], {.p = 2, .weight = x[2], .reduction = r}); });
    add("multilabel_margin_loss", {{{3, 4}, 0.1, 0.9}, {{3, 4}, -1, 4, i64}},
        [r](Tensors x) { return F::multilabel_margin_loss(x[0], x[1], r); });
    add("multilabel_soft_margin_loss", {kMatrix, kUnit, {{4}, 0.5, 2}},
        [r](Tensors x) { return F::multilabel_soft_margin_loss(x[0], x[1], x[2], r); });
    add("multilabel_soft_margin_loss", {kMatrix, kUnit},
        [r](Tensors x) { return F::multilabel_soft_margin_loss(x[0], x[1], r); });
    add("soft_margin_loss", {kMatrix, {{3, 4}, 0, 2, i64}},
        [r](Tensors x) { return F::soft_margin_loss(x[0], x[1] * 2 - 1, r); });
    add("triplet_margin_loss", {kMatrix, {{3, 4}, 3, 4}, {{3, 4}, 4.2, 4.6}}, [r](Tensors x) {
      return F::triplet_margin_loss(x[0], x[1], x[2], {.margin = 9, .swap = true, .reduction = r});
    });
    add("cosine_embedding_loss", {kPositive, kPositive, kSigns},
        [r](Tensors x) { return F::cosine_embedding_loss(x[0], x[1], x[2] * 2 - 1, 0.1, r); });
    add("ctc_loss", {{{5, 2, 4}}, {{2, 2}, 1, 4, i64}, {{2}, 1, 3, i64}}, [r](Tensors x) {
      Tensor steps = x[2] * 0 + tensor({5, 4});
      return F::ctc_loss(log_softmax(x[0], -1), x[1], steps, x[2], {.reduction = r, .zero_infinity = true});
    });
  }
  t.add("nn.ctc_loss", "not normalised", {{{4, 2, 3}}, {{3}, 1, 3, i64}}, [](Tensors x) {
     return F::ctc_loss(x[0], x[1], tensor({4, 4}), tensor({2, 1}));
   }).tolerance = 2e-14;
}

void distance_rows(FunctionRows& t) {
  t.add("nn.cosine_similarity", "", {kMatrix, kMatrix}, [](Tensors x) {
     return F::cosine_similarity(x[0], x[1]);
   }).tolerance = 1e-14;
  t.add("nn.cosine_similarity", "broadcast", {{{2, 3, 4}}, {{3, 1}, 0.5, 2}}, [](Tensors x) {
     return F::cosine_similarity(x[0], x[1], -1);
   }).tolerance = 1e-14;
  t.add("nn.pairwise_distance", "", {kMatrix, {{4}, 3, 4}}, [](Tensors x) {
     return F::pairwise_distance(x[0], x[1], {.p = 3, .keepdim = true});
   }).tolerance = 1e-14;
  t.add("nn.pdist", "", {kMatrix}, [](Tensors x) { return F::pdist(x[0]); }).tolerance = 1e-14;
  t.add("nn.pdist", "1", {kMatrix}, [](Tensors x) { return F::pdist(x[0], 1); });
}

void embedding_rows(FunctionRows& t) {
  const Input table{{4, 3}}, index{{2, 3}, 0, 4, i64}, flat{{5}, 0, 4, i64};
  t.add("nn.embedding", "", {index, table}, [](Tensors x) { return F::embedding(x[0], x[1]); });
  t.add("nn.embedding_bag", "mean", {index, table}, [](Tensors x) { return F::embedding_bag(x[0], x[1]); });
  t.add("nn.embedding_bag", "sum", {index, table, {{2, 3}}},
        [](Tensors x) { return F::embedding_bag(x[0], x[1], {.mode = Reduce::sum, .per_sample_weights = x[2]}); });
  for (Reduce mode : {Reduce::mean, Reduce::sum, Reduce::amax})
    t.add("nn.embedding_bag", "offsets", {flat, table}, [mode](Tensors x) {
      return F::embedding_bag(x[0], x[1], {.offsets = tensor({0, 2, 2}), .mode = mode, .padding_idx = -1});
    });
}

}  // namespace

void nn_rows(FunctionRows& t) {
  activation_rows(t);
  linear_rows(t);
  loss_rows(t);
  distance_rows(t);
  embedding_rows(t);
}

}  // namespace jot::test
