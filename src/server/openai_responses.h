// POST /v1/responses, stateless: OpenAI's newer shape, with DeepSeek's reasoning items.
// Source: the APIs' public references, as of November 2026. Refused by name: stored conversations,
// background work, built-in tools.
#pragma once

#include <memory>

#include "server/fields.h"
#include "server/limits.h"
#include "server/shape.h"
#include "server/spec.h"

namespace freehold::server {

ApiResult<Spec> read_openai_response(const Json& body, const Limits& limits);
// `body`: the request, of which the answer repeats some members.
std::unique_ptr<Shape> openai_response_shape(Head head, const Json& body);

}  // namespace freehold::server
