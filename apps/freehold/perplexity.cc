// `freehold perplexity`, and the measuring behind it.
#include "perplexity.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "command.h"
#include "engine_options.h"
#include "json_file.h"
#include "progress.h"
#include "store.h"
#include "tokenizer/tokenizer.h"

namespace freehold::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

constexpr uint64_t kMaxTextBytes = 1 << 30;

// -log of the probability that `logits` give to `token`.
double surprise(std::span<const float> logits, int32_t token) {
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - top);
  return top + std::log(sum) - static_cast<double>(logits[static_cast<size_t>(token)]);
}

// Running sums of the surprises.
struct Sums {
  double total = 0;
  double squares = 0;
  uint64_t n = 0;

  PerplexityResult result(uint64_t n_windows) const {
    const double mean = total / static_cast<double>(n);
    const double variance = std::max(0.0, squares / static_cast<double>(n) - mean * mean);
    PerplexityResult result;
    result.perplexity = std::exp(mean);
    if (n > 1) result.error = result.perplexity * std::sqrt(variance / static_cast<double>(n - 1));
    result.n_scored = n;
    result.n_windows = n_windows;
    return result;
  }
};

}  // namespace

Result<PerplexityResult> measure_perplexity(
    std::span<const int32_t> tokens, const PerplexityPlan& plan, const RunTokens& run,
    const std::function<void(const PerplexityResult&)>& on_window) {
  const size_t context = plan.context;
  size_t n_windows = context > 0 ? tokens.size() / context : 0;
  if (context < 4 || n_windows == 0) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("the text has {} tokens, and a window takes {}", tokens.size(), context));
  }
  if (plan.max_windows > 0) n_windows = std::min<size_t>(n_windows, plan.max_windows);
  Sums sums;
  PerplexityResult result;
  for (size_t i = 0; i < n_windows; ++i) {
    const auto window = tokens.subspan(i * context, context);
    std::vector<int32_t> input(window.begin(), window.end());
    if (plan.first_token) input[0] = *plan.first_token;
    size_t position = 0;
    FREEHOLD_TRY(run(input, [&](std::span<const float> row) {
      const size_t next = ++position;
      if (next <= context / 2 || next >= context) return;
      const double one = surprise(row, window[next]);
      sums.total += one;
      sums.squares += one * one;
      sums.n += 1;
    }));
    result = sums.result(i + 1);
    on_window(result);
  }
  return result;
}

namespace {

struct PerplexityOptions {
  EngineArguments engine;
  std::string text;
  uint32_t window = 512;
  uint32_t max_windows = 0;
  bool json = false;
};

Status perplexity(PerplexityOptions options) {
  FREEHOLD_ASSIGN(const std::string text, base::read_file(options.text, kMaxTextBytes));
  FREEHOLD_ASSIGN(const auto path, resolve_model(options.engine.model));
  FREEHOLD_ASSIGN(const auto tokenizer, tokenizer::Tokenizer::open(path));
  FREEHOLD_ASSIGN(const std::vector<int32_t> tokens, tokenizer.encode(text));
  PerplexityPlan plan{options.window, std::nullopt, options.max_windows};
  if (tokenizer.adds_bos()) plan.first_token = tokenizer.bos();
  if (options.engine.context == 0) options.engine.context = options.window;
  EngineOptions how;
  how.max_sequences = 1;
  FREEHOLD_ASSIGN(const auto engine, load_engine(options.engine, how));
  const uint32_t batch = options.engine.batch > 0 ? options.engine.batch : 512;
  const auto run = [&](std::span<const int32_t> ids,
                       const std::function<void(std::span<const float>)>& on_row) {
    return engine->logits(ids, batch, on_row);
  };
  const uint64_t n_windows = tokens.size() / std::max<size_t>(1, options.window);
  ProgressBar bar("perplexity");
  FREEHOLD_ASSIGN(
      const PerplexityResult result,
      measure_perplexity(tokens, plan, run, [&](const PerplexityResult& so_far) {
        bar.share(static_cast<double>(so_far.n_windows) / static_cast<double>(n_windows),
                  fmt::format("{:.4f} after {} windows", so_far.perplexity, so_far.n_windows));
      }));
  bar.clear();
  if (options.json) {
    const Json out = {{"perplexity", result.perplexity}, {"error", result.error},
                      {"tokens", tokens.size()},         {"scored", result.n_scored},
                      {"windows", result.n_windows},     {"window", options.window}};
    fmt::print("{}\n", to_text(out, 2));
    return {};
  }
  fmt::print("perplexity {:.4f} +/- {:.4f} ({} of {} tokens scored, {} windows of {})\n",
             result.perplexity, result.error, result.n_scored, tokens.size(), result.n_windows,
             options.window);
  return {};
}

}  // namespace

void add_perplexity(CLI::App& app, Action& action) {
  auto options = std::make_shared<PerplexityOptions>();
  CLI::App* command = app.add_subcommand(
      "perplexity", "How well a model foresees a text, to compare quantisations");
  add_engine_arguments(*command, options->engine);
  command->add_option("--text", options->text, "A text file")->required();
  command->add_option("--window", options->window, "Tokens a window; its second half is scored")
      ->check(CLI::Range(4, 1 << 20))
      ->capture_default_str();
  command->add_option("--windows", options->max_windows, "Stop after so many; default: all");
  command->add_flag("--json", options->json, "For machines");
  command->footer("Example:\n  freehold perplexity smollm2 --text book.txt");
  command->callback([options, &action] { action = [options] { return perplexity(*options); }; });
}

}  // namespace freehold::app
