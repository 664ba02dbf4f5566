// Sublayers that several families share, as free functions over named weights. A family's file
// puts them together; what differs from family to family is data here, never a branch on a name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/result.h"
#include "models/loader.h"
#include "models/model.h"
#include "ops/attention.h"
#include "ops/matrix.h"
#include "ops/rope.h"

namespace freehold::models {

// The settings of grouped-query attention, as read from attention.* and rope.*.
struct HeadsConfig {
  ops::HeadsShape shape;  // shape.cache is set when a pass runs
  uint32_t n_rot = 0;
  float scale = 0.0F;  // of query times key
};
base::Result<HeadsConfig> read_heads_config(Loader& loader, uint32_t hidden);

// Rotary embeddings as rope.* and the tensor rope_freqs say: none, linear, YaRN, Llama 3's factors.
// Errors: kUnsupported for another rope.scaling.type, by name.
base::Result<ops::RopeTable> read_rope(Loader& loader, uint32_t n_rot, bool yarn_truncates = true);

// YaRN's settings from rope.scaling.*.
base::Result<ops::Yarn> read_yarn(Loader& loader);

// Projections of one layer's attention; {…} in GGUF order. Null or empty: the model has none.
struct HeadsWeights {
  ops::Matrix q;       // {hidden, n_heads * k_dim}
  ops::Matrix k;       // {hidden, n_kv_heads * k_dim}
  ops::Matrix v;       // {hidden, n_kv_heads * v_dim}
  ops::Matrix output;  // {n_heads * v_dim, hidden}
  const float* q_bias = nullptr;
  const float* k_bias = nullptr;
  const float* v_bias = nullptr;
  const float* output_bias = nullptr;
  const float* q_norm = nullptr;  // [k_dim], for every head
  const float* k_norm = nullptr;
  const float* sinks = nullptr;  // [n_heads]
};
// Binds attn_q, attn_k, attn_v (or the fused attn_qkv) and attn_output with the biases that the
// file has.
base::Status bind_heads(Loader& loader, size_t layer, const HeadsConfig& config, uint32_t hidden,
                        HeadsWeights& weights);

// kBadFormat unless the layer's queries, keys and values all have a bias.
base::Status require_biases(const HeadsWeights& weights, size_t layer);

enum class Pairing { kInterleaved, kHalves };  // which elements of a head are rotated together

// How a layer attends, beyond its weights.
struct HeadsRule {
  const HeadsConfig& config;
  ops::RopeTable* rope = nullptr;  // prepared for the step; null: no positions in this layer
  Pairing pairing = Pairing::kInterleaved;
  ops::Visibility visibility = {};
  float epsilon = 0.0F;          // of q_norm and k_norm
  bool norm_after_rope = false;  // a weightless norm of rotated queries and keys (llama4)
  // Queries of position p are multiplied by 1 + 0.1 ln(1 + floor((p + 1) / sharpening_length)),
  // llama4's temperature; 0: not.
  uint32_t sharpening_length = 0;
};
// pass.out = attention of pass.input, stored in and read from `cache_layer` of the cache.
void attend(Pass& pass, const HeadsWeights& weights, const HeadsRule& rule, size_t cache_layer);

// A gated feed-forward network: down(silu(gate x) * up x).
struct SwigluWeights {
  ops::Matrix gate;  // {hidden, width}
  ops::Matrix up;
  ops::Matrix down;  // {width, hidden}
  const float* gate_bias = nullptr;
  const float* up_bias = nullptr;
  const float* down_bias = nullptr;
};
// Binds blk.<layer>.ffn_gate<suffix>, ffn_up<suffix> and ffn_down<suffix>.
base::Status bind_swiglu(Loader& loader, size_t layer, uint32_t hidden, uint32_t width,
                         SwigluWeights& weights, std::string_view suffix = "");
// pass.out = the network of pass.input.
void swiglu(Pass& pass, const SwigluWeights& weights);

}  // namespace freehold::models
