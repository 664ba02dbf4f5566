// The options that every command with an engine has, and loading with a progress bar.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "base/result.h"
#include "freehold/engine.h"
#include "progress.h"

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
  std::string speculate = "auto";
  bool no_panel_files = false;
  bool verbose = false;  // the plan is told where standard error is not a terminal, too
};

// MODEL, --threads, --isa, --kv, --context, --batch, --speculate and --no-panel-files.
void add_engine_arguments(CLI::App& command, EngineArguments& arguments);

// --no-panel-files.
void add_panel_option(CLI::App& command, bool& no_panel_files);

// `auto`, `off` or a number of tokens to EngineOptions::speculation_depth. Errors:
// kInvalidArgument.
base::Result<uint32_t> speculation_depth(const std::string& text);

// Engine options that tell the plan before loading, and show a bar as long as this lives.
class LoadingEngine {
 public:
  // Errors: kInvalidArgument (a cache type or speculation we don't have).
  static base::Result<LoadingEngine> begin(const EngineArguments& arguments,
                                           const std::filesystem::path& path,
                                           EngineOptions options);
  const EngineOptions& options() const { return options_; }

 private:
  explicit LoadingEngine(EngineOptions options) : options_(std::move(options)) {}
  EngineOptions options_;
  std::unique_ptr<ProgressBar> bar_;
};

// Errors: those of LoadingEngine, resolve_model and Engine::load.
base::Result<std::unique_ptr<Engine>> load_engine(const EngineArguments& arguments,
                                                  EngineOptions options = {});

// Where panels are kept: in the store; "" where there is no place for one.
std::filesystem::path panel_folder();

// "llama 135M: 98.4 MB of weights, 92 MB of cache for 2048 tokens, 41 MB to work in; avx2, 2
// threads".
std::string describe(const ModelInfo& info);

}  // namespace freehold::app
