#include "base/random.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace freehold::base {
namespace {

// Written down once: recorded answers are replayed by (seed, position), so this must never change.
TEST(Random, ValuesAreFixedForEver) {
  EXPECT_EQ(random_bits(0, 0), 0x568A9B0B1A2C05ECU);
  EXPECT_EQ(random_bits(42, 7), 0x2CE9CAC0CD46ACCEU);
  EXPECT_EQ(random_bits(42, 7, 1), 0x518CCFBCC8489B3DU);
}

TEST(Random, NeighbouringSeedsPositionsAndStreamsDiffer) {
  std::set<uint64_t> seen;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    for (uint64_t position = 0; position < 200; ++position) {
      for (uint64_t stream = 0; stream < 3; ++stream) {
        EXPECT_TRUE(seen.insert(random_bits(seed, position, stream)).second);
      }
    }
  }
}

// Chi-square with 99 degrees of freedom: above 149 has a probability below 0.001. Along positions
// of one seed, and along seeds at one position.
TEST(Random, UniformAlongPositionsAndAlongSeeds) {
  constexpr int kDraws = 100000;
  constexpr double kExpected = kDraws / 100.0;
  for (const bool along_seeds : {false, true}) {
    std::array<int, 100> counts{};
    for (uint64_t i = 0; i < kDraws; ++i) {
      const double u = along_seeds ? random_uniform(i, 3) : random_uniform(3, i);
      ASSERT_GE(u, 0.0);
      ASSERT_LT(u, 1.0);
      ++counts[static_cast<size_t>(u * 100)];
    }
    double chi_square = 0;
    for (const int count : counts) {
      chi_square += (count - kExpected) * (count - kExpected) / kExpected;
    }
    EXPECT_LT(chi_square, 149.0);
  }
}

}  // namespace
}  // namespace freehold::base
