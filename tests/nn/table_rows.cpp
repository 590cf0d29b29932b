// Rows of the modules of core/modules.def.
#include "rows.h"

namespace jot::test {

namespace {

template <class M>
M made() {
  return M();
}

void activation_rows(ModuleRows& t, const Tensor& x) {
  t.add("ReLU", made<nn::ReLU>, 4 * x);
  t.add("ReLU6", made<nn::ReLU6>, 4 * x);
  t.add("ELU", made<nn::ELU>, 4 * x);
  t.add("SELU", made<nn::SELU>, 4 * x);
  t.add("CELU", made<nn::CELU>, 4 * x);
  t.add("GELU", made<nn::GELU>, 4 * x);
  t.add("SiLU", made<nn::SiLU>, 4 * x);
  t.add("Mish", made<nn::Mish>, 4 * x);
  t.add("Sigmoid", made<nn::Sigmoid>, 4 * x);
  t.add("Tanh", made<nn::Tanh>, 4 * x);
  t.add("Softplus", made<nn::Softplus>, 4 * x);
  t.add("Softsign", made<nn::Softsign>, 4 * x);
  t.add("Softshrink", made<nn::Softshrink>, 4 * x);
  t.add("Hardshrink", made<nn::Hardshrink>, 4 * x);
  t.add("Tanhshrink", made<nn::Tanhshrink>, 4 * x);
  t.add("Hardtanh", made<nn::Hardtanh>, 4 * x);
  t.add("Hardswish", made<nn::Hardswish>, 4 * x);
  t.add("LeakyReLU", made<nn::LeakyReLU>, 4 * x);
  t.add("LogSigmoid", made<nn::LogSigmoid>, 4 * x);
  t.add("Hardsigmoid", made<nn::Hardsigmoid>, 5 * x);
  t.add(
      "ELU 2", [] { return nn::ELU(2); }, x);
  t.add(
      "GELU tanh", [] { return nn::GELU(Gelu::tanh); }, x);
  t.add(
      "Softplus 2 3", [] { return nn::Softplus(2, 3); }, 3 * x);
  t.add(
      "Hardtanh -2 3", [] { return nn::Hardtanh(-2, 3); }, 4 * x);
  t.add(
      "Threshold", [] { return nn::Threshold(0.1, 20); }, x);
  t.add("GLU", made<nn::GLU>, ramp({2, 4}));
  t.add(
      "Softmax", [] { return nn::Softmax(1); }, x);
  t.add(
      "Softmin", [] { return nn::Softmin(1); }, x);
  t.add(
      "LogSoftmax", [] { return nn::LogSoftmax(-1); }, x);
}

void pooling_rows(ModuleRows& t, const Tensor& line, const Tensor& plane, const Tensor& space) {
  t.add(
      "AvgPool1d", [] { return nn::AvgPool1d(2); }, line);
  t.add(
      "AvgPool2d",
      [] {
        return nn::AvgPool2d({2, 3}, {.stride = 2, .padding = 1, .count_include_pad = false});
      },
      plane);
  t.add(
      "AvgPool3d", [] { return nn::AvgPool3d(2, {.ceil_mode = true, .divisor_override = 3}); }, space);
  t.add(
      "MaxPool1d", [] { return nn::MaxPool1d(2, {.stride = 1}); }, line);
  t.add(
      "MaxPool2d", [] { return nn::MaxPool2d({2}, {.stride = 1, .padding = 1, .dilation = 2}); }, plane);
  t.add(
      "MaxPool3d",
      [] {
        return nn::MaxPool3d({2, 2, 1}, {.ceil_mode = true});
      },
      space);
  t.add(
      "MaxUnpool1d", [] { return nn::MaxUnpool1d(2); }, ramp({1, 2, 2}), tensor({{{1, 2}, {0, 3}}}));
  t.add(
      "MaxUnpool2d", [] { return nn::MaxUnpool2d(2); }, ramp({1, 1, 2, 2}), tensor({{{{1, 2}, {8, 15}}}}));
  t.add(
      "MaxUnpool3d", [] { return nn::MaxUnpool3d(2); }, ramp({1, 1, 1, 1, 2}), tensor({{{{{1, 14}}}}}));
  t.add(
      "AdaptiveAvgPool1d", [] { return nn::AdaptiveAvgPool1d(2); }, line);
  t.add(
      "AdaptiveAvgPool2d",
      [] {
        return nn::AdaptiveAvgPool2d({3, 2});
      },
      plane);
  t.add(
      "AdaptiveAvgPool3d", [] { return nn::AdaptiveAvgPool3d({2}); }, space);
  t.add(
      "AdaptiveMaxPool1d", [] { return nn::AdaptiveMaxPool1d(2); }, line);
  t.add(
      "AdaptiveMaxPool2d",
      [] {
        return nn::AdaptiveMaxPool2d({3, 2});
      },
      plane);
  t.add(
      "AdaptiveMaxPool3d", [] { return nn::AdaptiveMaxPool3d(2); }, space);
  t.add(
      "LPPool1d", [] { return nn::LPPool1d(2, 2); }, line);
  t.add(
      "LPPool2d",
      [] {
        return nn::LPPool2d(2, {2, 3}, {.stride = 1});
      },
      plane);
  t.add(
      "LPPool3d", [] { return nn::LPPool3d(4, 2); }, space);
}

// A target that no derivative reaches.
Tensor fixed(const Tensor& t) { return t.detach(); }

void loss_rows(ModuleRows& t, const Tensor& x) {
  const Tensor y = ramp({2, 3}, 1.5), u = (ramp({2, 3}, 0, 2) + 1) / 2.1 + 0.02, v = (ramp({2, 3}, 4) + 1) / 2.1 + 0.02,
               s = tensor({1.0, -1.0}, f64), w = tensor({0.5, 1.5, 2.0}, f64), classes = tensor({2, 0}),
               signs = tensor({{1.0, -1.0, 1.0}, {-1.0, -1.0, 1.0}}, f64);
  const auto second_fixed = [](const auto& m, const List& v_) { return m(v_[0], fixed(v_[1])); };
  const auto third_fixed = [](const auto& m, const List& v_) { return m(v_[0], v_[1], fixed(v_[2])); };
  for (const auto& [name, r] :
       {std::pair{"mean", Reduction::mean}, std::pair{"sum", Reduction::sum}, std::pair{"none", Reduction::none}}) {
    const Reduction reduction = r;
    const std::string suffix = std::string(" ") + name;
    t.add(
        "L1Loss" + suffix, [reduction] { return nn::L1Loss(reduction); }, x, y);
    t.add(
        "MSELoss" + suffix, [reduction] { return nn::MSELoss(reduction); }, x, y);
    t.add(
        "CrossEntropyLoss" + suffix,
        [=] {
          return nn::CrossEntropyLoss({.weight = w, .ignore_index = 1, .reduction = reduction, .label_smoothing = 0.1});
        },
        x, classes);
    t.add_call(
        "CTCLoss" + suffix, [reduction] { return nn::CTCLoss({.blank = 1, .reduction = reduction}); },
        {ramp({5, 2, 3}), tensor({{0, 2}, {2, 0}}), tensor({5, 4}), tensor({2, 1})},
        [](const auto& m, const List& v_) { return m(log_softmax(v_[0], -1), v_[1], v_[2], v_[3]); });
  }
  t.add(
      "SmoothL1Loss", [] { return nn::SmoothL1Loss({.beta = 0.3}); }, x, y);
  t.add(
      "HuberLoss", [] { return nn::HuberLoss({.delta = 0.5}); }, x, y);
  t.add("CrossEntropyLoss", made<nn::CrossEntropyLoss>, x, classes);
  t.add(
      "NLLLoss", [=] { return nn::NLLLoss({.weight = w, .reduction = Reduction::sum}); }, x, classes);
  t.add_call(
      "BCELoss", [=] { return nn::BCELoss({.weight = w}); }, {u, v}, second_fixed);
  t.add_call(
      "BCEWithLogitsLoss", [=] { return nn::BCEWithLogitsLoss({.weight = w, .pos_weight = w + 1}); }, {x, v},
      second_fixed);
  t.add(
      "KLDivLoss", [] { return nn::KLDivLoss({.reduction = Reduction::batchmean}); }, x, v);
  t.add_call(
      "PoissonNLLLoss", [] { return nn::PoissonNLLLoss({.full = true}); }, {x, 3 * v}, second_fixed);
  t.add(
      "GaussianNLLLoss", [] { return nn::GaussianNLLLoss({.full = true}); }, x, y, v);
  t.add_call(
      "HingeEmbeddingLoss", [] { return nn::HingeEmbeddingLoss(0.7); }, {x, signs}, second_fixed);
  t.add_call(
      "MarginRankingLoss", [] { return nn::MarginRankingLoss(0.2); }, {x.select(1, 0), y.select(1, 0), s}, third_fixed);
  t.add(
      "MultiMarginLoss", [=] { return nn::MultiMarginLoss({.p = 2, .margin = 0.7, .weight = w}); }, x, classes);
  t.add("MultiLabelMarginLoss", made<nn::MultiLabelMarginLoss>, x, tensor({{2, -1, 0}, {0, 1, -1}}));
  t.add_call(
      "MultiLabelSoftMarginLoss", [=] { return nn::MultiLabelSoftMarginLoss(w); }, {x, v}, second_fixed);
  t.add_call("SoftMarginLoss", made<nn::SoftMarginLoss>, {x, signs}, second_fixed);
  t.add(
      "TripletMarginLoss", [] { return nn::TripletMarginLoss({.margin = 0.5, .swap = true}); }, x, y, v);
  t.add_call(
      "CosineEmbeddingLoss", [] { return nn::CosineEmbeddingLoss(0.1); }, {x, y, s}, third_fixed);
  t.add(
      "CosineSimilarity", [] { return nn::CosineSimilarity(0); }, x, y);
  t.add(
      "PairwiseDistance", [] { return nn::PairwiseDistance({.p = 3, .keepdim = true}); }, x, y);
}

}  // namespace

void table_rows(ModuleRows& t) {
  const Tensor x = ramp({2, 3}, 0, 3), line = ramp({2, 4, 5}), plane = ramp({2, 4, 4, 4}),
               space = ramp({1, 4, 4, 3, 4});
  activation_rows(t, x);
  t.add("Flatten", made<nn::Flatten>, plane);
  t.add(
      "Flatten dims", [] { return nn::Flatten(2, 3); }, plane);
  t.add(
      "Unflatten",
      [] {
        return nn::Unflatten(1, {2, 2});
      },
      line);
  t.add("Dropout", made<nn::Dropout>, plane);
  t.add("Dropout1d", made<nn::Dropout1d>, line);
  t.add("Dropout2d", made<nn::Dropout2d>, plane);
  t.add("Dropout3d", made<nn::Dropout3d>, space);
  t.add("AlphaDropout", made<nn::AlphaDropout>, plane);
  t.add("FeatureAlphaDropout", made<nn::FeatureAlphaDropout>, plane);
  pooling_rows(t, line, plane, space);
  t.add(
      "LocalResponseNorm", [] { return nn::LocalResponseNorm(3, {.alpha = 0.5, .k = 2}); }, line);
  loss_rows(t, x);
  t.add(
      "Upsample", [] { return nn::Upsample({.scale_factor = 2}); }, line);
  t.add(
      "Upsample bilinear",
      [] {
        return nn::Upsample({.size = {3, 5}, .mode = Interpolation::bilinear, .align_corners = true});
      },
      plane.narrow(0, 0, 1));
  t.add(
      "PixelShuffle", [] { return nn::PixelShuffle(2); }, plane);
  t.add(
      "PixelUnshuffle", [] { return nn::PixelUnshuffle(2); }, plane.narrow(1, 0, 1));
  t.add(
      "ChannelShuffle", [] { return nn::ChannelShuffle(2); }, plane.narrow(0, 0, 1));
  t.add(
      "Unfold",
      [] {
        return nn::Unfold({2, 3}, {.padding = 1, .stride = 2});
      },
      plane.narrow(1, 0, 2));
  t.add(
      "Fold",
      [] {
        return nn::Fold({4, 3}, 2);
      },
      ramp({1, 8, 6}));
}

}  // namespace jot::test
