// The pieces of JSON that schemas are built from. Whitespace is what models write: after `{`, `[`,
// `,` and before `}` and `]` nothing, one space, or a line break with up to 20 spaces; after `:`
// nothing or one space.
#pragma once

#include "server/grammar.h"

namespace freehold::server {

class JsonGrammar {
 public:
  using Expr = GrammarBuilder::Expr;

  explicit JsonGrammar(GrammarBuilder& builder);

  Expr space() const { return space_; }
  Expr colon() const { return colon_; }
  Expr comma() const { return comma_; }
  // One character of a string, written as itself or escaped.
  Expr character() const { return character_; }
  Expr string() const { return string_; }
  Expr integer() const { return integer_; }
  Expr number() const { return number_; }
  Expr boolean() const { return boolean_; }
  Expr null() const { return null_; }
  Expr object() const { return object_; }
  Expr array() const { return array_; }
  Expr value() const { return value_; }
  // A character of these ranges as a JSON string has it.
  Expr in_string(const CodePoints& ranges);
  // Whole numbers from least to most, both within 10^15 of zero.
  Expr integers(int64_t least, int64_t most);

 private:
  // Of as many digits each.
  Expr digits_between(const std::string& least, const std::string& most);
  Expr not_negative(uint64_t least, uint64_t most);

  GrammarBuilder& b_;
  Expr space_, colon_, comma_, character_, string_, integer_, number_, boolean_, null_;
  Expr object_, array_, value_;
};

constexpr int64_t kMaxInteger = 999'999'999'999'999;

}  // namespace freehold::server
