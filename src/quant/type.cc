// The table behind quant/type.h: every block format that GGUF files may carry, and ours. Removed
// and foreign ids are absent, so looking them up gives nothing.
#include "quant/type.h"

#include <array>

namespace freehold::quant {
namespace {

constexpr auto kTable = std::to_array<TypeInfo>({
    {Type::kF32, "F32", 1, 4, true},
    {Type::kF16, "F16", 1, 2, true},
    {Type::kQ4_0, "Q4_0", 32, 18, true},
    {Type::kQ4_1, "Q4_1", 32, 20, true},
    {Type::kQ5_0, "Q5_0", 32, 22, true},
    {Type::kQ5_1, "Q5_1", 32, 24, true},
    {Type::kQ8_0, "Q8_0", 32, 34, true},
    {Type::kQ2_K, "Q2_K", 256, 84, true},
    {Type::kQ3_K, "Q3_K", 256, 110, true},
    {Type::kQ4_K, "Q4_K", 256, 144, true},
    {Type::kQ5_K, "Q5_K", 256, 176, true},
    {Type::kQ6_K, "Q6_K", 256, 210, true},
    {Type::kIQ2_XXS, "IQ2_XXS", 256, 66, false},
    {Type::kIQ2_XS, "IQ2_XS", 256, 74, false},
    {Type::kIQ3_XXS, "IQ3_XXS", 256, 98, false},
    {Type::kIQ1_S, "IQ1_S", 256, 50, false},
    {Type::kIQ4_NL, "IQ4_NL", 32, 18, true},
    {Type::kIQ3_S, "IQ3_S", 256, 110, false},
    {Type::kIQ2_S, "IQ2_S", 256, 82, false},
    {Type::kIQ4_XS, "IQ4_XS", 256, 136, true},
    {Type::kI8, "I8", 1, 1, false},
    {Type::kI16, "I16", 1, 2, false},
    {Type::kI32, "I32", 1, 4, false},
    {Type::kI64, "I64", 1, 8, false},
    {Type::kF64, "F64", 1, 8, false},
    {Type::kIQ1_M, "IQ1_M", 256, 56, false},
    {Type::kBF16, "BF16", 1, 2, true},
    {Type::kTQ1_0, "TQ1_0", 256, 54, true},
    {Type::kTQ2_0, "TQ2_0", 256, 66, true},
    {Type::kMXFP4, "MXFP4", 32, 17, true},
    {Type::kNVFP4, "NVFP4", 64, 36, true},
    {Type::kFp8, "FP8", 128, 132, true},
});

constexpr const TypeInfo* find(uint32_t id) {
  for (const TypeInfo& entry : kTable) {
    if (static_cast<uint32_t>(entry.type) == id) return &entry;
  }
  return nullptr;
}

}  // namespace

std::optional<TypeInfo> type_info(uint32_t id) {
  const TypeInfo* entry = find(id);
  if (entry == nullptr || !in_files(entry->type)) return std::nullopt;
  return *entry;
}

const TypeInfo& info(Type type) { return *find(static_cast<uint32_t>(type)); }

std::optional<Type> type_from_name(std::string_view name) {
  for (const TypeInfo& entry : kTable) {
    if (entry.name == name && in_files(entry.type)) return entry.type;
  }
  return std::nullopt;
}

}  // namespace freehold::quant
