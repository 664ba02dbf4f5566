// `llama4`: Scout and Maverick, text only. Three of four layers rotate and attend within chunks of
// positions; every fourth has no positions, sees everything, and sharpens the queries of late
// positions. Scout normalises rotated queries and keys. One expert a token, whose input is weighed
// by the sigmoid of its score, beside a shared network.
#include <cmath>

#include "models/decoder.h"
#include "models/families.h"

namespace freehold::models {
namespace {

constexpr uint32_t kChunk = 8192;

float late_sharpening(uint32_t position) {
  const double chunks = std::floor((static_cast<double>(position) + 1.0) / kChunk);
  return static_cast<float>(1.0 + 0.1 * std::log(1.0 + chunks));
}

class Llama4 : public Decoder {
 public:
  Llama4() : Decoder(Pairing::kInterleaved) {}

  base::Status load(Loader& loader, const Loader::Progress& progress) {
    FREEHOLD_TRY(bind_settings(loader));
    FREEHOLD_TRY(bind_attention(loader));
    FREEHOLD_ASSIGN(moe_.router, read_router(loader, RouterConfig::Gating::kSigmoid, false));
    FREEHOLD_ASSIGN(moe_.width, loader.count("expert_feed_forward_length"));
    moe_.shared_width = moe_.width;
    moe_.weigh_input = true;
    FREEHOLD_ASSIGN(const uint32_t step, loader.count_or("interleave_moe_layer_step", 1));
    FREEHOLD_ASSIGN(const uint32_t chunk, loader.count_or("attention.chunk_size", kChunk));
    if (moe_.router.n_used != 1 || step == 0 || chunk != kChunk) {
      return base::fail(base::ErrorCode::kUnsupported,
                        "a llama4 model has one expert a token and chunks of 8192 positions");
    }
    // A window of zero in the file means no chunks, and positions in every layer.
    FREEHOLD_ASSIGN(const uint32_t window, loader.count_or("attention.sliding_window", kChunk));
    for (size_t i = 0; i < layers_.size(); ++i) {
      Layer& layer = layers_[i];
      const bool everywhere = window != 0 && (i + 1) % 4 == 0;
      layer.has_positions = !everywhere;
      if (everywhere) {
        layer.query_scale = late_sharpening;
      } else {
        if (window != 0) layer.visibility.chunk = kChunk;
        // Maverick, told by its 128 experts, does without.
        layer.norm_after_rope = moe_.router.n_experts != 128;
      }
      FREEHOLD_TRY((i + 1) % step == 0 ? bind_experts(loader, i) : bind_dense(loader, i));
    }
    return finish(loader, progress);
  }
};

}  // namespace

base::Result<std::unique_ptr<Model>> load_llama4(Loader& loader, const Loader::Progress& progress) {
  auto model = std::make_unique<Llama4>();
  FREEHOLD_TRY(model->load(loader, progress));
  return model;
}

}  // namespace freehold::models
