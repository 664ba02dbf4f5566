// The parts of tokenizer.json, each read into what encodes with it.
#pragma once

#include "tokenizer/json.h"
#include "tokenizer/parts.h"

namespace freehold::tokenizer {

// What the parts of the file say together; the order in which they are read does not matter.
struct HuggingFacePlan {
  bool byte_level = false;  // a ByteLevel pre-tokenizer
  bool metaspace = false;   // U+2581 stands for a space
};

// `normalizer`, `pre_tokenizer` and `decoder` into parts and plan. Errors: kUnsupported (a kind or
// setting, by name), kBadFormat.
base::Result<HuggingFacePlan> read_pipeline(Json root, Tokenizer::Parts& parts);

// `model`, `added_tokens` and, of tokenizer_config.json (may be null), `added_tokens_decoder` into
// parts. Errors: kUnsupported, kBadFormat (ids twice or far apart, merges without tokens),
// kLimitExceeded.
base::Status read_vocabulary(Json root, const Json* config, const HuggingFacePlan& plan,
                             Tokenizer::Parts& parts);

}  // namespace freehold::tokenizer
