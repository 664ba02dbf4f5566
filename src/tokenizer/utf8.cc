// Validation and repair of UTF-8.
#include "tokenizer/utf8.h"

#include <cstring>

namespace freehold::tokenizer {
namespace {

struct Lead {
  uint32_t length;    // of the whole sequence; 0: not a lead byte
  uint8_t low, high;  // what the second byte may be
};

Lead lead_of(uint8_t byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

}  // namespace

Sequence sequence_at(std::string_view bytes, size_t at) {
  const Lead lead = lead_of(static_cast<uint8_t>(bytes[at]));
  if (lead.length == 0) return {1, false, false};
  for (uint32_t i = 1; i < lead.length; ++i) {
    if (at + i >= bytes.size()) return {i, false, true};
    const auto byte = static_cast<uint8_t>(bytes[at + i]);
    const uint8_t low = i == 1 ? lead.low : 0x80;
    const uint8_t high = i == 1 ? lead.high : 0xBF;
    if (byte < low || byte > high) return {i, false, false};
  }
  return {lead.length, true, false};
}

bool is_valid_utf8(std::string_view bytes) {
  size_t at = 0;
  while (at < bytes.size()) {
    if (at + 8 <= bytes.size()) {
      uint64_t eight = 0;
      std::memcpy(&eight, bytes.data() + at, sizeof(eight));
      if ((eight & 0x8080808080808080ULL) == 0) {
        at += 8;
        continue;
      }
    }
    const Sequence sequence = sequence_at(bytes, at);
    if (!sequence.valid) return false;
    at += sequence.length;
  }
  return true;
}

void append_utf8(std::string& out, char32_t code) {
  const auto put = [&](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  const uint32_t c = code;
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0U | (c >> 6));
    put(0x80U | (c & 0x3FU));
  } else if (c < 0x10000) {
    put(0xE0U | (c >> 12));
    put(0x80U | ((c >> 6) & 0x3FU));
    put(0x80U | (c & 0x3FU));
  } else {
    put(0xF0U | (c >> 18));
    put(0x80U | ((c >> 12) & 0x3FU));
    put(0x80U | ((c >> 6) & 0x3FU));
    put(0x80U | (c & 0x3FU));
  }
}

std::string replace_invalid_utf8(std::string_view bytes, std::span<size_t> offsets) {
  std::string out;
  out.reserve(bytes.size() + 16);
  size_t next_offset = 0;
  size_t at = 0;
  while (at < bytes.size()) {
    const Sequence sequence = sequence_at(bytes, at);
    const size_t length = sequence.valid ? sequence.length : 1;
    while (next_offset < offsets.size() && offsets[next_offset] < at + length) {
      offsets[next_offset++] = out.size();
    }
    out.append(sequence.valid ? bytes.substr(at, length) : kReplacement);
    at += length;
  }
  while (next_offset < offsets.size()) offsets[next_offset++] = out.size();
  return out;
}

}  // namespace freehold::tokenizer
