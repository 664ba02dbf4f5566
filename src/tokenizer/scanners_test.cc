// The scanners against PCRE2 running the patterns they stand for.
#include "tokenizer/scanners.h"

#include <gtest/gtest.h>
#include <utf8proc.h>

#include <random>

#include "tokenizer/patterns.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/unicode.h"

namespace freehold::tokenizer {
namespace {

using Pieces = std::vector<std::string>;

Pieces by_scanner(std::string_view pattern, std::string_view text) {
  const Scanner scanner = scanner_for(pattern);
  Pieces pieces;
  for (size_t at = 0; at < text.size();) {
    const size_t end = scanner(text, at);
    if (end <= at || end > text.size()) {
      ADD_FAILURE() << "a piece from " << at << " to " << end;
      break;
    }
    pieces.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return pieces;
}

Pieces by_regex(const Regex& regex, std::string_view text) {
  Pieces pieces;
  size_t done = 0;
  const auto status = regex.for_each(text, [&](size_t begin, size_t end) {
    if (begin > done) pieces.emplace_back(text.substr(done, begin - done));
    pieces.emplace_back(text.substr(begin, end - begin));
    done = end;
  });
  EXPECT_TRUE(status) << status.error().message;
  if (done < text.size()) pieces.emplace_back(text.substr(done));
  return pieces;
}

// Kimi's pattern has intersections of classes, which PCRE2 has not: [X&&[^Y]] as (?:(?!Y)X).
constexpr std::string_view kKimiForPcre2 =
    R"([\p{Han}]+|[^\r\n\p{L}\p{N}]?(?:(?!\p{Han})[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])*)"
    R"((?:(?!\p{Han})[\p{Ll}\p{Lm}\p{Lo}\p{M}])+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"([^\r\n\p{L}\p{N}]?(?:(?!\p{Han})[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])+)"
    R"((?:(?!\p{Han})[\p{Ll}\p{Lm}\p{Lo}\p{M}])*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr std::string_view kPatterns[] = {
    patterns::kGpt2,          patterns::kLlama3,        patterns::kQwen2,
    patterns::kQwen35,        patterns::kGpt4o,         patterns::kTekken,
    patterns::kKimiK2,        patterns::kDeepSeekV3Cjk, patterns::kDeepSeekV3,
    patterns::kLineBreak,     patterns::kSpacedLetters, patterns::kSpacedMarks,
    patterns::kListedLetters, patterns::kListedMarks,   patterns::kFinalSpace,
    patterns::kDeepSeekCjk,   patterns::kEachNumber,    patterns::kThreeNumbers,
    patterns::kNumbers,       patterns::kDefaultMarks,  patterns::kThreeDigits};

// Code points that this PCRE2 (Unicode 14) and utf8proc (15) class alike: 15 added a few ranges.
bool known_to_both(char32_t code) {
  constexpr std::pair<char32_t, char32_t> kNew[] = {
      {0x0CF3, 0x0CF3},   {0x0ECE, 0x0ECE},   {0x10EFD, 0x10EFF}, {0x1123F, 0x11241},
      {0x11B00, 0x11B09}, {0x11F00, 0x11F59}, {0x1342F, 0x13455}, {0x1B132, 0x1B155},
      {0x1D2C0, 0x1D2D3}, {0x1DF25, 0x1DF2A}, {0x1E030, 0x1E08F}, {0x1E4D0, 0x1E4F9},
      {0x1F6DC, 0x1F6DC}, {0x1F774, 0x1F77F}, {0x1F7D9, 0x1F7D9}, {0x1FA75, 0x1FAF8},
      {0x2B739, 0x2B739}, {0x31350, 0x323AF}};
  for (const auto& [first, last] : kNew) {
    if (code >= first && code <= last) return false;
  }
  return code < 0xD800 || (code > 0xDFFF && code < 0x110000);
}

class RandomText {
 public:
  std::string next() {
    std::string out;
    const size_t length = random() % 24 + 1;
    const uint32_t kind = random() % 3;
    for (size_t i = 0; i < length; ++i) append_utf8(out, one(kind));
    return out;
  }

 private:
  uint32_t random() { return static_cast<uint32_t>(engine_()); }
  char32_t one(uint32_t kind) {
    static constexpr std::u32string_view kChosen =
        U"aAbZsStTreVELlmMdD''''  \t\n\r\u00A0\u30000017\u00BD\u2163\u0661.,!/$+<=>^|~_-"
        U"\u00E9\u00C9\u01C5\u02B0\u00AA\u017F\u4E2D\u6587\u3005\u3007\u2E80\u3042\u30AB\uAC00"
        U"\u0301\u093E\u20DD\u200D\u200B\u0085\u2028\U0001F600\u0130\u1C90\u10D0\U00010400\uFF01"
        U"\u2018\u3002\u212A\u00B5\u1F7D\u0E44\U00016FF0\x01\x7F";
    if (kind == 0 || random() % 4 != 0) return kChosen[random() % kChosen.size()];
    while (true) {
      const char32_t code = random() % (kind == 1 ? 0x3100 : 0x32400);
      if (known_to_both(code)) return code;
    }
  }
  std::mt19937_64 engine_{20260115};
};

TEST(Scanners, CutWhereTheirPatternsDo) {
  for (const std::string_view pattern : kPatterns) {
    ASSERT_NE(scanner_for(pattern), nullptr) << pattern;
    const auto regex = Regex::compile(pattern == patterns::kKimiK2 ? kKimiForPcre2 : pattern);
    ASSERT_TRUE(regex) << regex.error().message;
    RandomText texts;
    for (int i = 0; i < 4000; ++i) {
      const std::string text = texts.next();
      ASSERT_EQ(by_scanner(pattern, text), by_regex(*regex, text)) << pattern << " on " << text;
    }
  }
}

TEST(Scanners, ClassesAreThoseOfUnicode) {
  const auto han = Regex::compile(R"(\p{Han})").value();
  const auto space = Regex::compile(R"(\s)").value();
  const ClassTable& table = ClassTable::instance();
  for (char32_t code = 0; code < 128; ++code) {
    EXPECT_EQ(kAsciiClasses[code], table.of(code)) << static_cast<uint32_t>(code);
  }
  for (char32_t code = 0; code < 0x110000; ++code) {
    if (!known_to_both(code)) continue;
    std::string text;
    append_utf8(text, code);
    const auto matches = [&](const Regex& regex) {
      bool found = false;
      EXPECT_TRUE(regex.for_each(text, [&](size_t, size_t) { found = true; }));
      return found;
    };
    const Classes classes = table.of(code);
    // Matching is slow; ask only where it could be, and at every border.
    if (code < 0x34000) {
      ASSERT_EQ((classes & kHan) != 0, matches(han)) << std::hex << static_cast<uint32_t>(code);
    }
    if (code < 0x3100) {
      ASSERT_EQ((classes & kSpace) != 0, matches(space)) << std::hex << static_cast<uint32_t>(code);
    }
    const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(code));
    const bool letter = category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
    ASSERT_EQ((classes & kLetter) != 0, letter) << std::hex << static_cast<uint32_t>(code);
  }
}

TEST(Scanners, EveryNamedPreTokenizerRunsOnScannersAlone) {
  for (const char* name :
       {"gpt-2", "llama-bpe", "qwen2", "qwen35", "deepseek-llm", "deepseek-coder", "deepseek-v3",
        "smollm", "gpt-4o", "tekken", "kimi-k2", "glm4", "llama4", "default"}) {
    const auto named = named_pre_tokenizer(name);
    ASSERT_TRUE(named) << name;
    Pieces words;
    EXPECT_TRUE(named->stages.split("It's 2026, \u4E2D\u6587 too.\n\n  x",
                                    [&](std::string_view w) { words.emplace_back(w); }));
    std::string joined;
    for (const auto& word : words) joined += word;
    EXPECT_EQ(joined, "It's 2026, \u4E2D\u6587 too.\n\n  x") << name;
  }
  const auto unknown = named_pre_tokenizer("no-such");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, base::ErrorCode::kUnsupported);
  EXPECT_NE(unknown.error().message.find("no-such"), std::string::npos);
}

TEST(Regex, RefusesWhatItWouldMisread) {
  for (const char* pattern : {"[a&&b]", "[a[b]]", "[\\W]", "\\h", "(", "a\\", "[a"}) {
    EXPECT_FALSE(Regex::compile(pattern)) << pattern;
  }
  EXPECT_FALSE(Regex::compile(std::string(100'000, 'a')));
}

TEST(Regex, APatternWithoutEndEndsInAnError) {
  const auto regex = Regex::compile("(?:a|aa)+b|(?:(?:x+)+)+y");
  ASSERT_TRUE(regex);
  const auto status =
      regex->for_each(std::string(60, 'x') + std::string(5000, 'a'), [](size_t, size_t) {});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, base::ErrorCode::kLimitExceeded);
}

}  // namespace
}  // namespace freehold::tokenizer
