// Owns the checks that need the model: token ids, thinking, prompts.
#include "server/prepare.h"

#include <fmt/format.h>

#include <random>

#include "server/guide_cache.h"

namespace freehold::server {
namespace {

ApiResult<void> settle_thinking(Spec& spec, const Model& model) {
  const auto& control = model.thinking();
  const bool on = spec.thinking == chat::Thinking::kOn;
  if (spec.thinking == chat::Thinking::kDefault) return {};
  if (on ? control.can_enable : control.can_disable) return {};
  // What the template can't switch off, the answer's constraint leaves out.
  if (!on && control.supported && model.format() == chat::Format::kHarmony) return {};
  // A model that never thinks is told so already; one that always does can't be told.
  const bool already = on ? control.supported : !control.supported;
  if (!already && !spec.thinking_by_default) {
    return std::unexpected(invalid_field(
        "thinking", on ? "this model has no notion of thinking; leave thinking disabled"
                       : "this model's thinking can't be switched off"));
  }
  spec.thinking = chat::Thinking::kDefault;
  return {};
}

ApiResult<void> check_ids(const Spec& spec, uint32_t vocabulary) {
  for (const auto& [token, bias] : spec.sampling.logit_bias) {
    if (static_cast<uint32_t>(token) >= vocabulary) {
      return std::unexpected(invalid_field(
          "logit_bias",
          fmt::format("`logit_bias` names token {}, the vocabulary has {}", token, vocabulary)));
    }
  }
  for (const auto& ids : spec.text_ids) {
    for (const TokenId token : ids) {
      if (token < 0 || static_cast<uint32_t>(token) >= vocabulary) {
        return std::unexpected(invalid_field(
            "prompt",
            fmt::format("`prompt` has token {}, the vocabulary has {}", token, vocabulary)));
      }
    }
  }
  return {};
}

void add(Prepared& prepared, const Spec& spec, const Model::Prompt& prompt) {
  const uint32_t group = prepared.prompts.empty() ? 0 : prepared.prompts.back().group + 1;
  prepared.prompt_tokens += static_cast<uint32_t>(prompt.ids.size());
  for (uint32_t i = 0; i < spec.n; ++i)
    prepared.prompts.push_back({.prompt = prompt, .group = group});
}

}  // namespace

ApiResult<Prepared> prepare(Spec& spec, Model& model) {
  if (auto checked = settle_thinking(spec, model); !checked) {
    return std::unexpected(std::move(checked.error()));
  }
  if (auto checked = check_ids(spec, model.engine().info().vocabulary); !checked) {
    return std::unexpected(std::move(checked.error()));
  }
  if (spec.random_seed) {
    std::random_device device;
    spec.sampling.seed = (uint64_t{device()} << 32U) | device();
  }
  Prepared prepared;
  if (spec.chat) {
    const bool tellable = spec.thinking != chat::Thinking::kOff || model.thinking().can_disable;
    auto prompt =
        model.chat_prompt(spec.conversation, tellable ? spec.thinking : chat::Thinking::kDefault);
    if (!prompt) return std::unexpected(from_core(prompt.error()));
    add(prepared, spec, *prompt);
  }
  for (const auto& text : spec.texts) {
    auto ids =
        spec.suffix ? model.fill_prompt(text, *spec.suffix) : model.encode(text, true, false);
    if (!ids) return std::unexpected(from_core(ids.error()));
    add(prepared, spec, {std::move(*ids), ""});
  }
  for (const auto& ids : spec.text_ids) add(prepared, spec, {ids, ""});
  for (auto& prompt : prepared.prompts) {
    auto constraint = model.guides().constraint(spec, model, prompt.prompt.tail);
    if (!constraint) return std::unexpected(std::move(constraint.error()));
    prompt.constraint = std::move(*constraint);
  }
  return prepared;
}

}  // namespace freehold::server
