// Owns the ranges of sampling parameters. Refuses what would make the answer depend on anything
// but the request: `n` over the limit, a bias for a token that does not exist (checked later).
#include "server/sampling_fields.h"

#include <fmt/format.h>

#include <charconv>

namespace freehold::server {
namespace {

constexpr int64_t kMaxTokens = 1 << 26;

float as_float(std::optional<double> value, float otherwise) {
  return value ? static_cast<float>(*value) : otherwise;
}

void read_logit_bias(Fields& fields, const Limits& limits, Spec& spec) {
  const Json* bias = fields.object("logit_bias");
  if (bias == nullptr) return;
  if (bias->size() > limits.logit_bias) {
    fields.fail("logit_bias", fmt::format("`logit_bias` has {} entries; at most {} are taken",
                                          bias->size(), limits.logit_bias));
    return;
  }
  for (const auto& [key, value] : bias->items()) {
    TokenId token = 0;
    const auto end = key.data() + key.size();
    const auto [stop, error] = std::from_chars(key.data(), end, token);
    if (error != std::errc() || stop != end || token < 0) {
      fields.fail("logit_bias", "`logit_bias` maps token ids, as strings of digits, to numbers");
      return;
    }
    if (!value.is_number() || !(value.get<double>() >= -100 && value.get<double>() <= 100)) {
      fields.fail("logit_bias", "a bias in `logit_bias` must be a number between -100 and 100");
      return;
    }
    spec.sampling.logit_bias.emplace_back(token, value.get<float>());
  }
}

void read_stream(Fields& fields, Spec& spec) {
  spec.stream = fields.boolean("stream").value_or(false);
  const Json* options = fields.object("stream_options");
  if (options == nullptr) return;
  if (!spec.stream) {
    fields.fail("stream_options", "`stream_options` needs `stream` to be true");
    return;
  }
  Fields inner(*options, "stream_options.");
  spec.include_usage = inner.boolean("include_usage").value_or(false);
  inner.ignore({"include_obfuscation"});
  if (const auto error = inner.finish()) fields.fail(error->param, error->message);
}

}  // namespace

void read_stop(Fields& fields, std::string_view name, const Limits& limits, Spec& spec) {
  const Json* stop = fields.any(name);
  if (stop == nullptr) return;
  Json list = stop->is_array() ? *stop : Json::array({*stop});
  if (list.size() > limits.stop_strings) {
    fields.fail(name, fmt::format("`{}` has {} strings; at most {} are taken", name, list.size(),
                                  limits.stop_strings));
    return;
  }
  for (const auto& item : list) {
    if (!item.is_string()) {
      fields.fail(name, fmt::format("`{}` must be a string or an array of strings", name));
      return;
    }
    const auto& text = item.get_ref<const std::string&>();
    if (text.size() > limits.stop_bytes) {
      fields.fail(name, fmt::format("a string in `{}` has {} bytes; at most {} are taken", name,
                                    text.size(), limits.stop_bytes));
      return;
    }
    if (!text.empty()) spec.stop.push_back(text);
  }
}

void read_common(Fields& fields, const Limits& limits, Spec& spec) {
  spec.model = fields.string("model", 256).value_or("");
  Sampling& sampling = spec.sampling;
  sampling.temperature = as_float(fields.number("temperature", 0, 2), 1.0F);
  sampling.top_p = as_float(fields.number("top_p", 0, 1), 1.0F);
  sampling.min_p = as_float(fields.number("min_p", 0, 1), 0.0F);
  sampling.typical_p = as_float(fields.number("typical_p", 0, 1), 1.0F);
  sampling.top_k = static_cast<uint32_t>(fields.integer("top_k", 0, 1'000'000).value_or(0));
  sampling.repetition_penalty = as_float(fields.number("repetition_penalty", 0.01, 10), 1.0F);
  sampling.frequency_penalty = as_float(fields.number("frequency_penalty", -2, 2), 0.0F);
  sampling.presence_penalty = as_float(fields.number("presence_penalty", -2, 2), 0.0F);
  const auto seed = fields.integer("seed", INT64_MIN, INT64_MAX);
  if (seed) {
    sampling.seed = static_cast<uint64_t>(*seed);
  } else {
    spec.random_seed = true;
  }
  read_logit_bias(fields, limits, spec);
  spec.n = static_cast<uint32_t>(fields.integer("n", 1, limits.choices).value_or(1));
  const auto most = fields.integer("max_tokens", 1, kMaxTokens);
  const auto newer = fields.integer("max_completion_tokens", 1, kMaxTokens);
  spec.max_tokens = static_cast<uint32_t>(newer.value_or(most.value_or(0)));
  spec.ignore_eos = fields.boolean("ignore_eos").value_or(false);
  read_stop(fields, "stop", limits, spec);
  read_stream(fields, spec);
  spec.user = fields.string("user_id", 512).value_or(fields.string("user", 512).value_or(""));
  fields.ignore({"metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key",
                 "prompt_cache_retention"});
}

void read_thinking(Fields& fields, Dialect dialect, Spec& spec) {
  if (dialect == Dialect::kDeepSeek) spec.thinking = chat::Thinking::kOn;
  spec.thinking_by_default = true;
  const auto effort = fields.choice(
      "reasoning_effort", {"none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra"});
  if (effort) {
    spec.thinking_by_default = false;
    spec.thinking = *effort == "none" ? chat::Thinking::kOff : chat::Thinking::kOn;
    if (*effort != "none") spec.effort = *effort;
  }
  if (const Json* thinking = fields.object("thinking")) {
    Fields inner(*thinking, "thinking.");
    const auto type = inner.choice("type", {"enabled", "disabled", "adaptive"});
    const auto budget = inner.integer("budget_tokens", 1, kMaxTokens);
    if (!type) inner.fail("type", "`thinking.type` must be enabled or disabled");
    if (const auto error = inner.finish()) {
      fields.fail(error->param, error->message);
      return;
    }
    spec.thinking_by_default = *type == "adaptive";
    spec.thinking = *type == "disabled" ? chat::Thinking::kOff : chat::Thinking::kOn;
    spec.reasoning_budget = static_cast<uint32_t>(budget.value_or(0));
  }
  const auto budget = fields.integer("reasoning_budget_tokens", 1, kMaxTokens);
  if (budget) spec.reasoning_budget = static_cast<uint32_t>(*budget);
}

}  // namespace freehold::server
