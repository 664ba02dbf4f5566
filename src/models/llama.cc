// `llama`: Llama 1 to 3.3, SmolLM and SmolLM2, Mistral, R1-Distill-Llama. Also `smollm3`, which
// leaves positions out of every fourth layer. Interleaved RoPE (GGUF's rows are permuted for it);
// Llama 3's factors come as the tensor rope_freqs.
// Refuses a sliding window, which no released checkpoint of these needs.
#include "models/dense.h"
#include "models/families.h"

namespace freehold::models {
namespace {

class Llama : public DenseDecoder {
 public:
  Llama() : DenseDecoder(Pairing::kInterleaved) {}

  base::Status load(Loader& loader, const Loader::Progress& progress) {
    FREEHOLD_TRY(bind(loader));
    if (config_.architecture == "smollm3") {
      for (size_t i = 3; i < layers_.size(); i += 4) layers_[i].has_positions = false;
    }
    return finish(loader, progress);
  }
};

}  // namespace

base::Result<std::unique_ptr<Model>> load_llama(Loader& loader, const Loader::Progress& progress) {
  auto model = std::make_unique<Llama>();
  FREEHOLD_TRY(model->load(loader, progress));
  return model;
}

}  // namespace freehold::models
