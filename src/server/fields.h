// Reading a request's JSON: bounded parsing, and a reader that takes every member by name, type and
// range and at the end refuses those that nobody asked for.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "server/api_error.h"

namespace freehold::server {

using Json = nlohmann::ordered_json;

// Errors: kBadRequest for text that is not JSON (or not UTF-8), is nested deeper than `max_depth`,
// or is no object.
ApiResult<Json> parse_object(std::string_view text, uint32_t max_depth);

// Never throws: bytes that are not UTF-8 become U+FFFD.
std::string dump(const Json& json);

// Reads one object. The first error is kept, and every later read gives nothing. `null` is the
// same as absent, as the clients of all three APIs have it.
class Fields {
 public:
  // `where` is put before names in errors: "messages[3].".
  explicit Fields(const Json& object, std::string where = "");

  std::optional<double> number(std::string_view name, double least, double most);
  std::optional<int64_t> integer(std::string_view name, int64_t least, int64_t most);
  std::optional<bool> boolean(std::string_view name);
  std::optional<std::string> string(std::string_view name, size_t max_bytes);
  // One of `allowed`.
  std::optional<std::string> choice(std::string_view name,
                                    std::initializer_list<std::string_view> allowed);
  const Json* object(std::string_view name);
  const Json* array(std::string_view name, size_t max_items);
  // Present and not null, whatever its type.
  const Json* any(std::string_view name);
  // Members that can't change the answer.
  void ignore(std::initializer_list<std::string_view> names);
  // Members that we don't do: an error that names them, unless absent, null, false or empty.
  void refuse(std::initializer_list<std::string_view> names);

  void fail(std::string_view name, std::string message);
  bool ok() const { return !error_; }
  // The first error; else one that names a member nobody read.
  std::optional<ApiError> finish();

 private:
  void wrong_type(std::string_view name, const char* wanted, const Json& found);

  const Json& object_;
  std::string where_;
  std::set<std::string, std::less<>> known_;
  std::optional<ApiError> error_;
};

}  // namespace freehold::server
