// The byte tokens of SentencePiece vocabularies.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace freehold::tokenizer {

// The byte that `<0xHH>` names: exactly that form, two upper-case hexadecimal digits. Anything
// else, `<0x-1>` too, is text.
inline std::optional<uint8_t> byte_token(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return std::nullopt;
  int value = 0;
  for (const char c : text.substr(3, 2)) {
    const bool decimal = c >= '0' && c <= '9';
    if (!decimal && (c < 'A' || c > 'F')) return std::nullopt;
    value = value * 16 + (decimal ? c - '0' : c - 'A' + 10);
  }
  return static_cast<uint8_t>(value);
}

}  // namespace freehold::tokenizer
