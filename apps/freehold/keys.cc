// `freehold keys add|list|revoke`: who may use the server. They take effect at once.
#include <fmt/chrono.h>
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>

#include "command.h"
#include "ledger/ledger.h"
#include "ledger_file.h"
#include "text.h"

namespace freehold::app {
namespace {

using base::Status;

base::Result<std::unique_ptr<ledger::Ledger>> open(const std::string& file) {
  FREEHOLD_ASSIGN(const auto path, ledger_file(file));
  return ledger::Ledger::open(path, ledger::Ledger::Role::kTool);
}

std::string day(int64_t us) {
  const std::time_t seconds = us / 1'000'000;
  return us == 0 ? "" : fmt::format("{:%Y-%m-%d}", fmt::gmtime(seconds));
}

std::string or_none(uint64_t limit) { return limit == 0 ? "-" : std::to_string(limit); }

nlohmann::ordered_json as_json(const ledger::Key& key) {
  return {{"name", key.name},
          {"id", key.id},
          {"owner", key.owner},
          {"models", key.models},
          {"requests_per_minute", key.limits.requests_per_minute},
          {"tokens_per_minute", key.limits.tokens_per_minute},
          {"concurrency", key.limits.concurrency},
          {"budget_tokens", key.limits.budget_tokens},
          {"spent_tokens", key.spent_tokens},
          {"created", day(key.created_us)},
          {"revoked", day(key.revoked_us)}};
}

Status add(const std::string& file, const ledger::Key& key, bool json) {
  FREEHOLD_ASSIGN(const auto ledger, open(file));
  FREEHOLD_ASSIGN(const ledger::NewKey added, ledger->add_key(key));
  if (json) {
    auto out = as_json(added.key);
    out["key"] = added.secret;
    fmt::print("{}\n", out.dump(2));
  } else {
    fmt::print(
        "{}\nThis is shown once: only its hash is kept. A server that runs without keys "
        "demands them after `kill -HUP`.\n",
        added.secret);
  }
  return {};
}

Status list(const std::string& file, bool json) {
  FREEHOLD_ASSIGN(const auto ledger, open(file));
  FREEHOLD_ASSIGN(const auto keys, ledger->list_keys());
  if (json) {
    auto out = nlohmann::ordered_json::array();
    for (const auto& key : keys) out.push_back(as_json(key));
    fmt::print("{}\n", out.dump(2));
    return {};
  }
  std::vector<std::vector<std::string>> rows = {
      {"NAME", "OWNER", "SPENT", "BUDGET", "CREATED", "REVOKED"}};
  for (const auto& key : keys) {
    rows.push_back({key.name, key.owner, std::to_string(key.spent_tokens),
                    or_none(key.limits.budget_tokens), day(key.created_us), day(key.revoked_us)});
  }
  fmt::print("{}", table(rows, {2, 3}));
  return {};
}

Status revoke(const std::string& file, const std::string& name) {
  FREEHOLD_ASSIGN(const auto ledger, open(file));
  FREEHOLD_TRY(ledger->revoke_key(name));
  fmt::print("{} revoked\n", name);
  return {};
}

}  // namespace

void add_keys(CLI::App& app, Action& action) {
  struct Options {
    std::string ledger;
    ledger::Key key;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("keys", "Make, list and revoke the server's keys");
  command->require_subcommand(1);
  command->add_option("--ledger", options->ledger, "Where keys and usage are kept")
      ->type_name("FILE");
  command->fallthrough();

  CLI::App* adding = command->add_subcommand("add", "A new key, shown once");
  auto& limits = options->key.limits;
  adding->add_option("NAME", options->key.name, "What usage is listed under")->required();
  adding->add_option("--owner", options->key.owner, "Whose it is");
  adding->add_option("--models", options->key.models, "The only models it may use; default all")
      ->delimiter(',');
  adding->add_option("--requests-per-minute", limits.requests_per_minute, "0: no limit");
  adding->add_option("--tokens-per-minute", limits.tokens_per_minute, "0: no limit");
  adding->add_option("--concurrency", limits.concurrency, "Requests at once; 0: no limit");
  adding->add_option("--budget", limits.budget_tokens, "Tokens over its life; 0: no limit");
  adding->add_flag("--json", options->json, "For machines");
  adding->callback([options, &action] {
    action = [options] { return add(options->ledger, options->key, options->json); };
  });

  CLI::App* listing = command->add_subcommand("list", "All keys and what they have used");
  listing->add_flag("--json", options->json, "For machines");
  listing->callback(
      [options, &action] { action = [options] { return list(options->ledger, options->json); }; });

  CLI::App* revoking = command->add_subcommand("revoke", "Make a key invalid for ever");
  revoking->add_option("NAME", options->key.name, "As `keys list` shows it")->required();
  revoking->callback([options, &action] {
    action = [options] { return revoke(options->ledger, options->key.name); };
  });
  command->footer("Example:\n  freehold keys add plant-3 --owner Ada --budget 1000000");
}

}  // namespace freehold::app
