#include "models/dense.h"

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

base::Status DenseDecoder::bind(Loader& loader) {
  FREEHOLD_TRY(bind_ends(loader));
  FREEHOLD_ASSIGN(heads_, read_heads_config(loader, config_.hidden));
  FREEHOLD_ASSIGN(rope_, read_rope(loader, heads_.n_rot));
  FREEHOLD_ASSIGN(const uint32_t width, loader.count("feed_forward_length"));
  layers_.resize(config_.n_layers);
  for (size_t i = 0; i < layers_.size(); ++i) {
    Layer& layer = layers_[i];
    FREEHOLD_ASSIGN(layer.attention_norm,
                    loader.vector(layer_tensor(i, "attn_norm.weight"), config_.hidden));
    FREEHOLD_TRY(bind_heads(loader, i, heads_, config_.hidden, layer.attention));
    FREEHOLD_ASSIGN(layer.ffn_norm,
                    loader.vector(layer_tensor(i, "ffn_norm.weight"), config_.hidden));
    FREEHOLD_TRY(bind_swiglu(loader, i, config_.hidden, width, layer.ffn));
  }
  return {};
}

base::Result<std::vector<size_t>> DenseDecoder::cache_block_bytes(kernels::CacheType type) const {
  return heads_cache_bytes(heads_.shape, type, layers_.size());
}

void DenseDecoder::forward(Pass& pass) {
  embed(pass);
  rope_.prepare(pass.positions);
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    pass.input.set_normalised(pass.machine, pass.x, layer.attention_norm, config_.epsilon, true);
    const HeadsRule rule = {.config = heads_,
                            .rope = layer.has_positions ? &rope_ : nullptr,
                            .pairing = pairing_,
                            .epsilon = config_.epsilon};
    attend(pass, layer.attention, rule, i);
    ops::add_rows(pass.machine, pass.x, pass.out);

    pass.input.set_normalised(pass.machine, pass.x, layer.ffn_norm, config_.epsilon, true);
    swiglu(pass, layer.ffn);
    ops::add_rows(pass.machine, pass.x, pass.out);
  }
}

}  // namespace freehold::models
