// Rotary position embeddings: the angles. The rotation itself is a kernel (vector.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/result.h"

namespace freehold::ops {

// YaRN (arXiv 2309.00071) as the makers of each model set it.
struct Yarn {
  double factor = 1.0;
  double original_context = 0.0;
  double beta_fast = 32.0;
  double beta_slow = 1.0;
  bool truncate = true;  // round the ramp's ends to whole dimensions; gpt-oss does not
};

// Angular frequency of each rotated pair, a position: base^(-2j / n_rot) for j < n_rot / 2.
std::vector<double> rope_frequencies(size_t n_rot, double base);
// Blends interpolated (divided by factor) and original frequencies over YaRN's ramp.
void apply_yarn(std::span<double> frequencies, double base, const Yarn& yarn);

// Cosines and sines of a step's positions, computed once and used by every layer and head.
class RopeTable {
 public:
  // magnitude multiplies both (YaRN's attention factor where a model puts it there).
  RopeTable(std::vector<double> frequencies, double magnitude)
      : frequencies_(std::move(frequencies)), magnitude_(magnitude) {}

  void prepare(std::span<const uint32_t> positions);
  size_t n_rot() const { return 2 * frequencies_.size(); }
  const float* cosines(size_t row) const { return &cosines_[row * frequencies_.size()]; }
  const float* sines(size_t row) const { return &sines_[row * frequencies_.size()]; }

 private:
  std::vector<double> frequencies_;
  double magnitude_;
  std::vector<float> cosines_;
  std::vector<float> sines_;
};

}  // namespace freehold::ops
