// The tokens that may still be drawn, and the filters that reduce them. Every filter depends on
// values and ids alone: ties go to the higher logit, then to the lower id.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "freehold/engine.h"

namespace freehold::sampling {

struct Candidate {
  TokenId token = 0;
  float logit = 0.0F;
  double weight = 0.0;  // exp((logit - highest) / temperature), in [0, 1]
};

// The order of everything: higher logit first, then lower id.
inline bool comes_before(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
}

// The k best of the logits above -infinity, in order; or all of them in order of id when k is 0.
// Without weights. Orders are fixed everywhere, because sums of weights depend on them.
void gather(std::span<const float> logits, uint32_t k, std::vector<Candidate>& out);

// Gives each candidate its weight; temperature > 0.
void set_weights(double temperature, std::vector<Candidate>& candidates);

// Keeps the smallest set of the most typical candidates whose share of the weight reaches p: those
// whose surprise is nearest to the entropy (Meister et al., Locally Typical Sampling, 2022).
void keep_typical(double p, std::vector<Candidate>& candidates);

// Keeps the smallest set of the best candidates whose share of the weight reaches p (Holtzman et
// al., The Curious Case of Neural Text Degeneration, 2019).
void keep_top_p(double p, std::vector<Candidate>& candidates);

// Keeps candidates with at least p times the weight of the heaviest (Nguyen et al., Turning Up the
// Heat, 2024).
void keep_min_p(double p, std::vector<Candidate>& candidates);

// The candidate that `uniform`, in [0, 1), falls on when they are laid end to end, as long as their
// weights, in the order given. Not empty; at least one weight above zero.
TokenId draw(double uniform, std::span<const Candidate> candidates);

}  // namespace freehold::sampling
