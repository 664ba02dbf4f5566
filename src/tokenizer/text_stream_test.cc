// Streams of bytes into text, whole and in pieces.
#include "tokenizer/text_stream.h"

#include <gtest/gtest.h>

#include "tokenizer/utf8.h"

namespace freehold::tokenizer {
namespace {

std::string whole(std::string_view bytes) {
  Utf8Stream stream;
  std::string out = stream.push(bytes);
  return out + stream.flush();
}

TEST(Utf8Stream, AnySplitGivesTheSameText) {
  const std::string_view text =
      "a\u00E9\u4E2D\U0001F600z\xE4\xBD\x41\xF0\x9F\x98\xC3\xFF\xED\xA0\x80\xC0\xAF\xE4\xBD";
  const std::string expected = whole(text);
  EXPECT_TRUE(is_valid_utf8(expected));
  for (size_t i = 0; i <= text.size(); ++i) {
    for (size_t j = i; j <= text.size(); ++j) {
      Utf8Stream stream;
      std::string out;
      for (const auto part : {text.substr(0, i), text.substr(i, j - i), text.substr(j)}) {
        const std::string piece = stream.push(part);
        EXPECT_TRUE(is_valid_utf8(piece));
        EXPECT_LE(stream.pending(), 3U);
        out += piece;
      }
      EXPECT_EQ(out + stream.flush(), expected) << i << " " << j;
    }
  }
}

TEST(Utf8Stream, BrokenSequencesGiveOneReplacementEach) {
  EXPECT_EQ(whole("\xE4\xBD\x41"), "\uFFFD\x41");          // a prefix, then something else
  EXPECT_EQ(whole("\xE4\xBD"), "\uFFFD");                  // the end comes too early
  EXPECT_EQ(whole("\xC0\xAF"), "\uFFFD\uFFFD");            // never a lead byte
  EXPECT_EQ(whole("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");  // a surrogate
  EXPECT_EQ(whole("\xF4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");
}

TEST(Utf8Stream, SaysAtOnceWhatCannotBecomeValid) {
  Utf8Stream stream;
  EXPECT_EQ(stream.push("\xE4"), "");
  EXPECT_EQ(stream.pending(), 1U);
  EXPECT_EQ(stream.push("x"), "\uFFFDx");
  EXPECT_EQ(stream.pending(), 0U);
}

TEST(Utf8, RepairKeepsOffsetsInStep) {
  std::vector<size_t> offsets = {0, 1, 2, 3, 5, 8};
  //                     0   1..2      3   4   5
  const std::string out = replace_invalid_utf8("a\u00E9\xFFz\xE4\xBD\x41", offsets);
  EXPECT_EQ(out, "a\u00E9\uFFFDz\uFFFD\uFFFD\x41");
  EXPECT_EQ(offsets, (std::vector<size_t>{0, 1, 1, 3, 7, 14}));
}

TEST(Utf8, EveryCodePointComesBack) {
  for (char32_t code = 0; code < 0x110000; ++code) {
    std::string text;
    append_utf8(text, code);
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    ASSERT_EQ(is_valid_utf8(text), !surrogate);
    if (!surrogate) {
      ASSERT_EQ(code_point_at(text, 0).code, code);
    }
  }
}

}  // namespace
}  // namespace freehold::tokenizer
