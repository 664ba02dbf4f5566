// Owns the answer in items: reasoning, a message, function calls; whole and as numbered events.
#include "server/openai_responses.h"

#include "server/openai_chat.h"

namespace freehold::server {
namespace {

using Kind = chat::OutputEvent::Kind;

class ResponseShape : public Shape {
 public:
  ResponseShape(Head head, const Json& body) : head_(std::move(head)) {
    for (const char* name :
         {"instructions", "tools", "tool_choice", "temperature", "top_p", "max_output_tokens",
          "parallel_tool_calls", "metadata", "reasoning", "text"}) {
      repeated_[name] = body.contains(name) ? body[name] : Json(nullptr);
    }
    if (repeated_["tools"].is_null()) repeated_["tools"] = Json::array();
    if (repeated_["tool_choice"].is_null()) repeated_["tool_choice"] = "auto";
    if (repeated_["parallel_tool_calls"].is_null()) repeated_["parallel_tool_calls"] = true;
  }

  std::string whole(const std::vector<Choice>& choices, const Totals& totals) override;
  void begin(const Totals& totals, std::string& out) override;
  void piece(uint32_t choice, const Piece& piece, std::string& out) override;
  void choice_done(uint32_t choice, const Choice& end, std::string& out) override;
  void done(const Totals& totals, std::string& out) override;
  void error(const ApiError& error, std::string& out) override;

 private:
  enum class Item { kNone, kReasoning, kMessage, kCall };

  Json response(const char* status) const;
  // The item as it is now.
  Json item(const char* status) const;
  Json part() const;
  void send(const char* type, const Json& members, std::string& out);
  void open(Item kind, std::string& out);
  void close(const char* status, std::string& out);
  std::string item_id() const;
  void finish_response(const Totals& totals, Json& body) const;

  Head head_;
  Json repeated_ = Json::object();
  Json output_ = Json::array();
  Item kind_ = Item::kNone;
  std::string text_;
  ToolCall call_;
  Finish finish_ = Finish::kStop;
  uint64_t sequence_ = 0;
};

Json ResponseShape::response(const char* status) const {
  Json body{
      {"id", "resp_" + head_.id}, {"object", "response"},     {"created_at", head_.created_s},
      {"status", status},         {"error", nullptr},         {"incomplete_details", nullptr},
      {"model", head_.model},     {"output", output_},        {"previous_response_id", nullptr},
      {"store", false},           {"truncation", "disabled"}, {"usage", nullptr}};
  body.update(repeated_);
  return body;
}

void ResponseShape::finish_response(const Totals& totals, Json& body) const {
  body["usage"] = {{"input_tokens", totals.prompt_tokens},
                   {"input_tokens_details", {{"cached_tokens", totals.cached_tokens}}},
                   {"output_tokens", totals.completion_tokens},
                   {"output_tokens_details", {{"reasoning_tokens", totals.reasoning_tokens}}},
                   {"total_tokens", totals.prompt_tokens + totals.completion_tokens}};
  if (finish_ == Finish::kLength) {
    body["incomplete_details"] = {{"reason", "max_output_tokens"}};
  }
}

std::string ResponseShape::item_id() const {
  const char* prefix = kind_ == Item::kMessage ? "msg_" : kind_ == Item::kCall ? "fc_" : "rs_";
  return prefix + head_.id + "_" + std::to_string(output_.size());
}

Json ResponseShape::part() const {
  if (kind_ == Item::kReasoning) return {{"type", "reasoning_text"}, {"text", text_}};
  return {{"type", "output_text"},
          {"text", text_},
          {"annotations", Json::array()},
          {"logprobs", Json::array()}};
}

Json ResponseShape::item(const char* status) const {
  const bool empty = text_.empty() && std::string_view(status) == "in_progress";
  const Json content = empty ? Json::array() : Json::array({part()});
  if (kind_ == Item::kReasoning) {
    return {{"id", item_id()},
            {"type", "reasoning"},
            {"status", status},
            {"summary", Json::array()},
            {"content", content}};
  }
  if (kind_ == Item::kMessage) {
    return {{"id", item_id()},
            {"type", "message"},
            {"status", status},
            {"role", "assistant"},
            {"content", content}};
  }
  return {{"id", item_id()},     {"type", "function_call"}, {"status", status},
          {"call_id", call_.id}, {"name", call_.name},      {"arguments", call_.arguments}};
}

std::string ResponseShape::whole(const std::vector<Choice>& choices, const Totals& totals) {
  const Choice& choice = choices.front();
  finish_ = choice.finish;
  const char* status = finish_ == Finish::kLength ? "incomplete" : "completed";
  const auto add = [&](Item kind, std::string text) {
    kind_ = kind;
    text_ = std::move(text);
    output_.push_back(item(status));
  };
  if (!choice.reasoning.empty()) add(Item::kReasoning, choice.reasoning);
  if (!choice.content.empty() || choice.calls.empty()) add(Item::kMessage, choice.content);
  for (const auto& call : choice.calls) {
    call_ = call;
    add(Item::kCall, "");
  }
  Json body = response(status);
  finish_response(totals, body);
  return dump(body);
}

void ResponseShape::send(const char* type, const Json& members, std::string& out) {
  Json event{{"type", type}, {"sequence_number", sequence_++}};
  event.update(members);
  append_sse(type, dump(event), out);
}

void ResponseShape::begin(const Totals& /*totals*/, std::string& out) {
  send("response.created", {{"response", response("in_progress")}}, out);
  send("response.in_progress", {{"response", response("in_progress")}}, out);
}

void ResponseShape::open(Item kind, std::string& out) {
  if (kind_ == kind && kind != Item::kCall) return;
  close("completed", out);
  kind_ = kind;
  text_.clear();
  send("response.output_item.added",
       {{"output_index", output_.size()}, {"item", item("in_progress")}}, out);
  if (kind == Item::kCall) return;
  send("response.content_part.added",
       {{"item_id", item_id()},
        {"output_index", output_.size()},
        {"content_index", 0},
        {"part", part()}},
       out);
}

void ResponseShape::close(const char* status, std::string& out) {
  if (kind_ == Item::kNone) return;
  Json where{{"item_id", item_id()}, {"output_index", output_.size()}};
  if (kind_ == Item::kCall) {
    where["name"] = call_.name;
    where["arguments"] = call_.arguments;
    send("response.function_call_arguments.done", where, out);
  } else {
    where["content_index"] = 0;
    Json done = where;
    done["text"] = text_;
    if (kind_ == Item::kMessage) done["logprobs"] = Json::array();
    send(kind_ == Item::kReasoning ? "response.reasoning_text.done" : "response.output_text.done",
         done, out);
    where["part"] = part();
    send("response.content_part.done", where, out);
  }
  send("response.output_item.done", {{"output_index", output_.size()}, {"item", item(status)}},
       out);
  output_.push_back(item(status));
  kind_ = Item::kNone;
}

void ResponseShape::piece(uint32_t /*choice*/, const Piece& piece, std::string& out) {
  const auto& event = piece.event;
  switch (event.kind) {
    case Kind::kReasoning:
    case Kind::kContent:
    case Kind::kMalformed: {
      if (event.text.empty()) return;
      const bool reasoning = event.kind == Kind::kReasoning;
      open(reasoning ? Item::kReasoning : Item::kMessage, out);
      text_ += event.text;
      Json members{{"item_id", item_id()},
                   {"output_index", output_.size()},
                   {"content_index", 0},
                   {"delta", event.text}};
      if (!reasoning) members["logprobs"] = Json::array();
      send(reasoning ? "response.reasoning_text.delta" : "response.output_text.delta", members,
           out);
      break;
    }
    case Kind::kToolCallStart:
      close("completed", out);
      call_ = {event.id, event.name, ""};
      open(Item::kCall, out);
      break;
    case Kind::kToolCallArguments:
      call_.arguments += event.text;
      send("response.function_call_arguments.delta",
           {{"item_id", item_id()}, {"output_index", output_.size()}, {"delta", event.text}}, out);
      break;
    case Kind::kToolCallEnd:
      close("completed", out);
      break;
  }
}

void ResponseShape::choice_done(uint32_t /*choice*/, const Choice& end, std::string& out) {
  finish_ = end.finish;
  if (kind_ == Item::kNone && output_.empty()) open(Item::kMessage, out);
  close(finish_ == Finish::kLength ? "incomplete" : "completed", out);
}

void ResponseShape::done(const Totals& totals, std::string& out) {
  const bool cut = finish_ == Finish::kLength;
  Json body = response(cut ? "incomplete" : "completed");
  finish_response(totals, body);
  send(cut ? "response.incomplete" : "response.completed", {{"response", std::move(body)}}, out);
}

void ResponseShape::error(const ApiError& error, std::string& out) {
  Json body = response("failed");
  body["error"] = {{"code", "server_error"}, {"message", error.message}};
  send("response.failed", {{"response", std::move(body)}}, out);
}

}  // namespace

std::unique_ptr<Shape> openai_response_shape(Head head, const Json& body) {
  return std::make_unique<ResponseShape>(std::move(head), body);
}

}  // namespace freehold::server
