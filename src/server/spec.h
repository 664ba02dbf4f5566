// A request, understood: what all three APIs' shapes become before an engine sees them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chat/prompt.h"
#include "freehold/engine.h"
#include "server/fields.h"

namespace freehold::server {

struct ResponseFormat {
  enum class Kind { kText, kJsonObject, kJsonSchema, kGrammar };
  Kind kind = Kind::kText;
  Json schema;          // kJsonSchema
  std::string grammar;  // kGrammar: GBNF
};

struct ToolChoice {
  enum class Kind { kAuto, kNone, kRequired, kNamed };
  Kind kind = Kind::kAuto;
  std::string name;  // kNamed
};

struct Tool {
  std::string name;
  Json parameters;  // a JSON Schema; an object
  bool strict = false;
};

struct Spec {
  std::string model;

  // Either a conversation in OpenAI's shape (messages, tools, chat_template_kwargs) or texts.
  bool chat = true;
  Json conversation;
  std::vector<std::string> texts;              // plain prompts, one choice group each
  std::vector<std::vector<TokenId>> text_ids;  // or prompts as ids
  std::optional<std::string> suffix;           // fill in the middle
  bool echo = false;

  Sampling sampling;
  bool random_seed = false;  // none was asked for
  uint32_t max_tokens = 0;   // 0: until the context is full
  uint32_t n = 1;
  std::vector<std::string> stop;
  bool ignore_eos = false;
  bool logprobs = false;
  uint32_t top_logprobs = 0;

  chat::Thinking thinking = chat::Thinking::kDefault;
  bool thinking_by_default = true;  // nobody asked: a model that can't be switched is fine
  std::string effort;               // low, medium, high, ...; "" as the template likes
  uint32_t reasoning_budget = 0;    // tokens of reasoning, then it is closed; 0: no limit

  std::vector<Tool> tools;
  ToolChoice tool_choice;
  bool parallel_tool_calls = true;
  ResponseFormat format;

  bool stream = false;
  bool include_usage = false;
  std::string user;  // separates the prefix cache below the key
};

}  // namespace freehold::server
