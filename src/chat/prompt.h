// From a chat request to the prompt's text: brings the messages into the shape that the template
// takes, sets the thinking switches, renders. Never loses a message, a tool or a switch silently:
// what the template has no place for is refused by name.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "chat/format.h"
#include "chat/template.h"

namespace freehold::chat {

enum class Thinking { kDefault, kOn, kOff };

struct PromptOptions {
  Thinking thinking = Thinking::kDefault;
  bool add_generation_prompt = true;
  std::string bos_token;
  std::string eos_token;
  std::string now;  // see RenderOptions
  RenderLimits limits;
};

struct Prompt {
  std::vector<Segment> segments;
  // The end of the text, for OutputOptions::prompt_tail.
  std::string tail;
};

// `request` is an OpenAI-shaped chat request; read are `messages`, `tools`, `documents`,
// `reasoning_effort` and `chat_template_kwargs` (which can't name the variables set here). A last
// assistant message with "prefix": true is continued rather than answered.
// Errors: kInvalidArgument (no messages, a message's shape, the template raised), kUnsupported
// (the template has no place for tools, or thinking can't be switched), kLimitExceeded.
base::Result<Prompt> build_prompt(const Template& chat_template, const ThinkingControl& thinking,
                                  const Json& request, const PromptOptions& options);

// The template for a model file that has none: ChatML when the vocabulary has <|im_start|> and
// <|im_end|>. Errors: kUnsupported, naming what is missing and the option that supplies a template.
base::Result<Template> fallback_template(const std::function<bool(std::string_view)>& has_token);

}  // namespace freehold::chat
