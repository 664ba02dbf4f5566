// A loaded model that one talks to: engine, tokenizer, template, and how its answers are read.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "chat/format.h"
#include "chat/output_parser.h"
#include "chat/prompt.h"
#include "chat/template.h"
#include "engine_options.h"
#include "freehold/engine.h"
#include "json_file.h"
#include "tokenizer/tokenizer.h"

namespace freehold::app {

struct AnswerOptions {
  Sampling sampling;
  uint32_t max_tokens = 0;
  chat::Thinking thinking = chat::Thinking::kDefault;
  std::optional<uint32_t> reasoning_budget;
};

// What an answer sends while it is made; text is whole code points.
struct AnswerSink {
  std::function<void(std::string_view text)> reasoning;
  std::function<void(std::string_view text)> content;
};

struct Answer {
  std::string content;
  std::string reasoning;
  FinishReason reason = FinishReason::kStop;
  Usage usage;
  uint64_t first_token_us = 0;    // from asking to the first token
  bool reasoning_closed = false;  // by the budget
};

class ChatModel {
 public:
  // `template_file`: in place of the model's own template. Errors: those of the engine, the
  // tokenizer and the template; kUnsupported when there is no template.
  static base::Result<std::unique_ptr<ChatModel>> load(const EngineArguments& arguments,
                                                       const std::string& template_file);

  Engine& engine() { return *engine_; }
  const std::filesystem::path& path() const { return path_; }
  const chat::ThinkingControl& thinking() const { return thinking_; }
  chat::Format format() const { return format_; }

  // Answers a conversation: {"messages": [...]} as build_prompt takes it. Ends early, with reason
  // kCancelled, once `stop` is true. Errors: those of build_prompt and Engine::submit, kUnsupported
  // (a reasoning budget for a model that has no thinking to close), and the engine's own.
  base::Result<Answer> answer(const Json& conversation, const AnswerOptions& options,
                              const AnswerSink& sink, const std::atomic<bool>& stop);
  // Goes on with plain text, without template or parsing.
  base::Result<Answer> complete(std::string_view text, const AnswerOptions& options,
                                const AnswerSink& sink, const std::atomic<bool>& stop);

 private:
  ChatModel(std::filesystem::path path, tokenizer::Tokenizer tokenizer)
      : path_(std::move(path)), tokenizer_(std::move(tokenizer)) {}
  base::Status take_template(const std::string& template_file);
  base::Result<Request> request(std::vector<TokenId> prompt, const AnswerOptions& options) const;
  chat::OutputOptions output_options(const std::string& prompt_tail) const;

  std::filesystem::path path_;
  tokenizer::Tokenizer tokenizer_;
  std::unique_ptr<Engine> engine_;
  std::optional<chat::Template> template_;
  chat::Format format_ = chat::Format::kGeneric;
  chat::ThinkingControl thinking_;
};

}  // namespace freehold::app
