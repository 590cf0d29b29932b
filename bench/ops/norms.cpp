// Norms and attention.
#include "ops.h"

namespace bench::ops {

namespace F = jot::nn::functional;

void add_norms(Rows& rows) {
  using X = const Tensors&;
  using A = const Args&;
  auto batch = [&](std::string label, const Shape& shape) {
    const Shape c{shape[1]};
    rows.add_both("batch_norm", label, {{shape}, {c}, {c}}, {},
                  [](X x, A) { return F::batch_norm(x[0], {}, {}, {.weight = x[1], .bias = x[2], .training = true}); });
  };
  const int64_t n = rows(32, 2);
  batch("32 x 64 x 56 x 56", {n, rows(64, 4), rows(56, 5), rows(56, 5)});
  batch("32 x 256 x 14 x 14", {n, rows(256, 6), rows(14, 3), rows(14, 3)});
  batch("8 x 32 x 112 x 112", {rows(8, 3), rows(32, 3), rows(112, 7), rows(112, 7)});
  batch("32 x 512 x 7 x 7", {n, rows(512, 5), rows(7, 2), rows(7, 2)});
  batch("4096 x 256", {rows(4096, 20), rows(256, 7)});
  auto layer = [&](std::string label, const Shape& shape) {
    const Shape c{shape.back()};
    rows.add_both("layer_norm", label, {{shape}, {c}, {c}}, {},
                  [](X x, A) { return F::layer_norm(x[0], {x[0].size(-1)}, x[1], x[2]); });
  };
  layer("1024 x 768", {rows(1024, 7), rows(768, 9)});
  layer("2048 x 1024", {rows(2048, 7), rows(1024, 20)});
  layer("256 x 4096", {rows(256, 7), rows(4096, 70)});
  layer("16384 x 128", {rows(16384, 40), rows(128, 8)});
  layer("64 x 196 x 384", {rows(64, 3), rows(196, 5), rows(384, 6)});
  auto attention = [&](std::string label, const Shape& shape, int64_t causal) {
    rows.add_both("attention", label + (causal ? ", causal" : ""), {{shape}, {shape}, {shape}}, {causal},
                  [](X x, A a) { return F::scaled_dot_product_attention(x[0], x[1], x[2], {.is_causal = a[0] != 0}); });
  };
  const int64_t e = rows(64, 4);
  attention("8 x 8 x 128 x 64", {rows(8, 2), rows(8, 2), rows(128, 7), e}, 0);
  attention("2 x 12 x 512 x 64", {rows(2, 2), rows(12, 2), rows(512, 9), e}, 0);
  attention("1 x 8 x 1024 x 64", {1, rows(8, 2), rows(1024, 9), e}, 0);
  attention("32 x 4 x 64 x 32", {rows(32, 2), rows(4, 2), rows(64, 7), rows(32, 4)}, 0);
  attention("4 x 8 x 256 x 64", {rows(4, 2), rows(8, 2), rows(256, 7), e}, 1);
}

}  // namespace bench::ops
