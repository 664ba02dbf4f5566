// Owns the reading of Anthropic's requests into the common conversation. Refuses images, documents
// and server tools by name.
#include <fmt/format.h>

#include "server/anthropic.h"
#include "server/sampling_fields.h"

namespace freehold::server {
namespace {

constexpr size_t kMaxText = size_t{1} << 30U;
constexpr int64_t kMaxTokens = 1 << 26;

std::string type_of(const Json& block) {
  const bool named = block.is_object() && block.contains("type") && block["type"].is_string();
  return named ? block["type"].get<std::string>() : "";
}

// Some clients put a line that changes with each request before their system text, which would
// keep any prefix from being found in the cache.
bool is_billing_line(const std::string& text) {
  return text.starts_with("x-anthropic-billing-header:");
}

// A string or text blocks, as one string.
std::string read_text(Fields& fields, std::string_view name, const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  std::string text;
  if (!value.is_array()) fields.fail(name, "a string or an array of text blocks is wanted here");
  for (const auto& block : value) {
    if (type_of(block) != "text" || !block.contains("text") || !block["text"].is_string()) {
      fields.fail(name, "this model reads text only; a block here must be of type text");
      return text;
    }
    const auto& part = block["text"].get_ref<const std::string&>();
    if (is_billing_line(part)) continue;
    if (!text.empty()) text += "\n\n";
    text += part;
  }
  return text;
}

// One block of a message's content, added to what the message becomes.
struct Turn {
  std::string text;
  std::string reasoning;
  Json calls = Json::array();
  Json results = Json::array();  // messages of role tool
};

void read_block(const Json& block, const std::string& where, Fields& outer, Turn& turn) {
  Fields fields(block, where);
  const std::string type = fields.string("type", 64).value_or("");
  fields.ignore({"cache_control", "citations"});
  if (type == "text") {
    turn.text += fields.string("text", kMaxText).value_or("");
  } else if (type == "thinking") {
    turn.reasoning += fields.string("thinking", kMaxText).value_or("");
    fields.ignore({"signature"});
  } else if (type == "redacted_thinking") {
    fields.ignore({"data"});
  } else if (type == "tool_use") {
    const auto id = fields.string("id", 256);
    const auto name = fields.string("name", 128);
    const Json* input = fields.object("input");
    if (!id || !name || input == nullptr) fields.fail("id", "tool_use needs id, name and input");
    turn.calls.push_back(
        {{"id", id.value_or("")},
         {"type", "function"},
         {"function", {{"name", name.value_or("")}, {"arguments", input ? dump(*input) : "{}"}}}});
  } else if (type == "tool_result") {
    const auto id = fields.string("tool_use_id", 256);
    if (!id) fields.fail("tool_use_id", "tool_result needs tool_use_id");
    const Json* content = fields.any("content");
    std::string text = content != nullptr ? read_text(fields, "content", *content) : "";
    if (fields.boolean("is_error").value_or(false)) text = "Error: " + text;
    turn.results.push_back(
        {{"role", "tool"}, {"content", std::move(text)}, {"tool_call_id", id.value_or("")}});
  } else {
    fields.fail("type", type == "image" || type == "document"
                            ? "this model reads text only; leave out blocks of type " + type
                            : "`" + where + "type` is not a kind of block that this server takes");
  }
  if (const auto error = fields.finish()) outer.fail(error->param, error->message);
}

void read_message(const Json& message, const std::string& where, Fields& outer, Json& list) {
  Fields fields(message, where);
  const auto role = fields.choice("role", {"user", "assistant", "system"});
  const Json* content = fields.any("content");
  if (!role) fields.fail("role", "`" + where + "role` is missing");
  if (content == nullptr || !(content->is_string() || content->is_array())) {
    fields.fail("content", "`" + where + "content` must be a string or an array of blocks");
  }
  if (const auto error = fields.finish()) {
    outer.fail(error->param, error->message);
    return;
  }
  if (content->is_string()) {
    list.push_back({{"role", *role}, {"content", *content}});
    return;
  }
  Turn turn;
  for (size_t i = 0; i < content->size() && outer.ok(); ++i) {
    read_block((*content)[i], fmt::format("{}content[{}].", where, i), outer, turn);
  }
  for (auto& result : turn.results) list.push_back(std::move(result));
  if (*role != "assistant") {
    if (!turn.text.empty() || turn.results.empty()) {
      list.push_back({{"role", *role}, {"content", turn.text}});
    }
    return;
  }
  Json out{{"role", "assistant"}, {"content", turn.text}};
  if (!turn.reasoning.empty()) out["reasoning_content"] = turn.reasoning;
  if (!turn.calls.empty()) out["tool_calls"] = std::move(turn.calls);
  list.push_back(std::move(out));
}

void read_conversation(Fields& fields, const Limits& limits, Spec& spec) {
  Json list = Json::array();
  if (const Json* system = fields.any("system")) {
    std::string text = read_text(fields, "system", *system);
    if (!text.empty()) list.push_back({{"role", "system"}, {"content", std::move(text)}});
  }
  const Json* messages = fields.array("messages", limits.messages);
  if (messages == nullptr || messages->empty()) {
    fields.fail("messages", "`messages` must be an array with at least one message");
    return;
  }
  for (size_t i = 0; i < messages->size() && fields.ok(); ++i) {
    read_message((*messages)[i], fmt::format("messages[{}].", i), fields, list);
  }
  // A last assistant turn is the beginning of the answer.
  if (fields.ok() && list.back()["role"] == "assistant") list.back()["prefix"] = true;
  spec.conversation["messages"] = std::move(list);
}

void read_anthropic_tools(Fields& fields, const Limits& limits, Spec& spec) {
  const Json* tools = fields.array("tools", limits.tools);
  if (tools == nullptr || tools->empty()) return;
  Json list = Json::array();
  for (size_t i = 0; i < tools->size() && fields.ok(); ++i) {
    Fields inner((*tools)[i], fmt::format("tools[{}].", i));
    inner.choice("type", {"custom"});
    Tool tool;
    tool.name = inner.string("name", 128).value_or("");
    const auto description = inner.string("description", kMaxText);
    tool.strict = inner.boolean("strict").value_or(false);
    const Json* schema = inner.object("input_schema");
    if (schema == nullptr || tool.name.empty()) {
      inner.fail("input_schema", "a tool needs a name and an input_schema");
    }
    inner.ignore({"cache_control", "eager_input_streaming"});
    if (const auto error = inner.finish()) {
      fields.fail(error->param, error->message);
      return;
    }
    tool.parameters = *schema;
    list.push_back({{"type", "function"},
                    {"function",
                     {{"name", tool.name},
                      {"description", description.value_or("")},
                      {"parameters", *schema}}}});
    spec.tools.push_back(std::move(tool));
  }
  spec.conversation["tools"] = std::move(list);
}

void read_anthropic_choice(Fields& fields, Spec& spec) {
  const Json* choice = fields.object("tool_choice");
  if (choice == nullptr) return;
  Fields inner(*choice, "tool_choice.");
  const auto type = inner.choice("type", {"auto", "any", "tool", "none"});
  const auto name = inner.string("name", 128);
  spec.parallel_tool_calls = !inner.boolean("disable_parallel_tool_use").value_or(false);
  using Kind = ToolChoice::Kind;
  if (!type) inner.fail("type", "`tool_choice.type` is missing");
  if (type == "any") spec.tool_choice.kind = Kind::kRequired;
  if (type == "tool") spec.tool_choice = {Kind::kNamed, name.value_or("")};
  if (type == "none") {
    spec.tool_choice.kind = Kind::kNone;
    spec.conversation.erase("tools");
  }
  bool known = type != "any" || !spec.tools.empty();
  if (type == "tool") {
    known = std::any_of(spec.tools.begin(), spec.tools.end(),
                        [&](const Tool& tool) { return tool.name == spec.tool_choice.name; });
  }
  if (!known) inner.fail("name", "`tool_choice` asks for a tool not in `tools`");
  if (const auto error = inner.finish()) fields.fail(error->param, error->message);
}

void read_output_config(Fields& fields, Spec& spec) {
  const Json* config = fields.object("output_config");
  if (config == nullptr) return;
  Fields inner(*config, "output_config.");
  const auto effort =
      inner.choice("effort", {"none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra"});
  if (effort) spec.effort = *effort;
  if (const Json* format = inner.object("format")) {
    Fields schema(*format, "output_config.format.");
    schema.choice("type", {"json_schema"});
    const Json* body = schema.object("schema");
    if (body == nullptr) schema.fail("schema", "`output_config.format.schema` is missing");
    if (const auto error = schema.finish()) {
      inner.fail("format", error->message);
    } else {
      spec.format = {ResponseFormat::Kind::kJsonSchema, *body, ""};
    }
  }
  if (const auto error = inner.finish()) fields.fail(error->param, error->message);
}

}  // namespace

ApiResult<Spec> read_anthropic(const Json& body, const Limits& limits, bool count_only) {
  Spec spec;
  Fields fields(body);
  spec.model = fields.string("model", 256).value_or("");
  const auto most = fields.integer("max_tokens", 1, kMaxTokens);
  if (!most && !count_only) fields.fail("max_tokens", "`max_tokens` is missing");
  spec.max_tokens = static_cast<uint32_t>(most.value_or(1));
  read_conversation(fields, limits, spec);
  read_anthropic_tools(fields, limits, spec);
  read_anthropic_choice(fields, spec);
  read_output_config(fields, spec);
  spec.thinking_by_default = true;
  if (fields.any("thinking") != nullptr) {
    const std::string effort = spec.effort;
    read_thinking(fields, Dialect::kAnthropic, spec);
    if (spec.effort.empty()) spec.effort = effort;
  }
  if (!spec.effort.empty()) spec.conversation["reasoning_effort"] = spec.effort;
  spec.sampling.temperature = static_cast<float>(fields.number("temperature", 0, 2).value_or(1));
  spec.sampling.top_p = static_cast<float>(fields.number("top_p", 0, 1).value_or(1));
  spec.sampling.top_k = static_cast<uint32_t>(fields.integer("top_k", 0, 1'000'000).value_or(0));
  spec.random_seed = true;
  read_stop(fields, "stop_sequences", limits, spec);
  spec.stream = fields.boolean("stream").value_or(false);
  if (const Json* metadata = fields.object("metadata")) {
    Fields inner(*metadata, "metadata.");
    spec.user = inner.string("user_id", 512).value_or("");
    if (const auto error = inner.finish()) fields.fail(error->param, error->message);
  }
  fields.ignore({"service_tier", "cache_control", "context_management", "betas"});
  fields.refuse({"container", "mcp_servers"});
  if (auto error = fields.finish()) return std::unexpected(std::move(*error));
  return spec;
}

}  // namespace freehold::server
