// A tokenizer from a Hugging Face folder.
#include "tokenizer/tokenizer.h"

namespace freehold::tokenizer {
base::Result<Tokenizer> Tokenizer::from_huggingface(const std::filesystem::path& folder) {
  return base::fail(base::ErrorCode::kUnsupported, folder.string());
}
}  // namespace freehold::tokenizer
