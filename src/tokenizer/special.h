// Tokens that are recognised in the text itself, before anything else looks at it: control tokens
// and user-defined ones. Leftmost first, the longest at one place, never overlapping.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/function_ref.h"
#include "base/result.h"
#include "tokenizer/tokenizer.h"

namespace freehold::tokenizer {

// Who may write such a token.
enum class SpecialKind : uint8_t {
  kPlain,    // user-defined and not markup-like: anybody
  kMarkup,   // user-defined, looks like markup: `<think>`, `[INST]`
  kControl,  // control and unknown tokens
};

struct SpecialToken {
  std::string text;
  TokenId id = 0;
  SpecialKind kind = SpecialKind::kControl;
  // As tokenizer.json has them: swallows white space on that side; only between non-word
  // characters.
  bool lstrip = false;
  bool rstrip = false;
  bool single_word = false;
};

// kMarkup for `<...>` and `[...]`, else kPlain.
SpecialKind user_defined_kind(std::string_view text);

struct SpecialMatch {
  size_t begin = 0;
  size_t end = 0;
  TokenId id = 0;
};

class SpecialMatcher {
 public:
  using Allowed = base::FunctionRef<bool(SpecialKind kind, size_t begin, size_t end)>;

  static constexpr size_t kMaxTextBytes = 1024;

  // Of several tokens with the same text the first counts; one that is empty or not UTF-8 is left
  // out. Errors:
  // kLimitExceeded (a text over kMaxTextBytes).
  base::Status build(std::vector<SpecialToken> tokens);

  // Calls back for each match in `text` (valid UTF-8) in turn. A match that lstrip or rstrip has
  // widened does not reach into the one before.
  void for_each(std::string_view text, Allowed allowed,
                base::FunctionRef<void(const SpecialMatch&)> on_match) const;

 private:
  struct Edge {
    uint64_t key = UINT64_MAX;  // node * 256 + byte
    uint32_t to = 0;
  };
  uint32_t child(uint32_t node, uint8_t byte) const;  // 0: none
  void grow();
  uint32_t add_child(uint32_t node, uint8_t byte);
  bool stands_alone(std::string_view text, size_t begin, size_t end) const;

  std::vector<SpecialToken> tokens_;
  std::vector<int32_t> token_of_node_{-1};
  std::vector<Edge> edges_;
  size_t n_edges_ = 0;
  std::array<bool, 256> begins_{};
};

}  // namespace freehold::tokenizer
