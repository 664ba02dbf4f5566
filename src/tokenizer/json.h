// Reading tokenizer.json and its neighbours: typed members of JSON objects, errors as values.
#pragma once

#include <simdjson.h>

#include <filesystem>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace freehold::tokenizer {

using Json = simdjson::dom::element;

// A parsed file; elements point into it.
class JsonFile {
 public:
  // Errors: kNotFound, kIo, kLimitExceeded (over 256 MiB), kBadFormat (not JSON, or not an object).
  static base::Result<JsonFile> open(const std::filesystem::path& path);
  // The same of text in memory; `name` is for messages.
  static base::Result<JsonFile> parse(std::string_view text, std::string_view name);

  Json root() const { return root_; }

 private:
  std::unique_ptr<simdjson::dom::parser> parser_;
  Json root_;
};

// A member that exists and is not null.
std::optional<Json> member(Json object, std::string_view key);

// Each gives nothing when the member is absent or null; kBadFormat, naming it, for another type.
base::Result<std::optional<std::string_view>> text_member(Json object, std::string_view key);
base::Result<std::optional<bool>> flag_member(Json object, std::string_view key);
base::Result<std::optional<int64_t>> integer_member(Json object, std::string_view key);
base::Result<std::optional<simdjson::dom::array>> array_member(Json object, std::string_view key);

// The member `type`, which every part of tokenizer.json has.
base::Result<std::string_view> type_of(Json object);

}  // namespace freehold::tokenizer
