// A word (a piece of pre-tokenised text) to ids: what the two kinds of vocabulary have in common.
#pragma once

#include <string_view>
#include <vector>

#include "tokenizer/merge.h"
#include "tokenizer/tokenizer.h"

namespace freehold::tokenizer {

// Memory that one encoding keeps from word to word.
struct Workspace {
  std::vector<Symbol> symbols;
  std::vector<Merge> merges;
};

class WordModel {
 public:
  virtual ~WordModel() = default;
  // The token that `word` is whatever merging would make of it, or -1.
  virtual TokenId whole(std::string_view word) const = 0;
  // Appends the ids that merging makes of `word`, or of a part of one between closed borders: valid
  // UTF-8, not empty.
  virtual void merge(std::string_view word, Workspace& work, std::vector<TokenId>& ids) const = 0;
};

}  // namespace freehold::tokenizer
