#include "kernels/scalar/probe.h"

#include <array>

namespace freehold::kernels::scalar {

uint64_t int8_probe(uint64_t rounds, int32_t* sink) {
  constexpr uint64_t kValues = 64;
  std::array<int8_t, kValues> x{};
  std::array<int8_t, kValues> w{};
  for (uint64_t i = 0; i < kValues; ++i) {
    x[i] = static_cast<int8_t>(i);
    w[i] = static_cast<int8_t>(3 * i);
  }
  std::array<int32_t, 4> sums{};
  for (uint64_t round = 0; round < rounds; ++round) {
    const uint64_t shift = round % kValues;
    for (uint64_t i = 0; i < kValues; ++i) {
      sums[i % sums.size()] += x[i] * w[(i + shift) % kValues];
    }
    for (int32_t& sum : sums) sum &= 0xffffff;
  }
  *sink = sums[0] ^ sums[1] ^ sums[2] ^ sums[3];
  return rounds * kValues * 2;
}

}  // namespace freehold::kernels::scalar
