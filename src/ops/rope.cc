#include "ops/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace freehold::ops {

std::vector<double> rope_frequencies(size_t n_rot, double base) {
  std::vector<double> frequencies(n_rot / 2);
  for (size_t j = 0; j < frequencies.size(); ++j) {
    frequencies[j] = std::pow(base, -2.0 * static_cast<double>(j) / static_cast<double>(n_rot));
  }
  return frequencies;
}

void apply_yarn(std::span<double> frequencies, double base, const Yarn& yarn) {
  const double n_rot = 2.0 * static_cast<double>(frequencies.size());
  // The dimension whose wavelength turns `beta` times within the original context.
  const auto dimension = [&](double beta) {
    return n_rot * std::log(yarn.original_context / (2.0 * std::numbers::pi * beta)) /
           (2.0 * std::log(base));
  };
  double low = dimension(yarn.beta_fast);
  double high = dimension(yarn.beta_slow);
  if (yarn.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, n_rot - 1.0);
  for (size_t j = 0; j < frequencies.size(); ++j) {
    const double ramp =
        std::clamp((static_cast<double>(j) - low) / std::max(0.001, high - low), 0.0, 1.0);
    frequencies[j] *= (1.0 - ramp) + ramp / yarn.factor;
  }
}

void RopeTable::prepare(std::span<const uint32_t> positions) {
  const size_t n = frequencies_.size();
  cosines_.resize(positions.size() * n);
  sines_.resize(positions.size() * n);
  for (size_t row = 0; row < positions.size(); ++row) {
    for (size_t j = 0; j < n; ++j) {
      const double angle = static_cast<double>(positions[row]) * frequencies_[j];
      cosines_[row * n + j] = static_cast<float>(std::cos(angle) * magnitude_);
      sines_[row * n + j] = static_cast<float>(std::sin(angle) * magnitude_);
    }
  }
}

}  // namespace freehold::ops
