// `qwen2moe`: Qwen1.5-MoE and Qwen2-57B-A14B. Attention as qwen2's; softmax over all experts, the
// weights of the best left as they are; a shared network under a sigmoid gate of its own.
#include "models/decoder.h"
#include "models/families.h"

namespace freehold::models {
namespace {

class Qwen2Moe : public Decoder {
 public:
  Qwen2Moe() : Decoder(Pairing::kHalves) {}

  base::Status load(Loader& loader) {
    FREEHOLD_TRY(bind_settings(loader));
    FREEHOLD_TRY(bind_attention(loader));
    FREEHOLD_ASSIGN(moe_.router, read_router(loader, RouterConfig::Gating::kSoftmax, false));
    FREEHOLD_ASSIGN(moe_.width, loader.count("expert_feed_forward_length"));
    FREEHOLD_ASSIGN(moe_.shared_width, loader.count("expert_shared_feed_forward_length"));
    for (size_t i = 0; i < layers_.size(); ++i) {
      FREEHOLD_TRY(require_biases(layers_[i].attention, i));
      FREEHOLD_TRY(bind_experts(loader, i));
      if (layers_[i].ffn.experts.shared_gate.empty()) {
        return base::fail(
            base::ErrorCode::kBadFormat,
            "tensor `" + layer_tensor(i, "ffn_gate_inp_shexp.weight") + "` is missing");
      }
    }
    return finish(loader);
  }
};

}  // namespace

base::Result<std::unique_ptr<Model>> load_qwen2moe(Loader& loader) {
  auto model = std::make_unique<Qwen2Moe>();
  FREEHOLD_TRY(model->load(loader));
  return model;
}

}  // namespace freehold::models
