// Published vocabularies against ids that other implementations gave.
#include "tokenizer/test_support.h"
#include "tokenizer/text_stream.h"

namespace freehold::tokenizer {
namespace {

using testing::encode;
using testing::load_vocabulary;
using testing::read_json;

class GoldenVocabulary : public ::testing::TestWithParam<std::string> {};

TEST_P(GoldenVocabulary, EveryStringBecomesTheSameIds) {
  const std::string name = GetParam();
  const Tokenizer tokenizer = load_vocabulary(name);
  const bool hugging_face = name == "qwen3" || name == "deepseek-v3";
  const auto strings = read_json("strings.json");
  const auto expected = read_json(name + ".ids.json");
  ASSERT_EQ(strings.size(), expected.size());
  for (size_t i = 0; i < strings.size(); ++i) {
    const auto text = strings[i].get<std::string>();
    EXPECT_EQ(encode(tokenizer, text, hugging_face), expected[i].get<std::vector<TokenId>>())
        << name << ": " << strings[i];
  }
}

TEST_P(GoldenVocabulary, DecodingGivesTheTextBack) {
  const Tokenizer tokenizer = load_vocabulary(GetParam());
  for (const auto& string : read_json("strings.json")) {
    const auto text = string.get<std::string>();
    if (GetParam() == "qwen3" && text.find("\u0301") != std::string::npos) continue;  // NFC
    const auto ids = encode(tokenizer, text);
    if (GetParam() != "qwen3") {
      EXPECT_EQ(tokenizer.decode(ids), text) << string;
    }
    // Decoding what was decoded changes nothing, whatever the normaliser did.
    const std::string once = tokenizer.decode(ids);
    EXPECT_EQ(tokenizer.decode(encode(tokenizer, once)), once) << string;
  }
}

TEST_P(GoldenVocabulary, BordersBetweenSegmentsChangeNothing) {
  const Tokenizer tokenizer = load_vocabulary(GetParam());
  EncodeOptions options;
  options.add_bos = false;
  options.parse_special = true;
  size_t cut = 1;
  for (const auto& string : read_json("strings.json")) {
    const auto text = string.get<std::string>();
    if (text.find("<think>") != std::string::npos || text.find("</think>") != std::string::npos) {
      continue;  // special text, in some of the vocabularies
    }
    cut = (cut * 7 + 3) % (text.size() + 1);
    const std::string_view view(text);
    const std::vector<Segment> segments = {
        {view.substr(0, cut), true}, {view.substr(cut), false}, {"", true}};
    // A border inside a code point may not be: the text is the joined one.
    EXPECT_EQ(tokenizer.encode_segments(segments, options).value(),
              tokenizer.encode(text, options).value())
        << string << " cut at " << cut;
  }
}

INSTANTIATE_TEST_SUITE_P(All, GoldenVocabulary,
                         ::testing::Values("gpt-2", "llama-bpe", "qwen2", "deepseek-llm",
                                           "deepseek-coder", "llama-spm", "qwen3", "deepseek-v3"),
                         [](const auto& one) {
                           std::string name = one.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST(Golden, WhatEndsAnAnswer) {
  const auto ends = [](const std::string& name) {
    const Tokenizer tokenizer = load_vocabulary(name);
    std::vector<std::string> out;
    for (const TokenId id : tokenizer.end_of_generation_ids()) {
      EXPECT_TRUE(tokenizer.is_end_of_generation(id));
      out.emplace_back(tokenizer.piece(id, true));
    }
    return out;
  };
  using Texts = std::vector<std::string>;
  EXPECT_EQ(ends("llama-bpe"), (Texts{"<|end_of_text|>", "<|eot_id|>"}));
  EXPECT_EQ(ends("qwen3"), (Texts{"<|endoftext|>", "<|im_end|>"}));
  EXPECT_EQ(ends("deepseek-v3"), Texts{"<｜end▁of▁sentence｜>"});
  EXPECT_EQ(ends("llama-spm"), Texts{"</s>"});
}

TEST(Golden, WhatBeginsAText) {
  const auto first = [](const std::string& name) {
    const Tokenizer tokenizer = load_vocabulary(name);
    const auto ids = tokenizer.encode("x").value();
    return std::string(tokenizer.piece(ids.at(0), true));
  };
  EXPECT_EQ(first("llama-bpe"), "<|begin_of_text|>");  // by the pre-tokenizer's default
  EXPECT_EQ(first("deepseek-v3"), "<｜begin▁of▁sentence｜>");
  EXPECT_EQ(first("llama-spm"), "<s>");
  EXPECT_EQ(first("qwen3"), "x");
  EXPECT_EQ(first("qwen2"), "x");  // has a BOS and does not want it
}

TEST(Golden, ChatTemplatesAreKept) {
  EXPECT_TRUE(load_vocabulary("qwen3").chat_template()->starts_with("{%- if tools %}"));
  EXPECT_TRUE(load_vocabulary("qwen2").chat_template()->starts_with("{% for message"));
  EXPECT_FALSE(load_vocabulary("gpt-2").chat_template());
  EXPECT_FALSE(load_vocabulary("qwen3").chat_template("tool_use"));
}

TEST(Golden, ALongTextOfOneLetterTakesNoTimeOfItsOwn) {
  for (const std::string name : {"llama-bpe", "llama-spm", "qwen3", "deepseek-llm"}) {
    const Tokenizer tokenizer = load_vocabulary(name);
    for (const std::string unit : {"a", " ", "\n", "\u4E00", "=", "7", "\u0301", "'", "\t"}) {
      std::string text;
      while (text.size() < (1U << 20U)) text.append(unit);
      const auto ids = encode(tokenizer, text);
      EXPECT_EQ(tokenizer.decode(ids), text) << name << " `" << unit << "`";
    }
  }
}

// What tokenizer.json can say, one part at a time.
TEST(Golden, VariantsOfTokenizerJson) {
  const auto data = read_json("variants.json.gz");
  const auto& strings = data["strings"];
  for (const auto& variant : data["variants"]) {
    const auto name = variant["name"].get<std::string>();
    const testing::TemporaryFolder folder;
    folder.write("tokenizer.json", variant["tokenizer"].dump());
    const auto tokenizer = Tokenizer::open(folder.path());
    ASSERT_TRUE(tokenizer) << name << ": " << tokenizer.error().message;
    int wrong = 0;
    for (size_t i = 0; i < strings.size() && wrong < 3; ++i) {
      const auto expected = variant["ids"][i].get<std::vector<TokenId>>();
      const auto ids = encode(*tokenizer, strings[i].get<std::string>(), true);
      EXPECT_EQ(ids, expected) << name << ": " << strings[i];
      wrong += ids != expected ? 1 : 0;
      Utf8Stream stream;
      DecodeOptions options;
      options.special = true;
      const std::string text = stream.push(tokenizer->decode(expected, options)) + stream.flush();
      const auto expected_text = variant["texts"][i].get<std::string>();
      // Byte tokens that make no code point: the peer gives one U+FFFD a byte, we one a sequence.
      if (expected_text.find("\uFFFD") == std::string::npos) {
        EXPECT_EQ(text, expected_text) << name << ": " << strings[i];
      }
    }
  }
}

}  // namespace
}  // namespace freehold::tokenizer
