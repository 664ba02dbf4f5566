// `freehold list` and `freehold remove`: the local store.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "catalogue.h"
#include "command.h"
#include "engine_options.h"
#include "gguf/huggingface.h"
#include "models/panel_file.h"
#include "store.h"
#include "text.h"

namespace freehold::app {
namespace {

using nlohmann::json;

std::string as_json(const std::vector<StoredModel>& models) {
  json out = json::array();
  for (const StoredModel& model : models) {
    json files = json::array();
    for (const StoredFile& file : model.files) {
      files.push_back({{"name", file.name}, {"bytes", file.bytes}, {"sha256", file.sha256}});
    }
    out.push_back({{"name", model.name},
                   {"bytes", model.bytes()},
                   {"source", model.source},
                   {"pulled", model.pulled},
                   {"files", files}});
  }
  return out.dump(2);
}

base::Status list(bool as_machine_text, bool available) {
  FREEHOLD_ASSIGN(const Store store, Store::open());
  FREEHOLD_ASSIGN(const std::vector<StoredModel> models, store.list());
  if (as_machine_text) {
    fmt::print("{}\n", as_json(models));
    return {};
  }
  std::vector<std::vector<std::string>> rows;
  if (available) {
    rows.push_back({"NAME", "WHAT", "FROM"});
    for (const CatalogueEntry& entry : catalogue()) {
      rows.push_back(
          {std::string(entry.name), std::string(entry.about), std::string(entry.sources.front())});
    }
    fmt::print("{}", table(rows));
    return {};
  }
  if (models.empty()) {
    fmt::print(
        "No models in {}. `freehold pull smollm2` gets the default one; `freehold list "
        "--available` shows others.\n",
        store.root().string());
    return {};
  }
  rows.push_back({"NAME", "SIZE", "PULLED", "FROM"});
  for (const StoredModel& model : models) {
    rows.push_back(
        {model.name, human_bytes(model.bytes()), model.pulled.substr(0, 10), model.source});
  }
  fmt::print("{}", table(rows, {1}));
  return {};
}

base::Status remove(const std::string& name) {
  FREEHOLD_ASSIGN(const Store store, Store::open());
  if (const auto path = store.path(name)) {
    // With a damaged model its panels stay; they go when they have not been used for long.
    const auto directory = gguf::open_model(*path);
    if (directory) models::PanelFile::forget(panel_folder(), directory->paths());
  }
  FREEHOLD_TRY(store.remove(name));
  fmt::print("{} removed\n", name);
  return {};
}

}  // namespace

void add_list(CLI::App& app, Action& action) {
  struct Options {
    bool json = false;
    bool available = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("list", "The models in the local store");
  auto* json = command->add_flag("--json", options->json, "For machines");
  command->add_flag("--available", options->available, "What `pull` knows by name instead")
      ->excludes(json);
  command->footer("Example:\n  freehold list");
  command->callback([options, &action] {
    action = [options] { return list(options->json, options->available); };
  });
}

void add_remove(CLI::App& app, Action& action) {
  auto name = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("remove", "Delete a model from the local store");
  command->add_option("NAME", *name, "As `freehold list` shows it")->required();
  command->footer("Example:\n  freehold remove smollm2");
  command->callback([name, &action] { action = [name] { return remove(*name); }; });
}

}  // namespace freehold::app
