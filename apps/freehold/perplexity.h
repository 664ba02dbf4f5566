// How surprised a model is by a text, measured as is usual in this field, so that figures compare.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"

namespace freehold::app {

struct PerplexityPlan {
  uint32_t context = 512;              // tokens a window
  std::optional<int32_t> first_token;  // put in place of each window's first (BOS)
  uint32_t max_windows = 0;            // 0: all
};

struct PerplexityResult {
  double perplexity = 0;
  double error = 0;  // one standard error
  uint64_t n_scored = 0;
  uint64_t n_windows = 0;
};

// Runs a model over `tokens` and gives the logits after each of them, in order.
using RunTokens = std::function<base::Status(
    std::span<const int32_t> tokens, const std::function<void(std::span<const float>)>& on_row)>;

// Cuts the tokens into windows of `context`, side by side, and scores the second half of each:
// every token there has at least half a window before it. What does not fill a window is left out.
// `on_window` hears the result so far. Errors: kInvalidArgument (a text shorter than a window).
base::Result<PerplexityResult> measure_perplexity(
    std::span<const int32_t> tokens, const PerplexityPlan& plan, const RunTokens& run,
    const std::function<void(const PerplexityResult&)>& on_window);

}  // namespace freehold::app
