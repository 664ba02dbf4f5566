// From pieces of bytes to pieces of text: holds back the few bytes of a code point that is not
// complete yet, so that what comes out is always valid UTF-8.
#pragma once

#include <string>
#include <string_view>

#include "tokenizer/tokenizer.h"

namespace freehold::tokenizer {

// Bytes in, valid UTF-8 out. A sequence that cannot become valid gives one U+FFFD as soon as that
// is known; what follows it is read afresh.
class Utf8Stream {
 public:
  std::string push(std::string_view bytes);
  // The end: an unfinished sequence gives one U+FFFD.
  std::string flush();
  // Bytes held back, at most 3.
  size_t pending() const { return pending_.size(); }

 private:
  std::string pending_;
};

// Token ids in, text out.
class TextStream {
 public:
  // `special`: control tokens come out as their text (for parsers of markup).
  explicit TextStream(Tokenizer tokenizer, bool special = false)
      : tokenizer_(std::move(tokenizer)), special_(special) {}

  std::string push(TokenId id) { return utf8_.push(tokenizer_.piece(id, special_)); }
  std::string flush() { return utf8_.flush(); }

 private:
  Tokenizer tokenizer_;
  bool special_;
  Utf8Stream utf8_;
};

}  // namespace freehold::tokenizer
