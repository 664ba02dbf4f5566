// `gpt-oss`: biases everywhere; every other layer sees the last 128 positions only; attention
// sinks; YaRN with an untruncated ramp and its factor on cosines and sines; experts weighed by a
// softmax over the chosen ones, with a clamped activation.
#include "models/decoder.h"
#include "models/families.h"

namespace freehold::models {
namespace {

class GptOss : public Decoder {
 public:
  GptOss() : Decoder(Pairing::kHalves) {}

  base::Status load(Loader& loader) {
    FREEHOLD_TRY(bind_settings(loader, /*yarn_truncates=*/false));
    FREEHOLD_TRY(bind_attention(loader, "post_attention_norm.weight"));
    FREEHOLD_ASSIGN(moe_.router,
                    read_router(loader, RouterConfig::Gating::kSelectedSoftmax, false));
    FREEHOLD_ASSIGN(moe_.width, loader.count("expert_feed_forward_length"));
    moe_.activation.kind = ops::Activation::Kind::kSwigluOai;
    FREEHOLD_ASSIGN(const uint32_t window, loader.count("attention.sliding_window"));
    FREEHOLD_ASSIGN(const uint32_t period, loader.count_or("attention.sliding_window_pattern", 2));
    for (size_t i = 0; i < layers_.size(); ++i) {
      Layer& layer = layers_[i];
      FREEHOLD_TRY(require_biases(layer.attention, i));
      // The last layer of each period sees everything.
      if (period == 0 || i % period != period - 1) layer.visibility.window = window;
      FREEHOLD_ASSIGN(layer.attention.sinks,
                      loader.vector(layer_tensor(i, "attn_sinks.weight"), heads_.shape.n_heads));
      FREEHOLD_TRY(bind_experts(loader, i));
    }
    return finish(loader);
  }
};

}  // namespace

base::Result<std::unique_ptr<Model>> load_gpt_oss(Loader& loader) {
  auto model = std::make_unique<GptOss>();
  FREEHOLD_TRY(model->load(loader));
  return model;
}

}  // namespace freehold::models
