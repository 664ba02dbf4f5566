// The greedy merging that byte-pair and SentencePiece vocabularies share: of all neighbours that
// may merge, the pair of the best (lowest) rank merges first, the leftmost among equals, until none
// is left. O(n^2) with a tiny constant for words, at most O(n log n) for what is long.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <unordered_map>
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

// Which merge of a long word comes next: the lowest rank, the leftmost among equals. Merging seldom
// makes a pair of a lower rank than the one at hand, so the places of one rank are gone through in
// one sweep; only what comes up behind the sweep goes through a heap.
class MergeQueue {
 public:
  struct Entry {
    uint32_t rank, at;
    friend auto operator<=>(const Entry&, const Entry&) = default;
  };

  void push(Entry entry) {
    if (started_ && entry.rank <= sweep_rank_) {
      behind_.push(entry);
      return;
    }
    if (last_ == nullptr || entry.rank != last_rank_) {
      const auto [found, is_new] = ahead_.try_emplace(entry.rank);
      if (is_new) ranks_.push(entry.rank);
      last_ = &found->second;  // stays where it is until it is taken out
      last_rank_ = entry.rank;
    }
    last_->push_back(entry.at);
  }

  std::optional<Entry> pop() {
    if (next_ == sweep_.size() && behind_.empty() && !begin_sweep()) return std::nullopt;
    if (!behind_.empty() &&
        (next_ == sweep_.size() || behind_.top() < Entry{sweep_rank_, sweep_[next_]})) {
      const Entry entry = behind_.top();
      behind_.pop();
      return entry;
    }
    return Entry{sweep_rank_, sweep_[next_++]};
  }

 private:
  bool begin_sweep() {
    if (ranks_.empty()) return false;
    started_ = true;
    sweep_rank_ = ranks_.top();
    ranks_.pop();
    const auto taken = ahead_.extract(sweep_rank_);
    sweep_ = std::move(taken.mapped());
    last_ = nullptr;
    next_ = 0;
    if (!std::ranges::is_sorted(sweep_)) std::ranges::sort(sweep_);
    return true;
  }

  std::unordered_map<uint32_t, std::vector<uint32_t>> ahead_;  // places by rank
  std::priority_queue<uint32_t, std::vector<uint32_t>, std::greater<>> ranks_;
  std::vector<uint32_t>* last_ = nullptr;
  uint32_t last_rank_ = 0;
  std::vector<uint32_t> sweep_;
  size_t next_ = 0;
  uint32_t sweep_rank_ = 0;
  bool started_ = false;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> behind_;
};

template <typename Find>
void merge_long(std::vector<Symbol>& symbols, std::vector<Merge>& merges, const Find& find) {
  const auto n = static_cast<uint32_t>(symbols.size());
  std::vector<uint32_t> next(n);
  std::vector<uint32_t> previous(n);
  // merges[i]: of symbol i with its right neighbour, as things stand. An entry of the queue whose
  // rank is no longer that of merges[i] is stale.
  merges.assign(n, Merge{});
  MergeQueue queue;
  const auto renew = [&](uint32_t i) {
    merges[i] = next[i] < n ? find(symbols[i], symbols[next[i]]) : Merge{};
    if (merges[i].rank != kNeverMerges) queue.push({merges[i].rank, i});
  };
  for (uint32_t i = 0; i < n; ++i) {
    next[i] = i + 1;
    previous[i] = i - 1;  // of the first: never looked at
    renew(i);
  }
  while (const auto entry = queue.pop()) {
    const uint32_t left = entry->at;
    if (merges[left].rank != entry->rank) continue;
    const uint32_t right = next[left];
    symbols[left].length += symbols[right].length;
    symbols[left].id = merges[left].id;
    symbols[right].length = 0;
    merges[right] = {};
    next[left] = next[right];
    if (next[left] < n) previous[next[left]] = left;
    if (left > 0) renew(previous[left]);
    renew(left);
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
