// The chat formats we can read back: how a family writes reasoning and tool calls, how it is told
// to think or not to, and how its thinking is closed. Reads text; decides nothing about sampling.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace freehold::chat {

enum class Format {
  kGeneric,     // <think>...</think> and text; no tool calls
  kDeepSeekR1,  // R1, R1-0528, V3, the distills: <｜tool▁calls▁begin｜>, "function", fenced JSON
  kDeepSeekV31,  // V3.1: as R1, without "function" and the fence
  kDeepSeekV32,  // V3.2: <｜DSML｜function_calls>
  kDeepSeekV4,   // V4: <｜DSML｜tool_calls>
  kHermes,       // Qwen2.5, Qwen3, QwQ, SmolLM3, Hermes: <tool_call>{"name":...}</tool_call>
  kQwenXml,      // Qwen3-Coder, Qwen3.5, Nemotron 3: <tool_call><function=...><parameter=...>
  kLlama3,       // {"name":..., "parameters":...}, <|python_tag|>, <function=NAME>{...}
  kKimiK2,       // <|tool_calls_section_begin|>, ids functions.NAME:INDEX
  kHarmony,      // gpt-oss: <|channel|>...<|message|>
  kGlm4,         // <tool_call>NAME<arg_key>...<arg_value>
  kMistral,      // [TOOL_CALLS], [THINK]
};

// "generic", "deepseek-r1", "deepseek-v3.1", ... for settings and the log.
std::string_view name(Format format);
// Errors: kInvalidArgument, with the names there are.
base::Result<Format> format_named(std::string_view name);

// Picks the format from what the template writes and, where that leaves doubt or there is no
// template, from the vocabulary: `has_token(text)` says whether a token with that text exists.
Format detect_format(std::string_view template_source,
                     const std::function<bool(std::string_view)>& has_token);

// How a family's thinking is switched and ended. A family without the notion has supported ==
// false, and a request for thinking on (or off) is refused by name.
struct ThinkingControl {
  bool supported = false;
  // Whether it can be told not to think, and to.
  bool can_disable = false;
  bool can_enable = false;
  // Template variables, JSON values as text: {"enable_thinking", "true"}.
  std::vector<std::pair<std::string, std::string>> on_variables;
  std::vector<std::pair<std::string, std::string>> off_variables;
  // Appended to the last user message, where the template has no variable ("/no_think").
  std::string on_suffix;
  std::string off_suffix;
  // Appended to the prompt to skip thinking, where neither exists (an empty think block).
  std::string off_prefill;
  // Text that opens and closes thinking in the output, and what to force when a budget is used up.
  std::string start_marker;
  std::string end_marker;
  std::string end_text;
  // What an answer without thinking begins with, where it needs a header (harmony).
  std::string answer_start;
};

// From the format and what the template's text mentions.
ThinkingControl thinking_control(Format format, std::string_view template_source);

}  // namespace freehold::chat
