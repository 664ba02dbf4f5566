// Owns the names of the engines' metrics: queue, batch, cache, tokens, memory.
#include "server/engine_metrics.h"

#include <fmt/format.h>

namespace freehold::server {
namespace {

struct Column {
  const char* name;
  const char* type;
  uint64_t (*value)(const EngineStats& stats, const ModelInfo& info);
};

constexpr Column kColumns[] = {
    {"running", "gauge",
     [](const EngineStats& s, const ModelInfo&) { return uint64_t{s.running}; }},
    {"waiting", "gauge",
     [](const EngineStats& s, const ModelInfo&) { return uint64_t{s.waiting}; }},
    {"kv_blocks", "gauge",
     [](const EngineStats& s, const ModelInfo&) { return s.kv_blocks_total; }},
    {"kv_blocks_used", "gauge",
     [](const EngineStats& s, const ModelInfo&) { return s.kv_blocks_used; }},
    {"kv_blocks_cached", "gauge",
     [](const EngineStats& s, const ModelInfo&) { return s.kv_blocks_cached; }},
    {"engine_prompt_tokens_total", "counter",
     [](const EngineStats& s, const ModelInfo&) { return s.prompt_tokens; }},
    {"engine_cached_tokens_total", "counter",
     [](const EngineStats& s, const ModelInfo&) { return s.cached_tokens; }},
    {"engine_completion_tokens_total", "counter",
     [](const EngineStats& s, const ModelInfo&) { return s.completion_tokens; }},
    {"engine_steps_total", "counter",
     [](const EngineStats& s, const ModelInfo&) { return s.steps; }},
    {"weights_bytes", "gauge",
     [](const EngineStats&, const ModelInfo& i) { return i.weights_bytes; }},
    {"kv_bytes", "gauge", [](const EngineStats&, const ModelInfo& i) { return i.kv_bytes; }},
    {"scratch_bytes", "gauge",
     [](const EngineStats&, const ModelInfo& i) { return i.scratch_bytes; }},
};

}  // namespace

std::string engine_metrics(Models& models) {
  const auto loaded = models.loaded();
  std::string out;
  for (const Column& column : kColumns) {
    out += fmt::format("# TYPE freehold_{} {}\n", column.name, column.type);
    for (const auto& [name, model] : loaded) {
      out += fmt::format("freehold_{}{{model=\"{}\"}} {}\n", column.name, name,
                         column.value(model->engine().stats(), model->engine().info()));
    }
  }
  return out;
}

}  // namespace freehold::server
