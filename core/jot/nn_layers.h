// Linear layers, convolutions, embeddings, padding. Weights begin as torch's: within 1 / sqrt(fan in), uniformly,
// unless a line says otherwise. ShapeError where extents are no sizes, or do not fit at a call.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <optional>

#include "jot/module.h"
#include "jot/nn_functional.h"

namespace jot::nn {

// x W^T + b: weight [out, in], bias [out].
class Linear : public Module {
 public:
  Linear(int64_t in_features, int64_t out_features, bool bias = true, Location at = JOT_HERE);
  Tensor forward(const Tensor& x) const override;
  Parameter weight;
  std::optional<Parameter> bias;
};

// a W[k] b + bias[k]: weight [out, in1, in2], within 1 / sqrt(in1).
class Bilinear : public Module {
 public:
  Bilinear(int64_t in1_features, int64_t in2_features, int64_t out_features, bool bias = true, Location at = JOT_HERE);
  Tensor operator()(const Tensor& a, const Tensor& b, Location at = JOT_HERE) const;
  Parameter weight;
  std::optional<Parameter> bias;
};

// padding_mode: constant pads with zeros.
struct ConvOptions {
  Ints stride = 1;
  ConvPadding padding = 0;
  Ints dilation = 1;
  int64_t groups = 1;
  bool bias = true;
  Pad padding_mode = Pad::constant;
};
struct ConvTransposeOptions {
  Ints stride = 1;
  Ints padding = 0;
  Ints output_padding = 0;
  int64_t groups = 1;
  bool bias = true;
  Ints dilation = 1;
};

// functional::conv1d to conv3d: weight [out, in / groups, kernel...].
class ConvNd : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
  Parameter weight;
  std::optional<Parameter> bias;

 protected:
  ConvNd(int dims, int64_t in_channels, int64_t out_channels, const Ints& kernel_size, const ConvOptions& options,
         Location at);

 private:
  functional::ConvOptions options_;
  Pad padding_mode_;
  Ints margins_;  // where padding_mode is not constant: of pad
  int dims_;
};
class Conv1d : public ConvNd {
 public:
  Conv1d(int64_t in_channels, int64_t out_channels, const Ints& kernel_size, const ConvOptions& options = {},
         Location at = JOT_HERE)
      : ConvNd(1, in_channels, out_channels, kernel_size, options, at) {}
};
class Conv2d : public ConvNd {
 public:
  Conv2d(int64_t in_channels, int64_t out_channels, const Ints& kernel_size, const ConvOptions& options = {},
         Location at = JOT_HERE)
      : ConvNd(2, in_channels, out_channels, kernel_size, options, at) {}
};
class Conv3d : public ConvNd {
 public:
  Conv3d(int64_t in_channels, int64_t out_channels, const Ints& kernel_size, const ConvOptions& options = {},
         Location at = JOT_HERE)
      : ConvNd(3, in_channels, out_channels, kernel_size, options, at) {}
};

// functional::conv_transpose1d to conv_transpose3d: weight [in, out / groups, kernel...].
class ConvTransposeNd : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
  Parameter weight;
  std::optional<Parameter> bias;

 protected:
  ConvTransposeNd(int dims, int64_t in_channels, int64_t out_channels, const Ints& kernel_size,
                  const ConvTransposeOptions& options, Location at);

 private:
  functional::ConvTransposeOptions options_;
  int dims_;
};
class ConvTranspose1d : public ConvTransposeNd {
 public:
  ConvTranspose1d(int64_t in_channels, int64_t out_channels, const Ints& kernel_size,
                  const ConvTransposeOptions& options = {}, Location at = JOT_HERE)
      : ConvTransposeNd(1, in_channels, out_channels, kernel_size, options, at) {}
};
class ConvTranspose2d : public ConvTransposeNd {
 public:
  ConvTranspose2d(int64_t in_channels, int64_t out_channels, const Ints& kernel_size,
                  const ConvTransposeOptions& options = {}, Location at = JOT_HERE)
      : ConvTransposeNd(2, in_channels, out_channels, kernel_size, options, at) {}
};
class ConvTranspose3d : public ConvTransposeNd {
 public:
  ConvTranspose3d(int64_t in_channels, int64_t out_channels, const Ints& kernel_size,
                  const ConvTransposeOptions& options = {}, Location at = JOT_HERE)
      : ConvTransposeNd(3, in_channels, out_channels, kernel_size, options, at) {}
};

// Rows of weight [num, dim], standard normal at first; row padding_idx is zero and gets no derivative.
class Embedding : public Module {
 public:
  Embedding(int64_t num_embeddings, int64_t embedding_dim, std::optional<int64_t> padding_idx = {},
            Location at = JOT_HERE);
  Tensor forward(const Tensor& index) const override;
  Parameter weight;

 private:
  std::optional<int64_t> padding_idx_;
};

struct EmbeddingBagOptions {
  Reduce mode = Reduce::mean;
  bool include_last_offset = false;
  std::optional<int64_t> padding_idx = {};
};
// functional::embedding_bag of weight [num, dim], standard normal at first.
class EmbeddingBag : public Module {
 public:
  EmbeddingBag(int64_t num_embeddings, int64_t embedding_dim, const EmbeddingBagOptions& options = {},
               Location at = JOT_HERE);
  Tensor forward(const Tensor& index) const override;
  using Module::operator();
  Tensor operator()(const Tensor& index, const Tensor& offsets, Location at = JOT_HERE) const;
  Tensor operator()(const Tensor& index, const Tensor& offsets, const Tensor& per_sample_weights,
                    Location at = JOT_HERE) const;
  Parameter weight;

 private:
  EmbeddingBagOptions options_;
};

// x, and weight x where x <= 0: one weight, or one for each channel.
class PReLU : public Module {
 public:
  explicit PReLU(int64_t num_parameters = 1, double init = 0.25, Location at = JOT_HERE);
  Tensor forward(const Tensor& x) const override;
  Parameter weight;
};
// functional::rrelu.
class RReLU : public Module {
 public:
  explicit RReLU(double lower = 1.0 / 8, double upper = 1.0 / 3) : lower_(lower), upper_(upper) {}
  Tensor forward(const Tensor& x) const override;

 private:
  double lower_, upper_;
};
// Over the channels of [n, channels, h, w] or [channels, h, w]. ShapeError.
class Softmax2d : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
};

// functional::pad of the last dims: an integer for every side, or as many as there are, those of the last dim first.
class PadNd : public Module {
 public:
  Tensor forward(const Tensor& x) const override;

 protected:
  PadNd(int dims, Pad mode, const Ints& padding, Location at);

 private:
  Ints padding_;
  Pad mode_;
};
// A braced list is one of paddings, not of arguments of a copy.
#define JOT_PAD_MODULE(Name, dims, mode)                                                           \
  class Name : public PadNd {                                                                      \
   public:                                                                                         \
    explicit Name(const Ints& padding, Location at = JOT_HERE) : PadNd(dims, mode, padding, at) {} \
    explicit Name(std::initializer_list<Extent> padding, Location at = JOT_HERE)                   \
        : PadNd(dims, mode, Ints(padding), at) {}                                                  \
  }
JOT_PAD_MODULE(ZeroPad1d, 1, Pad::constant);
JOT_PAD_MODULE(ZeroPad2d, 2, Pad::constant);
JOT_PAD_MODULE(ZeroPad3d, 3, Pad::constant);
JOT_PAD_MODULE(ReflectionPad1d, 1, Pad::reflect);
JOT_PAD_MODULE(ReflectionPad2d, 2, Pad::reflect);
JOT_PAD_MODULE(ReflectionPad3d, 3, Pad::reflect);
JOT_PAD_MODULE(ReplicationPad1d, 1, Pad::replicate);
JOT_PAD_MODULE(ReplicationPad2d, 2, Pad::replicate);
JOT_PAD_MODULE(ReplicationPad3d, 3, Pad::replicate);
JOT_PAD_MODULE(CircularPad1d, 1, Pad::circular);
JOT_PAD_MODULE(CircularPad2d, 2, Pad::circular);
JOT_PAD_MODULE(CircularPad3d, 3, Pad::circular);
#undef JOT_PAD_MODULE

}  // namespace jot::nn
