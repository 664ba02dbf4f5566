// POST /v1/completions, and DeepSeek's /beta/completions: plain texts continued, or the middle
// between a prompt and a suffix. Sources: the APIs' public references, as of November 2026.
#pragma once

#include <memory>

#include "server/fields.h"
#include "server/limits.h"
#include "server/shape.h"
#include "server/spec.h"

namespace freehold::server {

ApiResult<Spec> read_openai_completion(const Json& body, Dialect dialect, const Limits& limits);
std::unique_ptr<Shape> openai_completion_shape(Head head, Dialect dialect);

// `name`: a string, an array of strings, an array of token ids, or an array of those.
void read_texts(Fields& fields, std::string_view name, size_t most, Spec& spec);

}  // namespace freehold::server
