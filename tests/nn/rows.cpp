#include "rows.h"

namespace jot::test {

const std::map<std::string, ModuleRow>& module_rows() {
  static const auto* rows = [] {
    auto* t = new ModuleRows;
    layer_rows(*t);
    table_rows(*t);
    recurrent_rows(*t);
    return t;
  }();
  return rows->rows;
}

Erased prepared(const ModuleRow& row, bool training) {
  Erased m = row.make();
  m.to(f64);
  TensorDict values = m.named_parameters();
  double j = 0;
  for (auto& [name, value] : values) value = 0.3 * ramp(value.shape(), j++, 0.7);
  m.load_state_dict(values, {.strict = false});
  m.train(training);
  return m;
}

Tensor joined(const List& tensors) {
  List flat;
  for (const Tensor& t : tensors) flat.push_back(t.reshape({-1}));
  return cat(flat);
}
Tensor weighted(const List& outputs) {
  Tensor y = joined(outputs);
  return sum(y * cos(arange(y.numel(), f64)));
}

// ---- layers

void layer_rows(ModuleRows& t) {
  const Tensor x = ramp({2, 3}, 0, 3), line = ramp({2, 4, 5}), plane = ramp({2, 4, 4, 4}),
               space = ramp({1, 4, 4, 3, 4}), other = ramp({2, 4}, 0.5);
  t.add(
      "Identity", [] { return nn::Identity(); }, x);
  t.add(
      "PReLU", [] { return nn::PReLU(); }, x);
  t.add(
      "PReLU channels", [] { return nn::PReLU(4, 0.5); }, line);
  t.add(
      "RReLU", [] { return nn::RReLU(); }, 4 * x);
  t.add(
      "Softmax2d", [] { return nn::Softmax2d(); }, plane);
  t.add(
      "Sequential", [] { return nn::Sequential(nn::Linear(3, 4), nn::Tanh(), nn::BatchNorm1d(4), nn::Linear(4, 1)); },
      x);
  t.add_call(
      "ModuleList", [] { return nn::ModuleList(nn::Linear(3, 3), nn::Linear(3, 2)); }, {x},
      [](const auto& m, const List& v) { return m[1](m[0](v[0])); });
  t.add_call(
      "ModuleDict",
      [] {
        return nn::ModuleDict({{"b", nn::Linear(3, 3)}, {"a", nn::Linear(3, 2)}});
      },
      {x}, [](const auto& m, const List& v) { return m["a"](m["b"](v[0])); });
  t.add_call(
      "ParameterList",
      [] {
        return nn::ParameterList({ones({3}), ones({2, 3})});
      },
      {x}, [](const auto& m, const List& v) { return v[0] * m[0] + m[1]; });

  t.add(
      "Linear", [] { return nn::Linear(3, 5); }, x);
  t.add(
      "Linear no bias", [] { return nn::Linear(3, 5, false); }, x);
  t.add(
      "Bilinear", [] { return nn::Bilinear(3, 4, 5); }, x, other);
  t.add(
      "Bilinear no bias", [] { return nn::Bilinear(3, 4, 2, false); }, x, other);
  t.add(
      "Conv1d", [] { return nn::Conv1d(4, 6, 3); }, line);
  t.add(
      "Conv1d options",
      [] { return nn::Conv1d(4, 6, 2, {.stride = 2, .padding = 3, .dilation = 2, .groups = 2, .bias = false}); }, line);
  t.add(
      "Conv1d reflect", [] { return nn::Conv1d(4, 2, 3, {.padding = 2, .padding_mode = Pad::reflect}); }, line);
  t.add(
      "Conv2d", [] { return nn::Conv2d(4, 3, 3, {.padding = 1}); }, plane);
  t.add(
      "Conv2d options",
      [] {
        return nn::Conv2d(4, 4, {2, 3}, {.stride = {2, 1}, .padding = {0, 2}, .dilation = {1, 2}, .groups = 4});
      },
      plane);
  t.add(
      "Conv2d same",
      [] {
        return nn::Conv2d(4, 2, {2, 3}, {.padding = Padding::same});
      },
      plane);
  t.add(
      "Conv2d same circular",
      [] {
        return nn::Conv2d(4, 2, {2, 3}, {.padding = Padding::same, .padding_mode = Pad::circular});
      },
      plane);
  t.add(
      "Conv2d replicate",
      [] {
        return nn::Conv2d(4, 2, 2, {.padding = {1, 2}, .padding_mode = Pad::replicate});
      },
      plane);
  t.add(
      "Conv3d", [] { return nn::Conv3d(4, 2, 2); }, space);
  t.add(
      "ConvTranspose1d", [] { return nn::ConvTranspose1d(4, 3, 2); }, line);
  t.add(
      "ConvTranspose1d options",
      [] {
        return nn::ConvTranspose1d(
            4, 6, 3, {.stride = 2, .padding = 1, .output_padding = 1, .groups = 2, .bias = false, .dilation = 2});
      },
      line);
  t.add(
      "ConvTranspose2d", [] { return nn::ConvTranspose2d(4, 2, 2, {.stride = 2}); }, plane);
  t.add(
      "ConvTranspose3d",
      [] {
        return nn::ConvTranspose3d(4, 2, {1, 2, 2});
      },
      space);

  const Tensor index = tensor({{0, 2, 4}, {1, 2, 0}});
  t.add(
      "Embedding", [] { return nn::Embedding(5, 3); }, index);
  t.add(
      "Embedding padding", [] { return nn::Embedding(5, 3, -3); }, index);
  t.add(
      "EmbeddingBag", [] { return nn::EmbeddingBag(5, 3); }, index);
  t.add_call(
      "EmbeddingBag sum", [] { return nn::EmbeddingBag(5, 3, {.mode = Reduce::sum, .padding_idx = 2}); },
      {index, ramp({2, 3}, 1)}, [](const auto& m, const List& v) { return m(v[0], Tensor(), v[1]); });
  t.add(
      "EmbeddingBag offsets",
      [] { return nn::EmbeddingBag(5, 3, {.mode = Reduce::amax, .include_last_offset = true}); }, index.flatten(),
      tensor({0, 2, 6}));

  t.add(
      "BatchNorm1d", [] { return nn::BatchNorm1d(4); }, line);
  t.add(
      "BatchNorm1d rows", [] { return nn::BatchNorm1d(3, {.eps = 1e-3, .momentum = 0.3}); }, ramp({4, 3}));
  t.add(
      "BatchNorm1d plain", [] { return nn::BatchNorm1d(4, {.affine = false, .track_running_stats = false}); }, line);
  t.add_call(
      "BatchNorm1d mean of all", [] { return nn::BatchNorm1d(4, {.momentum = none}); }, {line},
      [](const auto& m, const List& v) { return m(m(v[0]) + v[0]); });
  t.add(
      "BatchNorm2d", [] { return nn::BatchNorm2d(4); }, plane);
  t.add(
      "BatchNorm3d", [] { return nn::BatchNorm3d(4); }, space);
  t.add(
      "InstanceNorm1d", [] { return nn::InstanceNorm1d(4); }, line);
  t.add(
      "InstanceNorm1d unbatched", [] { return nn::InstanceNorm1d(4, {.affine = true}); }, ramp({4, 5}));
  t.add(
      "InstanceNorm1d tracking",
      [] { return nn::InstanceNorm1d(4, {.momentum = 0.3, .affine = true, .track_running_stats = true}); }, line);
  t.add(
      "InstanceNorm2d", [] { return nn::InstanceNorm2d(4, {.affine = true}); }, plane);
  t.add(
      "InstanceNorm3d", [] { return nn::InstanceNorm3d(4, {.eps = 1e-3}); }, space);
  t.add(
      "LayerNorm", [] { return nn::LayerNorm(5); }, line);
  t.add(
      "LayerNorm options",
      [] {
        return nn::LayerNorm({4, 5}, {.eps = 1e-3, .bias = false});
      },
      line);
  t.add(
      "LayerNorm plain", [] { return nn::LayerNorm(5, {.elementwise_affine = false}); }, line);
  t.add(
      "RMSNorm", [] { return nn::RMSNorm({5}); }, line);
  t.add(
      "RMSNorm options",
      [] {
        return nn::RMSNorm({4, 5}, 1e-3, false);
      },
      line);
  t.add(
      "GroupNorm", [] { return nn::GroupNorm(2, 4); }, line);
  t.add(
      "GroupNorm options", [] { return nn::GroupNorm(4, 4, 1e-3, false); }, line);

  const Tensor two = line.narrow(1, 0, 2), square = plane.narrow(0, 0, 1).narrow(1, 0, 1), cube = space.narrow(1, 0, 1);
  t.add(
      "ZeroPad1d", [] { return nn::ZeroPad1d(2); }, two);
  t.add(
      "ZeroPad2d",
      [] {
        return nn::ZeroPad2d({1, 2, 0, 1});
      },
      square);
  t.add(
      "ZeroPad3d", [] { return nn::ZeroPad3d({1}); }, cube);
  t.add(
      "ReflectionPad1d", [] { return nn::ReflectionPad1d(2); }, two);
  t.add(
      "ReflectionPad2d",
      [] {
        return nn::ReflectionPad2d({1, 2, 0, 1});
      },
      square);
  t.add(
      "ReflectionPad3d", [] { return nn::ReflectionPad3d(1); }, cube);
  t.add(
      "ReplicationPad1d", [] { return nn::ReplicationPad1d(2); }, two);
  t.add(
      "ReplicationPad2d",
      [] {
        return nn::ReplicationPad2d({1, 2, 0, 1});
      },
      square);
  t.add(
      "ReplicationPad3d", [] { return nn::ReplicationPad3d(1); }, cube);
  t.add(
      "CircularPad1d", [] { return nn::CircularPad1d(2); }, two);
  t.add(
      "CircularPad2d",
      [] {
        return nn::CircularPad2d({1, 2, 0, 1});
      },
      square);
  t.add(
      "CircularPad3d", [] { return nn::CircularPad3d(1); }, cube);
}

}  // namespace jot::test
