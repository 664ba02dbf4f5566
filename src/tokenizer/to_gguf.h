// A Hugging Face folder's tokenizer as the metadata that a GGUF file of the model has.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "base/result.h"
#include "gguf/gguf.h"

namespace freehold::tokenizer {

// Sets the keys `tokenizer.*` of `out`: tokens, kinds, merges (or scores), special ids, what to
// add, chat templates. The list of tokens is filled up to `n_rows`, the rows of the embedding, with
// unused ones. What the values point into is returned and must outlive them. Errors: those of
// Tokenizer::from_huggingface; kUnsupported for a pre-tokenizer that GGUF has no name for;
// kBadFormat for more tokens than rows.
base::Result<std::shared_ptr<const void>> add_gguf_tokenizer(const std::filesystem::path& folder,
                                                             uint64_t n_rows, gguf::Metadata& out);

}  // namespace freehold::tokenizer
