// Guesses at what follows, from the text itself: where its last few tokens stood before, what came
// after them then is likely to come again. Good for copying, editing and repeating.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "freehold/engine.h"

namespace freehold::engine {

// At most `depth` guesses that continue `tokens`; none where nothing is known.
std::vector<TokenId> look_up(std::span<const TokenId> tokens, uint32_t depth);

}  // namespace freehold::engine
