#include "sampling/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "base/random.h"
#include "sampling/fixed_math.h"

namespace freehold::sampling {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

Sampler make(const Sampling& settings, uint32_t vocabulary, std::vector<TokenId> prompt = {}) {
  Request request;
  request.sampling = settings;
  request.prompt = std::move(prompt);
  auto sampler = Sampler::create(request, vocabulary);
  EXPECT_TRUE(sampler.has_value()) << sampler.error().message;
  return std::move(*sampler);
}

TokenId choose(Sampler& sampler, std::vector<float> logits, uint64_t position = 0) {
  const auto sample = sampler.sample(logits, position);
  EXPECT_TRUE(sample.has_value()) << sample.error().message;
  return sample ? sample->token : -1;
}

std::vector<float> random_logits(size_t n, uint64_t seed) {
  std::vector<float> out(n);
  for (size_t i = 0; i < n; ++i) {
    // Multiples of a quarter, so that there are ties everywhere.
    out[i] = static_cast<float>(base::random_bits(seed, i) % 48) / 4.0F - 6.0F;
  }
  return out;
}

TEST(FixedMath, AgreesWithTheLibrary) {
  for (int i = 0; i < 20000; ++i) {
    const double x = -600.0 * base::random_uniform(1, static_cast<uint64_t>(i)) *
                     base::random_uniform(2, static_cast<uint64_t>(i));
    ASSERT_NEAR(fixed_exp(x) / std::exp(x), 1.0, 1e-15) << x;
    const double y = std::exp2(400.0 * base::random_uniform(3, static_cast<uint64_t>(i)) - 200.0);
    ASSERT_NEAR(fixed_log(y), std::log(y), 1e-15 * std::max(1.0, std::abs(std::log(y)))) << y;
  }
  EXPECT_EQ(fixed_exp(0.0), 1.0);
  EXPECT_EQ(fixed_exp(-kInfinity), 0.0);
  EXPECT_EQ(fixed_log(1.0), 0.0);
  for (double x = 0.999; x < 1.001; x += 0.0001) ASSERT_NEAR(fixed_log(x), std::log(x), 3e-16);
}

TEST(Greedy, TakesTheHighestAndOfTiesTheLowestId) {
  Sampler sampler = make({}, 5);
  EXPECT_EQ(choose(sampler, {1, 3, 2, 3, -kInfinity}), 1);
  EXPECT_EQ(choose(sampler, {-kInfinity, -kInfinity, -kInfinity, -5, -kInfinity}), 3);
}

TEST(Errors, LogitsThatAreNotNumbersOrLeaveNothing) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  for (const float temperature : {0.0F, 1.0F}) {
    Sampler sampler = make({.temperature = temperature}, 3);
    for (std::vector<float> logits : {std::vector<float>{1, kNan, 2},
                                      {1, kInfinity, 2},
                                      {-kInfinity, -kInfinity, -kInfinity},
                                      {1, 2}}) {
      const auto sample = sampler.sample(logits, 0);
      ASSERT_FALSE(sample.has_value());
      EXPECT_EQ(sample.error().code, base::ErrorCode::kInvalidArgument);
    }
  }
}

TEST(Errors, SettingsThatMakeNoSenseAreNamed) {
  const auto refused = [](const Sampling& settings, const char* name) {
    const auto status = validate(settings, 10);
    EXPECT_FALSE(status.has_value()) << name;
    EXPECT_NE(status.error().message.find(name), std::string::npos) << status.error().message;
  };
  refused({.temperature = -1}, "temperature");
  refused({.temperature = std::numeric_limits<float>::quiet_NaN()}, "temperature");
  refused({.top_p = 1.5F}, "top_p");
  refused({.min_p = -0.1F}, "min_p");
  refused({.typical_p = 2}, "typical_p");
  refused({.repetition_penalty = 0}, "repetition_penalty");
  refused({.frequency_penalty = kInfinity}, "frequency_penalty");
  refused({.presence_penalty = -kInfinity}, "presence_penalty");
  refused({.logit_bias = {{10, 1.0F}}}, "logit_bias");
  refused({.logit_bias = {{-1, 1.0F}}}, "logit_bias");
  refused({.logit_bias = {{1, kInfinity}}}, "logit_bias");
  EXPECT_TRUE(validate({}, 10).has_value());
  Request request;
  request.prompt = {3, 10};
  EXPECT_FALSE(Sampler::create(request, 10).has_value());
}

TEST(Penalties, RepetitionDividesAboveZeroAndMultipliesBelow) {
  Sampler sampler = make({.repetition_penalty = 2.0F}, 4, {0, 2});
  std::vector<float> logits = {3, 1, -1, -1.5F};
  ASSERT_TRUE(sampler.sample(logits, 0).has_value());
  EXPECT_EQ(logits, (std::vector<float>{1.5F, 1, -2, -1.5F}));
  sampler.accept(1);
  logits = {3, 1, -1, -1.5F};
  ASSERT_TRUE(sampler.sample(logits, 1).has_value());
  EXPECT_EQ(logits, (std::vector<float>{1.5F, 0.5F, -2, -1.5F}));
}

TEST(Penalties, TheWindowForgets) {
  Sampler sampler = make({.repetition_penalty = 2.0F, .penalty_window = 2}, 4, {0, 1, 1, 2});
  const auto penalised = [&] {
    std::vector<float> logits = {1, 1, 1, 1};
    EXPECT_TRUE(sampler.sample(logits, 0).has_value());
    std::set<int> out;
    for (int i = 0; i < 4; ++i) {
      if (logits[static_cast<size_t>(i)] != 1) out.insert(i);
    }
    return out;
  };
  EXPECT_EQ(penalised(), (std::set{1, 2}));
  sampler.accept(2);
  EXPECT_EQ(penalised(), (std::set{2}));
  sampler.accept(3);
  EXPECT_EQ(penalised(), (std::set{2, 3}));
  sampler.accept(0);
  EXPECT_EQ(penalised(), (std::set{0, 3}));
}

TEST(Penalties, FrequencyAndPresenceCountGeneratedTokensOnly) {
  Sampler sampler = make({.frequency_penalty = 0.5F, .presence_penalty = 1.0F}, 3, {0, 0, 0});
  sampler.accept(1);
  sampler.accept(1);
  sampler.accept(2);
  std::vector<float> logits = {5, 5, 5};
  ASSERT_TRUE(sampler.sample(logits, 0).has_value());
  EXPECT_EQ(logits, (std::vector<float>{5, 3, 3.5F}));
}

TEST(Penalties, BiasBansAndForces) {
  Sampler ban = make({.temperature = 1.0F, .logit_bias = {{0, -100.0F}}}, 2);
  Sampler force = make({.temperature = 1.0F, .logit_bias = {{1, 100.0F}}}, 2);
  for (uint64_t position = 0; position < 1000; ++position) {
    ASSERT_EQ(choose(ban, {10, 0}, position), 1);
    ASSERT_EQ(choose(force, {10, 0}, position), 1);
  }
}

class EvenTokensOnly : public Constraint {
 public:
  void mask(std::span<float> logits) override {
    for (size_t i = 1; i < logits.size(); i += 2) logits[i] = -kInfinity;
  }
  void accept(TokenId token) override { accepted.push_back(token); }
  std::vector<TokenId> accepted;
};

TEST(Constraints, MaskWhateverTheBiasSays) {
  auto constraint = std::make_shared<EvenTokensOnly>();
  Request request;
  request.sampling = {.temperature = 1.0F, .logit_bias = {{1, 100.0F}}};
  request.constraint = constraint;
  auto sampler = Sampler::create(request, 4);
  ASSERT_TRUE(sampler.has_value());
  for (uint64_t position = 0; position < 100; ++position) {
    EXPECT_EQ(choose(*sampler, {1, 1, 1, 1}, position) % 2, 0);
  }
  sampler->accept(2);
  EXPECT_EQ(constraint->accepted, (std::vector<TokenId>{2}));
}

TEST(Logprobs, AreTheModelsOwnWhateverTheSettings) {
  Request request;
  request.sampling = {.temperature = 0.3F, .top_k = 1, .logit_bias = {{2, 50.0F}}};
  request.top_logprobs = 3;
  auto sampler = Sampler::create(request, 5);
  ASSERT_TRUE(sampler.has_value());
  const std::vector<float> raw = {1, 2, -1, 2, -kInfinity};
  std::vector<float> logits = raw;
  const auto sample = sampler->sample(logits, 0);
  ASSERT_TRUE(sample.has_value());
  EXPECT_EQ(sample->token, 2);
  double total = 0;
  for (const float logit : raw) total += std::exp(static_cast<double>(logit));
  EXPECT_NEAR(sample->logprob, -1 - std::log(total), 1e-6);
  ASSERT_EQ(sample->top_logprobs.size(), 3U);
  EXPECT_EQ(sample->top_logprobs[0].token, 1);
  EXPECT_EQ(sample->top_logprobs[1].token, 3);
  EXPECT_EQ(sample->top_logprobs[2].token, 0);
  EXPECT_EQ(sample->top_logprobs[0].logprob, sample->top_logprobs[1].logprob);
  EXPECT_NEAR(sample->top_logprobs[2].logprob, 1 - std::log(total), 1e-6);
}

TEST(Gather, TheBestOfManyWithTiesToTheLowerId) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const std::vector<float> logits = random_logits(20000, seed);
    std::vector<Candidate> all;
    gather(logits, 0, all);
    ASSERT_EQ(all.size(), logits.size());
    std::ranges::sort(all, comes_before);
    for (const uint32_t k : {1U, 2U, 40U, 1000U, 19999U, 20000U, 30000U}) {
      std::vector<Candidate> best;
      gather(logits, k, best);
      ASSERT_EQ(best.size(), std::min<size_t>(k, all.size()));
      for (size_t i = 0; i < best.size(); ++i) ASSERT_EQ(best[i].token, all[i].token);
    }
  }
}

// The settings written down as slowly and plainly as possible: sort everything, use the library's
// functions. Gives the candidates that remain, in the order in which they are laid out.
std::vector<std::pair<TokenId, double>> plain(const std::vector<float>& logits,
                                              const Sampling& settings) {
  using Entry = std::pair<TokenId, double>;  // token, probability
  std::vector<Entry> left;
  const double highest = static_cast<double>(*std::ranges::max_element(logits));
  const double temperature = static_cast<double>(settings.temperature);
  for (size_t i = 0; i < logits.size(); ++i) {
    left.emplace_back(static_cast<TokenId>(i),
                      std::exp((static_cast<double>(logits[i]) - highest) / temperature));
  }
  const auto by_probability = [](const Entry& a, const Entry& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  };
  const auto normalise = [&] {
    double total = 0;
    for (const Entry& entry : left) total += entry.second;
    for (Entry& entry : left) entry.second /= total;
  };
  const auto cut = [&](double p) {
    double sum = 0;
    size_t n = 0;
    while (n < left.size() && (n == 0 || sum < p)) sum += left[n++].second;
    left.resize(n);
    normalise();
  };
  if (settings.top_k > 0) {
    std::ranges::sort(left, by_probability);
    left.resize(std::min<size_t>(left.size(), settings.top_k));
  }
  normalise();
  if (settings.typical_p < 1) {
    double entropy = 0;
    for (const Entry& entry : left) entropy -= entry.second * std::log(entry.second);
    const auto deviation = [&](const Entry& entry) {
      return std::round(std::abs(-std::log(entry.second) - entropy) * 1e9);
    };
    std::ranges::sort(left, [&](const Entry& a, const Entry& b) {
      return deviation(a) != deviation(b) ? deviation(a) < deviation(b) : by_probability(a, b);
    });
    cut(static_cast<double>(settings.typical_p));
  }
  if (settings.top_p < 1) {
    std::ranges::sort(left, by_probability);
    cut(static_cast<double>(settings.top_p));
  }
  const double most = std::ranges::max(left, {}, &Entry::second).second;
  std::erase_if(left, [&](const Entry& entry) {
    return entry.second < static_cast<double>(settings.min_p) * most;
  });
  normalise();
  std::ranges::sort(left, {}, &Entry::first);
  if (settings.top_k > 0) std::ranges::sort(left, by_probability);
  return left;
}

TEST(Sampling, AgreesWithThePlainVersion) {
  for (uint64_t round = 0; round < 600; ++round) {
    const auto random = [&](uint64_t which) { return base::random_uniform(77, round, which); };
    Sampling settings;
    settings.temperature = static_cast<float>(0.1 + 2 * random(0));
    if (random(1) < 0.5) settings.top_k = static_cast<uint32_t>(1 + 100 * random(2));
    if (random(3) < 0.5) settings.top_p = static_cast<float>(random(4));
    if (random(5) < 0.3) settings.min_p = static_cast<float>(random(6) * random(6));
    if (random(7) < 0.3) settings.typical_p = static_cast<float>(random(8));
    settings.seed = round;
    const std::vector<float> logits =
        random_logits(1 + static_cast<size_t>(900 * random(9)), round);
    Sampler sampler = make(settings, static_cast<uint32_t>(logits.size()));
    const auto expected = plain(logits, settings);
    for (uint64_t position = 0; position < 20; ++position) {
      const double uniform = base::random_uniform(settings.seed, position);
      double sum = 0;
      size_t i = 0;
      while (i + 1 < expected.size() && sum + expected[i].second <= uniform) {
        sum += expected[i++].second;
      }
      ASSERT_EQ(choose(sampler, logits, position), expected[i].first)
          << "round " << round << ", position " << position;
    }
  }
}

// Chi-square of 40,000 draws along positions against the softmax; 30 tokens, so 29 degrees of
// freedom, for which 58.3 has a probability of 0.001. Seeds are fixed: it passes always or never.
TEST(Sampling, DrawsFollowTheDistribution) {
  constexpr int kDraws = 40000;
  std::vector<float> logits(30);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>((i * 7) % 30) / 10.0F;
  for (const uint64_t seed : {1U, 2U, 3U}) {
    Sampler sampler = make({.temperature = 0.8F, .seed = seed}, 30);
    std::vector<int> counts(30, 0);
    for (uint64_t position = 0; position < kDraws; ++position) {
      ++counts[static_cast<size_t>(choose(sampler, logits, position))];
    }
    const auto probabilities = plain(logits, {.temperature = 0.8F});
    double chi_square = 0;
    for (const auto& [token, probability] : probabilities) {
      const double expected = probability * kDraws;
      const double difference = counts[static_cast<size_t>(token)] - expected;
      chi_square += difference * difference / expected;
    }
    EXPECT_LT(chi_square, 58.3) << "seed " << seed;
  }
}

TEST(Sampling, ADrawDependsOnThePositionAlone) {
  const std::vector<float> logits = random_logits(500, 4);
  const Sampling settings = {.temperature = 1.0F, .top_p = 0.9F, .seed = 9};
  Sampler forwards = make(settings, 500);
  Sampler backwards = make(settings, 500);
  std::vector<TokenId> there;
  std::vector<TokenId> back;
  for (uint64_t i = 0; i < 50; ++i) there.push_back(choose(forwards, logits, i));
  for (uint64_t i = 50; i-- > 0;) back.push_back(choose(backwards, logits, i));
  std::ranges::reverse(back);
  EXPECT_EQ(there, back);
  EXPECT_GT(std::set<TokenId>(there.begin(), there.end()).size(), 5U);
}

TEST(Sampling, ExtremeTemperaturesAndFlatLogits) {
  Sampler cold = make({.temperature = 1e-30F}, 3);
  EXPECT_EQ(choose(cold, {1, 1.0001F, 1}), 1);
  Sampler only_best = make({.temperature = 1.0F, .top_p = 0.0F}, 3);
  EXPECT_EQ(choose(only_best, {2, 2, 1}), 0);
  Sampler flat = make({.temperature = 100.0F, .top_p = 0.99F}, 100000);
  const TokenId token = choose(flat, std::vector<float>(100000, 1.0F), 5);
  EXPECT_EQ(token, static_cast<TokenId>(base::random_uniform(0, 5) * 99000));
}

}  // namespace
}  // namespace freehold::sampling
