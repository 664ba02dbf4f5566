// Byte-pair encoding with a list of merges: byte-level (GPT-2 and most since), or over characters
// with byte tokens for those the vocabulary lacks (SentencePiece vocabularies in tokenizer.json).
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "tokenizer/hash.h"
#include "tokenizer/vocabulary.h"
#include "tokenizer/word_model.h"

namespace freehold::tokenizer {

// (left, right) -> merge, open addressing; filled once.
class MergeTable {
 public:
  explicit MergeTable(size_t merges);
  void prefetch(TokenId left, TokenId right) const {
    __builtin_prefetch(&slots_[place_of(key_of(left, right))], 1);
  }
  // The first of two equal pairs counts.
  void insert(TokenId left, TokenId right, Merge merge);
  Merge find(TokenId left, TokenId right) const {
    const uint64_t key = key_of(left, right);
    for (size_t at = place_of(key);; at = (at + 1) & mask_) {
      const Slot& slot = slots_[at];
      if (slot.key == key) return slot.merge;
      if (slot.key == kEmpty) return {};
    }
  }

 private:
  static constexpr uint64_t kEmpty = UINT64_MAX;
  struct Slot {
    uint64_t key = kEmpty;
    Merge merge;
  };
  static uint64_t key_of(TokenId left, TokenId right) {
    return (static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32) |
           static_cast<uint32_t>(right);
  }
  size_t place_of(uint64_t key) const { return mix(key, 0x9E3779B97F4A7C15ULL) & mask_; }

  std::vector<Slot> slots_;
  size_t mask_ = 0;
};

// Merges in order of rank, as bytes, in one arena.
class MergeList {
 public:
  explicit MergeList(size_t expected) { pairs_.reserve(expected); }
  void add(std::string_view left, std::string_view right);
  void add_from_byte_alphabet(std::string_view left, std::string_view right);

  size_t size() const { return pairs_.size(); }
  std::string_view left(size_t i) const { return joined(i).substr(0, pairs_[i].left_bytes); }
  std::string_view right(size_t i) const { return joined(i).substr(pairs_[i].left_bytes); }
  std::string_view joined(size_t i) const {
    const size_t begin = i == 0 ? 0 : pairs_[i - 1].end;
    return std::string_view(arena_).substr(begin, pairs_[i].end - begin);
  }

 private:
  struct Pair {
    size_t left_bytes, end;
  };
  std::string arena_;
  std::vector<Pair> pairs_;
};

class BytePairModel : public WordModel {
 public:
  struct Options {
    bool byte_level = true;
    bool ignore_merges = false;  // a word that is a token is that token, whatever the merges say
    bool byte_fallback = false;  // not byte-level: <0xHH> tokens for unknown characters
    bool fuse_unknown = false;   // several unknown characters in a row are one unknown token
    TokenId unknown = kNoToken;
    // Not byte-level: the <0xHH> tokens, where there are any.
    std::array<TokenId, 256> bytes{};
  };

  // Errors: kBadFormat (a merge that names no token, or makes none; byte-level: a byte that valid
  // UTF-8 has and the vocabulary lacks, with no unknown token to stand for it).
  static base::Result<std::unique_ptr<BytePairModel>> make(const Vocabulary& vocabulary,
                                                           const Options& options,
                                                           const MergeList& merges);

  TokenId whole(std::string_view word) const override;
  void merge(std::string_view word, Workspace& work, std::vector<TokenId>& ids) const override;

 private:
  BytePairModel(const Vocabulary& vocabulary, const Options& options, size_t merges);
  base::Status add_merges(const MergeList& merges, size_t begin, size_t end);
  void split_bytes(std::string_view word, std::vector<Symbol>& symbols) const;
  void split_characters(std::string_view word, std::vector<Symbol>& symbols) const;
  TokenId whole_character(std::string_view character) const;
  TokenId find_whole_character(std::string_view character) const;
  Merge find(const Symbol& left, const Symbol& right) const {
    return table_.find(left.id, right.id);
  }

  const Vocabulary& vocabulary_;
  Options options_;
  MergeTable table_;
  std::array<TokenId, 256> byte_ids_{};
  // By token: the best rank of the merges in which it is the left / right one.
  std::vector<uint32_t> best_as_left_, best_as_right_;
  // Found out when first asked for; the same whoever asks, so nothing needs to be in order.
  // By token: whether its text as a word becomes just that token. 0: not known yet.
  mutable std::vector<std::atomic<uint8_t>> is_own_word_;
  // By code point below U+10000: see whole_character. 0: not known yet; otherwise its id + 2.
  mutable std::vector<std::atomic<TokenId>> whole_characters_;
};

}  // namespace freehold::tokenizer
