#include "engine/depth_policy.h"

#include <algorithm>
#include <vector>

namespace freehold::engine {
namespace {

// Share of the time that may be lost, in the long run, by trying.
constexpr double kMayLose = 0.005;
// A win is not saved up for later losses beyond this many plain passes.
constexpr double kSavedPasses = 8.0;
// Expected speed over no speculation that makes guessing worth it.
constexpr double kWorth = 1.01;
// What one more row adds at best, as a share of a pass: then the pass only reads weights.
constexpr double kRowAtBest = 0.01;
// Passes with guesses after which one without refreshes what is compared with.
constexpr uint32_t kPlainEvery = 64;
constexpr double kSlowest = 1.0 / 24;  // of averages

// The weight of the newest of n_seen values.
double weight(uint32_t n_seen) { return std::max(1.0 / n_seen, kSlowest); }

}  // namespace

void GuessOdds::learn(uint32_t n_guessed, uint32_t n_true) {
  for (uint32_t i = 0; i < n_guessed && i <= n_true; ++i) {
    Chance& kept = chances_[std::min<size_t>(i, kKept - 1)];
    ++kept.n_seen;
    // The hope that it began with counts as two values.
    const double now = n_true > i ? 1.0 : 0.0;
    kept.chance += (now - kept.chance) * weight(kept.n_seen + 2);
  }
}

uint32_t GuessOdds::depth_to_try() const {
  const auto unseen = std::ranges::find(chances_, 0U, &Chance::n_seen);
  if (unseen == chances_.end()) return DepthPolicy::kMost;
  return static_cast<uint32_t>(unseen - chances_.begin()) + 1;
}

void GuessOdds::hope() {
  constexpr double kStep = 1.0 / 1024;
  for (Chance& kept : chances_) {
    if (kept.chance < kHope) kept.chance += (kHope - kept.chance) * kStep;
  }
}

// More rows never cost less than fewer, and at best next to nothing more.
double PassCosts::at_best(size_t rows) const {
  double least = 0.0;
  for (size_t fewer = rows; fewer-- > 0;) {
    if (costs_[fewer].n_seen == 0) continue;
    least = costs_[fewer].us * (1.0 + kRowAtBest * static_cast<double>(rows - fewer));
    break;
  }
  for (size_t more = rows + 1; more <= kMostRows; ++more) {
    if (costs_[more].n_seen > 0) return std::min(least, costs_[more].us);
  }
  return least;
}

double PassCosts::expected(size_t rows) const {
  const Cost& seen = costs_[capped(rows)];
  return seen.n_seen > 0 ? seen.us : at_best(capped(rows));
}

void PassCosts::learn(size_t rows, double us) {
  Cost& seen = costs_[capped(rows)];
  ++seen.n_seen;
  // A pass may take long for reasons of its own.
  const double taken = seen.n_seen == 1 ? us : std::min(us, 1.25 * seen.us);
  seen.us += (taken - seen.us) * weight(seen.n_seen);
  // What was seen long ago is trusted less and less.
  constexpr double kForget = 1.0 / 1024;
  for (size_t r = 1; r <= kMostRows; ++r) {
    Cost& other = costs_[r];
    if (&other == &seen || other.n_seen == 0) continue;
    const double best = at_best(r);
    if (best > 0.0 && other.us > best) other.us += (best - other.us) * kForget;
  }
}

void DepthPolicy::choose(std::span<const Candidate> candidates, std::span<uint32_t> depths) {
  std::ranges::fill(depths, 0U);
  const size_t n = candidates.size();
  // Without knowing what a plain pass costs nothing can be compared.
  if (n == 0 || !costs_.knows(n)) return;
  if (lost_us_ > kMayLose * total_us_ || n_since_plain_ >= kPlainEvery) return;

  // One guess after another, the likeliest first; the best place to stop is remembered.
  std::vector<double> reach(n);  // chance that the next guess of a sequence comes true
  for (size_t i = 0; i < n; ++i)
    reach[i] = candidates[i].limit > 0 ? candidates[i].odds->chance(0) : 0;
  std::vector<uint32_t> trial(n, 0);
  double tokens = static_cast<double>(n);
  double best = kWorth * tokens / costs_.expected(n);
  uint32_t deepest = 0;
  for (size_t n_drafts = 1; n + n_drafts <= PassCosts::kMostRows; ++n_drafts) {
    const auto i = static_cast<size_t>(std::ranges::max_element(reach) - reach.begin());
    if (reach[i] <= 0.0) break;
    tokens += reach[i];
    deepest = std::max(deepest, ++trial[i]);
    const bool more = trial[i] < std::min(candidates[i].limit, candidates[i].odds->depth_to_try());
    reach[i] = more ? reach[i] * candidates[i].odds->chance(trial[i]) : 0.0;
    const double speed = tokens / (costs_.expected(n + n_drafts) + link_us_ * deepest);
    if (speed <= best) continue;
    best = speed;
    std::ranges::copy(trial, depths.begin());
  }
}

void DepthPolicy::learn(const Step& step) {
  costs_.learn(step.n_sequences + step.n_drafts, step.pass_us);
  if (step.deepest > 0) {
    const double link_us = step.guess_us / step.deepest;
    link_us_ = link_us_ <= 0.0 ? link_us : link_us_ + (link_us - link_us_) * kSlowest;
  }
  n_since_plain_ = step.n_drafts > 0 ? n_since_plain_ + 1 : 0;
  // What the same tokens would have cost one a sequence and pass.
  const double plain = costs_.expected(step.n_sequences);
  const double passes = static_cast<double>(step.n_tokens) /
                        static_cast<double>(std::max<size_t>(1, step.n_sequences));
  const double spent = step.guess_us + step.pass_us;
  total_us_ += spent;
  if (step.n_drafts > 0 || step.guess_us > 0) {
    const double paid = step.n_drafts > 0 ? spent - passes * plain : step.guess_us;
    lost_us_ = std::max(lost_us_ + paid, -kSavedPasses * plain);
  }
}

}  // namespace freehold::engine
