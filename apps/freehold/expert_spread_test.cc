#include "expert_spread.h"

#include <gtest/gtest.h>

namespace freehold::app {
namespace {

TEST(ExpertSpread, IsTheDifferenceOfTwoReadings) {
  const auto spread = expert_spread({{1, 1, 1, 1}}, {{1, 4, 9, 2}, {0, 0, 0, 0}});
  ASSERT_TRUE(spread.has_value());
  EXPECT_EQ(spread->n_experts, 4U);
  EXPECT_DOUBLE_EQ(spread->touched_share, 0.75);
  EXPECT_DOUBLE_EQ(spread->least, 0);
  EXPECT_DOUBLE_EQ(spread->median, 2);
  EXPECT_DOUBLE_EQ(spread->most, 8);
}

TEST(ExpertSpread, NothingToTell) {
  EXPECT_FALSE(expert_spread({}, {}).has_value());
  EXPECT_FALSE(expert_spread({{2, 3}}, {{2, 3}}).has_value());
}

TEST(ExpertSpread, TokensShareExperts) {
  EXPECT_DOUBLE_EQ(distinct_experts(0, 0, 5), 1);
  EXPECT_DOUBLE_EQ(distinct_experts(8, 2, 1), 1);
  EXPECT_DOUBLE_EQ(distinct_experts(8, 2, 2), 1.75);
  EXPECT_NEAR(distinct_experts(8, 2, 1000), 4, 1e-9);
}

}  // namespace
}  // namespace freehold::app
