// Owns Anthropic's answers: content blocks, each closed before the next is opened.
#include "server/anthropic.h"

namespace freehold::server {
namespace {

using Kind = chat::OutputEvent::Kind;

const char* stop_reason(const Choice& choice) {
  switch (choice.finish) {
    case Finish::kLength:
      return "max_tokens";
    case Finish::kToolCalls:
      return "tool_use";
    default:
      return choice.stop_string.empty() ? "end_turn" : "stop_sequence";
  }
}

Json usage_of(const Totals& totals) {
  return {{"input_tokens", totals.prompt_tokens - totals.cached_tokens},
          {"cache_creation_input_tokens", 0},
          {"cache_read_input_tokens", totals.cached_tokens},
          {"output_tokens", totals.completion_tokens}};
}

class MessageShape : public Shape {
 public:
  explicit MessageShape(Head head) : head_(std::move(head)) {}

  std::string whole(const std::vector<Choice>& choices, const Totals& totals) override;
  void begin(const Totals& totals, std::string& out) override;
  void piece(uint32_t choice, const Piece& piece, std::string& out) override;
  void choice_done(uint32_t choice, const Choice& end, std::string& out) override;
  void done(const Totals& totals, std::string& out) override;
  void error(const ApiError& error, std::string& out) override;
  void keep_alive(std::string& out) override { send({{"type", "ping"}}, out); }

 private:
  enum class Block { kNone, kThinking, kText, kTool };

  Json message(Json content) const;
  void send(const Json& event, std::string& out) const {
    append_sse(event["type"].get_ref<const std::string&>(), dump(event), out);
  }
  void open(Block block, Json content, std::string& out);
  void close(std::string& out);
  void delta(Json delta, std::string& out) const;

  Head head_;
  Block block_ = Block::kNone;
  int index_ = -1;
  Choice end_;
};

Json MessageShape::message(Json content) const {
  return {{"id", "msg_" + head_.id}, {"type", "message"},  {"role", "assistant"},
          {"model", head_.model},    {"content", content}, {"stop_reason", nullptr},
          {"stop_sequence", nullptr}};
}

std::string MessageShape::whole(const std::vector<Choice>& choices, const Totals& totals) {
  const Choice& choice = choices.front();
  Json content = Json::array();
  if (!choice.reasoning.empty()) {
    content.push_back({{"type", "thinking"}, {"thinking", choice.reasoning}, {"signature", ""}});
  }
  if (!choice.content.empty()) {
    content.push_back({{"type", "text"}, {"text", choice.content}});
  }
  for (const auto& call : choice.calls) {
    Json input = Json::parse(call.arguments, nullptr, false);
    if (!input.is_object()) input = Json::object();
    content.push_back(
        {{"type", "tool_use"}, {"id", call.id}, {"name", call.name}, {"input", std::move(input)}});
  }
  Json body = message(std::move(content));
  body["stop_reason"] = stop_reason(choice);
  if (!choice.stop_string.empty()) body["stop_sequence"] = choice.stop_string;
  body["usage"] = usage_of(totals);
  return dump(body);
}

void MessageShape::begin(const Totals& totals, std::string& out) {
  Json body = message(Json::array());
  body["usage"] = usage_of(totals);
  send({{"type", "message_start"}, {"message", std::move(body)}}, out);
}

void MessageShape::open(Block block, Json content, std::string& out) {
  if (block_ == block && block != Block::kTool) return;
  close(out);
  block_ = block;
  ++index_;
  send({{"type", "content_block_start"}, {"index", index_}, {"content_block", std::move(content)}},
       out);
}

void MessageShape::close(std::string& out) {
  if (block_ == Block::kThinking) delta({{"type", "signature_delta"}, {"signature", ""}}, out);
  if (block_ != Block::kNone) send({{"type", "content_block_stop"}, {"index", index_}}, out);
  block_ = Block::kNone;
}

void MessageShape::delta(Json delta, std::string& out) const {
  send({{"type", "content_block_delta"}, {"index", index_}, {"delta", std::move(delta)}}, out);
}

void MessageShape::piece(uint32_t /*choice*/, const Piece& piece, std::string& out) {
  const auto& event = piece.event;
  switch (event.kind) {
    case Kind::kReasoning:
      open(Block::kThinking, {{"type", "thinking"}, {"thinking", ""}, {"signature", ""}}, out);
      delta({{"type", "thinking_delta"}, {"thinking", event.text}}, out);
      break;
    case Kind::kContent:
    case Kind::kMalformed:
      if (event.text.empty()) break;
      open(Block::kText, {{"type", "text"}, {"text", ""}}, out);
      delta({{"type", "text_delta"}, {"text", event.text}}, out);
      break;
    case Kind::kToolCallStart:
      open(
          Block::kTool,
          {{"type", "tool_use"}, {"id", event.id}, {"name", event.name}, {"input", Json::object()}},
          out);
      break;
    case Kind::kToolCallArguments:
      delta({{"type", "input_json_delta"}, {"partial_json", event.text}}, out);
      break;
    case Kind::kToolCallEnd:
      close(out);
      break;
  }
}

void MessageShape::choice_done(uint32_t /*choice*/, const Choice& end, std::string& out) {
  close(out);
  end_.finish = end.finish;
  end_.stop_string = end.stop_string;
}

void MessageShape::done(const Totals& totals, std::string& out) {
  const Json stop = end_.stop_string.empty() ? Json(nullptr) : Json(end_.stop_string);
  send({{"type", "message_delta"},
        {"delta", {{"stop_reason", stop_reason(end_)}, {"stop_sequence", stop}}},
        {"usage", usage_of(totals)}},
       out);
  send({{"type", "message_stop"}}, out);
}

void MessageShape::error(const ApiError& error, std::string& out) {
  append_sse("error", to_body(error, Dialect::kAnthropic), out);
}

}  // namespace

std::unique_ptr<Shape> anthropic_shape(Head head) {
  return std::make_unique<MessageShape>(std::move(head));
}

}  // namespace freehold::server
