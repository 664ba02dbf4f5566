// `freehold usage`: what was used, by key, model, day and more.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "command.h"
#include "ledger/ledger.h"
#include "ledger_file.h"
#include "text.h"

namespace freehold::app {
namespace {

using base::Status;

constexpr const char* kColumns[] = {"requests",          "prompt_tokens",    "cached_tokens",
                                    "completion_tokens", "reasoning_tokens", "unfinished"};

std::vector<uint64_t> numbers_of(const ledger::UsageRow& row) {
  return {row.requests,          row.prompt_tokens,    row.cached_tokens,
          row.completion_tokens, row.reasoning_tokens, row.unfinished};
}

// Names have no quotes or commas, but owners may.
std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

void print_csv(const std::vector<std::string>& by, const std::vector<ledger::UsageRow>& rows) {
  std::string line;
  for (const auto& name : by) line += name + ",";
  for (const char* name : kColumns) line += std::string(name) + ",";
  line.back() = '\n';
  fmt::print("{}", line);
  for (const auto& row : rows) {
    line.clear();
    for (const auto& value : row.group) line += csv_cell(value) + ",";
    for (const uint64_t value : numbers_of(row)) line += std::to_string(value) + ",";
    line.back() = '\n';
    fmt::print("{}", line);
  }
}

void print_json(const std::vector<std::string>& by, const std::vector<ledger::UsageRow>& rows) {
  auto out = nlohmann::ordered_json::array();
  for (const auto& row : rows) {
    nlohmann::ordered_json item;
    for (size_t i = 0; i < by.size(); ++i) item[by[i]] = row.group[i];
    const auto numbers = numbers_of(row);
    for (size_t i = 0; i < numbers.size(); ++i) item[kColumns[i]] = numbers[i];
    out.push_back(std::move(item));
  }
  fmt::print("{}\n", out.dump(2));
}

void print_table(const std::vector<std::string>& by, const std::vector<ledger::UsageRow>& rows) {
  std::vector<std::vector<std::string>> lines = {by};
  std::vector<size_t> right;
  for (const char* name : kColumns) {
    right.push_back(lines.front().size());
    lines.front().emplace_back(name);
  }
  for (const auto& row : rows) {
    lines.push_back(row.group);
    for (const uint64_t value : numbers_of(row)) lines.back().push_back(std::to_string(value));
  }
  fmt::print("{}", table(lines, right));
}

struct UsageOptions {
  std::string ledger;
  std::string format = "table";
  ledger::UsageQuery query;
};

Status usage(const UsageOptions& options) {
  FREEHOLD_ASSIGN(const auto path, ledger_file(options.ledger));
  FREEHOLD_ASSIGN(const auto ledger, ledger::Ledger::open(path, ledger::Ledger::Role::kTool));
  FREEHOLD_ASSIGN(const auto rows, ledger->usage(options.query));
  if (options.format == "csv") {
    print_csv(options.query.by, rows);
  } else if (options.format == "json") {
    print_json(options.query.by, rows);
  } else {
    print_table(options.query.by, rows);
  }
  return {};
}

}  // namespace

void add_usage(CLI::App& app, Action& action) {
  auto options = std::make_shared<UsageOptions>();
  options->query.by = {"key", "model", "day"};
  CLI::App* command = app.add_subcommand("usage", "What was used, from the server's ledger");
  command
      ->add_option("--by", options->query.by,
                   "Of key, owner, model, day, route, finish, request; default key,model,day")
      ->delimiter(',');
  command->add_option("--since", options->query.since, "First day, YYYY-MM-DD");
  command->add_option("--until", options->query.until, "Last day, YYYY-MM-DD");
  command->add_option("--key", options->query.key, "Only this key");
  command->add_option("--format", options->format, "table, csv or json")
      ->check(CLI::IsMember({"table", "csv", "json"}));
  command->add_option("--ledger", options->ledger, "Where keys and usage are kept")
      ->type_name("FILE");
  command->footer("Example:\n  freehold usage --by key,day --format csv");
  command->callback([options, &action] { action = [options] { return usage(*options); }; });
}

}  // namespace freehold::app
