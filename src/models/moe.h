// A layer's feed-forward half, and the mixture of experts that it may be: a router, many small
// gated networks, perhaps one that every token takes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/result.h"
#include "models/model.h"
#include "models/parts.h"
#include "models/router.h"
#include "ops/experts.h"

namespace freehold::models {

struct MoeWeights {
  ops::Matrix router;                     // {hidden, n_experts}
  const float* router_bias = nullptr;     // [n_experts]
  const float* selection_bias = nullptr;  // [n_experts]
  ops::Matrix gate;                       // {hidden, width, n_experts}
  ops::Matrix up;
  ops::Matrix down;                  // {width, hidden, n_experts}
  const float* gate_bias = nullptr;  // [n_experts][width]
  const float* up_bias = nullptr;
  const float* down_bias = nullptr;  // [n_experts][hidden]
  SwigluWeights shared;              // of width shared_width; empty when there is none
  ops::Matrix shared_gate;           // {hidden, 1}: sigmoid of it weighs the shared network
};

struct MoeConfig {
  RouterConfig router;
  uint32_t width = 0;         // of one expert
  uint32_t shared_width = 0;  // 0: no shared network
  ops::Activation activation = {};
  // The weight multiplies the expert's input instead of its output (llama4).
  bool weigh_input = false;
};

// Binds ffn_gate_inp, ffn_{gate,up,down}_exps (or the fused ffn_gate_up_exps), exp_probs_b.bias,
// the shared network and the biases that the file has.
base::Status bind_moe(Loader& loader, size_t layer, const MoeConfig& config, uint32_t hidden,
                      MoeWeights& weights);

// What follows attention in a layer: a gated network, or a mixture of them.
struct FeedForward {
  const float* norm = nullptr;  // [hidden]
  bool has_experts = false;
  SwigluWeights dense;
  MoeWeights experts;
};

// pass.x += the network of the normalised pass.x, in layer `index`, for which the experts' tokens
// are counted.
void feed_forward(Pass& pass, const FeedForward& layer, const MoeConfig& config, float epsilon,
                  size_t index);

}  // namespace freehold::models
