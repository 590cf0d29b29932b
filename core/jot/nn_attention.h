// Attention and the encoder of a transformer.
#pragma once
#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "jot/nn_containers.h"
#include "jot/nn_layers.h"
#include "jot/nn_modules.h"
#include "jot/nn_norms.h"

namespace jot::nn {

// kdim, vdim: extents of keys and values, 0: embed_dim.
struct MultiheadAttentionOptions {
  double dropout = 0;
  bool bias = true;
  bool add_bias_kv = false;
  bool add_zero_attn = false;
  int64_t kdim = 0;
  int64_t vdim = 0;
  bool batch_first = false;
};
// Of a call. Masks are true where a key is not seen, or added.
struct MultiheadAttentionCall {
  Tensor key_padding_mask = {};
  bool need_weights = true;
  Tensor attn_mask = {};
  bool average_attn_weights = true;
  bool is_causal = false;
};
// functional::multi_head_attention of query [l, n, embed_dim], key and value [s, n, ...], with batch_first [n, l, ...],
// or without n: the output, and the weights [n, l, s], undefined where they are not wanted. Parameters in_proj_weight,
// or q_proj_weight, k_proj_weight and v_proj_weight where kdim or vdim differ; in_proj_bias, bias_k, bias_v, out_proj.
class MultiheadAttention : public Module {
 public:
  MultiheadAttention(int64_t embed_dim, int64_t num_heads, const MultiheadAttentionOptions& options = {},
                     Location at = JOT_HERE);
  std::pair<Tensor, Tensor> operator()(const Tensor& query, const Tensor& key, const Tensor& value,
                                       Location at = JOT_HERE) const;
  std::pair<Tensor, Tensor> operator()(const Tensor& query, const Tensor& key, const Tensor& value,
                                       const MultiheadAttentionCall& call, Location at = JOT_HERE) const;
  std::optional<Parameter> in_proj_weight, q_proj_weight, k_proj_weight, v_proj_weight, in_proj_bias, bias_k, bias_v;
  Linear out_proj;

 private:
  int64_t embed_dim_, num_heads_;
  MultiheadAttentionOptions options_;
};

// "relu", "gelu", or a function of a tensor.
class Activation {
 public:
  // Error for another name.
  Activation(const char* name, Location at = JOT_HERE);        // NOLINT: implicit by design
  Activation(const std::string& name, Location at = JOT_HERE)  // NOLINT: implicit by design
      : Activation(name.c_str(), at) {}
  template <class F>
    requires std::convertible_to<std::invoke_result_t<const F&, const Tensor&>, Tensor>
  Activation(F function) : function_(std::move(function)) {}  // NOLINT: implicit by design
  Tensor operator()(const Tensor& x) const { return function_(x); }

 private:
  std::function<Tensor(const Tensor&)> function_;
};

struct TransformerEncoderLayerOptions {
  int64_t dim_feedforward = 2048;
  double dropout = 0.1;
  Activation activation = "relu";
  double layer_norm_eps = 1e-5;
  bool batch_first = false;
  bool norm_first = false;
  bool bias = true;
};
// Of a call; as in MultiheadAttentionCall.
struct TransformerEncoderLayerCall {
  Tensor src_mask = {};
  Tensor src_key_padding_mask = {};
  bool is_causal = false;
};
// Attention of a sequence to itself and two linear layers, each added to its input and normalised. Modules self_attn,
// linear1, linear2, norm1, norm2.
class TransformerEncoderLayer : public Module {
 public:
  TransformerEncoderLayer(int64_t d_model, int64_t nhead, const TransformerEncoderLayerOptions& options = {},
                          Location at = JOT_HERE);
  Tensor forward(const Tensor& src) const override;
  using Module::operator();
  Tensor operator()(const Tensor& src, const TransformerEncoderLayerCall& call, Location at = JOT_HERE) const;
  // Another one of these sizes and options, with copies of the parameters and buffers.
  TransformerEncoderLayer clone(Location at = JOT_HERE) const;

 private:
  int64_t d_model_, nhead_;
  TransformerEncoderLayerOptions options_;

 public:
  MultiheadAttention self_attn;
  Linear linear1;
  Dropout dropout;
  Linear linear2;
  LayerNorm norm1, norm2;
  Dropout dropout1, dropout2;
};

struct TransformerEncoderCall {
  Tensor mask = {};
  Tensor src_key_padding_mask = {};
  bool is_causal = false;
};
// Clones of a layer, one after the other, and a norm at the end. Modules layers.0, layers.1, ..., norm.
class TransformerEncoder : public Module {
 public:
  TransformerEncoder(const TransformerEncoderLayer& encoder_layer, int64_t num_layers,
                     std::optional<LayerNorm> norm = {}, Location at = JOT_HERE);
  Tensor forward(const Tensor& src) const override;
  using Module::operator();
  Tensor operator()(const Tensor& src, const TransformerEncoderCall& call, Location at = JOT_HERE) const;
  ModuleList layers;
  std::optional<LayerNorm> norm;
};

}  // namespace jot::nn
