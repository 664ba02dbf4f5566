// Random numbers without state: a draw is a function of (seed, stream, position), so that batching,
// speculation and replay cannot change which number a position gets. Not for secrets.
#pragma once

#include <cstdint>

namespace freehold::base {

// The finaliser of SplitMix64: a bijection of 64-bit words in which every input bit flips about
// half of the output bits (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators).
constexpr uint64_t mix64(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31);
}

// 64 uniform bits. Different streams of one seed are for different purposes at one position.
constexpr uint64_t random_bits(uint64_t seed, uint64_t position, uint64_t stream = 0) {
  constexpr uint64_t kGolden = 0x9E3779B97F4A7C15U;
  const uint64_t key = mix64(mix64(seed + kGolden) + stream * kGolden);
  return mix64(key + (position + 1) * kGolden);
}

// Uniform in [0, 1): a multiple of 2^-53, so the same double everywhere.
constexpr double random_uniform(uint64_t seed, uint64_t position, uint64_t stream = 0) {
  return static_cast<double>(random_bits(seed, position, stream) >> 11) * 0x1.0p-53;
}

}  // namespace freehold::base
