// What the tensors of a Hugging Face folder are called in GGUF.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "gguf/hf_config.h"

namespace freehold::gguf {

// How a tensor's bytes become GGUF's. `Pair` forms make two tensors.
enum class HfForm {
  kPlain,        // as it lies; vectors as F32
  kF32,          // as F32 whatever its rank: routers, whose small differences decide much
  kFlat,         // {d, 1} as the vector {d}
  kQueryRows,    // rows reordered inside each query head, where the family's RoPE wants it
  kKeyRows,      // the same for the key heads
  kExpert,       // one expert of a stack {in, out, experts}
  kLatentPair,   // DeepSeek's kv_b_proj: attn_k_b (transposed) and attn_v_b
  kMxfp4Pair,    // gpt-oss: rows alternate between gate and up; 4-bit blocks and their scales
  kMxfp4,        // gpt-oss: the same without the alternation
  kBiasPair,     // gpt-oss: {2 ff, experts}, alternating
  kTurnedPair,   // Llama 4: [experts, in, gate then up], transposed
  kTurnedTurns,  // gpt-oss without 4-bit blocks: [experts, in, gate and up in turns], transposed
  kTurned,       // both: [experts, in, out], transposed
  kDropped,      // there is no use for it
};

enum class HfRole { kWeight, kScale };  // scales come in a tensor of their own

struct HfPlace {
  std::string target;  // GGUF's name; for a Pair form that of the first tensor
  std::string second;  // of the other, or empty
  HfForm form = HfForm::kPlain;
  HfRole role = HfRole::kWeight;
  uint64_t expert = 0;
};

// Errors: kUnsupported, naming the tensor, when nothing says where it belongs.
base::Result<HfPlace> place_of(std::string_view name, const HfConfig& config);

}  // namespace freehold::gguf
