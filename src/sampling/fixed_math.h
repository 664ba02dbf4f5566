// exp and log with the same bits on every machine: the C library picks its own by processor.
// Accurate to about 1e-15, which is far more than a draw needs.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace freehold::sampling {

// ln 2 in two parts: the high one has so few bits that its product with any exponent is exact.
inline constexpr double kLn2High = 0x1.62e42fee00000p-1;
inline constexpr double kLn2Low = 0x1.a39ef35793c76p-33;

// 2 to the i/128 = e to the i ln(2)/128, by the series.
inline constexpr std::array<double, 128> kPowersOfTwo = [] {
  std::array<double, 128> out{};
  std::size_t i = 0;
  for (double& power : out) {
    const double x = static_cast<double>(i++) * (kLn2High + kLn2Low) / 128;
    for (int n = 24; n > 0; --n) power = (power + 1.0) * x / n;
    power += 1.0;
  }
  return out;
}();

// e to the x, for x <= 0; exactly 0 below -700.
inline double fixed_exp(double x) {
  if (!(x > -700.0)) return 0.0;
  // x = (128 n + i) ln(2)/128 + r with |r| <= ln(2)/256, where five terms of the series do.
  const auto steps = static_cast<int64_t>(x * 0x1.71547652b82fep+7 - 0.5);  // to nearest: x <= 0
  const double k = static_cast<double>(steps);
  const double r = (x - k * (kLn2High / 128)) - k * (kLn2Low / 128);
  const double series = r + r * r * (1.0 / 2 + r * (1.0 / 6 + r * (1.0 / 24 + r * (1.0 / 120))));
  const double power = kPowersOfTwo[static_cast<uint64_t>(steps) & 127];
  const double scale = std::bit_cast<double>(static_cast<uint64_t>((steps >> 7) + 1023) << 52);
  return (power + power * series) * scale;
}

// The natural logarithm of a finite x > 0 that is not subnormal.
double fixed_log(double x);

}  // namespace freehold::sampling
