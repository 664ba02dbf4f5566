#include "models/router.h"

#include <algorithm>
#include <limits>
#include <string>

namespace freehold::models {
namespace {

using base::ErrorCode;
using base::fail;

constexpr float kNever = -std::numeric_limits<float>::infinity();

// The indices of the `n` largest scores, best first, lower index first among equals. Overwrites
// what it has chosen.
void take_best(std::span<float> scores, std::span<uint32_t> best) {
  for (uint32_t& index : best) {
    index = static_cast<uint32_t>(std::ranges::max_element(scores) - scores.begin());
    scores[index] = kNever;
  }
}

float group_worth(std::span<const float> scores, RouterConfig::GroupScore how) {
  float best = kNever;
  float second = kNever;
  for (const float score : scores) {
    if (score > best) {
      second = best;
      best = score;
    } else if (score > second) {
      second = score;
    }
  }
  return how == RouterConfig::GroupScore::kBest || scores.size() < 2 ? best : best + second;
}

// Rules out the experts of all but the best groups.
void limit_groups(const RouterConfig& config, std::span<float> scores) {
  if (config.n_groups <= 1 || config.n_groups_used >= config.n_groups) return;
  const size_t size = config.n_experts / config.n_groups;
  std::vector<float> worth(config.n_groups);
  for (size_t g = 0; g < worth.size(); ++g) {
    worth[g] = group_worth(scores.subspan(g * size, size), config.group_score);
  }
  std::vector<uint32_t> kept(config.n_groups_used);
  take_best(worth, kept);
  for (uint32_t g = 0; g < config.n_groups; ++g) {
    if (std::ranges::find(kept, g) == kept.end()) {
      std::ranges::fill(scores.subspan(g * size, size), kNever);
    }
  }
}

}  // namespace

base::Result<RouterConfig> read_router(Loader& loader, RouterConfig::Gating gating,
                                       bool normalise) {
  RouterConfig config;
  FREEHOLD_ASSIGN(config.n_experts, loader.count("expert_count"));
  FREEHOLD_ASSIGN(config.n_used, loader.count("expert_used_count"));
  constexpr uint32_t kMostExperts = 1024;
  if (config.n_experts > kMostExperts || config.n_used > config.n_experts) {
    return fail(ErrorCode::kBadFormat,
                "`" + loader.full_key("expert_count") + "` " + std::to_string(config.n_experts) +
                    " and " + std::to_string(config.n_used) + " used of them make no sense");
  }
  FREEHOLD_ASSIGN(const uint32_t function,
                  loader.count_or("expert_gating_func", static_cast<uint32_t>(gating)));
  if (function < 1 || function > 3) {
    return fail(ErrorCode::kUnsupported,
                "`" + loader.full_key("expert_gating_func") + "` " + std::to_string(function));
  }
  config.gating = static_cast<RouterConfig::Gating>(function);
  FREEHOLD_ASSIGN(config.n_groups, loader.count_or("expert_group_count", 1));
  FREEHOLD_ASSIGN(config.n_groups_used,
                  loader.count_or("expert_group_used_count", config.n_groups));
  config.n_groups = std::max(config.n_groups, 1U);
  config.n_groups_used = std::max(config.n_groups_used, 1U);
  const uint32_t group_size = config.n_experts / config.n_groups;
  if (config.n_experts % config.n_groups != 0 || config.n_groups_used > config.n_groups ||
      config.n_used > group_size * config.n_groups_used) {
    return fail(ErrorCode::kBadFormat, "`" + loader.full_key("expert_group_count") + "` " +
                                           std::to_string(config.n_groups) +
                                           " does not fit the number of experts");
  }
  FREEHOLD_ASSIGN(config.normalise, loader.flag_or("expert_weights_norm", normalise));
  FREEHOLD_ASSIGN(const double scale, loader.number_or("expert_weights_scale", 1.0));
  config.scale = scale == 0.0 ? 1.0F : static_cast<float>(scale);
  return config;
}

void route(const ops::Machine& machine, const RouterConfig& config, std::span<float> logits,
           const float* selection_bias, std::span<uint32_t> experts, std::span<float> weights) {
  using Gating = RouterConfig::Gating;
  const auto& vectors = machine.vectors();
  if (config.gating == Gating::kSoftmax) vectors.softmax(logits.data(), logits.size());
  if (config.gating == Gating::kSigmoid) vectors.sigmoid(logits.data(), logits.size());

  std::vector<float> scores(logits.begin(), logits.end());
  if (selection_bias != nullptr) vectors.add(scores.data(), selection_bias, scores.size());
  limit_groups(config, scores);
  take_best(scores, experts);

  for (size_t i = 0; i < experts.size(); ++i) weights[i] = logits[experts[i]];
  if (config.gating == Gating::kSelectedSoftmax) vectors.softmax(weights.data(), weights.size());
  if (config.normalise) {
    float sum = 0.0F;
    for (const float weight : weights) sum += weight;
    // The makers' guard against a sum of zero.
    for (float& weight : weights) weight /= sum + 1e-20F;
  }
  for (float& weight : weights) weight *= config.scale;
}

}  // namespace freehold::models
