// `qwen2`: Qwen 1.5, 2 and 2.5, QwQ, R1-Distill-Qwen. Biases on queries, keys and values; RoPE over
// the halves of a head.
// Refuses a file without the biases: another model under this name.
#include "models/dense.h"
#include "models/families.h"

namespace freehold::models {
namespace {

class Qwen2 : public DenseDecoder {
 public:
  Qwen2() : DenseDecoder(Pairing::kHalves) {}

  base::Status load(Loader& loader, const Loader::Progress& progress) {
    FREEHOLD_TRY(bind(loader));
    for (size_t i = 0; i < layers_.size(); ++i) {
      const HeadsWeights& attention = layers_[i].attention;
      if (attention.q_bias == nullptr || attention.k_bias == nullptr ||
          attention.v_bias == nullptr) {
        return base::fail(base::ErrorCode::kBadFormat,
                          "`" + layer_tensor(i, "attn_{q,k,v}.bias") +
                              "`: a qwen2 model has these three and one is missing");
      }
    }
    return finish(loader, progress);
  }
};

}  // namespace

base::Result<std::unique_ptr<Model>> load_qwen2(Loader& loader, const Loader::Progress& progress) {
  auto model = std::make_unique<Qwen2>();
  FREEHOLD_TRY(model->load(loader, progress));
  return model;
}

}  // namespace freehold::models
