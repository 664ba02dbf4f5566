// Marks every border inside every token as open.
#include "tokenizer/borders.h"

namespace freehold::tokenizer {

Borders::Borders(const Vocabulary& vocabulary)
    : pairs_(size_t{1} << kPairBits), parts_(size_t{1} << 16U) {
  for (TokenId id = 0; id < vocabulary.size(); ++id) {
    const std::string_view token = vocabulary.bytes(id);
    for (size_t at = 1; at < token.size(); ++at) {
      if (is_wide(token[at]) && (token[at - 1] & 0x80) != 0) open(token, at);
    }
  }
}

// A token is bytes, perhaps not of whole characters: at its ends, or anywhere in a hostile file.
void Borders::open(std::string_view token, size_t at) {
  size_t before = at - 1;
  while (before > 0 && (token[before] & 0xC0) == 0x80) --before;
  const Sequence left = sequence_at(token, before);
  const Sequence right = sequence_at(token, at);
  if (left.valid && before + left.length == at && right.valid) {
    pairs_[pair_of(code_point_at(token, before).code, code_point_at(token, at).code)] = true;
    return;
  }
  for (int second = 0; second < 64; ++second) {
    const bool known = at + 1 < token.size();
    const char byte = known ? token[at + 1] : static_cast<char>(0x80 | second);
    parts_[part_of(token[at - 1], token[at], byte)] = true;
    if (known) break;
  }
}

}  // namespace freehold::tokenizer
