// Regular expressions (the part of ECMA-262 that JSON Schemas use) as grammars of JSON strings.
#pragma once

#include "server/json_grammar.h"

namespace freehold::server {

// The characters of a string that the pattern finds a match in, as they stand between the quotes;
// without ^ and $ anything may surround the match. Errors: kUnsupported (look-around,
// back-references, Unicode properties, word boundaries, anchors in the middle), kBadFormat,
// kLimitExceeded.
base::Result<GrammarBuilder::Expr> regex_in_string(std::string_view pattern,
                                                   GrammarBuilder& builder, JsonGrammar& json);

}  // namespace freehold::server
