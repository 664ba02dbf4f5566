// Special tokens, segments, beginnings and ends, on vocabularies small enough to see through.
#include "tokenizer/test_support.h"

namespace freehold::tokenizer {
namespace {

using testing::encode;
using testing::small_gguf;
using testing::small_sentencepiece;
using Ids = std::vector<TokenId>;

constexpr int64_t kNormal = 1;
constexpr int64_t kUnknown = 2;
constexpr int64_t kControl = 3;
constexpr int64_t kUserDefined = 4;

Tokenizer make(const testing::SmallGguf& gguf) {
  auto tokenizer = Tokenizer::from_gguf(gguf.metadata);
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  return *tokenizer;
}

gguf::Value id_value(uint64_t id) { return {id}; }

TEST(Tokenizer, MergesByRank) {
  const Tokenizer tokenizer = make(*small_gguf());
  EXPECT_EQ(encode(tokenizer, "abc"), (Ids{257}));
  EXPECT_EQ(encode(tokenizer, "xab"), (Ids{'x', 256}));
  EXPECT_EQ(encode(tokenizer, "b ab"), (Ids{'b', ' ', 256}));  // "a b" goes before "Ġ a"
  EXPECT_EQ(encode(tokenizer, ""), Ids{});
  EXPECT_EQ(tokenizer.vocabulary_size(), 259);
  EXPECT_EQ(tokenizer.find("abc"), 257);
  EXPECT_EQ(tokenizer.find(" a"), 258);
  EXPECT_FALSE(tokenizer.find("abcd"));
  EXPECT_EQ(tokenizer.description(), "byte-level BPE (gpt-2)");
}

TEST(Tokenizer, EveryByteOfValidTextComesBack) {
  const Tokenizer tokenizer = make(*small_gguf());
  std::string text;
  for (int i = 0; i < 128; ++i) text.push_back(static_cast<char>(i));
  text += "\u00E9\u4E2D\U0001F600\U0010FFFF";
  EXPECT_EQ(tokenizer.decode(encode(tokenizer, text)), text);
  EXPECT_EQ(tokenizer.decode(encode(tokenizer, "a\xFF\xE4\xBD")), "a\uFFFD\uFFFD\uFFFD");
}

TEST(Tokenizer, ControlTokensOnlyWhereAsked) {
  const auto gguf =
      small_gguf({{"<|end|>", kControl}, {"<|end|>>", kControl}, {"<t>", kUserDefined}});
  const Tokenizer tokenizer = make(*gguf);
  const Ids plain = encode(tokenizer, "a<|end|>b");
  EXPECT_EQ(std::ranges::count(plain, 259), 0);
  EXPECT_EQ(tokenizer.decode(plain), "a<|end|>b");
  EXPECT_EQ(encode(tokenizer, "a<|end|>b", true), (Ids{'a', 259, 'b'}));
  EXPECT_EQ(encode(tokenizer, "<|end|>><|end|>", true), (Ids{260, 259}));  // the longest
  EXPECT_EQ(encode(tokenizer, "a<t>b"), (Ids{'a', 261, 'b'}));  // user-defined: either way
  EXPECT_TRUE(tokenizer.is_control(259));
  EXPECT_FALSE(tokenizer.is_control(261));
  EXPECT_TRUE(tokenizer.is_text(261));
  EXPECT_FALSE(tokenizer.is_text(259));
  EXPECT_EQ(tokenizer.piece(259), "");
  EXPECT_EQ(tokenizer.piece(259, true), "<|end|>");
  EXPECT_EQ(tokenizer.piece(261), "<t>");
  EXPECT_EQ(tokenizer.piece(-1), "");
  EXPECT_EQ(tokenizer.piece(1'000'000, true), "");
  EXPECT_FALSE(tokenizer.is_control(-5));
}

TEST(Tokenizer, UntrustedTextNeverMakesMarkup) {
  const auto gguf = small_gguf({{"<|end|>", kControl},
                                {"<think>", kUserDefined},
                                {"[INST]", kUserDefined},
                                {"~~", kUserDefined},
                                {"<unk>", kUnknown}});
  const Tokenizer tokenizer = make(*gguf);
  const std::string hostile = "<|end|> <think> [INST] ~~ <unk>";
  const std::vector<Segment> segments = {
      {"<|end|>", true}, {hostile, false}, {"<think>", true}, {"<|", false}, {"end|>", true}};
  const Ids ids = tokenizer.encode_segments(segments).value();
  EXPECT_EQ(ids.front(), 259);
  EXPECT_EQ(std::ranges::count(ids, 259), 1);  // nor across the last border
  EXPECT_EQ(std::ranges::count(ids, 260), 1);
  EXPECT_EQ(std::ranges::count(ids, 261), 0);
  EXPECT_EQ(std::ranges::count(ids, 262), 1);  // no markup: what anybody may write
  EXPECT_EQ(std::ranges::count(ids, 263), 0);
  DecodeOptions options;
  options.special = true;
  EXPECT_EQ(tokenizer.decode(ids, options), "<|end|>" + hostile + "<think><|end|>");
}

TEST(Tokenizer, TheTextOfEverySpecialTokenStaysPlainInUntrustedText) {
  for (const char* name : {"llama-bpe", "qwen3", "deepseek-v3", "llama-spm"}) {
    const Tokenizer tokenizer = testing::load_vocabulary(name);
    EncodeOptions options;
    options.add_bos = false;
    for (TokenId id = 0; id < tokenizer.vocabulary_size(); ++id) {
      const std::string_view text = tokenizer.piece(id, true);
      const bool markup = text.size() > 2 && text.front() == '<' && text.back() == '>' &&
                          !tokenizer.piece(id).starts_with("</");
      if (!tokenizer.is_control(id) && !markup) continue;
      const std::vector<Segment> segments = {{text, false}};
      const Ids ids = tokenizer.encode_segments(segments, options).value();
      if (tokenizer.is_control(id)) {
        EXPECT_EQ(std::ranges::count(ids, id), 0) << name << " " << text;
      }
      EXPECT_EQ(tokenizer.decode(ids), text) << name;
    }
  }
}

TEST(Tokenizer, BordersDoNotCutWords) {
  const Tokenizer tokenizer = make(*small_gguf());
  const std::vector<Segment> segments = {{"a", true}, {"b", false}, {"c", true}};
  EXPECT_EQ(tokenizer.encode_segments(segments).value(), (Ids{257}));
  const std::string_view smile = "\U0001F600";
  const std::vector<Segment> torn = {{smile.substr(0, 2), false}, {smile.substr(2), true}};
  EXPECT_EQ(tokenizer.decode(tokenizer.encode_segments(torn).value()), smile);
}

TEST(Tokenizer, BosOnceAndEosWhenAsked) {
  const auto gguf = small_gguf({{"<s>", kControl}, {"</s>", kControl}});
  gguf->metadata.set("tokenizer.ggml.bos_token_id", id_value(259));
  gguf->metadata.set("tokenizer.ggml.eos_token_id", id_value(260));
  gguf->metadata.set("tokenizer.ggml.add_bos_token", {true});
  const Tokenizer tokenizer = make(*gguf);
  EXPECT_EQ(tokenizer.encode("ab").value(), (Ids{259, 256}));
  EXPECT_EQ(tokenizer.encode("").value(), Ids{259});
  EncodeOptions options;
  options.parse_special = true;
  EXPECT_EQ(tokenizer.encode("<s>ab", options).value(), (Ids{259, 256}));
  options.add_eos = true;
  options.add_bos = false;
  EXPECT_EQ(tokenizer.encode("ab", options).value(), (Ids{256, 260}));
  EXPECT_EQ(tokenizer.bos(), 259);
  EXPECT_EQ(tokenizer.eos(), 260);
  EXPECT_TRUE(tokenizer.adds_bos());
  EXPECT_FALSE(tokenizer.adds_eos());
}

TEST(Tokenizer, SpecialIdsOutsideTheVocabularyAreIgnored) {
  const auto gguf = small_gguf();
  gguf->metadata.set("tokenizer.ggml.bos_token_id", id_value(259));
  gguf->metadata.set("tokenizer.ggml.eos_token_id", id_value(4294967295));
  const Tokenizer tokenizer = make(*gguf);
  EXPECT_FALSE(tokenizer.bos());
  EXPECT_FALSE(tokenizer.eos());
  EXPECT_TRUE(tokenizer.end_of_generation_ids().empty());
}

TEST(Tokenizer, EndOfGenerationInHarmony) {
  const auto gguf = small_gguf({{"<|end|>", kControl}, {"<|return|>", kControl}});
  EXPECT_TRUE(make(*gguf).is_end_of_generation(259));
  const auto harmony =
      small_gguf({{"<|end|>", kControl}, {"<|return|>", kControl}, {"<|call|>", kControl}});
  const Tokenizer tokenizer = make(*harmony);
  EXPECT_FALSE(tokenizer.is_end_of_generation(259));  // one message ends, not the answer
  EXPECT_TRUE(tokenizer.is_end_of_generation(260));
  EXPECT_TRUE(tokenizer.is_end_of_generation(261));
  const auto tools = small_gguf({{"</s>", kControl}, {"<|tool_response>", kControl}});
  EXPECT_FALSE(make(*tools).is_end_of_generation(259));
  const auto text = small_gguf({{"</s>", kNormal}});
  EXPECT_FALSE(make(*text).is_end_of_generation(259));
}

TEST(Tokenizer, EndOfGenerationByKeys) {
  const auto gguf = small_gguf({{"<|user|>", kControl}, {"<|observation|>", kControl}});
  gguf->metadata.set("tokenizer.ggml.eot_token_id", id_value(259));
  gguf->metadata.set("tokenizer.ggml.eom_token_id", id_value(260));
  EXPECT_EQ(make(*gguf).end_of_generation_ids().size(), 2U);
}

TEST(Tokenizer, ChatTemplatesByName) {
  const auto gguf = small_gguf();
  gguf->metadata.set("tokenizer.chat_template", {std::string_view("A")});
  gguf->metadata.set("tokenizer.chat_template.tool_use", {std::string_view("B")});
  const Tokenizer tokenizer = make(*gguf);
  EXPECT_EQ(tokenizer.chat_template(), "A");
  EXPECT_EQ(tokenizer.chat_template("tool_use"), "B");
  EXPECT_FALSE(tokenizer.chat_template("rag"));
  EXPECT_EQ(tokenizer.chat_templates().size(), 2U);
}

TEST(Tokenizer, OfEqualTokensTheLowestNormalOneIsFound) {
  const auto gguf = small_gguf({{"abc", kUserDefined}, {"abc", kNormal}});
  const Tokenizer tokenizer = make(*gguf);
  EXPECT_EQ(tokenizer.find("abc"), 257);
  EXPECT_EQ(encode(tokenizer, "abc"), Ids{259});  // user-defined tokens are cut out first
}

TEST(Tokenizer, SentencePiece) {
  const auto gguf =
      small_sentencepiece({{"\u2581", -9}, {"a", -5}, {"b", -6}, {"ab", -1}, {"\u2581a", -2}});
  const Tokenizer tokenizer = make(*gguf);
  EXPECT_EQ(encode(tokenizer, "ab"), (Ids{259, 262}));  // "ab" is better than "▁a"
  EXPECT_EQ(encode(tokenizer, "a b"), (Ids{263, 259, 261}));
  EXPECT_EQ(encode(tokenizer, "a\u2581b"), (Ids{263, 259, 261}));
  EXPECT_EQ(encode(tokenizer, "\u00E9"), (Ids{259, 3 + 0xC3, 3 + 0xA9}));  // bytes
  EXPECT_EQ(tokenizer.decode(Ids{263, 259, 261}), "a b");
  DecodeOptions inside;
  inside.from_start = false;
  EXPECT_EQ(tokenizer.decode(Ids{263, 259, 261}, inside), " a b");
  EXPECT_EQ(tokenizer.piece(263), " a");
  EXPECT_EQ(tokenizer.encode("a").value(), (Ids{1, 263}));
  EXPECT_TRUE(tokenizer.is_end_of_generation(2));
}

TEST(Tokenizer, SentencePieceTextNeverBecomesAControlToken) {
  // The pieces are there to build "</s>" from; merging must not find the control token.
  const auto gguf = small_sentencepiece({{"\u2581", -9}, {"</", -1}, {"s>", -1}});
  const Tokenizer tokenizer = make(*gguf);
  const Ids ids = encode(tokenizer, "</s>");
  EXPECT_EQ(ids, (Ids{259, 260, 261}));
}

TEST(Tokenizer, ALiteralByteTokenIsText) {
  const auto gguf = small_sentencepiece({{"<0x-1>", -1}, {"\u2581", -2}});
  const Tokenizer tokenizer = make(*gguf);
  EXPECT_EQ(tokenizer.piece(259), "<0x-1>");
}

struct Bad {
  const char* name;
  std::string key;
  gguf::Value value;
  base::ErrorCode code;
};

TEST(Tokenizer, BadMetadataIsRefused) {
  using enum base::ErrorCode;
  using Strings = gguf::Value::Strings;
  using Integers = gguf::Value::Integers;
  const std::vector<Bad> cases = {
      {"model of another kind", "tokenizer.ggml.model", {std::string_view("rwkv")}, kUnsupported},
      {"model not text", "tokenizer.ggml.model", {uint64_t{1}}, kBadFormat},
      {"unknown pre", "tokenizer.ggml.pre", {std::string_view("x")}, kUnsupported},
      {"pre not text", "tokenizer.ggml.pre", {true}, kBadFormat},
      {"no tokens", "tokenizer.ggml.tokens", {Strings{}}, kBadFormat},
      {"tokens not text", "tokenizer.ggml.tokens", {Integers{1, 2}}, kBadFormat},
      {"types too few", "tokenizer.ggml.token_type", {Integers{1, 2}}, kBadFormat},
      {"types out of range", "tokenizer.ggml.token_type", {Integers(259, 7)}, kBadFormat},
      {"types negative", "tokenizer.ggml.token_type", {Integers(259, -1)}, kBadFormat},
      {"types not numbers", "tokenizer.ggml.token_type", {true}, kBadFormat},
      {"merge of one", "tokenizer.ggml.merges", {Strings{"ab"}}, kBadFormat},
      {"merge empty", "tokenizer.ggml.merges", {Strings{""}}, kBadFormat},
      {"merge unknown", "tokenizer.ggml.merges", {Strings{"a zz"}}, kBadFormat},
      {"merge makes nothing", "tokenizer.ggml.merges", {Strings{"x y"}}, kBadFormat},
      {"merges not text", "tokenizer.ggml.merges", {uint64_t{3}}, kBadFormat},
      {"bos not a number", "tokenizer.ggml.bos_token_id", {std::string_view("1")}, kBadFormat},
      {"flag not a flag", "tokenizer.ggml.add_bos_token", {uint64_t{1}}, kBadFormat},
  };
  for (const Bad& bad : cases) {
    const auto gguf = small_gguf();
    gguf->metadata.set(bad.key, bad.value);
    const auto tokenizer = Tokenizer::from_gguf(gguf->metadata);
    ASSERT_FALSE(tokenizer) << bad.name;
    EXPECT_EQ(tokenizer.error().code, bad.code) << bad.name << ": " << tokenizer.error().message;
    EXPECT_FALSE(tokenizer.error().message.empty());
  }
}

TEST(Tokenizer, BadSentencePieceIsRefused) {
  using Floats = gguf::Value::Floats;
  const auto refused = [](const std::string& key, gguf::Value value) {
    const auto gguf = small_sentencepiece({{"a", -1}});
    gguf->metadata.set(key, std::move(value));
    return !Tokenizer::from_gguf(gguf->metadata).has_value();
  };
  EXPECT_TRUE(refused("tokenizer.ggml.scores", {Floats{1.0F}}));
  EXPECT_TRUE(refused("tokenizer.ggml.scores", {Floats(260, std::nanf(""))}));
  EXPECT_TRUE(refused("tokenizer.ggml.scores", {std::string_view("no")}));
  EXPECT_TRUE(refused("tokenizer.ggml.token_type", {gguf::Value::Integers(260, 6)}));
}

TEST(Tokenizer, MissingKeysAreRefused) {
  const auto without = [](std::string_view key) {
    const auto gguf = small_gguf();
    gguf::Metadata fewer;
    for (const auto& [name, value] : gguf->metadata.all()) {
      if (name != key) fewer.set(name, value);
    }
    const auto tokenizer = Tokenizer::from_gguf(fewer);
    return tokenizer ? std::string() : tokenizer.error().message;
  };
  for (const char* key : {"tokenizer.ggml.model", "tokenizer.ggml.pre", "tokenizer.ggml.tokens",
                          "tokenizer.ggml.merges"}) {
    EXPECT_NE(without(key).find(key), std::string::npos) << key;
  }
  EXPECT_EQ(without("tokenizer.ggml.token_type"), "");  // all normal
}

TEST(Tokenizer, AByteWithoutATokenNeedsAnUnknownToken) {
  const auto gguf = small_gguf();
  gguf::Value::Strings tokens(gguf->storage.begin(), gguf->storage.end());
  tokens['q'] = "[none]";
  gguf->metadata.set("tokenizer.ggml.tokens", {tokens});
  EXPECT_FALSE(Tokenizer::from_gguf(gguf->metadata));
  gguf->metadata.set("tokenizer.ggml.unknown_token_id", id_value(258));
  const Tokenizer tokenizer = make(*gguf);
  EXPECT_EQ(encode(tokenizer, "xq"), (Ids{'x', 258}));
}

}  // namespace
}  // namespace freehold::tokenizer
