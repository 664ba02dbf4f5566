// `llama4`: Scout and Maverick, text only. Three of four layers rotate and attend within chunks of
// positions; every fourth has no positions, sees everything, and sharpens the queries of late
// positions. Scout normalises rotated queries and keys. One expert a token, whose input is weighed
// by the sigmoid of its score, beside a shared network.

#include "models/decoder.h"
#include "models/families.h"

namespace freehold::models {
namespace {

constexpr uint32_t kUsualChunk = 8192;

class Llama4 : public Decoder {
 public:
  Llama4() : Decoder(Pairing::kInterleaved) {}

  base::Status load(Loader& loader) {
    FREEHOLD_TRY(bind_settings(loader));
    FREEHOLD_TRY(bind_attention(loader));
    FREEHOLD_ASSIGN(moe_.router, read_router(loader, RouterConfig::Gating::kSigmoid, false));
    FREEHOLD_ASSIGN(moe_.width, loader.count("expert_feed_forward_length"));
    moe_.shared_width = moe_.width;
    moe_.weigh_input = true;
    FREEHOLD_ASSIGN(const uint32_t step, loader.count_or("interleave_moe_layer_step", 1));
    FREEHOLD_ASSIGN(const uint32_t chunk, loader.count_or("attention.chunk_size", kUsualChunk));
    FREEHOLD_ASSIGN(const uint32_t sharpening,
                    loader.count_or("attention.temperature_length", kUsualChunk));
    if (moe_.router.n_used != 1 || step == 0 || chunk == 0) {
      return base::fail(base::ErrorCode::kUnsupported,
                        "a llama4 model with other than one expert a token, or without chunks");
    }
    // Files that don't say: Maverick, told by its 128 experts, does without.
    FREEHOLD_ASSIGN(const bool norm,
                    loader.flag_or("attention.qk_norm", moe_.router.n_experts != 128));
    // A window of zero in the file means no chunks, and positions in every layer.
    FREEHOLD_ASSIGN(const uint32_t window, loader.count_or("attention.sliding_window", chunk));
    for (size_t i = 0; i < layers_.size(); ++i) {
      Layer& layer = layers_[i];
      const bool everywhere = window != 0 && (i + 1) % 4 == 0;
      layer.has_positions = !everywhere;
      if (everywhere) {
        layer.sharpening_length = sharpening;
      } else {
        if (window != 0) layer.visibility.chunk = chunk;
        layer.norm_after_rope = norm;
      }
      FREEHOLD_TRY((i + 1) % step == 0 ? bind_experts(loader, i) : bind_dense(loader, i));
    }
    return finish(loader);
  }
};

}  // namespace

base::Result<std::unique_ptr<Model>> load_llama4(Loader& loader) {
  auto model = std::make_unique<Llama4>();
  FREEHOLD_TRY(model->load(loader));
  return model;
}

}  // namespace freehold::models
