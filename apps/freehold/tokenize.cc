// `freehold tokenize`: text to ids with a model's own tokenizer.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>

#include "command.h"
#include "json_file.h"
#include "store.h"
#include "tokenizer/tokenizer.h"

namespace freehold::app {
namespace {

using base::ErrorCode;
using base::Result;
using base::Status;
using tokenizer::Tokenizer;

struct TokenizeOptions {
  std::string model;
  std::optional<std::string> text;
  std::string strings;
  bool no_special = false;
  bool bos = false;
  bool pieces = false;
};

Json with_pieces(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  Json out = Json::array();
  for (const int32_t id : ids) out.push_back({id, std::string(tokenizer.piece(id, true))});
  return out;
}

Result<Json> encode(const Tokenizer& tokenizer, const TokenizeOptions& options,
                    std::string_view text) {
  tokenizer::EncodeOptions how;
  how.add_bos = options.bos;
  how.add_eos = false;
  how.parse_special = !options.no_special;
  FREEHOLD_ASSIGN(const std::vector<int32_t> ids, tokenizer.encode(text, how));
  return options.pieces ? with_pieces(tokenizer, ids) : Json(ids);
}

Status tokenize(const TokenizeOptions& options) {
  FREEHOLD_ASSIGN(const auto path, resolve_model(options.model));
  FREEHOLD_ASSIGN(const Tokenizer tokenizer, Tokenizer::open(path));
  if (options.strings.empty()) {
    const std::string text =
        options.text ? *options.text : std::string(std::istreambuf_iterator(std::cin), {});
    FREEHOLD_ASSIGN(const Json ids, encode(tokenizer, options, text));
    fmt::print("{}\n", to_text(ids));
    return {};
  }
  FREEHOLD_ASSIGN(const Json strings, read_json(options.strings));
  Json all = Json::array();
  for (const Json& text : strings) {
    if (!strings.is_array() || !text.is_string()) {
      return base::fail(ErrorCode::kBadFormat, options.strings + ": expected an array of strings");
    }
    FREEHOLD_ASSIGN(Json ids, encode(tokenizer, options, text.get_ref<const std::string&>()));
    all.push_back(std::move(ids));
  }
  fmt::print("{}\n", to_text(all));
  return {};
}

}  // namespace

void add_tokenize(CLI::App& app, Action& action) {
  auto options = std::make_shared<TokenizeOptions>();
  CLI::App* command = app.add_subcommand("tokenize", "Text to token ids, as JSON");
  command->add_option("MODEL", options->model, "A name in the store, a .gguf file, or a folder")
      ->required();
  auto* text = command->add_option("TEXT", options->text, "Default: standard input");
  command->add_option("--strings", options->strings, "A JSON array of strings: an array of arrays")
      ->excludes(text);
  command->add_flag("--no-special", options->no_special, "Control tokens are plain text");
  command->add_flag("--bos", options->bos, "Begin with the BOS token");
  command->add_flag("--pieces", options->pieces, "Pairs of id and text");
  command->footer(
      "Examples:\n"
      "  freehold tokenize smollm2 \"Why is the sky blue?\"\n"
      "  freehold tokenize smollm2 --strings texts.json --no-special");
  command->callback([options, &action] { action = [options] { return tokenize(*options); }; });
}

}  // namespace freehold::app
