// Text of any bytes through every named pre-tokenizer on a small vocabulary: encoding never fails,
// decoding gives the (repaired) text back, borders between segments change nothing, and no control
// token comes out of untrusted text. The first byte chooses the pre-tokenizer, the second where
// the text is cut.
#include <algorithm>
#include <cstdlib>

#include "tokenizer/byte_alphabet.h"
#include "tokenizer/text_stream.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/utf8.h"

namespace {

using freehold::gguf::Metadata;
using freehold::gguf::Value;
namespace tokenizer = freehold::tokenizer;

constexpr std::string_view kPre[] = {"gpt-2",        "llama-bpe",      "qwen2",       "qwen35",
                                     "deepseek-llm", "deepseek-coder", "deepseek-v3", "smollm",
                                     "gpt-4o",       "tekken",         "kimi-k2",     "default"};

constexpr tokenizer::TokenId kEnd = 259;  // the one control token

// The alphabet's letter for each byte, found by trying.
std::vector<std::string> letters() {
  std::vector<std::string> out(256);
  for (char32_t code = 0x21; code < 0x144; ++code) {
    std::string text;
    tokenizer::append_utf8(text, code);
    std::string bytes;
    tokenizer::append_from_byte_alphabet(text, bytes);
    if (bytes.size() == 1) out[static_cast<uint8_t>(bytes[0])] = text;
  }
  return out;
}

tokenizer::Tokenizer make(std::string_view pre) {
  static const std::vector<std::string> bytes = letters();
  Value::Strings tokens(bytes.begin(), bytes.end());
  tokens.insert(tokens.end(), {"ab", "abc", "\u0120a", "<|end|>", "<t>"});
  Value::Integers types(tokens.size(), 1);
  types[kEnd] = 3;
  types[kEnd + 1] = 4;
  Metadata metadata;
  metadata.set("tokenizer.ggml.model", {std::string_view("gpt2")});
  metadata.set("tokenizer.ggml.pre", {pre});
  metadata.set("tokenizer.ggml.tokens", {std::move(tokens)});
  metadata.set("tokenizer.ggml.token_type", {std::move(types)});
  metadata.set("tokenizer.ggml.merges", {Value::Strings{"a b", "ab c", "\u0120 a"}});
  metadata.set("tokenizer.ggml.add_bos_token", {false});
  auto made = tokenizer::Tokenizer::from_gguf(metadata);
  if (!made) std::abort();
  return *made;
}

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<tokenizer::Tokenizer> tokenizers = [] {
    std::vector<tokenizer::Tokenizer> all;
    for (const std::string_view pre : kPre) all.push_back(make(pre));
    return all;
  }();
  if (size < 2) return 0;
  const tokenizer::Tokenizer& chosen = tokenizers[data[0] % tokenizers.size()];
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::string repaired = tokenizer::replace_invalid_utf8(text, {});

  const auto plain = chosen.encode(text);
  require(plain.has_value());
  require(chosen.decode(*plain) == repaired);
  require(std::ranges::count(*plain, kEnd) == 0);

  tokenizer::TextStream stream(chosen);
  std::string streamed;
  for (const auto id : *plain) streamed += stream.push(id);
  require(streamed + stream.flush() == repaired);

  const size_t cut = text.empty() ? 0 : data[1] % text.size();
  const tokenizer::Segment segments[] = {{text.substr(0, cut), true}, {text.substr(cut), true}};
  tokenizer::EncodeOptions options;
  options.parse_special = true;
  require(chosen.encode_segments(segments).value() == chosen.encode(text, options).value());
  const tokenizer::Segment untrusted[] = {{text.substr(0, cut), true}, {text.substr(cut), false}};
  const auto safe = chosen.encode_segments(untrusted).value();
  const auto trusted_only = chosen.encode(text.substr(0, cut), options).value();
  require(std::ranges::count(safe, kEnd) <= std::ranges::count(trusted_only, kEnd));
  return 0;
}
