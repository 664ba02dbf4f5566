// Owns the walk over a schema: references, combinators, types. Recursion is as deep as the schema
// is nested, at most kMaxDepth; a reference is compiled once.
#include "server/json_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "server/schema_compiler.h"

namespace freehold::server {
namespace {

using Json = nlohmann::ordered_json;
using base::ErrorCode;
using base::fail;
using base::Result;

constexpr uint32_t kMaxDepth = 64;
constexpr uint32_t kMaxSchemas = 20'000;

const std::set<std::string_view> kStringWords = {"minLength", "maxLength", "pattern", "format"};
const std::set<std::string_view> kNumberWords = {"minimum", "maximum", "exclusiveMinimum",
                                                 "exclusiveMaximum", "multipleOf"};
const std::set<std::string_view> kArrayWords = {"items", "prefixItems", "minItems", "maxItems",
                                                "uniqueItems"};
const std::set<std::string_view> kObjectWords = {"properties", "required", "additionalProperties",
                                                 "minProperties", "maxProperties"};
const std::set<std::string_view> kGeneralWords = {"type",  "enum",  "const", "$ref",
                                                  "anyOf", "oneOf", "allOf"};

bool restricts(const Json& schema) {
  return std::ranges::any_of(schema.items(),
                             [](const auto& member) { return !is_annotation(member.key()); });
}

base::Status check_words(const Json& schema) {
  for (const auto& [key, value] : schema.items()) {
    const bool known = is_annotation(key) || kStringWords.contains(key) ||
                       kNumberWords.contains(key) || kArrayWords.contains(key) ||
                       kObjectWords.contains(key) || kGeneralWords.contains(key);
    if (!known) {
      return fail(ErrorCode::kUnsupported,
                  "the schema's keyword `" + key.substr(0, 64) + "` can't be constrained here");
    }
  }
  return {};
}

// A schema without a type takes any value, and its words hold for the types that they are about.
// What it is meant for is clear from the words; without any, it is any value.
std::vector<std::string> implied_types(const Json& schema) {
  std::vector<std::string> types;
  const auto has = [&](const auto& words) {
    return std::ranges::any_of(
        words, [&](std::string_view word) { return schema.contains(std::string(word)); });
  };
  if (has(kObjectWords)) types.emplace_back("object");
  if (has(kArrayWords)) types.emplace_back("array");
  if (has(kStringWords)) types.emplace_back("string");
  if (has(kNumberWords)) types.emplace_back("number");
  return types;
}

std::string type_name(const Json& value) {
  if (value.is_number_integer()) return "integer";
  if (value.is_number()) return "number";
  return value.is_boolean() ? "boolean" : value.type_name();
}

bool has_type(const Json& value, const std::vector<std::string>& types) {
  const std::string type = type_name(value);
  return types.empty() || std::ranges::any_of(types, [&](const std::string& wanted) {
           return wanted == type || (wanted == "number" && type == "integer");
         });
}

}  // namespace

Result<uint64_t> schema_count(const Json& schema, const char* keyword, uint64_t most,
                              uint64_t otherwise) {
  const auto found = schema.find(keyword);
  if (found == schema.end()) return otherwise;
  const bool whole = found->is_number() && found->get<double>() >= 0 &&
                     found->get<double>() == static_cast<double>(found->get<uint64_t>());
  if (!whole) {
    return fail(ErrorCode::kBadFormat, fmt::format("`{}` must be a whole number", keyword));
  }
  if (found->get<double>() > static_cast<double>(most)) {
    return fail(ErrorCode::kLimitExceeded, fmt::format("`{}` is over {}", keyword, most));
  }
  return found->get<uint64_t>();
}

Result<SchemaCompiler::Expr> SchemaCompiler::compile(const Json& schema, uint32_t depth) {
  if (depth > kMaxDepth || ++n_schemas_ > kMaxSchemas) {
    return fail(ErrorCode::kLimitExceeded, "the schema is nested too deeply or too large");
  }
  if (schema == Json(false)) return b_.never();
  if (schema == Json(true)) return json_.value();
  if (!schema.is_object()) {
    return fail(ErrorCode::kBadFormat, "a schema must be an object or a boolean");
  }
  if (!restricts(schema)) return json_.value();
  FREEHOLD_TRY(check_words(schema));
  if (schema.contains("$ref")) return compile_reference(schema, depth);
  if (schema.contains("allOf")) return compile_all_of(schema, depth);
  if (schema.contains("anyOf")) return compile_branches(schema, "anyOf", depth);
  if (schema.contains("oneOf")) return compile_branches(schema, "oneOf", depth);
  if (schema.contains("enum") || schema.contains("const")) return compile_enum(schema);
  std::vector<std::string> types = types_of(schema);
  if (types.empty()) types = implied_types(schema);
  if (types.empty()) return json_.value();
  std::vector<Expr> options;
  for (const auto& type : types) {
    FREEHOLD_ASSIGN(const Expr option, compile_type(type, schema, depth));
    options.push_back(option);
  }
  return b_.any_of(std::move(options));
}

Result<const Json*> SchemaCompiler::resolve(const std::string& reference) const {
  if (!reference.starts_with('#') || (reference.size() > 1 && reference[1] != '/')) {
    return fail(ErrorCode::kUnsupported, "`$ref` must point into the schema itself: #/$defs/NAME");
  }
  const Json* at = &root_;
  size_t begin = 2;
  while (begin <= reference.size() && reference.size() > 1) {
    const size_t end = std::min(reference.find('/', begin), reference.size());
    std::string name = reference.substr(begin, end - begin);
    for (const auto& [code, text] :
         {std::pair{"~1", "/"}, {"~0", "~"}, {"%25", "%"}, {"%22", "\""}}) {
      for (size_t found = 0; (found = name.find(code, found)) != std::string::npos; ++found) {
        name.replace(found, std::string_view(code).size(), text);
      }
    }
    const bool index = at->is_array() && !name.empty() && name.size() < 6 &&
                       std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; });
    if (at->is_object() && at->contains(name)) {
      at = &(*at)[name];
    } else if (index && std::stoul(name) < at->size()) {
      at = &(*at)[std::stoul(name)];
    } else {
      return fail(ErrorCode::kBadFormat, "`$ref` points to nothing");
    }
    begin = end + 1;
  }
  return at;
}

Result<SchemaCompiler::Expr> SchemaCompiler::compile_reference(const Json& schema, uint32_t depth) {
  if (!schema["$ref"].is_string()) return fail(ErrorCode::kBadFormat, "`$ref` must be a string");
  const auto name = schema["$ref"].get<std::string>();
  FREEHOLD_ASSIGN(const Json* target, resolve(name));
  Json beside = schema;
  beside.erase("$ref");
  if (restricts(beside)) {
    FREEHOLD_ASSIGN(const Json joined, merge_schemas(*target, beside));
    return compile(joined, depth + 1);
  }
  if (const auto known = references_.find(name); known != references_.end()) {
    return b_.call(known->second);
  }
  const auto rule = b_.new_rule();
  references_.emplace(name, rule);
  FREEHOLD_ASSIGN(const Expr body, compile(*target, depth + 1));
  b_.define(rule, body);
  return b_.call(rule);
}

Result<SchemaCompiler::Expr> SchemaCompiler::compile_all_of(const Json& schema, uint32_t depth) {
  Json joined = schema;
  joined.erase("allOf");
  if (!schema["allOf"].is_array()) return fail(ErrorCode::kBadFormat, "`allOf` must be an array");
  for (const auto& part : schema["allOf"]) {
    const Json* whole = &part;
    // References are followed here, since what they point to is to be joined.
    for (int i = 0; i < 16 && whole->is_object() && whole->size() == 1 && whole->contains("$ref") &&
                    (*whole)["$ref"].is_string();
         ++i) {
      FREEHOLD_ASSIGN(whole, resolve((*whole)["$ref"].get<std::string>()));
    }
    FREEHOLD_ASSIGN(joined, merge_schemas(joined, *whole));
  }
  return compile(joined, depth + 1);
}

Result<SchemaCompiler::Expr> SchemaCompiler::compile_branches(const Json& schema,
                                                              const std::string& keyword,
                                                              uint32_t depth) {
  Json beside = schema;
  beside.erase(keyword);
  const Json& list = schema[keyword];
  if (!list.is_array() || list.empty()) {
    return fail(ErrorCode::kBadFormat, "`" + keyword + "` must be an array with a schema in it");
  }
  if (keyword == "oneOf") {
    for (size_t i = 0; i < list.size(); ++i) {
      for (size_t j = i + 1; j < list.size(); ++j) {
        if (disjoint(list[i], list[j], 0)) continue;
        return fail(ErrorCode::kUnsupported,
                    "the branches of a `oneOf` may both hold; use `anyOf`");
      }
    }
  }
  const bool joins = restricts(beside);
  std::vector<Expr> options;
  for (const auto& branch : list) {
    Json whole = branch;
    if (joins && branch.is_object() && branch.size() == 1 && branch.contains("$ref") &&
        branch["$ref"].is_string()) {
      FREEHOLD_ASSIGN(const Json* target, resolve(branch["$ref"].get<std::string>()));
      whole = *target;
    }
    if (joins) {
      FREEHOLD_ASSIGN(whole, merge_schemas(beside, whole));
    }
    FREEHOLD_ASSIGN(const Expr option, compile(whole, depth + 1));
    options.push_back(option);
  }
  return b_.shared(b_.any_of(std::move(options)));
}

bool SchemaCompiler::disjoint(const Json& a, const Json& b, uint32_t depth) const {
  if (a == Json(false) || b == Json(false)) return true;
  if (!a.is_object() || !b.is_object() || depth > 8) return false;
  for (const auto& [one, other] : {std::pair{&a, &b}, {&b, &a}}) {
    if (one->contains("$ref") && (*one)["$ref"].is_string()) {
      const auto target = resolve((*one)["$ref"].get<std::string>());
      if (target && disjoint(**target, *other, depth + 1)) return true;
    }
  }
  const auto values = [](const Json& schema) {
    if (schema.contains("const")) return Json::array({schema["const"]});
    return schema.value("enum", Json());
  };
  const Json mine = values(a);
  const Json theirs = values(b);
  const auto fits = [](const Json& list, const Json& schema) {
    return std::ranges::any_of(list, [&](const Json& v) { return has_type(v, types_of(schema)); });
  };
  if (mine.is_array() && theirs.is_array()) {
    return std::ranges::none_of(
        mine, [&](const Json& v) { return std::ranges::find(theirs, v) != theirs.end(); });
  }
  if (mine.is_array()) return !fits(mine, b);
  if (theirs.is_array()) return !fits(theirs, a);
  const auto types = types_of(a);
  const auto others = types_of(b);
  const bool apart = !types.empty() && !others.empty() &&
                     std::ranges::none_of(types, [&](const std::string& type) {
                       return std::ranges::any_of(others, [&](const std::string& other) {
                         return type == other || (type == "number" && other == "integer") ||
                                (type == "integer" && other == "number");
                       });
                     });
  if (apart) return true;
  // Objects that must have the same member with values that differ: a tag.
  if (!a.contains("properties") || !b.contains("properties")) return false;
  const Json required = a.value("required", Json::array());
  const Json their_required = b.value("required", Json::array());
  if (types != std::vector<std::string>{"object"} || others != types) return false;
  return std::ranges::any_of(required, [&](const Json& name) {
    return name.is_string() && std::ranges::find(their_required, name) != their_required.end() &&
           a["properties"].contains(name.get<std::string>()) &&
           b["properties"].contains(name.get<std::string>()) &&
           disjoint(a["properties"][name.get<std::string>()],
                    b["properties"][name.get<std::string>()], depth + 1);
  });
}

Result<SchemaCompiler::Expr> SchemaCompiler::compile_enum(const Json& schema) {
  const auto types = types_of(schema);
  Json values = schema.contains("const") ? Json::array({schema["const"]}) : schema["enum"];
  if (!values.is_array()) return fail(ErrorCode::kBadFormat, "`enum` must be an array");
  for (const auto& [key, value] : schema.items()) {
    if (is_annotation(key) || key == "type" || key == "const" || key == "enum") continue;
    return fail(ErrorCode::kUnsupported, "`" + key + "` beside `enum` or `const`");
  }
  std::vector<Expr> options;
  for (const auto& value : values) {
    const bool listed = !schema.contains("const") || !schema.contains("enum") ||
                        std::ranges::find(schema["enum"], value) != schema["enum"].end();
    if (!listed || !has_type(value, types)) continue;
    options.push_back(b_.text(value.dump(-1, ' ', false, Json::error_handler_t::replace)));
  }
  return b_.shared(b_.any_of(std::move(options)));
}

Result<SchemaCompiler::Expr> SchemaCompiler::compile_type(const std::string& type,
                                                          const Json& schema, uint32_t depth) {
  if (type == "object") return compile_object(schema, depth);
  if (type == "array") return compile_array(schema, depth);
  if (type == "string") return compile_string(schema);
  if (type == "integer") return compile_number(schema, true);
  if (type == "number") return compile_number(schema, false);
  if (type == "boolean") return json_.boolean();
  if (type == "null") return json_.null();
  return fail(ErrorCode::kBadFormat, "`type` must name JSON types");
}

Result<GrammarBuilder::Expr> schema_expr(const Json& schema, GrammarBuilder& builder,
                                         JsonGrammar& json) {
  SchemaCompiler compiler(schema, builder, json);
  return compiler.compile(schema);
}

Result<Grammar> schema_grammar(const Json& schema) {
  GrammarBuilder builder;
  JsonGrammar json(builder);
  FREEHOLD_ASSIGN(const GrammarBuilder::Expr root, schema_expr(schema, builder, json));
  return builder.finish(root);
}

}  // namespace freehold::server
