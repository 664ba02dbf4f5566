// config.json of a Hugging Face folder, as the settings that a GGUF file of the same model carries.
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "gguf/gguf.h"

namespace freehold::gguf {

// Groups of model_types whose tensors are named and laid out alike.
enum class HfFamily : uint32_t {
  kLlama = 1,  // and Mistral
  kMixtral = 2,
  kSmolLm3 = 4,
  kQwen2 = 8,
  kQwen2Moe = 16,
  kQwen3 = 32,
  kQwen3Moe = 64,
  kDeepseek = 128,  // V2, V3, Kimi K2
  kGptOss = 256,
  kGlm4Moe = 512,
  kLlama4 = 1024,
};

// The rope_type `llama3`, which GGUF keeps as a tensor of divisors.
struct Llama3Rope {
  double factor;
  double low_freq_factor;
  double high_freq_factor;
  double original_context;
};

struct HfConfig {
  HfFamily family;
  std::string_view architecture;  // as GGUF spells it
  Metadata metadata;              // of GGUF's keys; its strings are literals

  // What the layout of the tensors depends on.
  uint64_t n_layers = 0;  // without those that predict further tokens
  uint64_t n_next = 0;    // layers that predict further tokens, after the others
  uint64_t n_heads = 0;
  uint64_t n_kv_heads = 0;
  uint64_t head_dim = 0;
  uint64_t n_rot = 0;
  uint64_t n_experts = 0;
  uint64_t kv_lora_rank = 0;
  uint64_t nope_dim = 0;   // of a key head, the part without positions
  uint64_t value_dim = 0;  // of a value head
  double rope_base = 0;
  std::optional<Llama3Rope> llama3;
  std::optional<bool> tied;                          // nothing: config.json does not say
  std::optional<std::array<uint64_t, 2>> fp8_block;  // rows, columns that share a scale
};

// Errors: kUnsupported names the model_type, rope type, quantisation or setting that we do not do;
// kBadFormat names the member that is missing or makes no sense.
base::Result<HfConfig> read_hf_config(const nlohmann::json& config);

}  // namespace freehold::gguf
