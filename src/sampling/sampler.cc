#include "sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "base/random.h"
#include "sampling/fixed_math.h"

namespace freehold::sampling {

namespace {

using base::ErrorCode;

base::Status in_range(const char* name, float value, float low, float high) {
  if (value >= low && value <= high) return {};  // false for NaN
  return base::fail(ErrorCode::kInvalidArgument,
                    std::string(name) + " is " + std::to_string(value) + ", must be from " +
                        std::to_string(low) + " to " + std::to_string(high));
}

base::Status token_in_range(const char* where, TokenId token, uint32_t vocabulary) {
  if (token >= 0 && static_cast<uint32_t>(token) < vocabulary) return {};
  return base::fail(ErrorCode::kInvalidArgument,
                    std::string(where) + " has token " + std::to_string(token) +
                        ", outside the vocabulary of " + std::to_string(vocabulary));
}

// The token of the highest logit, the lowest id among equals; or the number of logits when all are
// -infinity.
size_t index_of_highest(std::span<const float> logits) {
  float highest = -std::numeric_limits<float>::infinity();
  size_t index = logits.size();
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] > highest) {
      highest = logits[i];
      index = i;
    }
  }
  return index;
}

base::Status check_logits(std::span<const float> logits, const char* when) {
  // Not below +infinity: NaN or +infinity.
  const auto bad = std::find_if(logits.begin(), logits.end(), [](float logit) {
    return !(logit < std::numeric_limits<float>::infinity());
  });
  if (bad == logits.end()) return {};
  return base::fail(ErrorCode::kInvalidArgument,
                    "the logit of token " + std::to_string(bad - logits.begin()) + " is " +
                        (std::isnan(*bad) ? "not a number " : "infinite ") + when);
}

}  // namespace

base::Status validate(const Sampling& settings, uint32_t vocabulary) {
  FREEHOLD_TRY(in_range("temperature", settings.temperature, 0.0F, 100.0F));
  FREEHOLD_TRY(in_range("top_p", settings.top_p, 0.0F, 1.0F));
  FREEHOLD_TRY(in_range("min_p", settings.min_p, 0.0F, 1.0F));
  FREEHOLD_TRY(in_range("typical_p", settings.typical_p, 0.0F, 1.0F));
  FREEHOLD_TRY(in_range("repetition_penalty", settings.repetition_penalty, 0.01F, 100.0F));
  FREEHOLD_TRY(in_range("frequency_penalty", settings.frequency_penalty, -100.0F, 100.0F));
  FREEHOLD_TRY(in_range("presence_penalty", settings.presence_penalty, -100.0F, 100.0F));
  for (const auto& [token, bias] : settings.logit_bias) {
    FREEHOLD_TRY(token_in_range("logit_bias", token, vocabulary));
    FREEHOLD_TRY(in_range("logit_bias", bias, -1000.0F, 1000.0F));
  }
  return {};
}

base::Result<Sampler> Sampler::create(const Request& request, uint32_t vocabulary) {
  FREEHOLD_TRY(validate(request.sampling, vocabulary));
  Sampler sampler;
  sampler.settings_ = request.sampling;
  sampler.vocabulary_ = vocabulary;
  sampler.logprobs_ = request.logprobs || request.top_logprobs > 0;
  sampler.n_top_logprobs_ = std::min(request.top_logprobs, vocabulary);
  sampler.constraint_ = request.constraint;
  for (const TokenId token : request.prompt) {
    FREEHOLD_TRY(token_in_range("the prompt", token, vocabulary));
    sampler.note_for_repetition(token);
  }
  return sampler;
}

void Sampler::accept(TokenId token) {
  ++generated_[token];
  note_for_repetition(token);
  if (constraint_) constraint_->accept(token);
}

void Sampler::note_for_repetition(TokenId token) {
  if (settings_.repetition_penalty == 1.0F) return;
  ++in_window_[token];
  if (settings_.penalty_window == 0) return;
  if (window_.size() < settings_.penalty_window) {
    window_.push_back(token);
    return;
  }
  const TokenId leaving = std::exchange(window_[window_next_], token);
  window_next_ = (window_next_ + 1) % window_.size();
  const auto count = in_window_.find(leaving);
  if (--count->second == 0) in_window_.erase(count);
}

// Each token is treated by itself, so the order of the maps does not matter.
void Sampler::apply_penalties_and_bias(std::span<float> logits) const {
  if (settings_.repetition_penalty != 1.0F) {
    for (const auto& [token, count] : in_window_) {
      float& logit = logits[static_cast<size_t>(token)];
      logit = logit > 0.0F ? logit / settings_.repetition_penalty
                           : logit * settings_.repetition_penalty;
    }
  }
  if (settings_.frequency_penalty != 0.0F || settings_.presence_penalty != 0.0F) {
    for (const auto& [token, count] : generated_) {
      logits[static_cast<size_t>(token)] -=
          static_cast<float>(count) * settings_.frequency_penalty + settings_.presence_penalty;
    }
  }
  for (const auto& [token, bias] : settings_.logit_bias) {
    logits[static_cast<size_t>(token)] += bias;
  }
}

void Sampler::add_logprobs(Sample& sample) const {
  const double highest =
      static_cast<double>(*std::max_element(raw_logits_.begin(), raw_logits_.end()));
  double sum = 0.0;
  for (const float logit : raw_logits_) sum += fixed_exp(static_cast<double>(logit) - highest);
  const double log_total = highest + fixed_log(sum);
  const auto logprob = [&](TokenId token) {
    const float logit = raw_logits_[static_cast<size_t>(token)];
    return static_cast<float>(static_cast<double>(logit) - log_total);
  };
  sample.logprob = logprob(sample.token);
  if (n_top_logprobs_ == 0) return;
  std::vector<Candidate> best;
  gather(raw_logits_, n_top_logprobs_, best);
  for (const Candidate& candidate : best) {
    sample.top_logprobs.push_back({.token = candidate.token, .logprob = logprob(candidate.token)});
  }
}

TokenId Sampler::draw_token(std::span<const float> logits, uint64_t position) {
  gather(logits, settings_.top_k, candidates_);
  set_weights(static_cast<double>(settings_.temperature), candidates_);
  keep_typical(static_cast<double>(settings_.typical_p), static_cast<double>(settings_.temperature),
               candidates_);
  keep_top_p(static_cast<double>(settings_.top_p), candidates_);
  keep_min_p(static_cast<double>(settings_.min_p), candidates_);
  return draw(base::random_bits(settings_.seed, position), candidates_);
}

base::Result<Sample> Sampler::sample(std::span<float> logits, uint64_t position) {
  if (logits.size() != vocabulary_) {
    return base::fail(ErrorCode::kInvalidArgument, "there are " + std::to_string(logits.size()) +
                                                       " logits for a vocabulary of " +
                                                       std::to_string(vocabulary_));
  }
  FREEHOLD_TRY(check_logits(logits, "as the model made it"));
  if (logprobs_) raw_logits_.assign(logits.begin(), logits.end());
  apply_penalties_and_bias(logits);
  if (constraint_) constraint_->mask(logits);

  FREEHOLD_TRY(check_logits(logits, "after penalties"));

  Sample sample;
  const size_t highest = index_of_highest(logits);
  if (highest == logits.size()) {
    return base::fail(ErrorCode::kInvalidArgument,
                      "no token may follow: every logit is -infinity after bias and constraint");
  }
  sample.token =
      settings_.temperature == 0.0F ? static_cast<TokenId>(highest) : draw_token(logits, position);
  if (logprobs_) add_logprobs(sample);
  return sample;
}

}  // namespace freehold::sampling
