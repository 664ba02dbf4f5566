#include "server/harmony_answer.h"

#include <algorithm>
#include <array>
#include <limits>
#include <set>

namespace freehold::server {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();
constexpr size_t kTail = 64;  // longer than any marker and header
constexpr std::array<std::string_view, 7> kMarkers = {"<|start|>",     "<|channel|>", "<|message|>",
                                                      "<|constrain|>", "<|end|>",     "<|return|>",
                                                      "<|call|>"};

}  // namespace

HarmonyAnswer::HarmonyAnswer(std::shared_ptr<Guide> guide, std::shared_ptr<const TokenTrie> trie,
                             uint32_t budget)
    : guide_(std::move(guide)),
      trie_(std::move(trie)),
      fixed_(trie_->ends()),
      budget_(budget),
      state_(guide_->start()),
      after_text_(guide_->after_free_text(state_)) {
  for (const auto marker : kMarkers) {
    if (const TokenId id = trie_->control(std::string(marker)); id >= 0) fixed_.push_back(id);
  }
}

void HarmonyAnswer::mask(std::span<float> logits) {
  const auto set = guide_->mask(in_free_text() ? after_text_ : state_);
  stuck_ = !in_free_text() && guide_->stuck(state_);
  if (!in_free_text() || (thinking_ && budget_ != 0 && thought_ >= budget_)) {
    keep_only(*set, logits);
  } else {
    for (const TokenId id : fixed_) {
      if (!contains(*set, id)) logits[static_cast<size_t>(id)] = kNever;
    }
  }
  const auto spelled = spelled_markers();
  if (spelled.empty()) return;
  const auto possible = [&](TokenId id) { return logits[static_cast<size_t>(id)] != kNever; };
  // A schema may leave nothing else, and something must be left.
  if (std::ranges::count_if(logits, [](float logit) { return logit != kNever; }) ==
      std::ranges::count_if(spelled, possible)) {
    return;
  }
  for (const TokenId id : spelled) logits[static_cast<size_t>(id)] = kNever;
}

std::vector<TokenId> HarmonyAnswer::spelled_markers() const {
  std::set<TokenId> found;
  for (const auto marker : kMarkers) {
    for (size_t begun = std::min(marker.size() - 1, tail_.size()); begun > 0; --begun) {
      if (!tail_.ends_with(marker.substr(0, begun))) continue;
      const std::string_view rest = marker.substr(begun);
      for (TokenId id = 0; static_cast<uint32_t>(id) < trie_->vocabulary(); ++id) {
        if (trie_->bytes(id).starts_with(rest)) found.insert(id);
      }
    }
  }
  return {found.begin(), found.end()};
}

void HarmonyAnswer::accept(TokenId token) {
  tail_ += trie_->text(token);
  if (tail_.size() > 2 * kTail) tail_.erase(0, tail_.size() - kTail);
  if (in_free_text() && !contains(*guide_->mask(after_text_), token)) {
    thought_ += thinking_ ? 1 : 0;
    return;
  }
  state_ = guide_->accept(in_free_text() ? after_text_ : state_, token);
  after_text_ = guide_->after_free_text(state_);
  thinking_ = in_free_text() && tail_.ends_with("<|channel|>analysis<|message|>");
}

}  // namespace freehold::server
