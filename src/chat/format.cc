#include "chat/format.h"

#include <algorithm>
#include <array>

namespace freehold::chat {

namespace {

struct Name {
  Format format;
  std::string_view name;
};

constexpr std::array kNames = {
    Name{Format::kGeneric, "generic"},
    Name{Format::kDeepSeekR1, "deepseek-r1"},
    Name{Format::kDeepSeekV31, "deepseek-v3.1"},
    Name{Format::kDeepSeekV32, "deepseek-v3.2"},
    Name{Format::kDeepSeekV4, "deepseek-v4"},
    Name{Format::kHermes, "hermes"},
    Name{Format::kQwenXml, "qwen-xml"},
    Name{Format::kLlama3, "llama3"},
    Name{Format::kKimiK2, "kimi-k2"},
    Name{Format::kHarmony, "harmony"},
    Name{Format::kGlm4, "glm4"},
    Name{Format::kMistral, "mistral"},
};

constexpr std::string_view kDeepSeekCall =
    "<\xEF\xBD\x9Ctool\xE2\x96\x81"
    "call\xE2\x96\x81"
    "begin\xEF\xBD\x9C>";

bool has(std::string_view text, std::string_view what) {
  return text.find(what) != std::string_view::npos;
}

}  // namespace

std::string_view name(Format format) {
  return std::ranges::find(kNames, format, &Name::format)->name;
}

base::Result<Format> format_named(std::string_view name) {
  const auto it = std::ranges::find(kNames, name, &Name::name);
  if (it != kNames.end()) return it->format;
  std::string known;
  for (const Name& one : kNames) known += (known.empty() ? "" : ", ") + std::string(one.name);
  return base::fail(base::ErrorCode::kInvalidArgument,
                    "there is no chat format `" + std::string(name) + "`; there are " + known);
}

Format detect_format(std::string_view source,
                     const std::function<bool(std::string_view)>& has_token) {
  if (has(source, "DSML")) {
    return has(source, "function_calls") ? Format::kDeepSeekV32 : Format::kDeepSeekV4;
  }
  if (has(source, kDeepSeekCall)) {
    const bool fenced = has(source, "```json");
    return fenced ? Format::kDeepSeekR1 : Format::kDeepSeekV31;
  }
  if (has(source, "<|channel|>")) return Format::kHarmony;
  if (has(source, "<|tool_call_argument_begin|>")) return Format::kKimiK2;
  if (has(source, "<|im_assistant|>")) return Format::kKimiK2;
  if (has(source, "<arg_key>")) return Format::kGlm4;
  if (has(source, "<function=") && has(source, "<parameter=")) return Format::kQwenXml;
  if (has(source, "<tool_call>")) return Format::kHermes;
  if (has(source, "[TOOL_CALLS]") || has(source, "[INST]")) return Format::kMistral;
  if (has(source, "<|start_header_id|>") && !has(source, "<think>")) return Format::kLlama3;
  if (!source.empty()) return Format::kGeneric;
  if (has_token(kDeepSeekCall)) return Format::kDeepSeekR1;
  if (has_token("<|channel|>") && has_token("<|message|>")) return Format::kHarmony;
  if (has_token("<|tool_call_argument_begin|>")) return Format::kKimiK2;
  if (has_token("<|start_header_id|>")) return Format::kLlama3;
  if (has_token("[TOOL_CALLS]")) return Format::kMistral;
  if (has_token("<arg_key>")) return Format::kGlm4;
  if (has_token("<|im_start|>") || has_token("<tool_call>")) return Format::kHermes;
  return Format::kGeneric;
}

ThinkingControl thinking_control(Format format, std::string_view source) {
  ThinkingControl out;
  if (format == Format::kHarmony) {
    // Always thinks; only how much can be asked for (reasoning_effort).
    out.supported = true;
    out.can_enable = true;
    out.start_marker = "<|channel|>analysis<|message|>";
    out.end_marker = "<|end|>";
    out.answer_start = "<|channel|>final<|message|>";
    out.end_text = "<|end|><|start|>assistant" + out.answer_start;
    return out;
  }
  const bool mistral = format == Format::kMistral;
  out.start_marker = mistral ? "[THINK]" : "<think>";
  out.end_marker = mistral ? "[/THINK]" : "</think>";
  out.end_text = mistral ? "[/THINK]" : "\n</think>\n\n";
  out.supported = has(source, out.start_marker) || has(source, out.end_marker);
  if (!out.supported || mistral) return out;
  for (const std::string_view variable : {"enable_thinking", "thinking"}) {
    // The variable itself, not the word inside another or in a text.
    const std::string spaced = std::string(variable) + " is defined";
    const std::string negated = "not " + std::string(variable);
    const std::string condition = "if " + std::string(variable);
    if (!has(source, spaced) && !has(source, negated) && !has(source, condition)) continue;
    out.on_variables.emplace_back(variable, "true");
    out.off_variables.emplace_back(variable, "false");
  }
  out.can_enable = true;
  out.can_disable = true;
  if (!out.off_variables.empty()) return out;
  if (has(source, "/no_think")) {
    out.on_suffix = " /think";
    out.off_suffix = " /no_think";
  } else {
    out.off_prefill = "<think>\n\n</think>\n\n";
  }
  return out;
}

}  // namespace freehold::chat
