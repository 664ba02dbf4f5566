// The options that every command with an engine has, and loading with a progress bar.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "freehold/engine.h"

namespace CLI {
class App;
}

namespace freehold::app {

struct EngineArguments {
  std::string model;
  int threads = 0;
  std::string isa;
  std::string kv = "f16";
  uint32_t context = 0;
  uint32_t batch = 0;  // tokens a step; 0: the engine's own
};

// MODEL, --threads, --isa, --kv, --context and --batch.
void add_engine_arguments(CLI::App& command, EngineArguments& arguments);

// Errors: kInvalidArgument (a cache type we don't have), those of resolve_model and Engine::load.
base::Result<std::unique_ptr<Engine>> load_engine(const EngineArguments& arguments,
                                                  EngineOptions options = {});

// "llama 135M: 98.4 MB of weights, 92 MB of cache for 2048 tokens, 41 MB to work in; avx2, 2
// threads".
std::string describe(const ModelInfo& info);

}  // namespace freehold::app
