// How evenly the experts of a mixture are used.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace freehold::app {

// Of the layers with experts, each figure the median over layers.
struct ExpertSpread {
  uint64_t n_experts = 0;
  double touched_share = 0;  // experts that had any token
  double least = 0;          // tokens of the expert that had fewest
  double median = 0;
  double most = 0;
};

// Of the tokens between two readings of Engine::expert_tokens(); nothing without experts or tokens.
std::optional<ExpertSpread> expert_spread(const std::vector<std::vector<uint64_t>>& before,
                                          const std::vector<std::vector<uint64_t>>& after);

// Experts that `n_tokens` tokens choose together, as a multiple of what one chooses, if they choose
// independently and evenly; 1 for a model without experts.
double distinct_experts(uint64_t n_experts, uint64_t n_used, uint64_t n_tokens);

std::string describe(const ExpertSpread& spread);

}  // namespace freehold::app
