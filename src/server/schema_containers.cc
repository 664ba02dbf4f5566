// Owns the schemas of arrays and objects.
#include <algorithm>
#include <set>

#include "server/schema_compiler.h"

namespace freehold::server {
namespace {

using Json = nlohmann::ordered_json;
using base::ErrorCode;
using base::fail;
using base::Result;

constexpr uint64_t kMaxItems = 10'000;
constexpr size_t kMaxProperties = 2000;

std::string quoted(const std::string& name) {
  return Json(name).dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

Result<SchemaCompiler::Expr> SchemaCompiler::compile_array(const Json& schema, uint32_t depth) {
  FREEHOLD_ASSIGN(const uint64_t least, schema_count(schema, "minItems", kMaxItems, 0));
  FREEHOLD_ASSIGN(uint64_t most, schema_count(schema, "maxItems", UINT32_MAX, UINT32_MAX));
  if (schema.value("uniqueItems", Json(false)) != Json(false) && most > 1) {
    return fail(ErrorCode::kUnsupported,
                "the schema's keyword `uniqueItems` can't be constrained here");
  }
  const Json prefix = schema.value("prefixItems", Json::array());
  const Json rest = schema.value("items", Json(true));
  if (!prefix.is_array() || rest.is_array()) {
    return fail(ErrorCode::kUnsupported, "`prefixItems` is an array and `items` is a schema");
  }
  if (rest == Json(false)) most = std::min<uint64_t>(most, prefix.size());
  if (most < least) return b_.never();
  std::vector<Expr> heads;
  for (const auto& item : prefix) {
    if (heads.size() >= most) break;
    FREEHOLD_ASSIGN(const Expr head, compile(item, depth + 1));
    heads.push_back(b_.shared(head));
  }
  FREEHOLD_ASSIGN(const Expr tail, compile(rest, depth + 1));
  const Expr item = b_.shared(tail);
  // From the end: what may follow the i-th item.
  const auto n = static_cast<uint32_t>(heads.size());
  const auto count = [&](uint64_t value) {
    return static_cast<uint32_t>(std::min<uint64_t>(value, kMaxItems) -
                                 std::min<uint64_t>(std::min<uint64_t>(value, kMaxItems), n));
  };
  const bool endless = most == UINT32_MAX;
  const uint32_t tails = count(least);
  const std::optional<uint32_t> limit = endless ? std::nullopt : std::optional(count(most));
  Expr after = b_.repeat(b_.sequence({json_.comma(), item}), tails, limit);
  if (n == 0) {
    if (most == 0) return b_.sequence({b_.text("["), json_.space(), b_.text("]")});
    const uint32_t more = tails == 0 ? 0 : tails - 1;
    const Expr others = b_.repeat(b_.sequence({json_.comma(), item}), more,
                                  limit ? std::optional(*limit - 1) : std::nullopt);
    after = b_.sequence({item, others, json_.space()});
    if (least == 0) after = b_.optional(after);
    return b_.shared(b_.sequence({b_.text("["), json_.space(), after, b_.text("]")}));
  }
  for (uint32_t i = n; i-- > 0;) {
    std::vector<Expr> parts;
    if (i > 0) parts.push_back(json_.comma());
    parts.push_back(heads[i]);
    parts.push_back(after);
    after = b_.shared(b_.sequence(std::move(parts)));
    if (i >= least) after = b_.optional(after);
  }
  return b_.shared(b_.sequence({b_.text("["), json_.space(), after, json_.space(), b_.text("]")}));
}

SchemaCompiler::Expr SchemaCompiler::other_name(std::vector<std::string> names) {
  // A tree of the names, walked byte by byte; whoever leaves it is free. Names are written without
  // escapes here, so that one name has one writing.
  const Expr plain = b_.code_points({{0x20, 0x21}, {0x23, 0x5b}, {0x5d, 0x7f}});
  const Expr free = b_.shared(b_.repeat(plain, 0, 64));
  std::ranges::sort(names);
  struct Walk {
    const std::vector<std::string>& names;
    GrammarBuilder& b;
    Expr free;

    Expr from(size_t begin, size_t end, size_t depth) {
      std::vector<Expr> options;
      const bool whole = begin < end && names[begin].size() == depth;
      if (!whole && depth > 0) options.push_back(b.nothing());
      size_t at = begin + (whole ? 1 : 0);
      std::set<uint8_t> taken;
      while (at < end) {
        const auto byte = static_cast<uint8_t>(names[at][depth]);
        size_t to = at;
        while (to < end && static_cast<uint8_t>(names[to][depth]) == byte) ++to;
        taken.insert(byte);
        const bool printable = byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
        if (printable && depth < 60) {
          options.push_back(b.sequence({b.bytes(byte, byte), from(at, to, depth + 1)}));
        }
        at = to;
      }
      for (uint8_t byte = 0x20; byte < 0x7f; ++byte) {
        if (byte == '"' || byte == '\\' || taken.contains(byte)) continue;
        options.push_back(b.sequence({b.bytes(byte, byte), free}));
      }
      return b.any_of(std::move(options));
    }
  };
  Walk walk{names, b_, free};
  return b_.shared(b_.sequence({b_.text("\""), walk.from(0, names.size(), 0), b_.text("\"")}));
}

Result<SchemaCompiler::Expr> SchemaCompiler::compile_members(const Json& schema, uint32_t depth) {
  const Json properties = schema.value("properties", Json::object());
  std::set<std::string> required;
  for (const auto& name : schema.value("required", Json::array())) {
    if (!name.is_string()) return fail(ErrorCode::kBadFormat, "`required` must be names");
    required.insert(name.get<std::string>());
  }
  const bool open_by_default = properties.empty();
  const Json extra = schema.value("additionalProperties", Json(open_by_default));
  std::vector<std::pair<std::string, const Json*>> members;
  const Json& extra_schema = extra;
  for (const auto& [name, value] : properties.items()) members.emplace_back(name, &value);
  // Required names without a schema of their own have that of the additional ones; without
  // `additionalProperties` they may be anything.
  const Json anything = true;
  for (const auto& name : required) {
    if (properties.contains(name)) continue;
    members.emplace_back(name, schema.contains("additionalProperties") ? &extra_schema : &anything);
  }
  if (members.size() > kMaxProperties) {
    return fail(ErrorCode::kLimitExceeded, "an object in the schema has too many properties");
  }
  Expr tail[2] = {b_.nothing(), b_.nothing()};  // without and with something before
  if (extra != Json(false)) {
    std::vector<std::string> names;
    for (const auto& [name, value] : members) names.push_back(name);
    FREEHOLD_ASSIGN(const Expr value, compile(extra, depth + 1));
    const Expr member = b_.shared(b_.sequence({other_name(names), json_.colon(), value}));
    const Expr more = b_.shared(b_.repeat(b_.sequence({json_.comma(), member}), 0, std::nullopt));
    tail[0] = b_.shared(b_.optional(b_.sequence({member, more})));
    tail[1] = more;
  }
  for (size_t i = members.size(); i-- > 0;) {
    const auto& [name, value] = members[i];
    FREEHOLD_ASSIGN(const Expr body, compile(*value, depth + 1));
    const Expr member = b_.shared(b_.sequence({b_.text(quoted(name)), json_.colon(), body}));
    const bool needed = required.contains(name);
    const Expr first = b_.sequence({member, tail[1]});
    const Expr next = b_.sequence({json_.comma(), member, tail[1]});
    tail[0] = b_.shared(needed ? first : b_.any_of({first, tail[0]}));
    tail[1] = b_.shared(needed ? next : b_.any_of({next, tail[1]}));
  }
  return tail[0];
}

Result<SchemaCompiler::Expr> SchemaCompiler::compile_object(const Json& schema, uint32_t depth) {
  const Json properties = schema.value("properties", Json::object());
  const Json required = schema.value("required", Json::array());
  if (!properties.is_object() || !required.is_array()) {
    return fail(ErrorCode::kBadFormat, "`properties` is an object and `required` an array");
  }
  FREEHOLD_ASSIGN(const uint64_t least, schema_count(schema, "minProperties", UINT32_MAX, 0));
  FREEHOLD_ASSIGN(const uint64_t most,
                  schema_count(schema, "maxProperties", UINT32_MAX, UINT32_MAX));
  const bool closed = schema.value("additionalProperties", Json(properties.empty())) == Json(false);
  if (least > required.size()) {
    return fail(ErrorCode::kUnsupported, "`minProperties` over the number of required ones");
  }
  if (most < properties.size() + (closed ? 0 : UINT32_MAX) && most != UINT32_MAX) {
    if (most == 0 && required.empty()) {
      return b_.sequence({b_.text("{"), json_.space(), b_.text("}")});
    }
    return fail(ErrorCode::kUnsupported, "`maxProperties` under the number of possible ones");
  }
  FREEHOLD_ASSIGN(const Expr members, compile_members(schema, depth));
  return b_.shared(
      b_.sequence({b_.text("{"), json_.space(), members, json_.space(), b_.text("}")}));
}

}  // namespace freehold::server
