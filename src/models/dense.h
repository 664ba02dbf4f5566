// The dense decoder that Llama, Qwen 2 and Qwen 3 share: pre-norm attention and a gated
// feed-forward network, layer after layer. The family files say what each adds.
#pragma once

#include <vector>

#include "models/model.h"
#include "models/parts.h"

namespace freehold::models {

class DenseDecoder : public Model {
 public:
  struct Layer {
    const float* attention_norm = nullptr;  // [hidden]
    HeadsWeights attention;
    const float* ffn_norm = nullptr;  // [hidden]
    SwigluWeights ffn;
    bool has_positions = true;  // false: no RoPE in this layer
  };

  base::Result<std::vector<size_t>> cache_block_bytes(kernels::CacheType type) const override;
  void forward(Pass& pass) override;

 protected:
  explicit DenseDecoder(Pairing pairing) : pairing_(pairing) {}

  // Binds what all of them have. Afterwards a family binds its own and calls finish().
  base::Status bind(Loader& loader);

  HeadsConfig heads_;
  std::vector<Layer> layers_;

 private:
  const Pairing pairing_;
  ops::RopeTable rope_{{}, 1.0};
};

// One cache layer for each of n_layers with these heads. Errors: kUnsupported when the cache type
// does not fit the head size.
base::Result<std::vector<size_t>> heads_cache_bytes(ops::HeadsShape shape, kernels::CacheType type,
                                                    size_t n_layers);

}  // namespace freehold::models
