// Owns stop strings and the pairing of tokens with text. Text after a stop string is never shown,
// nor is the stop string itself.
#include "server/answer.h"

#include <algorithm>

namespace freehold::server {
namespace {

using Kind = chat::OutputEvent::Kind;

chat::OutputEvent content(std::string text) {
  chat::OutputEvent event;
  event.kind = Kind::kContent;
  event.text = std::move(text);
  return event;
}

// Length of the longest end of `text` that begins `stop` without being all of it.
size_t overlap(std::string_view text, std::string_view stop) {
  for (size_t n = std::min(text.size(), stop.size() - 1); n > 0; --n) {
    if (text.ends_with(stop.substr(0, n))) return n;
  }
  return 0;
}

// Calls that nobody offered are text; a grammar binds only what follows the reasoning.
chat::CallReading call_reading(const Spec& spec) {
  using Choice = ToolChoice::Kind;
  const Choice choice = spec.tool_choice.kind;
  if (spec.tools.empty() || choice == Choice::kNone) return chat::CallReading::kNever;
  const bool bound = choice != Choice::kAuto || spec.format.kind != ResponseFormat::Kind::kText;
  return bound ? chat::CallReading::kAfterReasoning : chat::CallReading::kAnywhere;
}

}  // namespace

Answer::Answer(const Spec& spec, const Model& model, std::string_view tail, std::string id_prefix)
    : model_(model), stop_(spec.stop), logprobs_(spec.logprobs) {
  if (!spec.chat) return;
  chat::OutputOptions options;
  options.format = model.format();
  options.calls = call_reading(spec);
  const auto tools = spec.conversation.find("tools");
  if (options.calls != chat::CallReading::kNever && tools != spec.conversation.end()) {
    options.tools = &*tools;
  }
  options.prompt_tail = std::string(tail);
  options.make_id = [prefix = std::move(id_prefix)](int32_t index) {
    return prefix + std::to_string(index);
  };
  parser_ = std::make_unique<chat::OutputParser>(options);
}

ShownToken Answer::shown(const Event& event) const {
  ShownToken token;
  token.bytes = std::string(model_.piece(event.token, true));
  token.logprob = event.logprob;
  token.reasoning = parser_ != nullptr && parser_->in_reasoning();
  for (const auto& top : event.top_logprobs) {
    token.top.emplace_back(std::string(model_.piece(top.token, true)), top.logprob);
  }
  return token;
}

bool Answer::push(const Event& event, std::vector<Piece>& out) {
  if (finished_) return true;
  ++tokens_;
  if (logprobs_) waiting_.push_back(shown(event));
  const std::string text = utf8_.push(model_.piece(event.token, parser_ != nullptr));
  if (parser_ == nullptr) return emit_content(text, out);
  if (parser_->in_reasoning()) ++reasoning_tokens_;
  std::vector<chat::OutputEvent> events;
  parser_->feed(text, events);
  emit(std::move(events), out);
  return finished_;
}

void Answer::emit(std::vector<chat::OutputEvent> events, std::vector<Piece>& out) {
  for (auto& event : events) {
    if (finished_) return;
    if (event.kind == Kind::kContent) {
      emit_content(event.text, out);
      continue;
    }
    if (event.kind == Kind::kMalformed) {
      // A call that could not be read is shown as what the model wrote; of one that was cut off,
      // what there was has been told.
      if (cut_ && event.index >= 0) continue;
      emit_content(event.text, out);
      continue;
    }
    if (!held_.empty()) emit_one(content(std::exchange(held_, {})), out);
    emit_one(std::move(event), out);
  }
}

bool Answer::emit_content(std::string_view text, std::vector<Piece>& out) {
  held_ += text;
  size_t first = std::string::npos;
  for (const auto& stop : stop_) {
    const size_t at = held_.find(stop);
    if (at < first) {
      first = at;
      stop_string_ = stop;
    }
  }
  if (first != std::string::npos) {
    held_.resize(first);
    if (!held_.empty()) emit_one(content(std::exchange(held_, {})), out);
    finished_ = true;
    reason_ = Finish::kStop;
    return true;
  }
  size_t keep = 0;
  for (const auto& stop : stop_) keep = std::max(keep, overlap(held_, stop));
  if (held_.size() > keep) {
    std::string ready = held_.substr(0, held_.size() - keep);
    held_.erase(0, ready.size());
    emit_one(content(std::move(ready)), out);
  }
  return false;
}

void Answer::emit_one(chat::OutputEvent event, std::vector<Piece>& out) {
  out.push_back({std::move(event), std::exchange(waiting_, {})});
}

void Answer::finish(FinishReason reason, std::vector<Piece>& out) {
  if (finished_) return;
  cut_ = reason == FinishReason::kLength;
  std::vector<chat::OutputEvent> events;
  const std::string rest = utf8_.flush();
  if (parser_ != nullptr) {
    parser_->feed(rest, events);
    parser_->finish(events);
    emit(std::move(events), out);
  } else {
    emit_content(rest, out);
  }
  if (finished_) return;  // the last bytes completed a stop string
  if (!held_.empty() || !waiting_.empty()) {
    emit_one(content(std::exchange(held_, {})), out);
  }
  finished_ = true;
  switch (reason) {
    case FinishReason::kStop:
      reason_ =
          parser_ != nullptr && parser_->tool_calls() > 0 ? Finish::kToolCalls : Finish::kStop;
      break;
    case FinishReason::kLength:
      reason_ = Finish::kLength;
      break;
    case FinishReason::kCancelled:
      reason_ = Finish::kCancelled;
      break;
    case FinishReason::kError:
      reason_ = Finish::kError;
      break;
  }
}

}  // namespace freehold::server
