// Four floats at a time for the searches of the encoders, in the compilers' portable vector form.
// Sums over lanes are in one fixed order, so results do not depend on the processor.
#pragma once

#include <cstddef>
#include <cstring>

namespace freehold::quant {

using F4 = float __attribute__((vector_size(16)));
inline constexpr size_t kLanes = 4;

inline F4 splat(float value) { return F4{value, value, value, value}; }

inline F4 load4(const float* from) {
  F4 out;
  std::memcpy(&out, from, sizeof out);
  return out;
}

inline F4 smaller(F4 a, F4 b) { return a < b ? a : b; }
inline F4 larger(F4 a, F4 b) { return a > b ? a : b; }

// Nearest integer, ties to even; for values below 2^22.
inline F4 round4(F4 a) {
  const F4 shift = splat(12582912.0F);
  return (a + shift) - shift;
}

inline float sum4(F4 a) { return (a[0] + a[2]) + (a[1] + a[3]); }
inline float smallest(F4 a) {
  const float x = a[0] < a[1] ? a[0] : a[1];
  const float y = a[2] < a[3] ? a[2] : a[3];
  return x < y ? x : y;
}
inline float largest(F4 a) { return -smallest(-a); }

}  // namespace freehold::quant
