// `qwen2`: Qwen 1.5, 2 and 2.5, QwQ, R1-Distill-Qwen. Biases on queries, keys and values; RoPE over
// the halves of a head.
// Refuses a file without the biases: another model under this name.
#include "models/decoder.h"
#include "models/families.h"

namespace freehold::models {
namespace {

class Qwen2 : public Decoder {
 public:
  Qwen2() : Decoder(Pairing::kHalves) {}

  base::Status load(Loader& loader) {
    FREEHOLD_TRY(bind_settings(loader));
    FREEHOLD_TRY(bind_attention(loader));
    for (size_t i = 0; i < layers_.size(); ++i) {
      FREEHOLD_TRY(require_biases(layers_[i].attention, i));
      FREEHOLD_TRY(bind_dense(loader, i));
    }
    return finish(loader);
  }
};

}  // namespace

base::Result<std::unique_ptr<Model>> load_qwen2(Loader& loader) {
  auto model = std::make_unique<Qwen2>();
  FREEHOLD_TRY(model->load(loader));
  return model;
}

}  // namespace freehold::models
