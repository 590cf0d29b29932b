// Generated from the tables core/*.def by core/functions.py: change these and run ./dev generate.
// torch.nn.init.
#pragma once
#include <string>
#include <vector>

#include "jot/ops.h"

namespace jot::nn::init {

// clang-format off
struct TruncNormalOptions {
  double mean = 0;
  double std = 1;
  double a = -2;
  double b = 2;
};
struct KaimingOptions {
  double a = 0;
  std::string mode = "fan_in";
  std::string nonlinearity = "leaky_relu";
};

// ---- Initialisation: jot::nn::init
// They write to x, constant to derivatives, and return it. Fan in and fan out are extents 1 and 0 times those behind: ShapeError of fewer than 2 dims.
const Tensor& uniform_(const Tensor& x, double a = 0, double b = 1, Location at = JOT_HERE);
const Tensor& normal_(const Tensor& x, double mean = 0, double std = 1, Location at = JOT_HERE);
// normal_, drawn again outside of [a, b].
const Tensor& trunc_normal_(const Tensor& x, const TruncNormalOptions& options = {}, Location at = JOT_HERE);
const Tensor& constant_(const Tensor& x, double value, Location at = JOT_HERE);
const Tensor& ones_(const Tensor& x, Location at = JOT_HERE);
const Tensor& zeros_(const Tensor& x, Location at = JOT_HERE);
// 1 on the diagonal of a matrix, else 0. ShapeError.
const Tensor& eye_(const Tensor& x, Location at = JOT_HERE);
// The weight of a convolution that copies its channels, in so many groups: of 3 to 5 dims. ShapeError.
const Tensor& dirac_(const Tensor& x, int64_t groups = 1, Location at = JOT_HERE);
// uniform_ within gain sqrt(6 / (fan in + fan out)).
const Tensor& xavier_uniform_(const Tensor& x, double gain = 1, Location at = JOT_HERE);
// normal_ of std gain sqrt(2 / (fan in + fan out)).
const Tensor& xavier_normal_(const Tensor& x, double gain = 1, Location at = JOT_HERE);
// uniform_ within calculate_gain(nonlinearity, a) sqrt(3 / fan). mode: "fan_in" or "fan_out".
const Tensor& kaiming_uniform_(const Tensor& x, const KaimingOptions& options = {}, Location at = JOT_HERE);
// normal_ of std calculate_gain(nonlinearity, a) / sqrt(fan).
const Tensor& kaiming_normal_(const Tensor& x, const KaimingOptions& options = {}, Location at = JOT_HERE);
// gain times orthonormal rows or columns, the fewer ones, of x as a matrix of extent 0 and the rest; uniform among all of them.
const Tensor& orthogonal_(const Tensor& x, double gain = 1, Location at = JOT_HERE);
// normal_ of that std, with this part of each column of a matrix 0. ShapeError.
const Tensor& sparse_(const Tensor& x, double sparsity, double std = 0.01, Location at = JOT_HERE);
// By what a nonlinearity shrinks: "linear", "conv1d", ..., "sigmoid" 1, "tanh" 5 / 3, "relu" sqrt(2), "leaky_relu" sqrt(2 / (1 + slope^2)),
// slope 0.01 unless param is given, "selu" 3 / 4. Error of others.
double calculate_gain(const std::string& nonlinearity, std::optional<double> param = {}, Location at = JOT_HERE);
// clang-format on

}  // namespace jot::nn::init
