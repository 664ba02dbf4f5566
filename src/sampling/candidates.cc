#include "sampling/candidates.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sampling/fixed_math.h"

namespace freehold::sampling {

namespace {

double total_weight(std::span<const Candidate> candidates) {
  double total = 0.0;
  for (const Candidate& candidate : candidates) total += candidate.weight;
  return total;
}

void keep_best(size_t k, std::vector<Candidate>& candidates) {
  if (candidates.size() <= k) return;
  std::nth_element(candidates.begin(), candidates.begin() + static_cast<ptrdiff_t>(k) - 1,
                   candidates.end(), comes_before);
  candidates.resize(k);
}

}  // namespace

void gather(std::span<const float> logits, uint32_t k, std::vector<Candidate>& out) {
  out.clear();
  const size_t limit = k == 0 ? logits.size() : k;
  // With twice as many as wanted, the lesser half goes, and raises the bar for the rest. A later
  // token that equals the bar has the higher id and loses, hence `>`.
  const size_t room = k == 0 ? logits.size() : 2 * limit + 64;
  float bar = -std::numeric_limits<float>::infinity();
  for (size_t i = 0; i < logits.size(); ++i) {
    if (!(logits[i] > bar)) continue;
    out.push_back({.token = static_cast<TokenId>(i), .logit = logits[i]});
    if (out.size() > room) {
      keep_best(limit, out);
      // The last in the order, so the least.
      bar = std::max_element(out.begin(), out.end(), comes_before)->logit;
    }
  }
  if (k == 0) return;
  keep_best(limit, out);
  std::sort(out.begin(), out.end(), comes_before);
}

void set_weights(double temperature, std::vector<Candidate>& candidates) {
  float highest = -std::numeric_limits<float>::infinity();
  for (const Candidate& candidate : candidates) highest = std::max(highest, candidate.logit);
  for (Candidate& candidate : candidates) {
    const double below = static_cast<double>(candidate.logit) - static_cast<double>(highest);
    candidate.weight = fixed_exp(below / temperature);
  }
}

void keep_typical(double p, std::vector<Candidate>& candidates) {
  if (p >= 1.0) return;
  std::erase_if(candidates, [](const Candidate& candidate) { return candidate.weight == 0.0; });
  std::sort(candidates.begin(), candidates.end(), comes_before);
  const double total = total_weight(candidates);
  struct Surprise {
    double deviation;  // |surprise - entropy|
    size_t index;      // into candidates, which are in order
  };
  std::vector<Surprise> surprises(candidates.size());
  double entropy = 0.0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const double share = candidates[i].weight / total;
    surprises[i] = {.deviation = -fixed_log(share), .index = i};
    entropy += share * surprises[i].deviation;
  }
  for (Surprise& surprise : surprises) surprise.deviation = std::abs(surprise.deviation - entropy);
  std::sort(surprises.begin(), surprises.end(), [](const Surprise& a, const Surprise& b) {
    return a.deviation != b.deviation ? a.deviation < b.deviation : a.index < b.index;
  });
  std::vector<Candidate> kept;
  double sum = 0.0;
  for (const Surprise& surprise : surprises) {
    kept.push_back(candidates[surprise.index]);
    sum += kept.back().weight;
    if (sum >= p * total) break;
  }
  candidates = std::move(kept);
}

void keep_top_p(double p, std::vector<Candidate>& candidates) {
  if (p >= 1.0) return;
  const double wanted = p * total_weight(candidates);
  double sum = 0.0;
  // Sorts a first piece, usually enough, and then ever larger ones.
  size_t n_sorted = 0;
  for (size_t piece = 256; n_sorted < candidates.size(); piece *= 16) {
    const size_t end = std::min(candidates.size(), n_sorted + piece);
    const auto first = candidates.begin() + static_cast<ptrdiff_t>(n_sorted);
    const auto last = candidates.begin() + static_cast<ptrdiff_t>(end);
    std::partial_sort(first, last, candidates.end(), comes_before);
    for (; n_sorted < end; ++n_sorted) {
      sum += candidates[n_sorted].weight;
      if (sum >= wanted) {
        candidates.resize(n_sorted + 1);
        return;
      }
    }
  }
}

void keep_min_p(double p, std::vector<Candidate>& candidates) {
  if (p <= 0.0) return;
  double heaviest = 0.0;
  for (const Candidate& candidate : candidates) heaviest = std::max(heaviest, candidate.weight);
  std::erase_if(candidates,
                [&](const Candidate& candidate) { return candidate.weight < p * heaviest; });
}

TokenId draw(double uniform, std::span<const Candidate> candidates) {
  const double target = uniform * total_weight(candidates);
  double sum = 0.0;
  TokenId last = candidates.front().token;
  for (const Candidate& candidate : candidates) {
    if (candidate.weight == 0.0) continue;
    last = candidate.token;
    sum += candidate.weight;
    if (sum > target) break;
  }
  return last;  // rounding may leave the target at the very end: then the last that can be drawn
}

}  // namespace freehold::sampling
