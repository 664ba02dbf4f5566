// JSON from files, under limits: what nlohmann-json would accept, minus what a hostile file could
// use against us.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "base/result.h"

namespace freehold::gguf {

// Errors: kBadFormat (not JSON; a member that occurs twice), kLimitExceeded (deeper than 32, or
// more than 64 MiB once read).
base::Result<nlohmann::json> parse_json(std::string_view text);

}  // namespace freehold::gguf
