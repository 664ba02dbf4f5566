// `freehold quantize`: a model to a smaller GGUF file.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "base/topology.h"
#include "command.h"
#include "gguf/huggingface.h"
#include "gguf/writer.h"
#include "interrupt.h"
#include "progress.h"
#include "quantizer.h"
#include "store.h"
#include "text.h"
#include "tokenizer/to_gguf.h"

namespace freehold::app {
namespace {

using base::ErrorCode;
using base::Status;

struct QuantizeOptions {
  std::string model;
  std::string out;
  std::string type;
  int threads = 0;
  bool requantize = false;
};

// A GGUF file, or a Hugging Face folder with the tokenizer that a GGUF file of it would have.
base::Result<gguf::Directory> open_source(const std::filesystem::path& path) {
  FREEHOLD_ASSIGN(gguf::Directory model, gguf::open_model(path));
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored)) return model;
  const gguf::Tensor* embedding = model.find("token_embd.weight");
  if (embedding == nullptr) {
    return base::fail(ErrorCode::kBadFormat, path.string() + " has no token embedding");
  }
  if (!std::filesystem::exists(path / "tokenizer.json", ignored)) {
    model.metadata().set("tokenizer.ggml.model", {std::string_view("none")});
    return model;
  }
  FREEHOLD_ASSIGN(auto storage,
                  tokenizer::add_gguf_tokenizer(path, embedding->shape[1], model.metadata()));
  model.keep_alive(std::move(storage));
  return model;
}

Status quantize(const QuantizeOptions& options) {
  const auto mix = quant::mix_from_name(options.type);
  if (!mix) {
    return base::fail(ErrorCode::kInvalidArgument,
                      fmt::format("--type {} is none of {}", options.type, quant::mix_names()));
  }
  FREEHOLD_ASSIGN(const auto path, resolve_model(options.model));
  FREEHOLD_ASSIGN(const gguf::Directory model, open_source(path));
  for (const auto& part : model.paths()) {
    std::error_code ignored;
    if (std::filesystem::equivalent(part, options.out, ignored)) {
      return base::fail(ErrorCode::kInvalidArgument,
                        options.out + " is the model itself; write to another file");
    }
  }
  base::ThreadPool pool(options.threads > 0 ? options.threads : base::default_threads());
  const LastWords words("stopped; " + options.out + " is not written",
                        gguf::Writer::temporary_path(options.out));
  ProgressBar bar("quantising");
  QuantizeJob job{*mix, options.requantize, {}};
  job.progress = [&, total = model.total_bytes()](uint64_t done) { bar.bytes(done, total); };
  FREEHOLD_ASSIGN(const QuantizeResult result, quantize_model(model, options.out, job, pool));
  bar.clear();
  const double weights = std::max(1.0, static_cast<double>(result.n_weights));
  fmt::print("{}: {}, {:.2f} bits a weight, {} from {}\n", options.out, options.type,
             8.0 * static_cast<double>(result.bytes) / weights, human_bytes(result.bytes),
             human_bytes(result.source_bytes));
  return {};
}

}  // namespace

void add_quantize(CLI::App& app, Action& action) {
  auto options = std::make_shared<QuantizeOptions>();
  CLI::App* command = app.add_subcommand("quantize", "Makes a smaller GGUF file of a model");
  command->add_option("MODEL", options->model, "A name in the store, a .gguf file, or a folder")
      ->required();
  command->add_option("OUT", options->out, "The .gguf file to write")->required();
  command->add_option("--type", options->type, "One of " + std::string(quant::mix_names()))
      ->required();
  command->add_option("--threads", options->threads, "Default: the physical cores")
      ->check(CLI::PositiveNumber);
  command->add_flag("--requantize", options->requantize,
                    "Take weights that are quantised already, though they lose twice");
  command->footer("Example: freehold quantize model-f16.gguf model-q4.gguf --type Q4_K_M");
  command->callback([options, &action] { action = [options] { return quantize(*options); }; });
}

}  // namespace freehold::app
