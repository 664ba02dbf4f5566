// Numbers and comparisons for the tests of the vector kernels.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <span>
#include <vector>

#include "kernels/isa.h"
#include "kernels/vector.h"

namespace freehold::kernels::testing {

inline std::vector<float> random_floats(size_t n, uint32_t seed, float spread = 1.0F) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0.0F, spread);
  std::vector<float> out(n);
  for (float& x : out) x = normal(generator);
  return out;
}

// Random representations: every exponent, subnormals, infinities and NaN among them.
inline std::vector<float> random_bits(size_t n, uint32_t seed) {
  std::mt19937 generator(seed);
  std::vector<float> out(n);
  for (float& x : out) x = std::bit_cast<float>(static_cast<uint32_t>(generator()));
  return out;
}

inline std::vector<float> awkward_floats() {
  using Limits = std::numeric_limits<float>;
  std::vector<float> out = {0.0F,
                            1.0F,
                            88.7228F,
                            88.7229F,
                            87.0F,
                            1e-45F,
                            1e-38F,
                            1e-30F,
                            9e-31F,
                            65504.0F,
                            65519.996F,
                            65520.0F,
                            1e30F,
                            0.5F,
                            6.1e-5F,
                            5.9e-8F,
                            2.98e-8F,
                            87.336545F,
                            87.33655F,
                            103.9F,
                            127.5F,
                            Limits::max(),
                            Limits::min(),
                            Limits::infinity(),
                            Limits::quiet_NaN()};
  const size_t n = out.size();
  for (size_t i = 0; i < n; ++i) out.push_back(-out[i]);
  return out;
}

inline uint32_t canonical_bits(float x) {
  return std::isnan(x) ? 0x7fc00000U : std::bit_cast<uint32_t>(x);
}

// Equal bits, except that a NaN equals any other.
inline ::testing::AssertionResult same_bits(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return ::testing::AssertionFailure() << "sizes differ";
  for (size_t i = 0; i < a.size(); ++i) {
    if (canonical_bits(a[i]) != canonical_bits(b[i])) {
      return ::testing::AssertionFailure()
             << "element " << i << " of " << a.size() << ": " << a[i] << " and " << b[i];
    }
  }
  return ::testing::AssertionSuccess();
}

// The distance from `exact` in units in the last place of a float of its size.
inline double ulps(float got, double exact) {
  const float nearest = static_cast<float>(exact);
  const double unit =
      std::nextafter(std::abs(nearest), std::numeric_limits<float>::infinity()) - std::abs(nearest);
  return std::abs(static_cast<double>(got) - exact) / unit;
}

}  // namespace freehold::kernels::testing
