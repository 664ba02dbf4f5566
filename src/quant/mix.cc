// The rules of the mixes: which tensors deserve more bits, and what to do with rows that do not
// divide into blocks.
#include "quant/mix.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

namespace freehold::quant {
namespace {

struct MixEntry {
  Mix mix;
  std::string_view name;
  Type base;  // of everything that no rule raises
};

constexpr auto kMixes = std::to_array<MixEntry>({
    {Mix::kQ4_K_M, "Q4_K_M", Type::kQ4_K},
    {Mix::kQ4_K_S, "Q4_K_S", Type::kQ4_K},
    {Mix::kQ5_K_M, "Q5_K_M", Type::kQ5_K},
    {Mix::kQ5_K_S, "Q5_K_S", Type::kQ5_K},
    {Mix::kQ6_K, "Q6_K", Type::kQ6_K},
    {Mix::kQ8_0, "Q8_0", Type::kQ8_0},
    {Mix::kQ4_0, "Q4_0", Type::kQ4_0},
    {Mix::kMXFP4, "MXFP4", Type::kQ8_0},
    {Mix::kQ3_K_L, "Q3_K_L", Type::kQ3_K},
    {Mix::kQ3_K_M, "Q3_K_M", Type::kQ3_K},
    {Mix::kQ3_K_S, "Q3_K_S", Type::kQ3_K},
    {Mix::kQ2_K, "Q2_K", Type::kQ2_K},
    {Mix::kQ4_1, "Q4_1", Type::kQ4_1},
    {Mix::kQ5_0, "Q5_0", Type::kQ5_0},
    {Mix::kQ5_1, "Q5_1", Type::kQ5_1},
    {Mix::kBF16, "BF16", Type::kBF16},
    {Mix::kF16, "F16", Type::kF16},
    {Mix::kF32, "F32", Type::kF32},
});

const MixEntry& entry(Mix mix) {
  return *std::find_if(kMixes.begin(), kMixes.end(),
                       [mix](const MixEntry& candidate) { return candidate.mix == mix; });
}

enum class Role { kKeep, kHead, kEmbedding, kValue, kKey, kAttentionOutput, kDown, kOther };

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

Role role_of(const MixTensor& tensor) {
  const std::string_view name = tensor.name;
  if (tensor.n_dims < 2 || !name.ends_with(".weight")) return Role::kKeep;
  for (const std::string_view kept : {"_norm.weight", "ffn_gate_inp", "ffn_gate_tid2eid",
                                      "ssm_conv1d", "shortconv.conv", "rope_freqs"}) {
    if (contains(name, kept)) return Role::kKeep;
  }
  if (name == "output.weight") return Role::kHead;
  if (name == "token_embd.weight") return Role::kEmbedding;
  if (contains(name, "attn_v.weight") || contains(name, "attn_qkv.weight") ||
      contains(name, "attn_kv_b.weight")) {
    return Role::kValue;
  }
  if (contains(name, "attn_k.weight")) return Role::kKey;
  if (contains(name, "attn_output.weight")) return Role::kAttentionOutput;
  if (contains(name, "ffn_down")) return Role::kDown;
  return Role::kOther;
}

// The number in "blk.NUMBER."; 0 for tensors outside layers.
uint64_t layer_of(std::string_view name) {
  constexpr std::string_view kPrefix = "blk.";
  uint64_t layer = 0;
  if (name.starts_with(kPrefix)) {
    std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), layer);
  }
  return layer;
}

// The first and last eighth, and every third between.
bool gets_more(uint64_t i, uint64_t n) {
  return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2;
}

// `i`: which of the model's `n` tensors of this role, in order of layers.
Type value_type(Mix mix, const MixModel& model, uint64_t i, uint64_t n) {
  if (model.n_experts == 8) return Type::kQ8_0;
  const bool grouped = model.n_kv_heads > 0 && model.n_heads / model.n_kv_heads >= 4;
  Type type = entry(mix).base;
  if (mix == Mix::kQ2_K) type = grouped ? Type::kQ4_K : Type::kQ3_K;
  if (mix == Mix::kQ3_K_M) type = i < 2 ? Type::kQ5_K : Type::kQ4_K;
  if (mix == Mix::kQ3_K_L) type = Type::kQ5_K;
  if (mix == Mix::kQ4_K_S && i < 4) type = Type::kQ5_K;
  if ((mix == Mix::kQ4_K_M || mix == Mix::kQ5_K_M) && gets_more(i, n)) type = Type::kQ6_K;
  // Llama 70B and its kind: few values serve many heads, so they are cheap to keep well.
  const bool seventy = model.n_layers == 80 && model.n_heads > model.n_kv_heads;
  if (seventy && (type == Type::kQ3_K || type == Type::kQ4_K)) type = Type::kQ5_K;
  return type;
}

Type down_type(Mix mix, uint64_t layer, uint64_t n_layers) {
  switch (mix) {
    case Mix::kQ2_K:
      return Type::kQ3_K;
    case Mix::kQ3_K_M:
      return layer < n_layers / 16 ? Type::kQ5_K : Type::kQ4_K;
    case Mix::kQ3_K_L:
      return Type::kQ5_K;
    case Mix::kQ4_K_S:
      return layer < n_layers / 8 ? Type::kQ5_K : Type::kQ4_K;
    case Mix::kQ4_K_M:
    case Mix::kQ5_K_M:
      return gets_more(layer, n_layers) ? Type::kQ6_K : entry(mix).base;
    default:
      return entry(mix).base;
  }
}

Type attention_output_type(Mix mix, const MixModel& model) {
  const Type base = entry(mix).base;
  if (model.n_experts == 8) {
    const bool small = base == Type::kQ2_K || base == Type::kQ3_K || base == Type::kQ4_K;
    return small && mix != Mix::kQ3_K_L ? Type::kQ5_K : base;
  }
  switch (mix) {
    case Mix::kQ2_K:
      return Type::kQ3_K;
    case Mix::kQ3_K_M:
      return Type::kQ4_K;
    case Mix::kQ3_K_L:
      return Type::kQ5_K;
    default:
      return base;
  }
}

// The nearest type in size whose blocks divide the row.
Type fitting(Type type, uint64_t row_elements) {
  if (row_elements % info(type).block_elements == 0) return type;
  Type smaller = type;
  switch (type) {
    case Type::kQ2_K:
    case Type::kQ3_K:
      smaller = Type::kQ4_0;
      break;
    case Type::kQ4_K:
      smaller = Type::kQ5_0;
      break;
    case Type::kQ5_K:
      smaller = Type::kQ5_1;
      break;
    case Type::kQ6_K:
      smaller = Type::kQ8_0;
      break;
    default:
      break;
  }
  return row_elements % info(smaller).block_elements == 0 ? smaller : Type::kF16;
}

bool is_plain_float(Type type) {
  return type == Type::kF32 || type == Type::kF16 || type == Type::kBF16;
}

Type kept(Type source) { return is_plain_float(source) || !in_files(source) ? Type::kF32 : source; }

}  // namespace

std::optional<Mix> mix_from_name(std::string_view name) {
  const auto same = [](char a, char b) { return (a >= 'a' && a <= 'z' ? a - 'a' + 'A' : a) == b; };
  for (const MixEntry& candidate : kMixes) {
    if (std::ranges::equal(name, candidate.name, same)) return candidate.mix;
  }
  return std::nullopt;
}

std::string_view mix_names() {
  static const std::string names = [] {
    std::string out;
    for (const MixEntry& candidate : kMixes) {
      if (!out.empty()) out += ", ";
      out += candidate.name;
    }
    return out;
  }();
  return names;
}

std::vector<Type> choose_types(Mix mix, const MixModel& model, std::span<const MixTensor> tensors) {
  const Type base = entry(mix).base;
  bool tied = true;
  std::vector<uint64_t> value_layers;
  for (const MixTensor& tensor : tensors) {
    const Role role = role_of(tensor);
    if (role == Role::kHead) tied = false;
    if (role == Role::kValue) value_layers.push_back(layer_of(tensor.name));
  }
  std::ranges::sort(value_layers);

  const auto choose = [&](const MixTensor& tensor) {
    const Role role = role_of(tensor);
    if (role == Role::kKeep) return kept(tensor.type);
    if (is_plain_float(base)) return base;
    const uint64_t layer = layer_of(tensor.name);
    Type type = base;
    if (role == Role::kHead || (role == Role::kEmbedding && tied)) {
      type = base == Type::kQ8_0 || tensor.row_elements % info(base).block_elements != 0
                 ? Type::kQ8_0
                 : Type::kQ6_K;
    } else if (mix == Mix::kMXFP4) {
      type = tensor.stack && contains(tensor.name, "_exps.") ? Type::kMXFP4 : Type::kQ8_0;
    } else if (role == Role::kValue) {
      const auto at = std::ranges::lower_bound(value_layers, layer) - value_layers.begin();
      type = value_type(mix, model, static_cast<uint64_t>(at), value_layers.size());
    } else if (role == Role::kKey && model.n_experts == 8) {
      type = Type::kQ8_0;
    } else if (role == Role::kAttentionOutput) {
      type = attention_output_type(mix, model);
    } else if (role == Role::kDown) {
      type = down_type(mix, layer, model.n_layers);
    }
    return fitting(type, tensor.row_elements);
  };

  std::vector<Type> out;
  out.reserve(tensors.size());
  for (const MixTensor& tensor : tensors) out.push_back(choose(tensor));
  return out;
}

}  // namespace freehold::quant
