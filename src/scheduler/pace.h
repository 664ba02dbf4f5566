// How many prompt tokens may ride in a step whose other sequences wait for their next token: as
// many as the measured rate lets through in the time that they may add to the step. No clock: it is
// told how long steps took. Never less than a few tokens, so that prompts get on everywhere.
#pragma once

#include <cstdint>

namespace freehold::scheduler {

class Pace {
 public:
  struct Limits {
    uint64_t max_stall_us = 0;   // that prompts add to a step; 0: always `most_tokens`
    uint32_t most_tokens = 128;  // of a prompt, in one step
    uint32_t first_tokens = 32;  // before anything is measured
    uint32_t least_tokens = 8;
  };

  explicit Pace(const Limits& limits) : limits_(limits) {}

  // A step with these prompt tokens and those of `n_others` other sequences took so long.
  void observe(uint32_t n_prompt_tokens, uint32_t n_others, uint64_t step_us);

  // For the next step that makes tokens for others.
  uint32_t prompt_tokens() const;

 private:
  Limits limits_;
  uint64_t base_us_ = 0;   // a step without prompt tokens, smoothed
  uint64_t token_ns_ = 0;  // a prompt token on top of it: rises at once, falls slowly
};

}  // namespace freehold::scheduler
