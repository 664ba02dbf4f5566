#include "expert_spread.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace freehold::app {
namespace {

double median_of(std::vector<double> values) {
  std::ranges::sort(values);
  const size_t n = values.size();
  return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

}  // namespace

std::optional<ExpertSpread> expert_spread(const std::vector<std::vector<uint64_t>>& before,
                                          const std::vector<std::vector<uint64_t>>& after) {
  std::vector<double> touched, least, median, most;
  for (size_t layer = 0; layer < after.size(); ++layer) {
    std::vector<double> tokens(after[layer].begin(), after[layer].end());
    for (size_t e = 0; layer < before.size() && e < before[layer].size(); ++e) {
      tokens[e] -= static_cast<double>(before[layer][e]);
    }
    if (std::reduce(tokens.begin(), tokens.end()) <= 0) continue;
    const auto n_touched = std::ranges::count_if(tokens, [](double n) { return n > 0; });
    touched.push_back(static_cast<double>(n_touched) / static_cast<double>(tokens.size()));
    least.push_back(std::ranges::min(tokens));
    most.push_back(std::ranges::max(tokens));
    median.push_back(median_of(std::move(tokens)));
  }
  if (touched.empty()) return std::nullopt;
  return ExpertSpread{.n_experts = after.front().size(),
                      .touched_share = median_of(touched),
                      .least = median_of(least),
                      .median = median_of(median),
                      .most = median_of(most)};
}

double distinct_experts(uint64_t n_experts, uint64_t n_used, uint64_t n_tokens) {
  if (n_experts == 0 || n_used == 0) return 1;
  const double share = static_cast<double>(n_used) / static_cast<double>(n_experts);
  return (1 - std::pow(1 - share, static_cast<double>(n_tokens))) / share;
}

std::string describe(const ExpertSpread& spread) {
  return fmt::format(
      "{:.0f} % of {} experts used, tokens an expert: {:.0f} at least, {:.0f} in the median, "
      "{:.0f} "
      "at most (generation, median of the layers)",
      100 * spread.touched_share, spread.n_experts, spread.least, spread.median, spread.most);
}

}  // namespace freehold::app
