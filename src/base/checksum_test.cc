#include "base/checksum.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace freehold::base {
namespace {

Checksum::Digest digest_of(std::span<const std::byte> bytes) {
  Checksum sum;
  sum.add(bytes);
  return sum.digest();
}

TEST(Checksum, EveryFlippedBitChangesEveryWordOfTheDigest) {
  for (const size_t size : {1U, 63U, 64U, 127U, 128U, 129U, 300U}) {
    std::vector<std::byte> bytes(size, std::byte{0x5a});
    const Checksum::Digest whole = digest_of(bytes);
    for (size_t bit = 0; bit < 8 * size; ++bit) {
      const auto flip = static_cast<std::byte>(1U << bit % 8);
      bytes[bit / 8] ^= flip;
      const Checksum::Digest damaged = digest_of(bytes);
      for (size_t i = 0; i < whole.size(); ++i)
        EXPECT_NE(damaged[i], whole[i]) << size << " " << bit;
      bytes[bit / 8] ^= flip;
    }
    EXPECT_EQ(digest_of(bytes), whole);
  }
}

TEST(Checksum, WordsAreTakenStepByStep) {
  Checksum::Lanes lanes{};
  Checksum::Lanes expected{};
  std::vector<uint64_t> words(10 * lanes.size());
  for (size_t i = 0; i < words.size(); ++i) words[i] = mix64(i);
  for (size_t i = 0; i < lanes.size(); ++i) lanes[i] = expected[i] = ~mix64(i);
  Checksum::take_words(lanes, std::as_bytes(std::span(words)));
  for (size_t i = 0; i < words.size(); ++i) {
    uint64_t& lane = expected[i % lanes.size()];
    lane = Checksum::step(lane, words[i]);
  }
  EXPECT_EQ(lanes, expected);
}

TEST(Checksum, TellsOrderAndLength) {
  std::set<Checksum::Digest> seen;
  const std::vector<std::byte> zeros(300);
  for (size_t size = 0; size <= zeros.size(); ++size) {
    EXPECT_TRUE(seen.insert(digest_of(std::span(zeros).first(size))).second) << size;
  }
  // Two words exchanged, in one lane and across lanes.
  std::vector<std::byte> words(256);
  for (size_t i = 0; i < words.size(); ++i) words[i] = static_cast<std::byte>(i);
  EXPECT_TRUE(seen.insert(digest_of(words)).second);
  for (const std::ptrdiff_t other : {8, 128, 136}) {
    auto swapped = words;
    std::swap_ranges(swapped.begin(), swapped.begin() + 8, swapped.begin() + other);
    EXPECT_TRUE(seen.insert(digest_of(swapped)).second) << other;
  }
}

}  // namespace
}  // namespace freehold::base
