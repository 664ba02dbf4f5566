// What the tests of this room share: reading test data, vocabularies small enough to see through.
#pragma once

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace freehold::tokenizer::testing {

inline std::string data_path(const std::string& name) {
  return std::string(FREEHOLD_TEST_DATA) + "/tokenizers/" + name;
}

// A file of tests/data/tokenizers, decompressed where it is compressed.
inline std::string read_data(const std::string& name) {
  std::string out;
  gzFile file = gzopen(data_path(name).c_str(), "rb");
  EXPECT_NE(file, nullptr) << name;
  if (file == nullptr) return out;
  std::vector<char> buffer(1U << 20U);
  int n = 0;
  while ((n = gzread(file, buffer.data(), static_cast<unsigned>(buffer.size()))) > 0) {
    out.append(buffer.data(), static_cast<size_t>(n));
  }
  gzclose(file);
  return out;
}

inline nlohmann::json read_json(const std::string& name) {
  return nlohmann::json::parse(read_data(name));
}

// A folder that goes when the object does.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string path = (std::filesystem::temp_directory_path() / "tokenizer-XXXXXX").string();
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    path_ = path;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }
  void write(const std::string& name, std::string_view content) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << content;
  }

 private:
  std::filesystem::path path_;
};

// One of the vocabularies of tests/data/tokenizers, GGUF or Hugging Face.
inline Tokenizer load_vocabulary(const std::string& name) {
  if (std::filesystem::exists(data_path(name + ".gguf.gz"))) {
    const std::string bytes = read_data(name + ".gguf.gz");
    const auto directory = gguf::Directory::parse(std::as_bytes(std::span(bytes)));
    EXPECT_TRUE(directory) << directory.error().message;
    auto tokenizer = Tokenizer::from_gguf(directory->metadata());
    EXPECT_TRUE(tokenizer) << tokenizer.error().message;
    return *tokenizer;
  }
  const TemporaryFolder folder;
  folder.write("tokenizer.json", read_data(name + ".tokenizer.json.gz"));
  folder.write("tokenizer_config.json", read_data(name + ".tokenizer_config.json"));
  auto tokenizer = Tokenizer::open(folder.path());
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  return *tokenizer;
}

// GGUF metadata of a byte-level vocabulary: ids 0 to 255 are the bytes in the alphabet's order,
// 256 "ab", 257 "abc", 258 " a", then `more` with its types.
struct SmallGguf {
  std::vector<std::string> storage;  // what the views in `metadata` point into
  gguf::Metadata metadata;
};

inline std::string alphabet(int byte) {
  const bool itself =
      (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
  int code = byte;
  if (!itself) {
    code = 0x100 + byte - (byte > 0x20 ? 0x7F - 0x21 : 0) - (byte == 0xAD ? 0xAD - 0xA1 : 0);
  }
  if (code < 0x80) return std::string(1, static_cast<char>(code));
  return {static_cast<char>(0xC0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3F))};
}

inline std::unique_ptr<SmallGguf> small_gguf(
    const std::vector<std::pair<std::string, int64_t>>& more = {}) {
  auto out = std::make_unique<SmallGguf>();
  gguf::Value::Integers types(259, 1);
  for (int byte = 0; byte < 256; ++byte) out->storage.push_back(alphabet(byte));
  out->storage.insert(out->storage.end(), {"ab", "abc", "\u0120a"});
  for (const auto& [text, type] : more) {
    out->storage.push_back(text);
    types.push_back(type);
  }
  gguf::Value::Strings tokens(out->storage.begin(), out->storage.end());
  out->metadata.set("tokenizer.ggml.model", {std::string_view("gpt2")});
  out->metadata.set("tokenizer.ggml.pre", {std::string_view("gpt-2")});
  out->metadata.set("tokenizer.ggml.tokens", {std::move(tokens)});
  out->metadata.set("tokenizer.ggml.token_type", {std::move(types)});
  out->metadata.set("tokenizer.ggml.merges", {gguf::Value::Strings{"a b", "ab c", "\u0120 a"}});
  return out;
}

// The same kind of thing for SentencePiece: <unk> <s> </s>, 256 bytes, then `more` with scores.
inline std::unique_ptr<SmallGguf> small_sentencepiece(
    const std::vector<std::pair<std::string, float>>& more) {
  auto out = std::make_unique<SmallGguf>();
  out->storage = {"<unk>", "<s>", "</s>"};
  gguf::Value::Integers types = {2, 3, 3};
  gguf::Value::Floats scores(259, 0.0F);
  for (int byte = 0; byte < 256; ++byte) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    out->storage.push_back(std::string("<0x") + kDigits[static_cast<size_t>(byte / 16)] +
                           kDigits[static_cast<size_t>(byte % 16)] + ">");
    types.push_back(6);
  }
  for (const auto& [text, score] : more) {
    out->storage.push_back(text);
    types.push_back(1);
    scores.push_back(score);
  }
  gguf::Value::Strings tokens(out->storage.begin(), out->storage.end());
  out->metadata.set("tokenizer.ggml.model", {std::string_view("llama")});
  out->metadata.set("tokenizer.ggml.tokens", {std::move(tokens)});
  out->metadata.set("tokenizer.ggml.token_type", {std::move(types)});
  out->metadata.set("tokenizer.ggml.scores", {std::move(scores)});
  return out;
}

inline std::vector<TokenId> encode(const Tokenizer& tokenizer, std::string_view text,
                                   bool parse_special = false) {
  EncodeOptions options;
  options.add_bos = false;
  options.add_eos = false;
  options.parse_special = parse_special;
  const auto ids = tokenizer.encode(text, options);
  EXPECT_TRUE(ids) << ids.error().message;
  return ids.value_or(std::vector<TokenId>{});
}

}  // namespace freehold::tokenizer::testing
