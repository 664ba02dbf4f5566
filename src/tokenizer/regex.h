// A vendor's regular expression for which there is no scanner: PCRE2 with JIT, set up to mean what
// the vendors' engine (Oniguruma) means. Refuses what the two read differently: class
// intersections (`&&`), nested classes, `\W` inside a class, `\h`.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/function_ref.h"
#include "base/result.h"

namespace freehold::tokenizer {

class Regex {
 public:
  // Errors: kBadFormat (the pattern does not compile), kUnsupported (as above),
  // kLimitExceeded (longer than 64 KiB).
  static base::Result<Regex> compile(std::string_view pattern);

  // Calls `on_match(begin, end)` for every match in turn, none of them empty. `text` is valid
  // UTF-8. Errors: kLimitExceeded when the pattern backtracks without end on this text.
  base::Status for_each(std::string_view text,
                        base::FunctionRef<void(size_t begin, size_t end)> on_match) const;

 private:
  std::shared_ptr<const void> code_;  // pcre2_code
};

}  // namespace freehold::tokenizer
