// The unit of the cache: 32 consecutive positions. A block id stands for those positions in every
// layer; where their bytes are is the arena's business, and what they mean is that of `ops`.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace freehold::kv {

inline constexpr uint32_t kBlockTokens = 32;

using BlockId = uint32_t;
inline constexpr BlockId kNoBlock = std::numeric_limits<BlockId>::max();

// Blocks that hold this many positions.
constexpr uint32_t blocks_for(uint32_t n_tokens) {
  return n_tokens / kBlockTokens + (n_tokens % kBlockTokens != 0 ? 1U : 0U);
}

// A sequence's blocks in order of position. Made, changed and ended by BlockCache only; anyone may
// read it.
struct BlockTable {
  std::vector<BlockId> blocks;
  uint32_t n_tokens = 0;  // positions whose keys and values are final
  uint32_t n_shared = 0;  // leading blocks that the prefix tree knows: full, never written again
  uint32_t tenant = 0;    // the cache's own number for it
};

}  // namespace freehold::kv
