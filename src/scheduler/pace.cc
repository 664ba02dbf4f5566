#include "scheduler/pace.h"

#include <algorithm>

namespace freehold::scheduler {

void Pace::observe(uint32_t n_prompt_tokens, uint32_t n_others, uint64_t step_us) {
  if (n_prompt_tokens == 0) {
    if (n_others > 0) base_us_ = base_us_ == 0 ? step_us : (3 * base_us_ + step_us) / 4;
    return;
  }
  // The others' part was seen without prompts when they were perhaps fewer: their tokens cost at
  // least what those of the prompt do. At most half is taken for it, for a prompt alone has one
  // too.
  const uint64_t others_us = step_us * n_others / (n_prompt_tokens + n_others);
  const uint64_t base_us = std::min(std::max(base_us_, others_us), step_us / 2);
  const uint64_t measured_ns = (step_us - base_us) * 1000 / n_prompt_tokens;
  token_ns_ = std::max(measured_ns, (3 * token_ns_ + measured_ns) / 4);
}

uint32_t Pace::prompt_tokens() const {
  if (limits_.max_stall_us == 0) return limits_.most_tokens;
  // Not measured yet: a token costs less than a quarter of a step that is there anyway.
  const uint64_t token_ns = token_ns_ != 0 ? token_ns_ : base_us_ * 1000 / 4;
  uint64_t fitting = token_ns == 0 ? limits_.first_tokens : limits_.max_stall_us * 1000 / token_ns;
  if (token_ns_ == 0) fitting = std::min<uint64_t>(fitting, limits_.first_tokens);
  return static_cast<uint32_t>(std::clamp<uint64_t>(
      fitting, limits_.least_tokens, std::max(limits_.most_tokens, limits_.least_tokens)));
}

}  // namespace freehold::scheduler
