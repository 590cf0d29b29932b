// Norms, attention and functions of images: against torch's values and derivatives (vision_golden.txt), what they
// write, storage dtypes, errors.
#include <doctest/doctest.h>
#include <jot/jot.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "tests/functions/failures.h"
#include "tests/functions/golden.h"

namespace jot::test {

namespace {

namespace F = nn::functional;
Tensor joined(List parts) {
  for (Tensor& t : parts) t = t.reshape({-1});
  return cat(parts);
}

using Table = GoldenTable;

Tensor running_mean() { return tensor({0.1, 0.2, 0.3, 0.4}, f64); }
Tensor running_var() { return tensor({1.0, 2.0, 3.0, 0.5}, f64); }

void norms(Table& t) {
  const Tensor x = ramp({2, 4, 3}), w = ramp({4}, 1) + 1.5, b = ramp({4}, 2);
  for (bool training : {true, false})
    t["batch_norm " + std::to_string(training)] = {
        {x, w, b}, [training](const List& a) {
          Tensor mean = running_mean(), var = running_var();
          Tensor y = F::batch_norm(a[0], mean, var, {a[1], a[2], training, 0.2, 1e-3});
          return joined({y, mean, var});
        }};
  t["layer_norm"] = {{x, ramp({4, 3}, 1), ramp({4, 3}, 3)}, [](const List& a) {
                       return F::layer_norm(a[0], {4, 3}, a[1], a[2], 1e-4);
                     }};
  t["rms_norm"] = {{x, ramp({3}, 1)}, [](const List& a) { return F::rms_norm(a[0], {3}, a[1]); }};
  t["group_norm"] = {{x, w, b}, [](const List& a) { return F::group_norm(a[0], 2, {a[1], a[2]}); }};
  t["instance_norm"] = {{x, w, b}, [](const List& a) {
                          Tensor mean = running_mean(), var = running_var();
                          Tensor y = F::instance_norm(a[0], {mean, var, a[1], a[2], true, 0.3});
                          return joined({y, mean, var});
                        }};
  t["local_response_norm"] = {{x}, [](const List& a) { return F::local_response_norm(a[0], 3, {0.5, 0.75, 1.5}); }};
  t["local_response_norm even"] = {{x}, [](const List& a) { return F::local_response_norm(a[0], 2); }};
  t["normalize"] = {{x}, [](const List& a) { return F::normalize(a[0]); }};
  t["normalize 3"] = {{x}, [](const List& a) { return F::normalize(a[0], {.p = 3, .dim = 2}); }};
}

Tensor row_mask() {
  return tensor({{true, false, true, true}, {false, false, false, false}, {true, true, true, false}});
}

void attention(Table& t) {
  const List qkv = {ramp({2, 3, 2}), ramp({2, 4, 2}, 0.5), ramp({2, 4, 3}, 0.7)};
  auto with = [](F::AttentionOptions o) -> Call {
    return [o](const List& a) { return F::scaled_dot_product_attention(a[0], a[1], a[2], o); };
  };
  t["attention"] = {qkv, with({})};
  t["attention masked row"] = {qkv, with({.attn_mask = row_mask()})};
  t["attention causal"] = {qkv, with({.is_causal = true})};
  t["attention bias"] = {{qkv[0], qkv[1], qkv[2], ramp({3, 4}, 2)}, [](const List& a) {
                           return F::scaled_dot_product_attention(a[0], a[1], a[2], {.attn_mask = a[3], .scale = 0.3});
                         }};
  const Tensor x = ramp({3, 2, 4}), k = ramp({5, 2, 4}, 0.3), w = ramp({12, 4}, 0, 0.7), b = ramp({12}, 0.2);
  const Tensor o = ramp({4, 4}, 0, 0.9), ob = ramp({4}, 0.4);
  auto both = [](const std::pair<Tensor, Tensor>& r) { return joined({r.first, r.second}); };
  t["heads"] = {
      {x, w, b, o, ob}, [both](const List& a) {
        return both(F::multi_head_attention(a[0], a[0], a[0], 4, 2, a[1], a[2], {}, {}, false, 0, a[3], a[4]));
      }};
  const Tensor padding = tensor({{false, false, false, false, true}, {false, true, false, false, false}});
  t["heads padding"] = {
      {x, k, w, b, o, ob}, [=](const List& a) {
        return both(F::multi_head_attention(a[0], a[1], a[1], 4, 2, a[2], a[3], {}, {}, false, 0, a[4], a[5],
                                            {.key_padding_mask = padding, .average_attn_weights = false}));
      }};
  const Tensor mask = ramp({3, 3}, 5);
  t["heads mask rows"] = {{x, w, b, o, ob, ramp({1, 1, 4}, 1), ramp({1, 1, 4}, 2)}, [=](const List& a) {
                            return F::multi_head_attention(a[0], a[0], a[0], 4, 2, a[1], a[2], a[5], a[6], true, 0,
                                                           a[3], a[4], {.need_weights = false, .attn_mask = mask})
                                .first.reshape({-1});
                          }};
  const List separate = {
      x, ramp({5, 2, 3}, 0.3), ramp({5, 2, 2}, 0.6), ramp({4, 4}), ramp({4, 3}, 1), ramp({4, 2}, 2), b, o};
  t["heads separate"] = {
      separate, [both](const List& a) {
        auto first = [](const Tensor& v) { return v.select(1, 0); };
        return both(F::multi_head_attention(
            first(a[0]), first(a[1]), first(a[2]), 4, 2, {}, a[6], {}, {}, false, 0, a[7], {},
            {.use_separate_proj_weight = true, .q_proj_weight = a[3], .k_proj_weight = a[4], .v_proj_weight = a[5]}));
      }};
}

void images(Table& t) {
  const Tensor image = ramp({1, 2, 3, 4}), line = ramp({1, 2, 5}), volume = ramp({1, 1, 2, 3, 2});
  for (auto [name, mode] :
       {std::pair{"reflect", Pad::reflect}, {"replicate", Pad::replicate}, {"circular", Pad::circular}})
    t[std::string("pad ") + name] = {{image}, [mode = mode](const List& a) {
                                       return F::pad(a[0], {2, 1, -1, 2}, mode);
                                     }};
  t["pad constant"] = {{image}, [](const List& a) { return F::pad(a[0], {1, -1, 0, 2, 1, 0}, Pad::constant, 1.5); }};
  using I = Interpolation;
  const std::vector<std::pair<std::string, I>> modes = {{"nearest", I::nearest},    {"nearest-exact", I::nearest_exact},
                                                        {"area", I::area},          {"linear", I::linear},
                                                        {"bilinear", I::bilinear},  {"bicubic", I::bicubic},
                                                        {"trilinear", I::trilinear}};
  const std::vector<Ints> sizes = {7, {5, 3}, {3, 2, 5}};
  const std::vector<Scales> scales = {1.7, {1.7, 2}, {1.7, 2, 0.6}};
  for (const auto& [name, mode] : modes)
    for (size_t n = 1; n <= 3; ++n)
      for (bool aligned : {false, true}) {
        std::optional<bool> align = aligned ? std::optional(true) : none;
        const std::string key = "interpolate " + name + " " + std::to_string(n) + (aligned ? " aligned" : "");
        const Tensor& x = n == 1 ? line : n == 2 ? image : volume;
        t[key + " size"] = {{x}, [=, mode = mode](const List& a) {
                              return F::interpolate(a[0], {.size = sizes[n - 1], .mode = mode, .align_corners = align});
                            }};
        t[key + " scale"] = {{x}, [=, mode = mode](const List& a) {
                               return F::interpolate(
                                   a[0], {.scale_factor = scales[n - 1], .mode = mode, .align_corners = align});
                             }};
      }
  const std::vector<std::pair<std::string, GridPadding>> paddings = {
      {"zeros", GridPadding::zeros}, {"border", GridPadding::border}, {"reflection", GridPadding::reflection}};
  for (const auto& [name, mode] : modes)
    for (const auto& [padded, padding] : paddings)
      for (bool align : {false, true}) {
        const std::string key = name + " " + padded + " " + std::to_string(align);
        auto call = [mode = mode, padding = padding, align](const List& a) {
          return F::grid_sample(a[0], a[1], {.mode = mode, .padding_mode = padding, .align_corners = align});
        };
        t["grid_sample " + key] = {{image, ramp({1, 3, 2, 2}, 0, 1.3) * 1.4}, call};
        t["grid_sample 3 " + key] = {{ramp({1, 2, 2, 3, 2}), ramp({1, 1, 2, 2, 3}, 0, 1.3) * 1.4}, call};
      }
  for (bool align : {false, true}) {
    t["affine_grid " + std::to_string(align)] = {{ramp({1, 2, 3})}, [align](const List& a) {
                                                   return F::affine_grid(a[0], {1, 1, 2, 3}, align);
                                                 }};
    t["affine_grid 3 " + std::to_string(align)] = {{ramp({1, 3, 4})}, [align](const List& a) {
                                                     return F::affine_grid(a[0], {1, 1, 2, 1, 3}, align);
                                                   }};
  }
  t["pixel_shuffle"] = {{ramp({1, 8, 2, 1})}, [](const List& a) { return F::pixel_shuffle(a[0], 2); }};
  t["pixel_unshuffle"] = {{ramp({1, 1, 2, 4})}, [](const List& a) { return F::pixel_unshuffle(a[0], 2); }};
  t["channel_shuffle"] = {{ramp({1, 4, 2, 1})}, [](const List& a) { return F::channel_shuffle(a[0], 2); }};
}

template <class E>
void check_error(const std::string& part, const std::function<void()>& f) {
  test::check_error<E>(part, f, "vision_test.cpp:");
}

}  // namespace

TEST_CASE("vision: values and derivatives are torch's") {
  Table table;
  norms(table);
  attention(table);
  images(table);
  CHECK(check_golden(table, VISION_GOLDEN, 2e-9) >= 90);
}

TEST_CASE("vision: a query that sees no key leaves the others' derivatives finite") {
  Tensor q = ramp({1, 2, 3, 4}), k = ramp({1, 2, 4, 4}, 1), v = ramp({1, 2, 4, 4}, 2);
  for (const Tensor& mask : {row_mask(), where(row_mask(), 0.0, -inf).to(f64)}) {
    auto f = [&](const Tensor& a, const Tensor& b, const Tensor& c) {
      return sum(sin(F::scaled_dot_product_attention(a, b, c, {.attn_mask = mask})));
    };
    CHECK(all(F::scaled_dot_product_attention(q, k, v, {.attn_mask = mask}).select(2, 1) == 0).item<bool>());
    auto [dq, dk, dv] = grad<argnums(0, 1, 2)>(f)(q, k, v);
    for (const Tensor& d : {dq, dk, dv}) CHECK(all(isfinite(d)).item<bool>());
    CHECK(all(dq.select(2, 1) == 0).item<bool>());
    CHECK(all(dq.select(2, 0) != 0).item<bool>());
    Tensor h = hessian([&](const Tensor& a) { return f(a, k, v); })(q);
    CHECK(all(isfinite(h)).item<bool>());
  }
}

TEST_CASE("vision: batch norm writes the running statistics, and says so where lanes cannot be written") {
  Tensor x = ramp({5, 3, 2}), mean = zeros({3}, f64), var = ones({3}, f64);
  F::batch_norm(x, mean, var, {.training = true, .momentum = 0.25});
  Tensor m = jot::mean(x, {0, 2}), s = jot::var(x, {0, 2});
  CHECK(allclose(mean, 0.25 * m, 1e-13, 1e-13));
  CHECK(allclose(var, 0.75 + 0.25 * s, 1e-13, 1e-13));
  // One alone, and of nothing.
  Tensor alone = zeros({3}, f64);
  F::batch_norm(x, alone, {}, {.training = true, .momentum = 1});
  CHECK(allclose(alone, m, 1e-13, 1e-13));
  F::batch_norm(zeros({0, 3}, f64), alone, var, {.training = true});
  CHECK(allclose(alone, m, 1e-13, 1e-13));
  // Under a transform the write reaches the argument; in f32 beside f16.
  Tensor mean32 = zeros({3}), var32 = ones({3}), x16 = x.to(f16);
  auto f = [](const Tensor& a, const Tensor& b, const Tensor& c) {
    return sum(F::batch_norm(a, b, c, {.training = true}).to(f32));
  };
  jit(grad(f))(x16, mean32, var32);
  CHECK(allclose(mean32, 0.1 * jot::mean(x16.to(f32), {0, 2}), 1e-5, 1e-6));
  // Lanes of each, and a batch of lanes.
  Tensor lanes = stack({x, x + 1}), means = zeros({2, 3}, f64), vars = ones({2, 3}, f64);
  auto g = [](const Tensor& a, const Tensor& b, const Tensor& c) {
    return F::batch_norm(a, b, c, {.training = true, .momentum = 0.25});
  };
  Tensor y = vmap(g)(lanes, means, vars);
  CHECK(allclose(means[1], 0.25 * (m + 1), 1e-13, 1e-13));
  CHECK(allclose(y[1], F::batch_norm(x, {}, {}, {.training = true}), 1e-10, 1e-10));
  const std::string text =
      "Batch norm got a batched tensor as input while the running_mean or running_var, which will be updated in place, "
      "were not batched";
  check_error<TransformError>(text, [&] { vmap(g, {.in_dims = {0, none, none}})(lanes, mean, var); });
  check_error<TransformError>(text, [&] { vmap([&](const Tensor& a) { return g(a, mean, var); })(lanes); });
  check_error<TransformError>(
      text, [&] { vmap([&](const Tensor& a) { return F::instance_norm(a, {.running_mean = mean}); })(lanes); });
  CHECK_EQ(vmap([&](const Tensor& a) { return F::batch_norm(a, mean, var); })(lanes).shape(), Shape{2, 5, 3, 2});
  check_error<TransformError>("would mutate a captured Tensor",
                              [&] { grad([&](const Tensor& a) { return sum(g(a, mean, var)); })(x); });
}

TEST_CASE("vision: half floats are computed with in f32 and rounded once") {
  const Tensor image = ramp({1, 2, 3, 4}).to(f32), grid = ramp({1, 2, 2, 2}).to(f32), w = ramp({4}, 1).to(f32);
  const std::vector<Call> calls = {
      [](const List& a) { return F::batch_norm(a[0], {}, {}, {.training = true}); },
      [](const List& a) { return F::layer_norm(a[0], {4}, a[2], a[2]); },
      [](const List& a) { return F::rms_norm(a[0], {4}, a[2]); },
      [](const List& a) { return F::group_norm(a[0], 2); },
      [](const List& a) { return F::instance_norm(a[0]); },
      [](const List& a) { return F::local_response_norm(a[0], 2, {.alpha = 0.5}); },
      [](const List& a) { return F::scaled_dot_product_attention(a[0], a[0], a[0], {.is_causal = true}); },
      [](const List& a) { return F::interpolate(a[0], {.size = 5, .mode = Interpolation::bicubic}); },
      [](const List& a) { return F::grid_sample(a[0], a[1]); },
      [](const List& a) {
        return F::pad(a[0], {1, 1}, Pad::reflect);
      },
      [](const List& a) {
        return F::affine_grid(a[0].reshape({4, 2, 3}), {4, 1, 2, 2});
      },
  };
  for (DType half : {bf16, f16})
    for (const Call& f : calls) {
      const List narrow = {image.to(half), grid.to(half), w.to(half)};
      List wide;
      for (const Tensor& t : narrow) wide.push_back(t.to(f32));
      Tensor got = f(narrow);
      CHECK_EQ(got.dtype(), half);
      CHECK(equal(got, f(wide).to(half)));
    }
  Tensor small = full({4}, 1e-4, f16);
  CHECK(F::rms_norm(small, {4})[0].item<double>() == doctest::Approx(0.2783).epsilon(1e-3));
}

TEST_CASE("vision: attention drops weights") {
  Tensor q = zeros({1, 4, 500, 8}), v = ones({1, 4, 500, 8});
  auto f = [&](double p) { return F::scaled_dot_product_attention(q, q, v, {.dropout_p = p}); };
  manual_seed(3);
  Tensor y = f(0.25);
  CHECK(mean(y).item<double>() == doctest::Approx(1).epsilon(0.01));
  CHECK(jot::std(y.select(3, 0)).item<double>() == doctest::Approx(std::sqrt(0.25 / 0.75 / 500)).epsilon(0.2));
  manual_seed(3);
  CHECK(equal(y, f(0.25)));
  CHECK(all(f(1) == 0).item<bool>());
}

TEST_CASE("vision: integers move") {
  Tensor x = arange(6).reshape({1, 2, 3});
  CHECK_EQ(F::pad(x, {1, 0}, Pad::constant, 7).to_vector<int64_t>(), std::vector<int64_t>{7, 0, 1, 2, 7, 3, 4, 5});
  CHECK_EQ(F::pad(x, {0, 1}, Pad::circular).to_vector<int64_t>(), std::vector<int64_t>{0, 1, 2, 0, 3, 4, 5, 3});
  CHECK_EQ(F::interpolate(x, {.size = 2}).to_vector<int64_t>(), std::vector<int64_t>{0, 1, 3, 4});
  CHECK_EQ(F::channel_shuffle(x.reshape({1, 6, 1}), 2).to_vector<int64_t>(), std::vector<int64_t>{0, 3, 1, 4, 2, 5});
}

TEST_CASE("vision: what is wrong is said") {
  const Tensor x = ramp({2, 3, 4}), y = ramp({2, 3, 4, 4}), grid = ramp({2, 3, 3, 2}), ints = zeros({2, 3, 4}, i64);
  auto shape = [](const std::string& part, auto f) { check_error<ShapeError>(part, [&] { f(); }); };
  auto misuse = [](const std::string& part, auto f) { check_error<TransformError>(part, [&] { f(); }); };
  auto dtype = [](const std::string& part, auto f) { check_error<DTypeError>(part, [&] { f(); }); };
  const Tensor n3 = ones({3}, f64), n4 = ones({4}, f64);
  shape("[batch_norm] Expected more than 1 value per channel when training, got input size [1,3]", [&] {
    F::batch_norm(ramp({1, 3}), {}, {}, {.training = true});
  });
  misuse("running_mean must be defined in evaluation mode", [&] { F::batch_norm(x, {}, {}); });
  misuse("running_var must be defined in evaluation mode", [&] { F::batch_norm(x, n3, {}); });
  shape("running_mean should contain 3 elements, one a channel, got f64[4]", [&] { F::batch_norm(x, n4, n3); });
  shape("weight should contain 3 elements", [&] { F::batch_norm(x, n3, n3, {.weight = n4}); });
  shape("expected an input [n, channels, ...], got f64[3]", [&] { F::batch_norm(n3, {}, {}, {.training = true}); });
  dtype("[batch_norm] defined for floating dtypes, got i64[2,3,4]", [&] { F::batch_norm(ints, n3, n3); });
  shape("[layer_norm] Given normalized_shape=[3], expected input with shape [*, 3], but got input of size [2,3,4]",
        [&] { F::layer_norm(x, {3}); });
  shape("Expected normalized_shape to be at least 1-dimensional", [&] { F::layer_norm(x, Shape{}); });
  shape(
      "Expected weight to be of same shape as normalized_shape, but got weight of shape [3] and normalized_shape = [4]",
      [&] { F::layer_norm(x, {4}, n3); });
  shape("Expected bias to be of same shape as normalized_shape", [&] { F::layer_norm(x, {4}, {}, n3); });
  shape("[rms_norm] Given normalized_shape=[3]", [&] { F::rms_norm(x, {3}); });
  shape(
      "[group_norm] Expected number of channels in input to be divisible by num_groups, but got input of shape [2,3,4] "
      "and num_groups=2",
      [&] { F::group_norm(x, 2); });
  shape("Expected num groups to be greater than 0, got 0", [&] { F::group_norm(x, 0); });
  shape("Expected at least 2 dimensions for input tensor but received 1", [&] { F::group_norm(n3, 1); });
  shape("Expected more than 1 value per channel", [&] { F::group_norm(ramp({1, 3}), 3); });
  shape("Expected weight to be a vector of size equal to the number of channels",
        [&] { F::group_norm(x, 3, {.weight = n4}); });
  shape("[instance_norm] Expected more than 1 spatial element when training, got input size [2,3,1]", [&] {
    F::instance_norm(ramp({2, 3, 1}));
  });
  misuse("Expected running_mean and running_var to be defined when use_input_stats is false",
         [&] { F::instance_norm(x, {.use_input_stats = false}); });
  shape("[local_response_norm] Expected 3D or higher dimensionality input (got 2 dimensions)", [&] {
    F::local_response_norm(ramp({2, 3}), 2);
  });
  shape("the size should be greater than zero, but got 0", [&] { F::local_response_norm(x, 0); });
  check_error<IndexError>("[normalize]", [&] { F::normalize(n3); });

  misuse("[scaled_dot_product_attention] Explicit attn_mask should not be set when is_causal=True", [&] {
    F::scaled_dot_product_attention(x, x, x, {.attn_mask = ones({3, 3}, f64), .is_causal = true});
  });
  shape("at least 2 dimensional", [&] { F::scaled_dot_product_attention(n3, x, x); });
  dtype("to have the same dtype, but got f64[2,3,4], f32[2,3,4]",
        [&] { F::scaled_dot_product_attention(x, x.to(f32), x); });
  shape("query and key to have the same last extent", [&] { F::scaled_dot_product_attention(x, x.slice(2, 0, 3), x); });
  shape("as many keys as values", [&] { F::scaled_dot_product_attention(x, x, x.slice(1, 0, 2)); });
  dtype("Expected attn_mask dtype to be bool or float or to match query dtype, f64, but got i64[3,3]", [&] {
    F::scaled_dot_product_attention(x, x, x, {.attn_mask = zeros({3, 3}, i64)});
  });
  shape("the attn_mask is bool[3,4]: expected a shape that broadcasts to [2,3,3]", [&] {
    F::scaled_dot_product_attention(x, x, x, {.attn_mask = zeros({3, 4}, boolean)});
  });
  check_error<Error>("dropout probability has to be between 0 and 1, but got 1.5",
                     [&] { F::scaled_dot_product_attention(x, x, x, {.dropout_p = 1.5}); });
  const Tensor w = ramp({12, 4}), o = ramp({4, 4});
  auto heads = [&](const Tensor& q, int64_t size, int64_t count, const F::MultiHeadAttentionOptions& options) {
    F::multi_head_attention(q, q, q, size, count, w, {}, {}, {}, false, 0, o, {}, options);
  };
  shape("[multi_head_attention] was expecting embedding dimension of 5, but got 4", [&] { heads(x, 5, 2, {}); });
  shape("embed_dim 4 not divisible by num_heads 3", [&] { heads(x, 4, 3, {}); });
  shape("query should be unbatched 2D or batched 3D", [&] { heads(y, 4, 2, {}); });
  misuse("Need attn_mask if specifying the is_causal hint", [&] { heads(x, 4, 2, {.is_causal = true}); });
  shape("attn_mask has the shape [3], but should be [2,2] or [6,2,2]", [&] { heads(x, 4, 2, {.attn_mask = n3}); });
  misuse("use_separate_proj_weight is true but q_proj_weight is undefined",
         [&] { heads(x, 4, 2, {.use_separate_proj_weight = true}); });

  shape("[pad] Padding length must be divisible by 2", [&] { F::pad(x, Ints{1}); });
  shape("Padding length should be less than or equal to two times the input dimension", [&] {
    F::pad(x, {1, 1, 1, 1, 1, 1, 1, 1});
  });
  shape(
      "Padding size should be less than the corresponding input dimension, but got: padding (4, 0) at dimension 2 of "
      "input [2,3,4]",
      [&] {
        F::pad(x, {4, 0}, Pad::reflect);
      });
  shape("Padding value causes wrapping around more than once", [&] { F::pad(x, {5, 0}, Pad::circular); });
  shape("negative output size", [&] { F::pad(x, {-3, -2}); });
  shape("to replicate", [&] { F::pad(zeros({2, 0}), {1, 0}, Pad::replicate); });
  misuse("doesn't take in value argument", [&] { F::pad(x, {1, 1}, Pad::reflect, 2); });
  shape("[interpolate] either size or scale_factor should be defined", [&] { F::interpolate(y); });
  shape("only one of size or scale_factor", [&] { F::interpolate(y, {.size = 3, .scale_factor = 2}); });
  shape("must have the same number of spatial dimensions", [&] { F::interpolate(y, {.size = {3, 3, 3}}); });
  shape("expected 3D input for this mode", [&] { F::interpolate(y, {.size = 3, .mode = Interpolation::linear}); });
  shape("expected 3D, 4D or 5D input", [&] { F::interpolate(ramp({2, 3}), {.size = 3}); });
  shape("sizes should be greater than 0", [&] { F::interpolate(y, {.size = 0}); });
  misuse("align_corners option can only be set", [&] { F::interpolate(y, {.size = 3, .align_corners = true}); });
  dtype("[interpolate] defined for floating dtypes",
        [&] { F::interpolate(ints, {.size = 3, .mode = Interpolation::linear}); });
  shape("[grid_sample] expected grid and input to have same batch size",
        [&] { F::grid_sample(y, grid.slice(0, 0, 1)); });
  shape("expected grid to have size 2 in last dimension", [&] { F::grid_sample(y, ramp({2, 3, 3, 3})); });
  shape("expected a 4D or 5D input", [&] { F::grid_sample(x, grid); });
  dtype("expected input and grid of one floating dtype", [&] { F::grid_sample(y, grid.to(f32)); });
  shape("bicubic interpolation only supports 4D input", [&] {
    F::grid_sample(ramp({2, 1, 2, 2, 2}), ramp({2, 1, 1, 1, 3}), {.mode = Interpolation::bicubic});
  });
  misuse("expected the mode bilinear, nearest or bicubic",
         [&] { F::grid_sample(y, grid, {.mode = Interpolation::area}); });
  shape("non-empty spatial dimensions", [&] { F::grid_sample(zeros({2, 3, 0, 4}, f64), grid); });
  shape("[affine_grid] Expected a batch of affine matrices of shape [2,2,3]", [&] {
    F::affine_grid(ramp({2, 2, 2}), {2, 1, 3, 3});
  });
  shape("only supports 4D and 5D sizes", [&] { F::affine_grid(ramp({2, 2, 3}), {2, 1, 3}); });
  shape("Expected non-zero, positive output size", [&] { F::affine_grid(ramp({2, 2, 3}), {2, 1, 3, 0}); });
  dtype("Expected theta to have floating point type", [&] { F::affine_grid(ones({2, 2, 3}, i64), {2, 1, 3, 3}); });
  shape("[pixel_shuffle] expects input to have at least 3 dimensions, but got input with 2 dimension(s)", [&] {
    F::pixel_shuffle(ramp({2, 3}), 2);
  });
  shape("expects a positive upscale_factor, but got 0", [&] { F::pixel_shuffle(y, 0); });
  shape("input.size(-3)=3 is not divisible by 4", [&] { F::pixel_shuffle(y, 2); });
  shape(
      "[pixel_unshuffle] expects height to be divisible by downscale_factor, but input.size(-2)=4 is not divisible by "
      "3",
      [&] { F::pixel_unshuffle(y, 3); });
  shape("Number of channels must be divisible by groups. Got 3 channels and 2 groups.",
        [&] { F::channel_shuffle(y, 2); });
  shape("Number of groups to divide channels in must be positive. Value of groups:0",
        [&] { F::channel_shuffle(y, 0); });
  shape("[channel_shuffle] expects input with > 2 dims", [&] { F::channel_shuffle(ramp({2, 3}), 1); });
  check_error<ShapeError>("[pixel_shuffle] upscale_factor is too large: expected at most 2^31", [] {
    F::pixel_shuffle(zeros({4, 1, 1}), int64_t{1} << 32);
  });
  check_error<ShapeError>("[pixel_unshuffle] downscale_factor is too large", [] {
    F::pixel_unshuffle(zeros({8, 0, 0}), int64_t{1} << 31);
  });
}

}  // namespace jot::test
