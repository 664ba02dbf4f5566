// simdjson without its exceptions.
#include "tokenizer/json.h"

#include "base/file.h"

namespace freehold::tokenizer {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

constexpr uint64_t kMaxFileBytes = 256U << 20U;

template <typename T>
Result<std::optional<T>> typed(Json object, std::string_view key, std::string_view expected) {
  const std::optional<Json> value = member(object, key);
  if (!value) return std::nullopt;
  T out{};
  if (value->get(out) != simdjson::SUCCESS) {
    return fail(ErrorCode::kBadFormat,
                "`" + std::string(key) + "` is not " + std::string(expected));
  }
  return out;
}

}  // namespace

Result<JsonFile> JsonFile::parse(std::string_view text, std::string_view name) {
  JsonFile file;
  file.parser_ = std::make_unique<simdjson::dom::parser>();
  const simdjson::padded_string padded(text);
  const auto error = file.parser_->parse(padded).get(file.root_);
  if (error != simdjson::SUCCESS) {
    return fail(ErrorCode::kBadFormat,
                std::string(name) + " is not JSON: " + simdjson::error_message(error));
  }
  if (!file.root_.is_object()) {
    return fail(ErrorCode::kBadFormat, std::string(name) + " is not a JSON object");
  }
  return file;
}

Result<JsonFile> JsonFile::open(const std::filesystem::path& path) {
  FREEHOLD_ASSIGN(const std::string text, base::read_file(path, kMaxFileBytes));
  return parse(text, path.filename().string());
}

std::optional<Json> member(Json object, std::string_view key) {
  Json value;
  if (object.at_key(key).get(value) != simdjson::SUCCESS || value.is_null()) return std::nullopt;
  return value;
}

Result<std::optional<std::string_view>> text_member(Json object, std::string_view key) {
  return typed<std::string_view>(object, key, "a string");
}
Result<std::optional<bool>> flag_member(Json object, std::string_view key) {
  return typed<bool>(object, key, "true or false");
}
Result<std::optional<int64_t>> integer_member(Json object, std::string_view key) {
  return typed<int64_t>(object, key, "an integer");
}
Result<std::optional<simdjson::dom::array>> array_member(Json object, std::string_view key) {
  return typed<simdjson::dom::array>(object, key, "an array");
}

Result<std::string_view> type_of(Json object) {
  FREEHOLD_ASSIGN(const std::optional<std::string_view> type, text_member(object, "type"));
  if (!type) return fail(ErrorCode::kBadFormat, "a part of tokenizer.json has no `type`");
  return *type;
}

}  // namespace freehold::tokenizer
