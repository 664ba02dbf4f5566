#include "chat/prompt.h"

#include <algorithm>
#include <array>
#include <optional>

namespace freehold::chat {

using base::ErrorCode;
using base::Result;
using base::Status;

namespace {

constexpr size_t kTailBytes = 256;

constexpr std::string_view kChatMl =
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message.role + '\\n' + (message.content or '') + '<|im_end|>\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}";

// Variables that a request's chat_template_kwargs can't set: they are set here, or trusted.
constexpr std::array<std::string_view, 10> kReserved = {
    "messages",  "tools",     "documents", "add_generation_prompt",
    "bos_token", "eos_token", "pad_token", "unk_token",
    "sep_token", "cls_token"};

bool mentions(const Template& chat_template, std::string_view what) {
  return chat_template.source().find(what) != std::string_view::npos;
}

std::unexpected<base::Error> bad_message(size_t index, const std::string& what) {
  return base::fail(ErrorCode::kInvalidArgument,
                    "messages[" + std::to_string(index) + "]: " + what);
}

std::string string_member(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

// The text of content parts, joined; anything but text is refused by its type.
Result<std::string> joined_parts(const Json& parts, size_t index) {
  std::string out;
  for (const Json& part : parts) {
    const std::string type = part.is_object() ? string_member(part, "type") : "";
    if (type != "text" && type != "input_text" && type != "output_text") {
      return base::fail(ErrorCode::kUnsupported, "messages[" + std::to_string(index) +
                                                     "]: a content part of type `" + type +
                                                     "`; this model reads text only");
    }
    out += string_member(part, "text");
  }
  return out;
}

// What templates disagree about: whether a call's arguments come as an object or as its JSON, and
// whether a missing content is none or empty.
struct Shape {
  bool object_arguments = true;
  bool none_content = true;
};

constexpr Shape kShapes[] = {{true, true}, {true, false}, {false, true}, {false, false}};

Status shape_tool_calls(Json& calls, size_t index, const Shape& shape) {
  if (!calls.is_array()) return bad_message(index, "`tool_calls` is not a list");
  for (Json& call : calls) {
    if (!call.is_object()) return bad_message(index, "a tool call is not an object");
    const auto nested = call.find("function");
    Json& function = nested != call.end() ? *nested : call;
    if (!function.is_object() || string_member(function, "name").empty()) {
      return bad_message(index, "a tool call has no function name");
    }
    Json& arguments = function["arguments"];
    if (arguments.is_string() && shape.object_arguments) {
      const std::string text = arguments.get<std::string>();
      Json parsed = Json::parse(text.empty() ? "{}" : text, nullptr, false);
      // Arguments that are no JSON were the model's own mistake; it sees them as it wrote them.
      if (parsed.is_object()) arguments = std::move(parsed);
    } else if (!arguments.is_string() && !shape.object_arguments) {
      arguments = arguments.is_null()
                      ? "{}"
                      : arguments.dump(-1, ' ', false, Json::error_handler_t::replace);
    } else if (arguments.is_null()) {
      arguments = Json::object();
    }
  }
  return {};
}

class Builder {
 public:
  Builder(const Template& chat_template, const ThinkingControl& thinking, const Json& request,
          const PromptOptions& options)
      : template_(chat_template), thinking_(thinking), request_(request), options_(options) {}

  Result<Prompt> build() {
    FREEHOLD_TRY(check_request());
    FREEHOLD_TRY(set_variables());
    FREEHOLD_TRY(set_thinking());
    FREEHOLD_TRY(take_messages());
    FREEHOLD_ASSIGN(prompt_.segments, render());
    close_thinking();
    continue_prefix();
    for (auto it = prompt_.segments.rbegin(); it != prompt_.segments.rend(); ++it) {
      prompt_.tail.insert(0, it->text);
      if (prompt_.tail.size() >= kTailBytes) break;
    }
    if (prompt_.tail.size() > kTailBytes) prompt_.tail.erase(0, prompt_.tail.size() - kTailBytes);
    return std::move(prompt_);
  }

 private:
  Status check_request() const {
    const auto messages = request_.find("messages");
    if (!request_.is_object() || messages == request_.end() || !messages->is_array() ||
        messages->empty()) {
      return base::fail(ErrorCode::kInvalidArgument, "`messages` must be a list that is not empty");
    }
    return {};
  }

  Status set_variables() {
    variables_ = Json::object();
    if (const auto kwargs = request_.find("chat_template_kwargs"); kwargs != request_.end()) {
      if (!kwargs->is_object()) {
        return base::fail(ErrorCode::kInvalidArgument, "`chat_template_kwargs` is not an object");
      }
      for (const auto& [name, value] : kwargs->items()) {
        if (std::ranges::count(kReserved, name) > 0) {
          return base::fail(ErrorCode::kInvalidArgument,
                            "`chat_template_kwargs` can't set `" + name + "`");
        }
        variables_[name] = value;
      }
    }
    for (const char* name : {"documents", "reasoning_effort"}) {
      const auto it = request_.find(name);
      if (it != request_.end() && !it->is_null()) variables_[name] = *it;
    }
    const auto tools = request_.find("tools");
    if (tools != request_.end() && tools->is_array() && !tools->empty()) {
      if (!mentions(template_, "tools")) {
        return base::fail(ErrorCode::kUnsupported,
                          "the model's chat template has no place for `tools`");
      }
      variables_["tools"] = *tools;
    }
    variables_["add_generation_prompt"] = options_.add_generation_prompt;
    variables_["bos_token"] = options_.bos_token;
    variables_["eos_token"] = options_.eos_token;
    return {};
  }

  Status set_thinking() {
    if (options_.thinking == Thinking::kDefault) return {};
    const bool on = options_.thinking == Thinking::kOn;
    if (!thinking_.supported || !(on ? thinking_.can_enable : thinking_.can_disable)) {
      return base::fail(ErrorCode::kUnsupported, thinking_.supported
                                                     ? "this model's thinking can't be switched off"
                                                     : "this model has no thinking to switch");
    }
    for (const auto& [name, json] : on ? thinking_.on_variables : thinking_.off_variables) {
      variables_[name] = Json::parse(json, nullptr, false);
    }
    return {};
  }

  Status take_messages() {
    messages_ = request_["messages"];
    const bool knows_developer = mentions(template_, "developer");
    Json* last_user = nullptr;
    for (size_t i = 0; i < messages_.size(); ++i) {
      Json& message = messages_[i];
      if (!message.is_object() || string_member(message, "role").empty()) {
        return bad_message(i, "a message is an object with a `role`");
      }
      const std::string role = string_member(message, "role");
      if (role == "developer" && !knows_developer) message["role"] = "system";
      const auto content = message.find("content");
      if (content != message.end() && content->is_array()) {
        FREEHOLD_ASSIGN(*content, joined_parts(*content, i));
      } else if (content != message.end() && !content->is_string() && !content->is_null()) {
        return bad_message(i, "`content` is neither text nor a list of parts");
      }
      if (message.contains("reasoning") && !message.contains("reasoning_content")) {
        message["reasoning_content"] = message["reasoning"];
      }
      if (role == "user") last_user = &message;
    }
    const std::string& suffix = options_.thinking == Thinking::kOn    ? thinking_.on_suffix
                                : options_.thinking == Thinking::kOff ? thinking_.off_suffix
                                                                      : no_suffix_;
    if (!suffix.empty() && last_user != nullptr) {
      (*last_user)["content"] = string_member(*last_user, "content") + suffix;
    }
    const Json& last = messages_.back();
    const auto prefix = last.find("prefix");
    if (string_member(last, "role") == "assistant" && prefix != last.end() && *prefix == true) {
      prefix_ = last;
      messages_.erase(messages_.size() - 1);
      variables_["add_generation_prompt"] = true;
    }
    for (Json& message : messages_) message.erase("prefix");
    return {};
  }

  Result<std::vector<Segment>> render_as(const Json& messages, const Shape& shape) const {
    Json variables = variables_;
    variables["messages"] = messages;
    for (size_t i = 0; i < messages.size(); ++i) {
      Json& message = variables["messages"][i];
      const auto calls = message.find("tool_calls");
      if (calls != message.end() && calls->is_null()) {
        message.erase("tool_calls");
      } else if (calls != message.end()) {
        FREEHOLD_TRY(shape_tool_calls(*calls, i, shape));
      }
      const auto content = message.find("content");
      const bool none = content == message.end() || content->is_null();
      if (none) message["content"] = shape.none_content ? Json() : Json("");
    }
    return template_.render_segments(variables, {.limits = options_.limits, .now = options_.now});
  }

  // Whether the template prints an object's arguments as Python would, {'like': 'this'}, rather
  // than as JSON: it wants them as text.
  bool prints_objects_as_python() const {
    const Json probe = Json::parse(
        R"([{"role": "user", "content": "x"}, {"role": "assistant", "content": "",
            "tool_calls": [{"id": "probe0000", "type": "function", "function":
              {"name": "probe", "arguments": {"probe_key": "probe_value"}}}]}])");
    const auto segments = render_as(probe, kShapes[0]);
    if (!segments) return false;
    std::string text;
    for (const Segment& segment : *segments) text += segment.text;
    return text.find("{'probe_key'") != std::string::npos;
  }

  Result<std::vector<Segment>> render() const {
    bool has_calls = false;
    bool has_none = false;
    for (const Json& message : messages_) {
      has_calls = has_calls || message.contains("tool_calls");
      has_none = has_none || !message.contains("content") || message["content"].is_null();
    }
    std::optional<base::Error> first;
    const bool wants_text = has_calls && prints_objects_as_python();
    for (const Shape& shape : kShapes) {
      const bool pointless = (wants_text && shape.object_arguments) ||
                             (!has_calls && !shape.object_arguments) ||
                             (!has_none && !shape.none_content);
      if (pointless) continue;
      auto segments = render_as(messages_, shape);
      if (segments) return segments;
      if (!first) first = std::move(segments.error());
      if (first->code != ErrorCode::kInvalidArgument) break;
    }
    return base::in_context("chat template", std::move(*first));
  }

  bool ends_with(std::string_view marker) const {
    std::string tail;
    for (auto it = prompt_.segments.rbegin(); it != prompt_.segments.rend(); ++it) {
      tail.insert(0, it->text);
      if (tail.size() > marker.size() + 16) break;
    }
    const std::string_view text =
        std::string_view(tail).substr(0, tail.find_last_not_of(" \t\r\n") + 1);
    return !marker.empty() && text.ends_with(marker);
  }

  void append(std::string_view text, bool trusted) {
    if (text.empty()) return;
    if (prompt_.segments.empty() || prompt_.segments.back().trusted != trusted) {
      prompt_.segments.push_back({"", trusted});
    }
    prompt_.segments.back().text += text;
  }

  // Thinking that is to be off, where the template itself can't say so.
  void close_thinking() {
    if (options_.thinking != Thinking::kOff || !variables_["add_generation_prompt"].get<bool>()) {
      return;
    }
    if (ends_with(thinking_.start_marker)) {
      append(thinking_.end_text, true);
    } else if (!thinking_.off_prefill.empty() && !ends_with(thinking_.end_marker)) {
      append(thinking_.off_prefill, true);
    }
  }

  void continue_prefix() {
    if (prefix_.is_null()) return;
    const std::string reasoning = string_member(prefix_, "reasoning_content");
    const bool open = ends_with(thinking_.start_marker);
    if (thinking_.supported && (open || !reasoning.empty())) {
      if (!open) append(thinking_.start_marker + "\n", true);
      append(reasoning, false);
      append(thinking_.end_text, true);
    } else {
      append(thinking_.answer_start, true);
    }
    append(string_member(prefix_, "content"), false);
  }

  const Template& template_;
  const ThinkingControl& thinking_;
  const Json& request_;
  const PromptOptions& options_;
  const std::string no_suffix_;
  Json variables_;
  Json messages_;
  Json prefix_;
  Prompt prompt_;
};

}  // namespace

Result<Prompt> build_prompt(const Template& chat_template, const ThinkingControl& thinking,
                            const Json& request, const PromptOptions& options) {
  return Builder(chat_template, thinking, request, options).build();
}

Result<Template> fallback_template(const std::function<bool(std::string_view)>& has_token) {
  for (const std::string_view token : {"<|im_start|>", "<|im_end|>"}) {
    if (has_token(token)) continue;
    return base::fail(ErrorCode::kUnsupported,
                      "the model file has no chat template and its vocabulary no `" +
                          std::string(token) + "`, so ChatML won't do; give a template of its own");
  }
  return Template::parse(kChatMl);
}

}  // namespace freehold::chat
