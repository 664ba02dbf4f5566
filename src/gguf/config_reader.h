// Typed access to the members of a config.json. A member that is null counts as absent.
#pragma once

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "gguf/reader.h"

namespace freehold::gguf {

class ConfigReader {
 public:
  // `object` must outlive the reader.
  explicit ConfigReader(const nlohmann::json& object) : object_(&object) {}

  const nlohmann::json* find(const char* key) const {
    const auto it = object_->find(key);
    return it == object_->end() || it->is_null() ? nullptr : &*it;
  }
  bool has(const char* key) const { return find(key) != nullptr; }

  // Each is kBadFormat, naming the key, when the member has another type.
  base::Result<std::optional<uint64_t>> find_count(const char* key) const {
    const nlohmann::json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_number_integer() || *value < 0) {
      return wrong(key, "is not an integer of 0 or more");
    }
    const auto count = value->get<uint64_t>();
    if (count > kMaxCount) return wrong(key, "is beyond anything that makes sense");
    return count;
  }
  base::Result<std::optional<double>> find_number(const char* key) const {
    const nlohmann::json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_number()) return wrong(key, "is not a number");
    return value->get<double>();
  }
  base::Result<std::optional<bool>> find_flag(const char* key) const {
    const nlohmann::json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_boolean()) return wrong(key, "is not true or false");
    return value->get<bool>();
  }
  base::Result<std::optional<std::string_view>> find_text(const char* key) const {
    const nlohmann::json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_string()) return wrong(key, "is not a string");
    return std::string_view(value->get_ref<const std::string&>());
  }

  // The same where the member has to be there; a count of at least 1, a number above 0.
  base::Result<uint64_t> count(const char* key) const {
    FREEHOLD_ASSIGN(const auto value, find_count(key));
    if (!value || *value == 0) return wrong(key, "is missing or zero");
    return *value;
  }
  base::Result<double> number(const char* key) const {
    FREEHOLD_ASSIGN(const auto value, find_number(key));
    if (!value || !(*value > 0)) return wrong(key, "is missing or not above zero");
    return *value;
  }

  // That a member, where it is present, has the only value that we do: a truth value, number or
  // string. kUnsupported.
  base::Status only(const char* key, const nlohmann::json& value) const {
    const nlohmann::json* found = find(key);
    if (found == nullptr || *found == value) return {};
    return base::fail(base::ErrorCode::kUnsupported,
                      "config.json: `" + std::string(key) + "` other than " + value.dump());
  }

  static std::unexpected<base::Error> wrong(const char* key, std::string_view what) {
    return base::fail(base::ErrorCode::kBadFormat,
                      "config.json: `" + std::string(key) + "` " + std::string(what));
  }

 private:
  static constexpr uint64_t kMaxCount = uint64_t{1} << 31;  // products of two stay in 64 bits

  const nlohmann::json* object_;
};

}  // namespace freehold::gguf
