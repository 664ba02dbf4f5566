// The alphabet in which byte-level vocabularies are written: every byte as one printable code
// point. 0x21-0x7E, 0xA1-0xAC and 0xAE-0xFF stand for themselves, the other 68 bytes in ascending
// order for U+0100 to U+0143. (Source: GPT-2's encoder.)
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace freehold::tokenizer {

// The bytes that `text` stands for, appended to `out`; what is outside the alphabet stays as it is.
void append_from_byte_alphabet(std::string_view text, std::string& out);

}  // namespace freehold::tokenizer
