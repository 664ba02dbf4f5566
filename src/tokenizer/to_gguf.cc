// Tokens and merges are written as tokenizer.json spells them, which is how GGUF spells them too;
// everything else comes from the tokenizer that we read from it, so that what is written is what
// we would do ourselves.
#include "tokenizer/to_gguf.h"

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tokenizer/huggingface.h"

namespace freehold::tokenizer {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

// What the values point into.
struct Storage {
  std::vector<JsonFile> files;
  std::deque<std::string> made;
  std::optional<Tokenizer> tokenizer;  // its chat templates

  std::string_view keep(std::string text) { return made.emplace_back(std::move(text)); }
};

class Exporter {
 public:
  Exporter(const Tokenizer& tokenizer, const Tokenizer::Parts& parts, Storage& storage,
           gguf::Metadata& out)
      : tokenizer_(tokenizer), parts_(parts), storage_(storage), out_(out) {}

  Status run(Json root, const Json* config, uint64_t n_rows) {
    FREEHOLD_TRY(read_texts(root, config));
    FREEHOLD_TRY(write_tokens(n_rows));
    FREEHOLD_TRY(write_model(*member(root, "model")));
    write_special_ids();
    write_templates();
    return {};
  }

 private:
  void set(const char* key, auto value) {
    out_.set(std::string("tokenizer.") + key, {std::move(value)});
  }

  // The tokens' texts by id. Ids have been checked by read_vocabulary.
  Status read_texts(Json root, const Json* config) {
    texts_.resize(static_cast<size_t>(parts_.vocabulary.size()));
    simdjson::dom::object vocab;
    const auto model = member(root, "model");
    const auto value = model ? member(*model, "vocab") : std::nullopt;
    if (!value || value->get(vocab) != simdjson::SUCCESS) {
      return fail(ErrorCode::kBadFormat, "`model.vocab` is missing or not an object");
    }
    for (const auto& field : vocab) {
      int64_t id = 0;
      if (field.value.get(id) == simdjson::SUCCESS) place(id, field.key);
    }
    FREEHOLD_ASSIGN(const auto added, array_member(root, "added_tokens"));
    if (added) {
      for (const Json token : *added) {
        FREEHOLD_ASSIGN(const auto id, integer_member(token, "id"));
        FREEHOLD_ASSIGN(const auto text, text_member(token, "content"));
        if (id && text) place(*id, *text);
      }
    }
    const auto decoder = config != nullptr ? member(*config, "added_tokens_decoder") : std::nullopt;
    simdjson::dom::object more;
    if (!decoder || decoder->get(more) != simdjson::SUCCESS) return {};
    for (const auto& field : more) {
      FREEHOLD_ASSIGN(const auto text, text_member(field.value, "content"));
      if (text) place(std::strtoll(std::string(field.key).c_str(), nullptr, 10), *text);
    }
    return {};
  }

  void place(int64_t id, std::string_view text) {
    if (id >= 0 && static_cast<size_t>(id) < texts_.size()) texts_[static_cast<size_t>(id)] = text;
  }

  Status write_tokens(uint64_t n_rows) {
    if (texts_.size() > n_rows) {
      return fail(ErrorCode::kBadFormat, "there are " + std::to_string(texts_.size()) +
                                             " tokens, but the embedding has only " +
                                             std::to_string(n_rows) + " rows");
    }
    if (n_rows > kMaxTokens) return fail(ErrorCode::kLimitExceeded, "too many tokens");
    gguf::Value::Integers kinds;
    for (size_t id = 0; id < texts_.size(); ++id) {
      kinds.push_back(static_cast<int64_t>(parts_.vocabulary.kind(static_cast<TokenId>(id))));
    }
    kinds.resize(n_rows, static_cast<int64_t>(TokenKind::kUnused));
    texts_.resize(n_rows);
    for (size_t id = 0; id < texts_.size(); ++id) {
      if (texts_[id].empty() && kinds[id] == static_cast<int64_t>(TokenKind::kUnused)) {
        texts_[id] = storage_.keep("[PAD" + std::to_string(id) + "]");
      }
    }
    set("ggml.tokens", gguf::Value::Strings(texts_));
    set("ggml.token_type", std::move(kinds));
    return {};
  }

  Status write_model(Json model) {
    FREEHOLD_ASSIGN(const auto merges, array_member(model, "merges"));
    gguf::Value::Strings list;
    if (merges) {
      for (const Json merge : *merges) {
        FREEHOLD_ASSIGN(const std::string_view text, merge_text(merge));
        list.push_back(text);
      }
    }
    if (parts_.metaspace) {
      set("ggml.model", std::string_view("llama"));
      FREEHOLD_ASSIGN(const std::string prefixed, parts_.normalizer.apply("a"));
      set("ggml.add_space_prefix",
          parts_.space_prefix != SpacePrefix::kNone || prefixed.size() > 1);
      set("ggml.scores", scores(list));
      return {};
    }
    FREEHOLD_ASSIGN(const auto ignore, flag_member(model, "ignore_merges"));
    const auto name = parts_.pre_tokenizer.gguf_name(ignore.value_or(false));
    if (!name) {
      return fail(ErrorCode::kUnsupported,
                  "GGUF has no name for the pre-tokenizer of tokenizer.json");
    }
    set("ggml.model", std::string_view("gpt2"));
    set("ggml.pre", *name);
    set("ggml.merges", std::move(list));
    return {};
  }

  // "left right", or the pair as such.
  Result<std::string_view> merge_text(Json merge) {
    std::string_view text, right;
    simdjson::dom::array pair;
    if (merge.get(text) == simdjson::SUCCESS) return text;
    if (merge.get(pair) == simdjson::SUCCESS && pair.size() == 2 &&
        pair.at(0).get(text) == simdjson::SUCCESS && pair.at(1).get(right) == simdjson::SUCCESS) {
      return storage_.keep(std::string(text) + " " + std::string(right));
    }
    return fail(ErrorCode::kBadFormat, "`merges` has an element that is not a pair of tokens");
  }

  // SentencePiece's merging takes the pair whose joint token scores highest: the rank of the merge
  // that makes it, negated. Tokens that no merge makes come last among each other.
  gguf::Value::Floats scores(const gguf::Value::Strings& merges) const {
    std::map<std::string, size_t, std::less<>> rank;
    for (const std::string_view merge : merges) {
      std::string joined(merge);
      const size_t space = joined.find(' ', 1);
      if (space != std::string::npos) joined.erase(space, 1);
      rank.try_emplace(std::move(joined), rank.size());
    }
    gguf::Value::Floats out(texts_.size(), 0.0F);
    for (size_t id = 0; id < texts_.size(); ++id) {
      const auto kind = id < static_cast<size_t>(parts_.vocabulary.size())
                            ? parts_.vocabulary.kind(static_cast<TokenId>(id))
                            : TokenKind::kUnused;
      if (kind != TokenKind::kNormal) continue;
      const auto found = rank.find(texts_[id]);
      const size_t place = found != rank.end() ? found->second : rank.size() + id;
      out[id] = -static_cast<float>(place);
    }
    return out;
  }

  void write_special_ids() {
    const auto id = [&](const char* key, std::optional<TokenId> value) {
      if (value) set(key, static_cast<uint64_t>(*value));
    };
    id("ggml.bos_token_id", tokenizer_.bos());
    id("ggml.eos_token_id", tokenizer_.eos());
    id("ggml.padding_token_id", tokenizer_.padding());
    set("ggml.add_bos_token", tokenizer_.adds_bos());
    set("ggml.add_eos_token", tokenizer_.adds_eos());
  }

  void write_templates() {
    gguf::Value::Strings names;
    for (const auto& [name, source] : tokenizer_.chat_templates()) {
      if (name == "default") {
        set("chat_template", std::string_view(source));
        continue;
      }
      out_.set("tokenizer.chat_template." + name, {std::string_view(source)});
      names.push_back(name);
    }
    if (!names.empty()) set("chat_templates", std::move(names));
  }

  const Tokenizer& tokenizer_;
  const Tokenizer::Parts& parts_;
  Storage& storage_;
  gguf::Metadata& out_;
  std::vector<std::string_view> texts_;
};

}  // namespace

Result<std::shared_ptr<const void>> add_gguf_tokenizer(const std::filesystem::path& folder,
                                                       uint64_t n_rows, gguf::Metadata& out) {
  auto storage = std::make_shared<Storage>();
  FREEHOLD_ASSIGN(storage->tokenizer, Tokenizer::from_huggingface(folder));
  FREEHOLD_ASSIGN(JsonFile file, JsonFile::open(folder / "tokenizer.json"));
  storage->files.push_back(std::move(file));
  const Json root = storage->files.front().root();
  std::optional<Json> config;
  if (auto neighbour = JsonFile::open(folder / "tokenizer_config.json")) {
    storage->files.push_back(std::move(*neighbour));
    config = storage->files.back().root();
  }
  const Json* const config_root = config ? &*config : nullptr;
  Tokenizer::Parts parts;
  FREEHOLD_ASSIGN(const HuggingFacePlan plan, read_pipeline(root, parts));
  FREEHOLD_TRY(read_vocabulary(root, config_root, plan, parts));
  FREEHOLD_TRY(Exporter(*storage->tokenizer, parts, *storage, out).run(root, config_root, n_rows));
  return storage;
}

}  // namespace freehold::tokenizer
