// The table of names. A tensor that no line knows is refused: leaving it out would give wrong text.
#include "gguf/hf_names.h"

#include <charconv>
#include <optional>

#include "gguf/reader.h"

namespace freehold::gguf {

using base::ErrorCode;
using base::Result;

namespace {

constexpr uint32_t bit(HfFamily family) { return static_cast<uint32_t>(family); }

constexpr uint32_t kAny = ~0u;
constexpr uint32_t kGlm = bit(HfFamily::kGlm4Moe);
constexpr uint32_t kPredicting = kGlm | bit(HfFamily::kDeepseek);
constexpr uint32_t kOss = bit(HfFamily::kGptOss);
constexpr uint32_t kLlama4 = bit(HfFamily::kLlama4);
constexpr uint32_t kMixtral = bit(HfFamily::kMixtral);
constexpr uint32_t kNormBeforeFfn = ~(kGlm | kOss);

struct Rule {
  std::string_view from;  // after `model.layers.N.`, without the kind; `*` is an expert's number
  std::string_view to;    // after `blk.N.`
  HfForm form = HfForm::kPlain;
  uint32_t families = kAny;
};

// Tensors called NAME.weight or NAME.bias (or NAME.weight_scale_inv).
constexpr Rule kModules[] = {
    {"input_layernorm", "attn_norm"},
    {"post_attention_layernorm", "ffn_norm", HfForm::kPlain, kNormBeforeFfn},
    {"post_attention_layernorm", "post_attention_norm", HfForm::kPlain, ~kNormBeforeFfn},
    {"self_attn.q_proj", "attn_q", HfForm::kQueryRows},
    {"self_attn.k_proj", "attn_k", HfForm::kKeyRows},
    {"self_attn.v_proj", "attn_v"},
    {"self_attn.o_proj", "attn_output"},
    {"self_attn.q_norm", "attn_q_norm"},
    {"self_attn.k_norm", "attn_k_norm"},
    {"self_attn.q_a_proj", "attn_q_a"},
    {"self_attn.q_a_layernorm", "attn_q_a_norm"},
    {"self_attn.q_b_proj", "attn_q_b"},
    {"self_attn.kv_a_proj_with_mqa", "attn_kv_a_mqa"},
    {"self_attn.kv_a_layernorm", "attn_kv_a_norm"},
    {"self_attn.kv_b_proj", "attn_k_b,attn_v_b", HfForm::kLatentPair},
    {"mlp.gate_proj", "ffn_gate"},
    {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"},
    {"mlp.gate", "ffn_gate_inp", HfForm::kF32},
    {"mlp.router", "ffn_gate_inp", HfForm::kF32},
    {"mlp.experts.*.gate_proj", "ffn_gate_exps", HfForm::kExpert},
    {"mlp.experts.*.up_proj", "ffn_up_exps", HfForm::kExpert},
    {"mlp.experts.*.down_proj", "ffn_down_exps", HfForm::kExpert},
    {"mlp.shared_expert.gate_proj", "ffn_gate_shexp"},
    {"mlp.shared_expert.up_proj", "ffn_up_shexp"},
    {"mlp.shared_expert.down_proj", "ffn_down_shexp"},
    {"mlp.shared_expert_gate", "ffn_gate_inp_shexp", HfForm::kFlat},
    {"mlp.shared_experts.gate_proj", "ffn_gate_shexp"},
    {"mlp.shared_experts.up_proj", "ffn_up_shexp"},
    {"mlp.shared_experts.down_proj", "ffn_down_shexp"},
    {"block_sparse_moe.gate", "ffn_gate_inp", HfForm::kF32, kMixtral},
    {"block_sparse_moe.experts.*.w1", "ffn_gate_exps", HfForm::kExpert, kMixtral},
    {"block_sparse_moe.experts.*.w3", "ffn_up_exps", HfForm::kExpert, kMixtral},
    {"block_sparse_moe.experts.*.w2", "ffn_down_exps", HfForm::kExpert, kMixtral},
    {"feed_forward.router", "ffn_gate_inp", HfForm::kF32, kLlama4},
    {"feed_forward.gate_proj", "ffn_gate", HfForm::kPlain, kLlama4},
    {"feed_forward.up_proj", "ffn_up", HfForm::kPlain, kLlama4},
    {"feed_forward.down_proj", "ffn_down", HfForm::kPlain, kLlama4},
    {"feed_forward.shared_expert.gate_proj", "ffn_gate_shexp", HfForm::kPlain, kLlama4},
    {"feed_forward.shared_expert.up_proj", "ffn_up_shexp", HfForm::kPlain, kLlama4},
    {"feed_forward.shared_expert.down_proj", "ffn_down_shexp", HfForm::kPlain, kLlama4},
    {"eh_proj", "nextn.eh_proj", HfForm::kPlain, kPredicting},
    {"enorm", "nextn.enorm", HfForm::kPlain, kPredicting},
    {"hnorm", "nextn.hnorm", HfForm::kPlain, kPredicting},
    {"embed_tokens", "nextn.embed_tokens", HfForm::kPlain, kPredicting},
    {"shared_head.norm", "nextn.shared_head_norm", HfForm::kPlain, kPredicting},
    {"shared_head.head", "nextn.shared_head_head", HfForm::kPlain, kPredicting},
};

// Tensors whose names follow no such pattern; `to` is whole here.
constexpr Rule kParameters[] = {
    {"mlp.gate.e_score_correction_bias", "exp_probs_b.bias"},
    {"self_attn.rotary_emb.inv_freq", "",
     HfForm::kDropped},  // in old files; follows from rope_theta
    {"self_attn.sinks", "attn_sinks.weight", HfForm::kPlain, kOss},
    {"mlp.experts.gate_up_proj_blocks", "ffn_gate_exps.weight,ffn_up_exps.weight",
     HfForm::kMxfp4Pair, kOss},
    {"mlp.experts.gate_up_proj_scales", "ffn_gate_exps.weight,ffn_up_exps.weight",
     HfForm::kMxfp4Pair, kOss},
    {"mlp.experts.gate_up_proj_bias", "ffn_gate_exps.bias,ffn_up_exps.bias", HfForm::kBiasPair,
     kOss},
    {"mlp.experts.down_proj_blocks", "ffn_down_exps.weight", HfForm::kMxfp4, kOss},
    {"mlp.experts.down_proj_scales", "ffn_down_exps.weight", HfForm::kMxfp4, kOss},
    {"mlp.experts.down_proj_bias", "ffn_down_exps.bias", HfForm::kF32, kOss},
    {"mlp.experts.gate_up_proj", "ffn_gate_exps.weight,ffn_up_exps.weight", HfForm::kTurnedTurns,
     kOss},
    {"mlp.experts.down_proj", "ffn_down_exps.weight", HfForm::kTurned, kOss},
    {"feed_forward.experts.gate_up_proj", "ffn_gate_exps.weight,ffn_up_exps.weight",
     HfForm::kTurnedPair, kLlama4},
    {"feed_forward.experts.down_proj", "ffn_down_exps.weight", HfForm::kTurned, kLlama4},
};

std::optional<uint64_t> number(std::string_view text) {
  uint64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

// Takes `N.` from the front.
std::optional<uint64_t> take_number(std::string_view& text) {
  const size_t dot = text.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto value = number(text.substr(0, dot));
  if (value) text.remove_prefix(dot + 1);
  return value;
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// Whether a name follows a pattern; the number that stood for `*`, or 0.
std::optional<uint64_t> match(std::string_view name, std::string_view pattern) {
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) {
    return name == pattern ? std::optional<uint64_t>(0) : std::nullopt;
  }
  if (!take_prefix(name, pattern.substr(0, star))) return std::nullopt;
  const auto expert = take_number(name);
  return expert && name == pattern.substr(star + 2) ? expert : std::nullopt;
}

template <size_t kCount>
std::optional<HfPlace> look_up(const Rule (&rules)[kCount], std::string_view name,
                               HfFamily family) {
  for (const Rule& rule : rules) {
    const auto expert = match(name, rule.from);
    if (!expert || (rule.families & bit(family)) == 0) continue;
    HfPlace place;
    const size_t comma = rule.to.find(',');
    place.target = rule.to.substr(0, comma);
    if (comma != std::string_view::npos) place.second = rule.to.substr(comma + 1);
    place.form = rule.form;
    place.expert = *expert;
    return place;
  }
  return std::nullopt;
}

// A tensor of a layer, its name after `model.layers.N.`; the place's names after `blk.N.`.
std::optional<HfPlace> place_in_layer(std::string_view name, HfFamily family) {
  if (auto place = look_up(kParameters, name, family)) {
    if (name.ends_with("_scales")) place->role = HfRole::kScale;
    return place;
  }
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  std::string_view kind = name.substr(dot + 1);
  auto place = look_up(kModules, name.substr(0, dot), family);
  if (!place) return std::nullopt;
  if (kind == "weight_scale_inv") {
    place->role = HfRole::kScale;
    kind = "weight";
  }
  if (kind != "weight" && kind != "bias") return std::nullopt;
  place->target += "." + std::string(kind);
  if (!place->second.empty()) place->second += "." + std::string(kind);
  return place;
}

std::optional<HfPlace> place_outside_layers(std::string_view name, const HfConfig& config) {
  HfPlace place;
  if (name == "model.embed_tokens.weight") {
    place.target = "token_embd.weight";
  } else if (name == "model.norm.weight") {
    place.target = "output_norm.weight";
  } else if (name == "lm_head.weight") {
    place.target = "output.weight";
    if (config.tied.value_or(false)) place.form = HfForm::kDropped;
  } else {
    return std::nullopt;
  }
  return place;
}

bool of_another_sense(std::string_view name, HfFamily family) {
  return family == HfFamily::kLlama4 &&
         (name.starts_with("vision_model.") || name.starts_with("multi_modal_projector."));
}

}  // namespace

Result<HfPlace> place_of(std::string_view name, const HfConfig& config) {
  const auto unknown = [&] {
    return base::fail(ErrorCode::kUnsupported, "tensor " + shown(name) + " is not known in a " +
                                                   std::string(config.architecture) + " model");
  };
  HfPlace dropped;
  dropped.form = HfForm::kDropped;
  if (of_another_sense(name, config.family)) return dropped;
  std::string_view rest = name;
  if (config.family == HfFamily::kLlama4) take_prefix(rest, "language_model.");
  if (auto place = place_outside_layers(rest, config)) return *place;
  if (!take_prefix(rest, "model.layers.")) return unknown();
  const auto layer = take_number(rest);
  if (!layer) return unknown();
  if (*layer >= config.n_layers + config.n_next) return unknown();
  auto place = place_in_layer(rest, config.family);
  if (!place) return unknown();
  const std::string block = "blk." + std::to_string(*layer) + ".";
  place->target = block + place->target;
  if (!place->second.empty()) place->second = block + place->second;
  return *place;
}

}  // namespace freehold::gguf
