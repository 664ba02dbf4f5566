// Owns the configuration file's keys. Refuses any key it doesn't know: a misspelt limit is no
// limit.
#include "server/serve_config.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <map>
#include <set>

#include "base/file.h"

namespace freehold::server {
namespace {

using base::ErrorCode;
using base::fail;
using base::Status;

constexpr uint64_t kMaxFile = 1U << 20U;

// What a key does with its value.
using Take = std::function<Status(const toml::node& value)>;
using Takers = std::map<std::string, Take, std::less<>>;

Status wrong(std::string_view wanted) {
  return fail(ErrorCode::kInvalidArgument, fmt::format("must be {}", wanted));
}

template <typename T>
Take number(T& into, int64_t least, int64_t most) {
  return [&into, least, most](const toml::node& value) -> Status {
    const auto number = value.value_exact<int64_t>();
    if (!number || *number < least || *number > most) {
      return wrong(fmt::format("a whole number from {} to {}", least, most));
    }
    into = static_cast<T>(*number);
    return {};
  };
}

template <typename Text>
Take text(Text& into) {
  return [&into](const toml::node& value) -> Status {
    const auto text = value.value_exact<std::string>();
    if (!text) return wrong("a string");
    into = *text;
    return {};
  };
}

Take flag(bool& into) {
  return [&into](const toml::node& value) -> Status {
    const auto flag = value.value_exact<bool>();
    if (!flag) return wrong("true or false");
    into = *flag;
    return {};
  };
}

Status take_table(const toml::table& table, const std::string& where, const Takers& takers) {
  for (const auto& [key, value] : table) {
    const std::string name = where + std::string(key.str());
    const auto taker = takers.find(key.str());
    if (taker == takers.end()) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("line {}: there is no setting `{}`", key.source().begin.line, name));
    }
    if (auto status = taker->second(value); !status) {
      return fail(status.error().code, fmt::format("line {}: `{}` {}", key.source().begin.line,
                                                   name, status.error().message));
    }
  }
  return {};
}

Takers limit_takers(Limits& limits) {
  constexpr int64_t kMany = 1 << 20;
  constexpr int64_t kDay = 86'400;
  return {{"body_bytes", number(limits.body_bytes, 1024, int64_t{1} << 32)},
          {"header_bytes", number(limits.header_bytes, 1024, kMany)},
          {"json_depth", number(limits.json_depth, 4, 512)},
          {"connections", number(limits.connections, 1, kMany)},
          {"requests", number(limits.requests, 1, kMany)},
          {"choices", number(limits.choices, 1, 1024)},
          {"top_logprobs", number(limits.top_logprobs, 0, 100)},
          {"stop_strings", number(limits.stop_strings, 0, 1024)},
          {"stop_bytes", number(limits.stop_bytes, 1, 65'536)},
          {"logit_bias", number(limits.logit_bias, 0, kMany)},
          {"tools", number(limits.tools, 0, 4096)},
          {"messages", number(limits.messages, 1, kMany)},
          {"embeddings", number(limits.embeddings, 1, 65'536)},
          {"schema_bytes", number(limits.schema_bytes, 64, kMany * 16)},
          {"queue_s", number(limits.queue_s, 1, kDay)},
          {"slow_reader_s", number(limits.slow_reader_s, 1, kDay)},
          {"idle_s", number(limits.idle_s, 1, kDay)},
          {"header_s", number(limits.header_s, 1, kDay)},
          {"body_s", number(limits.body_s, 1, kDay)},
          {"keep_alive_s", number(limits.keep_alive_s, 1, kDay)},
          {"drain_s", number(limits.drain_s, 0, kDay)},
          {"watchdog_s", number(limits.watchdog_s, 1, kDay)}};
}

Status take_kv(const toml::node& value, KvType& kv) {
  const auto name = value.value_exact<std::string>();
  if (name == "f16") kv = KvType::kF16;
  if (name == "f32") kv = KvType::kF32;
  if (name == "q8_0") kv = KvType::kQ8_0;
  if (name != "f16" && name != "f32" && name != "q8_0") return wrong("f16, f32 or q8_0");
  return {};
}

Status take_speculation(const toml::node& value, uint32_t& depth) {
  const auto word = value.value_exact<std::string>();
  const auto number = value.value_exact<int64_t>();
  if (word == "auto") {
    depth = EngineOptions::kAutomaticDepth;
  } else if (word == "off") {
    depth = 0;
  } else if (number && *number >= 0 && *number <= 64) {
    depth = static_cast<uint32_t>(*number);
  } else {
    return wrong("\"auto\", \"off\" or a whole number from 0 to 64");
  }
  return {};
}

Takers engine_takers(ServeConfig& config) {
  EngineOptions& engine = config.engine;
  constexpr int64_t kMost = int64_t{1} << 30;
  return {{"threads", number(engine.threads, 0, 4096)},
          {"isa", text(engine.isa)},
          {"kv", [&engine](const toml::node& value) { return take_kv(value, engine.kv); }},
          {"context", number(engine.context_tokens, 0, kMost)},
          {"sequences", number(engine.max_sequences, 1, 65'536)},
          {"step_tokens", number(engine.step_tokens, 1, 65'536)},
          {"max_stall_ms", number(engine.max_stall_ms, 0, 600'000)},
          {"prefix_folder", text(engine.prefix_folder)},
          {"panel_files", flag(config.panel_files)},
          {"memory_bytes", number(engine.memory_limit_bytes, 0, INT64_MAX)},
          {"speculate", [&engine](const toml::node& value) {
             return take_speculation(value, engine.speculation_depth);
           }}};
}

Status take_models(const toml::node& value, std::vector<ServedModel>& models) {
  const auto* list = value.as_array();
  if (list == nullptr) return wrong("an array of tables: [[models]]");
  models.clear();
  for (const auto& item : *list) {
    const auto* table = item.as_table();
    if (table == nullptr) return wrong("an array of tables: [[models]]");
    ServedModel model;
    const Takers takers = {{"name", text(model.name)},
                           {"path", text(model.path)},
                           {"template", text(model.template_file)},
                           {"preload", flag(model.preload)}};
    FREEHOLD_TRY(take_table(*table, "models.", takers));
    models.push_back(std::move(model));
  }
  return {};
}

Take table_of(std::string where, Takers takers) {
  return [where = std::move(where), takers = std::move(takers)](const toml::node& value) -> Status {
    const auto* table = value.as_table();
    if (table == nullptr) return wrong("a table");
    return take_table(*table, where, takers);
  };
}

}  // namespace

Status read_config(const std::filesystem::path& file, ServeConfig& config) {
  FREEHOLD_ASSIGN(const std::string source, base::read_file(file, kMaxFile));
  toml::table table;
  try {
    table = toml::parse(source);
  } catch (const toml::parse_error& error) {
    return fail(ErrorCode::kBadFormat, fmt::format("{}: line {}: {}", file.string(),
                                                   error.source().begin.line, error.description()));
  }
  const Takers takers = {
      {"host", text(config.http.host)},
      {"port", number(config.http.port, 0, 65'535)},
      {"certificate", text(config.http.certificate_file)},
      {"key", text(config.http.key_file)},
      {"io_threads", number(config.http.io_threads, 1, 256)},
      {"work_threads", number(config.http.work_threads, 1, 256)},
      {"ledger", text(config.ledger)},
      {"models_bytes", number(config.models_bytes, 0, INT64_MAX)},
      {"limits", table_of("limits.", limit_takers(config.limits))},
      {"engine", table_of("engine.", engine_takers(config))},
      {"models", [&](const toml::node& value) { return take_models(value, config.models); }}};
  if (auto status = take_table(table, "", takers); !status) {
    return base::in_context(file.string(), status.error());
  }
  return {};
}

Status check_config(const ServeConfig& config) {
  if (config.models.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "no model is named; give --model NAME=PATH or [[models]] in the configuration");
  }
  if (config.http.certificate_file.empty() != config.http.key_file.empty()) {
    return fail(ErrorCode::kInvalidArgument, "TLS needs both a certificate and a key");
  }
  for (const std::string& file : {config.http.certificate_file, config.http.key_file}) {
    if (!file.empty() && !std::filesystem::exists(file)) {
      return fail(ErrorCode::kNotFound, fmt::format("there is no certificate or key {}", file));
    }
  }
  std::set<std::string> names;
  for (const auto& model : config.models) {
    const bool plain = std::ranges::all_of(model.name, [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-';
    });
    if (model.name.empty() || model.name.size() > 64 || !plain) {
      return fail(
          ErrorCode::kInvalidArgument,
          fmt::format("a model's name has 1 to 64 of A-Z a-z 0-9 . _ -, not `{}`", model.name));
    }
    if (!names.insert(model.name).second) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("two models are named `{}`", model.name));
    }
    if (!std::filesystem::exists(model.path)) {
      return fail(ErrorCode::kNotFound,
                  fmt::format("model `{}`: there is no file {}", model.name, model.path.string()));
    }
  }
  return {};
}

bool is_loopback(const std::string& host) {
  return host == "::1" || host == "localhost" || host.starts_with("127.");
}

}  // namespace freehold::server
