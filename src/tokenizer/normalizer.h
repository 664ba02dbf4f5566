// What happens to text before it is cut: the steps of tokenizer.json's `normalizer`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tokenizer/regex.h"

namespace freehold::tokenizer {

enum class UnicodeForm { kNfc, kNfd, kNfkc, kNfkd };

// `text` (valid UTF-8) in that form (Unicode 15.0, UAX #15). Linear but for sorting each run of
// combining marks.
std::string normalize(std::string_view text, UnicodeForm form);

class Normalizer {
 public:
  void add_form(UnicodeForm form);
  void add_prefix(std::string text);  // of texts that are not empty
  void add_replace(std::string from, std::string to);
  void add_replace(Regex from, std::string to);

  bool empty() const { return steps_.empty(); }
  // Errors: kLimitExceeded (the text grows over Tokenizer::kMaxTextBytes; see Regex::for_each).
  base::Result<std::string> apply(std::string_view text) const;

 private:
  struct Step {
    enum class Kind { kForm, kPrefix, kReplace, kReplaceMatches };
    Kind kind = Kind::kForm;
    UnicodeForm form = UnicodeForm::kNfc;
    std::string from, to;  // kPrefix: `to`
    Regex pattern;
  };
  static base::Result<std::string> replace_matches(const Step& step, std::string_view text);
  static std::string replace(const Step& step, std::string_view text);

  std::vector<Step> steps_;
};

}  // namespace freehold::tokenizer
