// Closes a model's thinking when it has used up its tokens: from then on the words that end it are
// forced, and the answer follows as if the model had stopped by itself.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "chat/output_parser.h"
#include "freehold/engine.h"

namespace freehold::app {

class ReasoningBudget : public Constraint {
 public:
  // The text of a token, markup included.
  using Piece = std::function<std::string_view(TokenId)>;

  // `end` are the tokens of ThinkingControl::end_text; the tail in `output` tells whether the
  // prompt opened the thinking already.
  ReasoningBudget(Piece piece, chat::OutputOptions output, uint32_t budget,
                  std::vector<TokenId> end);

  void mask(std::span<float> logits) override;
  void accept(TokenId token) override;

  // Whether thinking had to be closed. After the request's end only.
  bool closed() const { return forced_ > 0; }

 private:
  bool forcing() const;

  Piece piece_;
  chat::OutputParser parser_;
  std::vector<chat::OutputEvent> ignored_;
  uint32_t left_;
  std::vector<TokenId> end_;
  size_t forced_ = 0;  // tokens of `end_` so far
};

}  // namespace freehold::app
