// The greedy merging that byte-pair and SentencePiece vocabularies share: of all neighbours that
// may merge, the pair of the best (lowest) rank merges first, the leftmost among equals, until none
// is left. O(n^2) with a tiny constant for words, O(n log n) with a heap for what is long.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
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
void merge_long(std::vector<Symbol>& symbols, std::vector<Merge>& merges, const Find& find) {
  const auto n = static_cast<uint32_t>(symbols.size());
  std::vector<uint32_t> next(n);
  std::vector<uint32_t> previous(n);
  // merges[i]: of symbol i with its right neighbour, as things stand. In the queue, (rank, i) in
  // one number; an entry whose rank is no longer that of merges[i] is stale.
  std::vector<uint64_t> entries;
  entries.reserve(n);
  const auto entry = [](uint32_t rank, uint32_t i) {
    return (static_cast<uint64_t>(rank) << 32) | i;
  };
  merges.assign(n, Merge{});
  for (uint32_t i = 0; i < n; ++i) {
    next[i] = i + 1;
    previous[i] = i - 1;  // of the first: never looked at
    if (i + 1 == n) break;
    merges[i] = find(symbols[i], symbols[i + 1]);
    if (merges[i].rank != kNeverMerges) entries.push_back(entry(merges[i].rank, i));
  }
  std::priority_queue queue(std::greater<uint64_t>(), std::move(entries));
  const auto renew = [&](uint32_t i) {
    merges[i] = next[i] < n ? find(symbols[i], symbols[next[i]]) : Merge{};
    if (merges[i].rank != kNeverMerges) queue.push(entry(merges[i].rank, i));
  };
  while (!queue.empty()) {
    const auto left = static_cast<uint32_t>(queue.top());
    const auto rank = static_cast<uint32_t>(queue.top() >> 32);
    queue.pop();
    if (merges[left].rank != rank) continue;
    const uint32_t right = next[left];
    symbols[left].length += symbols[right].length;
    symbols[left].id = merges[left].id;
    symbols[right].length = 0;
    merges[right] = {};
    next[left] = next[right];
    if (next[left] < n) previous[next[left]] = left;
    renew(left);
    if (left > 0) renew(previous[left]);
  }
  std::erase_if(symbols, [](const Symbol& symbol) { return symbol.length == 0; });
}

// Merges in place; `scratch` is only there to keep its memory from call to call.
template <typename Find>
void merge_symbols(std::vector<Symbol>& symbols, std::vector<Merge>& scratch, const Find& find) {
  if (symbols.size() > kLongWord) {
    merge_long(symbols, scratch, find);
  } else {
    merge_short(symbols, scratch, find);
  }
}

}  // namespace freehold::tokenizer
