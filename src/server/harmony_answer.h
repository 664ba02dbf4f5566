// What may be sampled at each point of a harmony answer (gpt-oss): its channels by a grammar, and
// within the free ones anything but the markers of messages. Nor are markers spelled out as text,
// which would read back as themselves.
#pragma once

#include <string>
#include <vector>

#include "server/bound_answer.h"
#include "server/guide.h"

namespace freehold::server {

class HarmonyAnswer : public BoundAnswer {
 public:
  // `budget`: tokens of thinking, then it is closed; 0: any number.
  HarmonyAnswer(std::shared_ptr<Guide> guide, std::shared_ptr<const TokenTrie> trie,
                uint32_t budget);

  void mask(std::span<float> logits) override;
  void accept(TokenId token) override;
  // Whether no answer goes on from here.
  bool dead() const { return state_ == Automaton::kDead; }

 private:
  bool in_free_text() const { return after_text_ != Automaton::kDead; }
  // Every token that would complete the text of a marker.
  std::vector<TokenId> spelled_markers() const;

  std::shared_ptr<Guide> guide_;
  std::shared_ptr<const TokenTrie> trie_;
  std::vector<TokenId> fixed_;  // markers and ends: allowed only where the grammar has them
  uint32_t budget_;
  Guide::State state_;
  Guide::State after_text_;  // where free text ends; kDead outside of it
  std::string tail_;         // the last bytes of text
  bool thinking_ = false;
  uint32_t thought_ = 0;  // tokens of thinking
};

}  // namespace freehold::server
