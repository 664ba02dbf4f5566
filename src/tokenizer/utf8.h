// Code points in and out of UTF-8 as RFC 3629 defines it: no surrogates, no overlong forms, nothing
// above U+10FFFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace freehold::tokenizer {

// The code point at `at` in text known to be valid UTF-8, and its length in bytes.
struct CodePoint {
  char32_t code;
  uint32_t length;
};

inline CodePoint code_point_at(std::string_view valid, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(valid[i])); };
  const uint32_t lead = byte(at);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xE0) return {((lead & 0x1FU) << 6) | (byte(at + 1) & 0x3FU), 2};
  if (lead < 0xF0) {
    return {((lead & 0x0FU) << 12) | ((byte(at + 1) & 0x3FU) << 6) | (byte(at + 2) & 0x3FU), 3};
  }
  return {((lead & 0x07U) << 18) | ((byte(at + 1) & 0x3FU) << 12) | ((byte(at + 2) & 0x3FU) << 6) |
              (byte(at + 3) & 0x3FU),
          4};
}

// What begins at `at`: a whole code point (`length` bytes), the beginning of one that the text ends
// in (`length` bytes, `incomplete`), or bytes that can't be one (`length` of the longest prefix
// that could have been, at least 1).
struct Sequence {
  uint32_t length;
  bool valid;
  bool incomplete;
};
Sequence sequence_at(std::string_view bytes, size_t at);

bool is_valid_utf8(std::string_view bytes);

void append_utf8(std::string& out, char32_t code);

// A copy in which each byte that belongs to no code point has become U+FFFD. `offsets` are
// positions in `bytes`, ascending, and become the matching positions in the copy; one inside a code
// point moves to its beginning.
std::string replace_invalid_utf8(std::string_view bytes, std::span<size_t> offsets);

inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

}  // namespace freehold::tokenizer
