#include "sampling/fixed_math.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace freehold::sampling {

namespace {

constexpr double kLn2 = 0x1.62e42fefa39efp-1;
// ln 2 in two parts: the high one has so few bits that its product with any exponent is exact.
constexpr double kLn2High = 0x1.62e42fee00000p-1;
constexpr double kLn2Low = 0x1.a39ef35793c76p-33;

// 1/13!, 1/12!, ..., 1/0!: the Taylor series, good to 1e-17 for |x| <= ln(2) / 2.
constexpr std::array<double, 14> inverse_factorials() {
  std::array<double, 14> out{};
  double factorial = 1.0;
  for (size_t n = 0; n < out.size(); ++n) {
    if (n > 0) factorial *= static_cast<double>(n);
    out[out.size() - 1 - n] = 1.0 / factorial;
  }
  return out;
}
constexpr std::array<double, 14> kInverseFactorials = inverse_factorials();

}  // namespace

double fixed_exp(double x) {
  if (!(x > -700.0)) return 0.0;
  const auto exponent = static_cast<int64_t>(x / kLn2 - 0.5);  // rounds to nearest for x <= 0
  const double n = static_cast<double>(exponent);
  const double r = (x - n * kLn2High) - n * kLn2Low;
  double sum = 0.0;
  for (const double c : kInverseFactorials) sum = sum * r + c;
  return sum * std::bit_cast<double>(static_cast<uint64_t>(exponent + 1023) << 52);
}

double fixed_log(double x) {
  const auto bits = std::bit_cast<uint64_t>(x);
  const auto exponent = static_cast<int64_t>(bits >> 52) - 1023;
  const double m = std::bit_cast<double>((bits & 0x000FFFFFFFFFFFFFU) | 0x3FF0000000000000U);
  // Halley's iteration for exp(y) = 1 / m, with y <= 0 so that fixed_exp serves; it triples the
  // correct digits each time: 1.5, 6, 18.
  double y = m == 1.0 ? 0.0 : -(m - 1.0) * 0.69 - 0.03;
  for (int i = 0; i < 3; ++i) {
    const double e = fixed_exp(y < 0.0 ? y : 0.0) * m;
    y -= 2.0 * (e - 1.0) / (e + 1.0);
  }
  return static_cast<double>(exponent) * kLn2High + (static_cast<double>(exponent) * kLn2Low - y);
}

}  // namespace freehold::sampling
