// The tokens: bytes, kind, and the way back from bytes to id. Filled once by a loader, then only
// read. A token's bytes are what it stands for in text, whatever alphabet its file wrote it in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tokenizer/tokenizer.h"

namespace freehold::tokenizer {

// Numbered as tokenizer.ggml.token_type.
enum class TokenKind : uint8_t {
  kUndefined = 0,
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
};

inline constexpr TokenId kNoToken = -1;
inline constexpr size_t kMaxTokens = size_t{1} << 20;
inline constexpr size_t kMaxTokenBytes = size_t{1} << 16;

class Vocabulary {
 public:
  void reserve(size_t tokens, size_t bytes);
  // The next id. Errors: kLimitExceeded (number of tokens, a token's length, all bytes together).
  base::Status add(std::string_view bytes, TokenKind kind);

  int32_t size() const { return static_cast<int32_t>(kinds_.size()); }
  bool contains(TokenId id) const { return id >= 0 && id < size(); }
  std::string_view bytes(TokenId id) const {
    const auto i = static_cast<size_t>(id);
    return std::string_view(arena_).substr(ends_[i], ends_[i + 1] - ends_[i]);
  }
  TokenKind kind(TokenId id) const { return kinds_[static_cast<size_t>(id)]; }

  // Builds the index for find and find_text. Where several tokens have the same bytes, a normal
  // one goes before a user-defined one, and then the lowest id is the one found.
  void index();
  // Among the tokens that text can merge into (normal, undefined, user-defined that
  // does not look like markup), or kNoToken.
  TokenId find_text(std::string_view bytes) const;
  // Among all tokens, those of find_text first.
  TokenId find(std::string_view bytes) const;

  // For looking up many: hash them, ask for all of their places in memory, then find.
  void prefetch(uint64_t hash) const { __builtin_prefetch(&slots_[hash & (slots_.size() - 1)]); }
  TokenId find_text(std::string_view bytes, uint64_t hash) const {
    return look_up(bytes, hash, true);
  }
  // Whether a token that text can merge into has a space after something that is not one. Where
  // none has, merging never crosses from a word to the next space: words are encoded one by one.
  bool has_inner_space() const;

 private:
  struct Slot {
    uint32_t tag = 0;
    TokenId id = kNoToken;
  };
  bool is_mergeable(TokenId id) const;
  TokenId look_up(std::string_view bytes, uint64_t hash, bool text_only) const;

  std::string arena_;
  std::vector<uint32_t> ends_{0};
  std::vector<TokenKind> kinds_;
  std::vector<Slot> slots_;
};

}  // namespace freehold::tokenizer
