// No border is called closed that a token reaches over, in published vocabularies, be it with parts
// of characters.
#include "tokenizer/borders.h"

#include "tokenizer/test_support.h"

namespace freehold::tokenizer {
namespace {

Vocabulary vocabulary_of(const std::vector<std::string>& tokens) {
  Vocabulary vocabulary;
  for (const std::string& token : tokens) EXPECT_TRUE(vocabulary.add(token, TokenKind::kNormal));
  return vocabulary;
}

std::vector<size_t> cuts(const Borders& borders, std::string_view word) {
  std::vector<size_t> out;
  for (size_t at = borders.next(word, 0); at < word.size(); at = borders.next(word, at)) {
    out.push_back(at);
  }
  return out;
}

TEST(Borders, BetweenWideCharactersOfNoToken) {
  const Borders borders(vocabulary_of({"中文", "a", "é"}));
  EXPECT_EQ(cuts(borders, "中文字"), std::vector<size_t>{6});
  EXPECT_EQ(cuts(borders, "文中文"), std::vector<size_t>{3});
  EXPECT_EQ(cuts(borders, "中"), std::vector<size_t>{});
  EXPECT_EQ(cuts(borders, "a中éé字ab文😀文"), (std::vector<size_t>{16, 20}));
  EXPECT_EQ(cuts(borders, "abcé"), std::vector<size_t>{});
}

TEST(Borders, PartsOfCharactersCount) {
  // 中 is E4 B8 AD, 字 is E5 AD 97.
  const std::string word = "中字";
  for (const std::string token :
       {"\xAD\xE5", "\xB8\xAD\xE5\xAD", "\xAD\xE5\xAD\x97", "中\xE5", "中\xE5\xAD", "中字"}) {
    EXPECT_EQ(cuts(Borders(vocabulary_of({token})), word), std::vector<size_t>{}) << token;
  }
  for (const std::string token : {"中\xE4", "\xAE\xE5", "字中", "\xB8", "x\xE5\xAD"}) {
    EXPECT_EQ(cuts(Borders(vocabulary_of({token})), word), std::vector<size_t>{3}) << token;
  }
}

// A token's bytes, made whole characters where it begins or ends within one; or nothing.
std::string completed(std::string token) {
  size_t inside = 0;
  while (inside < token.size() && (token[inside] & 0xC0) == 0x80) ++inside;
  static constexpr std::string_view kLeads[] = {"", "\xE4\xB8", "\xE4", "\xF0"};
  if (inside > 3) return {};
  token.insert(0, kLeads[inside]);
  for (int i = 0; i < 3 && !is_valid_utf8(token); ++i) token.push_back('\xAD');
  return is_valid_utf8(token) ? token : std::string();
}

TEST(Borders, NeverInsideATokenOfPublishedVocabularies) {
  for (const char* name : {"qwen2", "llama-bpe", "deepseek-v3", "llama-spm"}) {
    const Tokenizer tokenizer = testing::load_vocabulary(name);
    std::vector<std::string> tokens;
    for (TokenId id = 0; id < tokenizer.vocabulary_size(); ++id) {
      tokens.emplace_back(tokenizer.piece(id));
    }
    const Borders borders(vocabulary_of(tokens));
    size_t wide = 0;
    for (const std::string& token : tokens) {
      const std::string word = completed(token);
      wide += word.size() >= 6 && Borders::is_wide(word[0]) ? 1 : 0;
      EXPECT_EQ(borders.next(word, 0), word.size()) << name << ": " << token;
    }
    EXPECT_GT(wide, 0U) << name;
  }
}

}  // namespace
}  // namespace freehold::tokenizer
