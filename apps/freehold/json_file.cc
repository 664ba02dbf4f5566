#include "json_file.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "base/file.h"

namespace freehold::app {
namespace {

constexpr uint64_t kMaxJsonBytes = 256 << 20;
constexpr int kMaxDepth = 512;

}  // namespace

base::Result<Json> read_json(const std::filesystem::path& path) {
  FREEHOLD_ASSIGN(const std::string text, base::read_file(path, kMaxJsonBytes));
  const auto shallow = [](int depth, Json::parse_event_t, Json&) {
    if (depth > kMaxDepth) throw std::length_error("nested too deeply");
    return true;
  };
  try {
    return Json::parse(text, shallow);
  } catch (const std::exception& error) {
    return base::fail(base::ErrorCode::kBadFormat, path.string() + ": " + error.what());
  }
}

base::Result<std::vector<int32_t>> read_token_ids(const std::filesystem::path& path) {
  FREEHOLD_ASSIGN(const Json file, read_json(path));
  const bool wrapped = file.is_object() && file.contains("prompt");
  const Json& list = wrapped ? file["prompt"] : file;
  std::vector<int32_t> ids;
  const auto is_id = [](const Json& item) {
    return item.is_number_integer() && item >= 0 && item <= std::numeric_limits<int32_t>::max();
  };
  for (const Json& item : list) {
    if (list.is_array() && is_id(item)) ids.push_back(item.get<int32_t>());
  }
  if (!list.is_array() || ids.size() != list.size()) {
    return base::fail(base::ErrorCode::kBadFormat,
                      path.string() +
                          ": expected an array of token ids, or an object whose "
                          "`prompt` is one");
  }
  return ids;
}

std::string to_text(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace freehold::app
