// The two ways to merge agree, whatever the ranks; real merge lists have kinder ones.
#include "tokenizer/merge.h"

#include <gtest/gtest.h>

#include <random>

namespace freehold::tokenizer {
namespace {

constexpr TokenId kTokens = 24;

uint32_t below(uint32_t n, std::mt19937& random) { return static_cast<uint32_t>(random() % n); }

// A table in which a merge may make a pair of a lower rank, or of its own.
std::vector<Merge> random_table(std::mt19937& random, uint32_t ranks) {
  std::vector<Merge> table(size_t{kTokens} * kTokens);
  for (Merge& merge : table) {
    if (below(3, random) != 0) continue;
    merge = {below(ranks, random), static_cast<TokenId>(below(kTokens, random))};
  }
  return table;
}

std::vector<std::pair<uint32_t, TokenId>> places(const std::vector<Symbol>& symbols) {
  std::vector<std::pair<uint32_t, TokenId>> out;
  for (const Symbol& symbol : symbols) out.emplace_back(symbol.begin, symbol.id);
  return out;
}

TEST(Merge, LongAndShortAgree) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    const auto table = random_table(random, 1 + below(40, random));
    const auto find = [&](const Symbol& left, const Symbol& right) {
      return table[static_cast<size_t>(left.id * kTokens + right.id)];
    };
    const uint32_t alphabet = 1 + below(kTokens, random);
    std::vector<Symbol> a;
    for (uint32_t i = 0, n = 1 + below(120, random); i < n; ++i) {
      a.push_back({i, 1, static_cast<TokenId>(below(alphabet, random))});
    }
    std::vector<Symbol> b = a;
    std::vector<Merge> merges;
    merge_short(a, merges, find);
    merge_long(b, merges, find);
    ASSERT_EQ(places(a), places(b)) << "round " << round;
  }
}

}  // namespace
}  // namespace freehold::tokenizer
