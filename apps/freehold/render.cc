// `freehold render`: the prompt that a chat template makes of a request, to the byte.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "chat/template.h"
#include "command.h"
#include "json_file.h"
#include "store.h"
#include "tokenizer/tokenizer.h"

namespace freehold::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

constexpr uint64_t kMaxTemplateBytes = 4 << 20;

struct RenderArguments {
  std::string model;
  std::string template_file;
  std::string request;
};

// The template's text; of a model also its BOS and EOS, where the request has none of its own.
Result<std::string> template_source(const RenderArguments& arguments, Json& request) {
  if (!arguments.template_file.empty()) {
    return base::read_file(arguments.template_file, kMaxTemplateBytes);
  }
  FREEHOLD_ASSIGN(const auto path, resolve_model(arguments.model));
  FREEHOLD_ASSIGN(const auto tokenizer, tokenizer::Tokenizer::open(path));
  const auto source = tokenizer.chat_template();
  if (!source) {
    return fail(ErrorCode::kNotFound,
                arguments.model + ": has no chat template; give one with --template");
  }
  const auto add = [&](const char* variable, std::optional<tokenizer::TokenId> id) {
    if (id && !request.contains(variable)) {
      request[variable] = std::string(tokenizer.piece(*id, true));
    }
  };
  add("bos_token", tokenizer.bos());
  add("eos_token", tokenizer.eos());
  return std::string(*source);
}

Status render(const RenderArguments& arguments) {
  if (arguments.model.empty() == arguments.template_file.empty()) {
    return fail(ErrorCode::kInvalidArgument, "render wants either MODEL or --template FILE");
  }
  FREEHOLD_ASSIGN(Json request, read_json(arguments.request));
  if (!request.is_object()) {
    return fail(ErrorCode::kBadFormat, arguments.request + ": expected an object");
  }
  chat::RenderOptions options;
  if (request.contains("now")) {
    if (!request["now"].is_string()) {
      return fail(ErrorCode::kBadFormat, arguments.request + ": `now` is not a text");
    }
    options.now = request["now"].get<std::string>();
    request.erase("now");
  }
  FREEHOLD_ASSIGN(const std::string source, template_source(arguments, request));
  FREEHOLD_ASSIGN(const chat::Template parsed, chat::Template::parse(source));
  const auto text = parsed.render(request, options);
  // Whatever the template's error is called, it is not one of this command line.
  if (!text) return fail(ErrorCode::kBadFormat, "the template fails: " + text.error().message);
  std::fwrite(text->data(), 1, text->size(), stdout);
  return {};
}

}  // namespace

void add_render(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<RenderArguments>();
  CLI::App* command = app.add_subcommand("render", "The prompt text that a chat template makes");
  command->add_option("MODEL", arguments->model, "Whose template to use");
  command->add_option("--template", arguments->template_file, "A Jinja file instead");
  command
      ->add_option("--request", arguments->request,
                   "A JSON object: the template's variables (messages, tools, ...); `now` (ISO "
                   "8601) fixes its clock")
      ->required();
  command->footer(
      "Examples:\n"
      "  freehold render smollm2 --request chat.json\n"
      "  freehold render --template chat_template.jinja --request chat.json");
  command->callback([arguments, &action] { action = [arguments] { return render(*arguments); }; });
}

}  // namespace freehold::app
