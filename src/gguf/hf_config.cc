// Reads config.json. A setting that changes the mathematics and that the family's forward pass does
// not have is refused by name: text that is fluent and wrong would be worse.
//
// Members by the transformers library's configuration classes; keys by GGUF's conventions.
#include "gguf/hf_config.h"

#include <algorithm>

#include "gguf/config_reader.h"
#include "gguf/hf_rope.h"
#include "gguf/reader.h"

namespace freehold::gguf {

using base::ErrorCode;
using base::Result;
using base::Status;
using nlohmann::json;

namespace {

constexpr uint64_t kMaxLayers = 512;
constexpr uint64_t kMaxExperts = 1024;
constexpr uint64_t kMaxBlockSide = 65536;

struct FamilyInfo {
  std::string_view model_type;
  std::string_view architecture;
  HfFamily family;
  double default_rope_base;  // of configurations older than the member; 0 where there are none
};

constexpr FamilyInfo kFamilies[] = {
    {"llama", "llama", HfFamily::kLlama, 10000},
    {"mistral", "llama", HfFamily::kLlama, 10000},
    {"mixtral", "llama", HfFamily::kMixtral, 0},
    {"smollm3", "smollm3", HfFamily::kSmolLm3, 0},
    {"qwen2", "qwen2", HfFamily::kQwen2, 10000},
    {"qwen2_moe", "qwen2moe", HfFamily::kQwen2Moe, 10000},
    {"qwen3", "qwen3", HfFamily::kQwen3, 0},
    {"qwen3_moe", "qwen3moe", HfFamily::kQwen3Moe, 0},
    {"deepseek_v2", "deepseek2", HfFamily::kDeepseek, 10000},
    {"deepseek_v3", "deepseek2", HfFamily::kDeepseek, 10000},
    {"kimi_k2", "deepseek2", HfFamily::kDeepseek, 0},
    {"gpt_oss", "gpt-oss", HfFamily::kGptOss, 0},
    {"glm4_moe", "glm4moe", HfFamily::kGlm4Moe, 0},
    {"llama4_text", "llama4", HfFamily::kLlama4, 0},
};

std::unexpected<base::Error> unsupported(const std::string& what) {
  return base::fail(ErrorCode::kUnsupported, "config.json: " + what);
}

// Reads one configuration; the members are the steps.
class Settings {
 public:
  Settings(const json& object, const FamilyInfo& family)
      : in_(object), family_(family), prefix_(std::string(family.architecture) + ".") {
    out_.family = family.family;
    out_.architecture = family.architecture;
    out_.metadata.set("general.architecture", Value{family.architecture});
  }

  Result<HfConfig> read() && {
    FREEHOLD_TRY(in_.only("hidden_act", "silu"));
    FREEHOLD_TRY(read_sizes());
    FREEHOLD_TRY(read_attention());
    FREEHOLD_TRY(read_rope());
    FREEHOLD_TRY(read_family());
    FREEHOLD_TRY(read_quantisation());
    FREEHOLD_ASSIGN(out_.tied, in_.find_flag("tie_word_embeddings"));
    set_count("block_count", out_.n_layers + out_.n_next);
    return std::move(out_);
  }

 private:
  bool is(HfFamily family) const { return out_.family == family; }

  void set(std::string_view key, Value value) {
    out_.metadata.set(prefix_ + std::string(key), std::move(value));
  }
  void set_count(std::string_view key, uint64_t value) { set(key, Value{value}); }

  // A required count under GGUF's name; gives it.
  Result<uint64_t> copy_count(const char* from, std::string_view to) {
    FREEHOLD_ASSIGN(const uint64_t value, in_.count(from));
    set_count(to, value);
    return value;
  }

  Status read_sizes() {
    FREEHOLD_ASSIGN(hidden_, copy_count("hidden_size", "embedding_length"));
    FREEHOLD_TRY(copy_count("vocab_size", "vocab_size"));
    FREEHOLD_ASSIGN(out_.n_layers, in_.count("num_hidden_layers"));
    if (out_.n_layers > kMaxLayers) return in_.wrong("num_hidden_layers", "is more than 512");
    FREEHOLD_TRY(copy_count("intermediate_size", "feed_forward_length"));
    FREEHOLD_ASSIGN(const double epsilon, in_.number("rms_norm_eps"));
    set("attention.layer_norm_rms_epsilon", Value{epsilon});
    return read_context();
  }

  // A window that every layer has is the same as a shorter context; others are refused, but for
  // gpt-oss, whose own they are.
  Status read_context() {
    FREEHOLD_ASSIGN(uint64_t context, in_.count("max_position_embeddings"));
    FREEHOLD_ASSIGN(const auto window, in_.find_count("sliding_window"));
    if (is(HfFamily::kLlama) || is(HfFamily::kMixtral)) {
      context = std::min(context, window.value_or(context));
    }
    set_count("context_length", context);
    return in_.only("use_sliding_window", false);
  }

  Status read_attention() {
    FREEHOLD_ASSIGN(out_.n_heads, copy_count("num_attention_heads", "attention.head_count"));
    FREEHOLD_ASSIGN(const auto n_kv, in_.find_count("num_key_value_heads"));
    out_.n_kv_heads = n_kv.value_or(out_.n_heads);
    if (out_.n_kv_heads == 0) return in_.wrong("num_key_value_heads", "is zero");
    if (is(HfFamily::kDeepseek)) return {};  // see read_latent
    FREEHOLD_ASSIGN(const auto head_dim, in_.find_count("head_dim"));
    out_.head_dim = head_dim.value_or(hidden_ / out_.n_heads);
    if (out_.head_dim == 0) return in_.wrong("head_dim", "is zero");
    FREEHOLD_ASSIGN(const auto share, in_.find_number("partial_rotary_factor"));
    out_.n_rot = static_cast<uint64_t>(static_cast<double>(out_.head_dim) *
                                       std::clamp(share.value_or(default_rotary_share()), 0., 1.));
    set_count("attention.head_count_kv", out_.n_kv_heads);
    set_count("attention.key_length", out_.head_dim);
    set_count("attention.value_length", out_.head_dim);
    set_count("rope.dimension_count", out_.n_rot);
    return is(HfFamily::kGlm4Moe) ? Status() : in_.only("partial_rotary_factor", 1.0);
  }

  double default_rotary_share() const { return is(HfFamily::kGlm4Moe) ? 0.5 : 1.0; }

  Status read_rope() {
    FREEHOLD_ASSIGN(const HfRope rope, read_hf_rope(in_, out_.family, family_.default_rope_base));
    out_.rope_base = rope.base;
    out_.llama3 = rope.llama3;
    for (const auto& [key, value] : rope.keys) set(key, value);
    return {};
  }

  Status read_family() {
    switch (out_.family) {
      case HfFamily::kLlama:
        return {};
      case HfFamily::kMixtral:
        return read_experts("num_local_experts");
      case HfFamily::kSmolLm3:
        return check_every_fourth_without_positions();
      case HfFamily::kQwen2:
      case HfFamily::kQwen3:
        return check_full_attention();
      case HfFamily::kQwen2Moe:
      case HfFamily::kQwen3Moe:
        return read_qwen_experts();
      case HfFamily::kDeepseek:
        return read_deepseek();
      case HfFamily::kGptOss:
        return read_gpt_oss();
      case HfFamily::kGlm4Moe:
        return read_glm4();
      case HfFamily::kLlama4:
        return read_llama4();
    }
    return {};
  }

  Status read_experts(const char* key) {
    FREEHOLD_ASSIGN(out_.n_experts, copy_count(key, "expert_count"));
    if (out_.n_experts > kMaxExperts) return in_.wrong(key, "is more than 1024");
    FREEHOLD_ASSIGN(const uint64_t used, copy_count("num_experts_per_tok", "expert_used_count"));
    if (used > out_.n_experts) return in_.wrong("num_experts_per_tok", "is more than there are");
    return {};
  }

  Status check_full_attention() const {
    const json* types = in_.find("layer_types");
    if (types == nullptr) return {};
    for (const json& type : *types) {
      if (type != "full_attention") return unsupported("`layer_types` other than full_attention");
    }
    return {};
  }

  // SmolLM3 and Llama 4: in every fourth layer positions play no part. `no_rope_layers` has a 1
  // where they do.
  Status check_every_fourth_without_positions() const {
    FREEHOLD_TRY(in_.only("no_rope_layer_interval", 4));
    if (is(HfFamily::kSmolLm3)) FREEHOLD_TRY(check_full_attention());
    const json* layers = in_.find("no_rope_layers");
    if (layers == nullptr || !layers->is_array() || layers->empty()) return {};
    for (size_t i = 0; i < layers->size(); ++i) {
      if ((*layers)[i] != ((i + 1) % 4 == 0 ? 0 : 1)) {
        return unsupported("`no_rope_layers` other than every fourth");
      }
    }
    return {};
  }

  Status read_qwen_experts() {
    FREEHOLD_TRY(check_full_attention());
    FREEHOLD_TRY(read_experts("num_experts"));
    FREEHOLD_TRY(in_.only("decoder_sparse_step", 1));
    FREEHOLD_TRY(in_.only("mlp_only_layers", json::array()));
    FREEHOLD_TRY(copy_count("moe_intermediate_size", "expert_feed_forward_length"));
    FREEHOLD_ASSIGN(const auto norm, in_.find_flag("norm_topk_prob"));
    if (norm.value_or(false) != is(HfFamily::kQwen3Moe)) {
      return unsupported("`norm_topk_prob` other than in the released models");
    }
    if (is(HfFamily::kQwen3Moe)) return {};
    FREEHOLD_TRY(
        copy_count("shared_expert_intermediate_size", "expert_shared_feed_forward_length"));
    return {};
  }

  // What DeepSeek and GLM share.
  Status read_grouped_experts(bool sigmoid) {
    FREEHOLD_TRY(read_experts("n_routed_experts"));
    FREEHOLD_TRY(copy_count("moe_intermediate_size", "expert_feed_forward_length"));
    FREEHOLD_TRY(copy_count("n_shared_experts", "expert_shared_count"));
    FREEHOLD_TRY(in_.only("moe_layer_freq", 1));
    FREEHOLD_ASSIGN(const auto dense, in_.find_count("first_k_dense_replace"));
    set_count("leading_dense_block_count", dense.value_or(0));
    FREEHOLD_ASSIGN(const auto norm, in_.find_flag("norm_topk_prob"));
    set("expert_weights_norm", Value{norm.value_or(sigmoid)});
    FREEHOLD_ASSIGN(const auto scale, in_.find_number("routed_scaling_factor"));
    set("expert_weights_scale", Value{scale.value_or(1.0)});
    set_count("expert_gating_func", sigmoid ? 2 : 1);
    FREEHOLD_ASSIGN(const auto groups, in_.find_count("n_group"));
    FREEHOLD_ASSIGN(const auto used, in_.find_count("topk_group"));
    FREEHOLD_ASSIGN(const auto method, in_.find_text("topk_method"));
    const bool grouped = groups.value_or(1) > 1 && method != "greedy";
    set_count("expert_group_count", grouped ? *groups : 1);
    set_count("expert_group_used_count", grouped ? used.value_or(1) : 1);
    return {};
  }

  Status read_deepseek() {
    const bool v2 = family_.model_type == "deepseek_v2";
    FREEHOLD_TRY(in_.only("scoring_func", v2 ? "softmax" : "sigmoid"));
    FREEHOLD_TRY(in_.only("attention_bias", false));
    if (v2) FREEHOLD_TRY(in_.only("norm_topk_prob", false));
    FREEHOLD_TRY(read_grouped_experts(!v2));
    FREEHOLD_ASSIGN(const auto q_rank, in_.find_count("q_lora_rank"));
    if (q_rank) set_count("attention.q_lora_rank", *q_rank);
    FREEHOLD_ASSIGN(out_.kv_lora_rank, copy_count("kv_lora_rank", "attention.kv_lora_rank"));
    FREEHOLD_ASSIGN(out_.nope_dim, in_.count("qk_nope_head_dim"));
    FREEHOLD_ASSIGN(out_.value_dim, copy_count("v_head_dim", "attention.value_length_mla"));
    FREEHOLD_ASSIGN(out_.n_rot, copy_count("qk_rope_head_dim", "rope.dimension_count"));
    set_count("attention.key_length_mla", out_.nope_dim + out_.n_rot);
    // One key and value head of the latent's width serves all query heads.
    set_count("attention.head_count_kv", 1);
    set_count("attention.key_length", out_.kv_lora_rank + out_.n_rot);
    set_count("attention.value_length", out_.kv_lora_rank);
    return read_prediction();
  }

  Status read_glm4() {
    FREEHOLD_TRY(read_grouped_experts(true));
    return read_prediction();
  }

  // Layers that predict further tokens come after the others.
  Status read_prediction() {
    FREEHOLD_ASSIGN(const auto n_next, in_.find_count("num_nextn_predict_layers"));
    if (n_next.value_or(0) > kMaxLayers) {
      return in_.wrong("num_nextn_predict_layers", "is more than 512");
    }
    out_.n_next = n_next.value_or(0);
    if (out_.n_next > 0) set_count("nextn_predict_layers", out_.n_next);
    return {};
  }

  Status read_gpt_oss() {
    FREEHOLD_TRY(read_experts("num_local_experts"));
    FREEHOLD_TRY(copy_count("intermediate_size", "expert_feed_forward_length"));
    FREEHOLD_TRY(copy_count("sliding_window", "attention.sliding_window"));
    FREEHOLD_TRY(in_.only("swiglu_limit", 7.0));
    const json* types = in_.find("layer_types");
    if (types == nullptr) return {};
    size_t i = 0;
    for (const json& type : *types) {
      if (type != (i++ % 2 == 0 ? "sliding_attention" : "full_attention")) {
        return unsupported("`layer_types` other than alternating, sliding first");
      }
    }
    return {};
  }

  // The widths change places: intermediate_size is an expert's, intermediate_size_mlp the dense.
  Status read_llama4() {
    FREEHOLD_TRY(check_every_fourth_without_positions());
    FREEHOLD_TRY(read_experts("num_local_experts"));
    FREEHOLD_TRY(in_.only("num_experts_per_tok", 1));
    FREEHOLD_TRY(copy_count("intermediate_size", "expert_feed_forward_length"));
    FREEHOLD_TRY(copy_count("intermediate_size_mlp", "feed_forward_length"));
    FREEHOLD_TRY(copy_count("interleave_moe_layer_step", "interleave_moe_layer_step"));
    const json* tuning = in_.find("attn_temperature_tuning");
    if (tuning != nullptr && *tuning == false) return unsupported("no `attn_temperature_tuning`");
    FREEHOLD_ASSIGN(const auto chunk, in_.find_count("attention_chunk_size"));
    set_count("attention.chunk_size", chunk.value_or(8192));
    FREEHOLD_ASSIGN(const auto period, in_.find_count("floor_scale"));
    set_count("attention.temperature_length", period.value_or(8192));
    FREEHOLD_TRY(in_.only("attn_scale", 0.1));
    FREEHOLD_ASSIGN(const auto norm, in_.find_flag("use_qk_norm"));
    set("attention.qk_norm", Value{norm.value_or(out_.n_experts != 128)});
    return {};
  }

  Status read_quantisation() {
    const json* found = in_.find("quantization_config");
    if (found == nullptr) return {};
    const ConfigReader quantisation(*found);
    FREEHOLD_ASSIGN(const auto method, quantisation.find_text("quant_method"));
    if (method == "mxfp4" && is(HfFamily::kGptOss)) return {};
    FREEHOLD_ASSIGN(out_.fp8_block, read_block_size(quantisation));
    if (method == "fp8" && out_.fp8_block) return {};
    return unsupported("quantization_config of method " + shown(method.value_or("")) +
                       "; known are fp8 in blocks, and mxfp4 for gpt_oss");
  }

  // Nothing when there are no blocks.
  static Result<std::optional<std::array<uint64_t, 2>>> read_block_size(
      const ConfigReader& quantisation) {
    const json* block = quantisation.find("weight_block_size");
    if (block == nullptr) return std::nullopt;
    std::array<uint64_t, 2> out{};
    if (!block->is_array() || block->size() != out.size()) {
      return quantisation.wrong("weight_block_size", "is not two sizes");
    }
    for (size_t i = 0; i < out.size(); ++i) {
      const json& side = (*block)[i];
      if (!side.is_number_integer() || side < 1 || side > kMaxBlockSide) {
        return quantisation.wrong("weight_block_size", "is not two sizes from 1 to 65536");
      }
      out[i] = side.get<uint64_t>();
    }
    return out;
  }

  ConfigReader in_;
  const FamilyInfo& family_;
  std::string prefix_;
  HfConfig out_{};
  uint64_t hidden_ = 0;
};

}  // namespace

Result<HfConfig> read_hf_config(const json& config) {
  if (!config.is_object()) {
    return base::fail(ErrorCode::kBadFormat, "config.json is not a JSON object");
  }
  // Models that also see or hear keep the language model's part apart.
  const json* text = ConfigReader(config).find("text_config");
  const json& object = text != nullptr ? *text : config;
  if (!object.is_object()) return ConfigReader::wrong("text_config", "is not an object");
  FREEHOLD_ASSIGN(const auto type, ConfigReader(object).find_text("model_type"));
  for (const FamilyInfo& family : kFamilies) {
    if (type == family.model_type) return Settings(object, family).read();
  }
  std::string known;
  for (const FamilyInfo& family : kFamilies) known += " " + std::string(family.model_type);
  return unsupported("`model_type` " + shown(type.value_or("")) +
                     " is not one of those known:" + known);
}

}  // namespace freehold::gguf
