// JSON files that the command line is given, and JSON text for standard output.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/result.h"

namespace freehold::app {

using Json = nlohmann::ordered_json;

// Errors: kNotFound, kIo, kLimitExceeded, kBadFormat (with the place in the text).
base::Result<Json> read_json(const std::filesystem::path& path);
// Token ids: an array of them, or an object whose `prompt` is one. Errors: as above, and kBadFormat
// for anything else.
base::Result<std::vector<int32_t>> read_token_ids(const std::filesystem::path& path);

// Text with bytes that are not UTF-8 replaced; indent -1 gives one line.
std::string to_text(const Json& json, int indent = -1);

}  // namespace freehold::app
