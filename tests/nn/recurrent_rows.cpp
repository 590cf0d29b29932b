// Rows of recurrent layers and attention.
#include "rows.h"

namespace jot::test {

namespace {

void attention_rows(ModuleRows& t) {
  const Tensor q = ramp({3, 2, 4}), k = ramp({5, 2, 4}, 0.3), mask = ramp({3, 3}, 2);
  const Tensor padding = tensor({{false, false, false, false, true}, {false, true, false, false, false}});
  t.add_call(
      "MultiheadAttention", [] { return nn::MultiheadAttention(4, 2); }, {q},
      [](const auto& m, const List& v) { return m(v[0], v[0], v[0]); });
  t.add_call(
      "MultiheadAttention padding", [] { return nn::MultiheadAttention(4, 2, {.bias = false, .batch_first = true}); },
      {q.transpose(0, 1), k.transpose(0, 1)},
      [padding](const auto& m, const List& v) {
        return m(v[0], v[1], v[1], {.key_padding_mask = padding, .average_attn_weights = false});
      });
  t.add_call(
      "MultiheadAttention rows",
      [] { return nn::MultiheadAttention(4, 1, {.add_bias_kv = true, .add_zero_attn = true}); }, {q, mask},
      [](const auto& m, const List& v) { return m(v[0], v[0], v[0], {.need_weights = false, .attn_mask = v[1]}); });
  t.add(
      "MultiheadAttention separate", [] { return nn::MultiheadAttention(4, 2, {.kdim = 3, .vdim = 2}); },
      q.select(1, 0), ramp({5, 3}), ramp({5, 2}, 1));
  t.add(
      "TransformerEncoderLayer", [] { return nn::TransformerEncoderLayer(4, 2, {.dim_feedforward = 5, .dropout = 0}); },
      q);
  t.add_call(
      "TransformerEncoderLayer options",
      [] {
        return nn::TransformerEncoderLayer(4, 2,
                                           {.dim_feedforward = 5,
                                            .dropout = 0,
                                            .activation = "gelu",
                                            .layer_norm_eps = 1e-3,
                                            .batch_first = true,
                                            .norm_first = true,
                                            .bias = false});
      },
      {k.transpose(0, 1)},
      [padding](const auto& m, const List& v) { return m(v[0], {.src_key_padding_mask = padding}); });
  t.add_call(
      "TransformerEncoder",
      [] {
        return nn::TransformerEncoder(nn::TransformerEncoderLayer(4, 2, {.dim_feedforward = 3, .dropout = 0}), 2,
                                      nn::LayerNorm(4));
      },
      {q, mask}, [](const auto& m, const List& v) { return m(v[0], {.mask = v[1]}); });
}

}  // namespace

void recurrent_rows(ModuleRows& t) {
  const Tensor x = ramp({4, 2, 3}), turned = ramp({2, 4, 3}), row = ramp({2, 3}, 0, 3), h = ramp({1, 2, 5}, 0.3);
  const auto with_pair = [](const auto& m, const List& v) { return m(v[0], std::pair{v[1], v[2]}); };
  t.add(
      "RNN", [] { return nn::RNN(3, 5); }, x);
  t.add(
      "RNN options",
      [] {
        return nn::RNN(
            3, 2, {.num_layers = 2, .nonlinearity = "relu", .bias = false, .batch_first = true, .bidirectional = true});
      },
      turned, ramp({4, 2, 2}, 0.3));
  t.add(
      "LSTM", [] { return nn::LSTM(3, 5); }, x);
  t.add_call(
      "LSTM states", [] { return nn::LSTM(3, 5); }, {x, h, ramp({1, 2, 5}, 0.9)}, with_pair);
  t.add(
      "LSTM options", [] { return nn::LSTM(3, 2, {.num_layers = 2, .batch_first = true, .bidirectional = true}); },
      turned);
  t.add(
      "LSTM unbatched", [] { return nn::LSTM(3, 2, {.bias = false}); }, x.select(1, 0));
  t.add(
      "LSTM projection", [] { return nn::LSTM(3, 4, {.num_layers = 2, .bidirectional = true, .proj_size = 2}); }, x);
  t.add(
      "GRU", [] { return nn::GRU(3, 5); }, x, h);
  t.add(
      "GRU options", [] { return nn::GRU(3, 2, {.num_layers = 2, .bias = false, .bidirectional = true}); }, x);
  t.add(
      "GRU unbatched", [] { return nn::GRU(3, 2, {.batch_first = true}); }, x.select(1, 0), ramp({1, 2}, 1));
  t.add(
      "RNNCell", [] { return nn::RNNCell(3, 5); }, row, h[0]);
  t.add(
      "RNNCell relu", [] { return nn::RNNCell(3, 5, false, "relu"); }, row[0]);
  t.add(
      "LSTMCell", [] { return nn::LSTMCell(3, 5); }, row);
  t.add_call(
      "LSTMCell states", [] { return nn::LSTMCell(3, 5, false); }, {row, h[0], h[0] / 2}, with_pair);
  t.add(
      "GRUCell", [] { return nn::GRUCell(3, 5); }, row, h[0]);
  t.add(
      "GRUCell zeros", [] { return nn::GRUCell(3, 5, false); }, row);
  attention_rows(t);
}

}  // namespace jot::test
