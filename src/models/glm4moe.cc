// `glm4moe`: GLM-4.5 to 4.7. Biases on queries, keys and values, head norms in the larger ones;
// RoPE over the halves of the first part of a head; after leading dense layers, experts chosen by
// sigmoid with a selection bias, and a shared network. A layer for multi-token prediction may
// follow.
#include "models/decoder.h"
#include "models/families.h"

namespace freehold::models {
namespace {

class Glm4Moe : public Decoder {
 public:
  Glm4Moe() : Decoder(Pairing::kHalves) {}

  base::Status load(Loader& loader) {
    FREEHOLD_TRY(bind_settings(loader));
    FREEHOLD_ASSIGN(const uint32_t n_extra, loader.count_or("nextn_predict_layers", 0));
    FREEHOLD_TRY(bind_prediction(loader, n_extra));
    layers_.resize(n_bound_layers());
    FREEHOLD_TRY(bind_attention(loader, "post_attention_norm.weight"));
    if (loader.has(layer_tensor(0, "attn_q_norm.weight"))) FREEHOLD_TRY(bind_head_norms(loader));
    FREEHOLD_ASSIGN(const uint32_t n_dense, loader.count_or("leading_dense_block_count", 0));
    FREEHOLD_ASSIGN(moe_.router, read_router(loader, RouterConfig::Gating::kSigmoid, true));
    moe_.router.group_score = RouterConfig::GroupScore::kBestTwo;
    FREEHOLD_ASSIGN(moe_.width, loader.count("expert_feed_forward_length"));
    FREEHOLD_ASSIGN(const uint32_t n_shared, loader.count_or("expert_shared_count", 0));
    moe_.shared_width = n_shared * moe_.width;
    for (size_t i = 0; i < layers_.size(); ++i) {
      FREEHOLD_TRY(require_biases(layers_[i].attention, i));
      FREEHOLD_TRY(i < n_dense ? bind_dense(loader, i) : bind_experts(loader, i));
    }
    return finish(loader);
  }
};

}  // namespace

base::Result<std::unique_ptr<Model>> load_glm4moe(Loader& loader) {
  auto model = std::make_unique<Glm4Moe>();
  FREEHOLD_TRY(model->load(loader));
  return model;
}

}  // namespace freehold::models
