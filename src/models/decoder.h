// The decoder that most families share: pre-norm attention over heads, then a gated feed-forward
// network or a mixture of them, layer after layer. A family's file binds the weights and says what
// differs.
#pragma once

#include <string_view>
#include <vector>

#include "models/model.h"
#include "models/moe.h"
#include "models/parts.h"

namespace freehold::models {

class Decoder : public Model {
 public:
  struct Layer {
    const float* attention_norm = nullptr;  // [hidden]
    HeadsWeights attention;
    FeedForward ffn;
    // How this layer attends.
    bool has_positions = true;  // false: no RoPE
    bool norm_after_rope = false;
    ops::Visibility visibility = {};
    uint32_t sharpening_length = 0;
  };

  base::Result<std::vector<size_t>> cache_block_bytes(kernels::CacheType type) const override;

 protected:
  void prepare(const Pass& pass) override { rope_.prepare(pass.positions); }
  void run_layer(Pass& pass, size_t index, size_t cache_layer) override;

  explicit Decoder(Pairing pairing) : pairing_(pairing) {}

  // Reads the common settings; layers_ gets its size. `yarn_truncates`: see ops::Yarn.
  base::Status bind_settings(Loader& loader, bool yarn_truncates = true);
  // Binds norms (the second by its name in this family) and attention of every layer.
  base::Status bind_attention(Loader& loader, std::string_view ffn_norm = "ffn_norm.weight");
  // Binds attn_q_norm and attn_k_norm of every layer.
  base::Status bind_head_norms(Loader& loader);
  // Binds the dense network of a layer, of width feed_forward_length.
  base::Status bind_dense(Loader& loader, size_t layer);
  // Binds the experts of a layer as moe_ says.
  base::Status bind_experts(Loader& loader, size_t layer);

  HeadsConfig heads_;
  MoeConfig moe_;
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
