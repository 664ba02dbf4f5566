#include "sampling/fixed_math.h"

namespace freehold::sampling {

double fixed_log(double x) {
  const auto bits = std::bit_cast<uint64_t>(x);
  const double exponent = static_cast<double>(static_cast<int64_t>(bits >> 52) - 1023);
  const double m = std::bit_cast<double>((bits & 0x000FFFFFFFFFFFFFU) | 0x3FF0000000000000U);
  // Halley's iteration for exp(y) = 1 / m, with y <= 0 so that fixed_exp serves; it triples the
  // correct digits each time: 1.5, 6, 18.
  double y = m == 1.0 ? 0.0 : -(m - 1.0) * 0.69 - 0.03;
  for (int i = 0; i < 3; ++i) {
    const double e = fixed_exp(y < 0.0 ? y : 0.0) * m;
    y -= 2.0 * (e - 1.0) / (e + 1.0);
  }
  return exponent * kLn2High + (exponent * kLn2Low - y);
}

}  // namespace freehold::sampling
