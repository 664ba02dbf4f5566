// Owns the joining of schemas for allOf, anyOf with siblings, and $ref with siblings.
#include "server/schema_merge.h"

#include <algorithm>
#include <set>

namespace freehold::server {
namespace {

using Json = nlohmann::ordered_json;
using base::ErrorCode;
using base::fail;
using base::Result;

// "integer" is a kind of "number".
bool covers(const std::string& wide, const std::string& narrow) {
  return wide == narrow || (wide == "number" && narrow == "integer");
}

Json merge_types(const Json& a, const Json& b) {
  Json out = Json::array();
  for (const auto& one : types_of({{"type", a}})) {
    for (const auto& other : types_of({{"type", b}})) {
      const std::string& narrow = covers(one, other) ? other : one;
      const bool both = covers(one, other) || covers(other, one);
      if (both && std::ranges::find(out, Json(narrow)) == out.end()) out.push_back(narrow);
    }
  }
  return out;
}

Result<Json> merge_properties(const Json& a, const Json& b) {
  Json out = a["properties"];
  for (const auto& [name, schema] : b["properties"].items()) {
    if (!out.contains(name)) {
      out[name] = schema;
      continue;
    }
    FREEHOLD_ASSIGN(out[name], merge_schemas(out[name], schema));
  }
  return out;
}

// A side that is closed forbids the properties that only the other names.
void close(const Json& side, const Json& other, Json& properties) {
  if (side.value("additionalProperties", Json(true)) != Json(false)) return;
  const Json named = side.value("properties", Json::object());
  const Json others = other.value("properties", Json::object());
  for (const auto& [name, schema] : others.items()) {
    if (!named.contains(name)) properties[name] = false;
  }
}

}  // namespace

bool is_annotation(std::string_view keyword) {
  static const std::set<std::string_view> kNames = {
      "title",         "description", "default",  "examples",        "deprecated",
      "readOnly",      "writeOnly",   "$comment", "$schema",         "$defs",
      "definitions",   "$id",         "$anchor",  "contentEncoding", "contentMediaType",
      "contentSchema", "$vocabulary", "example",  "nullable"};
  return kNames.contains(keyword);
}

std::vector<std::string> types_of(const Json& schema) {
  std::vector<std::string> types;
  const auto found = schema.find("type");
  if (found == schema.end()) return types;
  const Json list = found->is_array() ? *found : Json::array({*found});
  for (const auto& item : list) types.push_back(item.is_string() ? item.get<std::string>() : "?");
  return types;
}

Result<Json> merge_schemas(const Json& a, const Json& b) {
  if (a == Json(false) || b == Json(false)) return Json(false);
  if (a == Json(true)) return b;
  if (b == Json(true)) return a;
  if (!a.is_object() || !b.is_object()) {
    return fail(ErrorCode::kBadFormat, "a schema must be an object or a boolean");
  }
  Json out = a;
  for (const auto& [key, value] : b.items()) {
    if (!a.contains(key) || is_annotation(key) || a[key] == value) {
      if (!a.contains(key)) out[key] = value;
      continue;
    }
    const Json& mine = a[key];
    const bool numbers = mine.is_number() && value.is_number();
    if (key == "type") {
      out[key] = merge_types(mine, value);
      if (out[key].empty()) return Json(false);
    } else if (key == "properties") {
      FREEHOLD_ASSIGN(out[key], merge_properties(a, b));
    } else if (key == "required" && mine.is_array() && value.is_array()) {
      for (const auto& name : value) {
        if (std::ranges::find(out[key], name) == out[key].end()) out[key].push_back(name);
      }
    } else if (key == "enum" && mine.is_array() && value.is_array()) {
      out[key] = Json::array();
      for (const auto& item : mine) {
        if (std::ranges::find(value, item) != value.end()) out[key].push_back(item);
      }
      if (out[key].empty()) return Json(false);
    } else if (key == "const") {
      return Json(false);
    } else if (numbers && (key.starts_with("min") || key == "exclusiveMinimum")) {
      out[key] = std::max(mine, value);
    } else if (numbers && (key.starts_with("max") || key == "exclusiveMaximum")) {
      out[key] = std::min(mine, value);
    } else if (key == "items" || key == "additionalProperties") {
      FREEHOLD_ASSIGN(out[key], merge_schemas(mine, value));
    } else {
      return fail(ErrorCode::kUnsupported, "schemas that both have `" + key + "` can't be joined");
    }
  }
  if (out.contains("properties")) {
    close(a, b, out["properties"]);
    close(b, a, out["properties"]);
  }
  return out;
}

}  // namespace freehold::server
