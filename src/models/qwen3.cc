// `qwen3`: Qwen 3, dense. Every head of queries and keys is normalised before its rotation; RoPE
// over the halves of a head; head size independent of the hidden size.
#include "models/decoder.h"
#include "models/families.h"

namespace freehold::models {
namespace {

class Qwen3 : public Decoder {
 public:
  Qwen3() : Decoder(Pairing::kHalves) {}

  base::Status load(Loader& loader) {
    FREEHOLD_TRY(bind_settings(loader));
    FREEHOLD_TRY(bind_attention(loader));
    FREEHOLD_TRY(bind_head_norms(loader));
    for (size_t i = 0; i < layers_.size(); ++i) FREEHOLD_TRY(bind_dense(loader, i));
    return finish(loader);
  }
};

}  // namespace

base::Result<std::unique_ptr<Model>> load_qwen3(Loader& loader) {
  auto model = std::make_unique<Qwen3>();
  FREEHOLD_TRY(model->load(loader));
  return model;
}

}  // namespace freehold::models
