// A vocabulary arranged for masks: its tokens' bytes as a tree laid out flat, in the order of a
// walk.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "freehold/engine.h"
#include "server/model.h"

namespace freehold::server {

// One bit a token.
using TokenSet = std::vector<uint64_t>;

class TokenTrie {
 public:
  struct Node {
    uint8_t byte;
    uint16_t depth;   // of the node below the root: 1 for a first byte
    uint32_t end;     // index after its subtree
    uint32_t tokens;  // index into `tokens` of the first token that ends here
    uint32_t n_tokens;
  };

  explicit TokenTrie(const Model& model);

  // All text tokens; and those that are more than plain text inside a JSON string.
  const std::vector<Node>& all() const { return all_; }
  const std::vector<Node>& special() const { return special_; }
  TokenId token(uint32_t index) const { return tokens_[index]; }
  // Tokens that are whole UTF-8 without quotes, backslashes and control characters.
  const TokenSet& plain() const { return plain_; }
  const std::vector<TokenId>& ends() const { return ends_; }
  uint32_t vocabulary() const { return vocabulary_; }
  // A control token by its text, for the special symbols of grammars; -1 for none.
  TokenId control(const std::string& text) const;
  // Any token by exactly this text; -1 for none.
  TokenId find(std::string_view text) const;
  // The bytes of a text token; "" for control tokens.
  const std::string& bytes(TokenId token) const { return bytes_[static_cast<size_t>(token)]; }
  // The text of any token.
  std::string_view text(TokenId token) const;

 private:
  std::vector<Node> build(std::vector<TokenId> tokens);

  uint32_t vocabulary_;
  std::vector<std::string> bytes_;
  std::vector<std::pair<std::string, TokenId>> controls_;
  std::vector<Node> all_;
  std::vector<Node> special_;
  std::vector<TokenId> tokens_;
  TokenSet plain_;
  std::vector<TokenId> ends_;
};

inline bool contains(const TokenSet& set, TokenId token) {
  return (set[static_cast<size_t>(token) / 64] >> (static_cast<size_t>(token) % 64) & 1U) != 0;
}
inline void insert(TokenSet& set, TokenId token) {
  set[static_cast<size_t>(token) / 64] |= uint64_t{1} << (static_cast<size_t>(token) % 64);
}
// -infinity for every token that is not in the set.
void keep_only(const TokenSet& set, std::span<float> logits);

}  // namespace freehold::server
