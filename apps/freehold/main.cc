// The command line: arguments to actions, errors to exit codes (0 done, 1 failed, 2 usage).
#include <fmt/core.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <memory>

#include "command.h"
#include "help_format.h"
#include "version.h"

namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

int report(const freehold::base::Error& error) {
  fmt::print(stderr, "freehold: {}\n", error.message);
  return error.code == freehold::base::ErrorCode::kInvalidArgument ? kUsage : kFailed;
}

int run(int argc, char** argv) {
  using namespace freehold::app;
  CLI::App app{"Freehold runs open-weight language models on your own machine.", "freehold"};
  app.set_version_flag("--version", "freehold " FREEHOLD_VERSION);
  app.formatter(std::make_shared<HelpFormat>());
  app.require_subcommand(1);
  app.footer("`freehold COMMAND --help` has the options and examples of each.");
  Action action;
  add_run(app, action);
  add_list(app, action);
  add_pull(app, action);
  add_remove(app, action);
  add_inspect(app, action);
  add_tokenize(app, action);
  add_render(app, action);
  add_bench(app, action);
  add_logits(app, action);
  add_perplexity(app, action);
  add_quantize(app, action);
  add_serve(app, action);
  add_keys(app, action);
  add_usage(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    fmt::print(stderr, "freehold: {}; `freehold --help` lists the commands\n", error.what());
    return kUsage;
  }
  if (const auto status = action(); !status) return report(status.error());
  if (std::fflush(stdout) != 0) {
    fmt::print(stderr, "freehold: standard output could not be written\n");
    return kFailed;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    auto log = spdlog::stderr_color_mt("freehold");
    log->set_pattern("freehold: %^%l%$: %v");
    spdlog::set_default_logger(log);
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "freehold: %s\n", error.what());
    return kFailed;
  }
}
