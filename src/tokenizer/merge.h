// The greedy merging that byte-pair and SentencePiece vocabularies share: of all neighbours that
// may merge, the pair of the best (lowest) rank merges first, the leftmost among equals, until none
// is left. O(n^2) with a tiny constant for words, O(n log n) with a heap for what is long.
#pragma once

#include <algorithm>
#include <cstdint>
#include <queue>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace freehold::tokenizer {

struct Symbol {
  uint32_t begin = 0;   // in the text
  uint32_t length = 0;  // bytes; 0 once merged into its left neighbour
  TokenId id = -1;      // -1: not in the vocabulary
};

struct Merge {
  uint32_t rank = UINT32_MAX;  // UINT32_MAX: the two don't merge
  TokenId id = -1;
};

inline constexpr uint32_t kNeverMerges = UINT32_MAX;
inline constexpr size_t kLongWord = 96;  // symbols

// Find: Merge find(const Symbol& left, const Symbol& right).
template <typename Find>
void merge_short(std::vector<Symbol>& symbols, std::vector<Merge>& merges, const Find& find) {
  size_t n = symbols.size();
  merges.resize(n);
  for (size_t i = 0; i + 1 < n; ++i) merges[i] = find(symbols[i], symbols[i + 1]);
  while (n > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < n; ++i) {
      if (merges[i].rank < merges[best].rank) best = i;
    }
    if (merges[best].rank == kNeverMerges) break;
    symbols[best].length += symbols[best + 1].length;
    symbols[best].id = merges[best].id;
    std::copy(symbols.begin() + static_cast<ptrdiff_t>(best) + 2,
              symbols.begin() + static_cast<ptrdiff_t>(n),
              symbols.begin() + static_cast<ptrdiff_t>(best) + 1);
    std::copy(merges.begin() + static_cast<ptrdiff_t>(best) + 2,
              merges.begin() + static_cast<ptrdiff_t>(n),
              merges.begin() + static_cast<ptrdiff_t>(best) + 1);
    --n;
    if (best + 1 < n) merges[best] = find(symbols[best], symbols[best + 1]);
    if (best > 0) merges[best - 1] = find(symbols[best - 1], symbols[best]);
  }
  symbols.resize(n);
}

template <typename Find>
void merge_long(std::vector<Symbol>& symbols, const Find& find) {
  struct Candidate {
    uint32_t rank, left, right, length;  // of both together, to tell what has changed since
    TokenId id;
    bool operator<(const Candidate& other) const {  // the heap's top is the greatest
      return rank != other.rank ? rank > other.rank : left > other.left;
    }
  };
  const auto n = static_cast<uint32_t>(symbols.size());
  std::vector<uint32_t> next(n);
  std::vector<uint32_t> previous(n);
  std::vector<Candidate> candidates;
  candidates.reserve(n);
  const auto candidate = [&](uint32_t left, uint32_t right) -> Candidate {
    const Merge merge = find(symbols[left], symbols[right]);
    return {merge.rank, left, right, symbols[left].length + symbols[right].length, merge.id};
  };
  for (uint32_t i = 0; i < n; ++i) {
    next[i] = i + 1;
    previous[i] = i - 1;  // of the first: never looked at
    if (i + 1 == n) break;
    const Candidate pair = candidate(i, i + 1);
    if (pair.rank != kNeverMerges) candidates.push_back(pair);
  }
  std::priority_queue<Candidate> queue(std::less<Candidate>(), std::move(candidates));
  while (!queue.empty()) {
    const Candidate top = queue.top();
    queue.pop();
    Symbol& left = symbols[top.left];
    if (left.length == 0 || symbols[top.right].length == 0 || next[top.left] != top.right ||
        left.length + symbols[top.right].length != top.length) {
      continue;
    }
    left.length = top.length;
    left.id = top.id;
    symbols[top.right].length = 0;
    next[top.left] = next[top.right];
    const auto offer = [&](uint32_t a, uint32_t b) {
      const Candidate pair = candidate(a, b);
      if (pair.rank != kNeverMerges) queue.push(pair);
    };
    if (next[top.left] < n) {
      previous[next[top.left]] = top.left;
      offer(top.left, next[top.left]);
    }
    if (top.left > 0) offer(previous[top.left], top.left);
  }
  std::erase_if(symbols, [](const Symbol& symbol) { return symbol.length == 0; });
}

// Merges in place; `scratch` is only there to keep its memory from call to call.
template <typename Find>
void merge_symbols(std::vector<Symbol>& symbols, std::vector<Merge>& scratch, const Find& find) {
  if (symbols.size() > kLongWord) {
    merge_long(symbols, find);
  } else {
    merge_short(symbols, scratch, find);
  }
}

}  // namespace freehold::tokenizer
