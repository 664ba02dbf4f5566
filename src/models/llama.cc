// `llama`: Llama 1 to 3.3, SmolLM and SmolLM2, Mistral, R1-Distill-Llama, and Mixtral, whose layers
// have experts. Also `smollm3`, which leaves positions out of every fourth layer. Interleaved RoPE
// (GGUF's rows are permuted for it); Llama 3's factors come as the tensor rope_freqs.
// The router of Mixtral: softmax over all experts, the best ones' weights made to add up to 1.
#include "models/decoder.h"
#include "models/families.h"

namespace freehold::models {
namespace {

class Llama : public Decoder {
 public:
  Llama() : Decoder(Pairing::kInterleaved) {}

  base::Status load(Loader& loader) {
    FREEHOLD_TRY(bind_settings(loader));
    FREEHOLD_TRY(bind_attention(loader));
    FREEHOLD_ASSIGN(const uint32_t n_experts, loader.count_or("expert_count", 0));
    if (n_experts != 0) {
      FREEHOLD_ASSIGN(moe_.router, read_router(loader, RouterConfig::Gating::kSoftmax, true));
      FREEHOLD_ASSIGN(const uint32_t dense_width, loader.count("feed_forward_length"));
      FREEHOLD_ASSIGN(moe_.width, loader.count_or("expert_feed_forward_length", dense_width));
    }
    for (size_t i = 0; i < layers_.size(); ++i) {
      FREEHOLD_TRY(n_experts != 0 ? bind_experts(loader, i) : bind_dense(loader, i));
      if (config_.architecture == "smollm3") layers_[i].has_positions = i % 4 != 3;
    }
    return finish(loader);
  }
};

}  // namespace

base::Result<std::unique_ptr<Model>> load_llama(Loader& loader) {
  auto model = std::make_unique<Llama>();
  FREEHOLD_TRY(model->load(loader));
  return model;
}

}  // namespace freehold::models
