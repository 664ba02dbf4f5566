#include "engine/lookup.h"

#include <algorithm>

namespace freehold::engine {
namespace {

// Two tokens match by chance too often, more than three rarely match at all.
constexpr size_t kKey = 3;
// How far back the text is searched: what a step can afford.
constexpr size_t kReach = 8192;
constexpr uint32_t kLongestPause = 64;

}  // namespace

std::vector<TokenId> LookupDrafts::guess(std::span<const TokenId> tokens, uint32_t depth) {
  if (pause_ > 0) {
    --pause_;
    return {};
  }
  const size_t n = tokens.size();
  if (depth == 0 || n < 2 * kKey) return {};
  const std::span<const TokenId> key = tokens.last(kKey);
  const size_t oldest = n > kReach ? n - kReach : 0;
  // The latest earlier place, for text drifts.
  for (size_t at = n - kKey; at-- > oldest;) {
    if (!std::ranges::equal(tokens.subspan(at, kKey), key)) continue;
    const size_t first = at + kKey;
    const size_t count = std::min<size_t>({depth, length_, n - first});
    return {tokens.begin() + static_cast<std::ptrdiff_t>(first),
            tokens.begin() + static_cast<std::ptrdiff_t>(first + count)};
  }
  return {};
}

void LookupDrafts::learn(uint32_t n_guessed, uint32_t n_true) {
  if (n_guessed == 0) return;
  if (2 * n_true >= n_guessed) {
    failures_ = 0;
    length_ = std::min(length_ * 2, 32U);
    return;
  }
  ++failures_;
  length_ = std::max(length_ / 2, 2U);
  pause_ = std::min(1U << std::min(failures_, 6U), kLongestPause);
}

}  // namespace freehold::engine
