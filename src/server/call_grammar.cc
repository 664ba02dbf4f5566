// Owns the joining of a frame with the schemas of tools. Where arguments stand one by one, strings
// are written without "<", which is where every frame's end begins.
#include "server/call_grammar.h"

#include <algorithm>
#include <array>
#include <set>

#include "server/json_schema.h"

namespace freehold::server {
namespace {

using Expr = GrammarBuilder::Expr;
using base::ErrorCode;
using base::Result;

// What a string's schema may say besides its type without binding it.
constexpr std::array<std::string_view, 7> kNotes = {
    "type", "title", "description", "default", "examples", "$comment", "deprecated"};

base::Status only_known(const Json& schema, std::initializer_list<std::string_view> more) {
  for (const auto& [key, value] : schema.items()) {
    const bool known = std::ranges::find(kNotes, key) != kNotes.end() ||
                       std::ranges::find(more, key) != more.end();
    if (known) continue;
    return base::fail(
        ErrorCode::kUnsupported,
        "`" + key + "` can't be kept to where this model writes arguments one by one");
  }
  return {};
}

}  // namespace

Expr CallGrammar::marked(std::string_view text) {
  // A control token is found by its brackets: <...>, [...] or ｜...｜.
  constexpr std::pair<std::string_view, std::string_view> kBrackets[] = {
      {"<", ">"}, {"[", "]"}, {"｜", "｜"}};
  std::vector<Expr> parts;
  std::string plain;
  while (!text.empty()) {
    size_t size = 0;
    for (const auto& [open, close] : kBrackets) {
      if (!text.starts_with(open)) continue;
      const size_t end = text.find(close, open.size());
      if (end == std::string_view::npos) continue;
      const std::string marker(text.substr(0, end + close.size()));
      if (trie_.control(marker) >= 0) size = marker.size();
    }
    if (size == 0) {
      plain += text.front();
      text.remove_prefix(1);
      continue;
    }
    parts.push_back(b_.text(plain));
    parts.push_back(b_.special(text.substr(0, size)));
    plain.clear();
    text.remove_prefix(size);
  }
  parts.push_back(b_.text(plain));
  return b_.sequence(std::move(parts));
}

Expr CallGrammar::free_text() {
  return b_.repeat(b_.code_points(complement({{'<', '<'}})), 0, std::nullopt);
}

Result<Expr> CallGrammar::argument(const std::string& name, const Json& root, const Json& schema) {
  const Json* type = schema.is_object() && schema.contains("type") ? &schema["type"] : nullptr;
  if (type == nullptr || !type->is_string()) {
    return base::fail(ErrorCode::kUnsupported,
                      "argument `" + name +
                          "` needs one `type` where this model writes arguments "
                          "one by one");
  }
  const bool is_string = *type == "string";
  Expr value = free_text();
  if (is_string && (schema.contains("enum") || schema.contains("const"))) {
    FREEHOLD_TRY(only_known(schema, {"enum", "const"}));
    const Json list = schema.contains("enum") ? schema["enum"] : Json::array({schema["const"]});
    std::vector<Expr> options;
    for (const auto& item : list) {
      if (!item.is_string()) continue;
      const auto& text = item.get_ref<const std::string&>();
      if (text.find('<') == std::string::npos) options.push_back(b_.text(text));
    }
    value = b_.any_of(std::move(options));
  } else if (is_string) {
    FREEHOLD_TRY(only_known(schema, {}));
  } else {
    // With the root's definitions at hand for its references.
    Json whole = schema;
    for (const char* key : {"$defs", "definitions"}) {
      if (root.contains(key) && !whole.contains(key)) whole[key] = root[key];
    }
    FREEHOLD_ASSIGN(value, schema_expr(whole, b_, json_));
  }
  const std::string& key_end = is_string ? frame_.key_end_string : frame_.key_end;
  return b_.sequence(
      {marked(frame_.key_begin), b_.text(name), marked(key_end), value, marked(frame_.value_end)});
}

Result<Expr> CallGrammar::listed_arguments(const Json& schema) {
  FREEHOLD_TRY(only_known(schema, {"properties", "required", "additionalProperties", "$defs",
                                   "definitions", "$schema"}));
  std::set<std::string> required;
  if (schema.contains("required") && schema["required"].is_array()) {
    for (const auto& name : schema["required"]) {
      if (name.is_string()) required.insert(name.get<std::string>());
    }
  }
  std::vector<Expr> parts;
  const Json none = Json::object();
  const bool has = schema.contains("properties") && schema["properties"].is_object();
  for (const auto& [name, property] : (has ? schema["properties"] : none).items()) {
    if (name.find_first_of("<>\"\n") != std::string::npos) {
      return base::fail(ErrorCode::kUnsupported, "argument `" + name + "` can't be named so");
    }
    FREEHOLD_ASSIGN(const Expr expr, argument(name, schema, property));
    parts.push_back(required.erase(name) > 0 ? expr : b_.optional(expr));
  }
  if (!required.empty()) {
    return base::fail(ErrorCode::kUnsupported,
                      "`" + *required.begin() + "` is required but not among `properties`");
  }
  return b_.sequence(std::move(parts));
}

Result<Expr> CallGrammar::arguments(const Json& schema) {
  if (!frame_.key_begin.empty()) return listed_arguments(schema);
  return schema_expr(schema, b_, json_);
}

Result<Expr> CallGrammar::compile(const Spec& spec, bool opened) {
  std::vector<Expr> options;
  for (const auto& tool : spec.tools) {
    const bool wanted =
        spec.tool_choice.kind != ToolChoice::Kind::kNamed || tool.name == spec.tool_choice.name;
    if (!wanted) continue;
    auto body = arguments(tool.parameters);
    const bool bound = tool.strict || !frame_.key_begin.empty();
    if (!body && bound) return base::in_context("tool `" + tool.name + "`", body.error());
    std::vector<Expr> parts = {b_.text(tool.name)};
    if (frame_.numbered) {
      parts.push_back(b_.text(":"));
      parts.push_back(b_.repeat(b_.bytes('0', '9'), 1, 2));
    }
    parts.push_back(marked(frame_.name_end));
    // Without `strict` the schema is advice where it can't be followed to the letter.
    parts.push_back(body ? *body : json_.object());
    options.push_back(b_.sequence(std::move(parts)));
  }
  const Expr call = b_.shared(b_.sequence(
      {marked(frame_.call_begin), b_.any_of(std::move(options)), marked(frame_.call_end)}));
  std::vector<Expr> parts;
  if (!opened) parts.push_back(marked(frame_.open));
  parts.push_back(call);
  // After its first call an opened group may go on only where a closing marker ends it.
  if (spec.parallel_tool_calls && !frame_.single && (!opened || !frame_.close.empty())) {
    const Expr more = b_.sequence({marked(frame_.between), call});
    parts.push_back(b_.repeat(more, 0, 63));
  }
  parts.push_back(marked(frame_.close));
  return b_.sequence(std::move(parts));
}

}  // namespace freehold::server
