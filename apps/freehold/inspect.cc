// `freehold inspect`: what a model's files say, and the memory it will need here.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/topology.h"
#include "chat/format.h"
#include "command.h"
#include "gguf/huggingface.h"
#include "json_file.h"
#include "model_facts.h"
#include "store.h"
#include "text.h"
#include "tokenizer/tokenizer.h"

namespace freehold::app {
namespace {

using base::Result;
using base::Status;
using tokenizer::Tokenizer;

struct InspectOptions {
  std::string model;
  bool tensors = false;
  bool metadata = false;
  bool chat_template = false;
  bool json = false;
};

// Everything there is to print.
struct Report {
  std::filesystem::path path;
  gguf::Directory directory;
  ModelFacts facts;
  Result<Tokenizer> tokenizer;  // a file without one can still be inspected
  base::MemoryState memory;
};

constexpr uint64_t kStepTokens = 512;

struct WidthName {
  CacheWidth width;
  const char* name;
};
constexpr WidthName kWidths[] = {
    {CacheWidth::kF16, "f16"}, {CacheWidth::kQ8_0, "q8_0"}, {CacheWidth::kF32, "f32"}};

std::string shape_text(const gguf::Tensor& tensor) {
  std::string text;
  for (uint32_t i = 0; i < tensor.n_dims; ++i) {
    text += (i > 0 ? " x " : "") + std::to_string(tensor.shape[i]);
  }
  return text;
}

struct ValueText {
  static constexpr size_t kShown = 6;

  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(int64_t value) const { return std::to_string(value); }
  std::string operator()(uint64_t value) const { return std::to_string(value); }
  std::string operator()(double value) const { return fmt::format("{}", value); }
  std::string operator()(std::string_view value) const {
    const std::string shown(value.substr(0, 100));
    return to_text(Json(shown)) +
           (value.size() > 100 ? fmt::format(" ({} bytes)", value.size()) : "");
  }
  template <typename T>
  std::string operator()(const std::vector<T>& values) const {
    std::string text = fmt::format("{} values: ", values.size());
    for (size_t i = 0; i < std::min(kShown, values.size()); ++i) {
      text += (i > 0 ? ", " : "") + (*this)(values[i]);
    }
    return text + (values.size() > kShown ? ", …" : "");
  }
  std::string operator()(float value) const { return fmt::format("{}", value); }
};

chat::Format chat_format(const Tokenizer& tokenizer) {
  return chat::detect_format(tokenizer.chat_template().value_or(""), [&](std::string_view text) {
    return tokenizer.find(text).has_value();
  });
}

std::string token_text(const Tokenizer& tokenizer, std::optional<int32_t> id) {
  if (!id) return "none";
  return fmt::format("{} {}", *id, to_text(Json(std::string(tokenizer.piece(*id, true)))));
}

void print_model(const Report& report) {
  const ModelFacts& facts = report.facts;
  const ModelShape& shape = facts.shape;
  std::vector<std::vector<std::string>> rows = {
      {"name", facts.name},
      {"architecture", facts.architecture},
      {"parameters", human_count(facts.parameters)},
      {"layers", std::to_string(shape.layers)},
      {"hidden", std::to_string(shape.hidden)},
      {"heads", fmt::format("{} ({} for keys and values)", shape.heads, shape.kv_heads)},
      {"feed forward", std::to_string(shape.feed_forward)},
      {"vocabulary", std::to_string(shape.vocabulary)},
      {"trained context", std::to_string(shape.context)},
  };
  if (shape.experts > 0) {
    rows.push_back(
        {"experts",
         fmt::format("{} of {} a token: {} parameters, {} read", shape.experts_used, shape.experts,
                     human_count(facts.active_parameters), human_bytes(facts.active_bytes))});
  }
  const size_t n_files = report.directory.paths().size();
  rows.push_back({"file", report.path.string() +
                              (n_files > 1 ? fmt::format(" and {} more", n_files - 1) : "")});
  fmt::print("{}", table(rows));
  std::vector<std::vector<std::string>> types = {{"", "TYPE", "TENSORS", "PARAMETERS", "SIZE"}};
  for (const TypeFacts& type : facts.types) {
    types.push_back({"", type.type, std::to_string(type.n_tensors), human_count(type.parameters),
                     human_bytes(type.bytes)});
  }
  fmt::print("\nWeights: {}\n{}", human_bytes(facts.weight_bytes), table(types, {2, 3, 4}));
}

void print_tokenizer(const Report& report) {
  if (!report.tokenizer) {
    fmt::print("\nTokenizer: {}\n", report.tokenizer.error().message);
    return;
  }
  const Tokenizer& tokenizer = *report.tokenizer;
  std::string ends;
  for (const int32_t id : tokenizer.end_of_generation_ids()) {
    ends += (ends.empty() ? "" : ", ") + token_text(tokenizer, id);
  }
  const auto source = tokenizer.chat_template();
  const chat::Format format = chat_format(tokenizer);
  const auto thinking = chat::thinking_control(format, source.value_or(""));
  std::string thinks = "no";
  if (thinking.supported)
    thinks = thinking.can_disable ? "yes, can be switched off" : "yes, always";
  fmt::print("\nTokenizer and chat\n{}",
             table({{"  kind", tokenizer.description()},
                    {"  BOS", token_text(tokenizer, tokenizer.bos()) +
                                  (tokenizer.adds_bos() ? ", added" : ", not added")},
                    {"  EOS", token_text(tokenizer, tokenizer.eos())},
                    {"  ends an answer", ends},
                    {"  template", source ? fmt::format("{} bytes", source->size()) : "none"},
                    {"  format", std::string(chat::name(format))},
                    {"  thinking", thinks}}));
}

void print_memory(const Report& report) {
  const ModelFacts& facts = report.facts;
  std::vector<std::vector<std::string>> rows = {
      {"", "CACHE", "1,000 TOKENS", "TRAINED CONTEXT", "FITS HERE"}};
  for (const auto& [width, name] : kWidths) {
    const uint64_t fits = fitting_context(facts, width, report.memory.available_bytes);
    rows.push_back({"", name, human_bytes(cache_bytes(facts.shape, width, 1000)),
                    human_bytes(cache_bytes(facts.shape, width, facts.shape.context)),
                    fits == 0 ? "no: the weights do not" : fmt::format("{} tokens", fits)});
  }
  fmt::print(
      "\nMemory: {} of weights, about {} to work in, and the cache; this machine has {} free "
      "of {}\n{}",
      human_bytes(facts.weight_bytes), human_bytes(scratch_bytes(facts.shape, kStepTokens)),
      human_bytes(report.memory.available_bytes), human_bytes(report.memory.total_bytes),
      table(rows, {2, 3, 4}));
}

void print_tensors(const gguf::Directory& directory) {
  std::vector<std::vector<std::string>> rows = {{"TENSOR", "TYPE", "SHAPE", "SIZE"}};
  for (const gguf::Tensor& tensor : directory.tensors()) {
    rows.push_back({tensor.name, std::string(quant::info(tensor.type).name), shape_text(tensor),
                    human_bytes(tensor.n_bytes())});
  }
  fmt::print("\n{}", table(rows, {3}));
}

void print_metadata(const gguf::Directory& directory) {
  std::vector<std::vector<std::string>> rows = {{"KEY", "VALUE"}};
  for (const auto& [key, value] : directory.metadata().all()) {
    rows.push_back({key, std::visit(ValueText{}, value.data)});
  }
  fmt::print("\n{}", table(rows));
}

Json memory_json(const Report& report) {
  const ModelFacts& facts = report.facts;
  Json cache = Json::object();
  for (const auto& [width, name] : kWidths) {
    cache[name] = {
        {"bytes_per_1000_tokens", cache_bytes(facts.shape, width, 1000)},
        {"fitting_context", fitting_context(facts, width, report.memory.available_bytes)}};
  }
  return {{"weights_bytes", facts.weight_bytes},
          {"scratch_bytes", scratch_bytes(facts.shape, kStepTokens)},
          {"available_bytes", report.memory.available_bytes},
          {"total_bytes", report.memory.total_bytes},
          {"cache", cache}};
}

Json tokenizer_json(const Tokenizer& tokenizer) {
  const auto id = [](std::optional<int32_t> token) { return token ? Json(*token) : Json(); };
  const auto ends = tokenizer.end_of_generation_ids();
  const auto source = tokenizer.chat_template();
  return {{"kind", tokenizer.description()},
          {"size", tokenizer.vocabulary_size()},
          {"bos", id(tokenizer.bos())},
          {"eos", id(tokenizer.eos())},
          {"adds_bos", tokenizer.adds_bos()},
          {"end_of_generation", std::vector<int32_t>(ends.begin(), ends.end())},
          {"chat_template", source ? Json(std::string(*source)) : Json()},
          {"chat_format", std::string(chat::name(chat_format(tokenizer)))}};
}

Json tensors_json(const gguf::Directory& directory) {
  Json out = Json::array();
  for (const gguf::Tensor& tensor : directory.tensors()) {
    const auto shape = std::span(tensor.shape).first(tensor.n_dims);
    out.push_back({{"name", tensor.name},
                   {"type", std::string(quant::info(tensor.type).name)},
                   {"shape", std::vector<uint64_t>(shape.begin(), shape.end())},
                   {"bytes", tensor.n_bytes()}});
  }
  return out;
}

Json as_json(const Report& report) {
  const ModelFacts& facts = report.facts;
  const ModelShape& shape = facts.shape;
  Json types = Json::array();
  for (const TypeFacts& type : facts.types) {
    types.push_back({{"type", type.type},
                     {"tensors", type.n_tensors},
                     {"parameters", type.parameters},
                     {"bytes", type.bytes}});
  }
  Json out = {{"name", facts.name},
              {"architecture", facts.architecture},
              {"parameters", facts.parameters},
              {"active_parameters", facts.active_parameters},
              {"active_bytes", facts.active_bytes},
              {"layers", shape.layers},
              {"hidden", shape.hidden},
              {"heads", shape.heads},
              {"kv_heads", shape.kv_heads},
              {"feed_forward", shape.feed_forward},
              {"experts", shape.experts},
              {"experts_used", shape.experts_used},
              {"vocabulary", shape.vocabulary},
              {"trained_context", shape.context},
              {"types", types},
              {"tensors", tensors_json(report.directory)},
              {"memory", memory_json(report)}};
  if (report.tokenizer) {
    out["tokenizer"] = tokenizer_json(*report.tokenizer);
  } else {
    out["tokenizer_error"] = report.tokenizer.error().message;
  }
  return out;
}

Status inspect(const InspectOptions& options) {
  FREEHOLD_ASSIGN(const auto path, resolve_model(options.model));
  FREEHOLD_ASSIGN(gguf::Directory directory, gguf::open_model(path));
  auto facts = model_facts(directory);
  if (!facts) return base::in_context(path.string(), facts.error());
  const Report report{path, std::move(directory), std::move(*facts), Tokenizer::open(path),
                      base::memory_state()};
  if (options.json) {
    fmt::print("{}\n", to_text(as_json(report), 2));
    return {};
  }
  if (options.chat_template) {
    FREEHOLD_TRY(report.tokenizer);
    fmt::print("{}\n", report.tokenizer->chat_template().value_or(""));
    return {};
  }
  print_model(report);
  print_tokenizer(report);
  print_memory(report);
  if (options.metadata) print_metadata(report.directory);
  if (options.tensors) print_tensors(report.directory);
  return {};
}

}  // namespace

void add_inspect(CLI::App& app, Action& action) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* command =
      app.add_subcommand("inspect", "What a model's files say, and the memory it will need");
  command->add_option("MODEL", options->model, "A name in the store, a .gguf file, or a folder")
      ->required();
  command->add_flag("--tensors", options->tensors, "Every tensor, too");
  command->add_flag("--metadata", options->metadata, "Every key, too");
  command->add_flag("--template", options->chat_template, "Only the chat template's text");
  command->add_flag("--json", options->json, "For machines: everything");
  command->footer("Example:\n  freehold inspect smollm2 --tensors");
  command->callback([options, &action] { action = [options] { return inspect(*options); }; });
}

}  // namespace freehold::app
