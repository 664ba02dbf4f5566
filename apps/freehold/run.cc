// `freehold run`: an answer, or a conversation.
#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <iterator>
#include <memory>

#include "command.h"
#include "conversation.h"
#include "engine_options.h"
#include "json_file.h"
#include "sampling_defaults.h"

namespace freehold::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Status;

struct RunOptions {
  EngineArguments engine;
  std::optional<std::string> prompt;
  std::string system;
  std::string template_file;
  std::string think;
  uint32_t reasoning_budget = 0;
  std::string json_schema;
  uint32_t max_tokens = 0;
  std::optional<float> temperature;
  std::optional<float> top_p;
  std::optional<uint32_t> top_k;
  std::optional<float> min_p;
  std::optional<float> repetition_penalty;
  uint64_t seed = 0;
  bool hide_thinking = false;
  bool raw = false;
  bool verbose = false;
};

// The maker's settings under those of the command line.
Sampling sampling_of(const RunOptions& options, Sampling sampling) {
  if (options.temperature) sampling.temperature = *options.temperature;
  if (options.top_p) sampling.top_p = *options.top_p;
  if (options.top_k) sampling.top_k = *options.top_k;
  if (options.min_p) sampling.min_p = *options.min_p;
  if (options.repetition_penalty) sampling.repetition_penalty = *options.repetition_penalty;
  sampling.seed = options.seed;
  return sampling;
}

ConversationOptions conversation_options(const RunOptions& options, const Sampling& sampling) {
  ConversationOptions out;
  out.answer.sampling = sampling;
  out.answer.max_tokens = options.max_tokens;
  out.answer.reasoning_budget = options.reasoning_budget;
  if (options.think == "on") out.answer.thinking = chat::Thinking::kOn;
  if (options.think == "off") out.answer.thinking = chat::Thinking::kOff;
  out.system = options.system;
  out.hide_thinking = options.hide_thinking;
  out.verbose = options.verbose;
  return out;
}

// The file's schema, for every answer.
Status take_schema(const std::string& file, AnswerOptions& answer) {
  if (file.empty()) return {};
  FREEHOLD_ASSIGN(answer.format.schema, read_json(file));
  answer.format.kind = server::ResponseFormat::Kind::kJsonSchema;
  return {};
}

Status run(const RunOptions& options) {
  const bool piped = ::isatty(STDIN_FILENO) == 0;
  std::optional<std::string> prompt = options.prompt;
  if (!prompt && piped) prompt = std::string(std::istreambuf_iterator(std::cin), {});
  if (prompt && prompt->find_first_not_of(" \t\n") == std::string::npos) {
    return fail(ErrorCode::kInvalidArgument, "the prompt is empty");
  }
  if (options.raw && !prompt) {
    return fail(ErrorCode::kInvalidArgument, "--raw continues a text: give it as PROMPT");
  }
  if (options.raw && !options.json_schema.empty()) {
    return fail(ErrorCode::kInvalidArgument, "--json-schema shapes answers; --raw has none");
  }
  AnswerOptions schema;
  FREEHOLD_TRY(take_schema(options.json_schema, schema));
  EngineArguments engine = options.engine;
  engine.verbose = options.verbose;
  FREEHOLD_ASSIGN(const auto model, ChatModel::load(engine, options.template_file));
  FREEHOLD_ASSIGN(const SamplingDefaults defaults, sampling_defaults(model->path()));
  const Sampling sampling = sampling_of(options, defaults.sampling);
  if (options.verbose) {
    fmt::print(stderr, "[sampling: {}; defaults are {}]\n", describe(sampling), defaults.origin);
  }
  ConversationOptions conversation = conversation_options(options, sampling);
  conversation.answer.format = std::move(schema.format);
  if (prompt) return answer_once(*model, *prompt, conversation, options.raw);
  return converse(*model, conversation);
}

void add_answer_options(CLI::App& command, RunOptions& options) {
  command.add_option("PROMPT", options.prompt,
                     "Default: standard input if it is piped, else a conversation");
  command.add_option("--system", options.system, "What the model is told first");
  command.add_option("--max-tokens", options.max_tokens,
                     "Of an answer; 0: until the context is full");
  command.add_option("--think", options.think, "on or off, where the model can be told")
      ->check(CLI::IsMember({"on", "off"}));
  command.add_option("--reasoning-budget", options.reasoning_budget,
                     "Tokens of thinking, after which it is closed; 0: no limit");
  command
      .add_option("--json-schema", options.json_schema,
                  "The answer is JSON that this schema, a file, allows")
      ->check(CLI::ExistingFile);
  command.add_flag("--hide-thinking", options.hide_thinking, "Show only that it thinks");
  command.add_option("--template", options.template_file,
                     "A chat template in place of the model's");
  command.add_flag("--raw", options.raw, "Go on with PROMPT as it is, without a chat template");
  command.add_flag("--verbose", options.verbose, "Memory, settings and speeds, on standard error");
}

void add_sampling_options(CLI::App& command, RunOptions& options) {
  command.add_option("--temperature", options.temperature, "0: always the likeliest token")
      ->check(CLI::Range(0.0, 100.0));
  command.add_option("--top-p", options.top_p, "Only the likeliest tokens, up to this probability")
      ->check(CLI::Range(0.0, 1.0));
  command.add_option("--top-k", options.top_k, "Only so many of the likeliest tokens; 0: all");
  command
      .add_option("--min-p", options.min_p, "Only tokens with this share of the likeliest's odds")
      ->check(CLI::Range(0.0, 1.0));
  command
      .add_option("--repetition-penalty", options.repetition_penalty,
                  "Over 1: what was said already becomes less likely")
      ->check(CLI::Range(0.01, 100.0));
  command.add_option("--seed", options.seed, "Another seed, another answer; the same, the same")
      ->capture_default_str();
}

}  // namespace

void add_run(CLI::App& app, Action& action) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* command = app.add_subcommand("run", "Answer a prompt, or hold a conversation");
  add_engine_arguments(*command, options->engine);
  add_answer_options(*command, *options);
  add_sampling_options(*command, *options);
  command->footer(
      "In a pipe only the answer is written, without the thinking.\n\n"
      "Examples:\n"
      "  freehold run smollm2 \"Why is the sky blue?\"\n"
      "  freehold run smollm2\n"
      "  freehold run qwen3-4b --think off --temperature 0 \"17 * 23?\"\n"
      "  freehold run smollm2 --json-schema person.json \"Describe Marie Curie.\"\n"
      "  cat report.txt | freehold run smollm2 --system \"Summarise the text.\"");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace freehold::app
