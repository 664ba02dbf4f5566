// Mixes: which type each tensor of a model gets when it is quantised as "Q4_K_M" and so on. The
// choices are those that llama.cpp makes under the same names, so that files compare like with
// like.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "quant/type.h"

namespace freehold::quant {

// Values are those of the key `general.file_type`.
enum class Mix : uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ8_0 = 7,
  kQ5_0 = 8,
  kQ5_1 = 9,
  kQ2_K = 10,
  kQ3_K_S = 11,
  kQ3_K_M = 12,
  kQ3_K_L = 13,
  kQ4_K_S = 14,
  kQ4_K_M = 15,
  kQ5_K_S = 16,
  kQ5_K_M = 17,
  kQ6_K = 18,
  kBF16 = 32,
  kMXFP4 = 38,  // experts only; everything else is Q8_0
};

// Accepts the names as people write them, in upper or lower case.
std::optional<Mix> mix_from_name(std::string_view name);
// All names, for messages: "Q4_K_M, Q5_K_M, …".
std::string_view mix_names();

// What a choice depends on.
struct MixTensor {
  std::string_view name;   // GGUF's: "blk.3.attn_v.weight"
  Type type = Type::kF32;  // as the source has it
  uint64_t row_elements = 0;
  uint32_t n_dims = 1;
  bool stack = false;  // a third dimension above 1: experts
};
struct MixModel {
  uint64_t n_layers = 0;
  uint64_t n_heads = 0;
  uint64_t n_kv_heads = 0;
  uint64_t n_experts = 0;
};

// The type of each tensor, in the order given. Vectors, norms, routers and what is not a weight
// become F32 where they are floats of 16 bits and stay as they are otherwise.
std::vector<Type> choose_types(Mix mix, const MixModel& model, std::span<const MixTensor> tensors);

}  // namespace freehold::quant
