// A request on its way through the engine.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "engine/depth_policy.h"
#include "engine/predictor.h"
#include "freehold/engine.h"
#include "kv/blocks.h"
#include "sampling/sampler.h"
#include "scheduler/scheduler.h"

namespace freehold::engine {

// What a Stream may change from any thread.
struct Controls {
  std::atomic<bool> cancelled{false};
  std::atomic<bool> paused{false};
};

struct Sequence {
  Sequence(Request from, sampling::Sampler with)
      : request(std::move(from)), sampler(std::move(with)), tokens(request.prompt) {}

  scheduler::SequenceId id = 0;
  scheduler::TenantId tenant = 0;
  Request request;
  sampling::Sampler sampler;
  std::shared_ptr<Controls> controls = std::make_shared<Controls>();

  std::vector<TokenId> tokens;  // prompt and answer
  std::vector<TokenId> drafts;  // guesses at what follows, for the step at hand
  Predictor::Track track;       // what they are predicted from, while running
  GuessOdds odds;               // how often they came true
  bool has_guessed = false;     // the odds are this sequence's own
  kv::BlockTable table;         // while running
  uint32_t prompt_end = 0;      // tokens to be in the cache before the next one is made
  uint32_t n_steps = 0;         // since it was admitted
  bool admitted_before = false;

  Usage usage;
  uint64_t submitted_us = 0;
  uint64_t admitted_us = 0;
  uint64_t first_token_us = 0;

  uint32_t n_generated() const {
    return static_cast<uint32_t>(tokens.size() - request.prompt.size());
  }
};

}  // namespace freehold::engine
