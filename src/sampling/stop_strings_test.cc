#include "sampling/stop_strings.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/random.h"

namespace freehold::sampling {
namespace {

TEST(StopStrings, FindsAStringAcrossPieces) {
  StopStrings stop({"</answer>"});
  EXPECT_EQ(stop.push("42 <"), "42 ");
  EXPECT_EQ(stop.push("/ans"), "");
  EXPECT_EQ(stop.held_bytes(), 5U);
  EXPECT_EQ(stop.push("wer> and more"), "");
  EXPECT_EQ(stop.matched(), 0U);
  EXPECT_EQ(stop.push("never shown"), "");
  EXPECT_EQ(stop.finish(), "");
}

TEST(StopStrings, LetsGoOfWhatDoesNotBecomeOne) {
  StopStrings stop({"aab"});
  EXPECT_EQ(stop.push("aa"), "");
  EXPECT_EQ(stop.push("a"), "a");  // "aa" may still become one
  EXPECT_EQ(stop.push("c"), "aac");
  EXPECT_EQ(stop.push("xa"), "x");
  EXPECT_EQ(stop.finish(), "a");
  EXPECT_FALSE(stop.matched().has_value());
}

TEST(StopStrings, TheFirstToBeCompleteWinsAndOfThoseTheLongest) {
  StopStrings first({"abcd", "bc"});
  EXPECT_EQ(first.push("xabcd"), "xa");
  EXPECT_EQ(first.matched(), 1U);
  StopStrings longest({"c", "abc"});
  EXPECT_EQ(longest.push("xabc"), "x");
  EXPECT_EQ(longest.matched(), 1U);
}

TEST(StopStrings, NoneAndEmptyOnesPassEverything) {
  StopStrings none({});
  EXPECT_EQ(none.push("text"), "text");
  StopStrings empty({""});
  EXPECT_EQ(empty.push("text"), "text");
  EXPECT_FALSE(empty.matched().has_value());
}

TEST(StopStrings, CharactersOfManyBytesStayWhole) {
  StopStrings stop({"à"});  // C3 A0; é is C3 A9
  EXPECT_EQ(stop.push("caf\xC3"), "caf");
  EXPECT_EQ(stop.push("\xA9!"), "é!");
}

// Random texts over two letters, cut anywhere, against a search of the whole text.
TEST(StopStrings, AgreesWithASearchOfTheWholeText) {
  uint64_t n_draws = 0;
  int n_matches = 0;
  const auto random = [&](uint64_t below) { return base::random_bits(8, n_draws++) % below; };
  const auto random_text = [&](uint64_t length) {
    std::string text;
    while (text.size() < length) text.push_back(random(2) == 0 ? 'a' : 'b');
    return text;
  };
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::string> strings;
    for (uint64_t n = 1 + random(4); n-- > 0;) strings.push_back(random_text(3 + random(7)));
    const std::string text = random_text(random(60));

    size_t end = std::string::npos;
    size_t longest = 0;
    for (const std::string& string : strings) {
      const size_t at = text.find(string);
      if (at == std::string::npos) continue;
      const size_t its_end = at + string.size();
      if (its_end > end) continue;
      longest = its_end < end ? string.size() : std::max(longest, string.size());
      end = its_end;
    }

    StopStrings stop(strings);
    std::string shown;
    for (size_t at = 0; at < text.size();) {
      const size_t length = 1 + random(6);
      shown += stop.push(std::string_view(text).substr(at, length));
      at = std::min(at + length, text.size());
      if (stop.matched()) break;
      // What is held back is the beginning of a stop string, and nothing longer would be.
      const std::string held = text.substr(shown.size(), at - shown.size());
      ASSERT_EQ(held.size(), stop.held_bytes());
      ASSERT_TRUE(held.empty() || std::ranges::any_of(strings, [&](const std::string& string) {
                    return string.starts_with(held);
                  }));
    }
    shown += stop.finish();
    ASSERT_EQ(stop.matched().has_value(), end != std::string::npos);
    if (stop.matched()) {
      ++n_matches;
      ASSERT_EQ(shown, text.substr(0, end - longest));
      ASSERT_EQ(strings[*stop.matched()].size(), longest);
    } else {
      ASSERT_EQ(shown, text);
    }
  }
  EXPECT_GT(n_matches, 1000);
}

}  // namespace
}  // namespace freehold::sampling
