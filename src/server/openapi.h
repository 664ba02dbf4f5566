// The OpenAPI document, as it is served: src/server/openapi.json, compiled in.
#pragma once

#include <string_view>

namespace freehold::server {

extern const std::string_view kOpenApiDocument;

}  // namespace freehold::server
