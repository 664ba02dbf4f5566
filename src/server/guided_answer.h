// What may be sampled at each point of an answer: thinking freely, perhaps up to a budget; then the
// answer by its grammar. Or, where tools are strict and the model chooses: freely until it opens a
// call, then by the grammar of calls, then freely again.
#pragma once

#include <string>
#include <vector>

#include "server/bound_answer.h"
#include "server/guide.h"

namespace freehold::server {

struct GuidedOptions {
  std::shared_ptr<Guide> guide;  // none: only the budget binds
  std::shared_ptr<const TokenTrie> trie;
  std::string trigger;      // not empty: the grammar begins after this text, again and again
  bool thinking = false;    // the prompt ends inside thinking
  bool may_think = false;   // the answer may begin by opening it
  std::string think_start;  // what opens it
  std::string think_end;    // what ends it: the grammar begins after this
  uint32_t budget = 0;      // tokens of thinking; 0: any number
  std::vector<TokenId> budget_end;  // forced when they are used up
};

class GuidedAnswer : public BoundAnswer {
 public:
  explicit GuidedAnswer(GuidedOptions options);

  void mask(std::span<float> logits) override;
  void accept(TokenId token) override;

 private:
  enum class Phase { kThinking, kForced, kGap, kGrammar, kFree };

  void remember(TokenId token);
  bool ends_with(const std::string& text) const { return !text.empty() && tail_.ends_with(text); }
  void forbid_ends(std::span<float> logits) const;
  void begin_answer();
  void begin_call();

  GuidedOptions options_;
  Phase phase_;
  Guide::State state_ = Automaton::kDead;
  std::string tail_;           // the last bytes of text
  uint32_t thought_ = 0;       // tokens of thinking
  size_t forced_ = 0;          // of budget_end
  bool begun_ = false;         // the answer has a token
  TokenId opener_ = -1;        // think_start as one token
  std::vector<TokenId> gaps_;  // line breaks
};

}  // namespace freehold::server
