// A loaded model that one talks to: engine, tokenizer, template, and how its answers are read.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "engine_options.h"
#include "freehold/engine.h"
#include "json_file.h"
#include "server/loaded_model.h"
#include "server/spec.h"

namespace freehold::app {

struct AnswerOptions {
  Sampling sampling;
  uint32_t max_tokens = 0;
  chat::Thinking thinking = chat::Thinking::kDefault;
  uint32_t reasoning_budget = 0;  // tokens of thinking, then it is closed; 0: no limit
  server::ResponseFormat format;  // what the answer, after the thinking, must be
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
  uint64_t first_token_us = 0;  // from asking to the first token
};

class ChatModel {
 public:
  // `template_file`: in place of the model's own template. Errors: those of the engine, the
  // tokenizer and the template.
  static base::Result<std::unique_ptr<ChatModel>> load(const EngineArguments& arguments,
                                                       const std::string& template_file);

  Engine& engine() { return model_->engine(); }
  const std::filesystem::path& path() const { return path_; }

  // Answers a conversation: {"messages": [...]} as build_prompt takes it. Ends early, with reason
  // kCancelled, once `stop` is true. Errors: kUnsupported when there is no template, or a reasoning
  // budget for a model that has no thinking to close; those of build_prompt, of the format's schema
  // and of Engine::submit; the engine's own.
  base::Result<Answer> answer(const Json& conversation, const AnswerOptions& options,
                              const AnswerSink& sink, const std::atomic<bool>& stop);
  // Goes on with plain text, without template or parsing.
  base::Result<Answer> complete(std::string_view text, const AnswerOptions& options,
                                const AnswerSink& sink, const std::atomic<bool>& stop);

 private:
  ChatModel(std::filesystem::path path, std::unique_ptr<server::LoadedModel> model)
      : path_(std::move(path)), model_(std::move(model)) {}
  Request request(std::vector<TokenId> prompt, const AnswerOptions& options) const;

  std::filesystem::path path_;
  std::unique_ptr<server::LoadedModel> model_;
};

}  // namespace freehold::app
