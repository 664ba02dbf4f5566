// Model and added tokens of tokenizer.json.
#include <algorithm>
#include <charconv>
#include <set>

#include "tokenizer/byte_alphabet.h"
#include "tokenizer/byte_pair.h"
#include "tokenizer/byte_token.h"
#include "tokenizer/huggingface.h"

namespace freehold::tokenizer {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

// Ids may leave this many places empty; a file that leaves more is broken or hostile.
constexpr int64_t kMaxHoles = 1 << 16;

struct AddedToken {
  int64_t id = 0;
  std::string_view text;
  bool special = false;
  bool lstrip = false, rstrip = false, single_word = false;
};

// A token on its way into the vocabulary.
struct Draft {
  std::string_view text;
  const AddedToken* added = nullptr;
  bool present = false;
};

std::string shown(std::string_view text, int64_t id) {
  return "token " + std::to_string(id) + ", `" + std::string(text) + "`,";
}

class VocabularyReader {
 public:
  VocabularyReader(Json root, const Json* config, const HuggingFacePlan& plan,
                   Tokenizer::Parts& parts)
      : root_(root), config_(config), plan_(plan), parts_(parts) {}

  Status read() {
    const std::optional<Json> model = member(root_, "model");
    if (!model) return fail(ErrorCode::kBadFormat, "`model` is missing");
    FREEHOLD_TRY(read_options(*model));
    FREEHOLD_TRY(read_model_tokens(*model));
    FREEHOLD_TRY(read_added_tokens());
    FREEHOLD_TRY(place_added_tokens());
    FREEHOLD_TRY(fill_vocabulary());
    FREEHOLD_TRY(make_model(*model));
    return make_specials();
  }

 private:
  Status read_options(Json model) {
    FREEHOLD_ASSIGN(const std::optional<std::string_view> type, text_member(model, "type"));
    if (type.value_or("BPE") != "BPE") {
      return fail(ErrorCode::kUnsupported,
                  "tokenizer model `" + std::string(*type) + "` is not supported; BPE is");
    }
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      FREEHOLD_ASSIGN(const std::optional<std::string_view> text, text_member(model, key));
      if (text && !text->empty()) {
        return fail(ErrorCode::kUnsupported, "`" + std::string(key) + "` is not supported");
      }
    }
    if (member(model, "dropout")) {
      return fail(ErrorCode::kUnsupported, "`dropout` is not supported: encoding would be random");
    }
    FREEHOLD_ASSIGN(const std::optional<bool> fuse, flag_member(model, "fuse_unk"));
    FREEHOLD_ASSIGN(const std::optional<bool> fallback, flag_member(model, "byte_fallback"));
    FREEHOLD_ASSIGN(const std::optional<bool> ignore, flag_member(model, "ignore_merges"));
    FREEHOLD_ASSIGN(unknown_text_, text_member(model, "unk_token"));
    options_.byte_level = plan_.byte_level;
    options_.fuse_unknown = fuse.value_or(false);
    options_.byte_fallback = fallback.value_or(false);
    options_.ignore_merges = ignore.value_or(false);
    return {};
  }

  Status read_model_tokens(Json model) {
    simdjson::dom::object vocab;
    const std::optional<Json> value = member(model, "vocab");
    if (!value || value->get(vocab) != simdjson::SUCCESS) {
      return fail(ErrorCode::kBadFormat, "`model.vocab` is missing or not an object");
    }
    for (const auto& field : vocab) {
      int64_t id = 0;
      if (field.value.get(id) != simdjson::SUCCESS) {
        return fail(ErrorCode::kBadFormat,
                    "the id of token `" + std::string(field.key) + "` is not an integer");
      }
      FREEHOLD_ASSIGN(Draft* const draft, place(id, field.key, vocab.size()));
      if (draft->present) {
        return fail(ErrorCode::kBadFormat, shown(field.key, id) + " has the id of another");
      }
      *draft = {field.key, nullptr, true};
    }
    return {};
  }

  // Room for a token. Ids need not ascend in the file.
  Result<Draft*> place(int64_t id, std::string_view text, size_t expected) {
    if (id < 0 || id >= std::min<int64_t>(static_cast<int64_t>(expected) + kMaxHoles, kMaxTokens)) {
      return fail(ErrorCode::kBadFormat, shown(text, id) + " has an id out of range");
    }
    const auto i = static_cast<size_t>(id);
    if (i >= drafts_.size()) drafts_.resize(i + 1);
    return &drafts_[i];
  }

  Result<AddedToken> read_added_token(Json object, std::optional<int64_t> id) {
    AddedToken token;
    if (!id) {
      FREEHOLD_ASSIGN(id, integer_member(object, "id"));
    }
    FREEHOLD_ASSIGN(const std::optional<std::string_view> text, text_member(object, "content"));
    if (!id || !text) return fail(ErrorCode::kBadFormat, "an added token without id or content");
    token.id = *id;
    token.text = *text;
    FREEHOLD_ASSIGN(const std::optional<bool> special, flag_member(object, "special"));
    FREEHOLD_ASSIGN(const std::optional<bool> lstrip, flag_member(object, "lstrip"));
    FREEHOLD_ASSIGN(const std::optional<bool> rstrip, flag_member(object, "rstrip"));
    FREEHOLD_ASSIGN(const std::optional<bool> single, flag_member(object, "single_word"));
    FREEHOLD_ASSIGN(const std::optional<bool> normalized, flag_member(object, "normalized"));
    token.special = special.value_or(false);
    token.lstrip = lstrip.value_or(false);
    token.rstrip = rstrip.value_or(false);
    token.single_word = single.value_or(false);
    if (normalized.value_or(!token.special)) FREEHOLD_TRY(check_normalized(token));
    return token;
  }

  // A token with `normalized` is to be found in normalised text. We look for it in the text as it
  // is, which comes to the same where the normaliser leaves the token alone.
  Status check_normalized(const AddedToken& token) {
    FREEHOLD_ASSIGN(const std::string text, parts_.normalizer.apply(token.text));
    if (text == token.text) return {};
    return fail(ErrorCode::kUnsupported,
                shown(token.text, token.id) + " is `normalized`, and the normaliser changes it");
  }

  Status read_added_tokens() {
    FREEHOLD_ASSIGN(const std::optional<simdjson::dom::array> list,
                    array_member(root_, "added_tokens"));
    if (list) {
      for (const Json object : *list) {
        FREEHOLD_ASSIGN(AddedToken token, read_added_token(object, std::nullopt));
        added_.push_back(token);
      }
    }
    if (config_ == nullptr) return {};
    std::set<std::string_view> known;
    for (const AddedToken& token : added_) known.insert(token.text);
    simdjson::dom::object decoder;
    const std::optional<Json> value = member(*config_, "added_tokens_decoder");
    if (!value || value->get(decoder) != simdjson::SUCCESS) return {};
    for (const auto& field : decoder) {
      int64_t id = 0;
      const auto [end, error] =
          std::from_chars(field.key.data(), field.key.data() + field.key.size(), id);
      if (error != std::errc() || end != field.key.data() + field.key.size()) {
        return fail(ErrorCode::kBadFormat,
                    "`added_tokens_decoder` has the key `" + std::string(field.key) + "`");
      }
      FREEHOLD_ASSIGN(AddedToken token, read_added_token(field.value, id));
      if (known.insert(token.text).second) added_.push_back(token);
    }
    return {};
  }

  Status place_added_tokens() {
    const size_t expected = drafts_.size() + added_.size();
    for (const AddedToken& token : added_) {
      FREEHOLD_ASSIGN(Draft* const draft, place(token.id, token.text, expected));
      if (draft->present && draft->text != token.text) {
        return fail(ErrorCode::kBadFormat, shown(token.text, token.id) + " has the id of another");
      }
      *draft = {token.text, &token, true};
    }
    return {};
  }

  Status fill_vocabulary() {
    options_.bytes.fill(kNoToken);
    std::string bytes;
    parts_.vocabulary.reserve(drafts_.size(), drafts_.size() * 8);
    for (size_t i = 0; i < drafts_.size(); ++i) {
      const Draft& draft = drafts_[i];
      TokenKind kind = draft.present ? TokenKind::kNormal : TokenKind::kUnused;
      bytes.clear();
      const std::optional<uint8_t> byte =
          options_.byte_fallback && !plan_.byte_level ? byte_token(draft.text) : std::nullopt;
      if (draft.added != nullptr) {
        kind = draft.added->special ? TokenKind::kControl : TokenKind::kUserDefined;
        bytes.assign(draft.text);
      } else if (byte) {
        kind = TokenKind::kByte;
        bytes.assign(1, static_cast<char>(*byte));
        options_.bytes[*byte] = static_cast<TokenId>(i);
      } else {
        append_bytes(draft.text, bytes);
      }
      if (draft.present && unknown_text_ && draft.text == *unknown_text_) {
        options_.unknown = static_cast<TokenId>(i);
        if (kind != TokenKind::kUserDefined) kind = TokenKind::kUnknown;
      }
      FREEHOLD_TRY(parts_.vocabulary.add(bytes, kind));
    }
    if (drafts_.empty()) return fail(ErrorCode::kBadFormat, "the vocabulary is empty");
    parts_.vocabulary.index();
    return {};
  }

  void append_bytes(std::string_view text, std::string& out) const {
    if (plan_.byte_level) {
      append_from_byte_alphabet(text, out);
      return;
    }
    std::string plain(text);
    if (plan_.metaspace) metaspace_to_space(plain);
    out.append(plain);
  }

  Status add_merge(Json merge, MergeList& list) {
    std::string_view left;
    std::string_view right;
    std::string_view joined;
    simdjson::dom::array pair;
    if (merge.get(joined) == simdjson::SUCCESS) {
      const size_t space = joined.find(' ', 1);
      if (space != std::string_view::npos) {
        left = joined.substr(0, space);
        right = joined.substr(space + 1);
      }
    } else if (merge.get(pair) == simdjson::SUCCESS && pair.size() == 2) {
      if (pair.at(0).get(left) != simdjson::SUCCESS || pair.at(1).get(right) != simdjson::SUCCESS) {
        left = {};
      }
    }
    if (left.empty() || right.empty()) {
      return fail(ErrorCode::kBadFormat,
                  "merge " + std::to_string(list.size()) + " is not a pair of tokens");
    }
    if (plan_.byte_level) {
      list.add_from_byte_alphabet(left, right);
      return {};
    }
    std::string left_bytes;
    std::string right_bytes;
    append_bytes(left, left_bytes);
    append_bytes(right, right_bytes);
    list.add(left_bytes, right_bytes);
    return {};
  }

  Status make_model(Json model) {
    FREEHOLD_ASSIGN(const std::optional<simdjson::dom::array> merges,
                    array_member(model, "merges"));
    if (!merges) return fail(ErrorCode::kBadFormat, "`model.merges` is missing");
    MergeList list(merges->size());
    for (const Json merge : *merges) FREEHOLD_TRY(add_merge(merge, list));
    FREEHOLD_ASSIGN(parts_.model, BytePairModel::make(parts_.vocabulary, options_, list));
    if (plan_.byte_level || !options_.fuse_unknown) parts_.borders = Borders(parts_.vocabulary);
    // See has_inner_space; a space that is no token could be fused with what stands before it.
    const bool separable =
        !parts_.vocabulary.has_inner_space() && parts_.vocabulary.find_text(" ") != kNoToken;
    if (!plan_.byte_level && plan_.metaspace && separable) {
      parts_.pre_tokenizer.add(scan_spaced_words);
    }
    return {};
  }

  Status make_specials() {
    std::vector<SpecialToken> specials;
    for (const AddedToken& token : added_) {
      SpecialToken special{std::string(token.text), static_cast<TokenId>(token.id),
                           token.special ? SpecialKind::kControl : user_defined_kind(token.text)};
      special.lstrip = token.lstrip;
      special.rstrip = token.rstrip;
      special.single_word = token.single_word;
      specials.push_back(std::move(special));
    }
    return parts_.specials.build(std::move(specials));
  }

  Json root_;
  const Json* config_;  // may be null
  const HuggingFacePlan& plan_;
  Tokenizer::Parts& parts_;
  BytePairModel::Options options_;
  std::optional<std::string_view> unknown_text_;
  std::vector<Draft> drafts_;
  std::vector<AddedToken> added_;
};

}  // namespace

Status read_vocabulary(Json root, const Json* config, const HuggingFacePlan& plan,
                       Tokenizer::Parts& parts) {
  return VocabularyReader(root, config, plan, parts).read();
}

}  // namespace freehold::tokenizer
