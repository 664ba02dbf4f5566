// A long prompt beside others who get tokens, on a simulated machine with a clock of its own.
#include "scheduler/pace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/random.h"
#include "scheduler/scheduler.h"

namespace freehold::scheduler {
namespace {

constexpr uint32_t kPrompt = 20'000;
constexpr uint32_t kOthers = 4;

struct Machine {
  uint64_t base_us;         // a step, however few its tokens
  uint64_t token_ns;        // a prompt token at the beginning
  uint64_t token_depth_ns;  // more for each 1,000 positions before it
  uint32_t noise_percent;
};

struct Outcome {
  uint64_t longest_us = 0;  // between two tokens of the others
  uint64_t total_us = 0;    // until the long prompt was done
};

// Four sequences make tokens; then a prompt of 20,000 comes.
Outcome simulate(const Machine& machine, uint32_t max_stall_us) {
  Scheduler scheduler({.step_tokens = 512, .max_sequences = 16, .total_blocks = 4096});
  Pace pace({.max_stall_us = max_stall_us, .most_tokens = max_stall_us == 0 ? 128U : 512U});
  std::vector<Running> running;
  for (SequenceId id = 1; id <= kOthers; ++id) {
    running.push_back({.id = id,
                       .tenant = id,
                       .n_tokens = 32,
                       .may_generate = 100'000,
                       .blocks = 1,
                       .exclusive_blocks = 1});
  }
  Outcome outcome;
  for (uint64_t step = 0;; ++step) {
    if (step == 20) {
      running.push_back({.id = 9, .tenant = 9, .prompt_left = kPrompt, .may_generate = 10});
    }
    scheduler.set_prompt_tokens_beside_decode(pace.prompt_tokens());
    const Plan plan = scheduler.plan(running, 3000);
    uint32_t n_prompt = 0;
    uint32_t n_others = 0;
    uint32_t depth = 0;
    for (const Turn& turn : plan.turns) {
      auto& sequence = *std::ranges::find(running, turn.id, &Running::id);
      if (sequence.prompt_left > 0) {
        depth = sequence.n_tokens;
        n_prompt += turn.n_tokens;
        sequence.prompt_left -= turn.n_tokens;
      } else {
        ++n_others;
      }
      sequence.n_tokens += turn.n_tokens;
      sequence.blocks = std::max(sequence.blocks, kv::blocks_for(sequence.n_tokens));
    }
    EXPECT_EQ(n_others, kOthers) << "in every step";
    uint64_t step_us = machine.base_us +
                       n_prompt * (machine.token_ns + depth * machine.token_depth_ns / 1000) / 1000;
    step_us += step_us * (base::random_bits(7, step) % (machine.noise_percent + 1)) / 100;
    pace.observe(n_prompt, n_others, step_us);
    outcome.longest_us = std::max(outcome.longest_us, step_us);
    if (step >= 20) outcome.total_us += step_us;
    if (step >= 20 && running.back().prompt_left == 0) return outcome;
  }
}

TEST(Pace, LongPromptsStallNobodyLongerThanTheySay) {
  constexpr uint32_t kStallUs = 200'000;
  for (const Machine& machine : {Machine{30'000, 2'000'000, 0, 0},        // 500 tokens/s
                                 Machine{30'000, 2'000'000, 0, 20},       // and uneven
                                 Machine{30'000, 1'000'000, 200'000, 0},  // slower with depth
                                 Machine{100'000, 5'000'000, 0, 10}}) {
    const Outcome outcome = simulate(machine, kStallUs);
    const uint64_t longest_us = machine.base_us + kStallUs * 5 / 4;
    EXPECT_LE(outcome.longest_us, longest_us) << machine.base_us << " " << machine.token_ns;
    // And pieces are not much smaller than they need be: each adds about that much to its step.
    const uint64_t least_us = kPrompt * (machine.token_ns + machine.token_depth_ns * 10) / 1000;
    const uint64_t ideal_us = least_us + least_us / kStallUs * machine.base_us;
    EXPECT_LE(outcome.total_us, ideal_us * 3 / 2) << machine.base_us << " " << machine.token_ns;
    // Pieces of one size stall longer.
    EXPECT_GT(simulate(machine, 0).longest_us, longest_us);
  }
}

TEST(Pace, FastMachinesTakeMoreAtOnce) {
  const Machine fast{5'000, 100'000, 0, 0};  // 10,000 tokens/s
  EXPECT_LE(simulate(fast, 200'000).longest_us, 60'000U);
  EXPECT_LT(simulate(fast, 200'000).total_us, simulate(fast, 0).total_us);
}

TEST(Pace, PromptsGetOnWhereNothingFits) {
  Pace pace({.max_stall_us = 10'000, .most_tokens = 512});
  EXPECT_EQ(pace.prompt_tokens(), 32U);
  pace.observe(0, 4, 50'000);
  pace.observe(32, 4, 5'000'000);
  EXPECT_EQ(pace.prompt_tokens(), 8U);
  for (int i = 0; i < 40; ++i) pace.observe(8, 4, 50'000);
  EXPECT_EQ(pace.prompt_tokens(), 8U) << "eight take longer than that";
}

TEST(Pace, OneHiccupIsForgotten) {
  Pace pace({.max_stall_us = 200'000, .most_tokens = 512});
  for (int i = 0; i < 10; ++i) pace.observe(100, 4, 100'000);
  const uint32_t before = pace.prompt_tokens();
  pace.observe(100, 4, 3'000'000);
  EXPECT_LT(pace.prompt_tokens(), before / 10);
  for (int i = 0; i < 20; ++i) pace.observe(100, 4, 100'000);
  EXPECT_GT(pace.prompt_tokens(), before * 9 / 10);
}

}  // namespace
}  // namespace freehold::scheduler
