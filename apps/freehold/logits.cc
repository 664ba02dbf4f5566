// `freehold logits`: the logits after each token of a sequence, as raw numbers.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "command.h"
#include "engine_options.h"
#include "json_file.h"

namespace freehold::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Status;

struct LogitsOptions {
  EngineArguments engine;
  std::string tokens;
  std::string output;
};

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

Status logits(const LogitsOptions& options) {
  FREEHOLD_ASSIGN(const std::vector<int32_t> ids, read_token_ids(options.tokens));
  EngineOptions how;
  how.max_sequences = 1;
  FREEHOLD_ASSIGN(const auto engine, load_engine(options.engine, how));
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(options.output.c_str(), "wb"));
  if (!file) return fail(ErrorCode::kIo, options.output + ": cannot create");
  bool written = true;
  const uint32_t batch = options.engine.batch > 0 ? options.engine.batch : 512;
  FREEHOLD_TRY(engine->logits(ids, batch, [&](std::span<const float> row) {
    written =
        written && std::fwrite(row.data(), sizeof(float), row.size(), file.get()) == row.size();
  }));
  if (!written || std::fflush(file.get()) != 0) {
    return fail(ErrorCode::kIo, options.output + ": cannot write");
  }
  return {};
}

}  // namespace

void add_logits(CLI::App& app, Action& action) {
  auto options = std::make_shared<LogitsOptions>();
  CLI::App* command =
      app.add_subcommand("logits", "The logits after each token, as little-endian F32");
  add_engine_arguments(*command, options->engine);
  command
      ->add_option("--tokens", options->tokens,
                   "A JSON array of ids, or an object whose `prompt` is one")
      ->required();
  command->add_option("--output", options->output, "tokens x vocabulary numbers")->required();
  command->footer(
      "Example:\n  freehold logits smollm2 --tokens ids.json --output logits.f32 --kv f32");
  command->callback([options, &action] { action = [options] { return logits(*options); }; });
}

}  // namespace freehold::app
