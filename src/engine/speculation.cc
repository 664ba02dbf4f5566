#include "engine/speculation.h"

#include <algorithm>

#include "base/clock.h"
#include "engine/lookup.h"

namespace freehold::engine {

// Those that make a token in the next step, with the guesses that they could have.
void Speculation::find_candidates(std::span<const std::unique_ptr<Sequence>> running) {
  sequences_.clear();
  candidates_.clear();
  const uint32_t most = automatic() ? DepthPolicy::kMost : depth_;
  for (const auto& sequence : running) {
    sequence->drafts.clear();
    const bool answers = sequence->tokens.size() == sequence->table.n_tokens + size_t{1};
    if (!answers || sequence->controls->paused) continue;
    uint32_t limit = std::min(most, sequence->request.max_tokens - sequence->n_generated() - 1);
    if (!predictor_) {
      sequence->drafts = look_up(sequence->tokens, limit);
      limit = static_cast<uint32_t>(sequence->drafts.size());
    }
    if (!sequence->has_guessed) sequence->odds = usual_;
    sequences_.push_back(sequence.get());
    candidates_.push_back({&sequence->odds, limit});
  }
}

void Speculation::choose_depths(bool busy) {
  depths_.assign(candidates_.size(), 0);
  if (!automatic()) {
    std::ranges::transform(candidates_, depths_.begin(), &DepthPolicy::Candidate::limit);
    return;
  }
  if (busy) return;
  policy_.choose(candidates_, depths_);
  for (size_t i = 0; i < depths_.size(); ++i) {
    if (depths_[i] > 0 || candidates_[i].limit == 0) continue;
    sequences_[i]->odds.hope();
    usual_.hope();
  }
}

void Speculation::guess(std::span<const std::unique_ptr<Sequence>> running, bool busy) {
  guess_us_ = 0;
  if (depth_ == 0) return;
  const uint64_t start_us = base::now_us();
  find_candidates(running);
  choose_depths(busy);
  if (predictor_) {
    predictor_->draft(sequences_, depths_);
  } else {
    for (size_t i = 0; i < depths_.size(); ++i) sequences_[i]->drafts.resize(depths_[i]);
  }
  guess_us_ = static_cast<double>(base::now_us() - start_us);
}

void Speculation::note(Sequence& sequence, const models::Pass& pass, const ops::Slice& slice,
                       size_t n_rows) {
  if (predictor_) predictor_->note(sequence.track, pass, slice, n_rows);
}

void Speculation::learn(Sequence& sequence, uint32_t n_guessed, uint32_t n_true) {
  if (n_guessed == 0) return;
  sequence.has_guessed = true;
  sequence.odds.learn(n_guessed, n_true);
  usual_.learn(n_guessed, n_true);
}

void Speculation::learn(DepthPolicy::Step step) {
  if (!automatic()) return;
  step.guess_us = guess_us_;
  policy_.learn(step);
}

}  // namespace freehold::engine
