// Places in a word that no token reaches over. Merging never crosses such a place, so that the
// parts on its two sides can be encoded one by one: most of the borders between characters of
// Chinese and Japanese are such, and short parts repeat where whole sentences never do.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/utf8.h"
#include "tokenizer/vocabulary.h"

namespace freehold::tokenizer {

// Only borders between two characters of three or four bytes (U+0800 and above) are known; all
// others count as open. May call a border open that is not, never the other way round.
class Borders {
 public:
  Borders() = default;  // all open
  // Of the tokens that text can merge into.
  explicit Borders(const Vocabulary& vocabulary);

  // The first closed border after `at` in `word` (valid UTF-8; `at` where a character begins), or
  // the word's end.
  size_t next(std::string_view word, size_t at) const {
    while (at < word.size() && !is_wide(word[at])) ++at;
    while (at < word.size()) {
      const CodePoint left = code_point_at(word, at);
      at += left.length;
      if (at >= word.size()) break;
      if (!is_wide(word[at])) {
        while (at < word.size() && !is_wide(word[at])) ++at;
      } else if (is_closed(left.code, word, at)) {
        return at;
      }
    }
    return word.size();
  }
  bool empty() const { return pairs_.empty(); }

  static bool is_wide(char lead) { return static_cast<uint8_t>(lead) >= 0xE0; }

 private:
  static constexpr int kPairBits = 20;

  static size_t pair_of(char32_t left, char32_t right) {
    const uint64_t key = (static_cast<uint64_t>(left) << 32U) | right;
    return static_cast<size_t>((key * 0x9E3779B97F4A7C15ULL) >> (64 - kPairBits));
  }
  // By the last byte of the left character and the first two of the right one.
  static size_t part_of(char last, char first, char second) {
    const auto low = [](char byte, unsigned mask) { return static_cast<uint8_t>(byte) & mask; };
    return (size_t{low(last, 63U)} << 10U) | (low(first, 15U) << 6U) | low(second, 63U);
  }
  bool is_closed(char32_t left, std::string_view word, size_t at) const {
    return !pairs_[pair_of(left, code_point_at(word, at).code)] &&
           !parts_[part_of(word[at - 1], word[at], word[at + 1])];
  }
  void open(std::string_view token, size_t at);

  std::vector<bool> pairs_;  // hashed: two whole characters that stand so in some token
  std::vector<bool> parts_;  // what else a token may have there: parts of characters
};

}  // namespace freehold::tokenizer
