// The members that OpenAI's chat and completions requests share, and the extensions that local
// servers have in common (top_k, min_p, ignore_eos, ...).
#pragma once

#include "server/fields.h"
#include "server/limits.h"
#include "server/spec.h"

namespace freehold::server {

void read_common(Fields& fields, const Limits& limits, Spec& spec);
// A string or an array of strings.
void read_stop(Fields& fields, std::string_view name, const Limits& limits, Spec& spec);
void read_thinking(Fields& fields, Dialect dialect, Spec& spec);

}  // namespace freehold::server
