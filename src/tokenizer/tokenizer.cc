// Encoding and decoding on top of a tokenizer's parts.
#include "tokenizer/tokenizer.h"

#include <algorithm>
#include <atomic>

#include "tokenizer/parts.h"
#include "tokenizer/utf8.h"
#include "tokenizer/word_cache.h"

namespace freehold::tokenizer {
namespace {

using base::ErrorCode;
using base::fail;

constexpr std::string_view kMetaspace = "\xE2\x96\x81";  // U+2581

// One call's state: the text goes through specials, prefix, pre-tokenizer and model into `ids`.
class Encoding {
 public:
  Encoding(const Tokenizer::Parts& parts, std::vector<TokenId>& ids)
      : parts_(parts), ids_(ids), cache_(WordCache::of_this_thread()) {}

  // `text` is valid UTF-8.
  base::Status run(std::string_view text, SpecialMatcher::Allowed allowed) {
    size_t done = 0;
    base::Status status;
    parts_.specials.for_each(text, allowed, [&](const SpecialMatch& match) {
      if (status) status = plain(text.substr(done, match.begin - done), done == 0);
      ids_.push_back(match.id);
      done = match.end;
    });
    if (!status) return status;
    return plain(text.substr(done), done == 0);
  }

 private:
  // Text between special tokens.
  base::Status plain(std::string_view fragment, bool first) {
    if (fragment.empty()) return {};
    std::string changed;
    if (!parts_.normalizer.empty()) {
      FREEHOLD_ASSIGN(changed, parts_.normalizer.apply(fragment));
      fragment = changed;
    }
    if (wants_space(fragment, first)) fragment = changed = " " + std::string(fragment);
    if (parts_.metaspace && fragment.find(kMetaspace) != std::string_view::npos) {
      changed = std::string(fragment);
      metaspace_to_space(changed);
      fragment = changed;
    }
    return words(fragment);
  }

  bool wants_space(std::string_view fragment, bool first) const {
    switch (parts_.space_prefix) {
      case SpacePrefix::kNone:
        return false;
      case SpacePrefix::kAlways:
        return true;
      case SpacePrefix::kFirstUnlessSpace:
        if (!first) return false;
        [[fallthrough]];
      case SpacePrefix::kUnlessSpace:
        return !fragment.starts_with(' ') &&
               !(parts_.metaspace && fragment.starts_with(kMetaspace));
    }
    return false;
  }

  base::Status words(std::string_view fragment) {
    return parts_.pre_tokenizer.split(fragment, [this](std::string_view word) {
      if (is_worth_cutting(word)) {
        cut(word);
      } else {
        look_up(word, parts_.word_owner);
      }
    });
  }

  bool is_worth_cutting(std::string_view word) const {
    constexpr size_t kThreeCharacters = 9;
    return word.size() > kThreeCharacters && !parts_.borders.empty() &&
           (Borders::is_wide(word[word.size() - 3]) || word.size() > WordCache::kMaxWordBytes);
  }

  void cut(std::string_view word) {
    if (const TokenId whole = parts_.model->whole(word); whole != kNoToken) {
      ids_.push_back(whole);
      return;
    }
    for (size_t at = 0; at < word.size();) {
      const size_t end = parts_.borders.next(word, at);
      look_up(word.substr(at, end - at), parts_.part_owner);
      at = end;
    }
  }

  void look_up(std::string_view word, uint32_t owner) {
    WordCache::Entry* entry = cache_.entry(word, owner);
    if (entry != nullptr && WordCache::holds(*entry, word, owner)) {
      ids_.insert(ids_.end(), entry->ids.begin(), entry->ids.begin() + entry->n_ids);
      return;
    }
    const size_t before = ids_.size();
    const TokenId whole = owner == parts_.word_owner ? parts_.model->whole(word) : kNoToken;
    if (whole != kNoToken) {
      ids_.push_back(whole);
    } else {
      parts_.model->merge(word, work_, ids_);
    }
    if (entry != nullptr) {
      WordCache::store(*entry, word, owner, std::span(ids_).subspan(before));
    }
  }

  const Tokenizer::Parts& parts_;
  std::vector<TokenId>& ids_;
  WordCache& cache_;
  Workspace work_;
};

base::Status check_length(size_t bytes) {
  if (bytes <= Tokenizer::kMaxTextBytes) return {};
  return fail(ErrorCode::kLimitExceeded, "a text of " + std::to_string(bytes) + " bytes; at most " +
                                             std::to_string(Tokenizer::kMaxTextBytes) +
                                             " are encoded at once");
}

// Puts BOS and EOS around what encoding gave, but not a BOS before a BOS.
void add_ends(const Tokenizer::Parts& parts, const EncodeOptions& options,
              std::vector<TokenId>& ids) {
  if (options.add_bos.value_or(parts.add_bos) && parts.bos &&
      (ids.empty() || ids.front() != *parts.bos)) {
    ids.insert(ids.begin(), *parts.bos);
  }
  if (options.add_eos.value_or(parts.add_eos) && parts.eos) ids.push_back(*parts.eos);
}

// Ends of stretches of equal trust in the joined text.
struct Trust {
  std::vector<size_t> ends;
  std::vector<bool> trusted;

  // Whether all of [begin, end) is trusted.
  bool covers(size_t begin, size_t end) const {
    auto i = static_cast<size_t>(std::ranges::upper_bound(ends, begin) - ends.begin());
    for (; i < ends.size(); ++i) {
      if (!trusted[i]) return false;
      if (ends[i] >= end) return true;
    }
    return false;
  }
};

}  // namespace

void metaspace_to_space(std::string& text) {
  size_t at = text.find(kMetaspace);
  if (at == std::string::npos) return;
  std::string out = text.substr(0, at);
  while (at < text.size()) {
    const bool found = std::string_view(text).substr(at).starts_with(kMetaspace);
    out.push_back(found ? ' ' : text[at]);
    at += found ? kMetaspace.size() : 1;
  }
  text = std::move(out);
}

void name_in_cache(Tokenizer::Parts& parts) {
  static std::atomic<uint32_t> last = 0;
  parts.word_owner = ++last;
  parts.part_owner = ++last;
}

base::Result<std::vector<TokenId>> Tokenizer::encode(std::string_view text,
                                                     const EncodeOptions& options) const {
  FREEHOLD_TRY(check_length(text.size()));
  std::string repaired;
  if (!is_valid_utf8(text)) {
    repaired = replace_invalid_utf8(text, {});
    text = repaired;
  }
  std::vector<TokenId> ids;
  ids.reserve(text.size() / 3 + 2);
  FREEHOLD_TRY(Encoding(*parts_, ids).run(text, [&](SpecialKind kind, size_t, size_t) {
    return options.parse_special || kind != SpecialKind::kControl;
  }));
  add_ends(*parts_, options, ids);
  return ids;
}

base::Result<std::vector<TokenId>> Tokenizer::encode_segments(std::span<const Segment> segments,
                                                              const EncodeOptions& options) const {
  size_t length = 0;
  for (const Segment& segment : segments) {
    FREEHOLD_TRY(check_length(segment.text.size()));
    FREEHOLD_TRY(check_length(length += segment.text.size()));
  }
  std::string text;
  text.reserve(length);
  Trust trust;
  for (const Segment& segment : segments) {
    if (segment.text.empty()) continue;
    text.append(segment.text);
    trust.ends.push_back(text.size());
    trust.trusted.push_back(segment.trusted);
  }
  if (!is_valid_utf8(text)) text = replace_invalid_utf8(text, trust.ends);
  std::vector<TokenId> ids;
  ids.reserve(text.size() / 3 + 2);
  FREEHOLD_TRY(Encoding(*parts_, ids).run(text, [&](SpecialKind kind, size_t begin, size_t end) {
    return kind == SpecialKind::kPlain || trust.covers(begin, end);
  }));
  add_ends(*parts_, options, ids);
  return ids;
}

std::string_view Tokenizer::piece(TokenId id, bool special) const {
  const Vocabulary& vocabulary = parts_->vocabulary;
  if (!vocabulary.contains(id)) return {};
  const TokenKind kind = vocabulary.kind(id);
  const bool hidden = kind == TokenKind::kControl || kind == TokenKind::kUnknown;
  return hidden && !special ? std::string_view{} : vocabulary.bytes(id);
}

std::string Tokenizer::decode(std::span<const TokenId> ids, const DecodeOptions& options) const {
  std::string out;
  for (const TokenId id : ids) out.append(piece(id, options.special));
  if (options.from_start && parts_->strip_first_space && out.starts_with(' ')) out.erase(0, 1);
  return out;
}

int32_t Tokenizer::vocabulary_size() const { return parts_->vocabulary.size(); }

std::optional<TokenId> Tokenizer::find(std::string_view text) const {
  const TokenId id = parts_->vocabulary.find(text);
  return id == kNoToken ? std::nullopt : std::optional(id);
}

bool Tokenizer::is_control(TokenId id) const {
  return parts_->vocabulary.contains(id) && parts_->vocabulary.kind(id) == TokenKind::kControl;
}

bool Tokenizer::is_text(TokenId id) const {
  if (!parts_->vocabulary.contains(id)) return false;
  const TokenKind kind = parts_->vocabulary.kind(id);
  return kind == TokenKind::kNormal || kind == TokenKind::kUserDefined ||
         kind == TokenKind::kByte || kind == TokenKind::kUndefined;
}

std::optional<TokenId> Tokenizer::bos() const { return parts_->bos; }
std::optional<TokenId> Tokenizer::eos() const { return parts_->eos; }
std::optional<TokenId> Tokenizer::padding() const { return parts_->padding; }
bool Tokenizer::adds_bos() const { return parts_->add_bos; }
bool Tokenizer::adds_eos() const { return parts_->add_eos; }

std::span<const TokenId> Tokenizer::end_of_generation_ids() const {
  return parts_->end_of_generation;
}

bool Tokenizer::is_end_of_generation(TokenId id) const {
  return std::ranges::binary_search(parts_->end_of_generation, id);
}

std::optional<std::string_view> Tokenizer::chat_template(std::string_view name) const {
  const auto found = parts_->chat_templates.find(name);
  if (found == parts_->chat_templates.end()) return std::nullopt;
  return found->second;
}

const std::map<std::string, std::string, std::less<>>& Tokenizer::chat_templates() const {
  return parts_->chat_templates;
}

std::string Tokenizer::description() const { return parts_->description; }

}  // namespace freehold::tokenizer
