// Recurrent networks: a scan over the steps of each layer and direction, under every transform. Weights begin uniformly
// within 1 / sqrt(hidden_size).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "jot/module.h"

namespace jot::nn {

// dropout: between layers, while training.
struct RNNOptions {
  int64_t num_layers = 1;
  std::string nonlinearity = "tanh";  // or "relu"
  bool bias = true;
  bool batch_first = false;
  double dropout = 0;
  bool bidirectional = false;
};
struct GRUOptions {
  int64_t num_layers = 1;
  bool bias = true;
  bool batch_first = false;
  double dropout = 0;
  bool bidirectional = false;
};
// proj_size: where it is not 0, h is a projection of so many numbers.
struct LSTMOptions {
  int64_t num_layers = 1;
  bool bias = true;
  bool batch_first = false;
  double dropout = 0;
  bool bidirectional = false;
  int64_t proj_size = 0;
};

// How states follow each other.
enum class RecurrentCell : uint8_t { tanh, relu, lstm, gru };

// What RNN, LSTM and GRU share. The input is [steps, n, input_size], with batch_first [n, steps, input_size], or
// without n. Parameters weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, with _reverse for the other direction.
class Recurrent : public Module {
 protected:
  Recurrent(const char* name, RecurrentCell cell, int64_t input_size, int64_t hidden_size, const LSTMOptions& options,
            Location at);
  // The outputs, and the states after the last step, h and of an LSTM c: each [layers directions, n, hidden_size]. So
  // are those before the first, none for zeros.
  std::pair<Tensor, std::vector<Tensor>> run(const Tensor& x, std::vector<Tensor> states, Location at) const;

 private:
  struct Weights;
  Weights weights(size_t index) const;
  const char* name_;
  RecurrentCell cell_;
  int64_t input_size_, hidden_size_;
  LSTMOptions options_;
  std::vector<Parameter> parameters_;  // of one layer and direction after the other
};

// h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu.
class RNN : public Recurrent {
 public:
  RNN(int64_t input_size, int64_t hidden_size, const RNNOptions& options = {}, Location at = JOT_HERE);
  std::pair<Tensor, Tensor> operator()(const Tensor& x, Location at = JOT_HERE) const;
  std::pair<Tensor, Tensor> operator()(const Tensor& x, const Tensor& h, Location at = JOT_HERE) const;
};
// Gates i, f, g, o in rows of the weights: c' = f c + i g, h' = o tanh(c').
class LSTM : public Recurrent {
 public:
  LSTM(int64_t input_size, int64_t hidden_size, const LSTMOptions& options = {}, Location at = JOT_HERE);
  std::pair<Tensor, std::pair<Tensor, Tensor>> operator()(const Tensor& x, Location at = JOT_HERE) const;
  std::pair<Tensor, std::pair<Tensor, Tensor>> operator()(const Tensor& x, const std::pair<Tensor, Tensor>& hc,
                                                          Location at = JOT_HERE) const;
};
// Gates r, z, n in rows of the weights: h' = (1 - z) n + z h.
class GRU : public Recurrent {
 public:
  GRU(int64_t input_size, int64_t hidden_size, const GRUOptions& options = {}, Location at = JOT_HERE);
  std::pair<Tensor, Tensor> operator()(const Tensor& x, Location at = JOT_HERE) const;
  std::pair<Tensor, Tensor> operator()(const Tensor& x, const Tensor& h, Location at = JOT_HERE) const;
};

// One step: x [n, input_size] or [input_size], states of zeros where they are not given. Parameters weight_ih,
// weight_hh, bias_ih, bias_hh.
class RecurrentStep : public Module {
 public:
  Parameter weight_ih, weight_hh;
  std::optional<Parameter> bias_ih, bias_hh;

 protected:
  RecurrentStep(const char* name, RecurrentCell cell, int64_t input_size, int64_t hidden_size, bool bias, Location at);
  std::vector<Tensor> run(const Tensor& x, std::vector<Tensor> states, Location at) const;

 private:
  const char* name_;
  RecurrentCell cell_;
  int64_t input_size_, hidden_size_;
};
class RNNCell : public RecurrentStep {
 public:
  RNNCell(int64_t input_size, int64_t hidden_size, bool bias = true, const std::string& nonlinearity = "tanh",
          Location at = JOT_HERE);
  Tensor forward(const Tensor& x) const override;
  using Module::operator();
  Tensor operator()(const Tensor& x, const Tensor& h, Location at = JOT_HERE) const;
};
class LSTMCell : public RecurrentStep {
 public:
  LSTMCell(int64_t input_size, int64_t hidden_size, bool bias = true, Location at = JOT_HERE);
  std::pair<Tensor, Tensor> operator()(const Tensor& x, Location at = JOT_HERE) const;
  std::pair<Tensor, Tensor> operator()(const Tensor& x, const std::pair<Tensor, Tensor>& hc,
                                       Location at = JOT_HERE) const;
};
class GRUCell : public RecurrentStep {
 public:
  GRUCell(int64_t input_size, int64_t hidden_size, bool bias = true, Location at = JOT_HERE);
  Tensor forward(const Tensor& x) const override;
  using Module::operator();
  Tensor operator()(const Tensor& x, const Tensor& h, Location at = JOT_HERE) const;
};

}  // namespace jot::nn
