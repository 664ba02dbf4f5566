#include "perplexity.h"

#include <gtest/gtest.h>

#include <cmath>

namespace freehold::app {
namespace {

// Gives every token of a vocabulary of four the same chance, but the one after the last twice that.
base::Status next_is_likely(std::span<const int32_t> tokens,
                            const std::function<void(std::span<const float>)>& on_row) {
  for (const int32_t token : tokens) {
    std::vector<float> row(4, 3.0F);
    row[static_cast<size_t>((token + 1) % 4)] += std::log(2.0F);
    on_row(row);
  }
  return {};
}

std::vector<int32_t> counting(size_t n) {
  std::vector<int32_t> tokens(n);
  for (size_t i = 0; i < n; ++i) tokens[i] = static_cast<int32_t>(i % 4);
  return tokens;
}

TEST(Perplexity, IsTheInverseOfTheProbabilityOnAverage) {
  const auto result =
      measure_perplexity(counting(64), {16, std::nullopt, 0}, next_is_likely, [](const auto&) {});
  ASSERT_TRUE(result);
  EXPECT_NEAR(result->perplexity, 2.5, 1e-6);  // 2 of 5
  EXPECT_NEAR(result->error, 0, 1e-6);
  EXPECT_EQ(result->n_windows, 4);
  EXPECT_EQ(result->n_scored, 4 * 7);  // 9th to 15th follow a scored row
}

TEST(Perplexity, ReplacesTheFirstTokenAndStopsWhenTold) {
  std::vector<std::vector<int32_t>> seen;
  const RunTokens run = [&](std::span<const int32_t> tokens, const auto& on_row) {
    seen.emplace_back(tokens.begin(), tokens.end());
    return next_is_likely(tokens, on_row);
  };
  ASSERT_TRUE(measure_perplexity(counting(64), {16, 3, 2}, run, [](const auto&) {}));
  ASSERT_EQ(seen.size(), 2);
  EXPECT_EQ(seen[1][0], 3);
  EXPECT_EQ(seen[1][1], 1);
}

TEST(Perplexity, ATextShorterThanAWindowIsRefused) {
  const auto result =
      measure_perplexity(counting(15), {16, std::nullopt, 0}, next_is_likely, [](const auto&) {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, base::ErrorCode::kInvalidArgument);
}

TEST(Perplexity, AnErrorOfTheModelIsPassedOn) {
  const RunTokens run = [](std::span<const int32_t>, const auto&) -> base::Status {
    return base::fail(base::ErrorCode::kUnsupported, "no");
  };
  EXPECT_EQ(measure_perplexity(counting(64), {16, std::nullopt, 0}, run, [](const auto&) {})
                .error()
                .message,
            "no");
}

}  // namespace
}  // namespace freehold::app
