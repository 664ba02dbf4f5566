// Owns the border between a client's JSON and typed values.
#include "server/fields.h"

#include <fmt/format.h>

namespace freehold::server {
namespace {

// Depth of brackets outside strings. Counted before parsing, so that nothing recursive sees it.
bool deeper_than(std::string_view text, uint32_t limit) {
  uint32_t depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > limit) return true;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return false;
}

// Names from a client, short and printable, for an error.
std::string shown(std::string_view name) {
  std::string text;
  for (const char c : name.substr(0, 64)) {
    text += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  }
  return text;
}

}  // namespace

ApiResult<Json> parse_object(std::string_view text, uint32_t max_depth) {
  const auto bad = [](std::string message) {
    return std::unexpected(ApiError{.kind = ApiError::Kind::kBadRequest,
                                    .message = std::move(message),
                                    .code = "invalid_json"});
  };
  if (deeper_than(text, max_depth)) {
    return bad(fmt::format("the body's JSON is nested deeper than {}", max_depth));
  }
  Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return bad("the body is not valid JSON in UTF-8");
  if (!json.is_object()) return bad("the body must be a JSON object");
  return json;
}

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Fields::Fields(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
  if (!object_.is_object()) {
    error_ = invalid_field(where_.empty() ? "" : where_.substr(0, where_.size() - 1),
                           where_ + " must be an object");
  }
}

void Fields::fail(std::string_view name, std::string message) {
  if (!error_) error_ = invalid_field(where_ + std::string(name), std::move(message));
}

void Fields::wrong_type(std::string_view name, const char* wanted, const Json& found) {
  fail(name, fmt::format("`{}{}` must be {}, not {}", where_, name, wanted, found.type_name()));
}

const Json* Fields::any(std::string_view name) {
  known_.emplace(name);
  if (error_) return nullptr;
  const auto found = object_.find(std::string(name));
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::optional<double> Fields::number(std::string_view name, double least, double most) {
  const Json* found = any(name);
  if (found == nullptr) return std::nullopt;
  if (!found->is_number()) {
    wrong_type(name, "a number", *found);
    return std::nullopt;
  }
  const double value = found->get<double>();
  if (!(value >= least && value <= most)) {
    fail(name,
         fmt::format("`{}{}` must be between {} and {}, not {}", where_, name, least, most, value));
    return std::nullopt;
  }
  return value;
}

std::optional<int64_t> Fields::integer(std::string_view name, int64_t least, int64_t most) {
  const Json* found = any(name);
  if (found == nullptr) return std::nullopt;
  if (!found->is_number_integer()) {
    wrong_type(name, "a whole number", *found);
    return std::nullopt;
  }
  const bool too_large =
      found->is_number_unsigned() && found->get<uint64_t>() > static_cast<uint64_t>(INT64_MAX);
  const int64_t value = too_large ? INT64_MAX : found->get<int64_t>();
  if (too_large || value < least || value > most) {
    fail(name, fmt::format("`{}{}` must be between {} and {}, not {}", where_, name, least, most,
                           found->dump()));
    return std::nullopt;
  }
  return value;
}

std::optional<bool> Fields::boolean(std::string_view name) {
  const Json* found = any(name);
  if (found == nullptr) return std::nullopt;
  if (!found->is_boolean()) {
    wrong_type(name, "true or false", *found);
    return std::nullopt;
  }
  return found->get<bool>();
}

std::optional<std::string> Fields::string(std::string_view name, size_t max_bytes) {
  const Json* found = any(name);
  if (found == nullptr) return std::nullopt;
  if (!found->is_string()) {
    wrong_type(name, "a string", *found);
    return std::nullopt;
  }
  const auto& text = found->get_ref<const std::string&>();
  if (text.size() > max_bytes) {
    fail(name, fmt::format("`{}{}` has {} bytes; at most {} are taken", where_, name, text.size(),
                           max_bytes));
    return std::nullopt;
  }
  return text;
}

std::optional<std::string> Fields::choice(std::string_view name,
                                          std::initializer_list<std::string_view> allowed) {
  auto text = string(name, 256);
  if (!text) return std::nullopt;
  std::string list;
  for (const auto option : allowed) {
    if (*text == option) return text;
    list += (list.empty() ? "" : ", ") + std::string(option);
  }
  fail(name, fmt::format("`{}{}` must be one of {}, not `{}`", where_, name, list, shown(*text)));
  return std::nullopt;
}

const Json* Fields::object(std::string_view name) {
  const Json* found = any(name);
  if (found == nullptr || found->is_object()) return found;
  wrong_type(name, "an object", *found);
  return nullptr;
}

const Json* Fields::array(std::string_view name, size_t max_items) {
  const Json* found = any(name);
  if (found == nullptr) return nullptr;
  if (!found->is_array()) {
    wrong_type(name, "an array", *found);
    return nullptr;
  }
  if (found->size() > max_items) {
    fail(name, fmt::format("`{}{}` has {} items; at most {} are taken", where_, name, found->size(),
                           max_items));
    return nullptr;
  }
  return found;
}

void Fields::ignore(std::initializer_list<std::string_view> names) {
  for (const auto name : names) known_.emplace(name);
}

void Fields::refuse(std::initializer_list<std::string_view> names) {
  for (const auto name : names) {
    const Json* found = any(name);
    if (found == nullptr || *found == Json(false)) continue;
    if ((found->is_array() || found->is_object() || found->is_string()) && found->empty()) continue;
    fail(name, fmt::format("`{}{}` is not supported by this server; leave it out", where_, name));
  }
}

std::optional<ApiError> Fields::finish() {
  if (error_) return error_;
  for (const auto& [name, value] : object_.items()) {
    if (!known_.contains(name)) {
      fail(shown(name), fmt::format("`{}{}` is not a field of this request", where_, shown(name)));
      error_->code = "unknown_parameter";
      return error_;
    }
  }
  return std::nullopt;
}

}  // namespace freehold::server
