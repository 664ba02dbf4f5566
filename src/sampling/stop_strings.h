// Stop strings on a stream of text pieces. Owns finding a stop string wherever the pieces happen to
// be cut, and holding back what may become one. Works on bytes: as stop strings are whole UTF-8
// characters, what it passes on never ends inside a character that the pieces had whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freehold::sampling {

class StopStrings {
 public:
  // Empty strings never match. Work per byte is a few steps for each string, whatever the text.
  explicit StopStrings(std::vector<std::string> strings);

  // Takes the next piece and returns the text that is now safe to show. After a match it is the
  // text before the stop string, and later pieces give nothing. The string that is complete first
  // wins; of several ending at the same byte the longest.
  std::string push(std::string_view piece);

  // The end of the text without a match: what was held back.
  std::string finish();

  // Which string matched, by its index, if any.
  std::optional<size_t> matched() const { return matched_; }

  // Bytes held back at most: the longest string less one.
  size_t held_bytes() const { return held_.size(); }

 private:
  // Knuth, Morris, Pratt: how many bytes of the string the text ends with, and where to go on when
  // the next byte differs.
  struct Matcher {
    std::string string;
    std::vector<uint32_t> fallback;  // longest proper border of each prefix; [length + 1]
    uint32_t n_matched = 0;

    void step(char c);
  };

  std::vector<Matcher> matchers_;
  std::string held_;
  std::optional<size_t> matched_;
};

}  // namespace freehold::sampling
