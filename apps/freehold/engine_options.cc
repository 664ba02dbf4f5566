#include "engine_options.h"

#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <charconv>

#include "store.h"
#include "text.h"

namespace freehold::app {

void add_engine_arguments(CLI::App& command, EngineArguments& arguments) {
  command.add_option("MODEL", arguments.model, "A name in the store, a .gguf file, or a folder")
      ->required();
  command.add_option("--threads", arguments.threads, "Default: the physical cores")
      ->check(CLI::Range(0, 4096));
  command.add_option("--isa", arguments.isa,
                     "scalar, avx2 or avx512; default: the best there is. Never changes a result");
  command.add_option("--kv", arguments.kv, "How the cache keeps numbers: f16, f32 or q8_0")
      ->capture_default_str();
  command.add_option("--context", arguments.context,
                     "Longest sequence in tokens; default: the model's, or what fits");
  command.add_option("--batch", arguments.batch, "Tokens a step at most")
      ->check(CLI::Range(0, 65536));
  command
      .add_option("--speculate", arguments.speculate,
                  "Tokens guessed ahead and verified together: auto (as many as pay), off, or "
                  "how many. Never changes a result")
      ->capture_default_str();
  add_panel_option(command, arguments.no_panel_files);
}

void add_panel_option(CLI::App& command, bool& no_panel_files) {
  command.add_flag("--no-panel-files", no_panel_files,
                   "Do not keep the prepared weights on disk for the next start");
}

base::Result<uint32_t> speculation_depth(const std::string& text) {
  if (text == "auto") return EngineOptions::kAutomaticDepth;
  if (text == "off") return 0;
  constexpr uint32_t kMost = 64;
  uint32_t depth = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), depth);
  if (error != std::errc() || end != text.data() + text.size() || depth > kMost) {
    return base::fail(
        base::ErrorCode::kInvalidArgument,
        "--speculate " + text + ": auto, off or a number up to " + std::to_string(kMost));
  }
  return depth;
}

base::Result<LoadingEngine> LoadingEngine::begin(const EngineArguments& arguments,
                                                 const std::filesystem::path& path,
                                                 EngineOptions options) {
  options.threads = arguments.threads;
  options.isa = arguments.isa;
  options.context_tokens = arguments.context;
  FREEHOLD_ASSIGN(options.speculation_depth, speculation_depth(arguments.speculate));
  if (arguments.batch > 0) options.step_tokens = arguments.batch;
  if (arguments.kv == "f16") {
    options.kv = KvType::kF16;
  } else if (arguments.kv == "f32") {
    options.kv = KvType::kF32;
  } else if (arguments.kv == "q8_0") {
    options.kv = KvType::kQ8_0;
  } else {
    return base::fail(base::ErrorCode::kInvalidArgument,
                      "--kv " + arguments.kv + ": the cache's types are f16, f32 and q8_0");
  }
  if (!arguments.no_panel_files) options.panel_folder = panel_folder();
  LoadingEngine loading(std::move(options));
  loading.bar_ = std::make_unique<ProgressBar>(path.filename().string());
  loading.options_.progress = [bar = loading.bar_.get()](double share, std::string_view what) {
    bar->share(share, what);
  };
  if (arguments.verbose || ::isatty(STDERR_FILENO) != 0) {
    loading.options_.planned = [bar = loading.bar_.get()](const ModelInfo& info) {
      bar->clear();
      fmt::print(stderr, "[{}]\n", describe(info));
    };
  }
  return loading;
}

base::Result<std::unique_ptr<Engine>> load_engine(const EngineArguments& arguments,
                                                  EngineOptions options) {
  FREEHOLD_ASSIGN(const auto path, resolve_model(arguments.model));
  FREEHOLD_ASSIGN(const LoadingEngine loading,
                  LoadingEngine::begin(arguments, path, std::move(options)));
  return Engine::load(path, loading.options());
}

std::filesystem::path panel_folder() {
  const auto store = Store::open();
  return store ? store->root() / "panels" : "";
}

std::string describe(const ModelInfo& info) {
  return fmt::format(
      "{} ({}): {} of weights, {} of cache for {} tokens, {} to work in; {}, {} thread{}",
      info.name.empty() ? "unnamed" : info.name, info.architecture, human_bytes(info.weights_bytes),
      human_bytes(info.kv_bytes), info.context_tokens, human_bytes(info.scratch_bytes), info.isa,
      info.threads, info.threads == 1 ? "" : "s");
}

}  // namespace freehold::app
