// Cuts a template into tokens, with Jinja2's rules for white space (trim_blocks, lstrip_blocks, the
// signs beside delimiters). Refuses unbalanced brackets and unclosed tags.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace freehold::chat {

struct Token {
  enum class Kind : uint8_t {
    kData,           // text outside of tags
    kVariableBegin,  // {{
    kVariableEnd,
    kBlockBegin,  // {%
    kBlockEnd,
    kName,
    kString,  // with its quotes, escapes not yet read
    kInteger,
    kFloat,
    kOperator,
    kEnd,
  };
  Kind kind = Kind::kEnd;
  uint32_t line = 1;
  std::string_view text;  // into the source
};

// Line ends as Jinja2 reads them: all become \n, and one at the end of the file is dropped.
std::string normalise_newlines(std::string_view source);

// `source` must be normalised and outlive the tokens; the last token is kEnd. Errors: kBadFormat.
base::Result<std::vector<Token>> tokenize_template(std::string_view source);

// The value of a kString token. Errors: kBadFormat, for an escape that stands for nothing.
base::Result<std::string> string_literal(std::string_view token);

}  // namespace freehold::chat
