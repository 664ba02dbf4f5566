#include "engine/plan.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

#include "base/topology.h"
#include "kv/blocks.h"

namespace freehold::engine {

std::string human_bytes(uint64_t bytes) {
  constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024.0 && unit + 1 < kUnits.size()) {
    value /= 1024.0;
    ++unit;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text.data();
}

base::Result<MemoryPlan> plan_memory(const MemoryNeeds& needs, const EngineOptions& options) {
  MemoryPlan plan;
  // A tenth stays free for everything that is not planned here.
  const uint64_t available = base::memory_state().available_bytes;
  plan.limit_bytes =
      options.memory_limit_bytes != 0 ? options.memory_limit_bytes : available - available / 10;
  const uint64_t fixed = needs.weights_bytes + needs.scratch_bytes;
  const uint64_t left = plan.limit_bytes > fixed ? plan.limit_bytes - fixed : 0;
  const uint64_t blocks_that_fit = left / needs.kv_bytes_per_block;
  const uint64_t tokens_that_fit = blocks_that_fit * kv::kBlockTokens;

  const uint32_t wanted =
      options.context_tokens != 0 ? options.context_tokens : needs.trained_context;
  const bool fits = tokens_that_fit >= wanted;
  const bool may_shrink = options.context_tokens == 0 && tokens_that_fit >= kv::kBlockTokens;
  if (!fits && !may_shrink) {
    const uint64_t cache = uint64_t{kv::blocks_for(wanted)} * needs.kv_bytes_per_block;
    const std::string remedy =
        tokens_that_fit >= kv::kBlockTokens
            ? "a context of " + std::to_string(tokens_that_fit) + " tokens would fit"
            : "not even a short context fits: a smaller model or quantisation is needed";
    return base::fail(base::ErrorCode::kOutOfMemory,
                      "weights " + human_bytes(needs.weights_bytes) + ", cache " +
                          human_bytes(cache) + " for " + std::to_string(wanted) +
                          " tokens and scratch " + human_bytes(needs.scratch_bytes) +
                          " do not fit into " + human_bytes(plan.limit_bytes) + "; " + remedy);
  }
  plan.context_tokens = static_cast<uint32_t>(std::min<uint64_t>(wanted, tokens_that_fit));
  const uint64_t all =
      uint64_t{kv::blocks_for(plan.context_tokens)} * std::max(1U, options.max_sequences);
  plan.n_blocks = static_cast<uint32_t>(std::min(all, blocks_that_fit));
  return plan;
}

}  // namespace freehold::engine
