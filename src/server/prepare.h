// From a request understood to prompts of token ids for one model.
#pragma once

#include <vector>

#include "server/job.h"

namespace freehold::server {

struct Prepared {
  std::vector<JobParts::Prompt> prompts;  // one a choice
  uint32_t prompt_tokens = 0;             // each prompt counted once
};

// Settles the spec's thinking for this model, checks what only the model can tell (biases, ids),
// renders and encodes. Errors: kInvalidField.
ApiResult<Prepared> prepare(Spec& spec, Model& model);

}  // namespace freehold::server
