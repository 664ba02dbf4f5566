// What a step of the model does: pure policy. Owns who is let in, who computes how many tokens in
// the next step, and who gives way when blocks run out. Knows no clock, no model and no memory: it
// is told everything, in integers, and the same history gives the same plans.
//
// A step goes: admit() → the engine releases and opens what it says → plan() → the engine runs it.
//
// Promises, for requests that fit the cache alone:
//   - every running sequence that is not paused and has its prompt behind it makes a token in every
//     step (unless it must give way), and prompts take at most a stated part of such a step;
//   - tenants that wait get equal numbers of tokens, whatever number of requests they send; within
//     a tenant first come is first served;
//   - nobody waits for ever: the head of the line is never overtaken because it is large;
//   - a sequence that gives way loses no token: it comes back with them as part of its prompt.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "kv/blocks.h"

namespace freehold::scheduler {

using SequenceId = uint64_t;  // rises in order of arrival
using TenantId = uint64_t;    // the engine's number for a tenant

struct Limits {
  uint32_t step_tokens = 512;   // tokens of one step, all sequences together
  uint32_t max_sequences = 16;  // running at once; a step always has a token for each
  uint32_t total_blocks = 0;    // of the cache
  // Prompt tokens in a step that also makes tokens for others, who wait for it.
  uint32_t prompt_tokens_beside_decode = 128;
};

// A request that is not running. Those that gave way come before those that never ran.
struct Waiting {
  SequenceId id = 0;
  TenantId tenant = 0;
  uint32_t prompt_tokens = 0;  // to be in the cache before the next token: prompt, and what is made
  uint32_t may_generate = 0;   // further tokens at most; at least 1
};

struct Running {
  SequenceId id = 0;
  TenantId tenant = 0;
  uint32_t n_tokens = 0;          // in the cache
  uint32_t prompt_left = 0;       // of the prompt, yet to be computed; 0: it makes tokens
  uint32_t may_generate = 0;      // further tokens at most; at least 1
  uint32_t n_drafts = 0;          // guessed tokens that could be verified
  uint32_t blocks = 0;            // in its table
  uint32_t exclusive_blocks = 0;  // of those, with no other user
  uint32_t n_steps = 0;           // that it took part in since it was admitted
  bool paused = false;            // keeps its blocks, computes nothing, is never sent away
};

// First the sequences to send away are closed and queued again in front, then those to admit are
// opened.
struct Admission {
  std::vector<SequenceId> preempt;
  std::vector<SequenceId> admit;
};

struct Turn {
  SequenceId id = 0;
  // Prompt: the next n_tokens of it. Otherwise 1 + n_drafts: the newest token, then guesses.
  uint32_t n_tokens = 0;
  uint32_t n_drafts = 0;
  bool makes_token = false;  // the last of these tokens ends the prompt, or the prompt is behind
};

struct Plan {
  std::vector<SequenceId> preempt;  // to close and queue in front, before the step
  // In the order of `running`. Empty: plan again if somebody gave way, else nothing can be done
  // until a request comes, ends or is resumed.
  std::vector<Turn> turns;
};

class Scheduler {
 public:
  explicit Scheduler(const Limits& limits);

  // Whether a request could ever run: with all blocks to itself.
  bool fits(uint32_t prompt_tokens, uint32_t may_generate) const;

  // `waiting` in order of arrival, `running` in order of admission, `available_blocks` free or
  // evictable.
  Admission admit(std::span<const Waiting> waiting, std::span<const Running> running,
                  uint32_t available_blocks);

  // The next step of `running`, in order of admission. Charges each tenant for its tokens.
  Plan plan(std::span<const Running> running, uint32_t available_blocks);

  // For the next plans: Limits::prompt_tokens_beside_decode (see pace.h).
  void set_prompt_tokens_beside_decode(uint32_t n);

  // Tokens of this tenant so far, for tests and statistics; 0 for one not seen lately.
  uint64_t account(TenantId tenant) const;

 private:
  void update_accounts(std::span<const Waiting> waiting, std::span<const Running> running);
  void charge(std::span<const Running> running, const Plan& plan);

  Limits limits_;
  std::map<TenantId, uint64_t> accounts_;
};

}  // namespace freehold::scheduler
