// SentencePiece's BPE as GGUF carries it (`llama`): any two neighbours merge whose bytes together
// are a token, the highest score first. Characters that are no token become byte tokens, or else
// the unknown token.
#pragma once

#include <array>
#include <memory>

#include "base/result.h"
#include "tokenizer/vocabulary.h"
#include "tokenizer/word_model.h"

namespace freehold::tokenizer {

class ScoredModel : public WordModel {
 public:
  // `scores`: one a token. `bytes`: the byte tokens (kNoToken where there is none). Errors:
  // kBadFormat (a score that is not a number; a byte without a token and no unknown token).
  static base::Result<std::unique_ptr<ScoredModel>> make(const Vocabulary& vocabulary,
                                                         const std::vector<float>& scores,
                                                         const std::array<TokenId, 256>& bytes,
                                                         TokenId unknown);

  TokenId whole(std::string_view) const override { return kNoToken; }
  void merge(std::string_view word, Workspace& work, std::vector<TokenId>& ids) const override;

 private:
  explicit ScoredModel(const Vocabulary& vocabulary) : vocabulary_(vocabulary) {}

  const Vocabulary& vocabulary_;
  std::vector<uint32_t> ranks_;  // by id; equal scores have equal ranks
  std::array<TokenId, 256> bytes_{};
  TokenId unknown_ = kNoToken;
};

}  // namespace freehold::tokenizer
