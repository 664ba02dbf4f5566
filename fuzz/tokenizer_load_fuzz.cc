// Vocabularies from hostile files: a tokenizer.json (input begins with `{`) or a GGUF. What loads
// must encode and decode without failing; nothing is asserted about the ids.
#include <string>

#include "tokenizer/huggingface.h"
#include "tokenizer/tokenizer.h"

namespace {

namespace tokenizer = freehold::tokenizer;

constexpr std::string_view kText =
    "It's 2026,\n\n  \u4E2D\u6587 e\u0301 <s></s> <|end|> \xFF aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

void use(const tokenizer::Tokenizer& loaded) {
  tokenizer::EncodeOptions options;
  for (const bool special : {false, true}) {
    options.parse_special = special;
    if (const auto ids = loaded.encode(kText, options)) (void)loaded.decode(*ids);
  }
  for (int32_t id = -1; id <= loaded.vocabulary_size() && id < 1000; ++id) {
    (void)loaded.find(loaded.piece(id, true));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.starts_with('{')) {
    if (const auto loaded = tokenizer::Tokenizer::from_json(bytes)) use(*loaded);
    return 0;
  }
  const auto directory = freehold::gguf::Directory::parse(std::as_bytes(std::span(data, size)));
  if (!directory) return 0;
  if (const auto loaded = tokenizer::Tokenizer::from_gguf(directory->metadata())) use(*loaded);
  return 0;
}
