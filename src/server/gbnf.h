// GBNF, the notation of grammars that llama.cpp made common: `name ::= "text" [a-z]+ ( a | b )?`.
#pragma once

#include "server/grammar.h"

namespace freehold::server {

// The rule `root`, which is where it begins. Errors: kBadFormat with the line, kLimitExceeded
// (nesting over 64, repetition over 10000).
base::Result<GrammarBuilder::Expr> parse_gbnf(std::string_view text, GrammarBuilder& builder);

}  // namespace freehold::server
