// A tokenizer from a Hugging Face folder: tokenizer.json says how text is encoded; its neighbours
// say which tokens begin and end a text and hold the chat template.
//
// Choices: `add_bos_token` and `add_eos_token` of tokenizer_config.json go before the template of
// tokenizer.json's post-processor, as that is what the vendors' loader does. Where
// generation_config.json lists end-of-sequence ids, those (and eos_token) are all that ends an
// answer; otherwise the rules of end_of_generation.h apply.
#include <algorithm>

#include "base/file.h"
#include "tokenizer/end_of_generation.h"
#include "tokenizer/huggingface.h"

namespace freehold::tokenizer {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

constexpr uint64_t kMaxTemplateBytes = 4U << 20U;

// A neighbour that need not exist.
Result<std::optional<JsonFile>> open_optional(const std::filesystem::path& path) {
  auto file = JsonFile::open(path);
  if (file) return std::move(*file);
  if (file.error().code == ErrorCode::kNotFound) return std::nullopt;
  return std::unexpected(file.error());
}

// A special token of tokenizer_config.json: its text, or an object with `content`.
Result<std::optional<TokenId>> configured_token(Json config, std::string_view key,
                                                const Vocabulary& vocabulary) {
  const std::optional<Json> value = member(config, key);
  if (!value) return std::nullopt;
  std::string_view text;
  if (value->get(text) != simdjson::SUCCESS) {
    FREEHOLD_ASSIGN(const std::optional<std::string_view> content, text_member(*value, "content"));
    if (!content) {
      return fail(ErrorCode::kBadFormat, "`" + std::string(key) + "` is neither text nor a token");
    }
    text = *content;
  }
  const TokenId id = vocabulary.find(text);
  if (id == kNoToken) return std::nullopt;
  return id;
}

// The ids before and after the text in the post-processor's template for one text.
Status read_template(Json processor, Tokenizer::Parts& parts) {
  FREEHOLD_ASSIGN(const std::string_view type, type_of(processor));
  if (type == "Sequence") {
    FREEHOLD_ASSIGN(const std::optional<simdjson::dom::array> list,
                    array_member(processor, "processors"));
    if (!list) return {};
    for (const Json element : *list) {
      FREEHOLD_ASSIGN(const std::string_view inner, type_of(element));
      if (inner != "Sequence") FREEHOLD_TRY(read_template(element, parts));
    }
    return {};
  }
  if (type != "TemplateProcessing") return {};
  FREEHOLD_ASSIGN(const std::optional<simdjson::dom::array> single,
                  array_member(processor, "single"));
  if (!single) return {};
  bool after_text = false;
  for (const Json element : *single) {
    const std::optional<Json> special = member(element, "SpecialToken");
    if (!special) {
      after_text = true;
      continue;
    }
    FREEHOLD_ASSIGN(const std::optional<std::string_view> text, text_member(*special, "id"));
    const TokenId id = text ? parts.vocabulary.find(*text) : kNoToken;
    if (id == kNoToken) {
      return fail(ErrorCode::kBadFormat, "the post-processor names a token that does not exist");
    }
    (after_text ? parts.eos : parts.bos) = id;
    (after_text ? parts.add_eos : parts.add_bos) = true;
  }
  return {};
}

Status read_config(Json config, Tokenizer::Parts& parts) {
  const Vocabulary& vocabulary = parts.vocabulary;
  FREEHOLD_ASSIGN(const std::optional<TokenId> bos,
                  configured_token(config, "bos_token", vocabulary));
  FREEHOLD_ASSIGN(const std::optional<TokenId> eos,
                  configured_token(config, "eos_token", vocabulary));
  FREEHOLD_ASSIGN(parts.padding, configured_token(config, "pad_token", vocabulary));
  FREEHOLD_ASSIGN(const std::optional<bool> add_bos, flag_member(config, "add_bos_token"));
  FREEHOLD_ASSIGN(const std::optional<bool> add_eos, flag_member(config, "add_eos_token"));
  if (bos) parts.bos = bos;
  if (eos) parts.eos = eos;
  parts.add_bos = add_bos.value_or(parts.add_bos);
  parts.add_eos = add_eos.value_or(parts.add_eos);

  const std::optional<Json> chat = member(config, "chat_template");
  std::string_view text;
  simdjson::dom::array named;
  if (chat && chat->get(text) == simdjson::SUCCESS) {
    parts.chat_templates.emplace("default", std::string(text));
  } else if (chat && chat->get(named) == simdjson::SUCCESS) {
    for (const Json element : named) {
      FREEHOLD_ASSIGN(const std::optional<std::string_view> name, text_member(element, "name"));
      FREEHOLD_ASSIGN(const std::optional<std::string_view> source,
                      text_member(element, "template"));
      if (name && source) parts.chat_templates.emplace(std::string(*name), std::string(*source));
    }
  }
  return {};
}

// chat_template.jinja and additional_chat_templates/NAME.jinja, which go before what
// tokenizer_config.json has.
Status read_template_files(const std::filesystem::path& folder, Tokenizer::Parts& parts) {
  const auto read = [&](const std::filesystem::path& path, const std::string& name) -> Status {
    auto text = base::read_file(path, kMaxTemplateBytes);
    if (text) {
      parts.chat_templates.insert_or_assign(name, std::move(*text));
    } else if (text.error().code != ErrorCode::kNotFound) {
      return std::unexpected(text.error());
    }
    return {};
  };
  FREEHOLD_TRY(read(folder / "chat_template.jinja", "default"));
  std::error_code error;
  std::filesystem::directory_iterator more(folder / "additional_chat_templates", error);
  for (; !error && more != std::filesystem::directory_iterator(); more.increment(error)) {
    const std::filesystem::path& path = more->path();
    if (path.extension() == ".jinja") FREEHOLD_TRY(read(path, path.stem().string()));
  }
  return {};
}

Status read_generation_ids(Json config, Tokenizer::Parts& parts, std::vector<TokenId>& ids) {
  const std::optional<Json> value = member(config, "eos_token_id");
  if (!value) return {};
  const auto add = [&](Json element) {
    int64_t id = 0;
    if (element.get(id) != simdjson::SUCCESS || id < 0 || id >= parts.vocabulary.size()) {
      return false;
    }
    ids.push_back(static_cast<TokenId>(id));
    return true;
  };
  simdjson::dom::array list;
  bool good = true;
  if (value->get(list) == simdjson::SUCCESS) {
    for (const Json element : list) good = good && add(element);
  } else {
    good = add(*value);
  }
  if (good) return {};
  return fail(ErrorCode::kBadFormat,
              "generation_config.json: `eos_token_id` is not ids of the vocabulary");
}

// `generation` may be null.
Status find_ends(const Json* generation, Tokenizer::Parts& parts) {
  std::vector<TokenId> ends;
  if (generation != nullptr) FREEHOLD_TRY(read_generation_ids(*generation, parts, ends));
  const bool listed = !ends.empty();
  if (parts.eos) ends.push_back(*parts.eos);
  if (!listed) ends = end_of_generation_ids(parts.vocabulary, std::move(ends));
  std::ranges::sort(ends);
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
  parts.end_of_generation = std::move(ends);
  return {};
}

// `config` may be null.
Result<std::shared_ptr<Tokenizer::Parts>> read_tokenizer(Json root, const Json* config) {
  auto parts = std::make_shared<Tokenizer::Parts>();
  FREEHOLD_ASSIGN(const HuggingFacePlan plan, read_pipeline(root, *parts));
  FREEHOLD_TRY(read_vocabulary(root, config, plan, *parts));
  if (const auto processor = member(root, "post_processor")) {
    FREEHOLD_TRY(read_template(*processor, *parts));
  }
  if (config != nullptr) FREEHOLD_TRY(read_config(*config, *parts));
  parts->description = plan.byte_level ? "byte-level BPE (tokenizer.json)" : "BPE (tokenizer.json)";
  name_in_cache(*parts);
  return parts;
}

Result<std::shared_ptr<Tokenizer::Parts>> read_folder(const std::filesystem::path& folder) {
  FREEHOLD_ASSIGN(const JsonFile tokenizer, JsonFile::open(folder / "tokenizer.json"));
  FREEHOLD_ASSIGN(const std::optional<JsonFile> config,
                  open_optional(folder / "tokenizer_config.json"));
  FREEHOLD_ASSIGN(const std::optional<JsonFile> generation,
                  open_optional(folder / "generation_config.json"));
  const Json config_root = config ? config->root() : Json();
  const Json generation_root = generation ? generation->root() : Json();
  FREEHOLD_ASSIGN(auto parts, read_tokenizer(tokenizer.root(), config ? &config_root : nullptr));
  FREEHOLD_TRY(read_template_files(folder, *parts));
  FREEHOLD_TRY(find_ends(generation ? &generation_root : nullptr, *parts));
  return parts;
}

}  // namespace

Result<Tokenizer> Tokenizer::from_huggingface(const std::filesystem::path& folder) {
  auto parts = read_folder(folder);
  if (!parts) return base::in_context(folder.filename().string(), parts.error());
  return Tokenizer(std::move(*parts));
}

Result<Tokenizer> Tokenizer::from_json(std::string_view tokenizer_json) {
  FREEHOLD_ASSIGN(const JsonFile file, JsonFile::parse(tokenizer_json, "tokenizer.json"));
  FREEHOLD_ASSIGN(auto parts, read_tokenizer(file.root(), nullptr));
  FREEHOLD_TRY(find_ends(nullptr, *parts));
  return Tokenizer(std::move(parts));
}

}  // namespace freehold::tokenizer
