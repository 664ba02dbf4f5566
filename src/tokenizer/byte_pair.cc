// Byte-pair encoding of one word.
#include "tokenizer/byte_pair.h"

#include <bit>

#include "tokenizer/byte_alphabet.h"
#include "tokenizer/utf8.h"

namespace freehold::tokenizer {
namespace {

using base::ErrorCode;
using base::fail;

// Bytes that valid UTF-8 never has need no token.
bool occurs_in_utf8(int byte) { return byte != 0xC0 && byte != 0xC1 && byte < 0xF5; }

std::string quoted(std::string_view left, std::string_view right) {
  return "`" + std::string(left) + "` + `" + std::string(right) + "`";
}

}  // namespace

MergeTable::MergeTable(size_t merges)
    : slots_(std::bit_ceil(merges * 2 + 2)),
      mask_(slots_.size() - 1),
      shift_(64 - std::countr_zero(slots_.size())) {}

void MergeTable::insert(TokenId left, TokenId right, Merge merge) {
  const uint64_t key = key_of(left, right);
  size_t at = slot_of(key);
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
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const TokenId left = vocabulary.find_text(merges.left(rank));
    const TokenId right = vocabulary.find_text(merges.right(rank));
    const TokenId id = vocabulary.find_text(merges.joined(rank));
    if (left == kNoToken || right == kNoToken || id == kNoToken) {
      return fail(ErrorCode::kBadFormat, "merge " + std::to_string(rank) + ", " +
                                             quoted(merges.left(rank), merges.right(rank)) +
                                             ", names or makes a token that the vocabulary lacks");
    }
    model->table_.insert(left, right, {static_cast<uint32_t>(rank), id});
  }
  return model;
}

void BytePairModel::split_bytes(std::string_view word, std::vector<Symbol>& symbols) const {
  symbols.resize(word.size());
  for (uint32_t i = 0; i < word.size(); ++i) {
    symbols[i] = {i, 1, byte_ids_[static_cast<uint8_t>(word[i])]};
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

void BytePairModel::encode(std::string_view word, Workspace& work,
                           std::vector<TokenId>& ids) const {
  if (options_.ignore_merges || word.size() == 1) {
    const TokenId whole = vocabulary_.find_text(word);
    if (whole != kNoToken) {
      ids.push_back(whole);
      return;
    }
  }
  if (options_.byte_level) {
    split_bytes(word, work.symbols);
  } else {
    split_characters(word, work.symbols);
  }
  merge_symbols(work.symbols, work.merges, [this](const Symbol& left, const Symbol& right) {
    return table_.find(left.id, right.id);
  });
  for (const Symbol& symbol : work.symbols) {
    if (symbol.id != kNoToken) ids.push_back(symbol.id);
  }
}

}  // namespace freehold::tokenizer
