// The memory of an engine, planned before anything large is allocated: weights, cache, scratch.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "freehold/engine.h"

namespace freehold::engine {

struct MemoryNeeds {
  uint64_t weights_bytes = 0;
  uint64_t scratch_bytes = 0;
  uint64_t kv_bytes_per_block = 0;  // all layers
  uint32_t trained_context = 0;
};

struct MemoryPlan {
  uint64_t limit_bytes = 0;
  uint32_t context_tokens = 0;  // longest sequence
  uint32_t n_blocks = 0;
};

// Fits the needs into the options' limit, or into what the machine has free. A context that was
// asked for is given whole or refused: kOutOfMemory with all the numbers and what would fit.
base::Result<MemoryPlan> plan_memory(const MemoryNeeds& needs, const EngineOptions& options);

// "1.5 GiB".
std::string human_bytes(uint64_t bytes);

}  // namespace freehold::engine
