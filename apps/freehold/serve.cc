// `freehold serve`: the HTTP server.
#include "server/serve.h"

#include <fmt/core.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "command.h"
#include "engine_options.h"
#include "ledger_file.h"
#include "store.h"

namespace freehold::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Status;

struct ServeOptions {
  std::string config_file;
  std::vector<std::string> models;
  std::optional<std::string> host;
  std::optional<uint16_t> port;
  std::optional<std::string> certificate;
  std::optional<std::string> key;
  std::optional<std::string> ledger;
  std::optional<int> threads;
  std::optional<uint32_t> context;
  std::optional<uint32_t> sequences;
  std::optional<uint32_t> max_stall_ms;
  std::optional<std::string> prefix_folder;
  std::optional<std::string> speculate;
  bool no_panel_files = false;
  bool check = false;
};

// NAME=PATH, or a MODEL whose name is its own.
base::Result<server::ServedModel> served_model(const std::string& text) {
  const size_t equals = text.find('=');
  server::ServedModel model;
  const std::string what = equals == std::string::npos ? text : text.substr(equals + 1);
  FREEHOLD_ASSIGN(model.path, resolve_model(what));
  const std::string stem = std::filesystem::path(what).stem().string();
  model.name = equals == std::string::npos ? stem : text.substr(0, equals);
  model.preload = true;
  return model;
}

base::Result<server::ServeConfig> configuration(const ServeOptions& options) {
  server::ServeConfig config;
  if (!options.config_file.empty()) FREEHOLD_TRY(server::read_config(options.config_file, config));
  for (const auto& text : options.models) {
    FREEHOLD_ASSIGN(auto model, served_model(text));
    config.models.push_back(std::move(model));
  }
  if (options.host) config.http.host = *options.host;
  if (config.http.host == "localhost") config.http.host = "127.0.0.1";
  if (options.port) config.http.port = *options.port;
  if (options.certificate) config.http.certificate_file = *options.certificate;
  if (options.key) config.http.key_file = *options.key;
  if (options.ledger) config.ledger = *options.ledger;
  if (options.threads) config.engine.threads = *options.threads;
  if (options.context) config.engine.context_tokens = *options.context;
  if (options.sequences) config.engine.max_sequences = *options.sequences;
  if (options.max_stall_ms) config.engine.max_stall_ms = *options.max_stall_ms;
  if (options.prefix_folder) config.engine.prefix_folder = *options.prefix_folder;
  if (options.speculate) {
    FREEHOLD_ASSIGN(config.engine.speculation_depth, speculation_depth(*options.speculate));
  }
  if (config.panel_files && !options.no_panel_files) config.engine.panel_folder = panel_folder();
  FREEHOLD_ASSIGN(config.ledger, ledger_file(config.ledger));
  FREEHOLD_TRY(server::check_config(config));
  return config;
}

Status serve(const ServeOptions& options) {
  FREEHOLD_ASSIGN(const server::ServeConfig config, configuration(options));
  if (options.check) {
    fmt::print("the configuration is good: {} models, ledger {}\n", config.models.size(),
               config.ledger.string());
    return {};
  }
  server::ServeHooks hooks;
  hooks.log = [](const nlohmann::ordered_json& record) {
    spdlog::info(record.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  };
  hooks.ready = [](const std::string& url, bool keys) {
    fmt::print("Freehold serves at {}\n", url);
    fmt::print("{}\n", keys ? "A key is needed: Authorization: Bearer KEY."
                            : "There is no key, so only this machine can reach it; `freehold keys "
                              "add NAME` makes one.");
    std::fflush(stdout);
  };
  hooks.reload = [options] { return configuration(options); };
  return server::serve(config, hooks);
}

}  // namespace

void add_serve(CLI::App& app, Action& action) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command = app.add_subcommand("serve", "Serve models to programs over HTTP");
  command->add_option("--model", options->models, "NAME=MODEL or MODEL; may be repeated");
  command->add_option("--config", options->config_file, "A TOML file; flags come after it")
      ->type_name("FILE");
  command->add_option("--host", options->host, "Address to listen on; default 127.0.0.1");
  command->add_option("--port", options->port, "Default 8080; 0: any free one");
  command->add_option("--certificate", options->certificate, "TLS: certificate chain, PEM");
  command->add_option("--key", options->key, "TLS: private key, PEM");
  command->add_option("--ledger", options->ledger, "Where keys and usage are kept");
  command->add_option("--threads", options->threads, "Default: physical cores");
  command->add_option("--context", options->context, "Longest sequence in tokens");
  command->add_option("--sequences", options->sequences, "Requests that run at once");
  command->add_option("--max-stall-ms", options->max_stall_ms,
                      "What prompts may add to a step in which others get tokens; default 500");
  command
      ->add_option("--prefix-folder", options->prefix_folder,
                   "Keeps the prefix cache here between two starts")
      ->type_name("FOLDER");
  command->add_option("--speculate", options->speculate,
                      "Tokens guessed ahead: auto, off or how many; default auto");
  add_panel_option(*command, options->no_panel_files);
  command->add_flag("--check", options->check, "Only say whether the configuration is good");
  command->footer(
      "Example:\n  freehold serve --model smollm2\n  freehold serve --config /etc/freehold.toml");
  command->callback([options, &action] { action = [options] { return serve(*options); }; });
}

}  // namespace freehold::app
