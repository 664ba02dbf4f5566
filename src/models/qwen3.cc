// `qwen3`: Qwen 3, dense. Every head of queries and keys is normalised before its rotation; RoPE
// over the halves of a head; head size independent of the hidden size.
#include "models/dense.h"
#include "models/families.h"

namespace freehold::models {
namespace {

class Qwen3 : public DenseDecoder {
 public:
  Qwen3() : DenseDecoder(Pairing::kHalves) {}

  base::Status load(Loader& loader, const Loader::Progress& progress) {
    FREEHOLD_TRY(bind(loader));
    for (size_t i = 0; i < layers_.size(); ++i) {
      HeadsWeights& attention = layers_[i].attention;
      const uint32_t dim = heads_.shape.k_dim;
      FREEHOLD_ASSIGN(attention.q_norm, loader.vector(layer_tensor(i, "attn_q_norm.weight"), dim));
      FREEHOLD_ASSIGN(attention.k_norm, loader.vector(layer_tensor(i, "attn_k_norm.weight"), dim));
    }
    return finish(loader, progress);
  }
};

}  // namespace

base::Result<std::unique_ptr<Model>> load_qwen3(Loader& loader, const Loader::Progress& progress) {
  auto model = std::make_unique<Qwen3>();
  FREEHOLD_TRY(model->load(loader, progress));
  return model;
}

}  // namespace freehold::models
