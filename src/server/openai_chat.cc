// Owns the chat completion's request and answer, field by field.
#include "server/openai_chat.h"

#include "server/sampling_fields.h"

namespace freehold::server {
namespace {

void read_response_format(Fields& fields, const Limits& limits, Spec& spec) {
  using Kind = ResponseFormat::Kind;
  if (const auto grammar = fields.string("grammar", limits.schema_bytes)) {
    spec.format = {Kind::kGrammar, {}, *grammar};
  }
  const Json* format = fields.object("response_format");
  if (format == nullptr) return;
  if (spec.format.kind != Kind::kText) {
    fields.fail("grammar", "`grammar` and `response_format` can't be used together");
    return;
  }
  Fields inner(*format, "response_format.");
  const auto type = inner.choice("type", {"text", "json_object", "json_schema"});
  if (!type) inner.fail("type", "`response_format.type` is missing");
  const Json* schema = inner.object("json_schema");
  if (type == "json_object") spec.format.kind = Kind::kJsonObject;
  if (type == "json_schema") {
    spec.format.kind = Kind::kJsonSchema;
    if (schema == nullptr || !schema->contains("schema") || !(*schema)["schema"].is_object()) {
      inner.fail("json_schema", "`response_format.json_schema.schema` must be an object");
    } else {
      Fields named(*schema, "response_format.json_schema.");
      named.string("name", 64);
      named.string("description", 1U << 16U);
      named.boolean("strict");  // always strict here
      spec.format.schema = *named.object("schema");
      if (spec.format.schema.dump().size() > limits.schema_bytes) {
        named.fail("schema", "the schema is larger than this server takes");
      }
      if (const auto error = named.finish()) inner.fail("json_schema", error->message);
    }
  }
  if (const auto error = inner.finish()) fields.fail(error->param, error->message);
}

class ChatShape : public Shape {
 public:
  ChatShape(Head head, Dialect dialect) : head_(std::move(head)), dialect_(dialect) {}

  std::string whole(const std::vector<Choice>& choices, const Totals& totals) override;
  void begin(const Totals& totals, std::string& out) override;
  void piece(uint32_t choice, const Piece& piece, std::string& out) override;
  void choice_done(uint32_t choice, const Choice& end, std::string& out) override;
  void done(const Totals& totals, std::string& out) override;
  void error(const ApiError& error, std::string& out) override;

 private:
  Json frame(const char* object) const;
  // One chunk with one choice.
  Json chunk(uint32_t choice, Json delta, Json finish) const;
  void send(const Json& json, std::string& out) const { append_sse("", dump(json), out); }

  Head head_;
  Dialect dialect_;
  uint32_t n_done_ = 0;
  Json last_;  // DeepSeek: the last chunk waits for the usage that it carries
};

Json ChatShape::frame(const char* object) const {
  return {{"id", "chatcmpl-" + head_.id},
          {"object", object},
          {"created", head_.created_s},
          {"model", head_.model},
          {"system_fingerprint", head_.fingerprint}};
}

Json message_of(const Choice& choice) {
  Json message;
  message["role"] = "assistant";
  const bool silent = choice.content.empty() && !choice.calls.empty();
  message["content"] = silent ? Json(nullptr) : Json(choice.content);
  message["refusal"] = nullptr;
  if (!choice.reasoning.empty()) message["reasoning_content"] = choice.reasoning;
  if (!choice.calls.empty()) {
    Json calls = Json::array();
    for (const auto& call : choice.calls) {
      calls.push_back({{"id", call.id},
                       {"type", "function"},
                       {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
    }
    message["tool_calls"] = std::move(calls);
  }
  return message;
}

std::string ChatShape::whole(const std::vector<Choice>& choices, const Totals& totals) {
  Json body = frame("chat.completion");
  Json list = Json::array();
  for (size_t i = 0; i < choices.size(); ++i) {
    list.push_back({{"index", i},
                    {"message", message_of(choices[i])},
                    {"logprobs", head_.logprobs ? logprobs_json(choices[i].tokens) : Json(nullptr)},
                    {"finish_reason", finish_name(choices[i].finish)}});
  }
  body["choices"] = std::move(list);
  body["usage"] = usage_json(totals);
  return dump(body);
}

Json ChatShape::chunk(uint32_t choice, Json delta, Json finish) const {
  Json body = frame("chat.completion.chunk");
  body["choices"] = Json::array({{{"index", choice},
                                  {"delta", std::move(delta)},
                                  {"logprobs", nullptr},
                                  {"finish_reason", std::move(finish)}}});
  if (head_.include_usage) body["usage"] = nullptr;
  return body;
}

void ChatShape::begin(const Totals& /*totals*/, std::string& out) {
  for (uint32_t i = 0; i < head_.n_choices; ++i) {
    send(chunk(i, {{"role", "assistant"}, {"content", ""}}, nullptr), out);
  }
}

void ChatShape::piece(uint32_t choice, const Piece& piece, std::string& out) {
  using Kind = chat::OutputEvent::Kind;
  const auto& event = piece.event;
  Json delta = Json::object();
  switch (event.kind) {
    case Kind::kReasoning:
      delta["reasoning_content"] = event.text;
      break;
    case Kind::kContent:
    case Kind::kMalformed:
      delta["content"] = event.text;
      break;
    case Kind::kToolCallStart:
      delta["tool_calls"] =
          Json::array({{{"index", event.index},
                        {"id", event.id},
                        {"type", "function"},
                        {"function", {{"name", event.name}, {"arguments", ""}}}}});
      break;
    case Kind::kToolCallArguments:
      delta["tool_calls"] =
          Json::array({{{"index", event.index}, {"function", {{"arguments", event.text}}}}});
      break;
    case Kind::kToolCallEnd:
      if (piece.tokens.empty()) return;
      break;
  }
  Json body = chunk(choice, std::move(delta), nullptr);
  if (head_.logprobs) body["choices"][0]["logprobs"] = logprobs_json(piece.tokens);
  send(body, out);
}

void ChatShape::choice_done(uint32_t choice, const Choice& end, std::string& out) {
  Json body = chunk(choice, Json::object(), finish_name(end.finish));
  if (dialect_ == Dialect::kDeepSeek && ++n_done_ == head_.n_choices) {
    last_ = std::move(body);
  } else {
    send(body, out);
  }
}

void ChatShape::done(const Totals& totals, std::string& out) {
  if (dialect_ == Dialect::kDeepSeek) {
    last_["usage"] = usage_json(totals);
    send(last_, out);
  } else if (head_.include_usage) {
    Json body = frame("chat.completion.chunk");
    body["choices"] = Json::array();
    body["usage"] = usage_json(totals);
    send(body, out);
  }
  append_sse("", "[DONE]", out);
}

void ChatShape::error(const ApiError& error, std::string& out) {
  append_sse("", to_body(error, dialect_), out);
}

}  // namespace

const char* finish_name(Finish finish) {
  switch (finish) {
    case Finish::kStop:
      return "stop";
    case Finish::kLength:
      return "length";
    case Finish::kToolCalls:
      return "tool_calls";
    case Finish::kCancelled:
      return "aborted";
    case Finish::kError:
      return "insufficient_system_resource";
  }
  return "stop";
}

Json usage_json(const Totals& totals) {
  return {{"prompt_tokens", totals.prompt_tokens},
          {"completion_tokens", totals.completion_tokens},
          {"total_tokens", totals.prompt_tokens + totals.completion_tokens},
          {"prompt_cache_hit_tokens", totals.cached_tokens},
          {"prompt_cache_miss_tokens", totals.prompt_tokens - totals.cached_tokens},
          {"prompt_tokens_details", {{"cached_tokens", totals.cached_tokens}}},
          {"completion_tokens_details", {{"reasoning_tokens", totals.reasoning_tokens}}}};
}

Json logprobs_json(const std::vector<ShownToken>& tokens) {
  const auto entry = [](const std::string& bytes, float logprob) {
    Json list = Json::array();
    for (const char byte : bytes) list.push_back(static_cast<unsigned char>(byte));
    return Json{{"token", bytes}, {"logprob", logprob}, {"bytes", std::move(list)}};
  };
  Json content = Json::array();
  Json reasoning = Json::array();
  for (const auto& token : tokens) {
    Json item = entry(token.bytes, token.logprob);
    Json top = Json::array();
    for (const auto& [bytes, logprob] : token.top) top.push_back(entry(bytes, logprob));
    item["top_logprobs"] = std::move(top);
    (token.reasoning ? reasoning : content).push_back(std::move(item));
  }
  Json out{{"content", std::move(content)}, {"refusal", nullptr}};
  if (!reasoning.empty()) out["reasoning_content"] = std::move(reasoning);
  return out;
}

ApiResult<Spec> read_openai_chat(const Json& body, Dialect dialect, const Limits& limits) {
  Spec spec;
  Fields fields(body);
  read_common(fields, limits, spec);
  read_messages(fields, limits, spec.conversation);
  read_tools(fields, limits, spec);
  read_thinking(fields, dialect, spec);
  read_response_format(fields, limits, spec);
  spec.logprobs = fields.boolean("logprobs").value_or(false);
  const auto top = fields.integer("top_logprobs", 0, limits.top_logprobs);
  if (top && *top > 0 && !spec.logprobs) {
    fields.fail("top_logprobs", "`top_logprobs` needs `logprobs` to be true");
  }
  spec.top_logprobs = static_cast<uint32_t>(top.value_or(0));
  if (const Json* kwargs = fields.object("chat_template_kwargs")) {
    spec.conversation["chat_template_kwargs"] = *kwargs;
  }
  if (!spec.effort.empty()) spec.conversation["reasoning_effort"] = spec.effort;
  if (const Json* modalities = fields.array("modalities", 4);
      modalities != nullptr && *modalities != Json::array({"text"})) {
    fields.fail("modalities", "this server answers in text only");
  }
  fields.refuse(
      {"audio", "functions", "function_call", "web_search_options", "prediction", "verbosity"});
  if (auto error = fields.finish()) return std::unexpected(std::move(*error));
  return spec;
}

std::unique_ptr<Shape> openai_chat_shape(Head head, Dialect dialect) {
  return std::make_unique<ChatShape>(std::move(head), dialect);
}

}  // namespace freehold::server
