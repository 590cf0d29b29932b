// Containers: access, classes, sharing; errors of constructors and calls by text.
#include "rows.h"
#include "tests/functions/failures.h"

using namespace jot;
using namespace jot::test;

TEST_CASE("lists of modules: size, order, classes, copies share what is appended") {
  const nn::ModuleList list(nn::Linear(2, 3), nn::LSTM(3, 4));
  const nn::ModuleList copy = list;
  copy.append(nn::ReLU());
  CHECK_EQ(list.size(), 3);
  CHECK_EQ(list[0](ones({5, 2})).shape(), Shape{5, 3});
  CHECK_EQ(list[-1](-ones({2})).to_vector<float>(), std::vector<float>{0, 0});
  CHECK_EQ(list.as<nn::LSTM>(1)(ones({6, 1, 3})).first.shape(), Shape{6, 1, 4});
  CHECK_EQ(list.state_dict().count("1.weight_hh_l0"), 1);
  int64_t seen = 0;
  for (const nn::Module& m : list) seen += m.is_training();
  CHECK_EQ(seen, 3);
  copy.eval();
  CHECK_FALSE(list[2].is_training());
  const nn::ModuleList many(std::vector<nn::Linear>(3, nn::Linear(2, 2)));
  CHECK_EQ(many.size(), 3);
  CHECK_EQ(many.named_parameters().size(), 2);  // one layer, three times
  CHECK_EQ(many.state_dict().size(), 6);
}

TEST_CASE("modules by name, parameters in order") {
  const nn::ModuleDict dict({{"b", nn::Linear(2, 3)}, {"a", nn::ReLU()}});
  dict.insert("c", nn::GRU(1, 2));
  CHECK_EQ(dict.keys(), std::vector<std::string>{"b", "a", "c"});
  CHECK(dict.contains("a"));
  CHECK_FALSE(dict.contains("d"));
  CHECK_EQ(dict.size(), 3);
  CHECK_EQ(dict["b"](ones({2})).shape(), Shape{3});
  CHECK_EQ(dict.as<nn::GRU>("c")(ones({4, 1})).second.shape(), Shape{1, 2});
  const nn::ParameterList list({ones({2}), 2 * ones({3})});
  CHECK_EQ(list.append(zeros({1}))->shape(), Shape{1});
  CHECK_EQ(list.size(), 3);
  CHECK_EQ(sum(list[-2]).item<float>(), 6);
  CHECK_EQ(sum(list[1]).item<float>(), 6);
}

TEST_CASE("errors name the layer, what was expected and what was given") {
  const Tensor x = ones({2, 3});
  const nn::Sequential seq(nn::Linear(2, 2));
  const nn::ModuleDict dict({{"a", nn::ReLU()}});
  check_errors(
      {
          {"[Sequential] index 1 is out of range: expected one of 1", [&] { seq[1]; }},
          {"[Sequential] module 0 is a Linear, not of the class that is asked for", [&] { seq.as<nn::ReLU>(0); }},
          {"[ModuleDict] no module 'b': it has 'a'", [&] { dict["b"]; }},
          {"[ModuleDict] module 'a' is a ReLU, not of the class that is asked for", [&] { dict.as<nn::Linear>("a"); }},
          {"[register_module] name 'a' is that of a module in this one already", [&] { dict.insert("a", seq); }},
          {"[Linear] a parameter of shape", [] { nn::Linear(-1, 2); }},
          {"[Conv2d] in_channels must be divisible by groups, got 3 and 2", [] { nn::Conv2d(3, 4, 2, {.groups = 2}); }},
          {"[Conv2d] out_channels must be divisible by groups, got 3 and 2",
           [] { nn::Conv2d(4, 3, 2, {.groups = 2}); }},
          {"[Conv1d] groups must be a positive integer, got 0", [] { nn::Conv1d(4, 3, 2, {.groups = 0}); }},
          {"[Conv2d] expected kernel_size to be an integer or 2 of them, got [1,2,3]",
           [] {
             nn::Conv2d(4, 3, {1, 2, 3});
           }},
          {"[Conv2d] padding='same' is not supported for strided convolutions",
           [] { nn::Conv2d(4, 3, 2, {.stride = 2, .padding = Padding::same, .padding_mode = Pad::reflect}); }},
          {"[Embedding] Padding_idx must be within num_embeddings, got 4 of 4", [] { nn::Embedding(4, 2, 4); }},
          {"[Pad2d] expected an integer or 4 of them, got [1,2]",
           [] {
             nn::ZeroPad2d({1, 2});
           }},
          {"[BatchNorm1d] expected 2D or 3D input (got 4D input)",
           [] {
             nn::BatchNorm1d(3)(ones({1, 3, 1, 1}));
           }},
          {"[BatchNorm2d] expected 4D input (got 2D input)", [&] { nn::BatchNorm2d(3)(x); }},
          {"[InstanceNorm2d] expected 3D or 4D input (got 2D input)", [&] { nn::InstanceNorm2d(3)(x); }},
          {"[InstanceNorm1d] expected input's size at dim=0 to match num_features (4), but got: 2",
           [&] { nn::InstanceNorm1d(4, {.affine = true})(x); }},
          {"[GroupNorm] num_channels must be divisible by num_groups, got 5 and 2", [] { nn::GroupNorm(2, 5); }},
          {"[Softmax2d] expected 3D or 4D input, got [2,3]", [&] { nn::Softmax2d()(x); }},
          {"[RNN] Unknown nonlinearity 'sine'. Select from 'tanh' or 'relu'.",
           [] { nn::RNN(1, 1, {.nonlinearity = "sine"}); }},
          {"[LSTM] hidden_size must be greater than zero, got 0", [] { nn::LSTM(1, 0); }},
          {"[LSTM] a parameter of shape [4611686018427387904,4611686018427387904]",
           [] { nn::LSTM(1, int64_t{1} << 62); }},
          {"[GRU] num_layers must be greater than zero, got 0", [] { nn::GRU(1, 1, {.num_layers = 0}); }},
          {"[GRU] dropout should be a number in range [0, 1], got 2", [] { nn::GRU(1, 1, {.dropout = 2}); }},
          {"[LSTM] proj_size has to be 0, for none, or smaller than hidden_size, got 2 and 2",
           [] { nn::LSTM(1, 2, {.proj_size = 2}); }},
          {"[LSTM] Expected input to be 2D or 3D, got [3] instead", [] { nn::LSTM(3, 2)(ones({3})); }},
          {"[LSTM] input.size(-1) must be equal to input_size. Expected 4, got 3", [&] { nn::LSTM(4, 2)(x); }},
          {"[LSTM] Expected the cell state of shape [1,2], got [2]",
           [&] {
             nn::LSTM(3, 2)(x, {ones({1, 2}), ones({2})});
           }},
          {"[GRUCell] Expected the hidden state of shape [2,5], got [2,4]",
           [&] {
             nn::GRUCell(3, 5)(x, ones({2, 4}));
           }},
          {"[MultiheadAttention] embed_dim and num_heads must be greater than 0, got -4 and 2",
           [] { nn::MultiheadAttention(-4, 2); }},
          {"[TransformerEncoder] num_layers must not be negative, got -1",
           [] { nn::TransformerEncoder(nn::TransformerEncoderLayer(4, 2), -1); }},
          {"[Conv3d] a parameter of shape [4611686018427387904,4611686018427387904,3,3,3]",
           [] { nn::Conv3d(int64_t{1} << 62, int64_t{1} << 62, 3); }},
          {"[MultiheadAttention] embed_dim must be divisible by num_heads, got 5 and 2",
           [] { nn::MultiheadAttention(5, 2); }},
          {"[multi_head_attention] was expecting embedding dimension of 4, but got 3",
           [&] { nn::MultiheadAttention(4, 2)(x, x, x); }},
          {"[Activation] activation should be \"relu\", \"gelu\" or a function, not \"sine\"",
           [] { nn::TransformerEncoderLayer(4, 2, {.activation = "sine"}); }},
          {"[mse_loss] ",
           [&] {
             nn::MSELoss()(x, ones({4, 5}));
           }},
          {"[max_pool2d] ", [&] { nn::MaxPool2d(2)(ones({4})); }},
          {"[Module] this module has no forward(const Tensor&)",
           [&] { nn::Sequential(nn::Linear(3, 3), nn::LSTM(3, 3))(x); }},
      },
      "containers_test.cpp");
}
