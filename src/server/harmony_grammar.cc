#include "server/harmony_grammar.h"

#include <utility>

namespace freehold::server {
namespace {

using Expr = GrammarBuilder::Expr;

Expr message(GrammarBuilder& b, std::string_view channel, Expr body) {
  return b.sequence({b.special("<|channel|>"), b.text(channel), b.special("<|message|>"), body});
}

// A call as the model likes it: `commentary to=functions.NAME <|constrain|>json`.
Expr any_call(GrammarBuilder& b) {
  const Expr words = b.repeat(b.code_points(complement({{'\n', '\n'}, {'<', '<'}})), 1, 64);
  return b.sequence({b.special("<|channel|>"), b.text("commentary to="), words,
                     b.optional(b.sequence({b.special("<|constrain|>"), words})),
                     b.special("<|message|>"), b.free_text()});
}

}  // namespace

Expr harmony_final(GrammarBuilder& b, Expr body) { return message(b, "final", body); }

Expr harmony_messages(GrammarBuilder& b, const HarmonyRules& rules, std::vector<Expr> ends) {
  std::vector<Expr> before;
  if (rules.think) before.push_back(message(b, "analysis", b.free_text()));
  if (rules.speak) {
    before.push_back(message(b, "commentary", b.free_text()));
    ends.push_back(harmony_final(b, b.free_text()));
  }
  if (rules.call) ends.push_back(any_call(b));
  std::vector<Expr> parts;
  if (!before.empty()) {
    const Expr next =
        b.sequence({b.special("<|end|>"), b.special("<|start|>"), b.text("assistant")});
    // Where the answer is bound, one thought comes before it.
    parts.push_back(b.repeat(b.sequence({b.any_of(std::move(before)), next}), 0,
                             rules.speak ? std::nullopt : std::optional<uint32_t>(1)));
  }
  parts.push_back(b.any_of(std::move(ends)));
  return b.sequence(std::move(parts));
}

}  // namespace freehold::server
