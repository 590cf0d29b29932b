// Norms and attention.
#include "tests/functions/rows.h"

namespace jot::test {

namespace {

namespace F = nn::functional;

// A writable copy: of an argument that has no lanes it takes them.
Tensor fresh(const Tensor& x) { return x * 1; }

void batch_norms(FunctionRows& t) {
  const Input weight{{3}, 0.5, 2}, bias{{3}}, var{{3}, 0.5, 2};
  for (const Shape& shape : {Shape{4, 3}, Shape{2, 3, 4}, Shape{2, 3, 1, 2}, Shape{1, 3, 2}}) {
    const std::string label = to_string(shape);
    t.add("nn.batch_norm", label + " training", {{shape}, weight, bias}, [](Tensors x) {
       return F::batch_norm(x[0], {}, {}, {.weight = x[1], .bias = x[2], .training = true, .eps = 0.1});
     }).tolerance = 2e-14;
    // What is written has no derivative.
    FunctionRow& running = t.add("nn.batch_norm", label + " running", {{shape}, bias, var}, [](Tensors x) {
      Tensor mean = fresh(x[1]), var = fresh(x[2]);
      Tensor y = F::batch_norm(x[0], mean, var, {.training = true, .momentum = 0.3, .eps = 0.1});
      return y.transpose(1, -1) * (mean + var);
    });
    running.tolerance = 2e-14;
    running.order = 0;
    t.add("nn.batch_norm", label, {{shape}, bias, var, weight},
          [](Tensors x) { return F::batch_norm(x[0], x[1], x[2], {.weight = x[3]}); });
  }
}

void other_norms(FunctionRows& t) {
  for (const Shape& shape : {Shape{2, 3}, Shape{2, 1, 3}, Shape{0, 3}}) {
    const std::string label = to_string(shape);
    t.add("nn.layer_norm", label, {{shape}, {{3}}, {{3}}}, [](Tensors x) {
       return F::layer_norm(x[0], {3}, x[1], x[2], 0.1);
     }).tolerance = 2e-14;
    t.add("nn.rms_norm", label, {{shape}, {{3}}}, [](Tensors x) { return F::rms_norm(x[0], {3}, x[1], 0.1); });
  }
  t.add("nn.layer_norm", "two dims of a view", {{{3, 2, 4}}}, [](Tensors x) {
     return F::layer_norm(x[0].permute({2, 0, 1}), {3, 2}, {}, {}, 0.1);
   }).tolerance = 2e-14;
  t.add("nn.layer_norm", "long rows", {{{2, 40}}, {{40}}}, [](Tensors x) {
     return F::layer_norm(x[0], {40}, x[1], {}, 0.1);
   }).tolerance = 5e-14;
  t.add("nn.layer_norm", "one element", {{{3, 1}}}, [](Tensors x) { return F::layer_norm(x[0], {1}); });
  t.add("nn.rms_norm", "two dims", {{{2, 3, 2}}}, [](Tensors x) { return F::rms_norm(x[0], {3, 2}); });
  for (int64_t groups : {1, 2, 4})
    t.add("nn.group_norm", std::to_string(groups), {{{2, 4, 3}}, {{4}}, {{4}}}, [groups](Tensors x) {
       return F::group_norm(x[0], groups, {.weight = x[1], .bias = x[2], .eps = 0.1});
     }).tolerance = 2e-14;
  t.add("nn.group_norm", "matrix", {{{3, 4}}}, [](Tensors x) {
     return F::group_norm(x[0], 2, {.eps = 0.1});
   }).tolerance = 2e-14;
  t.add("nn.instance_norm", "", {{{2, 3, 4}}, {{3}}, {{3}}}, [](Tensors x) {
     return F::instance_norm(x[0], {.weight = x[1], .bias = x[2], .eps = 0.1});
   }).tolerance = 2e-14;
  FunctionRow& running = t.add("nn.instance_norm", "running", {{{2, 3, 2, 2}}, {{3}}, {{3}, 0.5, 2}}, [](Tensors x) {
    Tensor mean = fresh(x[1]), var = fresh(x[2]);
    Tensor y = F::instance_norm(x[0], {.running_mean = mean, .running_var = var, .momentum = 0.3, .eps = 0.1});
    return y.transpose(1, -1) * (mean + var);
  });
  running.tolerance = 2e-14;
  running.order = 0;
  t.add("nn.instance_norm", "evaluation", {{{2, 3, 4}}, {{3}}, {{3}, 0.5, 2}}, [](Tensors x) {
    return F::instance_norm(x[0], {.running_mean = x[1], .running_var = x[2], .use_input_stats = false});
  });
  for (int64_t size : {1, 2, 3, 7})
    t.add("nn.local_response_norm", std::to_string(size), {{{2, 4, 3}}},
          [size](Tensors x) { return F::local_response_norm(x[0], size, {.alpha = 0.5, .beta = 0.7, .k = 1.5}); });
  t.add("nn.normalize", "", {{{2, 3}, 0.3, 2}}, [](Tensors x) { return F::normalize(x[0]); });
  t.add("nn.normalize", "3", {{{2, 3, 2}, 0.3, 2}}, [](Tensors x) {
     return F::normalize(x[0], {.p = 3, .dim = -3});
   }).tolerance = 2e-14;
}

void attention(FunctionRows& t) {
  const std::vector<Input> three = {{{2, 3, 2}}, {{2, 4, 2}}, {{2, 4, 3}}};
  const Tensor mask = tensor({{true, false, true, true}, {false, false, false, false}, {true, true, true, false}});
  auto add = [&](const std::string& label, std::vector<Input> inputs, std::function<Tensor(Tensors)> call) {
    t.add("nn.scaled_dot_product_attention", label, std::move(inputs), std::move(call)).tolerance = 2e-14;
  };
  add("", three, [](Tensors x) { return F::scaled_dot_product_attention(x[0], x[1], x[2]); });
  add("a row without keys", three,
      [mask](Tensors x) { return F::scaled_dot_product_attention(x[0], x[1], x[2], {.attn_mask = mask}); });
  add("causal", three,
      [](Tensors x) { return F::scaled_dot_product_attention(x[0], x[1], x[2], {.is_causal = true}); });
  add("added mask, broadcast", {{{3, 2}}, {{2, 4, 2}}, {{1, 4, 3}}, {{3, 4}}},
      [](Tensors x) { return F::scaled_dot_product_attention(x[0], x[1], x[2], {.attn_mask = x[3], .scale = 0.3}); });
  add("mask of the batch", {{{2, 3, 2}}, {{2, 4, 2}}, {{2, 4, 3}}, {{2, 1, 4}, 0, 2, i64}},
      [](Tensors x) { return F::scaled_dot_product_attention(x[0], x[1], x[2], {.attn_mask = x[3] > 0}); });
  add("one key", {{{2, 3, 2}}, {{2, 1, 2}}, {{2, 1, 1}}},
      [](Tensors x) { return F::scaled_dot_product_attention(x[0], x[1], x[2]); });
  add("no query", {{{2, 0, 2}}, {{2, 4, 2}}, {{2, 4, 3}}},
      [](Tensors x) { return F::scaled_dot_product_attention(x[0], x[1], x[2]); });
  add("longer", {{{2, 2, 19, 8}}, {{2, 2, 33, 8}}, {{2, 2, 33, 4}}},
      [](Tensors x) { return F::scaled_dot_product_attention(x[0], x[1], x[2]); });
  t.rows.back().order = 1;
  auto heads = [&](const std::string& name, const std::string& label, nn::functional::MultiHeadAttentionOptions o) {
    t.add(name, label, {{{3, 2, 4}}, {{5, 2, 4}}, {{12, 4}}, {{12}}, {{4, 4}}, {{4}}}, [name, o](Tensors x) {
       auto [y, w] =
           name == "nn.multi_head_attention"
               ? F::multi_head_attention(x[0], x[1], x[1], 4, 2, x[2], x[3], {}, {}, true, 0, x[4], x[5], o)
               : F::multi_head_attention_forward(x[0], x[1], x[1], 4, 2, x[2], x[3], {}, {}, true, 0, x[4], x[5], o);
       return w.defined() ? cat({y.reshape({-1}), w.reshape({-1})}) : y;
     }).tolerance = 1e-13;
  };
  heads("nn.multi_head_attention", "", {});
  heads("nn.multi_head_attention", "without weights", {.need_weights = false});
  heads("nn.multi_head_attention_forward", "all heads", {.average_attn_weights = false});
}

}  // namespace

void norm_rows(FunctionRows& t) {
  batch_norms(t);
  other_norms(t);
  attention(t);
}

}  // namespace jot::test
