// Owns the reading of response requests into the common conversation.
#include <fmt/format.h>

#include "server/openai_chat.h"
#include "server/openai_responses.h"
#include "server/sampling_fields.h"

namespace freehold::server {
namespace {

constexpr size_t kMaxText = size_t{1} << 30U;
constexpr int64_t kMaxTokens = 1 << 26;

// A string, or parts of the given kinds of text, as one string.
std::string read_text(Fields& fields, std::string_view name) {
  const Json* value = fields.any(name);
  if (value == nullptr) return {};
  if (value->is_string()) return value->get<std::string>();
  std::string text;
  if (!value->is_array()) fields.fail(name, "a string or an array of text parts is wanted here");
  for (const auto& part : *value) {
    const bool named = part.is_object() && part.contains("type") && part["type"].is_string();
    const std::string type = named ? part["type"].get<std::string>() : "";
    const bool is_text = type == "input_text" || type == "output_text" || type == "text" ||
                         type == "reasoning_text" || type == "summary_text";
    if (!is_text || !part.contains("text") || !part["text"].is_string()) {
      fields.fail(name, "this model reads text only; a part here must be of type input_text");
      return text;
    }
    text += part["text"].get_ref<const std::string&>();
  }
  return text;
}

// Reasoning and calls belong to the assistant's turn that they stand before.
Json& assistant_turn(Json& list) {
  if (list.empty() || list.back()["role"] != "assistant") {
    list.push_back({{"role", "assistant"}, {"content", ""}});
  }
  return list.back();
}

void read_item(const Json& item, const std::string& where, Fields& outer, Json& list) {
  Fields fields(item, where);
  const std::string type = fields.string("type", 64).value_or("message");
  fields.ignore({"id", "status"});
  if (type == "message") {
    const auto role = fields.choice("role", {"user", "assistant", "system", "developer"});
    std::string text = read_text(fields, "content");
    if (!role) fields.fail("role", "`" + where + "role` is missing");
    if (role == "assistant") {
      Json& turn = assistant_turn(list);
      turn["content"] = turn["content"].get<std::string>() + text;
    } else {
      list.push_back({{"role", role.value_or("user")}, {"content", std::move(text)}});
    }
    fields.ignore({"phase"});
  } else if (type == "function_call") {
    const auto id = fields.string("call_id", 256);
    const auto name = fields.string("name", 128);
    const auto arguments = fields.string("arguments", kMaxText);
    if (!id || !name || !arguments) {
      fields.fail("call_id", "function_call needs call_id, name and arguments");
    }
    assistant_turn(list)["tool_calls"].push_back(
        {{"id", id.value_or("")},
         {"type", "function"},
         {"function", {{"name", name.value_or("")}, {"arguments", arguments.value_or("")}}}});
  } else if (type == "function_call_output") {
    const auto id = fields.string("call_id", 256);
    if (!id) fields.fail("call_id", "function_call_output needs call_id");
    std::string text = read_text(fields, "output");
    list.push_back(
        {{"role", "tool"}, {"content", std::move(text)}, {"tool_call_id", id.value_or("")}});
  } else if (type == "reasoning") {
    const std::string text = read_text(fields, "content");
    if (!text.empty()) {
      list.push_back({{"role", "assistant"}, {"content", ""}, {"reasoning_content", text}});
    }
    fields.ignore({"summary", "encrypted_content"});
  } else {
    fields.fail("type", "`" + where + "type` is not a kind of item that this server takes");
  }
  if (const auto error = fields.finish()) outer.fail(error->param, error->message);
}

void read_input(Fields& fields, const Limits& limits, Spec& spec) {
  Json list = Json::array();
  if (const auto instructions = fields.string("instructions", kMaxText)) {
    list.push_back({{"role", "system"}, {"content", *instructions}});
  }
  const Json* input = fields.any("input");
  if (input != nullptr && input->is_string()) {
    list.push_back({{"role", "user"}, {"content", *input}});
  } else if (const Json* items = fields.array("input", limits.messages);
             items != nullptr && !items->empty()) {
    for (size_t i = 0; i < items->size() && fields.ok(); ++i) {
      read_item((*items)[i], fmt::format("input[{}].", i), fields, list);
    }
  } else {
    fields.fail("input", "`input` must be a string or an array with at least one item");
  }
  spec.conversation["messages"] = std::move(list);
}

// Tools are flat here; the common shape has them one level down.
void read_flat_tools(Fields& fields, const Limits& limits, Spec& spec) {
  const Json* tools = fields.array("tools", limits.tools);
  Json chat = Json::object();
  if (tools != nullptr && !tools->empty()) {
    for (const auto& tool : *tools) {
      Json inner = tool;
      if (!tool.is_object() || tool.value("type", Json()) != "function") {
        fields.fail("tools",
                    "a tool must be an object of type function; there are no built-in ones");
        return;
      }
      inner.erase("type");
      chat["tools"].push_back({{"type", "function"}, {"function", std::move(inner)}});
    }
  }
  if (const Json* choice = fields.any("tool_choice")) {
    const bool flat = choice->is_object() && choice->contains("name");
    chat["tool_choice"] = flat ? Json{{"type", choice->value("type", Json())},
                                      {"function", {{"name", (*choice)["name"]}}}}
                               : *choice;
  }
  Fields wrapped(chat);
  read_tools(wrapped, limits, spec);
  if (const auto error = wrapped.finish()) fields.fail(error->param, error->message);
  spec.parallel_tool_calls = fields.boolean("parallel_tool_calls").value_or(true);
}

void read_text_format(Fields& fields, Spec& spec) {
  const Json* text = fields.object("text");
  if (text == nullptr) return;
  Fields inner(*text, "text.");
  inner.refuse({"verbosity"});
  if (const Json* format = inner.object("format")) {
    Fields named(*format, "text.format.");
    const auto type = named.choice("type", {"text", "json_object", "json_schema"});
    named.string("name", 64);
    named.string("description", 1U << 16U);
    named.boolean("strict");
    const Json* schema = named.object("schema");
    if (type == "json_object") spec.format.kind = ResponseFormat::Kind::kJsonObject;
    if (type == "json_schema" && schema == nullptr) named.fail("schema", "the schema is missing");
    if (type == "json_schema" && schema != nullptr) {
      spec.format = {ResponseFormat::Kind::kJsonSchema, *schema, ""};
    }
    if (const auto error = named.finish()) inner.fail("format", error->message);
  }
  if (const auto error = inner.finish()) fields.fail(error->param, error->message);
}

void read_reasoning(Fields& fields, Spec& spec) {
  Json chat = Json::object();
  if (const Json* reasoning = fields.object("reasoning")) {
    Fields inner(*reasoning, "reasoning.");
    if (const Json* effort = inner.any("effort")) chat["reasoning_effort"] = *effort;
    inner.ignore({"summary", "generate_summary"});
    if (const auto error = inner.finish()) fields.fail(error->param, error->message);
  }
  Fields wrapped(chat);
  read_thinking(wrapped, Dialect::kOpenAi, spec);
  if (const auto error = wrapped.finish()) fields.fail("reasoning.effort", error->message);
  if (!spec.effort.empty()) spec.conversation["reasoning_effort"] = spec.effort;
}

}  // namespace

ApiResult<Spec> read_openai_response(const Json& body, const Limits& limits) {
  Spec spec;
  Fields fields(body);
  spec.model = fields.string("model", 256).value_or("");
  read_input(fields, limits, spec);
  read_flat_tools(fields, limits, spec);
  read_text_format(fields, spec);
  read_reasoning(fields, spec);
  spec.sampling.temperature = static_cast<float>(fields.number("temperature", 0, 2).value_or(1));
  spec.sampling.top_p = static_cast<float>(fields.number("top_p", 0, 1).value_or(1));
  spec.random_seed = true;
  spec.max_tokens =
      static_cast<uint32_t>(fields.integer("max_output_tokens", 1, kMaxTokens).value_or(0));
  spec.stream = fields.boolean("stream").value_or(false);
  spec.user = fields.string("user", 512).value_or("");
  if (fields.choice("truncation", {"disabled", "auto"}) == "auto") {
    fields.fail("truncation", "`truncation` auto would cut the input silently; use disabled");
  }
  if (fields.integer("top_logprobs", 0, limits.top_logprobs).value_or(0) > 0) {
    fields.fail("top_logprobs", "`top_logprobs` is not supported here; use chat completions");
  }
  fields.ignore({"store", "metadata", "include", "service_tier", "safety_identifier",
                 "prompt_cache_key", "prompt_cache_retention", "stream_options",
                 "client_metadata"});
  fields.refuse({"previous_response_id", "conversation", "background", "prompt", "max_tool_calls"});
  if (auto error = fields.finish()) return std::unexpected(std::move(*error));
  return spec;
}

}  // namespace freehold::server
