// Classes of code points, as the vendors' patterns name them, in one two-level table made at first
// use from utf8proc's general categories (Unicode 15.0) and a few ranges of our own.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/utf8.h"

namespace freehold::tokenizer {

using Classes = uint16_t;

inline constexpr Classes kUpper = 1U << 0U;          // Lu
inline constexpr Classes kLower = 1U << 1U;          // Ll
inline constexpr Classes kTitle = 1U << 2U;          // Lt
inline constexpr Classes kModifier = 1U << 3U;       // Lm
inline constexpr Classes kOtherLetter = 1U << 4U;    // Lo
inline constexpr Classes kMark = 1U << 5U;           // M
inline constexpr Classes kNumber = 1U << 6U;         // N
inline constexpr Classes kPunctuation = 1U << 7U;    // P
inline constexpr Classes kSymbol = 1U << 8U;         // S
inline constexpr Classes kSpace = 1U << 9U;          // White_Space
inline constexpr Classes kNewline = 1U << 10U;       // CR, LF
inline constexpr Classes kHan = 1U << 11U;           // Script=Han
inline constexpr Classes kListedLetter = 1U << 12U;  // in DeepSeek LLM's list of cased letters
inline constexpr Classes kLetter = kUpper | kLower | kTitle | kModifier | kOtherLetter;

// Of ASCII alone, which most text is made of.
inline constexpr std::array<Classes, 128> kAsciiClasses = [] {
  std::array<Classes, 128> table{};
  for (unsigned c = 0; c < 128; ++c) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool lower = c >= 'a' && c <= 'z';
    const bool digit = c >= '0' && c <= '9';
    const bool symbol =
        std::string_view("$+<=>^`|~").find(static_cast<char>(c)) != std::string_view::npos;
    if (upper) table[c] = kUpper | kListedLetter;
    if (lower) table[c] = kLower | kListedLetter;
    if (digit) table[c] = kNumber;
    if (symbol) table[c] = kSymbol;
    if (c > ' ' && c < 0x7F && !upper && !lower && !digit && !symbol) table[c] = kPunctuation;
    if (c == ' ' || (c >= '\t' && c <= '\r')) table[c] = kSpace;
    if (c == '\r' || c == '\n') table[c] = kSpace | kNewline;
  }
  return table;
}();

class ClassTable {
 public:
  static const ClassTable& instance() {
    static const ClassTable table;
    return table;
  }

  Classes of(char32_t code) const {
    return code < kEnd ? pages_[page_of_[code >> 7]][code & 127U] : Classes{0};
  }

 private:
  ClassTable();

  // Everything above is unassigned, private use, tags (Cf) or variation selectors (see of_slow).
  static constexpr uint32_t kEnd = 0xE0200;
  std::array<uint16_t, kEnd / 128> page_of_{};
  std::vector<std::array<Classes, 128>> pages_;
};

// A position in valid UTF-8, with the classes of what stands there.
struct Place {
  Classes classes;
  size_t next;  // where the following code point begins
};

inline Place place_at(std::string_view text, size_t at) {
  const auto lead = static_cast<uint8_t>(text[at]);
  if (lead < 0x80) return {kAsciiClasses[lead], at + 1};
  const CodePoint point = code_point_at(text, at);
  return {ClassTable::instance().of(point.code), at + point.length};
}

// The end of the run of code points from `at` that have one of the classes / none of them.
inline size_t skip(std::string_view text, size_t at, Classes any_of) {
  while (at < text.size()) {
    const Place place = place_at(text, at);
    if ((place.classes & any_of) == 0) break;
    at = place.next;
  }
  return at;
}
inline size_t skip_others(std::string_view text, size_t at, Classes none_of) {
  while (at < text.size()) {
    const Place place = place_at(text, at);
    if ((place.classes & none_of) != 0) break;
    at = place.next;
  }
  return at;
}

}  // namespace freehold::tokenizer
