// The grammar of tool calls in a family's own form: frames around names and arguments, the
// arguments kept to each tool's schema.
#pragma once

#include <string_view>

#include "server/grammar.h"
#include "server/json_grammar.h"
#include "server/spec.h"
#include "server/token_trie.h"
#include "server/tool_frame.h"

namespace freehold::server {

class CallGrammar {
 public:
  using Expr = GrammarBuilder::Expr;

  // All four must outlive it.
  CallGrammar(GrammarBuilder& builder, JsonGrammar& json, const TokenTrie& trie,
              const ToolFrame& frame)
      : b_(builder), json_(json), trie_(trie), frame_(frame) {}

  // The calls that the request's tools and tool_choice allow; `opened`: what opens them has been
  // written already. Errors: kUnsupported and kBadFormat, naming the tool, for a strict schema that
  // can't be kept.
  base::Result<Expr> compile(const Spec& spec, bool opened);

 private:
  // Template text, in which the vocabulary's control tokens stand as themselves.
  Expr marked(std::string_view text);
  base::Result<Expr> arguments(const Json& schema);
  // Families that write them one by one.
  base::Result<Expr> listed_arguments(const Json& schema);
  base::Result<Expr> argument(const std::string& name, const Json& root, const Json& schema);
  // Any text that can't be taken for the end of it.
  Expr free_text();

  GrammarBuilder& b_;
  JsonGrammar& json_;
  const TokenTrie& trie_;
  const ToolFrame& frame_;
};

}  // namespace freehold::server
