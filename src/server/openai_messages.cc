// Owns the checks on a conversation: roles, contents, tool calls, tools. Refuses by name what a
// text model has no place for (images, audio, files).
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "server/openai_chat.h"

namespace freehold::server {
namespace {

constexpr size_t kMaxText = size_t{1} << 30U;  // the body's limit comes first

bool is_tool_name(std::string_view name) {
  return !name.empty() && name.size() <= 128 && std::ranges::all_of(name, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
  });
}

// A string, or an array of text parts, as one string.
std::optional<std::string> read_content(Fields& fields) {
  const Json* content = fields.any("content");
  if (content == nullptr) return std::nullopt;
  if (content->is_string()) return content->get<std::string>();
  if (!content->is_array()) {
    fields.fail("content", "`content` must be a string or an array of parts");
    return std::nullopt;
  }
  std::string text;
  for (const auto& part : *content) {
    const bool object = part.is_object() && part.contains("type") && part["type"].is_string();
    const std::string type = object ? part["type"].get<std::string>() : "";
    if (type == "text" && part.contains("text") && part["text"].is_string()) {
      text += part["text"].get_ref<const std::string&>();
    } else if (type == "refusal" && part.contains("refusal") && part["refusal"].is_string()) {
      text += part["refusal"].get_ref<const std::string&>();
    } else {
      fields.fail("content", type == "image_url" || type == "input_audio" || type == "file"
                                 ? "this model reads text only; leave out parts of type " + type
                                 : "a part of `content` must be {\"type\":\"text\",\"text\":...}");
      return std::nullopt;
    }
  }
  return text;
}

Json read_call(const Json& call, const std::string& where, Fields& outer) {
  Fields fields(call, where);
  const auto id = fields.string("id", 256);
  fields.choice("type", {"function"});
  fields.ignore({"index"});
  const Json* function = fields.object("function");
  if (function == nullptr) fields.fail("function", "`" + where + "function` must be an object");
  Json out;
  if (function != nullptr) {
    Fields inner(*function, where + "function.");
    const auto name = inner.string("name", 128);
    const auto arguments = inner.string("arguments", kMaxText);
    if (!name) inner.fail("name", "a tool call needs `function.name`");
    if (!arguments) inner.fail("arguments", "a tool call needs `function.arguments`, a string");
    if (const auto error = inner.finish()) outer.fail("tool_calls", error->message);
    out = {{"id", id.value_or("")},
           {"type", "function"},
           {"function", {{"name", name.value_or("")}, {"arguments", arguments.value_or("")}}}};
  }
  if (const auto error = fields.finish()) outer.fail("tool_calls", error->message);
  return out;
}

void read_assistant(Fields& fields, const std::string& where, Json& out) {
  const auto reasoning = fields.string("reasoning_content", kMaxText);
  const auto alias = fields.string("reasoning", kMaxText);
  if (reasoning || alias) out["reasoning_content"] = reasoning ? *reasoning : *alias;
  if (const Json* calls = fields.array("tool_calls", 256); calls != nullptr && !calls->empty()) {
    Json list = Json::array();
    for (size_t i = 0; i < calls->size(); ++i) {
      list.push_back(read_call((*calls)[i], fmt::format("{}tool_calls[{}].", where, i), fields));
    }
    out["tool_calls"] = std::move(list);
  }
  if (fields.boolean("prefix").value_or(false)) out["prefix"] = true;
  fields.refuse({"audio", "function_call"});
  fields.ignore({"refusal", "annotations"});
}

Json read_message(const Json& message, const std::string& where, Fields& outer) {
  Fields fields(message, where);
  const auto role = fields.choice("role", {"system", "developer", "user", "assistant", "tool"});
  if (!role) fields.fail("role", "`" + where + "role` is missing");
  Json out;
  out["role"] = role.value_or("user");
  const auto content = read_content(fields);
  out["content"] = content.value_or("");
  if (const auto name = fields.string("name", 128)) out["name"] = *name;
  if (role == "assistant") {
    read_assistant(fields, where, out);
    if (!content && !out.contains("tool_calls") && !out.contains("reasoning_content")) {
      fields.fail("content", "`" + where + "content` is missing");
    }
  } else if (!content) {
    fields.fail("content", "`" + where + "content` is missing");
  }
  if (role == "tool") {
    const auto id = fields.string("tool_call_id", 256);
    if (!id) fields.fail("tool_call_id", "`" + where + "tool_call_id` is missing");
    out["tool_call_id"] = id.value_or("");
  }
  if (const auto error = fields.finish()) outer.fail(error->param, error->message);
  return out;
}

void read_tool(const Json& tool, const std::string& where, Fields& outer, Spec& spec) {
  Fields fields(tool, where);
  const auto type = fields.choice("type", {"function"});
  const Json* function = fields.object("function");
  if (!type || function == nullptr) fields.fail("function", "`" + where + "function` is missing");
  if (function != nullptr) {
    Fields inner(*function, where + "function.");
    Tool out;
    out.name = inner.string("name", 128).value_or("");
    inner.string("description", kMaxText);
    out.strict = inner.boolean("strict").value_or(false);
    const Json* parameters = inner.object("parameters");
    out.parameters = parameters != nullptr ? *parameters : Json{{"type", "object"}};
    if (!is_tool_name(out.name)) {
      inner.fail("name", "a tool's name has 1 to 128 of A-Z a-z 0-9 _ - .");
    }
    if (const auto error = inner.finish()) outer.fail(error->param, error->message);
    spec.tools.push_back(std::move(out));
  }
  if (const auto error = fields.finish()) outer.fail(error->param, error->message);
}

void read_tool_choice(Fields& fields, Spec& spec) {
  const Json* choice = fields.any("tool_choice");
  if (choice == nullptr) return;
  using Kind = ToolChoice::Kind;
  if (choice->is_string()) {
    const auto text = fields.choice("tool_choice", {"none", "auto", "required"});
    if (!text) return;
    spec.tool_choice.kind = *text == "none"   ? Kind::kNone
                            : *text == "auto" ? Kind::kAuto
                                              : Kind::kRequired;
  } else {
    const bool named = choice->is_object() && choice->value("type", Json()) == "function" &&
                       choice->contains("function") && (*choice)["function"].is_object() &&
                       (*choice)["function"].value("name", Json()).is_string();
    if (!named) {
      fields.fail("tool_choice", "`tool_choice` must be none, auto, required or a named function");
      return;
    }
    spec.tool_choice = {Kind::kNamed, (*choice)["function"]["name"].get<std::string>()};
  }
  const bool wants =
      spec.tool_choice.kind == Kind::kRequired || spec.tool_choice.kind == Kind::kNamed;
  const bool exists = std::ranges::any_of(spec.tools, [&](const Tool& tool) {
    return spec.tool_choice.kind != Kind::kNamed || tool.name == spec.tool_choice.name;
  });
  if (wants && !exists) fields.fail("tool_choice", "`tool_choice` asks for a tool not in `tools`");
}

}  // namespace

void read_messages(Fields& fields, const Limits& limits, Json& conversation) {
  const Json* messages = fields.array("messages", limits.messages);
  if (messages == nullptr || messages->empty()) {
    fields.fail("messages", "`messages` must be an array with at least one message");
    return;
  }
  Json list = Json::array();
  for (size_t i = 0; i < messages->size() && fields.ok(); ++i) {
    list.push_back(read_message((*messages)[i], fmt::format("messages[{}].", i), fields));
  }
  conversation["messages"] = std::move(list);
}

void read_tools(Fields& fields, const Limits& limits, Spec& spec) {
  const Json* tools = fields.array("tools", limits.tools);
  if (tools != nullptr && !tools->empty()) {
    for (size_t i = 0; i < tools->size() && fields.ok(); ++i) {
      read_tool((*tools)[i], fmt::format("tools[{}].", i), fields, spec);
    }
    spec.conversation["tools"] = *tools;
  }
  read_tool_choice(fields, spec);
  // Tools that may not be called are not shown to the model either.
  if (spec.tool_choice.kind == ToolChoice::Kind::kNone) spec.conversation.erase("tools");
  spec.parallel_tool_calls = fields.boolean("parallel_tool_calls").value_or(true);
}

}  // namespace freehold::server
