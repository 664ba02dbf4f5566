#include "models/decoder.h"

namespace freehold::models {

base::Result<std::vector<size_t>> heads_cache_bytes(ops::HeadsShape shape, kernels::CacheType type,
                                                    size_t n_layers) {
  if (!kernels::cache_dim_fits(type, shape.k_dim) || !kernels::cache_dim_fits(type, shape.v_dim)) {
    return base::fail(
        base::ErrorCode::kUnsupported,
        "a q8_0 cache needs heads of a multiple of 32 elements and this model's have " +
            std::to_string(shape.k_dim) + "; choose f16 or f32");
  }
  shape.cache = type;
  return std::vector<size_t>(n_layers, shape.block_bytes());
}

base::Status Decoder::bind_settings(Loader& loader, bool yarn_truncates) {
  FREEHOLD_TRY(bind_ends(loader));
  FREEHOLD_ASSIGN(heads_, read_heads_config(loader, config_.hidden));
  FREEHOLD_ASSIGN(rope_, read_rope(loader, heads_.n_rot, yarn_truncates));
  layers_.resize(config_.n_layers);
  return {};
}

base::Status Decoder::bind_attention(Loader& loader, std::string_view ffn_norm) {
  for (size_t i = 0; i < layers_.size(); ++i) {
    Layer& layer = layers_[i];
    FREEHOLD_ASSIGN(layer.attention_norm,
                    loader.vector(layer_tensor(i, "attn_norm.weight"), config_.hidden));
    FREEHOLD_TRY(bind_heads(loader, i, heads_, config_.hidden, layer.attention));
    FREEHOLD_ASSIGN(layer.ffn.norm, loader.vector(layer_tensor(i, ffn_norm), config_.hidden));
  }
  return {};
}

base::Status Decoder::bind_head_norms(Loader& loader) {
  const uint32_t dim = heads_.shape.k_dim;
  for (size_t i = 0; i < layers_.size(); ++i) {
    HeadsWeights& weights = layers_[i].attention;
    FREEHOLD_ASSIGN(weights.q_norm, loader.vector(layer_tensor(i, "attn_q_norm.weight"), dim));
    FREEHOLD_ASSIGN(weights.k_norm, loader.vector(layer_tensor(i, "attn_k_norm.weight"), dim));
  }
  return {};
}

base::Status Decoder::bind_dense(Loader& loader, size_t layer) {
  FREEHOLD_ASSIGN(const uint32_t width, loader.count("feed_forward_length"));
  return bind_swiglu(loader, layer, config_.hidden, width, layers_[layer].ffn.dense);
}

base::Status Decoder::bind_experts(Loader& loader, size_t layer) {
  layers_[layer].ffn.has_experts = true;
  return bind_moe(loader, layer, moe_, config_.hidden, layers_[layer].ffn.experts);
}

base::Result<std::vector<size_t>> Decoder::cache_block_bytes(kernels::CacheType type) const {
  return heads_cache_bytes(heads_.shape, type, config_.n_layers);
}

void Decoder::run_layer(Pass& pass, size_t index, size_t cache_layer) {
  const Layer& layer = layers_[index];
  pass.input.set_normalised(pass.machine, pass.x, layer.attention_norm, config_.epsilon, true);
  const HeadsRule rule = {.config = heads_,
                          .rope = layer.has_positions ? &rope_ : nullptr,
                          .pairing = pairing_,
                          .visibility = layer.visibility,
                          .epsilon = config_.epsilon,
                          .norm_after_rope = layer.norm_after_rope,
                          .sharpening_length = layer.sharpening_length};
  attend(pass, layer.attention, rule, cache_layer);
  ops::add_rows(pass.machine, pass.x, pass.out);
  feed_forward(pass, layer.ffn, moe_, config_.epsilon, index);
}

}  // namespace freehold::models
