// POST /v1/messages and /v1/messages/count_tokens: Anthropic's shapes.
// Source: the API's public reference, as of November 2026. `signature` is empty: thinking made
// here needs no proof of where it came from.
#pragma once

#include <memory>

#include "server/fields.h"
#include "server/limits.h"
#include "server/shape.h"
#include "server/spec.h"

namespace freehold::server {

// `count_only`: max_tokens may be missing.
ApiResult<Spec> read_anthropic(const Json& body, const Limits& limits, bool count_only);
std::unique_ptr<Shape> anthropic_shape(Head head);

}  // namespace freehold::server
