#include "chat_model.h"

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/file.h"
#include "event_queue.h"
#include "reasoning_budget.h"
#include "store.h"
#include "tokenizer/text_stream.h"

namespace freehold::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

constexpr uint64_t kMaxTemplateBytes = 4 << 20;

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
  FREEHOLD_ASSIGN(auto tokenizer, tokenizer::Tokenizer::open(path));
  std::unique_ptr<ChatModel> model(new ChatModel(path, std::move(tokenizer)));
  FREEHOLD_TRY(model->take_template(template_file));
  EngineOptions options;
  options.max_sequences = 1;
  FREEHOLD_ASSIGN(model->engine_, load_engine(arguments, options));
  return model;
}

Status ChatModel::take_template(const std::string& template_file) {
  const auto has_token = [this](std::string_view text) {
    return tokenizer_.find(text).has_value();
  };
  std::string source(tokenizer_.chat_template().value_or(""));
  if (!template_file.empty()) {
    FREEHOLD_ASSIGN(source, base::read_file(template_file, kMaxTemplateBytes));
  }
  if (source.empty()) {
    // Text can still be continued (run --raw); answering says what is missing.
    auto fallback = chat::fallback_template(has_token);
    if (fallback) template_ = std::move(*fallback);
  } else {
    FREEHOLD_ASSIGN(template_, chat::Template::parse(source));
  }
  const std::string_view text = template_ ? template_->source() : "";
  format_ = chat::detect_format(text, has_token);
  thinking_ = chat::thinking_control(format_, text);
  return {};
}

chat::OutputOptions ChatModel::output_options(const std::string& prompt_tail) const {
  chat::OutputOptions output;
  output.format = format_;
  output.prompt_tail = prompt_tail;
  return output;
}

Result<Request> ChatModel::request(std::vector<TokenId> prompt,
                                   const AnswerOptions& options) const {
  Request request;
  request.prompt = std::move(prompt);
  request.sampling = options.sampling;
  request.max_tokens = options.max_tokens;
  const auto ends = tokenizer_.end_of_generation_ids();
  request.stop_ids.assign(ends.begin(), ends.end());
  return request;
}

Result<Answer> ChatModel::answer(const Json& conversation, const AnswerOptions& options,
                                 const AnswerSink& sink, const std::atomic<bool>& stop) {
  if (!template_) {
    return fail(ErrorCode::kUnsupported,
                path_.string() +
                    ": has no chat template; give one with --template FILE, or use "
                    "--raw to continue a text");
  }
  chat::PromptOptions how;
  how.thinking = options.thinking;
  const auto text_of = [this](std::optional<TokenId> id) {
    return id ? std::string(tokenizer_.piece(*id, true)) : "";
  };
  how.bos_token = text_of(tokenizer_.bos());
  how.eos_token = text_of(tokenizer_.eos());
  FREEHOLD_ASSIGN(const chat::Prompt prompt,
                  chat::build_prompt(*template_, thinking_, conversation, how));
  std::vector<tokenizer::Segment> segments;
  for (const chat::Segment& segment : prompt.segments) {
    segments.push_back({segment.text, segment.trusted});
  }
  FREEHOLD_ASSIGN(std::vector<TokenId> ids, tokenizer_.encode_segments(segments));
  FREEHOLD_ASSIGN(Request asked, request(std::move(ids), options));
  std::shared_ptr<ReasoningBudget> budget;
  if (options.reasoning_budget) {
    if (!thinking_.supported || thinking_.end_text.empty()) {
      return fail(ErrorCode::kUnsupported,
                  path_.string() + ": has no thinking to limit (--reasoning-budget)");
    }
    tokenizer::EncodeOptions plain{false, false, true};
    FREEHOLD_ASSIGN(std::vector<TokenId> end, tokenizer_.encode(thinking_.end_text, plain));
    budget = std::make_shared<ReasoningBudget>(
        [this](TokenId id) { return tokenizer_.piece(id, true); }, output_options(prompt.tail),
        *options.reasoning_budget, std::move(end));
    asked.constraint = budget;
  }
  chat::OutputParser parser(output_options(prompt.tail));
  tokenizer::TextStream text(tokenizer_, true);
  Answer parsed;
  std::vector<chat::OutputEvent> events;
  const auto feed = [&](const std::string& piece) {
    events.clear();
    parser.feed(piece, events);
    take(events, parsed, sink);
  };
  FREEHOLD_ASSIGN(Answer answer, stream(*engine_, std::move(asked), stop,
                                        [&](TokenId id) { feed(text.push(id)); }));
  feed(text.flush());
  events.clear();
  parser.finish(events);
  take(events, parsed, sink);
  answer.content = std::move(parsed.content);
  answer.reasoning = std::move(parsed.reasoning);
  answer.reasoning_closed = budget && budget->closed();
  return answer;
}

Result<Answer> ChatModel::complete(std::string_view text, const AnswerOptions& options,
                                   const AnswerSink& sink, const std::atomic<bool>& stop) {
  FREEHOLD_ASSIGN(std::vector<TokenId> ids, tokenizer_.encode(text));
  FREEHOLD_ASSIGN(Request asked, request(std::move(ids), options));
  tokenizer::TextStream out(tokenizer_);
  std::string content;
  const auto show = [&](const std::string& piece) {
    content += piece;
    sink.content(piece);
  };
  FREEHOLD_ASSIGN(Answer answer, stream(*engine_, std::move(asked), stop,
                                        [&](TokenId id) { show(out.push(id)); }));
  show(out.flush());
  answer.content = std::move(content);
  return answer;
}

}  // namespace freehold::app
