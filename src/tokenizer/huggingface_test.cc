// Hugging Face folders: what is read from which file, and what is refused.
#include "tokenizer/test_support.h"

namespace freehold::tokenizer {
namespace {

using nlohmann::json;
using testing::encode;
using testing::TemporaryFolder;
using Ids = std::vector<TokenId>;

// Ids 0 to 255 are the bytes, 256 "ab"; then <s>, </s> (special) and <think> (not).
json small_json() {
  json vocabulary = json::object();
  for (int byte = 0; byte < 256; ++byte) vocabulary[testing::alphabet(byte)] = byte;
  vocabulary["ab"] = 256;
  const auto added = [](int id, const char* text, bool special) {
    return json{{"id", id},        {"content", text}, {"special", special},  {"normalized", false},
                {"lstrip", false}, {"rstrip", false}, {"single_word", false}};
  };
  return {
      {"version", "1.0"},
      {"added_tokens",
       {added(257, "<s>", true), added(258, "</s>", true), added(259, "<think>", false)}},
      {"normalizer", nullptr},
      {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}},
      {"post_processor", nullptr},
      {"decoder", {{"type", "ByteLevel"}}},
      {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", json::array({"a b"})}}}};
}

base::Result<Tokenizer> open(const json& tokenizer, const json& config = nullptr,
                             const json& generation = nullptr) {
  const TemporaryFolder folder;
  folder.write("tokenizer.json", tokenizer.dump());
  if (!config.is_null()) folder.write("tokenizer_config.json", config.dump());
  if (!generation.is_null()) folder.write("generation_config.json", generation.dump());
  return Tokenizer::open(folder.path());
}

TEST(HuggingFace, AddedTokens) {
  const auto tokenizer = open(small_json());
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_EQ(encode(*tokenizer, "ab<s><think>", true), (Ids{256, 257, 259}));
  EXPECT_EQ(std::ranges::count(encode(*tokenizer, "ab<s>"), 257), 0);
  EXPECT_TRUE(tokenizer->is_control(257));
  EXPECT_FALSE(tokenizer->is_control(259));
  EXPECT_FALSE(tokenizer->bos());
  EXPECT_TRUE(tokenizer->is_end_of_generation(258));  // by its text
}

TEST(HuggingFace, ConfigNamesTheEnds) {
  const json config = {{"bos_token", "<s>"},
                       {"eos_token", {{"content", "</s>"}}},
                       {"pad_token", "</s>"},
                       {"add_bos_token", true},
                       {"chat_template", "T"}};
  const auto tokenizer = open(small_json(), config);
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokenizer->encode("ab").value(), (Ids{257, 256}));
  EXPECT_EQ(tokenizer->eos(), 258);
  EXPECT_EQ(tokenizer->padding(), 258);
  EXPECT_EQ(tokenizer->chat_template(), "T");
}

TEST(HuggingFace, GenerationConfigDecidesWhatEndsAnAnswer) {
  const auto tokenizer = open(small_json(), nullptr, {{"eos_token_id", {259, 65}}});
  ASSERT_TRUE(tokenizer);
  EXPECT_FALSE(tokenizer->is_end_of_generation(258));
  EXPECT_TRUE(tokenizer->is_end_of_generation(259));
  EXPECT_TRUE(tokenizer->is_end_of_generation(65));
  EXPECT_TRUE(open(small_json(), nullptr, {{"eos_token_id", 1}})->is_end_of_generation(1));
  EXPECT_FALSE(open(small_json(), nullptr, {{"eos_token_id", 260}}));
  EXPECT_FALSE(open(small_json(), nullptr, {{"eos_token_id", "x"}}));
}

TEST(HuggingFace, PostProcessorTemplateAddsBos) {
  json tokenizer = small_json();
  const json bos = {{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}};
  const json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  tokenizer["post_processor"] = {
      {"type", "Sequence"},
      {"processors",
       {{{"type", "ByteLevel"}}, {{"type", "TemplateProcessing"}, {"single", {bos, text}}}}}};
  EXPECT_EQ(open(tokenizer)->encode("ab").value(), (Ids{257, 256}));
  EXPECT_EQ(open(tokenizer, {{"add_bos_token", false}})->encode("ab").value(), (Ids{256}));
}

TEST(HuggingFace, TemplatesInFilesGoFirst) {
  const TemporaryFolder folder;
  folder.write("tokenizer.json", small_json().dump());
  const json named = {{{"name", "default"}, {"template", "A"}},
                      {{"name", "rag"}, {"template", "R"}}};
  folder.write("tokenizer_config.json", json{{"chat_template", named}}.dump());
  folder.write("chat_template.jinja", "B");
  folder.write("additional_chat_templates/tool_use.jinja", "C");
  const auto tokenizer = Tokenizer::open(folder.path());
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_EQ(tokenizer->chat_template(), "B");
  EXPECT_EQ(tokenizer->chat_template("rag"), "R");
  EXPECT_EQ(tokenizer->chat_template("tool_use"), "C");
}

TEST(HuggingFace, AddedTokensOfTheConfigOnly) {
  const json more = {{"added_tokens_decoder",
                      {{"257", {{"content", "<s>"}, {"special", true}}},
                       {"260", {{"content", "<tool>"}, {"special", true}}}}}};
  const auto tokenizer = open(small_json(), more);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_EQ(encode(*tokenizer, "<tool>", true), Ids{260});
}

struct Change {
  const char* path;  // a JSON pointer
  json value;
  base::ErrorCode code;
  const char* names;  // what the message says
};

TEST(HuggingFace, WhatIsNotDoneIsRefusedByName) {
  using enum base::ErrorCode;
  const json split = {{"type", "Split"}, {"pattern", {{"Regex", "a"}}}, {"invert", false}};
  const auto with = [](json object, const char* key, json value) {
    object[key] = std::move(value);
    return object;
  };
  const std::vector<Change> changes = {
      {"/model/type", "Unigram", kUnsupported, "Unigram"},
      {"/model/type", "WordPiece", kUnsupported, "WordPiece"},
      {"/model/dropout", 0.1, kUnsupported, "dropout"},
      {"/model/end_of_word_suffix", "</w>", kUnsupported, "end_of_word_suffix"},
      {"/model/vocab", json::array(), kBadFormat, "vocab"},
      {"/model/vocab", json::object(), kBadFormat, ""},
      {"/model/vocab/ab", -1, kBadFormat, "ab"},
      {"/model/vocab/ab", 255, kBadFormat, "255"},
      {"/model/vocab/ab", 2000000000, kBadFormat, "ab"},
      {"/model/vocab/ab", 1.5, kBadFormat, "ab"},
      {"/model/merges", nullptr, kBadFormat, "merges"},
      {"/model/merges", json::array({"a"}), kBadFormat, "merge 0"},
      {"/model/merges", json::array({json::array({"a", "b", "c"})}), kBadFormat, "merge 0"},
      {"/model/merges", json::array({json::array({"a", 1})}), kBadFormat, "merge 0"},
      {"/model/merges", json::array({"a c"}), kBadFormat, "`a` + `c`"},
      {"/model", nullptr, kBadFormat, "model"},
      {"/normalizer", {{"type", "Lowercase"}}, kUnsupported, "Lowercase"},
      {"/normalizer", {{"kind", "NFC"}}, kBadFormat, "type"},
      {"/pre_tokenizer", {{"type", "Whitespace"}}, kUnsupported, "Whitespace"},
      {"/pre_tokenizer", with(split, "behavior", "MergedWithNext"), kUnsupported, "MergedWithNext"},
      {"/pre_tokenizer", split, kBadFormat, "behavior"},
      {"/pre_tokenizer", with(with(split, "behavior", "Isolated"), "pattern", {{"Regex", "("}}),
       kBadFormat, "("},
      {"/decoder", {{"type", "WordPiece"}}, kUnsupported, "WordPiece"},
      {"/decoder", {{"type", "Fuse"}}, kUnsupported, "byte-level"},
      {"/added_tokens/0/id", 3, kBadFormat, "<s>"},
      {"/added_tokens/0/id", 999999999, kBadFormat, "<s>"},
      {"/added_tokens/0/content", 5, kBadFormat, "content"},
      {"/added_tokens/0/content", std::string(2000, 'x'), kLimitExceeded, "2000"},
  };
  for (const Change& change : changes) {
    json tokenizer = small_json();
    tokenizer[json::json_pointer(change.path)] = change.value;
    const auto opened = open(tokenizer);
    ASSERT_FALSE(opened) << change.path << " " << change.value;
    EXPECT_EQ(opened.error().code, change.code) << change.path << ": " << opened.error().message;
    EXPECT_NE(opened.error().message.find(change.names), std::string::npos)
        << change.path << ": " << opened.error().message;
  }
}

TEST(HuggingFace, NormalizedAddedTokensMustStayWhatTheyAre) {
  json tokenizer = small_json();
  tokenizer["added_tokens"][0]["normalized"] = true;
  EXPECT_TRUE(open(tokenizer));
  tokenizer["normalizer"] = {{"type", "NFC"}};
  EXPECT_TRUE(open(tokenizer));
  tokenizer["normalizer"] = {{"type", "Prepend"}, {"prepend", "x"}};
  EXPECT_FALSE(open(tokenizer));
}

TEST(HuggingFace, NestedSequencesHaveALimit) {
  json nested = {{"type", "NFC"}};
  for (int i = 0; i < 100; ++i) {
    nested = {{"type", "Sequence"}, {"normalizers", json::array({nested})}};
  }
  json tokenizer = small_json();
  tokenizer["normalizer"] = nested;
  EXPECT_EQ(open(tokenizer).error().code, base::ErrorCode::kLimitExceeded);
}

TEST(HuggingFace, BrokenFilesAreRefused) {
  const TemporaryFolder folder;
  EXPECT_EQ(Tokenizer::open(folder.path()).error().code, base::ErrorCode::kNotFound);
  for (const char* text : {"", "{", "[]", "1", "{\"model\":", "\xFF\xFE", "{\"model\":{}}"}) {
    folder.write("tokenizer.json", text);
    const auto opened = Tokenizer::open(folder.path());
    ASSERT_FALSE(opened) << text;
    EXPECT_EQ(opened.error().code, base::ErrorCode::kBadFormat) << text;
  }
  folder.write("tokenizer.json", small_json().dump());
  EXPECT_TRUE(Tokenizer::open(folder.path()));
  folder.write("tokenizer_config.json", "{]");
  EXPECT_FALSE(Tokenizer::open(folder.path()));
}

TEST(HuggingFace, EveryTruncationIsAnErrorOrReads) {
  const std::string text = small_json().dump();
  const TemporaryFolder folder;
  for (size_t length = 0; length < text.size(); length += 13) {
    folder.write("tokenizer.json", std::string_view(text).substr(0, length));
    EXPECT_FALSE(Tokenizer::open(folder.path())) << length;
  }
}

}  // namespace
}  // namespace freehold::tokenizer
