// Rotary settings: none, linear, yarn, and llama3 (for the families that have its tensor). Refuses
// every other rope type by name, and yarn in a variant that the forward pass does not compute.
#include "gguf/hf_rope.h"

#include <cmath>

namespace freehold::gguf {

using base::ErrorCode;
using base::Result;
using base::Status;
using nlohmann::json;

namespace {

std::unexpected<base::Error> unsupported(const std::string& what) {
  return base::fail(ErrorCode::kUnsupported, "config.json: " + what);
}

// DeepSeek states the magnitude by two numbers; all released models have them equal, which leaves
// cosine and sine alone and puts the magnitude into the attention's scale.
Status add_deepseek_magnitude(const ConfigReader& scaling, HfRope& rope) {
  FREEHOLD_ASSIGN(const auto mscale, scaling.find_number("mscale"));
  FREEHOLD_ASSIGN(const auto all_dim, scaling.find_number("mscale_all_dim"));
  if (!all_dim || mscale.value_or(1.0) != *all_dim) {
    return unsupported("rope `mscale` that differs from `mscale_all_dim`");
  }
  rope.keys.emplace_back("rope.scaling.yarn_log_multiplier", Value{0.1 * *all_dim});
  return {};
}

Status add_yarn(const ConfigReader& config, const ConfigReader& scaling, HfFamily family,
                HfRope& rope) {
  FREEHOLD_ASSIGN(const double factor, scaling.number("factor"));
  FREEHOLD_ASSIGN(const auto original, scaling.find_count("original_max_position_embeddings"));
  FREEHOLD_ASSIGN(const uint64_t context, config.count("max_position_embeddings"));
  rope.keys.emplace_back("rope.scaling.type", Value{std::string_view("yarn")});
  rope.keys.emplace_back("rope.scaling.factor", Value{factor});
  rope.keys.emplace_back("rope.scaling.original_context_length", Value{original.value_or(context)});
  FREEHOLD_ASSIGN(const auto fast, scaling.find_number("beta_fast"));
  FREEHOLD_ASSIGN(const auto slow, scaling.find_number("beta_slow"));
  if (fast && *fast != 32) rope.keys.emplace_back("rope.scaling.yarn_beta_fast", Value{*fast});
  if (slow && *slow != 1) rope.keys.emplace_back("rope.scaling.yarn_beta_slow", Value{*slow});
  FREEHOLD_TRY(scaling.only("truncate", family != HfFamily::kGptOss));
  if (family == HfFamily::kDeepseek) return add_deepseek_magnitude(scaling, rope);
  if (scaling.has("mscale") || scaling.has("mscale_all_dim")) {
    return unsupported("rope `mscale` in this model_type");
  }
  FREEHOLD_ASSIGN(const auto attention, scaling.find_number("attention_factor"));
  if (!attention) return {};
  // The key multiplies the usual magnitude; the member replaces it.
  const double usual = factor > 1 ? 0.1 * std::log(factor) + 1 : 1;
  rope.keys.emplace_back("rope.scaling.attn_factor", Value{*attention / usual});
  return {};
}

Result<Llama3Rope> read_llama3(const ConfigReader& scaling) {
  Llama3Rope out{};
  FREEHOLD_ASSIGN(out.factor, scaling.number("factor"));
  FREEHOLD_ASSIGN(out.low_freq_factor, scaling.number("low_freq_factor"));
  FREEHOLD_ASSIGN(out.high_freq_factor, scaling.number("high_freq_factor"));
  FREEHOLD_ASSIGN(out.original_context, scaling.number("original_max_position_embeddings"));
  return out;
}

bool has_rope_tensor(HfFamily family) {
  return family == HfFamily::kLlama || family == HfFamily::kLlama4;
}

Status add_scaling(const ConfigReader& config, const ConfigReader& scaling, HfFamily family,
                   HfRope& rope) {
  FREEHOLD_ASSIGN(auto type, scaling.find_text("rope_type"));
  if (!type) {
    FREEHOLD_ASSIGN(type, scaling.find_text("type"));
  }
  if (!type || *type == "default") return {};
  if (*type == "yarn") return add_yarn(config, scaling, family, rope);
  if (*type == "linear") {
    FREEHOLD_ASSIGN(const double factor, scaling.number("factor"));
    rope.keys.emplace_back("rope.scaling.type", Value{std::string_view("linear")});
    rope.keys.emplace_back("rope.scaling.factor", Value{factor});
    return {};
  }
  if (*type == "llama3" && has_rope_tensor(family)) {
    FREEHOLD_ASSIGN(rope.llama3, read_llama3(scaling));
    return {};
  }
  return unsupported("rope type " + shown(*type) + " for this model_type");
}

}  // namespace

Result<HfRope> read_hf_rope(const ConfigReader& config, HfFamily family, double default_base) {
  const json none = json::object();
  const json* parameters = config.find("rope_parameters");
  const json* scaling = parameters != nullptr ? parameters : config.find("rope_scaling");
  if (scaling != nullptr && !scaling->is_object()) {
    return config.wrong("rope_scaling", "is not an object");
  }
  const ConfigReader settings(scaling != nullptr ? *scaling : none);
  HfRope rope;
  const bool inside = settings.has("rope_theta");
  if (!inside && !config.has("rope_theta") && default_base > 0) {
    rope.base = default_base;
  } else {
    FREEHOLD_ASSIGN(rope.base, (inside ? settings : config).number("rope_theta"));
  }
  rope.keys.emplace_back("rope.freq_base", Value{rope.base});
  FREEHOLD_TRY(add_scaling(config, settings, family, rope));
  return rope;
}

}  // namespace freehold::gguf
