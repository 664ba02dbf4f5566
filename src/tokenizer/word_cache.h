// Words seen before and their ids: one small direct-mapped table a thread, shared by all
// vocabularies. Fixed in size (1 MiB); a newer word takes an older one's place.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "tokenizer/hash.h"
#include "tokenizer/tokenizer.h"

namespace freehold::tokenizer {

class WordCache {
 public:
  static constexpr size_t kMaxWordBytes = 26;
  static constexpr size_t kMaxIds = 8;

  struct Entry {
    uint32_t owner = 0;  // 0: empty; otherwise which vocabulary
    uint8_t length = 0;
    uint8_t n_ids = 0;
    std::array<char, kMaxWordBytes> word{};
    std::array<TokenId, kMaxIds> ids{};
  };
  static_assert(sizeof(Entry) == 64);

  static WordCache& of_this_thread() {
    thread_local WordCache cache;
    return cache;
  }

  // The entry where `word` is or would be; null for words too long to keep.
  Entry* entry(std::string_view word, uint32_t owner) {
    if (word.size() > kMaxWordBytes) return nullptr;
    return &entries_[(hash_bytes(word) ^ owner) % kEntries];
  }
  static bool holds(const Entry& entry, std::string_view word, uint32_t owner) {
    return entry.owner == owner && entry.length == word.size() &&
           std::memcmp(entry.word.data(), word.data(), word.size()) == 0;
  }
  static void store(Entry& entry, std::string_view word, uint32_t owner,
                    std::span<const TokenId> ids) {
    if (ids.size() > kMaxIds) return;
    entry.owner = owner;
    entry.length = static_cast<uint8_t>(word.size());
    entry.n_ids = static_cast<uint8_t>(ids.size());
    std::memcpy(entry.word.data(), word.data(), word.size());
    std::copy(ids.begin(), ids.end(), entry.ids.begin());
  }

 private:
  static constexpr size_t kEntries = 16384;
  std::vector<Entry> entries_ = std::vector<Entry>(kEntries);
};

}  // namespace freehold::tokenizer
