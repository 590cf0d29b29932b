// Recurrent layers: what the steps take from the input is one product for all of them, the rest is a scan.
#include "jot/nn_recurrent.h"

#include <cmath>

#include "core/nn/module_state.h"
#include "core/record/scope.h"
#include "core/storage/views.h"
#include "jot/creation.h"
#include "jot/loops.h"
#include "jot/nn_functional.h"
#include "jot/nn_init.h"

namespace jot::nn {

using detail::CallSite;
using detail::fail;
using detail::given;
using detail::impl_of;

struct Recurrent::Weights {
  Tensor ih, hh, bias_ih, bias_hh, projection;
};

namespace {

using States = std::vector<Tensor>;

int64_t gates_of(RecurrentCell cell) { return cell == RecurrentCell::lstm ? 4 : cell == RecurrentCell::gru ? 3 : 1; }
size_t states_of(RecurrentCell cell) { return cell == RecurrentCell::lstm ? 2 : 1; }

// What a step adds to products with its state. The bias of the state joins it, but for a GRU, where a gate stands
// between.
template <class W>
Tensor input_part(RecurrentCell cell, const Tensor& x, const W& w, Location at) {
  const bool join = w.bias_ih.defined() && cell != RecurrentCell::gru;
  return functional::linear(x, w.ih, join ? w.bias_ih + w.bias_hh : w.bias_ih, at);
}

template <class W>
States step(RecurrentCell cell, const Tensor& input, const States& s, const W& w, Location at) {
  const Tensor h = functional::linear(s[0], w.hh, cell == RecurrentCell::gru ? w.bias_hh : Tensor(), at);
  switch (cell) {
    case RecurrentCell::tanh:
      return {tanh(input + h, at)};
    case RecurrentCell::relu:
      return {relu(input + h, at)};
    case RecurrentCell::gru: {
      const std::vector<Tensor> a = input.chunk(3, -1, at), b = h.chunk(3, -1, at);
      const Tensor r = sigmoid(a[0] + b[0], at), z = sigmoid(a[1] + b[1], at), n = tanh(a[2] + r * b[2], at);
      return {(1 - z) * n + z * s[0]};
    }
    case RecurrentCell::lstm:
      break;
  }
  const std::vector<Tensor> g = (input + h).chunk(4, -1, at);
  const Tensor c = sigmoid(g[1], at) * s[1] + sigmoid(g[0], at) * tanh(g[2], at);
  const Tensor next = sigmoid(g[3], at) * tanh(c, at);
  return {w.projection.defined() ? functional::linear(next, w.projection, {}, at) : next, c};
}

RecurrentCell nonlinear(const char* name, const std::string& nonlinearity, Location at) {
  if (nonlinearity == "tanh") return RecurrentCell::tanh;
  if (nonlinearity == "relu") return RecurrentCell::relu;
  fail<Error>(name, "Unknown nonlinearity '" + nonlinearity + "'. Select from 'tanh' or 'relu'.", at);
}

Tensor weight_of(const char* name, const Shape& shape, int64_t hidden, Location at) {
  const double bound = hidden > 0 ? 1 / std::sqrt(static_cast<double>(hidden)) : 0;
  return init::uniform_(detail::parameter_of(name, shape, at), -bound, bound, at);
}

void check_sizes(const char* name, int64_t hidden_size, Location at) {
  if (hidden_size < 1)
    fail<ShapeError>(name, "hidden_size must be greater than zero, got " + std::to_string(hidden_size), at);
  detail::check_shape(name, "a parameter of shape", {hidden_size, hidden_size}, at);  // before gates multiply it
}

void check_input(const char* name, const Tensor& x, std::initializer_list<size_t> ranks, int64_t features,
                 Location at) {
  const Shape& shape = impl_of(x, name, at).shape;
  std::string expected;
  bool right = false;
  for (size_t r : ranks) {
    expected += (expected.empty() ? "" : " or ") + std::to_string(r) + "D";
    right |= shape.size() == r;
  }
  if (!right) fail<ShapeError>(name, "Expected input to be " + expected + ", got " + to_string(shape) + " instead", at);
  if (shape.back() != features)
    fail<ShapeError>(name,
                     "input.size(-1) must be equal to input_size. Expected " + std::to_string(features) + ", got " +
                         std::to_string(shape.back()),
                     at);
}

void check_state(const char* name, const char* which, const Tensor& state, const Shape& expected, Location at) {
  const Shape& shape = impl_of(state, name, at).shape;
  if (shape != expected)
    fail<ShapeError>(
        name, std::string("Expected ") + which + " of shape " + to_string(expected) + ", got " + to_string(shape), at);
}

}  // namespace

// ---- sequences

Recurrent::Recurrent(const char* name, RecurrentCell cell, int64_t input_size, int64_t hidden_size,
                     const LSTMOptions& o, Location at)
    : name_(name), cell_(cell), input_size_(input_size), hidden_size_(hidden_size), options_(o) {
  check_sizes(name, hidden_size, at);
  if (o.num_layers < 1)
    fail<ShapeError>(name, "num_layers must be greater than zero, got " + std::to_string(o.num_layers), at);
  if (!(o.dropout >= 0 && o.dropout <= 1))
    fail<Error>(name, "dropout should be a number in range [0, 1], got " + std::to_string(o.dropout), at);
  if (o.proj_size < 0 || o.proj_size >= hidden_size)
    fail<ShapeError>(name,
                     "proj_size has to be 0, for none, or smaller than hidden_size, got " +
                         std::to_string(o.proj_size) + " and " + std::to_string(hidden_size),
                     at);
  const int64_t directions = o.bidirectional ? 2 : 1, rows = gates_of(cell) * hidden_size;
  const int64_t out = o.proj_size ? o.proj_size : hidden_size;
  for (int64_t layer = 0; layer < o.num_layers; ++layer)
    for (int64_t direction = 0; direction < directions; ++direction) {
      const std::string suffix = "_l" + std::to_string(layer) + (direction ? "_reverse" : "");
      auto add = [&](const char* kind, const Shape& shape) {
        parameters_.push_back(register_parameter(kind + suffix, weight_of(name, shape, hidden_size, at), at));
      };
      add("weight_ih", {rows, layer ? out * directions : input_size});
      add("weight_hh", {rows, out});
      if (o.bias) add("bias_ih", {rows});
      if (o.bias) add("bias_hh", {rows});
      if (o.proj_size) add("weight_hr", {o.proj_size, hidden_size});
    }
}

// Of one layer and direction.
Recurrent::Weights Recurrent::weights(size_t index) const {
  const size_t each = 2 + (options_.bias ? 2 : 0) + (options_.proj_size ? 1 : 0);
  const Parameter* p = &parameters_[index * each];
  Weights w{.ih = p[0], .hh = p[1]};
  if (options_.bias) w.bias_ih = p[2], w.bias_hh = p[3];
  if (options_.proj_size) w.projection = p[each - 1];
  return w;
}

std::pair<Tensor, std::vector<Tensor>> Recurrent::run(const Tensor& x, std::vector<Tensor> states, Location at) const {
  CallSite site(at);
  at = CallSite::current();
  detail::Composite call(name_, at);
  check_input(name_, x, {2, 3}, input_size_, at);
  const bool batched = x.dim() == 3, batch_first = batched && options_.batch_first;
  Tensor y = batch_first ? x.transpose(0, 1, at) : batched ? x : x.unsqueeze(1, at);
  const int64_t directions = options_.bidirectional ? 2 : 1, lanes = y.size(1);
  for (size_t k = 0; k < states_of(cell_); ++k) {
    const int64_t width = k == 0 && options_.proj_size ? options_.proj_size : hidden_size_;
    const Shape shape{options_.num_layers * directions, lanes, width};
    if (states.size() <= k) states.push_back({});
    if (!states[k].defined()) {
      states[k] = zeros(shape, x.dtype(), at);
      continue;
    }
    check_state(name_, k ? "the cell state" : "the hidden state", states[k],
                batched ? shape : Shape{shape[0], shape[2]}, at);
    if (!batched) states[k] = states[k].unsqueeze(1, at);
  }
  std::vector<std::vector<Tensor>> last(states.size());
  for (int64_t layer = 0; layer < options_.num_layers; ++layer) {
    std::vector<Tensor> outputs;
    for (int64_t direction = 0; direction < directions; ++direction) {
      const int64_t index = layer * directions + direction;
      const Weights w = weights(static_cast<size_t>(index));
      States first;
      for (const Tensor& s : states) first.push_back(s.select(0, index, at));
      auto body = [&](const States& s, const Tensor& input) {
        States next = step(cell_, input, s, w, at);
        Tensor h = next[0];
        return std::pair{next, h};
      };
      auto [end, hs] = scan(body, first, input_part(cell_, y, w, at), {.reverse = direction == 1}, at);
      for (size_t k = 0; k < end.size(); ++k) last[k].push_back(end[k]);
      outputs.push_back(hs);
    }
    y = directions == 1 ? outputs[0] : cat(outputs, -1, at);
    if (options_.dropout > 0 && layer + 1 < options_.num_layers)
      y = functional::dropout(y, options_.dropout, is_training(), at);
  }
  std::vector<Tensor> final_states;
  for (const std::vector<Tensor>& s : last) {
    final_states.push_back(stack(s, 0, at));
    if (!batched) final_states.back() = final_states.back().squeeze(1, at);
  }
  return {batch_first ? y.transpose(0, 1, at) : batched ? y : y.squeeze(1, at), final_states};
}

RNN::RNN(int64_t input_size, int64_t hidden_size, const RNNOptions& o, Location at)
    : Recurrent("RNN", nonlinear("RNN", o.nonlinearity, at), input_size, hidden_size,
                {o.num_layers, o.bias, o.batch_first, o.dropout, o.bidirectional}, at) {}
std::pair<Tensor, Tensor> RNN::operator()(const Tensor& x, Location at) const { return (*this)(x, Tensor(), at); }
std::pair<Tensor, Tensor> RNN::operator()(const Tensor& x, const Tensor& h, Location at) const {
  auto [y, states] = run(x, {h}, at);
  return {y, states[0]};
}

GRU::GRU(int64_t input_size, int64_t hidden_size, const GRUOptions& o, Location at)
    : Recurrent("GRU", RecurrentCell::gru, input_size, hidden_size,
                {o.num_layers, o.bias, o.batch_first, o.dropout, o.bidirectional}, at) {}
std::pair<Tensor, Tensor> GRU::operator()(const Tensor& x, Location at) const { return (*this)(x, Tensor(), at); }
std::pair<Tensor, Tensor> GRU::operator()(const Tensor& x, const Tensor& h, Location at) const {
  auto [y, states] = run(x, {h}, at);
  return {y, states[0]};
}

LSTM::LSTM(int64_t input_size, int64_t hidden_size, const LSTMOptions& o, Location at)
    : Recurrent("LSTM", RecurrentCell::lstm, input_size, hidden_size, o, at) {}
std::pair<Tensor, std::pair<Tensor, Tensor>> LSTM::operator()(const Tensor& x, Location at) const {
  return (*this)(x, std::pair<Tensor, Tensor>(), at);
}
std::pair<Tensor, std::pair<Tensor, Tensor>> LSTM::operator()(const Tensor& x, const std::pair<Tensor, Tensor>& hc,
                                                              Location at) const {
  auto [y, states] = run(x, {hc.first, hc.second}, at);
  return {y, {states[0], states[1]}};
}

// ---- single steps

RecurrentStep::RecurrentStep(const char* name, RecurrentCell cell, int64_t input_size, int64_t hidden_size, bool bias,
                             Location at)
    : weight_ih([&] {
        check_sizes(name, hidden_size, at);
        return register_parameter("weight_ih",
                                  weight_of(name, {gates_of(cell) * hidden_size, input_size}, hidden_size, at));
      }()),
      weight_hh(register_parameter("weight_hh",
                                   weight_of(name, {gates_of(cell) * hidden_size, hidden_size}, hidden_size, at))),
      name_(name),
      cell_(cell),
      input_size_(input_size),
      hidden_size_(hidden_size) {
  if (!bias) return;
  bias_ih = register_parameter("bias_ih", weight_of(name, {gates_of(cell) * hidden_size}, hidden_size, at));
  bias_hh = register_parameter("bias_hh", weight_of(name, {gates_of(cell) * hidden_size}, hidden_size, at));
}

std::vector<Tensor> RecurrentStep::run(const Tensor& x, std::vector<Tensor> states, Location at) const {
  CallSite site(at);
  at = CallSite::current();
  detail::Composite call(name_, at);
  check_input(name_, x, {1, 2}, input_size_, at);
  Shape shape = x.shape(at);
  shape[shape.size() - 1] = hidden_size_;
  states.resize(states_of(cell_));
  for (size_t k = 0; k < states.size(); ++k) {
    if (states[k].defined())
      check_state(name_, k ? "the cell state" : "the hidden state", states[k], shape, at);
    else
      states[k] = zeros(shape, x.dtype(), at);
  }
  struct {
    Tensor ih, hh, bias_ih, bias_hh, projection;
  } w{weight_ih, weight_hh, given(bias_ih), given(bias_hh), {}};
  return step(cell_, input_part(cell_, x, w, at), states, w, at);
}

RNNCell::RNNCell(int64_t input_size, int64_t hidden_size, bool bias, const std::string& nonlinearity, Location at)
    : RecurrentStep("RNNCell", nonlinear("RNNCell", nonlinearity, at), input_size, hidden_size, bias, at) {}
Tensor RNNCell::forward(const Tensor& x) const { return run(x, {}, Location())[0]; }
Tensor RNNCell::operator()(const Tensor& x, const Tensor& h, Location at) const { return run(x, {h}, at)[0]; }

GRUCell::GRUCell(int64_t input_size, int64_t hidden_size, bool bias, Location at)
    : RecurrentStep("GRUCell", RecurrentCell::gru, input_size, hidden_size, bias, at) {}
Tensor GRUCell::forward(const Tensor& x) const { return run(x, {}, Location())[0]; }
Tensor GRUCell::operator()(const Tensor& x, const Tensor& h, Location at) const { return run(x, {h}, at)[0]; }

LSTMCell::LSTMCell(int64_t input_size, int64_t hidden_size, bool bias, Location at)
    : RecurrentStep("LSTMCell", RecurrentCell::lstm, input_size, hidden_size, bias, at) {}
std::pair<Tensor, Tensor> LSTMCell::operator()(const Tensor& x, Location at) const {
  return (*this)(x, std::pair<Tensor, Tensor>(), at);
}
std::pair<Tensor, Tensor> LSTMCell::operator()(const Tensor& x, const std::pair<Tensor, Tensor>& hc,
                                               Location at) const {
  std::vector<Tensor> next = run(x, {hc.first, hc.second}, at);
  return {next[0], next[1]};
}

}  // namespace jot::nn
