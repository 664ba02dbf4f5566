// The messages of a harmony answer (gpt-oss), in the order in which they may come: thoughts on the
// analysis channel, words to the user before a call, then the answer or a call. Channels and
// recipients are bound, so that nothing passes for a message that wasn't asked for.
//
// A message is `<|channel|>CHANNEL<|message|>BODY`, and `<|end|><|start|>assistant` leads from one
// to the next; the prompt ends in `<|start|>assistant`. A call's message ends the answer.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "server/grammar.h"

namespace freehold::server {

// The control tokens without which a vocabulary can't write harmony.
inline constexpr std::array<std::string_view, 5> kHarmonyTokens = {
    "<|start|>", "<|channel|>", "<|message|>", "<|constrain|>", "<|end|>"};

struct HarmonyRules {
  bool think = false;  // analysis may come first
  bool speak = false;  // free text is an answer, and may come before a call
  bool call = false;   // any name with any arguments is a call
};

// The final channel with this body.
GrammarBuilder::Expr harmony_final(GrammarBuilder& builder, GrammarBuilder::Expr body);

// The whole answer: `ends` are the messages that may end it, besides those of the rules.
GrammarBuilder::Expr harmony_messages(GrammarBuilder& builder, const HarmonyRules& rules,
                                      std::vector<GrammarBuilder::Expr> ends);

}  // namespace freehold::server
