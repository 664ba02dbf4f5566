#include "sampling/candidates.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "sampling/fixed_math.h"

namespace freehold::sampling {

namespace {

uint64_t total_weight(std::span<const Candidate> candidates) {
  uint64_t total = 0;
  for (const Candidate& candidate : candidates) total += candidate.weight;
  return total;
}

// The weight that a share p of `total` needs; at least 1, so that somebody is kept.
uint64_t share_of(uint64_t total, double p) {
  return std::max<uint64_t>(1, static_cast<uint64_t>(p * static_cast<double>(total)));
}

// Of `entries` in the order `before`, the last of the shortest beginning whose weights reach
// `wanted`, which all together do. Halves what is left each time: linear, and sorts nothing.
template <typename Before>
Candidate last_of_share(std::span<Candidate> entries, uint64_t wanted, Before before) {
  while (entries.size() > 1) {
    const size_t half = entries.size() / 2;
    const auto middle = entries.begin() + static_cast<ptrdiff_t>(half);
    std::nth_element(entries.begin(), middle, entries.end(), before);
    const uint64_t sum = total_weight(entries.first(half));
    if (sum >= wanted) {
      entries = entries.first(half);
    } else {
      wanted -= sum;
      entries = entries.subspan(half);
    }
  }
  return entries.front();
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
    const double weight = fixed_exp(below / temperature) * static_cast<double>(kFullWeight);
    // NOLINTNEXTLINE(bugprone-incorrect-roundings): the double just below 0.5 may well become 1.
    candidate.weight = static_cast<uint64_t>(static_cast<int64_t>(weight + 0.5));
  }
  std::erase_if(candidates, [](const Candidate& candidate) { return candidate.weight == 0; });
}

void keep_typical(double p, double temperature, std::vector<Candidate>& candidates) {
  if (p >= 1.0) return;
  const double total = static_cast<double>(total_weight(candidates));
  const double log_total = fixed_log(total / static_cast<double>(kFullWeight));
  float highest = -std::numeric_limits<float>::infinity();
  for (const Candidate& candidate : candidates) highest = std::max(highest, candidate.logit);
  // -log of the probability.
  const auto surprise = [&](const Candidate& candidate) {
    return (static_cast<double>(highest) - static_cast<double>(candidate.logit)) / temperature +
           log_total;
  };
  double entropy = 0.0;
  for (const Candidate& candidate : candidates) {
    entropy += static_cast<double>(candidate.weight) / total * surprise(candidate);
  }
  const auto more_typical = [&](const Candidate& a, const Candidate& b) {
    const double deviation_a = std::abs(surprise(a) - entropy);
    const double deviation_b = std::abs(surprise(b) - entropy);
    return deviation_a != deviation_b ? deviation_a < deviation_b : comes_before(a, b);
  };
  std::vector<Candidate> entries = candidates;
  const Candidate last =
      last_of_share(std::span(entries), share_of(total_weight(candidates), p), more_typical);
  std::erase_if(candidates,
                [&](const Candidate& candidate) { return more_typical(last, candidate); });
}

void keep_top_p(double p, std::vector<Candidate>& candidates) {
  if (p >= 1.0) return;
  // First by octaves of weight, in one pass; then exactly, inside the octave where the share ends.
  std::array<uint64_t, 65> octaves{};
  for (const Candidate& candidate : candidates) {
    octaves[static_cast<size_t>(std::bit_width(candidate.weight))] += candidate.weight;
  }
  uint64_t wanted = share_of(total_weight(candidates), p);
  size_t octave = octaves.size() - 1;
  while (octaves[octave] < wanted) wanted -= octaves[octave--];
  std::vector<Candidate> edge;
  for (const Candidate& candidate : candidates) {
    if (static_cast<size_t>(std::bit_width(candidate.weight)) == octave) edge.push_back(candidate);
  }
  const auto heavier = [](const Candidate& a, const Candidate& b) {
    return a.weight != b.weight ? a.weight > b.weight : comes_before(a, b);
  };
  const Candidate last = last_of_share(std::span(edge), wanted, heavier);
  std::erase_if(candidates, [&](const Candidate& candidate) { return heavier(last, candidate); });
}

void keep_min_p(double p, std::vector<Candidate>& candidates) {
  if (p <= 0.0) return;
  uint64_t heaviest = 0;
  for (const Candidate& candidate : candidates) heaviest = std::max(heaviest, candidate.weight);
  const double least = p * static_cast<double>(heaviest);
  std::erase_if(candidates, [&](const Candidate& candidate) {
    return static_cast<double>(candidate.weight) < least;
  });
}

TokenId draw(uint64_t bits, std::span<const Candidate> candidates) {
  // The high half of the product: uniform below the total.
  __extension__ using Wide = unsigned __int128;
  const auto target = static_cast<uint64_t>((Wide{bits} * total_weight(candidates)) >> 64);
  uint64_t sum = 0;
  for (const Candidate& candidate : candidates) {
    sum += candidate.weight;
    if (sum > target) return candidate.token;
  }
  return candidates.back().token;
}

}  // namespace freehold::sampling
