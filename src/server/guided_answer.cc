// Owns the phases of a guided answer.
#include "server/guided_answer.h"

#include <algorithm>
#include <limits>

namespace freehold::server {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();
constexpr size_t kTail = 256;  // longer than any marker

void allow_only(std::span<float> logits, TokenId token) {
  const float kept = logits[static_cast<size_t>(token)];
  std::ranges::fill(logits, kNever);
  logits[static_cast<size_t>(token)] = kept == kNever ? 0.0F : kept;
}

}  // namespace

GuidedAnswer::GuidedAnswer(GuidedOptions options) : options_(std::move(options)) {
  opener_ = options_.think_start.empty() ? -1 : options_.trie->find(options_.think_start);
  for (const char* text : {"\n\n", "\n"}) {
    const TokenId id = options_.trie->find(text);
    if (id >= 0) gaps_.push_back(id);
  }
  phase_ = Phase::kThinking;
  if (!options_.thinking) begin_answer();
}

void GuidedAnswer::begin_answer() {
  tail_.clear();
  if (!options_.guide || !options_.trigger.empty()) {
    phase_ = Phase::kFree;
    return;
  }
  state_ = options_.guide->start();
  phase_ = thought_ > 0 ? Phase::kGap : Phase::kGrammar;
}

void GuidedAnswer::begin_call() {
  state_ = options_.guide->start();
  phase_ = Phase::kGrammar;
  begun_ = true;
}

void GuidedAnswer::forbid_ends(std::span<float> logits) const {
  for (const TokenId id : options_.trie->ends()) logits[static_cast<size_t>(id)] = kNever;
}

void GuidedAnswer::mask(std::span<float> logits) {
  stuck_ = false;
  switch (phase_) {
    case Phase::kThinking:
      if (options_.guide && options_.trigger.empty()) forbid_ends(logits);
      return;
    case Phase::kForced:
      allow_only(logits, options_.budget_end[forced_]);
      return;
    case Phase::kFree:
      return;
    case Phase::kGap:
    case Phase::kGrammar:
      break;
  }
  const auto set = options_.guide->mask(state_);
  stuck_ = options_.guide->stuck(state_);
  const bool opens = options_.may_think && !begun_ && thought_ == 0;
  if (!opens && phase_ == Phase::kGrammar) {
    keep_only(*set, logits);
    return;
  }
  TokenSet more = *set;
  // Between thinking and answer models break the line.
  if (phase_ == Phase::kGap) {
    for (const TokenId id : gaps_) insert(more, id);
  }
  if (opens && opener_ >= 0) insert(more, opener_);
  keep_only(more, logits);
}

void GuidedAnswer::remember(TokenId token) {
  tail_ += options_.trie->text(token);
  if (tail_.size() > 2 * kTail) tail_.erase(0, tail_.size() - kTail);
}

void GuidedAnswer::accept(TokenId token) {
  remember(token);
  switch (phase_) {
    case Phase::kForced:
      if (++forced_ == options_.budget_end.size()) begin_answer();
      return;
    case Phase::kThinking:
      ++thought_;
      if (ends_with(options_.trigger)) {  // a call from within the reasoning
        begin_call();
      } else if (ends_with(options_.think_end)) {
        begin_answer();
      } else if (options_.budget != 0 && thought_ >= options_.budget &&
                 !options_.budget_end.empty()) {
        phase_ = Phase::kForced;
      }
      return;
    case Phase::kFree:
      if (ends_with(options_.trigger)) {
        begin_call();
      } else if (options_.may_think && !begun_ && ends_with(options_.think_start)) {
        phase_ = Phase::kThinking;
      }
      begun_ = true;
      return;
    case Phase::kGap:
    case Phase::kGrammar:
      break;
  }
  if (options_.may_think && !begun_ && thought_ == 0 && token == opener_) {
    phase_ = Phase::kThinking;
    return;
  }
  const bool gap = phase_ == Phase::kGap && std::ranges::find(gaps_, token) != gaps_.end();
  phase_ = Phase::kGrammar;
  if (gap) return;
  begun_ = true;
  state_ = options_.guide->accept(state_, token);
  if (!options_.trigger.empty() && options_.guide->complete(state_)) {
    phase_ = Phase::kFree;
    tail_.clear();
  }
}

}  // namespace freehold::server
