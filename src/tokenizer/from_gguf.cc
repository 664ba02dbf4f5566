// A tokenizer from GGUF metadata (`tokenizer.*` keys). Two kinds of vocabulary are read: `gpt2`,
// byte-level BPE, whose `tokenizer.ggml.pre` must be one we know; and `llama`, SentencePiece's BPE.
//
// Choices: special ids outside the vocabulary are ignored, as the keys often are leftovers; a
// `gpt2` file that names no BOS or EOS has none. Of equal token texts the lowest id is the one that
// text becomes (see Vocabulary::index).
#include <filesystem>

#include "tokenizer/byte_alphabet.h"
#include "tokenizer/byte_pair.h"
#include "tokenizer/byte_token.h"
#include "tokenizer/end_of_generation.h"
#include "tokenizer/parts.h"
#include "tokenizer/scored.h"

namespace freehold::tokenizer {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;
using gguf::Metadata;
using gguf::Value;

constexpr std::string_view kTokens = "tokenizer.ggml.tokens";
constexpr std::string_view kTypes = "tokenizer.ggml.token_type";
constexpr std::string_view kScores = "tokenizer.ggml.scores";
constexpr std::string_view kMerges = "tokenizer.ggml.merges";
constexpr std::string_view kPre = "tokenizer.ggml.pre";

std::unexpected<base::Error> wrong_length(std::string_view key, size_t length, size_t tokens) {
  return fail(ErrorCode::kBadFormat, "key `" + std::string(key) + "` has " +
                                         std::to_string(length) + " elements for " +
                                         std::to_string(tokens) + " tokens");
}

Result<const Value::Strings*> required_strings(const Metadata& metadata, std::string_view key) {
  const Value::Strings* strings = metadata.strings(key);
  if (strings != nullptr) return strings;
  static const Value::Strings kEmpty;
  // An empty array may have been written as one of anything.
  const Value::Integers* integers = metadata.integers(key);
  const Value::Floats* floats = metadata.floats(key);
  if ((integers != nullptr && integers->empty()) || (floats != nullptr && floats->empty())) {
    return &kEmpty;
  }
  return fail(ErrorCode::kBadFormat,
              "key `" + std::string(key) + "` is missing or not an array of strings");
}

// Token kinds, one a token; all normal where the file has none.
Result<std::vector<TokenKind>> read_kinds(const Metadata& metadata, size_t tokens) {
  std::vector<TokenKind> kinds(tokens, TokenKind::kNormal);
  if (metadata.find(kTypes) == nullptr) return kinds;
  const Value::Integers* types = metadata.integers(kTypes);
  if (types == nullptr) {
    return fail(ErrorCode::kBadFormat,
                "key `" + std::string(kTypes) + "` is not an array of integers");
  }
  if (types->size() != tokens) return wrong_length(kTypes, types->size(), tokens);
  for (size_t i = 0; i < tokens; ++i) {
    const int64_t type = (*types)[i];
    if (type < 0 || type > 6) {
      return fail(ErrorCode::kBadFormat, "token " + std::to_string(i) + " is of type " +
                                             std::to_string(type) + "; known are 0 to 6");
    }
    kinds[i] = static_cast<TokenKind>(type);
  }
  return kinds;
}

Result<std::vector<float>> read_scores(const Metadata& metadata, size_t tokens) {
  if (const Value::Floats* floats = metadata.floats(kScores)) {
    if (floats->size() != tokens) return wrong_length(kScores, floats->size(), tokens);
    return *floats;
  }
  if (const Value::Integers* integers = metadata.integers(kScores)) {
    if (integers->size() != tokens) return wrong_length(kScores, integers->size(), tokens);
    std::vector<float> scores(tokens);
    for (size_t i = 0; i < tokens; ++i) scores[i] = static_cast<float>((*integers)[i]);
    return scores;
  }
  return fail(ErrorCode::kBadFormat,
              "key `" + std::string(kScores) + "` is missing or not an array of numbers");
}

bool is_literal(TokenKind kind) {
  return kind == TokenKind::kControl || kind == TokenKind::kUnknown ||
         kind == TokenKind::kUserDefined;
}

// A special id: absent, or outside the vocabulary, gives nothing.
Result<std::optional<TokenId>> special_id(const Metadata& metadata, std::string_view name,
                                          const Vocabulary& vocabulary) {
  const std::string key = "tokenizer.ggml." + std::string(name) + "_token_id";
  FREEHOLD_ASSIGN(const std::optional<int64_t> id, metadata.integer(key));
  if (!id || *id < 0 || *id >= vocabulary.size()) return std::nullopt;
  return static_cast<TokenId>(*id);
}

Status read_byte_level(const Metadata& metadata, Tokenizer::Parts& parts) {
  FREEHOLD_ASSIGN(const std::optional<std::string_view> pre, metadata.text(kPre));
  if (!pre) {
    return fail(ErrorCode::kUnsupported,
                "key `" + std::string(kPre) +
                    "` is missing, so how the model's text is cut is not known; convert the model "
                    "again with a current converter");
  }
  FREEHOLD_ASSIGN(NamedPreTokenizer named, named_pre_tokenizer(*pre));
  parts.pre_tokenizer = std::move(named.stages);
  parts.add_bos = named.add_bos;
  parts.description = "byte-level BPE (" + std::string(*pre) + ")";

  FREEHOLD_ASSIGN(const Value::Strings* tokens, required_strings(metadata, kTokens));
  FREEHOLD_ASSIGN(const std::vector<TokenKind> kinds, read_kinds(metadata, tokens->size()));
  std::string bytes;
  parts.vocabulary.reserve(tokens->size(), tokens->size() * 8);
  for (size_t i = 0; i < tokens->size(); ++i) {
    bytes.clear();
    if (is_literal(kinds[i])) {
      bytes.assign((*tokens)[i]);
    } else {
      append_from_byte_alphabet((*tokens)[i], bytes);
    }
    FREEHOLD_TRY(parts.vocabulary.add(bytes, kinds[i]));
  }
  parts.vocabulary.index();

  FREEHOLD_ASSIGN(const Value::Strings* merges, required_strings(metadata, kMerges));
  BytePairModel::Options options;
  options.ignore_merges = named.ignore_merges;
  FREEHOLD_ASSIGN(const std::optional<TokenId> unknown,
                  special_id(metadata, "unknown", parts.vocabulary));
  options.unknown = unknown.value_or(kNoToken);
  MergeList list(merges->size());
  for (const std::string_view merge : *merges) {
    const size_t space = merge.find(' ', 1);
    if (space == std::string_view::npos) {
      return fail(ErrorCode::kBadFormat,
                  "merge `" + std::string(merge) + "` is not two tokens with a space between");
    }
    list.add_from_byte_alphabet(merge.substr(0, space), merge.substr(space + 1));
  }
  FREEHOLD_ASSIGN(parts.model, BytePairModel::make(parts.vocabulary, options, list));
  return {};
}

Status read_scored(const Metadata& metadata, Tokenizer::Parts& parts) {
  FREEHOLD_ASSIGN(const Value::Strings* tokens, required_strings(metadata, kTokens));
  FREEHOLD_ASSIGN(std::vector<TokenKind> kinds, read_kinds(metadata, tokens->size()));
  FREEHOLD_ASSIGN(const std::vector<float> scores, read_scores(metadata, tokens->size()));
  const bool typed = metadata.find(kTypes) != nullptr;
  std::array<TokenId, 256> byte_ids{};
  byte_ids.fill(kNoToken);
  std::string bytes;
  for (size_t i = 0; i < tokens->size(); ++i) {
    const std::string_view text = (*tokens)[i];
    const std::optional<uint8_t> byte = byte_token(text);
    if (byte && !typed) kinds[i] = TokenKind::kByte;
    if (kinds[i] == TokenKind::kByte && !byte) {
      return fail(ErrorCode::kBadFormat, "token " + std::to_string(i) + ", `" + std::string(text) +
                                             "`, is of type byte but not `<0x00>` to `<0xFF>`");
    }
    if (kinds[i] == TokenKind::kByte) {
      bytes.assign(1, static_cast<char>(*byte));
      if (byte_ids[*byte] == kNoToken) byte_ids[*byte] = static_cast<TokenId>(i);
    } else {
      bytes.assign(text);
      if (!is_literal(kinds[i])) metaspace_to_space(bytes);
    }
    FREEHOLD_TRY(parts.vocabulary.add(bytes, kinds[i]));
  }
  parts.vocabulary.index();

  FREEHOLD_ASSIGN(std::optional<TokenId> unknown,
                  special_id(metadata, "unknown", parts.vocabulary));
  if (!unknown && parts.vocabulary.size() > 0) unknown = 0;  // SentencePiece's default
  FREEHOLD_ASSIGN(parts.model, ScoredModel::make(parts.vocabulary, scores, byte_ids,
                                                 unknown.value_or(kNoToken)));
  if (!parts.vocabulary.has_inner_space()) parts.pre_tokenizer.add(scan_spaced_words);
  FREEHOLD_ASSIGN(const std::optional<bool> prefix,
                  metadata.boolean("tokenizer.ggml.add_space_prefix"));
  if (prefix.value_or(true)) parts.space_prefix = SpacePrefix::kAlways;
  parts.metaspace = true;
  parts.strip_first_space = prefix.value_or(true);
  parts.add_bos = true;
  parts.description = "SentencePiece BPE";
  return {};
}

Status read_special_ids(const Metadata& metadata, std::string_view model, Tokenizer::Parts& parts) {
  FREEHOLD_ASSIGN(parts.bos, special_id(metadata, "bos", parts.vocabulary));
  FREEHOLD_ASSIGN(parts.eos, special_id(metadata, "eos", parts.vocabulary));
  FREEHOLD_ASSIGN(parts.padding, special_id(metadata, "padding", parts.vocabulary));
  if (model == "llama" && parts.vocabulary.size() > 2) {  // SentencePiece's defaults
    if (!parts.bos) parts.bos = 1;
    if (!parts.eos) parts.eos = 2;
  }
  FREEHOLD_ASSIGN(const std::optional<bool> add_bos,
                  metadata.boolean("tokenizer.ggml.add_bos_token"));
  FREEHOLD_ASSIGN(const std::optional<bool> add_eos,
                  metadata.boolean("tokenizer.ggml.add_eos_token"));
  parts.add_bos = add_bos.value_or(parts.add_bos);
  parts.add_eos = add_eos.value_or(parts.add_eos);
  std::vector<TokenId> ends;
  if (parts.eos) ends.push_back(*parts.eos);
  for (const char* name : {"eot", "eom", "fim_pad", "fim_rep", "fim_sep"}) {
    FREEHOLD_ASSIGN(const std::optional<TokenId> id, special_id(metadata, name, parts.vocabulary));
    if (id) ends.push_back(*id);
  }
  parts.end_of_generation = end_of_generation_ids(parts.vocabulary, std::move(ends));
  return {};
}

void read_chat_templates(const Metadata& metadata, Tokenizer::Parts& parts) {
  constexpr std::string_view kKey = "tokenizer.chat_template";
  for (const auto& [key, value] : metadata.all()) {
    const auto* text = std::get_if<std::string_view>(&value.data);
    if (text == nullptr || !key.starts_with(kKey)) continue;
    if (key == kKey) parts.chat_templates.insert_or_assign("default", std::string(*text));
    if (key.size() > kKey.size() + 1 && key[kKey.size()] == '.') {
      parts.chat_templates.emplace(key.substr(kKey.size() + 1), std::string(*text));
    }
  }
}

std::vector<SpecialToken> special_tokens(const Vocabulary& vocabulary) {
  std::vector<SpecialToken> specials;
  for (TokenId id = 0; id < vocabulary.size(); ++id) {
    const TokenKind kind = vocabulary.kind(id);
    if (!is_literal(kind)) continue;
    const std::string_view text = vocabulary.bytes(id);
    specials.push_back(
        {std::string(text), id,
         kind == TokenKind::kUserDefined ? user_defined_kind(text) : SpecialKind::kControl});
  }
  return specials;
}

}  // namespace

Result<Tokenizer> Tokenizer::from_gguf(const Metadata& metadata) {
  FREEHOLD_ASSIGN(const std::optional<std::string_view> model,
                  metadata.text("tokenizer.ggml.model"));
  if (!model) {
    return fail(ErrorCode::kBadFormat,
                "key `tokenizer.ggml.model` is missing: the file has no tokenizer");
  }
  auto parts = std::make_shared<Parts>();
  if (*model == "gpt2") {
    FREEHOLD_TRY(read_byte_level(metadata, *parts));
  } else if (*model == "llama") {
    FREEHOLD_TRY(read_scored(metadata, *parts));
  } else {
    return fail(ErrorCode::kUnsupported,
                "tokenizer model `" + std::string(*model) + "` is not one of: gpt2, llama");
  }
  if (parts->vocabulary.size() == 0) {
    return fail(ErrorCode::kBadFormat, "key `" + std::string(kTokens) + "` is empty");
  }
  FREEHOLD_TRY(read_special_ids(metadata, *model, *parts));
  read_chat_templates(metadata, *parts);
  FREEHOLD_TRY(parts->specials.build(special_tokens(parts->vocabulary)));
  parts->borders = Borders(parts->vocabulary);
  name_in_cache(*parts);
  return Tokenizer(std::move(parts));
}

Result<Tokenizer> Tokenizer::open(const std::filesystem::path& model) {
  std::error_code ignored;
  if (std::filesystem::is_directory(model, ignored)) return from_huggingface(model);
  FREEHOLD_ASSIGN(const gguf::Directory directory, gguf::Directory::open(model));
  auto tokenizer = from_gguf(directory.metadata());
  if (!tokenizer) return base::in_context(model.filename().string(), tokenizer.error());
  return tokenizer;
}

}  // namespace freehold::tokenizer
