// Scores become ranks once, so that merging is the same code as for byte pairs.
#include "tokenizer/scored.h"

#include <cmath>
#include <numeric>

#include "tokenizer/utf8.h"

namespace freehold::tokenizer {

base::Result<std::unique_ptr<ScoredModel>> ScoredModel::make(const Vocabulary& vocabulary,
                                                             const std::vector<float>& scores,
                                                             const std::array<TokenId, 256>& bytes,
                                                             TokenId unknown) {
  for (size_t i = 0; i < scores.size(); ++i) {
    if (std::isnan(scores[i])) {
      return base::fail(base::ErrorCode::kBadFormat,
                        "the score of token " + std::to_string(i) + " is not a number");
    }
  }
  for (const TokenId id : bytes) {
    if (id == kNoToken && unknown == kNoToken) {
      return base::fail(base::ErrorCode::kBadFormat,
                        "the vocabulary lacks byte tokens and has no unknown token");
    }
  }
  auto model = std::unique_ptr<ScoredModel>(new ScoredModel(vocabulary));
  std::vector<uint32_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return scores[a] > scores[b]; });
  model->ranks_.resize(scores.size());
  uint32_t rank = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    if (i > 0 && scores[order[i]] < scores[order[i - 1]]) ++rank;
    model->ranks_[order[i]] = rank;
  }
  model->bytes_ = bytes;
  model->unknown_ = unknown;
  return model;
}

void ScoredModel::merge(std::string_view word, Workspace& work, std::vector<TokenId>& ids) const {
  work.symbols.clear();
  for (size_t at = 0; at < word.size();) {
    const uint32_t length = code_point_at(word, at).length;
    work.symbols.push_back({static_cast<uint32_t>(at), length, kNoToken});
    at += length;
  }
  merge_symbols(work.symbols, work.merges, [&](const Symbol& left, const Symbol& right) -> Merge {
    const TokenId id = vocabulary_.find_text(word.substr(left.begin, left.length + right.length));
    if (id == kNoToken) return {};
    return {ranks_[static_cast<size_t>(id)], id};
  });
  for (const Symbol& symbol : work.symbols) {
    const std::string_view text = word.substr(symbol.begin, symbol.length);
    const TokenId id = symbol.id != kNoToken ? symbol.id : vocabulary_.find_text(text);
    if (id != kNoToken) {
      ids.push_back(id);
      continue;
    }
    for (const char byte : text) {
      const TokenId fallback = bytes_[static_cast<uint8_t>(byte)];
      ids.push_back(fallback != kNoToken ? fallback : unknown_);
    }
  }
}

}  // namespace freehold::tokenizer
