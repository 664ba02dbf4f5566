// What a model's files say of it, without loading it: shape, types, tokenizer, memory. Estimates
// follow the metadata's keys, not families; the engine's own plan is what loading prints.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "gguf/gguf.h"

namespace freehold::app {

struct TypeFacts {
  std::string type;
  uint64_t n_tensors = 0;
  uint64_t parameters = 0;
  uint64_t bytes = 0;
};

struct ModelShape {
  uint64_t layers = 0;  // without those that only predict further tokens
  uint64_t hidden = 0;
  uint64_t heads = 0;
  uint64_t kv_heads = 0;  // of the first layer
  uint64_t feed_forward = 0;
  uint64_t experts = 0;  // 0: no mixture
  uint64_t experts_used = 0;
  uint64_t context = 0;  // as trained
  uint64_t vocabulary = 0;
  uint64_t widest = 0;  // the longest row that a layer's matrix takes or makes
  // Numbers that a token leaves in the cache, over all layers but those that predict further
  // tokens.
  uint64_t cache_values_per_token = 0;
};

struct ModelFacts {
  std::string name;
  std::string architecture;
  ModelShape shape;
  uint64_t parameters = 0;
  uint64_t active_parameters = 0;  // used for one token
  uint64_t active_block_parameters =
      0;  // of those, in the layers: multiplied for each prompt token
  uint64_t weight_bytes = 0;
  uint64_t active_bytes = 0;         // read for one token
  uint64_t active_expert_bytes = 0;  // of those, in experts that a router chose
  std::vector<TypeFacts> types;      // most bytes first
};

// Errors: kBadFormat for a key of the wrong type, naming it.
base::Result<ModelFacts> model_facts(const gguf::Directory& directory);

enum class CacheWidth { kF16, kF32, kQ8_0 };
uint64_t cache_bytes(const ModelShape& shape, CacheWidth width, uint64_t tokens);
// Working memory of a step of `tokens`, as the engine plans it for its usual sixteen sequences.
uint64_t scratch_bytes(const ModelShape& shape, uint64_t tokens);
// The longest context whose cache fits into what `available_bytes` leaves beside the weights, at
// most the trained one; 0 when not even the weights fit.
uint64_t fitting_context(const ModelFacts& facts, CacheWidth width, uint64_t available_bytes);

}  // namespace freehold::app
