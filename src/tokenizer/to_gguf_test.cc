#include "tokenizer/to_gguf.h"

#include "tokenizer/test_support.h"

namespace freehold::tokenizer {
namespace {

using testing::read_data;
using testing::read_json;
using testing::TemporaryFolder;

class ToGguf : public ::testing::TestWithParam<const char*> {};

// What goes into GGUF encodes like the folder it came from.
TEST_P(ToGguf, EncodesTheSame) {
  const std::string name = GetParam();
  const TemporaryFolder folder;
  folder.write("tokenizer.json", read_data(name + ".tokenizer.json.gz"));
  folder.write("tokenizer_config.json", read_data(name + ".tokenizer_config.json"));
  const auto original = Tokenizer::from_huggingface(folder.path());
  ASSERT_TRUE(original) << original.error().message;
  const auto n_rows = static_cast<uint64_t>(original->vocabulary_size()) + 100;

  gguf::Metadata metadata;
  const auto storage = add_gguf_tokenizer(folder.path(), n_rows, metadata);
  ASSERT_TRUE(storage) << storage.error().message;
  EXPECT_EQ(metadata.text("tokenizer.ggml.pre").value(), name == "qwen3" ? "qwen2" : name);
  EXPECT_EQ(metadata.strings("tokenizer.ggml.tokens")->size(), n_rows);
  const auto written = Tokenizer::from_gguf(metadata);
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(written->bos(), original->bos());
  EXPECT_EQ(written->eos(), original->eos());
  EXPECT_EQ(written->adds_bos(), original->adds_bos());
  EXPECT_EQ(written->chat_template(), original->chat_template());
  EncodeOptions plain;
  plain.parse_special = true;
  for (const auto& string : read_json("strings.json")) {
    const std::string text = string.get<std::string>();
    // Qwen's normaliser (NFC) has no place in GGUF: only what it leaves alone is the same.
    if (name == "qwen3" && original->decode(original->encode(text, plain).value()) != text) {
      continue;
    }
    EXPECT_EQ(written->encode(text, plain).value(), original->encode(text, plain).value()) << text;
  }
}

INSTANTIATE_TEST_SUITE_P(Folders, ToGguf, ::testing::Values("deepseek-v3", "qwen3"),
                         [](const auto& test) {
                           return std::string(test.param) == "qwen3" ? "qwen3" : "deepseek_v3";
                         });

constexpr const char* kSpaced = R"({"added_tokens": [
    {"id": 0, "content": "<unk>", "special": true}, {"id": 1, "content": "<s>", "special": true}],
  "normalizer": {"type": "Sequence", "normalizers": [
    {"type": "Prepend", "prepend": "▁"},
    {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
  "pre_tokenizer": null,
  "decoder": {"type": "Sequence", "decoders": [
    {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
    {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
  "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true,
    "vocab": {"<unk>": 0, "<s>": 1, "<0x41>": 2, "▁": 3, "a": 4, "b": 5, "ab": 6, "▁ab": 7,
              "ba": 8},
    "merges": ["b a", "a b", "▁ ab"]}})";

TEST(ToGgufSpaced, MergesBecomeScores) {
  const TemporaryFolder folder;
  folder.write("tokenizer.json", kSpaced);
  const auto original = Tokenizer::from_huggingface(folder.path());
  ASSERT_TRUE(original) << original.error().message;
  gguf::Metadata metadata;
  const auto storage = add_gguf_tokenizer(folder.path(), 9, metadata);
  ASSERT_TRUE(storage) << storage.error().message;
  EXPECT_EQ(metadata.text("tokenizer.ggml.model").value(), "llama");
  const auto written = Tokenizer::from_gguf(metadata);
  ASSERT_TRUE(written) << written.error().message;
  for (const char* text : {"ab", "aba ab", "baab", "Aab ba", "bab a  b"}) {
    EXPECT_EQ(written->encode(text).value(), original->encode(text).value()) << text;
  }
  EXPECT_FALSE(add_gguf_tokenizer(folder.path(), 8, metadata));
}

}  // namespace
}  // namespace freehold::tokenizer
