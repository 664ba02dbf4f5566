#include "chat_model.h"

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "chat/output_parser.h"
#include "event_queue.h"
#include "server/guide_cache.h"
#include "store.h"
#include "tokenizer/text_stream.h"

namespace freehold::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

// Sends a request and hands each token's id to `on_token` until it ends.
Result<Answer> stream(Engine& engine, Request request, const std::atomic<bool>& stop,
                      const std::function<void(TokenId)>& on_token) {
  EventQueue events;
  request.on_event = [&events](const Event& event) { events.push(event); };
  const uint64_t start = base::now_us();
  FREEHOLD_ASSIGN(const auto running, engine.submit(std::move(request)));
  Answer answer;
  bool cancelled = false;
  while (true) {
    const std::optional<Event> event = events.wait();
    if (stop && !cancelled) {
      running->cancel();
      cancelled = true;
    }
    if (!event) continue;
    if (event->kind == Event::Kind::kToken) {
      if (answer.first_token_us == 0) answer.first_token_us = base::now_us() - start;
      if (!cancelled) on_token(event->token);
      continue;
    }
    if (event->error) return std::unexpected(*event->error);
    answer.reason = event->reason;
    answer.usage = event->usage;
    return answer;
  }
}

// Sorts the parser's events into the answer and the sink.
void take(const std::vector<chat::OutputEvent>& events, Answer& answer, const AnswerSink& sink) {
  using Kind = chat::OutputEvent::Kind;
  for (const chat::OutputEvent& event : events) {
    if (event.kind == Kind::kReasoning) {
      answer.reasoning += event.text;
      sink.reasoning(event.text);
    } else if (event.kind == Kind::kContent || event.kind == Kind::kMalformed ||
               event.kind == Kind::kToolCallArguments) {
      answer.content += event.text;
      sink.content(event.text);
    }
  }
}

}  // namespace

Result<std::unique_ptr<ChatModel>> ChatModel::load(const EngineArguments& arguments,
                                                   const std::string& template_file) {
  FREEHOLD_ASSIGN(const auto path, resolve_model(arguments.model));
  EngineOptions engine;
  engine.max_sequences = 1;
  FREEHOLD_ASSIGN(LoadingEngine loading, LoadingEngine::begin(arguments, path, std::move(engine)));
  FREEHOLD_ASSIGN(auto model, server::LoadedModel::load({path, template_file, loading.options()}));
  return std::unique_ptr<ChatModel>(new ChatModel(path, std::move(model)));
}

Request ChatModel::request(std::vector<TokenId> prompt, const AnswerOptions& options) const {
  Request request;
  request.prompt = std::move(prompt);
  request.sampling = options.sampling;
  request.max_tokens = options.max_tokens;
  const auto ends = model_->end_ids();
  request.stop_ids.assign(ends.begin(), ends.end());
  return request;
}

Result<Answer> ChatModel::answer(const Json& conversation, const AnswerOptions& options,
                                 const AnswerSink& sink, const std::atomic<bool>& stop) {
  FREEHOLD_ASSIGN(server::Model::Prompt prompt,
                  model_->chat_prompt(conversation, options.thinking));
  server::Spec spec;
  spec.thinking = options.thinking;
  spec.reasoning_budget = options.reasoning_budget;
  spec.format = options.format;
  auto constraint = model_->guides().constraint(spec, *model_, prompt.tail);
  if (!constraint) return fail(ErrorCode::kInvalidArgument, constraint.error().message);
  Request asked = request(std::move(prompt.ids), options);
  asked.constraint = std::move(*constraint);

  chat::OutputOptions output;
  output.format = model_->format();
  output.calls = chat::CallReading::kNever;
  output.prompt_tail = prompt.tail;
  chat::OutputParser parser(output);
  tokenizer::Utf8Stream text;
  Answer parsed;
  std::vector<chat::OutputEvent> events;
  const auto feed = [&](const std::string& piece) {
    events.clear();
    parser.feed(piece, events);
    take(events, parsed, sink);
  };
  FREEHOLD_ASSIGN(Answer answer, stream(engine(), std::move(asked), stop, [&](TokenId id) {
                    feed(text.push(model_->piece(id, true)));
                  }));
  feed(text.flush());
  events.clear();
  parser.finish(events);
  take(events, parsed, sink);
  answer.content = std::move(parsed.content);
  answer.reasoning = std::move(parsed.reasoning);
  return answer;
}

Result<Answer> ChatModel::complete(std::string_view text, const AnswerOptions& options,
                                   const AnswerSink& sink, const std::atomic<bool>& stop) {
  FREEHOLD_ASSIGN(std::vector<TokenId> ids, model_->encode(text, true, false));
  tokenizer::Utf8Stream out;
  std::string content;
  const auto show = [&](const std::string& piece) {
    content += piece;
    sink.content(piece);
  };
  FREEHOLD_ASSIGN(Answer answer,
                  stream(engine(), request(std::move(ids), options), stop,
                         [&](TokenId id) { show(out.push(model_->piece(id, false))); }));
  show(out.flush());
  answer.content = std::move(content);
  return answer;
}

}  // namespace freehold::app
