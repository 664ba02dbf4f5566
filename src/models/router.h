// Which experts a token goes to, and with what weights: pure arithmetic on the router's logits.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "models/loader.h"
#include "ops/machine.h"

namespace freehold::models {

struct RouterConfig {
  // How logits become probabilities. kSelectedSoftmax: the softmax is over the selected logits.
  // Values are those of expert_gating_func.
  enum class Gating : uint8_t { kSoftmax = 1, kSigmoid = 2, kSelectedSoftmax = 3 };
  // What a group of experts is worth: its best score, or the sum of its best two.
  enum class GroupScore : uint8_t { kBest, kBestTwo };

  uint32_t n_experts = 0;
  uint32_t n_used = 0;
  Gating gating = Gating::kSoftmax;
  uint32_t n_groups = 1;  // experts of a token come from n_groups_used of the n_groups groups
  uint32_t n_groups_used = 1;
  GroupScore group_score = GroupScore::kBest;
  bool normalise = false;  // weights of a token add up to 1 before `scale`
  float scale = 1.0F;
};

// Reads expert_count, expert_used_count, expert_gating_func (else `gating`), expert_group_*,
// expert_weights_norm (else `normalise`) and expert_weights_scale. Errors: kBadFormat for counts
// that contradict each other, kUnsupported for a gating function we don't know, by number.
base::Result<RouterConfig> read_router(Loader& loader, RouterConfig::Gating gating, bool normalise);

// Chooses config.n_used of the experts by `logits` [n_experts], which it overwrites. The selection
// bias [n_experts], where there is one, helps to choose and does not weigh. Ties go to the lower
// index. experts, weights: [n_used], best first.
void route(const ops::Machine& machine, const RouterConfig& config, std::span<float> logits,
           const float* selection_bias, std::span<uint32_t> experts, std::span<float> weights);

}  // namespace freehold::models
