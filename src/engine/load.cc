// From a path to a running engine: open, plan the memory, load, allocate.
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "base/topology.h"
#include "engine/local_engine.h"
#include "engine/plan.h"
#include "gguf/huggingface.h"

namespace freehold {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

kernels::CacheType cache_type(KvType type) {
  switch (type) {
    case KvType::kF16:
      return kernels::CacheType::kF16;
    case KvType::kF32:
      return kernels::CacheType::kF32;
    case KvType::kQ8_0:
      return kernels::CacheType::kQ8_0;
  }
  return kernels::CacheType::kF16;
}

uint64_t sum(const std::vector<size_t>& values) {
  uint64_t total = 0;
  for (const size_t value : values) total += value;
  return total;
}

// For the prefix cache on disk, if one is wanted: seen to be writable now, since later is too late.
Result<std::optional<engine::PrefixStore>> open_store(const std::filesystem::path& model,
                                                      const engine::LocalEngine::Parts& parts) {
  const std::filesystem::path& folder = parts.options.prefix_folder;
  if (folder.empty()) return std::nullopt;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (access(folder.c_str(), W_OK) != 0) {
    return fail(ErrorCode::kIo, "the prefix cache's folder " + folder.string() +
                                    " can't be made or written; name another or none");
  }
  std::vector<std::filesystem::path> files = parts.directory.paths();
  if (std::filesystem::is_directory(model, error)) files.push_back(model / "config.json");
  FREEHOLD_ASSIGN(const engine::PrefixDigest digest,
                  engine::prefix_digest(folder, files, parts.block_bytes, parts.machine->pool()));
  return engine::PrefixStore(folder, digest, parts.block_bytes);
}

// The memory for a model whose weights have not been read yet, into `parts`. Errors: kOutOfMemory
// with the numbers and what would fit.
Result<engine::MemoryPlan> plan_parts(const models::Model& model,
                                      engine::LocalEngine::Parts& parts) {
  const EngineOptions& options = parts.options;
  FREEHOLD_ASSIGN(parts.block_bytes, model.cache_block_bytes(parts.cache_type));
  engine::MemoryNeeds needs;
  needs.weights_bytes = model.weight_bytes();
  needs.scratch_bytes = model.scratch_bytes(options.step_tokens, options.max_sequences);
  if (model.predicts()) {
    needs.scratch_bytes += engine::Predictor::bytes_needed(
        model, parts.block_bytes.front(),
        {.step_tokens = options.step_tokens, .max_sequences = options.max_sequences});
  }
  needs.kv_bytes_per_block = sum(parts.block_bytes);
  needs.trained_context = model.config().context;
  FREEHOLD_ASSIGN(const engine::MemoryPlan plan, engine::plan_memory(needs, options));

  ModelInfo& info = parts.info;
  info.architecture = model.config().architecture;
  info.name = model.config().name;
  info.vocabulary = model.config().vocabulary;
  info.context_tokens = plan.context_tokens;
  info.trained_context = model.config().context;
  info.weights_bytes = needs.weights_bytes;
  info.kv_bytes_per_token = needs.kv_bytes_per_block / kv::kBlockTokens;
  info.kv_bytes = plan.n_blocks * needs.kv_bytes_per_block;
  info.scratch_bytes = needs.scratch_bytes;
  info.isa = std::string(kernels::name(parts.machine->isa()));
  info.threads = parts.machine->threads();
  info.predicts = model.predicts();
  return plan;
}

Result<std::unique_ptr<engine::Predictor>> make_predictor(const engine::LocalEngine::Parts& parts,
                                                          uint32_t context_tokens) {
  return engine::Predictor::create(*parts.model, *parts.machine, parts.cache_type,
                                   parts.block_bytes.front(),
                                   {.step_tokens = parts.options.step_tokens,
                                    .max_sequences = parts.options.max_sequences,
                                    .context_tokens = context_tokens});
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::load(const std::filesystem::path& model,
                                             const EngineOptions& options) {
  if (options.step_tokens == 0 || options.max_sequences == 0) {
    return fail(ErrorCode::kInvalidArgument, "step_tokens and max_sequences must be at least 1");
  }
  engine::LocalEngine::Parts parts;
  parts.options = options;
  // A step has a token for every sequence.
  parts.options.max_sequences = std::min(options.max_sequences, options.step_tokens);
  parts.cache_type = cache_type(options.kv);
  FREEHOLD_ASSIGN(const kernels::Isa isa, kernels::select_isa(options.isa));
  FREEHOLD_ASSIGN(parts.directory, gguf::open_model(model));

  const int threads = options.threads > 0 ? options.threads : base::default_threads();
  parts.machine = std::make_unique<ops::Machine>(isa, threads);
  engine::MemoryPlan plan;
  models::LoadOptions how;
  how.progress = options.progress;
  how.with_prediction = options.speculation_depth != 0;
  how.panel_folder = options.panel_folder;
  how.stop = options.stop;
  how.planned = [&](const models::Model& bound) -> base::Status {
    FREEHOLD_ASSIGN(plan, plan_parts(bound, parts));
    if (options.planned) options.planned(parts.info);
    return {};
  };
  auto loaded = models::load_model(parts.directory, *parts.machine, std::move(how));
  if (!loaded) return base::in_context(model.string(), loaded.error());
  parts.model = std::move(*loaded);
  FREEHOLD_ASSIGN(kv::Arena arena, kv::Arena::create(parts.block_bytes, plan.n_blocks));
  parts.arena = std::make_unique<kv::Arena>(std::move(arena));
  FREEHOLD_ASSIGN(parts.store, open_store(model, parts));
  if (parts.model->predicts()) {
    FREEHOLD_ASSIGN(parts.predictor, make_predictor(parts, plan.context_tokens));
  }
  return std::make_unique<engine::LocalEngine>(std::move(parts));
}

}  // namespace freehold
