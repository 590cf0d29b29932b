#include "jot/nn_attention.h"

#include "core/nn/module_state.h"
#include "core/record/scope.h"
#include "core/storage/views.h"
#include "jot/nn_init.h"
#include "jot/ops.h"

namespace jot::nn {

using detail::CallSite;
using detail::fail;
using detail::given;
using detail::parameter_of;

namespace {

constexpr std::string_view kHeads = "MultiheadAttention";

Linear output_projection(int64_t embed_dim, int64_t num_heads, bool bias, Location at) {
  const std::string sizes = std::to_string(embed_dim) + " and " + std::to_string(num_heads);
  if (embed_dim < 1 || num_heads < 1)
    fail<ShapeError>(kHeads, "embed_dim and num_heads must be greater than 0, got " + sizes, at);
  if (embed_dim % num_heads) fail<ShapeError>(kHeads, "embed_dim must be divisible by num_heads, got " + sizes, at);
  Linear l(embed_dim, embed_dim, bias, at);
  if (l.bias) l.bias->tensor().zero_(at);
  return l;
}

}  // namespace

MultiheadAttention::MultiheadAttention(int64_t embed_dim, int64_t num_heads, const MultiheadAttentionOptions& o,
                                       Location at)
    : out_proj(register_module("out_proj", output_projection(embed_dim, num_heads, o.bias, at), at)),
      embed_dim_(embed_dim),
      num_heads_(num_heads),
      options_(o) {
  auto add = [&](const char* name, const Shape& shape, auto begin) {
    return register_parameter(name, begin(parameter_of(kHeads, shape, at), 1, at), at);
  };
  const int64_t kdim = o.kdim ? o.kdim : embed_dim, vdim = o.vdim ? o.vdim : embed_dim;
  if (kdim == embed_dim && vdim == embed_dim) {
    in_proj_weight = add("in_proj_weight", {3 * embed_dim, embed_dim}, init::xavier_uniform_);
  } else {
    q_proj_weight = add("q_proj_weight", {embed_dim, embed_dim}, init::xavier_uniform_);
    k_proj_weight = add("k_proj_weight", {embed_dim, kdim}, init::xavier_uniform_);
    v_proj_weight = add("v_proj_weight", {embed_dim, vdim}, init::xavier_uniform_);
  }
  if (o.bias) in_proj_bias = register_parameter("in_proj_bias", parameter_of(kHeads, {3 * embed_dim}, at), at);
  if (!o.add_bias_kv) return;
  bias_k = add("bias_k", {1, 1, embed_dim}, init::xavier_normal_);
  bias_v = add("bias_v", {1, 1, embed_dim}, init::xavier_normal_);
}

std::pair<Tensor, Tensor> MultiheadAttention::operator()(const Tensor& query, const Tensor& key, const Tensor& value,
                                                         Location at) const {
  return (*this)(query, key, value, MultiheadAttentionCall{}, at);
}

std::pair<Tensor, Tensor> MultiheadAttention::operator()(const Tensor& query, const Tensor& key, const Tensor& value,
                                                         const MultiheadAttentionCall& c, Location at) const {
  CallSite site(at);
  at = CallSite::current();
  detail::Composite call(kHeads, at);
  const bool turn = options_.batch_first && detail::impl_of(query, kHeads, at).shape.size() == 3 &&
                    detail::impl_of(key, kHeads, at).shape.size() == 3 &&
                    detail::impl_of(value, kHeads, at).shape.size() == 3;
  // What is the same tensor stays it: its projections are one product.
  auto turned = [&](const Tensor& t) { return turn ? t.transpose(0, 1, at) : t; };
  const Tensor q = turned(query), k = key.impl() == query.impl() ? q : turned(key);
  const Tensor v = value.impl() == query.impl() ? q : value.impl() == key.impl() ? k : turned(value);
  functional::MultiHeadAttentionOptions o{.training = is_training(),
                                          .key_padding_mask = c.key_padding_mask,
                                          .need_weights = c.need_weights,
                                          .attn_mask = c.attn_mask,
                                          .use_separate_proj_weight = !in_proj_weight,
                                          .q_proj_weight = given(q_proj_weight),
                                          .k_proj_weight = given(k_proj_weight),
                                          .v_proj_weight = given(v_proj_weight),
                                          .average_attn_weights = c.average_attn_weights,
                                          .is_causal = c.is_causal};
  auto [y, weights] = functional::multi_head_attention(
      q, k, v, embed_dim_, num_heads_, given(in_proj_weight), given(in_proj_bias), given(bias_k), given(bias_v),
      options_.add_zero_attn, options_.dropout, out_proj.weight, given(out_proj.bias), o, at);
  return {turn ? y.transpose(0, 1, at) : y, weights};
}

Activation::Activation(const char* name, Location at) {
  const std::string given_name = name;
  if (given_name == "relu")
    function_ = [](const Tensor& x) { return relu(x, CallSite::current()); };
  else if (given_name == "gelu")
    function_ = [](const Tensor& x) { return functional::gelu(x, Gelu::none, CallSite::current()); };
  else
    fail<Error>("Activation", "activation should be \"relu\", \"gelu\" or a function, not \"" + given_name + "\"", at);
}

TransformerEncoderLayer::TransformerEncoderLayer(int64_t d_model, int64_t nhead,
                                                 const TransformerEncoderLayerOptions& o, Location at)
    : d_model_(d_model),
      nhead_(nhead),
      options_(o),
      self_attn(register_module(
          "self_attn", MultiheadAttention(d_model, nhead,
                                          {.dropout = o.dropout, .bias = o.bias, .batch_first = o.batch_first}, at))),
      linear1(register_module("linear1", Linear(d_model, o.dim_feedforward, o.bias, at))),
      dropout(register_module("dropout", Dropout(o.dropout))),
      linear2(register_module("linear2", Linear(o.dim_feedforward, d_model, o.bias, at))),
      norm1(register_module("norm1", LayerNorm(d_model, {.eps = o.layer_norm_eps, .bias = o.bias}, at))),
      norm2(register_module("norm2", LayerNorm(d_model, {.eps = o.layer_norm_eps, .bias = o.bias}, at))),
      dropout1(register_module("dropout1", Dropout(o.dropout))),
      dropout2(register_module("dropout2", Dropout(o.dropout))) {}

Tensor TransformerEncoderLayer::forward(const Tensor& src) const {
  return (*this)(src, TransformerEncoderLayerCall{}, Location());
}
Tensor TransformerEncoderLayer::operator()(const Tensor& src, const TransformerEncoderLayerCall& c, Location at) const {
  CallSite site(at);
  at = CallSite::current();
  detail::Composite call("TransformerEncoderLayer", at);
  const MultiheadAttentionCall masks{.key_padding_mask = c.src_key_padding_mask,
                                     .need_weights = false,
                                     .attn_mask = c.src_mask,
                                     .is_causal = c.is_causal};
  auto attend = [&](const Tensor& x) { return dropout1(self_attn(x, x, x, masks, at).first, at); };
  auto feed = [&](const Tensor& x) {
    return dropout2(linear2(dropout(options_.activation(linear1(x, at)), at), at), at);
  };
  if (options_.norm_first) {
    const Tensor x = src + attend(norm1(src, at));
    return x + feed(norm2(x, at));
  }
  const Tensor x = norm1(src + attend(src), at);
  return norm2(x + feed(x), at);
}

TransformerEncoderLayer TransformerEncoderLayer::clone(Location at) const {
  TransformerEncoderLayer copy(d_model_, nhead_, options_, at);
  copy.load_state_dict(state_dict(), {}, at);
  copy.train(is_training());
  return copy;
}

TransformerEncoder::TransformerEncoder(const TransformerEncoderLayer& encoder_layer, int64_t num_layers,
                                       std::optional<LayerNorm> last, Location at)
    : layers([&] {
        if (num_layers < 0)
          fail<ShapeError>("TransformerEncoder", "num_layers must not be negative, got " + std::to_string(num_layers),
                           at);
        ModuleList list;
        for (int64_t i = 0; i < num_layers; ++i) list.append(encoder_layer.clone(at), at);
        return register_module("layers", list, at);
      }()) {
  if (last) norm = register_module("norm", *last, at);
}

Tensor TransformerEncoder::forward(const Tensor& src) const {
  return (*this)(src, TransformerEncoderCall{}, Location());
}
Tensor TransformerEncoder::operator()(const Tensor& src, const TransformerEncoderCall& c, Location at) const {
  CallSite site(at);
  at = CallSite::current();
  Tensor y = src;
  for (int64_t i = 0; i < layers.size(); ++i)
    y = layers.as<TransformerEncoderLayer>(i)(
        y, {.src_mask = c.mask, .src_key_padding_mask = c.src_key_padding_mask, .is_causal = c.is_causal}, at);
  return norm ? (*norm)(y, at) : y;
}

}  // namespace jot::nn
