// Byte-pair encoding of one word.
#include "tokenizer/byte_pair.h"

#include <algorithm>
#include <bit>

#include "tokenizer/byte_alphabet.h"
#include "tokenizer/utf8.h"

namespace freehold::tokenizer {
namespace {

using base::ErrorCode;
using base::fail;

constexpr size_t kMergeBlock = 32;

// Bytes that valid UTF-8 never has need no token.
bool occurs_in_utf8(int byte) { return byte != 0xC0 && byte != 0xC1 && byte < 0xF5; }

std::string quoted(std::string_view left, std::string_view right) {
  return "`" + std::string(left) + "` + `" + std::string(right) + "`";
}

}  // namespace

MergeTable::MergeTable(size_t merges)
    : slots_(std::bit_ceil(merges + merges / 2 + 2)), mask_(slots_.size() - 1) {}

void MergeTable::insert(TokenId left, TokenId right, Merge merge) {
  const uint64_t key = key_of(left, right);
  size_t at = place_of(key);
  while (slots_[at].key != kEmpty) {
    if (slots_[at].key == key) return;
    at = (at + 1) & mask_;
  }
  slots_[at] = {key, merge};
}

void MergeList::add(std::string_view left, std::string_view right) {
  arena_.append(left).append(right);
  pairs_.push_back({left.size(), arena_.size()});
}

void MergeList::add_from_byte_alphabet(std::string_view left, std::string_view right) {
  const size_t begin = arena_.size();
  append_from_byte_alphabet(left, arena_);
  const size_t middle = arena_.size();
  append_from_byte_alphabet(right, arena_);
  pairs_.push_back({middle - begin, arena_.size()});
}

BytePairModel::BytePairModel(const Vocabulary& vocabulary, const Options& options, size_t merges)
    : vocabulary_(vocabulary),
      options_(options),
      table_(merges),
      best_as_left_(static_cast<size_t>(vocabulary.size()), kNeverMerges),
      best_as_right_(best_as_left_),
      is_own_word_(best_as_left_.size()),
      whole_characters_(options.byte_level ? 0x10000 : 0) {}

base::Result<std::unique_ptr<BytePairModel>> BytePairModel::make(const Vocabulary& vocabulary,
                                                                 const Options& options,
                                                                 const MergeList& merges) {
  auto model =
      std::unique_ptr<BytePairModel>(new BytePairModel(vocabulary, options, merges.size()));
  for (int byte = 0; byte < 256 && options.byte_level; ++byte) {
    const char text = static_cast<char>(byte);
    TokenId id = vocabulary.find_text(std::string_view(&text, 1));
    if (id == kNoToken) id = options.unknown;
    if (id == kNoToken && occurs_in_utf8(byte)) {
      return fail(ErrorCode::kBadFormat, "the vocabulary has no token for byte " +
                                             std::to_string(byte) + " and no unknown token");
    }
    model->byte_ids_[static_cast<size_t>(byte)] = id;
  }
  for (size_t rank = 0; rank < merges.size(); rank += kMergeBlock) {
    FREEHOLD_TRY(model->add_merges(merges, rank, std::min(rank + kMergeBlock, merges.size())));
  }
  return model;
}

// A block of merges in three passes, so that their many places in memory are waited for together.
base::Status BytePairModel::add_merges(const MergeList& merges, size_t begin, size_t end) {
  std::array<std::array<uint64_t, 3>, kMergeBlock> hashes;
  for (size_t rank = begin; rank < end; ++rank) {
    auto& of_merge = hashes[rank - begin];
    of_merge = {hash_bytes(merges.left(rank)), hash_bytes(merges.right(rank)),
                hash_bytes(merges.joined(rank))};
    for (const uint64_t hash : of_merge) vocabulary_.prefetch(hash);
  }
  std::array<std::array<TokenId, 3>, kMergeBlock> ids;
  for (size_t rank = begin; rank < end; ++rank) {
    const auto& of_merge = hashes[rank - begin];
    const TokenId left = vocabulary_.find_text(merges.left(rank), of_merge[0]);
    const TokenId right = vocabulary_.find_text(merges.right(rank), of_merge[1]);
    const TokenId joined = vocabulary_.find_text(merges.joined(rank), of_merge[2]);
    if (left == kNoToken || right == kNoToken || joined == kNoToken) {
      return fail(ErrorCode::kBadFormat, "merge " + std::to_string(rank) + ", " +
                                             quoted(merges.left(rank), merges.right(rank)) +
                                             ", names or makes a token that the vocabulary lacks");
    }
    table_.prefetch(left, right);
    ids[rank - begin] = {left, right, joined};
  }
  for (size_t rank = begin; rank < end; ++rank) {
    const auto [left, right, joined] = ids[rank - begin];
    const auto merge_rank = static_cast<uint32_t>(rank);
    table_.insert(left, right, {merge_rank, joined});
    uint32_t& as_left = best_as_left_[static_cast<size_t>(left)];
    uint32_t& as_right = best_as_right_[static_cast<size_t>(right)];
    as_left = std::min(as_left, merge_rank);
    as_right = std::min(as_right, merge_rank);
  }
  return {};
}

// The token of a character whose bytes become that token wherever it stands, or kNoToken. So it is
// when every merge that makes it goes before any merge that could take a part of it away (a part at
// its beginning to the left, one at its end to the right), and before any that it takes part in
// itself. Most characters of most vocabularies are such; starting from them instead of their bytes
// saves two thirds of the work on Chinese.
TokenId BytePairModel::find_whole_character(std::string_view character) const {
  std::vector<Symbol> symbols;
  for (uint32_t i = 0; i < character.size(); ++i) {
    symbols.push_back({i, 1, byte_ids_[static_cast<uint8_t>(character[i])]});
  }
  uint32_t worst = 0;
  while (symbols.size() > 1) {
    size_t best = 0;
    Merge merge;
    for (size_t i = 0; i + 1 < symbols.size(); ++i) {
      const Merge candidate = find(symbols[i], symbols[i + 1]);
      if (candidate.rank < merge.rank) {
        merge = candidate;
        best = i;
      }
    }
    if (merge.rank == kNeverMerges) return kNoToken;
    worst = std::max(worst, merge.rank);
    symbols[best].id = merge.id;
    symbols.erase(symbols.begin() + static_cast<ptrdiff_t>(best) + 1);
  }
  const auto later = [&](const std::vector<uint32_t>& best_rank, TokenId id) {
    return id == kNoToken || best_rank[static_cast<size_t>(id)] > worst;
  };
  const TokenId whole = symbols[0].id;
  bool safe = later(best_as_left_, whole) && later(best_as_right_, whole);
  for (size_t i = 1; i < character.size(); ++i) {
    safe = safe && later(best_as_right_, vocabulary_.find_text(character.substr(0, i))) &&
           later(best_as_left_, vocabulary_.find_text(character.substr(i)));
  }
  return safe ? whole : kNoToken;
}

TokenId BytePairModel::whole_character(std::string_view character) const {
  const char32_t code = code_point_at(character, 0).code;
  if (code >= whole_characters_.size()) return kNoToken;
  std::atomic<TokenId>& known = whole_characters_[code];
  TokenId value = known.load(std::memory_order_relaxed);
  if (value == 0) {
    value = find_whole_character(character) + 2;
    known.store(value, std::memory_order_relaxed);
  }
  return value - 2;
}

void BytePairModel::split_bytes(std::string_view word, std::vector<Symbol>& symbols) const {
  symbols.clear();
  const auto add_byte = [&](size_t i) {
    symbols.push_back({static_cast<uint32_t>(i), 1, byte_ids_[static_cast<uint8_t>(word[i])]});
  };
  for (size_t at = 0; at < word.size();) {
    const uint32_t length = code_point_at(word, at).length;
    const TokenId whole = length == 1 ? kNoToken : whole_character(word.substr(at, length));
    if (whole != kNoToken) {
      symbols.push_back({static_cast<uint32_t>(at), length, whole});
    } else {
      for (size_t i = at; i < at + length; ++i) add_byte(i);
    }
    at += length;
  }
}

void BytePairModel::split_characters(std::string_view word, std::vector<Symbol>& symbols) const {
  symbols.clear();
  bool after_unknown = false;
  for (size_t at = 0; at < word.size();) {
    const uint32_t length = code_point_at(word, at).length;
    const std::string_view character = word.substr(at, length);
    const auto begin = static_cast<uint32_t>(at);
    at += length;
    const TokenId id = vocabulary_.find_text(character);
    bool by_bytes = id == kNoToken && options_.byte_fallback;
    for (const char byte : character) {
      by_bytes = by_bytes && options_.bytes[static_cast<uint8_t>(byte)] != kNoToken;
    }
    const bool unknown = id == kNoToken && !by_bytes;
    if (by_bytes) {
      for (uint32_t i = 0; i < length; ++i) {
        symbols.push_back({begin + i, 1, options_.bytes[static_cast<uint8_t>(character[i])]});
      }
    } else if (unknown && after_unknown && options_.fuse_unknown) {
      symbols.back().length += length;
    } else {
      symbols.push_back({begin, length, unknown ? options_.unknown : id});
    }
    after_unknown = unknown;
  }
}

TokenId BytePairModel::whole(std::string_view word) const {
  return options_.ignore_merges && word.size() <= kMaxTokenBytes ? vocabulary_.find_text(word)
                                                                 : kNoToken;
}

void BytePairModel::merge(std::string_view word, Workspace& work, std::vector<TokenId>& ids) const {
  constexpr uint8_t kOwnWord = 1;
  constexpr uint8_t kNotOwnWord = 2;
  const TokenId whole = word.size() <= kMaxTokenBytes ? vocabulary_.find_text(word) : kNoToken;
  std::atomic<uint8_t>* own =
      whole != kNoToken ? &is_own_word_[static_cast<size_t>(whole)] : nullptr;
  if (own != nullptr && own->load(std::memory_order_relaxed) == kOwnWord) {
    ids.push_back(whole);
    return;
  }
  if (options_.byte_level) {
    split_bytes(word, work.symbols);
  } else {
    split_characters(word, work.symbols);
  }
  merge_symbols(work.symbols, work.merges,
                [this](const Symbol& left, const Symbol& right) { return find(left, right); });
  if (own != nullptr) {
    const bool same = work.symbols.size() == 1 && work.symbols[0].id == whole;
    own->store(same ? kOwnWord : kNotOwnWord, std::memory_order_relaxed);
  }
  for (const Symbol& symbol : work.symbols) {
    if (symbol.id != kNoToken) ids.push_back(symbol.id);
  }
}

}  // namespace freehold::tokenizer
