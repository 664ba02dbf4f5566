// The block formats of weights: ids, sizes and names. Layouts are the format's own; see
// docs/models.md for where each is described.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace freehold::quant {

// Values are the ids that GGUF files carry, up to kFp8, which none does.
enum class Type : uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ2_K = 10,
  kQ3_K = 11,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kIQ2_XXS = 16,
  kIQ2_XS = 17,
  kIQ3_XXS = 18,
  kIQ1_S = 19,
  kIQ4_NL = 20,
  kIQ3_S = 21,
  kIQ2_S = 22,
  kIQ4_XS = 23,
  kI8 = 24,
  kI16 = 25,
  kI32 = 26,
  kI64 = 27,
  kF64 = 28,
  kIQ1_M = 29,
  kBF16 = 30,
  kTQ1_0 = 34,
  kTQ2_0 = 35,
  kMXFP4 = 39,
  kNVFP4 = 40,
  // DeepSeek's FP8 as its folders publish it, row by row: the F32 scale of 128 weights, then their
  // E4M3FN codes. In memory only.
  kFp8 = 0x10000,
};

struct TypeInfo {
  Type type;
  std::string_view name;    // as people write it: "Q4_K"
  uint32_t block_elements;  // weights a block
  uint32_t block_bytes;     // bytes a block
  bool decodable;           // quant::decode handles it
};

// Whether GGUF files may carry it.
constexpr bool in_files(Type type) { return type != Type::kFp8; }

// Nothing for an id that is not a type of GGUF files.
std::optional<TypeInfo> type_info(uint32_t id);
// For a Type made by us or checked by type_info.
const TypeInfo& info(Type type);
// Of a type that GGUF files may carry.
std::optional<Type> type_from_name(std::string_view name);

}  // namespace freehold::quant
