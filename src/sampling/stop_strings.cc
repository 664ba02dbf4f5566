#include "sampling/stop_strings.h"

#include <algorithm>
#include <utility>

namespace freehold::sampling {

StopStrings::StopStrings(std::vector<std::string> strings) {
  for (std::string& string : strings) {
    Matcher matcher{.string = std::move(string), .fallback = {0, 0}, .n_matched = 0};
    // The string is matched against itself, shifted by one: its own fallbacks are ready in time.
    for (size_t i = 1; i < matcher.string.size(); ++i) {
      matcher.step(matcher.string[i]);
      matcher.fallback.push_back(matcher.n_matched);
    }
    matcher.n_matched = 0;
    matchers_.push_back(std::move(matcher));
  }
}

void StopStrings::Matcher::step(char c) {
  while (n_matched > 0 && string[n_matched] != c) n_matched = fallback[n_matched];
  if (n_matched < string.size() && string[n_matched] == c) ++n_matched;
}

std::string StopStrings::push(std::string_view piece) {
  if (matched_) return {};
  for (const char c : piece) {
    held_.push_back(c);
    size_t n_longest = 0;
    for (size_t i = 0; i < matchers_.size(); ++i) {
      Matcher& matcher = matchers_[i];
      matcher.step(c);
      if (matcher.n_matched == matcher.string.size() && matcher.n_matched > n_longest) {
        n_longest = matcher.n_matched;
        matched_ = i;
      }
    }
    if (matched_) {
      held_.resize(held_.size() - n_longest);
      return std::exchange(held_, {});
    }
  }
  size_t n_hold = 0;
  for (const Matcher& matcher : matchers_) n_hold = std::max<size_t>(n_hold, matcher.n_matched);
  std::string safe = held_.substr(0, held_.size() - n_hold);
  held_.erase(0, safe.size());
  return safe;
}

std::string StopStrings::finish() { return std::exchange(held_, {}); }

}  // namespace freehold::sampling
