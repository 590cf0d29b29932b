// The LSTM objective of ADBench: layers whose gates are elementwise, over the characters of a text, and the mean
// log-likelihood of each following character.
#pragma once
#include <jot/jot.h>

#include <fstream>
#include <string>
#include <vector>

namespace bench::recurrent {

using jot::Tensor;

// b bits a character; l layers; c characters.
struct Problem {
  Tensor main, extra, state, text;  // f64[2l,4,b] (weights and biases in turn), f64[3,b], f64[l,2,b], f64[c,b]
};

inline Problem read_problem(const std::string& path) {
  std::ifstream file(path);
  int64_t l = 0, c = 0, b = 0;
  file >> l >> c >> b;
  auto read = [&](const jot::Shape& shape) {
    std::vector<double> values(static_cast<size_t>(shape.numel()));
    for (double& v : values) file >> v;
    return Tensor::from(values, shape);
  };
  Problem p{read({2 * l, 4, b}), read({3, b}), read({l, 2, b}), read({c, b})};
  if (!file) throw jot::Error("[read_problem] " + path + " is not an LSTM problem");
  return p;
}

struct Layer {
  Tensor hidden, cell;
};
JOT_TREE(Layer, hidden, cell);

// The gates are forget, in, out and change.
inline Layer next(const Layer& s, const Tensor& input, const Tensor& weight, const Tensor& bias) {
  Tensor forget = sigmoid(input * weight[0] + bias[0]), in = sigmoid(s.hidden * weight[1] + bias[1]);
  Tensor out = sigmoid(input * weight[2] + bias[2]), change = tanh(s.hidden * weight[3] + bias[3]);
  Tensor cell = s.cell * forget + in * change;
  return {out * tanh(cell), cell};
}

inline Tensor objective(const Tensor& main, const Tensor& extra, const Tensor& state, const Tensor& text) {
  auto step = [&](const std::vector<Layer>& before, const Tensor& character) {
    std::vector<Layer> after;
    Tensor x = character * extra[0];
    for (size_t i = 0; i < before.size(); ++i) {
      auto k = static_cast<int64_t>(i);
      after.push_back(next(before[i], x, main[2 * k], main[2 * k + 1]));
      x = after.back().hidden;
    }
    return std::pair{after, x * extra[1] + extra[2]};
  };
  std::vector<Layer> start;
  for (int64_t i = 0; i < state.size(0); ++i) start.push_back({state[i][0], state[i][1]});
  Tensor predicted = jot::scan(step, start, text.slice(0, 0, -1)).second;
  Tensor normal = log(sum(exp(predicted), {1}, true) + 2);
  return -jot::mean(text.slice(0, 1) * (predicted - normal));
}

}  // namespace bench::recurrent
