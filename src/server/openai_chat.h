// POST /v1/chat/completions, OpenAI's and DeepSeek's (the same request; DeepSeek's has its usage on
// the last chunk, 422 for values it can't take, and thinks unless told not to).
// Sources: the APIs' public references, as of November 2026.
#pragma once

#include <memory>

#include "server/fields.h"
#include "server/limits.h"
#include "server/shape.h"
#include "server/spec.h"

namespace freehold::server {

ApiResult<Spec> read_openai_chat(const Json& body, Dialect dialect, const Limits& limits);
std::unique_ptr<Shape> openai_chat_shape(Head head, Dialect dialect);

// Shared with the other APIs, which bring their messages and tools into this shape.
void read_messages(Fields& fields, const Limits& limits, Json& conversation);
void read_tools(Fields& fields, const Limits& limits, Spec& spec);
const char* finish_name(Finish finish);
Json usage_json(const Totals& totals);
Json logprobs_json(const std::vector<ShownToken>& tokens);

}  // namespace freehold::server
