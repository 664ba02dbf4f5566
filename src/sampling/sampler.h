// Logits to token. Owns the order in which a request's settings are applied (freehold/engine.h,
// struct Sampling) and the draw; refuses settings that make no sense and logits that are not
// numbers. Knows no text, no model and no batch.
//
// A token is a function of (logits, settings, tokens so far, position): the draw has no state, so
// batching, preemption and speculation cannot change an answer. exp and log are our own, for the
// same bits everywhere.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "freehold/engine.h"
#include "sampling/candidates.h"

namespace freehold::sampling {

struct Sample {
  TokenId token = 0;
  // Of the model's own distribution: log-softmax of the logits as they came in, before penalties,
  // bias, mask and temperature. Only when asked for.
  float logprob = 0.0F;
  std::vector<TokenLogprob> top_logprobs;  // most probable first, ties to the lower id
};

// Whether the settings make sense for a vocabulary of this size. Errors: kInvalidArgument, naming
// the setting, the value and the range.
base::Status validate(const Sampling& settings, uint32_t vocabulary);

// Everything one request needs to choose its tokens.
class Sampler {
 public:
  // Takes prompt, sampling, logprobs, top_logprobs and constraint of the request. After a
  // preemption the sampler is kept: it is not part of the cache. Errors: those of validate(),
  // kInvalidArgument for a prompt id outside the vocabulary.
  static base::Result<Sampler> create(const Request& request, uint32_t vocabulary);

  // Chooses the token at `position`, its index in the sequence (the first after a prompt of n is
  // at n). Overwrites `logits` (as many as the vocabulary). Errors: kInvalidArgument when a logit
  // is NaN or +infinity, when none is finite, or when the count is wrong; the request cannot go on.
  base::Result<Sample> sample(std::span<float> logits, uint64_t position);

  // Adds a token to the text so far, for penalties and the constraint. To be called once for each
  // token that stays in the sequence, in order.
  void accept(TokenId token);

 private:
  Sampler() = default;
  void note_for_repetition(TokenId token);
  void apply_penalties_and_bias(std::span<float> logits) const;
  TokenId draw_token(std::span<const float> logits, uint64_t position);
  void add_logprobs(Sample& sample) const;

  Sampling settings_;
  uint32_t vocabulary_ = 0;
  bool logprobs_ = false;
  uint32_t n_top_logprobs_ = 0;
  std::shared_ptr<Constraint> constraint_;

  std::unordered_map<TokenId, uint32_t> generated_;  // times each token was generated
  std::unordered_map<TokenId, uint32_t> in_window_;  // times in the window of repetition_penalty
  std::vector<TokenId> window_;  // a ring of the last penalty_window tokens, where that is set
  size_t window_next_ = 0;

  std::vector<float> raw_logits_;  // scratch: the logits as they came in, when logprobs are wanted
  std::vector<Candidate> candidates_;  // scratch
};

}  // namespace freehold::sampling
