#include "reasoning_budget.h"

#include <algorithm>
#include <limits>

namespace freehold::app {

ReasoningBudget::ReasoningBudget(Piece piece, chat::OutputOptions output, uint32_t budget,
                                 std::vector<TokenId> end)
    : piece_(std::move(piece)), parser_(std::move(output)), left_(budget), end_(std::move(end)) {}

bool ReasoningBudget::forcing() const {
  if (forced_ > 0) return forced_ < end_.size();
  return left_ == 0 && parser_.in_reasoning();
}

void ReasoningBudget::mask(std::span<float> logits) {
  if (!forcing()) return;
  const auto wanted = static_cast<size_t>(end_[forced_]);
  if (wanted >= logits.size()) return;
  std::fill(logits.begin(), logits.end(), -std::numeric_limits<float>::infinity());
  logits[wanted] = 0;
}

void ReasoningBudget::accept(TokenId token) {
  if (forcing()) {
    ++forced_;
  } else if (left_ > 0 && parser_.in_reasoning()) {
    --left_;
  }
  parser_.feed(piece_(token), ignored_);
  ignored_.clear();
}

}  // namespace freehold::app
