// The alphabet as a constant table.
#include "tokenizer/byte_alphabet.h"

#include <algorithm>

#include "tokenizer/utf8.h"

namespace freehold::tokenizer {
namespace {

constexpr bool stands_for_itself(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

// Code point -> byte, -1 outside the alphabet.
constexpr std::array<int16_t, 0x144> kByteOf = [] {
  std::array<int16_t, 0x144> table{};
  table.fill(-1);
  size_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const size_t code = stands_for_itself(byte) ? static_cast<size_t>(byte) : next++;
    table[code] = static_cast<int16_t>(byte);
  }
  return table;
}();

}  // namespace

void append_from_byte_alphabet(std::string_view text, std::string& out) {
  const size_t before = out.size();
  out.resize(before + text.size());
  char* to = out.data() + before;
  for (size_t at = 0; at < text.size();) {
    if (static_cast<uint8_t>(text[at]) < 0x80) {
      *to++ = text[at++];
      continue;
    }
    const Sequence sequence = sequence_at(text, at);
    const char32_t code = sequence.valid ? code_point_at(text, at).code : 0xFFFFFF;
    if (code < kByteOf.size() && kByteOf[code] >= 0) {
      *to++ = static_cast<char>(kByteOf[code]);
    } else {
      to = std::copy_n(text.data() + at, sequence.length, to);
    }
    at += sequence.length;
  }
  out.resize(static_cast<size_t>(to - out.data()));
}

}  // namespace freehold::tokenizer
