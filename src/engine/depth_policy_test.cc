// The promise about cost on simulated machines and texts: never much slower than without guesses,
// and near the best depth that a prophet would have chosen.
#include "engine/depth_policy.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "base/random.h"

namespace freehold::engine {
namespace {

using Cost = std::function<double(size_t rows)>;

// A machine, texts, and a clock.
struct World {
  Cost pass_us;                 // by rows
  double link_us = 0;           // one more guess for everybody
  std::vector<double> chances;  // of the first guess, of the second if …
  double noise = 0.05;          // times are off by up to this share
  size_t n_sequences = 1;
  uint32_t limit = DepthPolicy::kMost;

  double chance(uint32_t i) const { return chances[std::min<size_t>(i, chances.size() - 1)]; }
  double fixed_speed(uint32_t depth) const {
    double tokens = 1;
    double reach = 1;
    for (uint32_t i = 0; i < depth; ++i) tokens += reach *= chance(i);
    return tokens / (pass_us(n_sequences * (1 + depth)) + link_us * depth);
  }
  double best_speed() const {
    double best = 0;
    for (uint32_t depth = 0; depth <= limit; ++depth) best = std::max(best, fixed_speed(depth));
    return best;
  }
};

// Tokens a sequence and microsecond over n_steps.
double speed(const World& world, size_t n_steps, uint64_t seed = 1) {
  uint64_t n_draws = 0;
  const auto draw = [&] { return base::random_uniform(seed, n_draws++); };
  const auto noisy = [&](double us) {
    const double spike = draw() < 0.01 ? 2.0 : 1.0;  // somebody else's work
    return us * spike * (1 + world.noise * (2 * draw() - 1));
  };
  DepthPolicy policy;
  std::vector<GuessOdds> odds(world.n_sequences);
  std::vector<uint32_t> depths(world.n_sequences);
  double us = 0;
  double n_tokens = 0;
  for (size_t i = 0; i < n_steps; ++i) {
    std::vector<DepthPolicy::Candidate> candidates;
    for (const GuessOdds& each : odds) candidates.push_back({&each, world.limit});
    policy.choose(candidates, depths);
    DepthPolicy::Step step = {.n_sequences = world.n_sequences};
    for (size_t s = 0; s < depths.size(); ++s) {
      uint32_t n_true = 0;
      while (n_true < depths[s] && draw() < world.chance(n_true)) ++n_true;
      if (depths[s] > 0) {
        odds[s].learn(depths[s], n_true);
      } else {
        odds[s].hope();
      }
      step.n_drafts += depths[s];
      step.n_tokens += 1 + n_true;
      step.deepest = std::max(step.deepest, depths[s]);
    }
    step.guess_us = step.deepest > 0 ? noisy(world.link_us * step.deepest) : 0;
    step.pass_us = noisy(world.pass_us(world.n_sequences + step.n_drafts));
    policy.learn(step);
    us += step.guess_us + step.pass_us;
    n_tokens += static_cast<double>(step.n_tokens);
  }
  return n_tokens / static_cast<double>(world.n_sequences) / us;
}

// The noise's spikes are in every world's mean.
double plain_speed(World world) {
  world.limit = 0;
  return speed(world, 4000);
}

Cost flat() {
  return [](size_t) { return 1000.0; };
}
Cost linear(double share) {
  return [share](size_t rows) { return 1000.0 * (1 - share + share * static_cast<double>(rows)); };
}
Cost steps(size_t tile) {
  return
      [tile](size_t rows) { return 700.0 + 300.0 * static_cast<double>((rows + tile - 1) / tile); };
}

class Worlds : public testing::TestWithParam<std::tuple<int, double, double, size_t>> {
 protected:
  World world() const {
    const auto [cost, chance, link_us, n_sequences] = GetParam();
    const std::vector<Cost> costs = {flat(),      linear(0.05), linear(0.3),
                                     linear(0.9), steps(6),     steps(4)};
    return {.pass_us = costs[static_cast<size_t>(cost)],
            .link_us = link_us,
            .chances = {chance, chance * 0.9, chance * 0.8},
            .n_sequences = n_sequences};
  }
};

TEST_P(Worlds, NothingIsLost) {
  const World here = world();
  EXPECT_GE(speed(here, 4000) / plain_speed(here), 0.98);
}

TEST_P(Worlds, TheDepthIsNearTheBest) {
  const World here = world();
  // Against the plain speed, since the noise is in both.
  const double won = speed(here, 8000) / plain_speed(here);
  const double possible = here.best_speed() / here.fixed_speed(0);
  EXPECT_GE(won, 1 + 0.85 * (possible - 1) - 0.03);
}

INSTANTIATE_TEST_SUITE_P(Costs, Worlds,
                         testing::Combine(testing::Range(0, 6),
                                          testing::Values(0.0, 0.3, 0.6, 0.95),
                                          testing::Values(0.0, 40.0, 300.0),
                                          testing::Values<size_t>(1, 4)));

TEST(DepthPolicy, NothingBeforeAPlainPassWasSeen) {
  DepthPolicy policy;
  GuessOdds odds;
  std::vector<DepthPolicy::Candidate> one = {{&odds, 8}};
  std::vector<uint32_t> depths(1, 9);
  policy.choose(one, depths);
  EXPECT_EQ(depths[0], 0U);
  policy.learn({.n_sequences = 1, .n_tokens = 1, .pass_us = 1000});
  policy.choose(one, depths);
  EXPECT_EQ(depths[0], 1U) << "one guess, for none was ever looked at";
}

TEST(DepthPolicy, ATextThatTurnsIsFollowed) {
  // Guesses that all come true, then none, then all again.
  DepthPolicy policy;
  GuessOdds odds;
  std::vector<uint32_t> depths(1);
  const auto run = [&](size_t n_steps, bool come_true) {
    size_t n_guessed = 0;
    double us = 0;
    size_t n_tokens = 0;
    for (size_t i = 0; i < n_steps; ++i) {
      const std::vector<DepthPolicy::Candidate> one = {{&odds, 8}};
      policy.choose(one, depths);
      const uint32_t depth = depths[0];
      const uint32_t n_true = come_true ? depth : 0;
      if (depth > 0) odds.learn(depth, n_true);
      if (depth == 0) odds.hope();
      const DepthPolicy::Step step = {.n_sequences = 1,
                                      .n_drafts = depth,
                                      .n_tokens = 1 + n_true,
                                      .deepest = depth,
                                      .guess_us = 50.0 * depth,
                                      .pass_us = 1000.0 + 100.0 * depth};
      policy.learn(step);
      n_guessed += depth;
      n_tokens += step.n_tokens;
      us += step.guess_us + step.pass_us;
    }
    return std::pair(static_cast<double>(n_guessed) / static_cast<double>(n_steps),
                     us / static_cast<double>(n_tokens));
  };
  EXPECT_GT(run(500, true).first, 4.0);
  const auto [guessed, us_a_token] = run(2000, false);
  EXPECT_LT(guessed, 0.2);
  EXPECT_LT(us_a_token, 1020.0);
  EXPECT_GT(run(2000, true).first, 4.0);
}

TEST(GuessOdds, AreSharesOfWhatWasLookedAt) {
  GuessOdds odds;
  EXPECT_EQ(odds.depth_to_try(), 1U);
  for (int i = 0; i < 200; ++i) odds.learn(3, i % 2 == 0 ? 1 : 0);
  EXPECT_NEAR(odds.chance(0), 0.5, 0.1);
  EXPECT_NEAR(odds.chance(1), 0.0, 0.01);
  EXPECT_GT(odds.chance(2), 0.5) << "the third was never looked at";
  EXPECT_EQ(odds.depth_to_try(), 3U);
}

}  // namespace
}  // namespace freehold::engine
