// The tokens that may still be drawn, and the filters that reduce them. Every filter depends on
// values and ids alone: ties go to the higher logit, then to the lower id.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "freehold/engine.h"

namespace freehold::sampling {

// Weights are whole numbers, so that sums are exact in any order.
inline constexpr uint64_t kFullWeight = uint64_t{1} << 45;

struct Candidate {
  TokenId token = 0;
  float logit = 0.0F;
  // kFullWeight x exp((logit - highest) / temperature), rounded: what is 2^46 times less likely
  // than the best is never drawn. Sums fit 64 bits for any vocabulary up to 2^18 and more.
  uint64_t weight = 0;
};

// The order of everything: higher logit first, then lower id.
inline bool comes_before(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
}

// The k best of the logits above -infinity, in order; or all of them in order of id when k is 0.
// Without weights. The filters below keep the order.
void gather(std::span<const float> logits, uint32_t k, std::vector<Candidate>& out);

// Gives each candidate its weight and drops those whose weight is 0; temperature > 0.
void set_weights(double temperature, std::vector<Candidate>& candidates);

// Keeps the smallest set of the most typical candidates whose share of the weight reaches p: those
// whose surprise is nearest to the entropy (Meister et al., Locally Typical Sampling, 2022).
void keep_typical(double p, double temperature, std::vector<Candidate>& candidates);

// Keeps the smallest set of the best candidates whose share of the weight reaches p (Holtzman et
// al., The Curious Case of Neural Text Degeneration, 2019).
void keep_top_p(double p, std::vector<Candidate>& candidates);

// Keeps candidates with at least p times the weight of the heaviest (Nguyen et al., Turning Up the
// Heat, 2024).
void keep_min_p(double p, std::vector<Candidate>& candidates);

// The candidate that the random `bits`, as a fraction of 2^64, fall on when the candidates are laid
// end to end, as long as their weights, in the order given. Not empty.
TokenId draw(uint64_t bits, std::span<const Candidate> candidates);

}  // namespace freehold::sampling
