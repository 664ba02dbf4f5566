#include "engine/lookup.h"

#include <algorithm>

namespace freehold::engine {
namespace {

// Two tokens match by chance too often, more than three rarely match at all.
constexpr size_t kKey = 3;
// How far back the text is searched: what a step can afford.
constexpr size_t kReach = 8192;

}  // namespace

std::vector<TokenId> look_up(std::span<const TokenId> tokens, uint32_t depth) {
  const size_t n = tokens.size();
  if (depth == 0 || n < 2 * kKey) return {};
  const std::span<const TokenId> key = tokens.last(kKey);
  const size_t oldest = n > kReach ? n - kReach : 0;
  // The latest earlier place, for text drifts.
  for (size_t at = n - kKey; at-- > oldest;) {
    if (!std::ranges::equal(tokens.subspan(at, kKey), key)) continue;
    const std::span<const TokenId> next = tokens.subspan(at + kKey);
    return {next.begin(), next.begin() + std::min<std::ptrdiff_t>(depth, std::ssize(next))};
  }
  return {};
}

}  // namespace freehold::engine
