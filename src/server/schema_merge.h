// Two JSON Schemas that must both hold, as one.
#pragma once

#include <nlohmann/json.hpp>

#include "base/result.h"

namespace freehold::server {

// Errors: kUnsupported where the two have a keyword that can't be joined. A pair that can't both
// hold gives the schema `false`.
base::Result<nlohmann::ordered_json> merge_schemas(const nlohmann::ordered_json& a,
                                                   const nlohmann::ordered_json& b);

// Whether the keyword only describes and never restricts.
bool is_annotation(std::string_view keyword);
// The `type` of a schema as a list; empty when it has none.
std::vector<std::string> types_of(const nlohmann::ordered_json& schema);

}  // namespace freehold::server
