// Guesses at what follows, from the text itself: where its last few tokens stood before, what came
// after them then is likely to come again. Good for copying, editing and repeating.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "freehold/engine.h"

namespace freehold::engine {

// How much one request's guesses are worth, learnt as it goes: guesses that fail make the next ones
// rarer, guesses that come true make them longer. A wrong guess costs part of a step; this bounds
// the loss.
class LookupDrafts {
 public:
  // At most `depth` guesses that continue `tokens`; none where nothing is known.
  std::vector<TokenId> guess(std::span<const TokenId> tokens, uint32_t depth);
  // What became of the last guesses.
  void learn(uint32_t n_guessed, uint32_t n_true);

 private:
  uint32_t length_ = 4;  // guesses at a time
  uint32_t pause_ = 0;   // steps to sit out
  uint32_t failures_ = 0;
};

}  // namespace freehold::engine
