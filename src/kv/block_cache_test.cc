#include "kv/block_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"

namespace freehold::kv {
namespace {

std::vector<TokenId> tokens(size_t n, TokenId first = 0) {
  std::vector<TokenId> out(n);
  for (size_t i = 0; i < n; ++i) out[i] = first + static_cast<TokenId>(i);
  return out;
}

// Opens a table, computes all of `ids` and closes it. Returns the tokens that were cached.
uint32_t pass(BlockCache& cache, std::string_view tenant, const std::vector<TokenId>& ids) {
  BlockTable table = cache.open(tenant);
  const uint32_t n_cached = cache.attach(table, ids);
  EXPECT_TRUE(cache.reserve(table, static_cast<uint32_t>(ids.size())));
  cache.commit(table, ids);
  const BlockTable* const tables[] = {&table};
  const auto status = cache.check(tables);
  EXPECT_TRUE(status.has_value()) << status.error().message;
  cache.close(table);
  return n_cached;
}

TEST(BlocksFor, RoundsUp) {
  EXPECT_EQ(blocks_for(0), 0U);
  EXPECT_EQ(blocks_for(1), 1U);
  EXPECT_EQ(blocks_for(32), 1U);
  EXPECT_EQ(blocks_for(33), 2U);
  EXPECT_EQ(blocks_for(0xFFFFFFFFU), 0x8000000U);
}

TEST(BlockCache, FullBlocksAreFoundAgainButNeverTheWholePrompt) {
  BlockCache cache({.n_blocks = 10});
  EXPECT_EQ(pass(cache, "a", tokens(100)), 0U);
  EXPECT_EQ(cache.counts().idle, 3U);  // the fourth block was not full
  EXPECT_EQ(pass(cache, "a", tokens(100)), 96U);
  EXPECT_EQ(pass(cache, "a", tokens(96)), 64U);  // one token at least is left to compute
  EXPECT_EQ(pass(cache, "a", tokens(97)), 96U);
  EXPECT_EQ(pass(cache, "a", tokens(31)), 0U);
  std::vector<TokenId> other = tokens(100);
  other[40] = 999;
  EXPECT_EQ(pass(cache, "a", other), 32U);
  EXPECT_EQ(cache.counts().used, 0U);
}

TEST(BlockCache, TenantsShareNothing) {
  BlockCache cache({.n_blocks = 20});
  EXPECT_EQ(pass(cache, "a", tokens(65)), 0U);
  EXPECT_EQ(pass(cache, "b", tokens(65)), 0U);
  EXPECT_EQ(pass(cache, "a", tokens(65)), 64U);
  EXPECT_EQ(cache.counts().idle, 4U);
}

TEST(BlockCache, TheSameTokensAfterAnotherPrefixAreAnotherBlock) {
  BlockCache cache({.n_blocks = 20});
  pass(cache, "a", tokens(96));
  std::vector<TokenId> shifted = tokens(32, 500);
  const std::vector<TokenId> same = tokens(64, 32);
  shifted.insert(shifted.end(), same.begin(), same.end());
  EXPECT_EQ(pass(cache, "a", shifted), 0U);
  EXPECT_EQ(pass(cache, "a", same), 0U);
}

TEST(BlockCache, WithoutReuseNothingStays) {
  BlockCache cache({.n_blocks = 10, .reuse = false});
  EXPECT_EQ(pass(cache, "a", tokens(100)), 0U);
  EXPECT_EQ(pass(cache, "a", tokens(100)), 0U);
  EXPECT_EQ(cache.counts().free, 10U);
}

TEST(BlockCache, ReserveTakesAllOrNothing) {
  BlockCache cache({.n_blocks = 4});
  BlockTable first = cache.open("a");
  BlockTable second = cache.open("b");
  EXPECT_TRUE(cache.reserve(first, 65));
  EXPECT_FALSE(cache.reserve(second, 33));
  EXPECT_TRUE(second.blocks.empty());
  EXPECT_TRUE(cache.reserve(second, 32));
  EXPECT_EQ(cache.available(), 0U);
  EXPECT_TRUE(cache.reserve(second, 5));  // has it already
  cache.close(first);
  EXPECT_TRUE(cache.reserve(second, 128));
  cache.close(second);
  EXPECT_EQ(cache.counts().free, 4U);
}

TEST(BlockCache, SequencesSideBySideExchangeEqualBlocksAndCatchUp) {
  BlockCache cache({.n_blocks = 12});
  const std::vector<TokenId> ids = tokens(160);
  BlockTable ahead = cache.open("a");
  BlockTable behind = cache.open("a");
  ASSERT_TRUE(cache.reserve(ahead, 96));
  ASSERT_TRUE(cache.reserve(behind, 64));
  cache.commit(ahead, std::span(ids).first(96));
  EXPECT_EQ(cache.counts().used, 5U);
  cache.commit(behind, std::span(ids).first(32));  // the same content: one block less
  EXPECT_EQ(cache.counts().used, 4U);
  EXPECT_EQ(behind.blocks[0], ahead.blocks[0]);
  EXPECT_EQ(cache.attach(behind, ids), 64U);  // the block it had reserved goes back
  EXPECT_EQ(cache.counts().used, 3U);
  EXPECT_EQ(behind.blocks, ahead.blocks);
  EXPECT_EQ(cache.n_exclusive(behind), 0U);
  ASSERT_TRUE(cache.reserve(behind, 97));
  EXPECT_EQ(cache.n_exclusive(behind), 1U);
  const BlockTable* const tables[] = {&ahead, &behind};
  EXPECT_TRUE(cache.check(tables).has_value());
  cache.close(ahead);
  EXPECT_EQ(cache.counts().used, 4U);
  cache.close(behind);
  EXPECT_EQ(cache.counts().idle, 3U);
}

TEST(BlockCache, AttachGivesUpAPartForAFullBlock) {
  BlockCache cache({.n_blocks = 12});
  const std::vector<TokenId> ids = tokens(100);
  pass(cache, "a", ids);
  BlockTable table = cache.open("a");
  ASSERT_TRUE(cache.reserve(table, 40));
  cache.commit(table, std::span(ids).first(10));
  EXPECT_EQ(cache.attach(table, ids), 86U);  // ten of the first block were here already
  EXPECT_EQ(table.n_tokens, 96U);
  EXPECT_EQ(cache.attach(table, ids), 0U);
  EXPECT_EQ(cache.counts().used, 3U);
  cache.close(table);
  EXPECT_EQ(cache.counts().free, 9U);
}

TEST(BlockCache, TruncateRollsDraftsBack) {
  BlockCache cache({.n_blocks = 6});
  const std::vector<TokenId> ids = tokens(70);
  BlockTable table = cache.open("a");
  ASSERT_TRUE(cache.reserve(table, 100));
  cache.commit(table, ids);
  cache.truncate(table, 70);
  EXPECT_EQ(table.blocks.size(), 3U);
  EXPECT_EQ(table.n_tokens, 70U);
  cache.truncate(table, 64);
  EXPECT_EQ(table.blocks.size(), 2U);
  EXPECT_EQ(table.n_tokens, 64U);
  const BlockTable* const tables[] = {&table};
  EXPECT_TRUE(cache.check(tables).has_value());
  EXPECT_EQ(cache.counts().free, 4U);
  cache.close(table);
}

TEST(BlockCache, EvictionTakesTheEndsOfOldPrefixesFirst) {
  BlockCache cache({.n_blocks = 6});
  pass(cache, "a", tokens(96));
  pass(cache, "a", tokens(96, 1000));
  EXPECT_EQ(cache.counts().free, 0U);
  pass(cache, "a", tokens(32, 5000));            // takes the deepest block of the older prefix
  EXPECT_EQ(pass(cache, "a", tokens(65)), 64U);  // and of that its partial block took another
  EXPECT_EQ(pass(cache, "a", tokens(65, 1000)), 64U);
}

TEST(BlockCache, AFlooderFloodsItselfOut) {
  BlockCache cache({.n_blocks = 40});
  pass(cache, "polite", tokens(129));
  for (TokenId i = 1; i <= 60; ++i) pass(cache, "flooder", tokens(128, i * 1000));
  EXPECT_EQ(pass(cache, "polite", tokens(129)), 128U);
}

TEST(BlockCache, WhatNobodyWantsForLongGoesWhoeverHasIt) {
  BlockCache cache({.n_blocks = 40});
  pass(cache, "gone", tokens(129));
  for (TokenId i = 1; i <= 120; ++i) pass(cache, "busy", tokens(128, i * 1000));
  EXPECT_EQ(pass(cache, "gone", tokens(129)), 0U);
}

TEST(BlockCache, ATenantsOwnLimitHolds) {
  BlockCache cache({.n_blocks = 40, .tenant_idle_limit = 3});
  pass(cache, "a", tokens(320));
  EXPECT_EQ(cache.counts().idle, 3U);
  EXPECT_EQ(pass(cache, "a", tokens(320)), 96U);  // the beginning is what stays
  pass(cache, "b", tokens(320));
  EXPECT_EQ(cache.counts().idle, 6U);
}

// What is written in a block is remembered beside the cache, as the arena would. A hit must find
// exactly what the sequence would have computed there.
class Storm {
 public:
  explicit Storm(uint64_t seed)
      : seed_(seed),
        n_blocks_(8 + static_cast<uint32_t>(random(60))),
        cache_({.n_blocks = n_blocks_,
                .reuse = random(8) != 0,
                .tenant_idle_limit = static_cast<uint32_t>(random(2) * random(20)),
                .hash_seed = seed}),
        content_(n_blocks_, 0) {}

  void operate() {
    const uint64_t choice = random(10);
    if (choice == 0 || open_.empty()) {
      start();
    } else if (choice == 1) {
      const size_t which = pick();
      cache_.close(open_[which].table);
      std::swap(open_[which], open_.back());
      open_.pop_back();
    } else {
      advance(open_[pick()]);
    }
    std::vector<const BlockTable*> tables;
    for (const Sequence& sequence : open_) tables.push_back(&sequence.table);
    const auto status = cache_.check(tables);
    ASSERT_TRUE(status.has_value()) << status.error().message;
  }

  uint64_t n_hits() const { return n_hits_; }

 private:
  struct Sequence {
    BlockTable table;
    std::string tenant;
    std::vector<TokenId> ids;
  };

  uint64_t random(uint64_t below) { return base::random_bits(seed_, n_draws_++) % below; }
  size_t pick() { return random(open_.size()); }

  // What the model would write for a block: it depends on everything before it.
  static uint64_t truth(const Sequence& sequence, size_t n_tokens) {
    uint64_t hash = base::mix64(static_cast<uint64_t>(sequence.tenant.front()));
    for (size_t i = 0; i < n_tokens; ++i) {
      hash = base::mix64(hash * 3 + static_cast<uint64_t>(sequence.ids[i]));
    }
    return hash;
  }

  // Few distinct prefixes, so that sequences often agree for a while and then part.
  void start() {
    Sequence sequence;
    sequence.tenant = std::string(1, static_cast<char>('a' + random(3)));
    const size_t n_same = random(120);
    for (size_t i = 0, n = 1 + random(200); i < n; ++i) {
      sequence.ids.push_back(static_cast<TokenId>(i < n_same ? i : random(2)));
    }
    sequence.table = cache_.open(sequence.tenant);
    attach(sequence);
    open_.push_back(std::move(sequence));
  }

  void attach(Sequence& sequence) {
    const uint32_t before = sequence.table.n_tokens;
    const uint32_t gained = cache_.attach(sequence.table, sequence.ids);
    ASSERT_EQ(sequence.table.n_tokens, before + gained);
    ASSERT_LT(sequence.table.n_tokens, sequence.ids.size());
    n_hits_ += gained / kBlockTokens;
    verify(sequence);
  }

  void verify(const Sequence& sequence) {
    for (size_t i = 0; i < sequence.table.n_shared; ++i) {
      ASSERT_EQ(content_[sequence.table.blocks[i]], truth(sequence, (i + 1) * kBlockTokens));
    }
  }

  void advance(Sequence& sequence) {
    const auto begin = sequence.table.n_tokens;
    if (begin + 1 >= sequence.ids.size()) {
      const size_t n_kept = sequence.table.n_shared * kBlockTokens;
      const uint32_t n_tokens = static_cast<uint32_t>(n_kept + random(begin - n_kept + 1));
      cache_.truncate(sequence.table, n_tokens);
      ASSERT_EQ(sequence.table.n_tokens, n_tokens);
      ASSERT_EQ(sequence.table.blocks.size(), blocks_for(n_tokens));
      return;
    }
    const uint32_t end = begin + 1 + static_cast<uint32_t>(random(sequence.ids.size() - begin - 1));
    const uint32_t n_available = cache_.available();
    const uint32_t n_before = static_cast<uint32_t>(sequence.table.blocks.size());
    const uint32_t n_wanted = blocks_for(end) - std::min(blocks_for(end), n_before);
    const bool reserved = cache_.reserve(sequence.table, end + static_cast<uint32_t>(random(2)));
    if (!reserved) {
      ASSERT_GT(n_wanted + 1, n_available);
      ASSERT_EQ(sequence.table.blocks.size(), n_before);
      return;
    }
    for (size_t i = begin / kBlockTokens; (i + 1) * kBlockTokens <= end; ++i) {
      content_[sequence.table.blocks[i]] = truth(sequence, (i + 1) * kBlockTokens);
    }
    cache_.commit(sequence.table, std::span(sequence.ids).first(end));
    verify(sequence);
    if (random(3) == 0) attach(sequence);
  }

  uint64_t seed_;
  uint64_t n_draws_ = 0;
  uint32_t n_blocks_;
  BlockCache cache_;
  std::vector<uint64_t> content_;
  std::vector<Sequence> open_;
  uint64_t n_hits_ = 0;
};

TEST(BlockCache, AStormOfOperationsKeepsEveryPromise) {
  uint64_t n_hits = 0;
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    Storm storm(seed);
    for (int i = 0; i < 600; ++i) {
      storm.operate();
      if (testing::Test::HasFatalFailure()) FAIL() << "seed " << seed << ", operation " << i;
    }
    n_hits += storm.n_hits();
  }
  EXPECT_GT(n_hits, 500U);  // or the storm has tested nothing
}

// With room for everything a hit is as long as the truth allows.
TEST(BlockCache, HitsAreAsLongAsTheyCanBe) {
  BlockCache cache({.n_blocks = 2000});
  std::vector<std::vector<TokenId>> seen;
  for (uint64_t i = 0; i < 150; ++i) {
    std::vector<TokenId> ids;
    const uint64_t n_same = base::random_bits(1, i) % 300;
    for (uint64_t k = 0, n = 1 + base::random_bits(2, i) % 400; k < n; ++k) {
      ids.push_back(static_cast<TokenId>(k < n_same ? k : base::random_bits(3, i * 1000 + k) % 9));
    }
    size_t expected = 0;
    for (const auto& earlier : seen) {
      const auto [a, b] = std::ranges::mismatch(earlier, ids);
      const auto common = static_cast<size_t>(a - earlier.begin());
      expected = std::max(expected, common / kBlockTokens);
    }
    expected = std::min(expected, (ids.size() - 1) / kBlockTokens);
    EXPECT_EQ(pass(cache, "a", ids), expected * kBlockTokens);
    seen.push_back(std::move(ids));
  }
}

// What one cache keeps another takes over, with the same order of use and the same tenants.
TEST(BlockCache, KeptBlocksComeBackInAnotherCache) {
  BlockCache first({.n_blocks = 30});
  pass(first, "a", tokens(130));
  pass(first, "b", tokens(70));
  std::vector<TokenId> branch = tokens(130);
  branch[70] = 999;
  pass(first, "a", branch);
  const auto kept = first.kept();
  ASSERT_EQ(kept.size(), 8U);
  std::vector<BlockCache::Kept> moved(kept.begin(), kept.end());
  for (size_t i = 0; i < moved.size(); ++i) {
    if (kept[i].parent == kNoBlock) continue;
    const auto parent = std::ranges::find(kept, kept[i].parent, &BlockCache::Kept::block);
    ASSERT_LT(parent - kept.begin(), static_cast<ptrdiff_t>(i)) << "parents come first";
    moved[i].parent = static_cast<uint32_t>(parent - kept.begin());
  }

  BlockCache second({.n_blocks = 30});
  const auto blocks = second.restore(moved);
  EXPECT_EQ(std::ranges::count(blocks, kNoBlock), 0);
  EXPECT_EQ(second.counts().idle, 8U);
  EXPECT_TRUE(second.check({}).has_value());
  EXPECT_EQ(pass(second, "a", tokens(130)), 128U);
  EXPECT_EQ(pass(second, "a", branch), 128U);
  EXPECT_EQ(pass(second, "b", tokens(70)), 64U);
  EXPECT_EQ(pass(second, "c", tokens(70)), 0U);
  EXPECT_EQ(std::ranges::count(second.restore(moved), kNoBlock), 8) << "they are here already";

  BlockCache small({.n_blocks = 5});  // the lately used ones have room, with their parents
  const auto some = small.restore(moved);
  EXPECT_EQ(std::ranges::count(some, kNoBlock), 3);
  EXPECT_TRUE(small.check({}).has_value());
  EXPECT_EQ(pass(small, "a", branch), 128U);
}

}  // namespace
}  // namespace freehold::kv
