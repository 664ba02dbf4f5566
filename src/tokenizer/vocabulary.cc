// The vocabulary's arena and its open-addressing index.
#include "tokenizer/vocabulary.h"

#include <bit>

#include "tokenizer/hash.h"
#include "tokenizer/special.h"

namespace freehold::tokenizer {
bool Vocabulary::is_mergeable(TokenId id) const {
  const TokenKind k = kind(id);
  return k == TokenKind::kNormal || k == TokenKind::kUndefined ||
         (k == TokenKind::kUserDefined && user_defined_kind(bytes(id)) == SpecialKind::kPlain);
}

void Vocabulary::reserve(size_t tokens, size_t bytes) {
  arena_.reserve(bytes);
  ends_.reserve(tokens + 1);
  kinds_.reserve(tokens);
}

base::Status Vocabulary::add(std::string_view bytes, TokenKind kind) {
  if (kinds_.size() >= kMaxTokens) {
    return base::fail(base::ErrorCode::kLimitExceeded,
                      "the vocabulary has more than " + std::to_string(kMaxTokens) + " tokens");
  }
  if (bytes.size() > kMaxTokenBytes || arena_.size() + bytes.size() > UINT32_MAX) {
    return base::fail(base::ErrorCode::kLimitExceeded,
                      "token " + std::to_string(kinds_.size()) + " is " +
                          std::to_string(bytes.size()) + " bytes long; at most " +
                          std::to_string(kMaxTokenBytes) + " are read");
  }
  arena_.append(bytes);
  ends_.push_back(static_cast<uint32_t>(arena_.size()));
  kinds_.push_back(kind);
  return {};
}

void Vocabulary::index() {
  slots_.assign(std::bit_ceil(kinds_.size() * 2 + 2), Slot{});
  const size_t mask = slots_.size() - 1;
  const auto insert = [&](TokenId id) {
    const uint64_t hash = hash_bytes(bytes(id));
    size_t at = hash & mask;
    while (slots_[at].id != kNoToken) at = (at + 1) & mask;
    slots_[at] = {static_cast<uint32_t>(hash >> 32), id};
  };
  // Earlier insertions are found first: linear probing never moves a slot.
  std::vector<TokenId> user_defined;
  std::vector<TokenId> others;
  for (TokenId id = 0; id < size(); ++id) {
    if (bytes(id).empty()) continue;
    if (!is_mergeable(id)) {
      others.push_back(id);
    } else if (kind(id) == TokenKind::kUserDefined) {
      user_defined.push_back(id);
    } else {
      insert(id);
    }
  }
  for (const TokenId id : user_defined) insert(id);
  for (const TokenId id : others) insert(id);
}

TokenId Vocabulary::look_up(std::string_view wanted, uint64_t hash, bool text_only) const {
  if (slots_.empty()) return kNoToken;
  const size_t mask = slots_.size() - 1;
  const auto tag = static_cast<uint32_t>(hash >> 32);
  for (size_t at = hash & mask; slots_[at].id != kNoToken; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.tag != tag || bytes(slot.id) != wanted) continue;
    if (text_only && !is_mergeable(slot.id)) return kNoToken;
    return slot.id;
  }
  return kNoToken;
}

TokenId Vocabulary::find_text(std::string_view wanted) const {
  return look_up(wanted, hash_bytes(wanted), true);
}
TokenId Vocabulary::find(std::string_view wanted) const {
  return look_up(wanted, hash_bytes(wanted), false);
}

bool Vocabulary::has_inner_space() const {
  for (TokenId id = 0; id < size(); ++id) {
    if (!is_mergeable(id)) continue;
    const std::string_view text = bytes(id);
    const size_t letter = text.find_first_not_of(' ');
    if (letter != std::string_view::npos && text.find(' ', letter) != std::string_view::npos) {
      return true;
    }
  }
  return false;
}

}  // namespace freehold::tokenizer
