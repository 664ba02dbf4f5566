// `qwen3moe`: Qwen 3 with experts in every layer: attention as qwen3's; softmax over all experts,
// the best ones' weights made to add up to 1 (the released configurations all say so).
#include "models/decoder.h"
#include "models/families.h"

namespace freehold::models {
namespace {

class Qwen3Moe : public Decoder {
 public:
  Qwen3Moe() : Decoder(Pairing::kHalves) {}

  base::Status load(Loader& loader) {
    FREEHOLD_TRY(bind_settings(loader));
    FREEHOLD_TRY(bind_attention(loader));
    FREEHOLD_TRY(bind_head_norms(loader));
    FREEHOLD_ASSIGN(moe_.router, read_router(loader, RouterConfig::Gating::kSoftmax, true));
    FREEHOLD_ASSIGN(moe_.width, loader.count("expert_feed_forward_length"));
    for (size_t i = 0; i < layers_.size(); ++i) FREEHOLD_TRY(bind_experts(loader, i));
    return finish(loader);
  }
};

}  // namespace

base::Result<std::unique_ptr<Model>> load_qwen3moe(Loader& loader) {
  auto model = std::make_unique<Qwen3Moe>();
  FREEHOLD_TRY(model->load(loader));
  return model;
}

}  // namespace freehold::models
