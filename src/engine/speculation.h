// Guesses for the sequences that make tokens, and what they are worth: from the model's prediction
// layer where it has one, else from the text itself; as many as were asked for, or as many as pay.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/depth_policy.h"
#include "engine/predictor.h"
#include "engine/sequence.h"

namespace freehold::engine {

class Speculation {
 public:
  // `depth` as in EngineOptions. `predictor` may be null.
  Speculation(uint32_t depth, std::unique_ptr<Predictor> predictor)
      : depth_(depth), predictor_(std::move(predictor)) {}

  // Fills the drafts of the running sequences for the next step. `busy`: there are prompts to
  // compute, beside which guesses don't pay.
  void guess(std::span<const std::unique_ptr<Sequence>> running, bool busy);

  // The model has computed the first n_rows of a slice, which are the sequence's for good.
  void note(Sequence& sequence, const models::Pass& pass, const ops::Slice& slice, size_t n_rows);
  // Of the sequence's n_guessed guesses in a step n_true came true.
  void learn(Sequence& sequence, uint32_t n_guessed, uint32_t n_true);
  // A step is over in which every sequence made tokens, n_tokens in all. Without guess_us, which is
  // known here.
  void learn(DepthPolicy::Step step);

 private:
  bool automatic() const { return depth_ == EngineOptions::kAutomaticDepth; }
  void find_candidates(std::span<const std::unique_ptr<Sequence>> running);
  void choose_depths(bool busy);

  const uint32_t depth_;
  std::unique_ptr<Predictor> predictor_;
  DepthPolicy policy_;
  GuessOdds usual_;  // of all sequences: what a new one begins with
  double guess_us_ = 0;

  // Of a call of guess().
  std::vector<Sequence*> sequences_;
  std::vector<DepthPolicy::Candidate> candidates_;
  std::vector<uint32_t> depths_;
};

}  // namespace freehold::engine
